{#- Every column of every row that this build wrote holds a finite value. -#}
{% test no_nulls(model) %}
{% set columns = adapter.get_columns_in_relation(model) if execute else [] %}
select *
from {{ model }}
where
    {{ built_rows() }}
    and not coalesce(
        {% for column in columns -%}
        {{ 'isfinite(' ~ column.name ~ ')' if column.dtype | lower == 'double' else column.name ~ ' is not null' }}
        {{- ' and' if not loop.last }}
        {% endfor -%}
        {{ ', false' if columns else 'true, false' }}
    )
{% endtest %}

{% test positive(model, column_name) %}
select *
from {{ model }}
where {{ built_rows() }} and not coalesce({{ column_name }} > 0, false)
{% endtest %}

{#- A known quantity that has no sign. -#}
{% test not_negative(model, column_name) %}
select *
from {{ model }}
where {{ column_name }} is null or {{ column_name }} < 0
{% endtest %}

{#- Rows read end as exactly one of the four. -#}
{% test counts_add_up(model) %}
select *
from {{ model }}
where rows_read <> accepted + duplicate + quarantined + not_a_transaction
{% endtest %}

{#- Per key, the column sums to one. -#}
{% test sums_to_one(model, column_name, by) %}
select {{ by | join(', ') }}, sum({{ column_name }}) as total
from {{ model }}
group by all
having abs(sum({{ column_name }}) - 1) > 0.000001
{% endtest %}

{#- A column comes from another column, or has a named origin, never both. -#}
{% test source_or_origin(model) %}
select *
from {{ model }}
where
    (upstream_column is null) <> (origin is not null)
    or (upstream_column is null) <> (upstream_table is null)
    or (upstream_column is null) <> (upstream_schema is null)
{% endtest %}
