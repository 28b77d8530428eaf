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
{% set has_market = 'n_pairs >= 126 and market_ss >= 1e-12 * (n_pairs - 1)' %}
{% set has_variance = 'asset_ss >= 1e-12 * (n_pairs - 1)' %}
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
        {{ date_number('grid.as_of_date') }} as as_of_day,
        grid.total_return_log as r,
        if(market.market_return_log is null, null, grid.total_return_log) as pair_r,
        if(grid.total_return_log is null, null, market.market_return_log) as pair_m,
        if(pair_m < 0, pair_r, null) as down_r,
        if(pair_m < 0, pair_m, null) as down_m,
        if(r < 0, r * r, 0 * r) as downside_square,
        if(grid.dollar_volume_usd > 0, abs(exp(r) - 1) / grid.dollar_volume_usd, null) as illiquidity
    from grid
    left join {{ ref('int_market__returned') }} as market
        on
            grid.session_no = market.session_no
            and grid.vintage_session >= market.vintage_from
            and grid.vintage_session < market.vintage_until

),

-- Window sums and counts; what they mean is computed from them below. Sums of powers are cheaper than the moment
-- aggregates and as exact here, since returns are small against their deviation (the null rules exclude the rest).
windowed as not materialized (

    select
        asset_id,
        session_no,
        as_of_date,
        known_at,
        close_usd,
        first_price_date,
        last_ex_dividend_date,
        price_index_log,
        volatility_21d_ann,
        session_no >= vintage_session
        and session_no > built_session
        and sessions_since_bar < {{ var('stale_after_sessions') }} as is_served,
        avg(dollar_volume_usd) over w63 as dollar_volume_63d,
        count(dollar_volume_usd) over w63 as n_volumes_63d,
        avg(illiquidity) over w63 as amihud_63d,
        count(illiquidity) over w63 as n_illiquidity_63d,
        avg(spread_ratio) over w21 as spread_21d,
        count(spread_ratio) over w21 as n_spreads_21d,
        count(r) over w63 as n_63d,
        stddev_samp(r) over w63 as sd_63d,
        sum(downside_square) over w63 as downside_ss_63d,
        count(r) over w126 as n_126d,
        sum(r) over w126 as r1_126d,
        sum(r * r) over w126 as r2_126d,
        sum(r * r * r) over w126 as r3_126d,
        sum(r * r * r * r) over w126 as r4_126d,
        count(r) over w252 as n_252d,
        stddev_samp(r) over w252 as sd_252d,
        max(drawdown_252d_ratio) over w252 as max_drawdown_252d,
        count(volatility_21d_ann) over w63 as n_volatilities_63d,
        avg(volatility_21d_ann) over w63 as volatility_mean_63d,
        stddev_samp(volatility_21d_ann) over w63 as volatility_sd_63d,
        total_index_log - lag(total_index_log, 5) over sessions as return_5d,
        total_index_log - lag(total_index_log, 21) over sessions as return_21d,
        total_index_log - lag(total_index_log, 63) over sessions as return_63d,
        total_index_log - lag(total_index_log, 126) over sessions as return_126d,
        lag(total_index_log, 21) over sessions - lag(total_index_log, 252) over sessions as return_252d_ex_21d,
        price_index_log - max(price_index_log) over w252 as below_high_252d,
        price_index_log - max(price_index_log) over month as below_high_31d,
        count(pair_m) over w252 as n_pairs,
        sum(pair_m) over w252 as m1,
        sum(pair_m * pair_m) over w252 as m2,
        sum(pair_r) over w252 as r1,
        sum(pair_r * pair_r) over w252 as r2,
        sum(pair_r * pair_m) over w252 as rm,
        count(down_m) over w252 as n_down,
        sum(down_m) over w252 as down_m1,
        sum(down_m * down_m) over w252 as down_m2,
        sum(down_r) over w252 as down_r1,
        sum(down_r * down_m) over w252 as down_rm,
        sum(dividend_index) over w252 as dividends_252d
    from paired
    window
        sessions as (partition by asset_id, vintage_session order by as_of_day),
        w21 as (
            partition by asset_id, vintage_session order by as_of_day rows between 20 preceding and current row
        ),
        w63 as (
            partition by asset_id, vintage_session order by as_of_day rows between 62 preceding and current row
        ),
        w126 as (
            partition by asset_id, vintage_session order by as_of_day rows between 125 preceding and current row
        ),
        w252 as (
            partition by asset_id, vintage_session order by as_of_day rows between 251 preceding and current row
        ),
        month as (
            partition by asset_id, vintage_session order by as_of_day
            range between 30 preceding and current row
        )

),

