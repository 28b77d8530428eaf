{#- A price that can be used: positive and finite, else null. Ingestion quarantines the others; a logarithm of one
    that slipped through would stop the whole build. -#}
{% macro usable(price) -%}
    if({{ price }} > 0 and isfinite({{ price }}), {{ price }}, null)
{%- endmacro %}

{#- Whether a bar has a price at all. -#}
{% macro has_price() -%}
    ({{ usable('close_usd') }} is not null or {{ usable('adjusted_close_usd') }} is not null)
{%- endmacro %}

{#- The price columns of a bar as the grid reads them. -#}
{% macro bar_columns(bars) -%}
    {%- for column in ['high_usd', 'low_usd', 'close_usd', 'adjusted_close_usd'] %}
        {{ usable(bars ~ '.' ~ column) }} as {{ column }},
    {%- endfor %}
        if(isfinite({{ bars }}.volume_shares), {{ usable(bars ~ '.close_usd') }} * {{ bars }}.volume_shares, null)
            as dollar_volume_usd
{%- endmacro %}
