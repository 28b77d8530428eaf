{#- Two-day high-low spread of Corwin and Schultz (2012), "A simple way to estimate bid-ask spreads from daily high and
    low prices", Journal of Finance 67(2), equations 14 and 18; negative estimates count as zero.
    `beta` is the sum of two days' squared log ranges, `gamma` the squared log range of both days together. -#}
{% macro corwin_schultz_spread(beta, gamma) -%}
    {%- set k = '(3 - 2 * sqrt(2))' -%}
    {%- set alpha = '((sqrt(2 * ' ~ beta ~ ') - sqrt(' ~ beta ~ ')) / ' ~ k ~ ' - sqrt(' ~ gamma ~ ' / ' ~ k ~ '))' -%}
    {#- 2 (e^a - 1) / (1 + e^a) is 2 tanh(a / 2) -#}
    if({{ beta }} is null or {{ gamma }} is null, null, 2 * tanh(greatest({{ alpha }}, 0) / 2))
{%- endmacro %}
