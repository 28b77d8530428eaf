-- What this build has to do, one row per asset that has bars: extend it by the sessions after base_session, or rebuild
-- its whole history. An asset is rebuilt when it is new, when rows known at or before the last built session arrived
-- after that build (counted against int_assets__built, so a crash between ingestion and dbt loses nothing), when a late
-- row makes a new vintage, or when its source or a setting changed. The market's history is everyone's.
{% set night = night() %}
{% set state = built_state() %}
{% set market = var('market_asset_id') %}
-- depends_on: {{ ref('stg_ml__nights') }}
with

calendar as (

    select * from {{ ref('int_sessions__calendared') }}

),

actions as (

    select * from {{ ref('int_corporate_actions__superseded') }}

),

built as (

    {% if state %}
    select * from {{ state }}
    {% else %}
    select
        null::varchar as asset_id,
        null::varchar as source,
        null::varchar as settings,
        0::bigint as n_rows,
        null::timestamptz as ingested_at
    where false
    {% endif %}

),

bars as (

    select
        asset_id,
        source,
        trade_date,
        known_at,
        ingested_at
    from {{ ref('stg_market__daily_bars') }}
    where
        known_at <= greatest(timestamptz '{{ night.as_of_at }}', timestamptz '{{ night.built_at }}')
        and {{ has_price() }}

),

-- A signature of everything known until the night and until the last build: a row that came late changes the latter.
bar_counts as (

    select
        asset_id,
        source,
        count(*) filter (known_at <= timestamptz '{{ night.as_of_at }}') as n_now,
        max(ingested_at) filter (known_at <= timestamptz '{{ night.as_of_at }}') as ingested_now,
        count(*) filter (known_at <= timestamptz '{{ night.built_at }}') as n_then,
        max(ingested_at) filter (known_at <= timestamptz '{{ night.built_at }}') as ingested_then,
        max(trade_date) filter (known_at <= timestamptz '{{ night.built_at }}') as trade_date_then,
        min(known_at) as first_known_at
    from bars
    group by asset_id, source

),

chosen as (

    select *
    from bar_counts
    where n_now > 0 and list_contains(string_split('{{ night.price_sources }}', ','), source)
    qualify row_number() over (
        partition by asset_id order by list_position(string_split('{{ night.price_sources }}', ','), source)
    ) = 1

),

reference_counts as (

    select
        asset_id,
        count(*) filter (known_at <= timestamptz '{{ night.as_of_at }}') as n_now,
        max(ingested_at) filter (known_at <= timestamptz '{{ night.as_of_at }}') as ingested_now,
        count(*) filter (known_at <= timestamptz '{{ night.built_at }}') as n_then,
        max(ingested_at) filter (known_at <= timestamptz '{{ night.built_at }}') as ingested_then
    from (
        select asset_id, known_at, ingested_at from {{ ref('stg_market__corporate_actions') }}
        union all
        select asset_id, known_at, ingested_at from {{ ref('stg_market__assets') }}
    )
    group by asset_id

),

new_bars as (

    select
        bars.asset_id,
        bars.trade_date,
        trade_days.session_on_or_after as trade_session,
        {{ known_session('bars.known_at', 'known_days') }} as known_session,
        chosen.trade_date_then
    from bars
    inner join chosen on bars.asset_id = chosen.asset_id and bars.source = chosen.source
    inner join calendar as trade_days on bars.trade_date = trade_days.calendar_date
    left join calendar as known_days on {{ day_number('bars.known_at') }} = known_days.day_number
    where
        bars.known_at > timestamptz '{{ night.built_at }}'
        and bars.known_at <= timestamptz '{{ night.as_of_at }}'
        and {{ night.built_session }} > 0

),

late as (

    select asset_id
    from (
        select
            asset_id,
            known_session - trade_session > {{ var('late_after_sessions') }}
            or trade_date <= trade_date_then
            or trade_date <= max(trade_date) over (
                partition by asset_id order by known_session range between unbounded preceding and 1 preceding
            ) as is_late
        from new_bars
    )
    where is_late
    union
    select asset_id
    from actions
    where is_late and known_session > {{ night.built_session }}

),

compared as (

    select
        chosen.asset_id,
        chosen.source,
        chosen.first_known_at,
        chosen.n_now + coalesce(reference_counts.n_now, 0) as n_rows,
        greatest(chosen.ingested_now, reference_counts.ingested_now) as ingested_at,
        '{{ night.price_sources }}|{{ market }}|{{ feature_version() }}' as settings,
        built.asset_id is not null as is_built,
        built.asset_id is not null and (
            built.source <> chosen.source
            or built.n_rows <> chosen.n_then + coalesce(reference_counts.n_then, 0)
            or built.ingested_at is distinct from greatest(chosen.ingested_then, reference_counts.ingested_then)
        ) as is_changed,
        late.asset_id is not null as is_late,
        built.settings is not null and built.settings <> '{{ night.price_sources }}|{{ market }}|{{ feature_version() }}'
            as is_setting_changed
    from chosen
    left join reference_counts on chosen.asset_id = reference_counts.asset_id
    left join built on chosen.asset_id = built.asset_id
    left join late on chosen.asset_id = late.asset_id

),

-- Where the market asset has no bar yet, the market is the mean of the equities: then any change is everyone's.
everyone as (

    select
        not exists (select 1 from built)
        or coalesce(bool_or(is_setting_changed), false)
        or coalesce(bool_or(asset_id = '{{ market }}' and (not is_built or is_changed or is_late)), false)
        or (
            coalesce(bool_or(is_changed), false)
            and min(first_known_at) < coalesce(
                min(first_known_at) filter (asset_id = '{{ market }}'), timestamptz '2999-12-31 00:00:00+00'
            )
        )
        or exists (
            select 1 from built where asset_id = '{{ market }}' and asset_id not in (select asset_id from chosen)
        ) as is_rebuilt
    from compared

),

decided as (

    select
        compared.*,
        everyone.is_rebuilt as is_everyone,
        everyone.is_rebuilt or not compared.is_built or compared.is_changed or compared.is_late as needs_rebuild
    from compared
    cross join everyone

),

-- The plain case: every bar is known at its own session's close and came once. All else takes the general path. The
-- bit string counts distinct sessions at a tenth of the cost of count(distinct).
shapes as (

    select
        bars.asset_id,
        bool_or({{ known_session('bars.known_at', 'known_days') }} <> trade_days.session_on_or_after)
        or count(*) <> bit_count(bitstring_agg(trade_days.session_on_or_after, 0, 32767)) as is_irregular
    from bars
    inner join decided
        on
            bars.asset_id = decided.asset_id
            and bars.source = decided.source
            and (decided.needs_rebuild or decided.asset_id = '{{ market }}')
    inner join calendar as trade_days on bars.trade_date = trade_days.calendar_date
    left join calendar as known_days on {{ day_number('bars.known_at') }} = known_days.day_number
    where bars.known_at <= timestamptz '{{ night.as_of_at }}'
    group by bars.asset_id

),

irregular as (

    select asset_id from shapes where is_irregular
    union
    select asset_id from actions where is_late

)

select
    asset_id,
    source,
    n_rows,
    ingested_at,
    settings,
    needs_rebuild,
    asset_id in (select asset_id from irregular)
    or '{{ market }}' in (select asset_id from irregular) as is_irregular,
    {{ night.as_of_session }}::integer as as_of_session,
    (select count(*) from built where asset_id not in (select asset_id from chosen))::integer as n_gone,
    case when is_everyone then 0 else {{ [night.built_session, night.as_of_session] | min }} end::integer as base_session
from decided
order by asset_id
