with

source as (

    select * from {{ source('raw', 'brokerage__reported_positions') }}

),

renamed as (

    select
        ---------- ids
        position_id,
        account_id,
        asset_id,

        ---------- text
        state,

        ---------- numerics
        quantity,
        price_usd,
        market_value_usd,
        cost_basis_usd,
        implied_quantity,

        ---------- times
        as_of_date,
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
