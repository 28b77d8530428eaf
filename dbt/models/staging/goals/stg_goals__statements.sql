with

source as (

    select * from {{ source('raw', 'goals__statements') }}

),

renamed as (

    select
        ---------- ids
        statement_id,
        user_id,

        ---------- text
        text,

        ---------- times
        stated_at,
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