described as not materialized (

    select
        windowed.*,
        m2 - m1 * m1 / n_pairs as market_ss,
        r2 - r1 * r1 / n_pairs as asset_ss,
        rm - r1 * m1 / n_pairs as cross_ss,
        down_m2 - down_m1 * down_m1 / n_down as down_market_ss,
        down_rm - down_r1 * down_m1 / n_down as down_cross_ss,
        r1_126d / n_126d as mean_126d,
        r2_126d / n_126d - mean_126d * mean_126d as moment2,
        r3_126d / n_126d - 3 * mean_126d * r2_126d / n_126d + 2 * pow(mean_126d, 3) as moment3,
        r4_126d / n_126d - 4 * mean_126d * r3_126d / n_126d + 6 * pow(mean_126d, 2) * r2_126d / n_126d
        - 3 * pow(mean_126d, 4) as moment4,
        n_126d >= 84 and moment2 >= 1e-12 and moment2 >= 4e-4 * mean_126d * mean_126d as has_shape,
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
            and windowed.session_no < facts.session_until
    where windowed.is_served

),

-- Null where an input is missing. greatest(x, y) ignores a null x: it stands only behind a count of its observations.
measured as not materialized (

    select
        as_of_date,
        asset_id,
        greatest(known_at, facts_known_at) as known_at,
        is_unknown,
        asset_class,
        sector,
        ln(market_cap_usd) as liquidity__market_cap_log_usd,
        if(n_volumes_63d >= 21, ln(greatest(dollar_volume_63d, 1)), null) as liquidity__dollar_volume_63d_log_usd,
        if(n_volumes_63d >= 21, dollar_volume_63d / market_cap_usd, null) as liquidity__turnover_63d_ratio,
        if(n_illiquidity_63d >= 21, ln(greatest(amihud_63d, 1e-16)), null) as liquidity__amihud_63d_log,
        if(n_spreads_21d >= 10, spread_21d, null) as liquidity__corwin_schultz_spread_21d_ratio,
        volatility_21d_ann as risk__volatility_21d_ann,
        if(n_63d >= 42, sd_63d * sqrt(252), null) as risk__volatility_63d_ann,
        if(n_252d >= 126, sd_252d * sqrt(252), null) as risk__volatility_252d_ann,
        if(n_63d >= 42, sqrt(downside_ss_63d / n_63d * 252), null) as risk__downside_deviation_63d_ann,
        if(n_252d >= 126, max_drawdown_252d, null) as risk__max_drawdown_252d_ratio,
        if(
            has_shape,
            sqrt(n_126d * (n_126d - 1)) / (n_126d - 2) * moment3 / pow(moment2, 1.5),
            null
        ) as risk__skewness_126d,
        if(
            has_shape,
            (n_126d - 1) / ((n_126d - 2) * (n_126d - 3))
            * ((n_126d + 1) * (moment4 / (moment2 * moment2) - 3) + 6),
            null
        ) as risk__excess_kurtosis_126d,
        if(
            n_volatilities_63d >= 42 and volatility_mean_63d >= 1e-5,
            volatility_sd_63d / volatility_mean_63d,
            null
        ) as risk__vol_of_vol_63d_ratio,
        return_5d as momentum__return_5d_log,
        return_21d as momentum__return_21d_log,
        return_63d as momentum__return_63d_log,
        return_126d as momentum__return_126d_log,
        return_252d_ex_21d as momentum__return_252d_ex_21d_log,
        if(n_252d >= 126, exp(below_high_252d) - 1, null) as momentum__distance_to_52w_high_ratio,
        if({{ has_market }}, cross_ss / market_ss, null) as comovement__beta_252d,
        if(
            n_down >= 42 and down_market_ss >= 1e-12 * (n_down - 1),
            down_cross_ss / down_market_ss,
            null
        ) as comovement__downside_beta_252d,
        if({{ has_market }} and {{ has_variance }}, cross_ss / sqrt(market_ss * asset_ss), null)
            as comovement__market_correlation_252d,
        if(
            {{ has_market }} and {{ has_variance }},
            if(
                {{ unexplained }} < 1e-12 * asset_ss,
                0,
                sqrt({{ unexplained }} / (n_pairs - 2) * 252)
            ),
            null
        ) as comovement__idiosyncratic_volatility_252d_ann,
        if(is_accumulating, null, 100 * coalesce(dividends_252d, 0) / exp(price_index_log)) as income__dividend_yield_ttm_pct,
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
