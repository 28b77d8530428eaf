{#- The columns together name at most one row, none of them null unless `nullable` says so. With `rows: built`, of a
    model of the feature chain only the rows that this build wrote are read: the others were when they were written. -#}
{% test unique_key(model, columns, rows='all', nullable=[]) %}
select {{ columns | join(', ') }}, count(*) as n_rows
from {{ model }}
{% if rows == 'built' %}where {{ built_rows() }}{% endif %}
group by all
having count(*) > 1
{%- for column in columns if column not in nullable %} or {{ column }} is null{% endfor %}
{% endtest %}
