-- One row per user and tax year (null: every year), as known at the night's close.
with

users as (

    select users.*
    from {{ ref('stg_brokerage__users') }} as users
    cross join {{ ref('stg_ml__nights') }} as nights
    where users.known_at <= nights.as_of_at

)

select
    user_id,
    tax_year,
    household_id,
    filing_status,
    state,
    ordinary_taxable_income_usd,
    magi_usd,
    st_carryover_usd,
    lt_carryover_usd,
    source,
    known_at
from users
qualify row_number() over (partition by user_id, tax_year order by known_at desc, ingested_at desc, content_key) = 1
order by user_id, tax_year
