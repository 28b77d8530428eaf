-- Versions of corporate actions known at the night's close, each with the session from which it was known, the
-- session of its ex-date, and the version that replaced it. One action may come from several sources: the newest
-- known version counts, at one moment the source that stands first in the night's price sources.
with

actions as (

    select
        actions.*,
        {{ known_session('actions.known_at', 'known_days') }} as known_session,
        ex_days.session_on_or_after as ex_session,
        coalesce(list_position(string_split(nights.price_sources, ','), actions.source), 99) as source_rank
    from {{ ref('stg_market__corporate_actions') }} as actions
    cross join {{ ref('stg_ml__nights') }} as nights
    inner join {{ ref('int_sessions__calendared') }} as ex_days on actions.ex_date = ex_days.calendar_date
    left join {{ ref('int_sessions__calendared') }} as known_days
        on {{ day_number('actions.known_at') }} = known_days.day_number
    where actions.known_at <= nights.as_of_at

),

-- Within one session only the newest version was ever seen at a close.
seen as (

    select *
    from actions
    qualify row_number() over (
        partition by asset_id, ex_date, kind, known_session
        order by known_at desc, source_rank, ingested_at desc, content_key
    ) = 1

)

select
    asset_id,
    ex_date,
    kind,
    record_date,
    pay_date,
    ratio_new,
    ratio_old,
    cash_per_share_usd,
    new_asset_id,
    basis_fraction,
    known_at,
    source,
    lead(known_at) over versions as superseded_at,
    ex_session,
    known_session,
    lead(known_session, 1, {{ forever() }}) over versions as superseded_session,
    known_session > ex_session as is_late
from seen
window versions as (partition by asset_id, ex_date, kind order by known_session)
order by asset_id, ex_date, kind, known_session
