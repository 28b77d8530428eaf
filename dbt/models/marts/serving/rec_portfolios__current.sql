with

portfolios as (

    select * from {{ ref('stg_ml__rec_portfolios') }}

),

latest as (

    select max(as_of_date) as as_of_date from {{ ref('stg_ml__audit_nights') }}

)

select
    portfolios.as_of_date,
    portfolios.account_id,
    portfolios.recommendation_id,
    portfolios.user_id,
    portfolios.household_id,
    portfolios.status,
    portfolios.reason,
    portfolios.p_short_term_alpha,
    portfolios.p_short_term_gain,
    portfolios.p_long_term_gain,
    portfolios.p_capital_preservation,
    portfolios.p_tax_loss_harvesting,
    portfolios.p_long_term_gains_only,
    portfolios.revealed_short_term_alpha,
    portfolios.revealed_short_term_gain,
    portfolios.revealed_long_term_gain,
    portfolios.revealed_capital_preservation,
    portfolios.revealed_tax_loss_harvesting,
    portfolios.revealed_long_term_gains_only,
    portfolios.identified,
    portfolios.confidence,
    portfolios.stated_objective,
    portfolios.n_revealed,
    portfolios.n_stated,
    portfolios.disagreement,
    portfolios.e_momentum,
    portfolios.e_growth,
    portfolios.e_defensive,
    portfolios.e_tax_aware,
    portfolios.turnover_ratio,
    portfolios.expected_tax_usd,
    portfolios.harvested_loss_usd,
    portfolios.n_orders,
    portfolios.policy_id
from portfolios
inner join latest on portfolios.as_of_date = latest.as_of_date
