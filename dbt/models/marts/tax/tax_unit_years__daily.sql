with

tax_unit_years as (

    select * from {{ ref('stg_ml__tax_unit_years') }}

)

select
    as_of_date,
    tax_unit_id,
    tax_year,
    st_net_usd,
    lt_net_usd,
    ordinary_dividends_usd,
    qualified_dividends_usd,
    interest_usd,
    disallowed_usd,
    provisional_disallowed_usd,
    st_carryover_usd,
    lt_carryover_usd,
    status,
    reason,
    st_rate,
    lt_rate,
    rate_assumption,
    not_modelled
from tax_unit_years
