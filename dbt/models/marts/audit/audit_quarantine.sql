with

quarantined as (

    select * from {{ ref('stg_raw__quarantine') }}

)

select
    table_name,
    source,
    source_file,
    source_line,
    column_name,
    reason,
    detail,
    raw_row,
    content_key,
    ingested_at
from quarantined
