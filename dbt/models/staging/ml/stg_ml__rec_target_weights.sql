with

source as (

    select * from {{ source('ml', 'rec_target_weights') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        asset_id,

        ---------- text
        action,
        reason_code,

        ---------- numerics
        current_weight,
        target_weight,
        quantity,
        notional_usd,

        ---------- times
        as_of_date

    from source

)

select * from renamed
