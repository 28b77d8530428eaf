with

source as (

    select * from {{ source('raw', 'quarantine') }}

),

renamed as (

    select
        ---------- text
        table_name,
        source,
        source_file,
        column_name,
        reason,
        detail,
        raw_row,
        content_key,

        ---------- numerics
        source_line,

        ---------- times
        ingested_at

    from source

)

select * from renamed
