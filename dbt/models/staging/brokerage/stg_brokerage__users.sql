with

source as (

    select * from {{ source('raw', 'brokerage__users') }}

),

renamed as (

    select
        ---------- ids
        user_id,
        household_id,

        ---------- text
        filing_status,
        state,

        ---------- numerics
        tax_year,
        ordinary_taxable_income_usd,
        magi_usd,
        st_carryover_usd,
        lt_carryover_usd,

        ---------- times
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
