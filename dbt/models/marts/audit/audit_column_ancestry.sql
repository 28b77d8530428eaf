-- The recursion goes over columns, not over pairs of them: a column that is reached on many ways is one row. The pairs
-- are joined at the end.
with recursive

lineage as (

    select
        *,
        downstream_schema || '.' || downstream_table || '.' || downstream_column as downstream,
        upstream_schema || '.' || upstream_table || '.' || upstream_column as upstream
    from {{ ref('stg_ml__column_lineage') }}

),

reached as (

    select
        downstream as started_at,
        downstream as arrived_at
    from lineage
    where downstream_schema = 'serving'

    union

    select
        reached.started_at,
        lineage.upstream as arrived_at
    from reached
    inner join lineage on reached.arrived_at = lineage.downstream
    where lineage.upstream is not null

)

select
    split_part(reached.started_at, '.', 2) as table_name,
    split_part(reached.started_at, '.', 3) as column_name,
    lineage.downstream_depth,
    lineage.downstream,
    lineage.upstream,
    lineage.kind,
    lineage.via,
    lineage.origin
from reached
inner join lineage on reached.arrived_at = lineage.downstream
