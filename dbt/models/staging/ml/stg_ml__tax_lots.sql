with

source as (

    select * from {{ source('ml', 'tax_lots') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        asset_id,
        lot_id,
        source_transaction_id,

        ---------- text
        origin,

        ---------- numerics
        quantity,
        cost_basis_usd,
        wash_adjustment_usd,

        ---------- booleans
        is_basis_known,

        ---------- times
        as_of_date,
        state_date,
        acquired_date,
        hp_start_date,
        first_long_term_date

    from source

)

select * from renamed
