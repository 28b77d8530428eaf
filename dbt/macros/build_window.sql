{#- What the incremental models of the feature chain need to know at compile time, so that filters are literals that
    prune files. Values come from tables, never from vars: changed vars would switch partial parsing off. -#}

{#- The night and the state that the last completed build left, as literals.
    Read outside the graph on purpose: the state is written last (int_assets__built) and planned from first. -#}
{% macro night() %}
    {% set empty = {
        'as_of_session': 0, 'as_of_at': '2999-12-31 00:00:00+00', 'price_sources': '',
        'built_session': 0, 'built_at': '1900-01-01 00:00:00+00',
    } %}
    {% set nights = ref('stg_ml__nights') %}
    {% set sessions = ref('stg_market__sessions') %}
    {% if not execute %}{{ return(empty) }}{% endif %}
    {% set state = built_state() %}
    {% set rows = run_query(
        "select nights.as_of_at::varchar, nights.price_sources, max(sessions.session_no) from " ~ nights ~ " as nights "
        ~ "left join " ~ sessions ~ " as sessions on sessions.close_at <= nights.as_of_at group by all"
    ).rows %}
    {% if rows | length != 1 or rows[0][2] is none %}
        {% do exceptions.raise_compiler_error(
            "ml.night holds " ~ rows | length ~ " rows with a known session, expected 1: write the night "
            ~ "(as_of_date, as_of_at, price_sources) and raw.market__sessions before dbt builds (`taxloom nightly` does)"
        ) %}
    {% endif %}
    {% do empty.update({'as_of_at': rows[0][0], 'price_sources': rows[0][1], 'as_of_session': rows[0][2] | int}) %}
    {% if state %}
        {% set built = run_query(
            "select built.built_session, sessions.close_at::varchar from (select max(built_session) as built_session from "
            ~ state ~ ") as built inner join " ~ sessions ~ " as sessions on built.built_session = sessions.session_no"
        ).rows %}
        {% if built | length == 1 %}
            {% do empty.update({'built_session': built[0][0] | int, 'built_at': built[0][1]}) %}
        {% endif %}
    {% endif %}
    {{ return(empty) }}
{% endmacro %}

{#- The relation of int_assets__built, if what it describes exists too (and no full refresh was asked for). -#}
{% macro built_state() %}
    {% if not execute or flags.FULL_REFRESH %}{{ return(none) }}{% endif %}
    {% for schema, name in [
        ('intermediate', 'int_prices__gridded'),
        ('intermediate', 'int_market__returned'),
        ('features', 'feat_asset_metadata__daily'),
    ] %}
        {% if adapter.get_relation(target.database, schema, name) is none %}{{ return(none) }}{% endif %}
    {% endfor %}
    {{ return(adapter.get_relation(target.database, 'intermediate', 'int_assets__built')) }}
{% endmacro %}

{#- The plan of this build (int_assets__planned) in numbers. -#}
{% macro build_window() %}
    {% set planned = ref('int_assets__planned') %}
    {% set sessions = ref('stg_market__sessions') %}
    {% set window = {
        'as_of_session': 0, 'base_session': 0, 'base_date': '1900-01-01',
        'base_at': '1900-01-01 00:00:00+00', 'as_of_at': '2999-12-31 00:00:00+00',
        'n_rebuilt': 1, 'n_irregular': 1, 'n_gone': 0,
    } %}
    {% if not execute %}{{ return(window) }}{% endif %}
    {% set row = run_query(
        "select coalesce(max(as_of_session), 0), coalesce(max(base_session), 0), "
        ~ "count(*) filter (where needs_rebuild), count(*) filter (where needs_rebuild and is_irregular), "
        ~ "coalesce(max(n_gone), 0) from " ~ planned
    ).rows[0] %}
    {% do window.update({
        'as_of_session': row[0] | int, 'base_session': row[1] | int,
        'n_rebuilt': row[2] | int, 'n_irregular': row[3] | int, 'n_gone': row[4] | int,
    }) %}
    {% if flags.FULL_REFRESH and window.base_session > 0 %}
        {% do exceptions.raise_compiler_error(
            "--full-refresh of a part of the feature chain: the plan was made for an increment; select "
            ~ "int_assets__planned+ so that all of it is built again"
        ) %}
    {% endif %}
    {% for session in run_query(
        "select session_no, session_date::varchar, close_at::varchar from " ~ sessions
        ~ " where session_no in (" ~ window.as_of_session ~ ", " ~ window.base_session ~ ")"
    ).rows %}
        {% if session[0] == window.as_of_session %}{% do window.update({'as_of_at': session[2]}) %}{% endif %}
        {% if session[0] == window.base_session %}
            {% do window.update({'base_date': session[1], 'base_at': session[2]}) %}
        {% endif %}
    {% endfor %}
    {{ return(window) }}
{% endmacro %}

{#- Rows of an asset-and-session model that this build wrote. -#}
{% macro built_rows() %}
    {%- set window = build_window() -%}
    (
        as_of_date > date '{{ window.base_date }}'
        {%- if window.base_session > 0 and window.n_rebuilt > 0 %}
        or asset_id in (select asset_id from {{ ref('int_assets__planned') }} where needs_rebuild)
        {%- endif %}
    )
{%- endmacro %}
