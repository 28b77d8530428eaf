{#- Views and tables that write nothing when nothing changed. Each commit costs DuckLake a snapshot, and each change of
    a table's or view's definition makes every later statement load the whole catalog anew; a night that repeats
    yesterday's definitions has neither. They replace dbt-duckdb's create, rename and drop. -#}

{#- The run that a snapshot belongs to; read when the statement runs, so it is no parse-time dependency. -#}
{% macro commit_message(relation) %}
    {%- set run_id = env_var('DBT_TAXLOOM_RUN_ID', '') or invocation_id -%}
    call {{ relation.database }}.set_commit_message('dbt', '{{ run_id }} {{ relation.schema }}.{{ relation.identifier }}');
{% endmacro %}

{% materialization view, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set fingerprint = local_md5(sql) -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- set is_unchanged = existing is not none and existing.is_view and not should_full_refresh()
        and view_fingerprint(target_relation) == fingerprint -%}
    {% if is_unchanged %}
        {% call noop_statement('main', 'UNCHANGED') %}{% endcall %}
    {% else %}
        {%- if config.get('contract').enforced -%}
            {{ get_assert_columns_equivalent(sql) }}
        {%- endif -%}
        {% if existing is not none and not existing.is_view %}{% do adapter.drop_relation(existing) %}{% endif %}
        {% call statement('main', auto_begin=True) %}
            create or replace view {{ target_relation }} as (
                {{ sql }}
            );
            comment on view {{ target_relation }} is '{{ fingerprint }}';
            {{ commit_message(target_relation) }}
        {% endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro view_fingerprint(relation) %}
    {%- set rows = run_query(
        "select comment from duckdb_views() where database_name = '" ~ relation.database ~ "' and schema_name = '"
        ~ relation.schema ~ "' and view_name = '" ~ relation.identifier ~ "'"
    ).rows -%}
    {{ return(rows[0][0] if rows | length == 1 else none) }}
{% endmacro %}

{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set fresh = this.identifier ~ '__fresh' -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if config.get('contract').enforced -%}
        {{ get_assert_columns_equivalent(sql) }}
    {%- endif -%}
    {% if existing is not none and not existing.is_table %}{% do adapter.drop_relation(existing) %}{% endif %}
    {%- do run_query("create or replace temporary table " ~ fresh ~ " as (" ~ sql ~ "\n)") -%}
    {%- set is_replaced = existing is none or not existing.is_table or should_full_refresh()
        or column_list(fresh) != column_list(target_relation) -%}
    {% if is_replaced %}
        {% call statement('main', auto_begin=True) %}
            create or replace table {{ target_relation }} as select * from {{ fresh }};
            {{ commit_message(target_relation) }}
        {% endcall %}
    {% elif has_same_rows(fresh, target_relation) %}
        {% call noop_statement('main', 'UNCHANGED') %}{% endcall %}
    {% else %}
        {% call statement('main', auto_begin=True) %}
            delete from {{ target_relation }};
            insert into {{ target_relation }} select * from {{ fresh }};
            {{ commit_message(target_relation) }}
        {% endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {% do run_query("drop table " ~ fresh) %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- Columns and types of a relation, in order, as one text. -#}
{% macro column_list(relation) %}
    {{ return(run_query("select string_agg(column_name || ' ' || column_type, ', ') from (describe " ~ relation ~ ")").rows[0][0]) }}
{% endmacro %}

{% macro has_same_rows(fresh, relation) %}
    {{ return(run_query(
        "select (select count(*) from " ~ fresh ~ ") = (select count(*) from " ~ relation ~ ") and not exists "
        ~ "(select * from " ~ fresh ~ " except all select * from " ~ relation ~ ")"
    ).rows[0][0]) }}
{% endmacro %}
