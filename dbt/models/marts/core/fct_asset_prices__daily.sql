{{ config(materialized='view') }}
-- The price that was known at each session's close. Sessions without a bar carry the last price, without a return.
with

grid as (

    select * from {{ ref('int_prices__gridded') }}

),

facts as (

    select * from {{ ref('int_assets__timed') }}

),

planned as (

    select * from {{ ref('int_assets__planned') }}

),

based as (

    select
        grid.*,
        planned.source,
        coalesce(facts.price_basis, if(grid.close_usd is null, 'accumulating', 'as_traded')) as price_basis
    from grid
    inner join planned on grid.asset_id = planned.asset_id
    left join facts
        on
            grid.asset_id = facts.asset_id
            and grid.session_no >= facts.session_from
            and grid.session_no < facts.session_until
    -- rows before their vintage begins are lookback, known only later
    where grid.session_no >= grid.vintage_session

)

select
    as_of_date,
    session_no,
    asset_id,
    if(
        price_basis = 'accumulating',
        coalesce(adjusted_close_usd, close_usd),
        coalesce(close_usd, adjusted_close_usd)
    ) as price_usd,
    price_date,
    total_return_log,
    dollar_volume_usd,
    sessions_since_bar,
    sessions_since_bar >= {{ var('stale_after_sessions') }} as is_stale,
    price_basis,
    source,
    known_at
from based
