with

lineage as (

    select * from {{ ref('stg_ml__column_lineage') }}

)

select
    downstream_schema,
    downstream_table,
    downstream_column,
    downstream_depth,
    upstream_schema,
    upstream_table,
    upstream_column,
    kind,
    via,
    origin,
    code_version
from lineage
