with

counts as (

    select * from {{ ref('stg_raw__ingestion_counts') }}

)

select
    run_id,
    as_of_date,
    source,
    source_file,
    table_name,
    rows_read,
    accepted,
    duplicate,
    quarantined,
    not_a_transaction,
    ingested_at
from counts
