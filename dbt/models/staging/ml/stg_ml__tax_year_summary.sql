with

source as (

    select * from {{ source('ml', 'tax_year_summary') }}

),

renamed as (

    select
        ---------- ids
        tax_unit_id,

        ---------- text
        status,
        reason,
        filing_status,
        state,
        rate_assumption,
        not_modelled,

        ---------- numerics
        tax_year,
        st_gain_usd,
        lt_gain_usd,
        capital_gain_distributions_usd,
        st_carryover_in_usd,
        lt_carryover_in_usd,
        st_net_usd,
        lt_net_usd,
        net_usd,
        loss_limit_usd,
        loss_deduction_usd,
        st_carryover_usd,
        lt_carryover_usd,
        ordinary_dividends_usd,
        qualified_dividends_usd,
        interest_usd,
        disallowed_usd,
        provisional_disallowed_usd,
        federal_tax_usd,
        niit_usd,
        state_tax_usd,
        total_federal_tax_usd,
        total_niit_usd,
        total_state_tax_usd,
        st_rate,
        lt_rate,

        ---------- booleans
        is_income_known,

        ---------- times
        as_of_date

    from source

)

select * from renamed
