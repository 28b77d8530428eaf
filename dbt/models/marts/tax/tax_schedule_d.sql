-- Lines of Schedule D: Form 8949 by box, carryovers and distributions from the year summary, and their totals.
-- Printed dollars are each rounded once from the exact figure, so that printed lines may be a dollar off their sum.
with

form_lines as (

    select
        as_of_date,
        tax_unit_id,
        tax_year,
        case box
            when 'A' then '1b'
            when 'B' then '2'
            when 'C' then '3'
            when 'D' then '8b'
            when 'E' then '9'
            when 'F' then '10'
        end as line,
        sum(proceeds_usd) as proceeds_usd,
        sum(cost_basis_usd) as cost_basis_usd,
        coalesce(sum(adjustment_usd), 0) as adjustment_usd,
        -- a sale of unknown basis leaves its line without a gain, as it leaves the year without totals
        case when count(gain_usd) = count(*) then sum(gain_usd) end as gain_usd
    from {{ ref('stg_ml__form_8949') }}
    group by as_of_date, tax_unit_id, tax_year, line

),

summaries as (

    select * from {{ ref('stg_ml__tax_year_summary') }}

),

-- One row per tax unit, year and line that does not come from Form 8949.
summary_lines as (

    select
        summaries.as_of_date,
        summaries.tax_unit_id,
        summaries.tax_year,
        lines.line,
        case lines.line
            when '6' then -summaries.st_carryover_in_usd
            when '7' then summaries.st_gain_usd - summaries.st_carryover_in_usd
            when '13' then summaries.capital_gain_distributions_usd
            when '14' then -summaries.lt_carryover_in_usd
            when '15' then
                summaries.lt_gain_usd + summaries.capital_gain_distributions_usd - summaries.lt_carryover_in_usd
            when '16' then summaries.net_usd
            when '21' then -summaries.loss_deduction_usd
        end as gain_usd
    from summaries
    cross join (
        select unnest(['6', '7', '13', '14', '15', '16', '21']) as line
    ) as lines

),

all_lines as (

    select * from form_lines

    union all by name

    select * from summary_lines

)

select
    as_of_date,
    tax_unit_id,
    tax_year,
    line,
    case line
        when '1b' then 'Short-term, reported with basis (box A)'
        when '2' then 'Short-term, reported without basis (box B)'
        when '3' then 'Short-term, not reported (box C)'
        when '6' then 'Short-term loss carryover from earlier years'
        when '7' then 'Net short-term gain or loss'
        when '8b' then 'Long-term, reported with basis (box D)'
        when '9' then 'Long-term, reported without basis (box E)'
        when '10' then 'Long-term, not reported (box F)'
        when '13' then 'Capital gain distributions'
        when '14' then 'Long-term loss carryover from earlier years'
        when '15' then 'Net long-term gain or loss'
        when '16' then 'Lines 7 and 15 together'
        when '21' then 'Loss deducted from other income'
    end as line_description,
    cast(proceeds_usd as decimal(20, 6)) as proceeds_usd,
    cast(cost_basis_usd as decimal(20, 6)) as cost_basis_usd,
    cast(adjustment_usd as decimal(20, 6)) as adjustment_usd,
    cast(gain_usd as decimal(20, 6)) as gain_usd,
    cast(round(gain_usd) as bigint) as gain_printed_usd
from all_lines
