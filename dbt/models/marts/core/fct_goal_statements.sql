with

statements as (

    select statements.*
    from {{ ref('stg_goals__statements') }} as statements
    cross join {{ ref('stg_ml__nights') }} as nights
    where statements.known_at <= nights.as_of_at

)

select
    statement_id,
    user_id,
    stated_at,
    text,
    known_at,
    source
from statements
qualify row_number() over (partition by statement_id order by known_at desc, ingested_at desc, content_key) = 1
order by statement_id
