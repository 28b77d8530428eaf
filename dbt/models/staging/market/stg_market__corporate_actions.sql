with

source as (

    select * from {{ source('raw', 'market__corporate_actions') }}

),

renamed as (

    select
        ---------- ids
        asset_id,
        new_asset_id,

        ---------- text
        kind,

        ---------- numerics
        ratio_new,
        ratio_old,
        cash_per_share_usd,
        basis_fraction,

        ---------- times
        ex_date,
        record_date,
        pay_date,
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
