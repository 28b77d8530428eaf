with

wash_sales as (

    select * from {{ ref('stg_ml__wash_sales') }}

)

select
    as_of_date,
    account_id,
    asset_id,
    sale_transaction_id,
    lot_id,
    piece_no,
    trade_date,
    quantity,
    disallowed_usd,
    tax_year,
    convention_codes,
    replacement_account_id,
    replacement_account_type,
    replacement_asset_id,
    replacement_lot_id,
    replacement_transaction_id,
    replacement_acquired_date,
    replacement_quantity,
    basis_moved_usd,
    permanently_disallowed_usd,
    days_tacked,
    is_across_accounts
from wash_sales
