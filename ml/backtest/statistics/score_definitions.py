"""What each score of the evaluation is: rows from weekly paths, and a function of the rows' means.

What belongs here: definitions, with units and objectives. What does not: intervals of trials (``scores.py``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.statistics.intervals import MEAN, SmoothFunction
from ml.backtest.statistics.sharpe import SHARPE, WEEKS_PER_YEAR, sharpe_moments

GAIN_WEEKS: Final = 13  # a quarter of 52 weeks, as 63 sessions are of 252
TAIL_SHARE: Final = 0.05
NO_PEER: Final = "this score compares with a benchmark: give its weekly log returns of the same weeks"


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
        raise ScoreError(NO_PEER)
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
