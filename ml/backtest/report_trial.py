"""From a simulated path to the record of each trial: weekly accrued wealth, yearly exact tax figures.

What belongs here: reading a :class:`~ml.backtest.simulate.Path` through the exact ledger. What does not: the
formula of V (``wealth.py``), files (``results.py``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ml.backtest.ledger import ExactBooks, LedgerError, holdings_of, run_exact
from ml.backtest.panel import BacktestPanel
from ml.backtest.profiles import PROFILES, YearTax, year_tax
from ml.backtest.results import BacktestResult, TrialKey
from ml.backtest.simulate import Path, taxes_of_year
from ml.backtest.walk_forward import SESSIONS_A_YEAR, Window, week_ends
from ml.backtest.wealth import Accrual, WeeklyResults, accrued_tax, weekly_results
from ml.tax.bulk import columns as c
from ml.tax.units import USD


def trial_results(
    path: Path,
    panel: BacktestPanel,
    window: Window,
    keys: Sequence[TrialKey],
    metas: Sequence[Mapping[str, Any]],
) -> list[BacktestResult]:
    """Account for a path.

    Parameters
    ----------
    path : Path
    panel : BacktestPanel
        The one that was simulated on.
    window : Window
    keys : sequence of TrialKey
    metas : sequence of mapping
        Of each trial, with ``trial_id``; figures of the whole path are added.

    Raises
    ------
    LedgerError
        The ledger's final figures of a year differ from what was paid for it.
    """
    exact = run_exact(path.log)
    ends = week_ends(panel.dates, window)
    weekly = weekly_results(exact, holdings_of(exact), panel.days[ends], panel.price[ends])
    taxes = _all_taxes(exact, path, keys)
    figures = _yearly_figures(exact, path)
    return [
        _account(a, path, panel, window, ends, weekly, taxes, figures, key, dict(meta))
        for a, (key, meta) in enumerate(zip(keys, metas, strict=True))
    ]


def _all_taxes(exact: ExactBooks, path: Path, keys: Sequence[TrialKey]) -> dict[int, list[YearTax]]:
    """Taxes of every year from the final books; those that were paid must not have changed since."""
    profiles = [PROFILES[key.profile] for key in keys]
    found = taxes_of_year(exact, path, profiles, keys, path.years.tolist())
    for year, paid in path.settled.items():
        if paid != found[year]:
            a = next(i for i, (x, y) in enumerate(zip(paid, found[year], strict=True)) if x != y)
            raise LedgerError(
                f"{keys[a]}: tax of {year} was settled as {paid[a]} and is {found[year][a]} in the final books; "
                "report it as a defect"
            )
    return found


def _yearly_figures(exact: ExactBooks, path: Path) -> dict[str, np.ndarray]:
    """Yearly sums of pieces by account, (A, Y) in USD."""
    first, years = int(path.years[0]), len(path.years)
    every = np.ones(exact.books.pieces.shape[1], bool)
    gains = ~exact.is_long & (exact.recognised > 0)

    def sums(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return exact.yearly(values, chosen, first, years) / USD

    return {
        "realized_short_usd": sums(exact.recognised, ~exact.is_long),
        "realized_long_usd": sums(exact.recognised, exact.is_long),
        "harvested_loss_usd": sums(-exact.gain, exact.gain < 0),
        "disallowed_usd": sums(exact.books.pieces_wide[c.Q_DISALLOWED], every),
        "voluntary_short_gain_usd": sums(exact.recognised, gains & ~exact.is_forced),
        "involuntary_short_gain_usd": sums(exact.recognised, gains & exact.is_forced),
    }


def _account(
    a: int,
    path: Path,
    panel: BacktestPanel,
    window: Window,
    ends: np.ndarray,
    weekly: WeeklyResults,
    taxes: dict[int, list[YearTax]],
    figures: dict[str, np.ndarray],
    key: TrialKey,
    meta: dict[str, Any],
) -> BacktestResult:
    """The record of one account."""
    profile, places = PROFILES[key.profile], ends - window.start
    week_years = panel.dates[ends].astype("datetime64[Y]").astype(np.int64) + 1970
    accrual = Accrual(
        profile,
        key.law,
        {y + 1: (t[a].carry_short / USD, t[a].carry_long / USD) for y, t in taxes.items()},
        np.column_stack([path.accrued_interest[a, places], _interest_before(path, a, week_years)]),
        np.array([_is_owed(path, int(y), int(s)) for y, s in zip(week_years, ends, strict=True)]),
    )
    tax = accrued_tax(accrual, week_years, weekly.running[a], weekly.before[a], weekly.unrealised[a])
    pretax = path.value[a, places]
    growth = np.cumprod(1.0 + panel.cash_return[window.start + 1 : window.end + 1])
    growth = np.append(1.0, growth)[places]
    due = [t[a] for t in taxes.values()]
    whole = panel.dates[window.start : window.end + 1].astype("datetime64[Y]").astype(np.int64) + 1970
    yearly = {name: values[a] for name, values in figures.items()}
    meta["daily"] = daily_figures(path.value[a], panel.cash_return[window.start + 1 : window.end + 1])
    meta["final"] = _final(a, path, key, weekly, taxes, pretax[-1])
    return BacktestResult(
        key=key,
        dates=panel.dates[ends],
        wealth_usd=pretax - tax,
        wealth_pretax_usd=pretax,
        cash_weight=path.cash_weight[a, places],
        turnover=_by_interval(path.turnover[a], places),
        active_share=path.active_share[a, places],
        risk_free_return=np.append(0.0, growth[1:] / growth[:-1] - 1.0),
        costs_usd=_by_interval(path.cost[a], places),
        liquidation_tax_usd=tax,
        tax_years=path.years,
        tax_due_usd=np.array([t.total for t in due]) / USD,
        federal_usd=np.array([t.federal for t in due]) / USD,
        niit_usd=np.array([t.niit for t in due]) / USD,
        state_usd=np.array([t.state for t in due]) / USD,
        tax_paid_usd=path.tax_paid[a] / USD,
        turnover_year=np.array([path.turnover[a][whole == y].sum() for y in path.years]),
        carry_short_usd=np.array([t.carry_short for t in due]) / USD,
        carry_long_usd=np.array([t.carry_long for t in due]) / USD,
        meta=meta,
        **yearly,
    )


def _by_interval(daily: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sums since the entry before; the first entry is its own session."""
    total = np.cumsum(daily)[places]
    return np.diff(total, prepend=0.0)


