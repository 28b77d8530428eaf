with

source as (

    select * from {{ source('ml', 'wash_sales') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        asset_id,
        sale_transaction_id,
        lot_id,
        replacement_account_id,
        replacement_asset_id,
        replacement_lot_id,
        replacement_transaction_id,

        ---------- text
        convention_codes,
        replacement_account_type,

        ---------- numerics
        piece_no,
        quantity,
        disallowed_usd,
        tax_year,
        replacement_quantity,
        basis_moved_usd,
        permanently_disallowed_usd,
        days_tacked,

        ---------- booleans
        is_across_accounts,

        ---------- times
        as_of_date,
        trade_date,
        replacement_acquired_date

    from source

)

select * from renamed
