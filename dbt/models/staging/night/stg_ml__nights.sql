with

source as (

    select * from {{ source('ml', 'night') }}

),

renamed as (

    select
        ---------- text
        price_sources,

        ---------- times
        as_of_date,
        as_of_at

    from source

)

select * from renamed
