-- Every calendar day with the session on it or after it.
with

sessions as (

    select * from {{ ref('stg_market__sessions') }}

),

days as (

    select unnest(generate_series(min(session_date), max(session_date), interval 1 day))::date as calendar_date
    from sessions

)

select
    {{ date_number('days.calendar_date') }} as day_number,
    days.calendar_date,
    sessions.session_no,
    sessions.close_at,
    min(sessions.session_no) over (
        order by days.calendar_date rows between current row and unbounded following
    ) as session_on_or_after
from days
left join sessions on days.calendar_date = sessions.session_date
order by days.calendar_date
