-- The recursion goes over columns and not over pairs: a column reached on many ways is one row a distance. Pairs are
-- joined at the end.
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
        downstream as arrived_at,
        0 as steps
    from lineage
    where downstream_schema = 'serving'

    union

    select
        reached.started_at,
        lineage.upstream as arrived_at,
        reached.steps + 1 as steps
    from reached
    inner join lineage on reached.arrived_at = lineage.downstream
    where lineage.upstream is not null

),

nearest as (

    select
        started_at,
        arrived_at,
        min(steps) as steps
    from reached
    group by started_at, arrived_at

)

select
    split_part(nearest.started_at, '.', 2) as table_name,
    split_part(nearest.started_at, '.', 3) as column_name,
    nearest.steps + 1 as steps,
    lineage.downstream,
    lineage.upstream,
    lineage.kind,
    lineage.via,
    lineage.origin
from nearest
inner join lineage on nearest.arrived_at = lineage.downstream
