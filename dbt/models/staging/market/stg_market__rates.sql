with

source as (

    select * from {{ source('raw', 'market__rates') }}

),

renamed as (

    select
        ---------- text
        tenor,

        ---------- numerics
        rate_pct,

        ---------- times
        rate_date,
        known_at,

        ---------- bookkeeping
        source,
        source_file,
        source_line,
        content_key,
        ingested_at

    from source

)

select * from renamed
