with

target_weights as (

    select * from {{ ref('stg_ml__rec_target_weights') }}

),

latest as (

    select max(as_of_date) as as_of_date from {{ ref('stg_ml__audit_nights') }}

)

select
    target_weights.as_of_date,
    target_weights.account_id,
    target_weights.asset_id,
    target_weights.current_weight,
    target_weights.target_weight,
    target_weights.action,
    target_weights.quantity,
    target_weights.notional_usd,
    target_weights.reason_code
from target_weights
inner join latest on target_weights.as_of_date = latest.as_of_date
