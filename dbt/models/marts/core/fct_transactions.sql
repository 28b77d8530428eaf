{{ config(materialized='view') }}
-- Every version of every transaction, without an as-of cut: the reader takes rows with known_at <= its cut that
-- were not superseded by then. A view: transactions are the largest table and are only given their account here.
with

transactions as (

    select * from {{ ref('stg_brokerage__transactions') }}

),

accounts as (

    select * from {{ ref('dim_accounts') }}

)

select
    transactions.transaction_id,
    transactions.account_id,
    transactions.traded_at,
    transactions.traded_at_is_date,
    transactions.trade_date,
    transactions.kind,
    transactions.asset_id,
    transactions.quantity,
    transactions.price_usd,
    transactions.amount_usd,
    transactions.fees_usd,
    transactions.order_id,
    transactions.lot_reference,
    transactions.settled_date,
    transactions.acquired_date,
    transactions.cost_basis_usd,
    transactions.fair_market_value_usd,
    transactions.related_asset_id,
    transactions.ratio_new,
    transactions.ratio_old,
    transactions.basis_fraction,
    transactions.underlying_asset_id,
    transactions.option_right,
    transactions.strike_usd,
    transactions.expiry_date,
    transactions.known_at,
    accounts.user_id,
    accounts.household_id,
    accounts.tax_unit_id,
    accounts.account_type,
    transactions.source,
    transactions.source_file,
    transactions.source_line,
    transactions.content_key
from transactions
left join accounts on transactions.account_id = accounts.account_id
