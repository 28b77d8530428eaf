with

source as (

    select * from {{ source('ml', 'broker_differences') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        asset_id,
        sale_transaction_id,

        ---------- text
        term,
        broker_term,
        explanation,

        ---------- numerics
        tax_year,
        quantity,
        broker_quantity,
        proceeds_usd,
        broker_proceeds_usd,
        cost_basis_usd,
        broker_cost_basis_usd,
        disallowed_usd,
        broker_disallowed_usd,
        recognized_usd,
        broker_recognized_usd,
        difference_usd,

        ---------- times
        as_of_date,
        acquired_date,
        trade_date

    from source

)

select * from renamed
