"""The scores that strategies are judged by, each with its interval, and paired differences of all of them.

What belongs here: from weekly paths to estimates and bounds. What does not: what a score is
(``score_definitions.py``), how an interval is made (``intervals.py``), which trials are compared
(``ml/backtest/report``).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from ml.backtest.results import BacktestResult
from ml.backtest.statistics.intervals import Interval, drawdown_interval, studentised_interval, undefined
from ml.backtest.statistics.resample import DEFAULT_DRAWS, as_series
from ml.backtest.statistics.score_definitions import MAX_DRAWDOWN, NO_PEER, SCORES, Score, ScoreError
from ml.backtest.statistics.sharpe import difference

# An interval from fewer weeks than half a year would only look like one.
MIN_WEEKS: Final = 26


def score_interval(
    name: str,
    log_returns: np.ndarray,
    benchmark: np.ndarray | None = None,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
) -> Interval:
    """Score one strategy.

    Parameters
    ----------
    name : str
        Key of :data:`SCORES`.
    log_returns : ndarray of shape (n,)
        Weekly log differences of wealth V.
    benchmark : ndarray of shape (n,), optional
        Of the same weeks; needed by scores that compare.
    draws, seed : int

    Returns
    -------
    Interval
        Undefined below :data:`MIN_WEEKS` weeks, and where the score does not exist (a ratio without variance).

    Raises
    ------
    ScoreError
        An unknown score, or no benchmark where one is needed.
    """
    score, paths = _checked(name, log_returns, benchmark)
    if len(paths[0]) < MIN_WEEKS:
        return undefined(len(paths[0]))
    if name == MAX_DRAWDOWN:
        return drawdown_interval(paths[0], draws=draws, seed=seed)
    return studentised_interval(score.rows(paths[0], paths[-1]), score.function, draws=draws, seed=seed)


def score_difference(
    name: str,
    first: np.ndarray,
    second: np.ndarray,
    benchmark: np.ndarray | None = None,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
) -> Interval:
    """Compare the scores of two strategies over the same weeks, pairwise.

    Parameters
    ----------
    name : str
        Key of :data:`SCORES`.
    first, second : ndarray of shape (n,)
        Weekly log differences of wealth.
    benchmark : ndarray of shape (n,), optional
        Needed by scores that compare with one.
    draws, seed : int

    Returns
    -------
    Interval
        first - second in the score's unit; common resamples, so that what both share cancels.
    """
    score, paths = _checked(name, first, second, benchmark)
    if len(paths[0]) < MIN_WEEKS:
        return undefined(len(paths[0]))
    if name == MAX_DRAWDOWN:
        return drawdown_interval(paths[0], paths[1], draws=draws, seed=seed)
    peer = paths[-1] if benchmark is not None else None
    rows = np.concatenate([score.rows(paths[0], peer), score.rows(paths[1], peer)], axis=1)
    both = difference(score.function, score.function, rows.shape[1] // 2)
    return studentised_interval(rows, both, draws=draws, seed=seed)


def all_scores(
    log_returns: np.ndarray,
    benchmark: np.ndarray | None = None,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return every score of a strategy; those that compare are undefined without a benchmark."""
    return {
        name: (
            undefined(len(log_returns))
            if score.needs_benchmark and benchmark is None
            else score_interval(name, log_returns, benchmark, draws=draws, seed=seed)
        )
        for name, score in SCORES.items()
    }


def score_columns() -> tuple[str, ...]:
    """Return the columns of :func:`score_row`, in order."""
    return tuple(f"{name}{suffix}" for name in SCORES for suffix in ("", "_lower95", "_upper95"))


def score_row(
    result: BacktestResult, benchmark: BacktestResult | None, *, draws: int = DEFAULT_DRAWS, seed: int = 0
) -> dict[str, float]:
    """Return a trial's scores as flat columns, nan where one is not defined.

    Parameters
    ----------
    result : BacktestResult
    benchmark : BacktestResult, optional
        Same window, costs, profile and law; may be the trial itself.
    draws, seed : int
    """
    peer = None if benchmark is None else paired_log_returns(benchmark, result)
    found = all_scores(weekly_log_returns(result), peer, draws=draws, seed=seed)
    out: dict[str, float] = {}
    for name, interval in found.items():
        bounds = (interval.estimate, interval.lower95, interval.upper95)
        out |= dict(zip((name, f"{name}_lower95", f"{name}_upper95"), bounds, strict=True))
    return out


def weekly_log_returns(result: BacktestResult) -> np.ndarray:
    """Return the weekly log differences of a trial's accrued after-tax wealth, (T - 1,).

    Raises
    ------
    ScoreError
        Wealth that is not positive: nothing is left to grow.
    """
    bad = ~(result.wealth_usd > 0)
    if bad.any():
        at = int(np.argmax(bad))
        raise ScoreError(
            f"wealth of {result.key} is {result.wealth_usd[at]} on {result.dates[at]}: no log return"
        )
    return np.diff(np.log(result.wealth_usd))


def paired_log_returns(benchmark: BacktestResult, result: BacktestResult) -> np.ndarray:
    """Return the benchmark's weekly log differences after checking that its weeks are the trial's.

    Raises
    ------
    ScoreError
        The two trials have other dates.
    """
    if not np.array_equal(benchmark.dates, result.dates):
        raise ScoreError(
            f"{benchmark.key} ends its weeks on {benchmark.dates[[0, -1]]}, {result.key} on {result.dates[[0, -1]]}: "
            "run both on the same panel"
        )
    return weekly_log_returns(benchmark)


def pooled_log_returns(results: Sequence[BacktestResult]) -> np.ndarray:
    """Return the weekly log differences of several windows one after the other, by their dates.

    Wealth V is what is left after selling everything; joining windows is selling out at the end of one and starting
    anew in the next.
    """
    ordered = sorted(results, key=lambda result: result.dates[0])
    return np.concatenate([weekly_log_returns(result) for result in ordered])


def chose_short_gains(result: BacktestResult) -> bool:
    """Return whether the strategy chose to realise a short-term gain: then it is no ``long_term_gains_only``."""
    return bool((result.voluntary_short_gain_usd > 0).any())


def _checked(name: str, *paths: np.ndarray | None) -> tuple[Score, list[np.ndarray]]:
    if name not in SCORES:
        raise ScoreError(f"score {name!r} is unknown: use one of {', '.join(SCORES)}")
    score = SCORES[name]
    if score.needs_benchmark and paths[-1] is None:
        raise ScoreError(f"{name}: {NO_PEER}")
    given = [as_series(path, name) for path in paths if path is not None]
    if len({len(path) for path in given}) > 1:
        raise ScoreError(
            f"{name}: paths have {[len(path) for path in given]} weeks; give the same weeks of each"
        )
    return score, given
