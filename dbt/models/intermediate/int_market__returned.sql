{{ config(materialized='session_incremental', replaced='sessions', on_schema_change='fail') }}
-- The market's log return by session, for vintages of assets from vintage_from until before vintage_until: the market
-- asset's own return in the vintage known then; on sessions before its first bar the mean return of the equities, as
-- first known at that session's close (an exact decimal mean, so the order of rows does not matter).
{% set window = build_window() %}
{% set market = var('market_asset_id') %}
-- depends_on: {{ ref('int_assets__planned') }}, {{ ref('stg_market__sessions') }}
with

grid as not materialized (

    select * from {{ ref('int_prices__gridded') }}

),

market as (

    select
        vintage_session as vintage_from,
        session_no,
        total_return_log
    from grid
    where asset_id = '{{ market }}'

),

vintages as (

    select
        vintage_from,
        lead(vintage_from, 1, {{ forever() }}) over (order by vintage_from) as vintage_until
    from (select distinct vintage_from from market)

),

starts as (

    select coalesce(min(session_no) filter (session_no >= vintage_from), {{ forever() }}) as first_session from market

),

equities as (

    select
        grid.session_no,
        (sum(grid.total_return_log::decimal(18, 15)) / count(*)::double)::double as market_return_log
    from grid
    inner join starts on grid.session_no < starts.first_session
    left join {{ ref('int_assets__timed') }} as facts
        on
            grid.asset_id = facts.asset_id
            and grid.session_no >= facts.session_from
            and grid.session_no < facts.session_until
    where
        grid.session_no > {{ window.base_session }}
        and grid.session_no >= grid.vintage_session
        and coalesce(facts.asset_class, 'equity') = 'equity'
        and grid.total_return_log is not null
    group by grid.session_no

)

select
    market.session_no,
    vintages.vintage_from,
    vintages.vintage_until,
    market.total_return_log as market_return_log
from market
inner join vintages on market.vintage_from = vintages.vintage_from
where market.session_no > {{ window.base_session }}
union all by name
select
    equities.session_no,
    0 as vintage_from,
    coalesce(min(market.vintage_from), {{ forever() }}) as vintage_until,
    equities.market_return_log
from equities
left join market on equities.session_no = market.session_no
group by equities.session_no, equities.market_return_log
