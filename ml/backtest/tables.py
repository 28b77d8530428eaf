"""Rows of ``ml.backtest_results``: every trial with its scores against equal weight.

What belongs here: which benchmark a trial is scored against, the table's columns. What does not: what a score is
(``statistics/scores.py``), the log of trials (``trials.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl

from ml.backtest.results import BacktestResult, TrialKey
from ml.backtest.statistics.scores import MIN_WEEKS, score_columns, score_row
from ml.backtest.strategies import NO_OBJECTIVE

BENCHMARK: Final = "equal_weight_monthly"
_TOTALS: Final = (
    "tax_due_usd",
    "tax_paid_usd",
    "realized_short_usd",
    "realized_long_usd",
    "harvested_loss_usd",
    "disallowed_usd",
    "voluntary_short_gain_usd",
    "involuntary_short_gain_usd",
    "costs_usd",
)
RESULTS_SCHEMA: Final = {
    "trial_id": pl.String,
    "source": pl.String,
    "window_name": pl.String,
    "strategy": pl.String,
    "objective": pl.String,
    "cost_bp": pl.Int32,
    "profile": pl.String,
    "law": pl.String,
    "seed": pl.Int64,
    "benchmark_strategy": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "final_wealth_usd": pl.Float64,
    "final_pretax_usd": pl.Float64,
    "final_sold_usd": pl.Float64,
    "return_ann_ratio": pl.Float64,
    "volatility_ann": pl.Float64,
    "sharpe_pretax": pl.Float64,
    "sharpe_pretax_rf0": pl.Float64,
    "turnover_year_ratio": pl.Float64,
    "active_share_mean": pl.Float64,
    **dict.fromkeys(_TOTALS, pl.Float64),
    **dict.fromkeys(score_columns(), pl.Float64),
}


def result_rows(
    results: Sequence[BacktestResult], *, on_progress: Callable[[int, int], None] | None = None
) -> pl.DataFrame:
    """Score every trial.

    Parameters
    ----------
    results : sequence of BacktestResult
        Of one run; a trial whose window, cost, profile and law lack :data:`BENCHMARK` has no scores that compare.
    on_progress : callable, optional
        Called with trials done and all.

    Returns
    -------
    polars.DataFrame
        :data:`RESULTS_SCHEMA`, in the order of keys; scores that are not defined are null.
    """
    by_key = {result.key: result for result in results}
    rows = []
    for number, key in enumerate(sorted(by_key)):
        rows.append(_row(by_key[key], by_key.get(benchmark_key(key))))
        if on_progress is not None:
            on_progress(number + 1, len(by_key))
    frame = pl.DataFrame(rows, schema=RESULTS_SCHEMA)
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def benchmark_key(key: TrialKey) -> TrialKey:
    """The trial of equal weight on the same window, costs, profile and law."""
    return replace(key, strategy=BENCHMARK, objective=NO_OBJECTIVE, seed=0)


def _row(result: BacktestResult, benchmark: BacktestResult | None) -> dict[str, Any]:
    key, daily = result.key, result.meta["daily"]
    return {
        "trial_id": result.trial_id,
        "source": result.meta["source"],
        "window_name": key.window,
        **{
            name: getattr(key, name)
            for name in ("strategy", "objective", "cost_bp", "profile", "law", "seed")
        },
        "benchmark_strategy": None if benchmark is None else BENCHMARK,
        "start_date": result.dates[0].astype(object),
        "end_date": result.dates[-1].astype(object),
        "final_wealth_usd": float(result.wealth_usd[-1]),
        "final_pretax_usd": float(result.wealth_pretax_usd[-1]),
        "final_sold_usd": result.meta["final"]["sold_wealth_usd"],
        "return_ann_ratio": daily["return_ann"],
        "volatility_ann": daily["volatility_ann"],
        "sharpe_pretax": daily["sharpe"],
        "sharpe_pretax_rf0": daily["sharpe_rf0"],
        "turnover_year_ratio": float(result.turnover_year.mean()),
        "active_share_mean": float(result.active_share[1:].mean()),
        **{name: float(getattr(result, name).sum()) for name in _TOTALS},
        **_scores(result, benchmark),
    }


def _scores(result: BacktestResult, benchmark: BacktestResult | None) -> dict[str, float]:
    """Scores and bounds; undefined where a window is too short for any (the paper's 14 days)."""
    if len(result.dates) - 1 < MIN_WEEKS:
        return dict.fromkeys(score_columns(), float("nan"))
    return score_row(result, benchmark)
