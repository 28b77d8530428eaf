with

source as (

    select * from {{ source('ml', 'tax_unit_years') }}

),

renamed as (

    select
        ---------- ids
        tax_unit_id,

        ---------- text
        status,
        reason,
        rate_assumption,
        not_modelled,

        ---------- numerics
        tax_year,
        st_net_usd,
        lt_net_usd,
        ordinary_dividends_usd,
        qualified_dividends_usd,
        interest_usd,
        disallowed_usd,
        provisional_disallowed_usd,
        st_carryover_usd,
        lt_carryover_usd,
        st_rate,
        lt_rate,

        ---------- times
        as_of_date

    from source

)

select * from renamed
