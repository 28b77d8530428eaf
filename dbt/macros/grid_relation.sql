{#- The price grid as earlier builds left it, if it exists. Read outside the graph by the model that seeds its next
    rows; the grid itself refs that model. -#}
{% macro grid_relation() %}
    {% if not execute or flags.FULL_REFRESH %}{{ return(none) }}{% endif %}
    {{ return(adapter.get_relation(target.database, 'intermediate', 'int_prices__gridded')) }}
{% endmacro %}
