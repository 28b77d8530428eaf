with

source as (

    select * from {{ source('ml', 'form_8949') }}

),

renamed as (

    select
        ---------- ids
        tax_unit_id,
        account_id,
        asset_id,
        sale_transaction_id,

        ---------- text
        term,
        box,
        description,
        acquired,
        adjustment_code,
        convention_codes,

        ---------- numerics
        tax_year,
        quantity,
        proceeds_usd,
        cost_basis_usd,
        adjustment_usd,
        gain_usd,
        proceeds_printed_usd,
        cost_basis_printed_usd,
        adjustment_printed_usd,
        gain_printed_usd,
        broker_cost_basis_usd,
        broker_disallowed_usd,

        ---------- booleans
        is_provisional,

        ---------- times
        as_of_date,
        sold_date

    from source

)

select * from renamed
