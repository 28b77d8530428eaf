-- Open lots at each night's close; the other states of the week stay in ml.tax_lots.
with

lots as (

    select * from {{ ref('stg_ml__tax_lots') }}

)

select
    as_of_date,
    state_date,
    account_id,
    asset_id,
    lot_id,
    quantity,
    cost_basis_usd,
    acquired_date,
    hp_start_date,
    first_long_term_date,
    wash_adjustment_usd,
    origin,
    source_transaction_id,
    is_basis_known
from lots
where state_date = as_of_date
