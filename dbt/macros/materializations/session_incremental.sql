{#- Incremental tables of the feature chain: in one transaction delete what this build replaces and insert the model's
    rows straight into the table, with no temporary copy (a rebuild may be larger than memory). What is replaced follows
    from the plan (build_window): rows after the base session, and every row of assets that are rebuilt or gone.

    Config: replaced = assets_and_sessions | sessions | assets_and_dates; partitioned_by (SQL expression, optional). -#}
{% materialization session_incremental, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- if existing is not none and not existing.is_table -%}
        {% do exceptions.raise_compiler_error(this ~ " exists as a " ~ existing.type ~ ": drop it, then build again") %}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    {%- set is_new = existing is none or should_full_refresh() -%}
    {%- if not is_new -%}
        {% do assert_same_columns(existing, sql) %}
    {%- endif -%}

    {% call statement('main', auto_begin=True) %}
        {% if is_new %}
        create or replace table {{ target_relation }} as select * from ({{ sql }}) limit 0;
        {% if config.get('partitioned_by') %}
        alter table {{ target_relation }} set partitioned by ({{ config.get('partitioned_by') }});
        {% endif %}
        {% else %}
        {{ delete_replaced(target_relation, config.require('replaced')) }};
        {% endif %}
        insert into {{ target_relation }} by name (
            {{ sql }}
        );
        {{ commit_message(target_relation) }}
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- on_schema_change: fail. -#}
{% macro assert_same_columns(relation, sql) %}
    {%- set was, now = column_list(relation), column_list('select * from (' ~ sql ~ ') limit 0') -%}
    {%- if was != now -%}
        {% do exceptions.raise_compiler_error(
            relation ~ " has other columns than its model gives now. Table: " ~ was ~ ". Model: " ~ now
            ~ ". Build int_assets__planned+ once with --full-refresh"
        ) %}
    {%- endif -%}
{% endmacro %}

{% macro delete_replaced(relation, replaced) %}
    {%- set window = build_window() -%}
    {%- set clean = "select asset_id from " ~ ref('int_assets__planned') ~ " where not needs_rebuild" -%}
    {%- if window.base_session == 0 -%}
        delete from {{ relation }}
    {%- elif replaced == 'sessions' -%}
        delete from {{ relation }} where session_no > {{ window.base_session }}
    {%- else -%}
        delete from {{ relation }}
        where
            {% if replaced == 'assets_and_dates' -%}
            as_of_date > date '{{ window.base_date }}'
            {%- else -%}
            session_no > {{ window.base_session }} or vintage_session > {{ window.base_session }}
            {%- endif %}
            {% if window.n_rebuilt > 0 or window.n_gone > 0 -%}
            or asset_id not in ({{ clean }})
            {%- endif %}
    {%- endif -%}
{% endmacro %}
