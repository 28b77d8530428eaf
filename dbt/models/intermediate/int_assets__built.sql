-- The state that this build leaves: what was known of each asset when its rows were built, and to which session. Built
-- after the feature store, so an interrupted build leaves the old state and the next one does the work again.
-- depends_on: {{ ref('feat_asset_metadata__daily') }}
with

planned as (

    select * from {{ ref('int_assets__planned') }}

)

select
    asset_id,
    source,
    n_rows,
    ingested_at,
    settings,
    as_of_session as built_session
from planned
order by asset_id
