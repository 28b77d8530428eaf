{#- Schemas are named as configured: core, not main_core (dbt's default prefixes the target schema). -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
