with

source as (

    select * from {{ source('ml', 'rec_lot_orders') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        asset_id,
        lot_id,

        ---------- text
        term,
        wash_sale_state,

        ---------- numerics
        quantity,
        gain_usd,
        tax_usd,

        ---------- times
        as_of_date

    from source

)

select * from renamed
