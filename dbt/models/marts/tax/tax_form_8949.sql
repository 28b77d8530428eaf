with

form_lines as (

    select * from {{ ref('stg_ml__form_8949') }}

)

select
    as_of_date,
    tax_unit_id,
    tax_year,
    account_id,
    asset_id,
    sale_transaction_id,
    term,
    box,
    description,
    acquired,
    sold_date,
    quantity,
    proceeds_usd,
    cost_basis_usd,
    adjustment_code,
    adjustment_usd,
    gain_usd,
    proceeds_printed_usd,
    cost_basis_printed_usd,
    adjustment_printed_usd,
    gain_printed_usd,
    broker_cost_basis_usd,
    broker_disallowed_usd,
    is_provisional,
    convention_codes
from form_lines
