"""Pandera contracts of ``ml.trials`` and ``ml.backtest_results``: the last gate before they are written.

Pandera takes two seconds to import and is imported on first use.
"""

import functools
from typing import TYPE_CHECKING, Any

import polars as pl

from ml.types import OBJECTIVES

if TYPE_CHECKING:
    from pandera.polars import DataFrameSchema

# Null where a figure does not exist: an opened test without results yet, a score without a benchmark.
_ALWAYS = ("trial_id", "source", "window_name", "strategy", "objective", "cost_bp", "profile", "law", "seed")
_POSITIVE = ("final_wealth_usd", "final_pretax_usd")
_NOT_NEGATIVE = (
    *(
        "volatility_weekly_log",
        "volatility_ann",
        "turnover_year_ratio",
        "active_share_mean",
        "harvested_loss_usd",
    ),
    *("disallowed_usd", "voluntary_short_gain_usd", "involuntary_short_gain_usd", "costs_usd", "cost_bp"),
)


@functools.cache
def contract_of(table: str) -> "DataFrameSchema":
    """The contract of a table.

    Parameters
    ----------
    table : {"trials", "backtest_results"}
    """
    import pandera.polars as pa

    from ml.backtest.tables import RESULTS_SCHEMA
    from ml.backtest.trials import STATUSES, TRIALS_SCHEMA

    schema = {"trials": TRIALS_SCHEMA, "backtest_results": RESULTS_SCHEMA}[table]
    allowed = {
        "objective": [*OBJECTIVES, "none"],
        "law": ["law_2026", "actual"],
        "status": list(STATUSES),
    }

    def checks(name: str) -> list[Any]:
        found = [pa.Check.isin(allowed[name])] if name in allowed else []
        found += [pa.Check.gt(0)] if name in _POSITIVE else []
        return found + ([pa.Check.ge(0)] if name in _NOT_NEGATIVE else [])

    columns = {
        name: pa.Column(dtype, checks(name), nullable=name not in (*_ALWAYS, "status"))
        for name, dtype in schema.items()
    }
    return pa.DataFrameSchema(columns, name=f"ml.{table}", strict=True, unique=["trial_id"])


def checked(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Validate rows.

    Raises
    ------
    pandera.errors.SchemaErrors
        Rows that break the contract; each is named.
    """
    return contract_of(table).validate(frame, lazy=True)
