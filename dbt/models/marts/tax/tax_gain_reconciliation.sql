-- Realised gains as brokers report them against the ledger of the latest published state, one row per sale that either
-- a broker reported. A broker that reports a sale whole is compared whole; one that reports lots alone, by their sum.
-- Every difference has one name, the first that explains it; `unexplained` is a finding.
with

reported as (

    select * from {{ ref('stg_brokerage__reported_gains') }}

),

sales as (

    select
        account_id,
        asset_id,
        trade_date,
        sale_transaction_id,
        coalesce(sale_transaction_id, gain_id) as sale_key,
        level,
        -- several files may report one sale: the first stored one counts
        first(source_file order by ingested_at, source_file) as source_file
    from reported
    group by all

),

totals as (

    select
        sales.account_id,
        sales.asset_id,
        sales.trade_date,
        sales.sale_transaction_id,
        sales.sale_key,
        sales.level,
        sum(reported.quantity)::decimal(24, 9) as reported_quantity,
        sum(reported.proceeds_usd)::decimal(20, 6) as reported_proceeds_usd,
        sum(reported.cost_basis_usd)::decimal(20, 6) as reported_cost_basis_usd,
        sum(reported.gain_usd)::decimal(20, 6) as reported_gain_usd,
        count(*) as n_reported,
        sales.source_file
    from sales
    inner join reported
        on
            sales.account_id = reported.account_id
            and sales.sale_key = coalesce(reported.sale_transaction_id, reported.gain_id)
            and sales.level = reported.level
            and sales.source_file = reported.source_file
    group by all

),

theirs as (

    select * from totals
    -- 'sale' stands after 'lot': whole sales first
    qualify row_number() over (partition by account_id, sale_key order by level desc) = 1

),

gains as (

    select *
    from {{ ref('stg_ml__realized_gains') }}
    qualify as_of_date = max(as_of_date) over (partition by account_id)

),

ours as (

    select
        account_id,
        sale_transaction_id,
        sum(quantity)::decimal(24, 9) as quantity,
        sum(proceeds_usd)::decimal(20, 6) as proceeds_usd,
        sum(cost_basis_usd)::decimal(20, 6) as cost_basis_usd,
        sum(gain_usd)::decimal(20, 6) as gain_usd,
        sum(disallowed_usd)::decimal(20, 6) as disallowed_usd,
        sum(recognized_usd)::decimal(20, 6) as recognized_usd,
        count(*) as n_pieces,
        count(*) filter (where gain_usd is null) as n_unknown,
        max(as_of_date) as as_of_date
    from gains
    group by account_id, sale_transaction_id

),

fees as (

    select
        transaction_id,
        max(fees_usd) as fees_usd
    from {{ ref('stg_brokerage__transactions') }}
    group by transaction_id

),

compared as (

    select
        theirs.*,
        ours.as_of_date,
        ours.quantity as our_quantity,
        ours.proceeds_usd as our_proceeds_usd,
        ours.cost_basis_usd as our_cost_basis_usd,
        ours.gain_usd as our_gain_usd,
        ours.disallowed_usd as our_disallowed_usd,
        ours.recognized_usd as our_recognized_usd,
        ours.n_pieces,
        ours.n_unknown,
        coalesce(fees.fees_usd, 0) as fees_usd,
        (theirs.reported_gain_usd - ours.gain_usd)::decimal(20, 6) as difference_usd,
        -- a cent per row on either side: brokers round each lot
        0.01 * (theirs.n_reported + coalesce(ours.n_pieces, 1)) as tolerance_usd
    from theirs
    left join ours
        on
            theirs.account_id = ours.account_id
            and theirs.sale_transaction_id = ours.sale_transaction_id
    left join fees on theirs.sale_transaction_id = fees.transaction_id

)

select
    account_id,
    asset_id,
    trade_date,
    sale_transaction_id,
    as_of_date,
    level as reported_level,
    reported_quantity,
    reported_proceeds_usd,
    reported_cost_basis_usd,
    reported_gain_usd,
    our_quantity,
    our_proceeds_usd,
    our_cost_basis_usd,
    our_gain_usd,
    our_disallowed_usd,
    our_recognized_usd,
    difference_usd,
    case
        when our_quantity is null then 'not_in_ledger'
        when n_unknown > 0 then 'unknown_basis'
        when difference_usd = 0 and our_disallowed_usd <> 0 then 'wash_sale'
        when difference_usd = 0 then 'none'
        when
            our_disallowed_usd <> 0
            and abs(reported_gain_usd - our_recognized_usd) <= tolerance_usd then 'wash_sale'
        when abs(difference_usd) <= tolerance_usd then 'rounding'
        when abs(our_quantity - reported_quantity) > 0.000001 then 'quantity'
        when abs(abs(difference_usd) - fees_usd) <= tolerance_usd and fees_usd > 0 then 'fees'
        when
            abs(reported_proceeds_usd - our_proceeds_usd) > tolerance_usd
            and abs(abs(reported_proceeds_usd - our_proceeds_usd) - abs(difference_usd)) <= tolerance_usd
            then 'proceeds'
        when our_disallowed_usd <> 0 then 'wash_sale'
        when abs(coalesce(reported_cost_basis_usd, reported_proceeds_usd - reported_gain_usd) - our_cost_basis_usd)
            > tolerance_usd then 'lot_method'
        else 'unexplained'
    end as difference_reason,
    source_file
from compared
