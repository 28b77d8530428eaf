with

source as (

    select * from {{ source('raw', 'market__assets') }}

),

renamed as (

    select
        ---------- ids
        asset_id,

        ---------- text
        symbol,
        name,
        asset_class,
        sector,
        industry,
        country,
        currency,
        tax_treatment,
        price_basis,

        ---------- numerics
        expense_ratio_pct,
        duration_years,
        qualified_dividend_ratio,
        shares_outstanding,

        ---------- times
        listed_date,
        delisted_date,
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
