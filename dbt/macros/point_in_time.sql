{#- Sessions of moments and days. `calendar` is the alias of int_sessions__calendared joined on the day. -#}

{#- Days since 1970-01-01 of the UTC date of a timestamp; integer arithmetic, so no time zone setting matters. -#}
{% macro day_number(moment) -%}
    (epoch_us({{ moment }}) // 86400000000)::integer
{%- endmacro %}

{#- Days since 1970-01-01 of a date. -#}
{% macro date_number(day) -%}
    ({{ day }} - date '1970-01-01')::integer
{%- endmacro %}

{#- First session whose close is at or after `moment`, given the calendar row of its UTC day. Moments before the
    calendar's first day count as known from its first session. -#}
{% macro known_session(moment, calendar) -%}
    coalesce(
        {{ calendar }}.session_on_or_after + ({{ moment }} > {{ calendar }}.close_at)::integer,
        {{ calendar }}.session_on_or_after,
        1
    )
{%- endmacro %}

{#- A session after every session: the end of what still holds. A null would put an OR into range joins, and DuckDB
    joins those by nested loops. -#}
{% macro forever() %}2147483647{% endmacro %}
