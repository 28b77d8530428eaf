-- Form 8949, Schedule D, the realised gains and the year summary tell one story, to the last millionth of a dollar.
{{ config(tags=['serving'], meta={'dagster': {'ref': {'name': 'tax_schedule_d'}}}) }}

with

night as (

    -- no ref: it would put this test into the build of the core models too
    select as_of_date from lake.ml.night

),

summaries as (

    select summaries.*
    from {{ ref('stg_ml__tax_year_summary') }} as summaries
    inner join night on summaries.as_of_date = night.as_of_date
    where summaries.status = 'ok'

),

schedule_d as (

    select
        lines.tax_unit_id,
        lines.tax_year,
        coalesce(sum(lines.gain_usd) filter (where lines.line in ('1b', '2', '3', '6')), 0) as short_term,
        coalesce(sum(lines.gain_usd) filter (where lines.line in ('8b', '9', '10', '13', '14')), 0) as long_term,
        max(lines.gain_usd) filter (where lines.line = '7') as line_7,
        max(lines.gain_usd) filter (where lines.line = '15') as line_15
    from {{ ref('tax_schedule_d') }} as lines
    inner join night on lines.as_of_date = night.as_of_date
    group by lines.tax_unit_id, lines.tax_year

),

form_lines as (

    select
        form_lines.account_id,
        sum(form_lines.proceeds_usd) as proceeds_usd,
        sum(form_lines.adjustment_usd) as disallowed_usd,
        sum(form_lines.gain_usd) as recognized_usd
    from {{ ref('stg_ml__form_8949') }} as form_lines
    inner join night on form_lines.as_of_date = night.as_of_date
    group by form_lines.account_id

),

pieces as (

    select
        pieces.account_id,
        sum(pieces.proceeds_usd) as proceeds_usd,
        sum(pieces.disallowed_usd) as disallowed_usd
    from {{ ref('stg_ml__realized_gains') }} as pieces
    inner join night on pieces.as_of_date = night.as_of_date
    group by pieces.account_id

),

washes as (

    select
        washes.account_id,
        sum(washes.disallowed_usd) as disallowed_usd,
        sum(washes.basis_moved_usd + washes.permanently_disallowed_usd) as placed_usd
    from {{ ref('stg_ml__wash_sales') }} as washes
    inner join night on washes.as_of_date = night.as_of_date
    group by washes.account_id

)

select
    summaries.tax_unit_id as key,
    'Schedule D lines do not sum to the nets of ' || summaries.tax_year as failure
from summaries
left join schedule_d
    on
        summaries.tax_unit_id = schedule_d.tax_unit_id
        and summaries.tax_year = schedule_d.tax_year
where
    schedule_d.short_term is distinct from summaries.st_net_usd
    or schedule_d.long_term is distinct from summaries.lt_net_usd
    or schedule_d.line_7 is distinct from summaries.st_net_usd
    or schedule_d.line_15 is distinct from summaries.lt_net_usd

union all

select
    coalesce(pieces.account_id, form_lines.account_id) as key,
    'Form 8949 and realised gains differ' as failure
from pieces
full join form_lines on pieces.account_id = form_lines.account_id
where
    pieces.proceeds_usd is distinct from form_lines.proceeds_usd
    or pieces.disallowed_usd is distinct from coalesce(form_lines.disallowed_usd, 0)

union all

select
    pieces.account_id as key,
    'wash sales do not account for the disallowed losses' as failure
from pieces
left join washes on pieces.account_id = washes.account_id
where
    pieces.disallowed_usd is distinct from coalesce(washes.disallowed_usd, 0)
    or pieces.disallowed_usd is distinct from coalesce(washes.placed_usd, 0)
