-- What corporate actions do to the price of the bar on which they land: the first bar on or after the ex-date, in each
-- vintage the version known then. Split factor: new shares for an old one, a spin-off counted as a reinvested
-- distribution of the basis that moves. Cash per share held before a split of the same bar.
{% set window = build_window() %}
-- depends_on: {{ ref('int_assets__planned') }}, {{ ref('stg_market__sessions') }}
with

actions as (

    select
        *,
        case
            when kind in ('split', 'stock_dividend') and ratio_new > 0 and ratio_old > 0
                then ratio_new::double / ratio_old::double
            when kind = 'spin_off' and basis_fraction > 0 and basis_fraction < 1
                then 1 / (1 - basis_fraction::double)
            else 1
        end as split_factor,
        if(
            kind in ('dividend', 'capital_gain_distribution', 'return_of_capital') and cash_per_share_usd > 0,
            cash_per_share_usd,
            null
        ) as cash_usd
    from {{ ref('int_corporate_actions__superseded') }}

),

-- Sessions with a bar, of the plain rebuilt assets that have actions at all.
regular_bars as (

    select
        bars.asset_id,
        0 as vintage_session,
        trade_days.session_on_or_after as session_no
    from {{ ref('stg_market__daily_bars') }} as bars
    inner join {{ ref('int_assets__planned') }} as planned
        on
            bars.asset_id = planned.asset_id
            and bars.source = planned.source
            and planned.needs_rebuild
            and not planned.is_irregular
    inner join {{ ref('int_sessions__calendared') }} as trade_days on bars.trade_date = trade_days.calendar_date
    where
        bars.asset_id in (select asset_id from actions)
        and bars.known_at <= timestamptz '{{ window.as_of_at }}'
        and {{ has_price() }}

),

bars as (

    select asset_id, vintage_session, session_no from regular_bars
    union all
    select asset_id, vintage_session, session_no
    from {{ ref('int_bars__placed') }}
    where asset_id in (select asset_id from actions)

),

effective as (

    select
        vintages.vintage_session,
        actions.*
    from (select distinct asset_id, vintage_session from bars) as vintages
    inner join actions
        on
            vintages.asset_id = actions.asset_id
            and actions.known_session <= greatest(actions.ex_session, vintages.vintage_session)
            and actions.superseded_session > greatest(actions.ex_session, vintages.vintage_session)
    where actions.split_factor <> 1 or actions.cash_usd is not null

),

landed as (

    select
        effective.*,
        min(bars.session_no) as session_no
    from effective
    inner join bars
        on
            effective.asset_id = bars.asset_id
            and effective.vintage_session = bars.vintage_session
            and effective.ex_session <= bars.session_no
    group by all

)

select
    asset_id,
    vintage_session,
    session_no,
    product(split_factor order by ex_date, kind) as split_factor,
    coalesce(sum(cash_usd), 0)::double as cash_usd,
    coalesce(sum(cash_usd) filter (kind = 'dividend'), 0)::double as dividend_usd,
    max(ex_date) filter (kind = 'dividend') as ex_dividend_date
from landed
group by asset_id, vintage_session, session_no
order by asset_id, vintage_session, session_no
