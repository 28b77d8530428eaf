with

lot_orders as (

    select * from {{ ref('stg_ml__rec_lot_orders') }}

),

latest as (

    select max(as_of_date) as as_of_date from {{ ref('stg_ml__audit_nights') }}

)

select
    lot_orders.as_of_date,
    lot_orders.account_id,
    lot_orders.asset_id,
    lot_orders.lot_id,
    lot_orders.quantity,
    lot_orders.term,
    lot_orders.gain_usd,
    lot_orders.tax_usd,
    lot_orders.wash_sale_state
from lot_orders
inner join latest on lot_orders.as_of_date = latest.as_of_date
