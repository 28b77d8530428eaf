-- Versions of asset facts known at the night's close. Facts come from the source that prices the asset, else from the
-- others in the order in which they became known.
with

facts as (

    select
        facts.*,
        {{ known_session('facts.known_at', 'known_days') }} as known_session,
        facts.source is not distinct from planned.source as is_price_source,
        coalesce(list_position(string_split(nights.price_sources, ','), facts.source), 99) as source_rank
    from {{ ref('stg_market__assets') }} as facts
    cross join {{ ref('stg_ml__nights') }} as nights
    left join {{ ref('int_assets__planned') }} as planned on facts.asset_id = planned.asset_id
    left join {{ ref('int_sessions__calendared') }} as known_days
        on {{ day_number('facts.known_at') }} = known_days.day_number
    where facts.known_at <= nights.as_of_at

),

preferred as (

    select *
    from facts
    qualify is_price_source or not bool_or(is_price_source) over (partition by asset_id)

),

versions as (

    select *
    from preferred
    qualify row_number() over (
        partition by asset_id, known_at order by source_rank, ingested_at desc, content_key
    ) = 1

)

select
    asset_id,
    known_at,
    lead(known_at) over (partition by asset_id order by known_at) as superseded_at,
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
    source,
    known_session
from versions
order by asset_id, known_at
