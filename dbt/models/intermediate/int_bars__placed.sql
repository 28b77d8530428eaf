-- The bars that this build of the price grid starts from, placed on sessions, apart from the plain ones (rebuilt
-- assets whose every bar was known at its own close; the grid reads those as they are):
--   * rebuilt irregular assets: every bar version of every vintage, several bars of one session folded into one;
--   * extended assets: their last grid row as seed, and the bars that became known since.
{% set window = build_window() %}
{% set grid = grid_relation() %}
{% set market = var('market_asset_id') %}
{% set lookback = var('vintage_lookback_sessions') %}
-- depends_on: {{ ref('stg_market__sessions') }}
with

calendar as (

    select * from {{ ref('int_sessions__calendared') }}

),

planned as (

    select * from {{ ref('int_assets__planned') }}

),

bars as (

    select
        bars.asset_id,
        bars.trade_date,
        trade_days.session_on_or_after as trade_session,
        {{ known_session('bars.known_at', 'known_days') }} as known_session,
        bars.known_at,
        planned.needs_rebuild,
        {{ bar_columns('bars') }}
    from {{ ref('stg_market__daily_bars') }} as bars
    inner join planned on bars.asset_id = planned.asset_id and bars.source = planned.source
    inner join calendar as trade_days on bars.trade_date = trade_days.calendar_date
    left join calendar as known_days on {{ day_number('bars.known_at') }} = known_days.day_number
    where
        bars.known_at <= timestamptz '{{ window.as_of_at }}'
        and {{ has_price() }}
        and case
            when planned.needs_rebuild then planned.is_irregular
            else bars.known_at > timestamptz '{{ window.base_at }}' or bars.asset_id = '{{ market }}'
        end
    -- of the versions known at one close only the newest was seen
    qualify row_number() over (
        partition by bars.asset_id, bars.trade_date, known_session
        order by bars.known_at desc, bars.ingested_at desc, bars.content_key
    ) = 1

),

-- Late: known more than a few sessions after its day, or after its own or a newer day's bar; and, in a batch that
-- holds such back-filled history, every bar but the newest session's.
classified as (

    select
        *,
        known_session - trade_session > {{ var('late_after_sessions') }}
        or trade_date <= coalesce(
            max(trade_date) over (
                partition by asset_id order by known_session range between unbounded preceding and 1 preceding
            ),
            date '0001-01-01'
        )
        or (
            max(known_session - trade_session) over batch > {{ var('late_after_sessions') }}
            and trade_session < max(trade_session) over batch
        ) as is_late
    from bars
    where needs_rebuild or asset_id = '{{ market }}'
    window batch as (partition by asset_id, known_session)

),

-- A late bar stands where its first, punctual version stands, else on its own day's session.
standing as (

    select
        *,
        coalesce(
            min(known_session) filter (not is_late) over (partition by asset_id, trade_date), trade_session
        ) as session_no
    from classified

),

borders as (

    select asset_id, known_session from classified where is_late
    union
    select asset_id, known_session from {{ ref('int_corporate_actions__superseded') }} where is_late
    union
    select asset_id, 0 as known_session from planned

),

-- The market's history enters everyone's comovement: its vintages are everyone's.
vintages as (

    select
        planned.asset_id,
        borders.known_session as vintage_session,
        lead(borders.known_session - 1, 1, {{ window.as_of_session }}) over (
            partition by planned.asset_id order by borders.known_session
        ) as last_session
    from planned
    inner join (
        select asset_id, known_session from borders
        union
        select planned.asset_id, borders.known_session
        from planned cross join borders where borders.asset_id = '{{ market }}'
    ) as borders on planned.asset_id = borders.asset_id
    where planned.needs_rebuild and planned.is_irregular and borders.known_session <= {{ window.as_of_session }}

),

members as (

    select
        vintages.vintage_session,
        vintages.last_session,
        standing.*,
        min(standing.trade_date) over vintage as first_price_date,
        max(if(standing.session_no <= vintages.vintage_session - {{ lookback }}, standing.session_no, 0)) over vintage
            as first_session
    from vintages
    inner join standing
        on
            vintages.asset_id = standing.asset_id
            and standing.known_session <= if(standing.is_late, vintages.vintage_session, vintages.last_session)
    window vintage as (partition by vintages.asset_id, vintages.vintage_session)
    qualify row_number() over (
        partition by vintages.asset_id, vintages.vintage_session, standing.trade_date
        order by standing.known_session desc
    ) = 1

),

{% if grid %}
seeds as (

    select
        grid.asset_id,
        grid.vintage_session,
        grid.session_no - grid.sessions_since_bar as session_no,
        grid.price_date,
        grid.first_price_date,
        grid.known_at,
        grid.high_usd,
        grid.low_usd,
        grid.close_usd,
        grid.adjusted_close_usd,
        grid.total_index_log,
        grid.price_index_log,
        grid.last_ex_dividend_date
    from {{ grid }} as grid
    inner join planned on grid.asset_id = planned.asset_id and not planned.needs_rebuild
    where grid.session_no = {{ window.base_session }} and grid.vintage_session <= {{ window.base_session }}

),

{% endif %}
folded as (

    select
        asset_id,
        vintage_session,
        last_session,
        session_no,
        trade_date,
        first_price_date,
        known_at,
        high_usd,
        low_usd,
        close_usd,
        adjusted_close_usd,
        dollar_volume_usd
    from members
    where session_no >= first_session
    {% if grid %}
    union all
    select
        bars.asset_id,
        seeds.vintage_session,
        {{ window.as_of_session }} as last_session,
        bars.known_session as session_no,
        bars.trade_date,
        seeds.first_price_date,
        bars.known_at,
        bars.high_usd,
        bars.low_usd,
        bars.close_usd,
        bars.adjusted_close_usd,
        bars.dollar_volume_usd
    from bars
    inner join seeds on bars.asset_id = seeds.asset_id
    where not bars.needs_rebuild and bars.known_session > {{ window.base_session }}
    {% endif %}

)

select
    asset_id,
    vintage_session,
    last_session,
    session_no,
    false as is_seed,
    max(trade_date) as price_date,
    min(first_price_date) as first_price_date,
    max(known_at) as known_at,
    max(high_usd) as high_usd,
    min(low_usd) as low_usd,
    last(close_usd order by trade_date) as close_usd,
    last(adjusted_close_usd order by trade_date) as adjusted_close_usd,
    sum(dollar_volume_usd order by trade_date) as dollar_volume_usd,
    null::double as total_index_log,
    null::double as price_index_log,
    null::date as last_ex_dividend_date
from folded
group by asset_id, vintage_session, last_session, session_no
{% if grid %}
union all by name
select
    *,
    {{ window.as_of_session }} as last_session,
    true as is_seed,
    null::double as dollar_volume_usd
from seeds
{% endif %}
order by asset_id, vintage_session, session_no
