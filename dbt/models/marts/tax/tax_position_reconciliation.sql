-- Positions that brokers' files state, beside what the imported transactions implied when the file was imported.
with

positions as (

    select * from {{ ref('stg_brokerage__reported_positions') }}

)

select
    position_id,
    account_id,
    asset_id,
    as_of_date,
    quantity as stated_quantity,
    implied_quantity,
    (quantity - implied_quantity)::decimal(24, 9) as difference_quantity,
    state,
    price_usd,
    market_value_usd,
    cost_basis_usd,
    known_at,
    source_file
from positions
