"""Which columns the columns of schema ``ml`` come from: what no parser can read out of Python.

What belongs here: one entry for every column of every table that a Python step writes, with the columns
that its value is computed from, or the reason why there are none. What does not: lineage of dbt models,
which is read from their SQL (``column_lineage.py``), and how both become rows (``lineage_rows.py``).

A source is a column that a value is computed from or decided by. A column that only selects rows (keys
of joins, ``known_at``) is left out, as sqlglot leaves it out of the lineage of SQL. Tests hold that the
entries are complete, that every source exists and that the step's asset depends on its table.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from dagster_project.ml_tables import ml_tables
from dagster_project.python_lineage.backtest import BACKTEST_LINEAGE
from dagster_project.python_lineage.declared import Declared, Source, TableLineage
from dagster_project.python_lineage.learned import LEARNED_COLUMNS, LEARNED_STEPS, LEARNED_TABLES
from dagster_project.python_lineage.steps import STEP_LINEAGE
from dagster_project.python_lineage.tax import TAX_LINEAGE

__all__ = ["Declared", "Source", "TableLineage", "python_lineage"]


def python_lineage(tables: Mapping[str, Collection[str]] | None = None) -> dict[str, TableLineage]:
    """Declared lineage of the tables of schema ``ml``.

    Parameters
    ----------
    tables : mapping of str to collection of str, optional
        The columns of each table that exists; ``ml_tables()`` if not given. Entries of the learned models
        count where their tables and columns are among them.

    Returns
    -------
    dict of str to dict of str to Declared
        By table, by column.
    """
    existing = ml_tables() if tables is None else tables
    found = {**STEP_LINEAGE, **TAX_LINEAGE, **BACKTEST_LINEAGE}
    for table, columns in (*LEARNED_TABLES.items(), *LEARNED_COLUMNS.items()):
        known = {name: declared for name, declared in columns.items() if name in existing.get(table, ())}
        if known:
            found[table] = {**found.get(table, {}), **known}
    for step in LEARNED_STEPS:
        if not {source.table for source in step.sources} <= {f"ml.{name}" for name in existing}:
            continue
        for table, decides in step.columns.items():
            decided = {column: _decided(found[table][column], step.sources, step.via) for column in decides}
            found[table] = {**found[table], **decided}
    return found


def _decided(declared: Declared, added: tuple[Source, ...], via: str) -> Declared:
    sources = tuple(sorted({*declared.sources, *added}))
    return replace(declared, sources=sources, via=via, kind="model")
