{{ config(
    materialized='session_incremental', replaced='assets_and_dates', on_schema_change='fail',
    partitioned_by='year(as_of_date)'
) }}
-- The feature store: 50 columns per asset and session, point in time. What each column means stands in
-- ml/features/catalog.py; README.md beside this file says how to add one.
{% set window = build_window() %}
{% set grid_columns %}
        grid.asset_id, grid.vintage_session, grid.session_no, grid.as_of_date, grid.first_price_date,
        grid.last_ex_dividend_date, grid.sessions_since_bar, grid.known_at, grid.close_usd, grid.dollar_volume_usd,
        grid.total_return_log, grid.spread_ratio, grid.dividend_index, grid.total_index_log, grid.price_index_log,
        grid.volatility_21d_ann, grid.drawdown_252d_ratio
{% endset %}
{% set asset_classes = [
    'equity', 'equity_etf', 'bond_etf', 'reit', 'commodity', 'currency', 'crypto', 'cash',
] %}
{% set sectors = [
    'Energy', 'Materials', 'Industrials', 'Consumer Discretionary', 'Consumer Staples', 'Health Care', 'Financials',
    'Information Technology', 'Communication Services', 'Utilities', 'Real Estate',
] %}
{% set neutral_values = feature_neutral_values() %}
{% set has_market = 'n_paired >= 126 and market_ss >= 1e-12 * (n_paired - 1)' %}
{% set has_variance = 'asset_ss >= 1e-12 * (n_paired - 1)' %}
{% set unexplained = '(asset_ss - cross_ss * cross_ss / market_ss)' %}
-- depends_on: {{ ref('stg_market__sessions') }}
with

planned as (

    select * from {{ ref('int_assets__planned') }}

),

-- Rebuilt assets whole; extended ones with the 252 sessions that their windows look back on.
grid as not materialized (

    {% if window.base_session == 0 %}
    select {{ grid_columns }}, 0 as built_session
    from {{ ref('int_prices__gridded') }} as grid
    {% else %}
    select {{ grid_columns }}, {{ window.base_session }} as built_session
    from {{ ref('int_prices__gridded') }} as grid
    inner join planned on grid.asset_id = planned.asset_id and not planned.needs_rebuild
    where grid.session_no > {{ window.base_session - 252 }}
    {% if window.n_rebuilt > 0 %}
    union all
    select {{ grid_columns }}, 0 as built_session
    from {{ ref('int_prices__gridded') }} as grid
    inner join planned on grid.asset_id = planned.asset_id and planned.needs_rebuild
    {% endif %}
    {% endif %}

),

paired as not materialized (

    select
        grid.*,
        if(market.market_return_log is null, null, grid.total_return_log) as paired_return_log,
        market.market_return_log,
        if(market.market_return_log < 0, grid.total_return_log, null) as downside_return_log,
        if(grid.total_return_log < 0, grid.total_return_log * grid.total_return_log, 0 * grid.total_return_log)
            as downside_square,
        if(
            grid.dollar_volume_usd > 0, abs(exp(grid.total_return_log) - 1) / grid.dollar_volume_usd, null
        ) as illiquidity
    from grid
    left join {{ ref('int_market__returned') }} as market
        on
            grid.session_no = market.session_no
            and grid.vintage_session >= market.vintage_from
            and grid.vintage_session < market.vintage_until

),