def _interest_before(path: Path, a: int, week_years: np.ndarray) -> np.ndarray:
    """Interest of the year before each week's, USD."""
    place = week_years - int(path.years[0]) - 1
    return np.where(place >= 0, path.interest[a, np.maximum(place, 0)] / USD, 0.0)


def _is_owed(path: Path, year: int, session: int) -> bool:
    """Whether tax of the year before is still to be paid after a session's close."""
    paid = path.paid_session.get(year - 1)
    return year - 1 >= path.years[0] and (paid is None or session < paid)


def daily_figures(value: np.ndarray, cash_return: np.ndarray) -> dict[str, float]:
    """Yearly return, volatility and Sharpe ratios of daily values before accrued tax.

    Parameters
    ----------
    value : ndarray of shape (S,)
        Value at each close from the start on.
    cash_return : ndarray of shape (S - 1,)
        Simple return of cash.

    Returns
    -------
    dict of str to float
        ``sharpe_rf0`` over zero, ``sharpe`` over cash: mean over standard deviation of simple daily returns,
        times the root of 252; 0 where nothing varies.
    """
    returns = value[1:] / value[:-1] - 1.0
    spread = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    excess = returns - cash_return
    excess_spread = float(excess.std(ddof=1)) if len(returns) > 1 else 0.0
    root = np.sqrt(SESSIONS_A_YEAR)
    return {
        "return_ann": float(returns.mean() * SESSIONS_A_YEAR),
        "volatility_ann": float(spread * root),
        "sharpe_rf0": float(returns.mean() / spread * root) if spread > 1e-12 else 0.0,
        "sharpe": float(excess.mean() / excess_spread * root) if excess_spread > 1e-9 else 0.0,
    }


def _final(
    a: int, path: Path, key: TrialKey, weekly: WeeklyResults, taxes: dict[int, list[YearTax]], pretax: float
) -> dict[str, float]:
    """Wealth after an actual sale of everything at the end, by brackets instead of marginal rates."""
    profile, last = PROFILES[key.profile], int(path.years[-1])
    before = taxes.get(last - 1)
    carry = (0, 0) if before is None else (before[a].carry_short, before[a].carry_long)
    short, long = (weekly.running[a, -1] + weekly.unrealised[a, -1]) * USD
    sold = year_tax(profile, key.law, last, round(short), round(long), int(path.interest[a, -1]), carry)
    owed = 0
    if before is not None and last - 1 not in path.paid_session:
        owed = before[a].total
    return {
        "sold_tax_usd": (sold.total + owed) / USD,
        "sold_wealth_usd": float(pretax - (sold.total + owed) / USD),
    }
