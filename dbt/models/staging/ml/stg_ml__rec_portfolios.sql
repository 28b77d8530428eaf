with

source as (

    select * from {{ source('ml', 'rec_portfolios') }}

),

renamed as (

    select
        ---------- ids
        account_id,
        recommendation_id,
        user_id,
        household_id,

        ---------- text
        status,
        reason,
        stated_objective,

        ---------- numerics
        p_short_term_alpha,
        p_short_term_gain,
        p_long_term_gain,
        p_capital_preservation,
        p_tax_loss_harvesting,
        p_long_term_gains_only,
        revealed_short_term_alpha,
        revealed_short_term_gain,
        revealed_long_term_gain,
        revealed_capital_preservation,
        revealed_tax_loss_harvesting,
        revealed_long_term_gains_only,
        confidence,
        n_revealed,
        n_stated,
        disagreement,
        e_momentum,
        e_growth,
        e_defensive,
        e_tax_aware,
        turnover_ratio,
        expected_tax_usd,
        harvested_loss_usd,
        n_orders,
        policy_id,

        ---------- booleans
        identified,

        ---------- times
        as_of_date

    from source

)

select * from renamed
