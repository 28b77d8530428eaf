with

rates as (

    select rates.*
    from {{ ref('stg_market__rates') }} as rates
    cross join {{ ref('stg_ml__nights') }} as nights
    where rates.known_at <= nights.as_of_at

)

select
    rate_date,
    tenor,
    rate_pct,
    known_at
from rates
qualify row_number() over (partition by rate_date, tenor order by known_at desc, ingested_at desc, content_key) = 1
order by rate_date, tenor
