"""Lineage of the backtest's tables: from bars and rates to trials to scores.

What belongs here: ``ml.trials`` and ``ml.backtest_results``. A backtest reads the rows of its source through the raw
contracts; its figures come from the columns that those contracts name.
"""

from typing import Final

from dagster_project.python_lineage.declared import Sources, TableLineage, columns_of, each, made_by
from ml.backtest.statistics.scores import score_columns
from ml.backtest.tables import RESULTS_SCHEMA
from ml.backtest.trials import TRIALS_SCHEMA

_BARS: Final = columns_of(
    "raw.market__daily_bars", "open", "close", "adjusted_close", "trade_date", "asset_id"
)
_PATH: Final[Sources] = (
    _BARS
    + columns_of("raw.market__rates", "rate_pct", "rate_date")
    + columns_of(
        "raw.market__corporate_actions",
        "cash_per_share_usd",
        "ratio_new",
        "ratio_old",
        "basis_fraction",
        "ex_date",
    )
    + columns_of("raw.market__assets", "asset_class", "sector")
)
_SETTINGS: Final = (
    "source", "window_name", "strategy", "objective", "cost_bp", "profile", "law", "seed", "test_tag", "is_test",
)  # fmt: skip
_DAYS: Final = ("start_date", "end_date", "weeks")
_OF_TRIALS: Final = ("trial_id", "source", "window_name", "strategy", "objective", "cost_bp", "profile", "law", "seed",
                     "start_date", "end_date", "final_wealth_usd", "final_pretax_usd")  # fmt: skip
_FIGURES: Final = tuple(
    name
    for name in TRIALS_SCHEMA
    if name not in (*_SETTINGS, *_DAYS, "trial_id", "status", "data_digest", "code_version")
)
_SCORED: Final = columns_of(
    "ml.trials", "trial_id", "final_wealth_usd", "mean_weekly_log", "volatility_weekly_log"
)

BACKTEST_LINEAGE: Final[dict[str, TableLineage]] = {
    "trials": made_by(
        "backtest",
        {
            **each(_SETTINGS, "settings"),
            "status": "run",
            "code_version": "code",
            **each(("trial_id", "data_digest", *_FIGURES), _PATH),
            **each(_DAYS, columns_of("raw.market__daily_bars", "trade_date")),
        },
    ),
    "backtest_results": made_by(
        "backtest",
        {
            **{name: columns_of("ml.trials", name) for name in _OF_TRIALS},
            "benchmark_strategy": "settings",
            **each(
                [
                    name
                    for name in RESULTS_SCHEMA
                    if name not in (*_OF_TRIALS, "benchmark_strategy", *score_columns())
                ],
                _SCORED,
            ),
            **each(score_columns(), _SCORED),
        },
    ),
}
