with

source as (

    select * from {{ source('raw', 'brokerage__reported_gains') }}

),

renamed as (

    select
        ---------- ids
        gain_id,
        account_id,
        asset_id,
        sale_transaction_id,

        ---------- text
        level,
        term,

        ---------- numerics
        quantity,
        proceeds_usd,
        cost_basis_usd,
        gain_usd,

        ---------- times
        trade_date,
        acquired_date,
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
