with

sessions as (

    select * from {{ ref('stg_market__sessions') }}

)

select
    session_no,
    session_date,
    open_at,
    close_at,
    row_number() over (partition by date_trunc('week', session_date) order by session_date) = 1 as is_week_first,
    row_number() over (partition by date_trunc('month', session_date) order by session_date) = 1 as is_month_first
from sessions
order by session_no
