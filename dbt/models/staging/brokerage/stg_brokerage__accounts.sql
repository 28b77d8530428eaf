with

source as (

    select * from {{ source('raw', 'brokerage__accounts') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        user_id,
        household_id,

        ---------- text
        account_type,
        broker,
        lot_method,

        ---------- booleans
        fractional as is_fractional,

        ---------- times
        opened_date,
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
