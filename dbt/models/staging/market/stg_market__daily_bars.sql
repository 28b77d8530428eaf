with

source as (

    select * from {{ source('raw', 'market__daily_bars') }}

),

renamed as (

    select
        ---------- ids
        asset_id,

        ---------- numerics
        open as open_usd,
        high as high_usd,
        low as low_usd,
        close as close_usd,
        adjusted_close as adjusted_close_usd,
        volume as volume_shares,

        ---------- times
        trade_date,
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
