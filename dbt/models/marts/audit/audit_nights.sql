with

nights as (

    select * from {{ ref('stg_ml__audit_nights') }}

)

select
    as_of_date,
    run_id,
    published_at,
    content_hash,
    n_portfolios,
    n_orders,
    inputs_snapshot_id,
    settings_hash
from nights
