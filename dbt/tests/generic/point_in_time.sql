{#- No row of a night rests on anything known after that night's close. -#}
{% test known_by_close(model) %}
select rows_of_night.*
from {{ model }} as rows_of_night
left join {{ ref('stg_market__sessions') }} as sessions on rows_of_night.as_of_date = sessions.session_date
where
    (sessions.close_at is null or rows_of_night.known_at is null or rows_of_night.known_at > sessions.close_at)
    and {{ built_rows() }}
{% endtest %}