windowed as not materialized (

    select
        asset_id,
        session_no,
        as_of_date,
        known_at,
        close_usd,
        first_price_date,
        last_ex_dividend_date,
        volatility_21d_ann,
        session_no >= vintage_session and session_no > built_session and sessions_since_bar
        < {{ var('stale_after_sessions') }} as is_served,
        {{ observed('avg(dollar_volume_usd) over w63', 'count(dollar_volume_usd) over w63', 21) }} as dollar_volume_63d,
        {{ observed('avg(illiquidity) over w63', 'count(illiquidity) over w63', 21) }} as amihud_63d,
        {{ observed('avg(spread_ratio) over w21', 'count(spread_ratio) over w21', 10) }} as spread_21d,
        {{ observed('stddev_samp(total_return_log) over w63', 'count(total_return_log) over w63', 42) }} as sd_63d,
        {{ observed('stddev_samp(total_return_log) over w252', 'count(total_return_log) over w252', 126) }} as sd_252d,
        {{ observed('avg(downside_square) over w63', 'count(total_return_log) over w63', 42) }} as downside_square_63d,
        {{ observed('max(drawdown_252d_ratio) over w252', 'count(total_return_log) over w252', 126) }}
            as max_drawdown_252d,
        {{ observed('stddev_samp(total_return_log) over w126', 'count(total_return_log) over w126', 84) }} as sd_126d,
        skewness(total_return_log) over w126 as skewness_126d,
        kurtosis(total_return_log) over w126 as kurtosis_126d,
        {{ observed('stddev_samp(volatility_21d_ann) over w63', 'count(volatility_21d_ann) over w63', 42) }}
            as volatility_sd_63d,
        avg(volatility_21d_ann) over w63 as volatility_mean_63d,
        total_index_log - lag(total_index_log, 5) over sessions as return_5d,
        total_index_log - lag(total_index_log, 21) over sessions as return_21d,
        total_index_log - lag(total_index_log, 63) over sessions as return_63d,
        total_index_log - lag(total_index_log, 126) over sessions as return_126d,
        lag(total_index_log, 21) over sessions - lag(total_index_log, 252) over sessions as return_252d_ex_21d,
        {{ observed('price_index_log - max(price_index_log) over w252', 'count(total_return_log) over w252', 126) }}
            as below_high_252d,
        price_index_log - max(price_index_log) over month as below_high_31d,
        (regr_count(paired_return_log, market_return_log) over w252)::integer as n_paired,
        regr_sxx(paired_return_log, market_return_log) over w252 as market_ss,
        regr_syy(paired_return_log, market_return_log) over w252 as asset_ss,
        regr_sxy(paired_return_log, market_return_log) over w252 as cross_ss,
        (regr_count(downside_return_log, market_return_log) over w252)::integer as n_downside,
        regr_sxx(downside_return_log, market_return_log) over w252 as downside_market_ss,
        regr_sxy(downside_return_log, market_return_log) over w252 as downside_cross_ss,
        coalesce(sum(dividend_index) over w252, 0) / exp(price_index_log) as dividend_yield_ttm
    from paired
    window
        sessions as (partition by asset_id, vintage_session order by as_of_date),
        w21 as (
            partition by asset_id, vintage_session order by as_of_date rows between 20 preceding and current row
        ),
        w63 as (
            partition by asset_id, vintage_session order by as_of_date rows between 62 preceding and current row
        ),
        w126 as (
            partition by asset_id, vintage_session order by as_of_date rows between 125 preceding and current row
        ),
        w252 as (
            partition by asset_id, vintage_session order by as_of_date rows between 251 preceding and current row
        ),
        month as (
            partition by asset_id, vintage_session order by as_of_date
            range between interval 30 days preceding and current row
        )

),

described as not materialized (

    select
        windowed.*,
        facts.asset_class is null as is_unknown,
        coalesce(facts.asset_class, 'equity') as asset_class,
        facts.sector,
        coalesce(facts.price_basis, if(windowed.close_usd is null, 'accumulating', 'as_traded'))
            = 'accumulating' as is_accumulating,
        if(facts.shares_outstanding > 0, facts.shares_outstanding, null) * windowed.close_usd as market_cap_usd,
        facts.qualified_dividend_ratio,
        facts.expense_ratio_pct,
        facts.duration_years,
        facts.listed_date,
        facts.known_at as facts_known_at
    from windowed
    left join {{ ref('int_assets__timed') }} as facts
        on
            windowed.asset_id = facts.asset_id
            and windowed.session_no >= facts.session_from
            and (facts.session_until is null or windowed.session_no < facts.session_until)
    where windowed.is_served

),

