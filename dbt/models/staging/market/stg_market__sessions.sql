with

source as (

    select * from {{ source('raw', 'market__sessions') }}

),

renamed as (

    select
        ---------- numerics
        session_no,

        ---------- times
        session_date,
        open_at,
        close_at

    from source

)

select * from renamed
