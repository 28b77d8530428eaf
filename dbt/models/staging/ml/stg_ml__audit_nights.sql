with

source as (

    select * from {{ source('ml', 'audit_nights') }}

),

renamed as (

    select
        ---------- ids
        run_id,
        inputs_snapshot_id,

        ---------- text
        content_hash,
        settings_hash,

        ---------- numerics
        n_portfolios,
        n_orders,

        ---------- times
        as_of_date,
        published_at

    from source

)

select * from renamed