-- Null where an input is missing. `if(x < y, y, x)` and not greatest(x, y), which would ignore a null x.
measured as not materialized (

    select
        as_of_date,
        asset_id,
        greatest(known_at, facts_known_at) as known_at,
        is_unknown,
        asset_class,
        sector,
        ln(market_cap_usd) as liquidity__market_cap_log_usd,
        ln(if(dollar_volume_63d < 1, 1, dollar_volume_63d)) as liquidity__dollar_volume_63d_log_usd,
        dollar_volume_63d / market_cap_usd as liquidity__turnover_63d_ratio,
        ln(if(amihud_63d < 1e-16, 1e-16, amihud_63d)) as liquidity__amihud_63d_log,
        spread_21d as liquidity__corwin_schultz_spread_21d_ratio,
        volatility_21d_ann as risk__volatility_21d_ann,
        sd_63d * sqrt(252) as risk__volatility_63d_ann,
        sd_252d * sqrt(252) as risk__volatility_252d_ann,
        sqrt(downside_square_63d * 252) as risk__downside_deviation_63d_ann,
        max_drawdown_252d as risk__max_drawdown_252d_ratio,
        if(sd_126d >= 1e-6, skewness_126d, null) as risk__skewness_126d,
        if(sd_126d >= 1e-6, kurtosis_126d, null) as risk__excess_kurtosis_126d,
        if(volatility_mean_63d >= 1e-5, volatility_sd_63d / volatility_mean_63d, null) as risk__vol_of_vol_63d_ratio,
        return_5d as momentum__return_5d_log,
        return_21d as momentum__return_21d_log,
        return_63d as momentum__return_63d_log,
        return_126d as momentum__return_126d_log,
        return_252d_ex_21d as momentum__return_252d_ex_21d_log,
        exp(below_high_252d) - 1 as momentum__distance_to_52w_high_ratio,
        if({{ has_market }}, cross_ss / market_ss, null) as comovement__beta_252d,
        if(
            n_downside >= 42 and downside_market_ss >= 1e-12 * (n_downside - 1),
            downside_cross_ss / downside_market_ss,
            null
        ) as comovement__downside_beta_252d,
        if({{ has_market }} and {{ has_variance }}, cross_ss / sqrt(market_ss * asset_ss), null)
            as comovement__market_correlation_252d,
        if(
            {{ has_market }} and {{ has_variance }},
            if(
                {{ unexplained }} < 1e-12 * asset_ss,
                0,
                sqrt({{ unexplained }} / (n_paired - 2) * 252)
            ),
            null
        ) as comovement__idiosyncratic_volatility_252d_ann,
        if(is_accumulating, null, 100 * dividend_yield_ttm) as income__dividend_yield_ttm_pct,
        if(asset_class in ('commodity', 'currency', 'crypto', 'cash'), 0, qualified_dividend_ratio)
            as income__qualified_dividend_ratio,
        if(asset_class in ('equity_etf', 'bond_etf'), expense_ratio_pct, coalesce(expense_ratio_pct, 0))
            as income__expense_ratio_pct,
        if(asset_class = 'bond_etf', duration_years, coalesce(duration_years, 0)) as income__duration_years,
        ln(1 + greatest(as_of_date - coalesce(listed_date, first_price_date), 0) / 365.25)
            as lifecycle__listed_age_log_years,
        if(is_accumulating, null, least(as_of_date - last_ex_dividend_date, 400)::double)
            as lifecycle__days_since_ex_dividend,
        1 - exp(below_high_31d) as lifecycle__harvestable_drawdown_31d_ratio
    from described

)

select
    as_of_date,
    asset_id,
    known_at,
    {% for value in asset_classes -%}
    {{ flag("asset_class = '" ~ value ~ "'") }} as class__{{ value }},
    {% endfor -%}
    {% for value in sectors -%}
    {{ flag("sector = '" ~ value ~ "'") }} as sector__{{ value | lower | replace(' ', '_') }},
    {% endfor -%}
    {% for column, value in neutral_values.items() -%}
    {{ neutral(column, value) }} as {{ column }},
    {% endfor -%}
    round(
        (
            if(is_unknown, {{ asset_classes | length }}, 0)
            + if(
                is_unknown or (sector is null and asset_class in ('equity', 'reit')), {{ sectors | length }}, 0
            )
            {% for column in neutral_values -%}
            + ({{ column }} is null)::integer
            {% endfor -%}
        ) / 49.0::double,
        10
    ) as lifecycle__imputed_share_ratio
from measured
