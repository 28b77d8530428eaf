with

versions as (

    select * from {{ ref('int_assets__superseded') }}

)

select
    asset_id,
    known_at,
    superseded_at,
    symbol,
    name,
    asset_class,
    sector,
    industry,
    country,
    currency,
    listed_date,
    delisted_date,
    expense_ratio_pct,
    duration_years,
    qualified_dividend_ratio,
    shares_outstanding,
    tax_treatment,
    price_basis,
    source
from versions
order by asset_id, known_at
