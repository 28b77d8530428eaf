-- Asset facts by session: one row per asset and run of sessions in which the same facts were known. Shares outstanding
-- are carried through the splits that followed the moment at which they were known.
with

facts as (

    select
        *,
        lead(known_session, 1, {{ forever() }}) over (partition by asset_id order by known_at) as superseded_session
    from {{ ref('int_assets__superseded') }}
    -- of several versions known at one close only the last was seen
    qualify known_session is distinct from lead(known_session) over (partition by asset_id order by known_at)

),

splits as (

    select
        asset_id,
        ex_session,
        greatest(ex_session, known_session) as session_from,
        greatest(ex_session, superseded_session) as session_until,
        ratio_new::double / ratio_old::double as split_ratio
    from {{ ref('int_corporate_actions__superseded') }}
    where kind in ('split', 'stock_dividend') and ratio_new > 0 and ratio_old > 0

),

starts as (

    select asset_id, known_session as session_from from facts
    union
    select asset_id, session_from from splits
    union
    select asset_id, session_until from splits where session_until < {{ forever() }}

),

timed as (

    select
        starts.asset_id,
        starts.session_from,
        lead(starts.session_from, 1, {{ forever() }}) over (
            partition by starts.asset_id order by starts.session_from
        ) as session_until,
        facts.* exclude (asset_id, shares_outstanding),
        facts.shares_outstanding * coalesce(
            (
                select product(splits.split_ratio order by splits.ex_session)
                from splits
                where
                    splits.asset_id = starts.asset_id
                    and splits.ex_session > facts.known_session
                    and splits.session_from <= starts.session_from
                    and splits.session_until > starts.session_from
            ),
            1
        ) as shares_outstanding
    from starts
    inner join facts
        on
            starts.asset_id = facts.asset_id
            and starts.session_from >= facts.known_session
            and starts.session_from < facts.superseded_session

)

select
    asset_id,
    session_from,
    session_until,
    asset_class,
    sector,
    listed_date,
    expense_ratio_pct,
    duration_years,
    qualified_dividend_ratio,
    shares_outstanding,
    price_basis,
    known_at
from timed
order by asset_id, session_from
