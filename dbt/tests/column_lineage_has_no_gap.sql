-- Every column that something comes from is explained itself, back to schema raw. A warning: the night's figures are
-- right without it, and a model whose SQL cannot be followed shows here.
{{ config(tags=['serving'], severity='warn', meta={'dagster': {'ref': {'name': 'audit_column_lineage'}}}) }}

with

lineage as (

    select * from {{ ref('audit_column_lineage') }}

)

select distinct
    lineage.upstream_schema,
    lineage.upstream_table,
    lineage.upstream_column
from lineage
left join lineage as explained
    on
        lineage.upstream_schema = explained.downstream_schema
        and lineage.upstream_table = explained.downstream_table
        and lineage.upstream_column = explained.downstream_column
where lineage.upstream_schema <> 'raw' and explained.downstream_column is null
