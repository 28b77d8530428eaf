with

differences as (

    select * from {{ ref('stg_ml__broker_differences') }}

)

select
    as_of_date,
    account_id,
    asset_id,
    sale_transaction_id,
    acquired_date,
    trade_date,
    tax_year,
    term,
    broker_term,
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
    explanation
from differences
