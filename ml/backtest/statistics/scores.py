"""The scores that strategies are judged by, each with its interval, and paired differences of all of them.

What belongs here: what a score is, from weekly paths to estimate and bounds. What does not: how an interval is
made (``intervals.py``), which trials are compared (``ml/backtest/report``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.results import BacktestResult
from ml.backtest.statistics.intervals import (
    MEAN,
    Interval,
    SmoothFunction,
    drawdown_interval,
    studentised_interval,
    undefined,
)
from ml.backtest.statistics.resample import DEFAULT_DRAWS, as_series
from ml.backtest.statistics.sharpe import SHARPE, WEEKS_PER_YEAR, difference, sharpe_moments

GAIN_WEEKS: Final = 13  # a quarter of 52 weeks, as 63 sessions are of 252
TAIL_SHARE: Final = 0.05
# An interval from fewer weeks than half a year would only look like one.
MIN_WEEKS: Final = 26
_NO_PEER: Final = "this score compares with a benchmark: give its weekly log returns of the same weeks"


class ScoreError(ValueError):
    """Paths that cannot be scored; the message names them and what is wrong."""


@dataclass(frozen=True, slots=True)
class Score:
    """One score: a function of means of weekly rows.

    Attributes
    ----------
    name : str
        Column; its bounds are ``<name>_lower95`` and ``<name>_upper95``.
    label, unit : str
        For readers.
    objectives : tuple of str
        Objectives that are judged by it.
    higher_is_better : bool
    needs_benchmark : bool
        Whether it is made of differences from a benchmark.
    rows : callable
        (log returns (n,), benchmark's (n,) or None) to rows (m, K).
    function : SmoothFunction
        Of the rows' means.
    """

    name: str
    label: str
    unit: str
    objectives: tuple[str, ...]
    higher_is_better: bool
    needs_benchmark: bool
    rows: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    function: SmoothFunction


def _scaled(factor: float) -> SmoothFunction:
    return SmoothFunction(lambda m: factor * m[..., 0], lambda m: np.full_like(m, factor))


def _annual_growth_pct() -> SmoothFunction:
    def value(m: np.ndarray) -> np.ndarray:
        return 100 * np.expm1(WEEKS_PER_YEAR * m[..., 0])

    def gradient(m: np.ndarray) -> np.ndarray:
        return 100 * WEEKS_PER_YEAR * np.exp(WEEKS_PER_YEAR * m)

    return SmoothFunction(value, gradient)


def _annual_deviation_pct() -> SmoothFunction:
    scale = 100 * math.sqrt(WEEKS_PER_YEAR)

    def value(m: np.ndarray) -> np.ndarray:
        return scale * np.sqrt(np.maximum(m[..., 1] - m[..., 0] ** 2, 0))

    def gradient(m: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            deviation = np.sqrt(np.maximum(m[..., 1] - m[..., 0] ** 2, 0))
            return scale * np.stack([-m[..., 0] / deviation, 0.5 / deviation], axis=-1)

    return SmoothFunction(value, gradient)


def _own(log_returns: np.ndarray, _: np.ndarray | None) -> np.ndarray:
    return log_returns[:, None]


def _active(log_returns: np.ndarray, benchmark: np.ndarray | None) -> np.ndarray:
    if benchmark is None:
        raise ScoreError(_NO_PEER)
    return (log_returns - benchmark)[:, None]


def _active_moments(log_returns: np.ndarray, benchmark: np.ndarray | None) -> np.ndarray:
    return sharpe_moments(_active(log_returns, benchmark)[:, 0])


def _quarter_gains(log_returns: np.ndarray, _: np.ndarray | None) -> np.ndarray:
    level = np.concatenate([[0.0], np.cumsum(log_returns)])
    return np.expm1(level[GAIN_WEEKS:] - level[:-GAIN_WEEKS])[:, None]


def tail_losses(log_returns: np.ndarray, _: np.ndarray | None = None) -> np.ndarray:
    """Return rows whose mean is the mean loss of the worst 5 percent of weeks, (n, 1).

    Notes
    -----
    q + max(loss - q, 0) / 0.05 at the sample's 95 percent quantile q (Rockafellar and Uryasev 2000). q minimises that
    mean, so that a small error of q does not matter: the rows can be averaged as if q were known.
    """
    loss = -np.expm1(log_returns)
    quantile = np.quantile(loss, 1 - TAIL_SHARE)
    return (quantile + np.maximum(loss - quantile, 0) / TAIL_SHARE)[:, None]


MAX_DRAWDOWN: Final = "max_drawdown_pct"
SCORES: Final[dict[str, Score]] = {
    score.name: score
    for score in (
        Score(
            "information_ratio",
            "information ratio",
            "a year",
            ("short_term_alpha",),
            True,
            True,
            _active_moments,
            SHARPE,
        ),
        Score(
            "after_tax_gain_63d_pct",
            "mean gain over 13 weeks (63 sessions)",
            "%",
            ("short_term_gain",),
            True,
            False,
            _quarter_gains,
            _scaled(100.0),
        ),
        Score(
            "after_tax_cagr_pct",
            "growth",
            "% a year",
            ("long_term_gain", "long_term_gains_only"),
            True,
            False,
            _own,
            _annual_growth_pct(),
        ),
        # Its interval is that of a path (drawdown_interval): rows and function stand for the path's returns.
        Score(
            MAX_DRAWDOWN,
            "largest drawdown",
            "%",
            ("capital_preservation",),
            False,
            False,
            _own,
            MEAN,
        ),
        Score(
            "cvar95_pct",
            "mean loss of the worst 5 % of weeks",
            "%",
            ("capital_preservation",),
            False,
            False,
            tail_losses,
            _scaled(100.0),
        ),
        Score(
            "tax_alpha_bp",
            "tax alpha: after-tax growth ahead of the benchmark",
            "bp a year",
            ("tax_loss_harvesting",),
            True,
            True,
            _active,
            _scaled(1e4 * WEEKS_PER_YEAR),
        ),
        Score(
            "tracking_error_pct",
            "tracking error against the benchmark",
            "% a year",
            ("tax_loss_harvesting",),
            False,
            True,
            _active_moments,
            _annual_deviation_pct(),
        ),
    )
}


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
        raise ScoreError(f"{name}: {_NO_PEER}")
    given = [as_series(path, name) for path in paths if path is not None]
    if len({len(path) for path in given}) > 1:
        raise ScoreError(
            f"{name}: paths have {[len(path) for path in given]} weeks; give the same weeks of each"
        )
    return score, given
