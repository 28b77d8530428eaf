with

gains as (

    select * from {{ ref('stg_ml__realized_gains') }}

)

select
    as_of_date,
    account_id,
    asset_id,
    sale_transaction_id,
    lot_id,
    piece_no,
    trade_date,
    acquired_date,
    hp_start_date,
    quantity,
    proceeds_usd,
    cost_basis_usd,
    gain_usd,
    disallowed_usd,
    recognized_usd,
    term,
    is_provisional,
    is_permanent,
    is_voluntary,
    tax_year,
    convention_codes
from gains
