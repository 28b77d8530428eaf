"""Trials with given weekly returns, for tests of statistics and pages."""

from dataclasses import astuple

import numpy as np

from ml.backtest.results import WEEKLY, BacktestResult, TrialKey, array_names


def make_trial(
    strategy: str,
    *,
    log_returns: np.ndarray,
    window: str = "development_2002_2004",
    objective: str = "none",
    cost_bp: int = 10,
    profile: str = "P1",
    law: str = "law_2026",
    seed: int = 0,
    start: str = "2002-01-04",
    tax_share: float = 0.02,
    turnover: float = 0.01,
    cash_weight: float = 0.0,
    **yearly: float,
) -> BacktestResult:
    """A trial whose wealth grows by the given weekly log returns; yearly figures are constants or 0."""
    wealth = 100_000 * np.exp(np.concatenate([[0.0], np.cumsum(log_returns)]))
    weeks = len(wealth)
    dates = np.datetime64(start) + 7 * np.arange(weeks)
    years = np.unique(dates.astype("datetime64[Y]").astype(int) + 1970)
    arrays = {name: np.zeros(weeks if name in WEEKLY else len(years)) for name in array_names()}
    arrays |= {
        "dates": dates.astype("datetime64[D]"),
        "tax_years": years.astype(np.int64),
        "wealth_usd": wealth,
        "wealth_pretax_usd": wealth * (1 + tax_share),
        "liquidation_tax_usd": wealth * tax_share,
        "turnover": np.full(weeks, turnover),
        "cash_weight": np.full(weeks, cash_weight),
        "turnover_year": np.full(len(years), 52 * turnover),
    }
    arrays |= {name: np.full(len(years), value) for name, value in yearly.items()}
    key = TrialKey(window, strategy, objective, cost_bp, profile, law, seed)
    return BacktestResult(key, **arrays, meta={"trial_id": "-".join(str(part) for part in astuple(key))})
