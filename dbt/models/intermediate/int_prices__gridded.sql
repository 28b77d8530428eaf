{{ config(
    materialized='session_incremental', replaced='assets_and_sessions', on_schema_change='fail',
    partitioned_by='year(as_of_date)'
) }}
-- One row per asset and NYSE session from the asset's first bar to the night: the latest bar known at that session's
-- close. A bar stands on the first session at whose close it was known. A late row (a correction, back-filled history)
-- is seen from the session on at which it was known, no earlier: it starts a new vintage of the asset, whose rows are
-- computed over the bars valid then and count from that session on (session_no >= vintage_session; rows before it are
-- its lookback). Assets without late rows have the one vintage 0.
{% set window = build_window() %}
{% set is_extending = window.base_session > 0 %}
-- depends_on: {{ ref('int_assets__planned') }}
with

sessions as (

    select * from {{ ref('stg_market__sessions') }}

),

bars as not materialized (

    select
        bars.asset_id,
        0 as vintage_session,
        {{ window.as_of_session }} as last_session,
        sessions.session_no,
        false as is_seed,
        bars.trade_date as price_date,
        bars.trade_date as first_price_date,
        bars.known_at,
        {{ bar_columns('bars') }},
        null::double as total_index_log,
        null::double as price_index_log,
        null::date as last_ex_dividend_date
    from {{ ref('stg_market__daily_bars') }} as bars
    inner join {{ ref('int_assets__planned') }} as planned
        on
            bars.asset_id = planned.asset_id
            and bars.source = planned.source
            and planned.needs_rebuild
            and not planned.is_irregular
    inner join sessions on bars.trade_date = sessions.session_date
    where
        bars.known_at <= timestamptz '{{ window.as_of_at }}'
        and {{ has_price() }}
        {% if window.n_rebuilt == window.n_irregular %}and false{% endif %}
    union all by name
    select * from {{ ref('int_bars__placed') }}

),

neighbours as not materialized (

    select
        *,
        lag(session_no) over bars_in_order as previous_session_no,
        -- where corporate actions land: never on a seed or a first bar, so that the join below is of keys alone
        if(previous_session_no is null or is_seed, null, session_no) as action_session_no,
        lag(close_usd) over bars_in_order as previous_close_usd,
        lag(adjusted_close_usd) over bars_in_order as previous_adjusted_close_usd,
        lag(high_usd) over bars_in_order as previous_high_usd,
        lag(low_usd) over bars_in_order as previous_low_usd,
        lead(session_no) over bars_in_order as next_session_no
    from bars
    window bars_in_order as (partition by asset_id, vintage_session order by session_no)

),

-- Total return by adjusted closes where both bars have one, else by closes with splits and cash.
returned as not materialized (

    select
        bars.*,
        case
            when bars.is_seed then null
            when bars.adjusted_close_usd is not null and bars.previous_adjusted_close_usd is not null
                then ln(bars.adjusted_close_usd / bars.previous_adjusted_close_usd)
            else
                ln(
                    (bars.close_usd + coalesce(landed.cash_usd, 0)) * coalesce(landed.split_factor, 1)
                    / bars.previous_close_usd
                )
        end as total_return_log,
        coalesce(ln(1 + landed.cash_usd / bars.close_usd), 0) as cash_return_log,
        landed.dividend_usd / bars.close_usd as dividend_ratio,
        landed.ex_dividend_date
    from neighbours as bars
    left join {{ ref('int_corporate_actions__landed') }} as landed
        on
            bars.asset_id = landed.asset_id
            and bars.vintage_session = landed.vintage_session
            and bars.action_session_no = landed.session_no

),

-- For the high-low spread the day before is brought to today's share count and ex-cash level (close ratio over total
-- return), and an overnight move that neither day traded shifts today's range back.
compared as not materialized (

    select
        *,
        if(session_no - previous_session_no = 1, close_usd / previous_close_usd / exp(total_return_log), null)
            as previous_scale,
        greatest(previous_close_usd * previous_scale - high_usd, 0)
        - greatest(low_usd - previous_close_usd * previous_scale, 0) as overnight_usd,
        if(
            previous_scale is null,
            null,
            pow(ln((high_usd + overnight_usd) / (low_usd + overnight_usd)), 2)
            + pow(ln(previous_high_usd / previous_low_usd), 2)
        ) as range_beta,
        pow(
            ln(
                greatest(high_usd + overnight_usd, previous_high_usd * previous_scale)
                / least(low_usd + overnight_usd, previous_low_usd * previous_scale)
            ),
            2
        ) as range_gamma
    from returned

),

