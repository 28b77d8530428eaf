with

actions as (

    select * from {{ ref('int_corporate_actions__superseded') }}

)

select
    asset_id,
    ex_date,
    kind,
    record_date,
    pay_date,
    ratio_new,
    ratio_old,
    cash_per_share_usd,
    new_asset_id,
    basis_fraction,
    known_at,
    source
from actions
where superseded_at is null
order by asset_id, ex_date, kind
