with

source as (

    select * from {{ source('raw', 'ingestion_counts') }}

),

renamed as (

    select
        ---------- ids
        run_id,

        ---------- text
        source,
        source_file,
        table_name,

        ---------- numerics
        rows_read,
        accepted,
        duplicate,
        quarantined,
        not_a_transaction,

        ---------- times
        as_of_date,
        ingested_at

    from source

)

select * from renamed
