with

source as (

    select * from {{ source('ml', 'realized_gains') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        asset_id,
        sale_transaction_id,
        lot_id,

        ---------- text
        term,
        convention_codes,

        ---------- numerics
        quantity,
        proceeds_usd,
        cost_basis_usd,
        gain_usd,
        disallowed_usd,
        recognized_usd,
        tax_year,
        piece_no,

        ---------- booleans
        is_provisional,
        is_permanent,
        is_voluntary,

        ---------- times
        as_of_date,
        trade_date,
        acquired_date,
        hp_start_date

    from source

)

select * from renamed
