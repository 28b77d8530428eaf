-- One row per account, as known at the night's close. A joint return makes the household one tax unit.
with

nights as (

    select * from {{ ref('stg_ml__nights') }}

),

accounts as (

    select accounts.*
    from {{ ref('stg_brokerage__accounts') }} as accounts
    cross join nights
    where accounts.known_at <= nights.as_of_at
    qualify row_number() over (
        partition by accounts.account_id
        order by accounts.known_at desc, accounts.ingested_at desc, accounts.content_key
    ) = 1

),

-- The status that counts is the one of the night's tax year, else the one for every year, else the newest year.
filing as (

    select
        users.user_id,
        users.filing_status
    from {{ ref('dim_users') }} as users
    cross join nights
    qualify row_number() over (
        partition by users.user_id
        order by
            users.tax_year = year(nights.as_of_date) desc nulls last,
            users.tax_year is null desc,
            users.tax_year desc
    ) = 1

)

select
    accounts.account_id,
    accounts.user_id,
    accounts.household_id,
    case
        when filing.filing_status = 'married_joint' then 'household:' || accounts.household_id
        else 'user:' || accounts.user_id
    end as tax_unit_id,
    accounts.account_type,
    accounts.broker,
    accounts.lot_method,
    accounts.is_fractional,
    accounts.opened_date,
    accounts.source,
    accounts.known_at
from accounts
left join filing on accounts.user_id = filing.user_id
order by accounts.account_id
