{#- Identity of the feature definitions: the first 16 digits of ml.features.catalog.catalog_hash() (held by a test). A
    change of it rebuilds the feature chain. -#}
{% macro feature_version() %}{{ return('b9c40ab32844cd16') }}{% endmacro %}

{#- What stands in for a missing input, by column in catalog order (held against the catalog by a test). Flags and
    lifecycle__imputed_share_ratio are computed apart. -#}
{% macro feature_neutral_values() %}
    {{ return({
        'liquidity__market_cap_log_usd': 20.7,
        'liquidity__dollar_volume_63d_log_usd': 16.1,
        'liquidity__turnover_63d_ratio': 0.005,
        'liquidity__amihud_63d_log': -20.7,
        'liquidity__corwin_schultz_spread_21d_ratio': 0.005,
        'risk__volatility_21d_ann': 0.25,
        'risk__volatility_63d_ann': 0.25,
        'risk__volatility_252d_ann': 0.25,
        'risk__downside_deviation_63d_ann': 0.18,
        'risk__max_drawdown_252d_ratio': 0.25,
        'risk__skewness_126d': 0.0,
        'risk__excess_kurtosis_126d': 3.0,
        'risk__vol_of_vol_63d_ratio': 0.3,
        'momentum__return_5d_log': 0.0,
        'momentum__return_21d_log': 0.0,
        'momentum__return_63d_log': 0.0,
        'momentum__return_126d_log': 0.0,
        'momentum__return_252d_ex_21d_log': 0.0,
        'momentum__distance_to_52w_high_ratio': -0.1,
        'comovement__beta_252d': 1.0,
        'comovement__downside_beta_252d': 1.0,
        'comovement__market_correlation_252d': 0.5,
        'comovement__idiosyncratic_volatility_252d_ann': 0.2,
        'income__dividend_yield_ttm_pct': 0.0,
        'income__qualified_dividend_ratio': 0.8,
        'income__expense_ratio_pct': 0.2,
        'income__duration_years': 6.0,
        'lifecycle__listed_age_log_years': 0.0,
        'lifecycle__days_since_ex_dividend': 400.0,
        'lifecycle__harvestable_drawdown_31d_ratio': 0.0,
    }) }}
{% endmacro %}

{#- The neutral value of a missing cell, and ten decimals: window sums differ in their last bits with the rows that the
    window was cut from. -#}
{% macro neutral(value, otherwise) -%}
    round(coalesce({{ value }}, {{ otherwise }}), 10)
{%- endmacro %}

{#- A flag of the feature store. -#}
{% macro flag(condition) -%}
    if({{ condition }}, 1.0, 0.0)::double
{%- endmacro %}