indexed as not materialized (

    select
        asset_id,
        vintage_session,
        last_session,
        session_no,
        next_session_no,
        is_seed,
        price_date,
        high_usd,
        low_usd,
        close_usd,
        adjusted_close_usd,
        dollar_volume_usd,
        total_return_log,
        dividend_ratio,
        {{ corwin_schultz_spread('range_beta', 'range_gamma') }} as spread_ratio,
        min(first_price_date) over so_far as first_price_date,
        max(known_at) over so_far as known_at,
        max(coalesce(ex_dividend_date, last_ex_dividend_date)) over so_far as last_ex_dividend_date,
        sum(coalesce(total_index_log, total_return_log, 0)) over so_far as total_index_log,
        sum(coalesce(price_index_log, total_return_log - cash_return_log, 0)) over so_far as price_index_log
    from compared
    window so_far as (
        partition by asset_id, vintage_session order by session_no rows between unbounded preceding and current row
    )

),

-- Sessions without a bar carry the last one: values of the bar's day alone (return, volume, spread, dividend) do not.
dense as not materialized (

    select
        indexed.* exclude (session_no, total_return_log, dollar_volume_usd, spread_ratio, dividend_ratio),
        indexed.session_no as bar_session_no,
        unnest(range(
            {% if is_extending %}
            if(is_seed, greatest(session_no, {{ window.base_session + 1 }}), session_no)
            {% else %}
            session_no
            {% endif %},
            least(coalesce(next_session_no - 1, last_session), last_session) + 1
        ))::integer as session_no,
        total_return_log as bar_total_return_log,
        dollar_volume_usd as bar_dollar_volume_usd,
        spread_ratio as bar_spread_ratio,
        dividend_ratio * exp(price_index_log) as bar_dividend_index
    from indexed

),

gridded as not materialized (

    select
        asset_id,
        vintage_session,
        session_no,
        price_date,
        first_price_date,
        last_ex_dividend_date,
        session_no - bar_session_no as sessions_since_bar,
        known_at,
        high_usd,
        low_usd,
        close_usd,
        adjusted_close_usd,
        if(session_no = bar_session_no, bar_dollar_volume_usd, null) as dollar_volume_usd,
        if(session_no = bar_session_no, bar_total_return_log, null) as total_return_log,
        if(session_no = bar_session_no, bar_spread_ratio, null) as spread_ratio,
        if(session_no = bar_session_no, bar_dividend_index, null) as dividend_index,
        total_index_log,
        price_index_log
    from dense
    where session_no >= vintage_session - {{ var('vintage_lookback_sessions') }}
    {% if is_extending %}
    union all by name
    select
        grid.asset_id,
        grid.vintage_session,
        grid.session_no,
        grid.total_return_log,
        grid.total_index_log
    from {{ this }} as grid
    inner join {{ ref('int_bars__placed') }} as seeds
        on grid.asset_id = seeds.asset_id and grid.vintage_session = seeds.vintage_session and seeds.is_seed
    where grid.session_no > {{ window.base_session - 252 }} and grid.session_no <= {{ window.base_session }}
    {% endif %}

),

looked_back as not materialized (

    select
        *,
        if(
            count(total_return_log) over month >= 15, stddev_samp(total_return_log) over month * sqrt(252), null
        ) as volatility_21d_ann,
        1 - exp(total_index_log - max(total_index_log) over year) as drawdown_252d_ratio
    from gridded
    window
        month as (
            partition by asset_id, vintage_session order by session_no rows between 20 preceding and current row
        ),
        year as (
            partition by asset_id, vintage_session order by session_no rows between 251 preceding and current row
        )

)

select
    looked_back.asset_id,
    looked_back.vintage_session,
    looked_back.session_no,
    sessions.session_date as as_of_date,
    looked_back.price_date,
    looked_back.first_price_date,
    looked_back.last_ex_dividend_date,
    looked_back.sessions_since_bar,
    looked_back.known_at,
    looked_back.high_usd,
    looked_back.low_usd,
    looked_back.close_usd,
    looked_back.adjusted_close_usd,
    looked_back.dollar_volume_usd,
    looked_back.total_return_log,
    looked_back.spread_ratio,
    looked_back.dividend_index,
    looked_back.total_index_log,
    looked_back.price_index_log,
    looked_back.volatility_21d_ann,
    looked_back.drawdown_252d_ratio
from looked_back
inner join sessions on looked_back.session_no = sessions.session_no
{% if is_extending %}
-- rows of the stored history have no price date: they only fed the windows
where looked_back.price_date is not null
{% endif %}
