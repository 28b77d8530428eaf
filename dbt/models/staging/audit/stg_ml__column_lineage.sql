with

source as (

    select * from {{ source('ml', 'column_lineage') }}

),

renamed as (

    select
        ---------- text
        downstream_schema,
        downstream_table,
        downstream_column,
        upstream_schema,
        upstream_table,
        upstream_column,
        kind,
        via,
        origin,
        code_version,

        ---------- numerics
        downstream_depth

    from source

)

select * from renamed
