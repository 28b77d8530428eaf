with

source as (

    select * from {{ source('raw', 'brokerage__transactions') }}

),

renamed as (

    select
        ---------- ids
        transaction_id,
        account_id,
        asset_id,
        related_asset_id,
        underlying_asset_id,
        order_id,
        lot_reference,

        ---------- text
        kind,
        option_right,

        ---------- numerics
        quantity,
        price_usd,
        amount_usd,
        fees_usd,
        cost_basis_usd,
        fair_market_value_usd,
        ratio_new,
        ratio_old,
        basis_fraction,
        strike_usd,

        ---------- booleans
        traded_at_is_date,

        ---------- times
        trade_date,
        traded_at,
        settled_date,
        acquired_date,
        expiry_date,
        known_at,

        ---------- bookkeeping
        source,
        source_file,
        source_line,
        content_key,
        ingested_at

    from source

)

select * from renamed
