"""Intervals at 95 percent for smooth functions of means, and for drawdowns of a path.

What belongs here: the studentised bootstrap, the minimum detectable effect. What does not: which score is which
function (``scores.py``), how resamples are drawn (``resample.py``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtri

from ml.backtest.statistics.compiled import compiled
from ml.backtest.statistics.resample import (
    DEFAULT_DRAWS,
    as_series,
    automatic_block_length,
    long_run_variance,
    resampled_moments,
    stationary_indices,
)

LEVEL: Final = 0.95
POWER: Final = 0.8
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 percent interval.

    Attributes
    ----------
    estimate, lower95, upper95 : float
        In the unit of the score; nan where it is not defined.
    standard_error : float
        Of the estimate.
    block_length : float
        Mean block of the bootstrap, in weeks.
    p_value : float
        Two-sided, of the hypothesis that the estimate is 0, from the same resamples; nan where that makes no sense.
    n_weeks : int
    """

    estimate: float
    lower95: float
    upper95: float
    standard_error: float
    block_length: float
    p_value: float
    n_weeks: int

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside."""
        return self.lower95 > 0 or self.upper95 < 0


@dataclass(frozen=True, slots=True)
class SmoothFunction:
    """A differentiable function of K means.

    Attributes
    ----------
    value : callable
        Means (..., K) to values (...).
    gradient : callable
        Means (..., K) to derivatives (..., K).
    """

    value: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray], np.ndarray]


MEAN: Final = SmoothFunction(lambda m: m[..., 0], np.ones_like)


def undefined(n_weeks: int) -> Interval:
    """Return the interval of a score that these data do not have."""
    return Interval(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, n_weeks)


def studentised_interval(
    values: np.ndarray,
    function: SmoothFunction = MEAN,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    block_length: float | None = None,
) -> Interval:
    """Return a symmetric studentised stationary-bootstrap interval of a function of means.

    Parameters
    ----------
    values : ndarray of shape (n,) or (n, K)
        Weekly rows.
    function : SmoothFunction
        By default the mean.
    draws, seed : int
        Resamples; the same seed gives the same interval.
    block_length : float, optional
        By default chosen from the function's linearised series (Politis and White).

    Returns
    -------
    Interval
        Undefined where the function is not finite at the sample's means; of no width where nothing varies.

    Notes
    -----
    The sample's standard error is a prewhitened quadratic-spectral one, a resample's comes from its own blocks
    (Götze and Künsch 1996; Ledoit and Wolf 2008). Symmetric, because skewness then matters less (Hall 1988).
    """
    array = as_series(values)
    array = array[:, None] if array.ndim == 1 else array
    n = array.shape[0]
    means = array.mean(axis=0)
    estimate = float(function.value(means))
    slope = np.asarray(function.gradient(means), float)
    if not (math.isfinite(estimate) and np.isfinite(slope).all()):
        return undefined(n)
    influence = (array - means) @ slope
    # What cancels to rounding does not vary: two strategies that are the same.
    if np.abs(influence).max() <= _ROUNDING * np.abs(array * slope).sum(axis=1).max():
        return Interval(estimate, estimate, estimate, 0.0, 1.0, 1.0 if estimate == 0 else 0.0, n)
    block = automatic_block_length(influence) if block_length is None else block_length
    error = math.sqrt(long_run_variance(influence) / n)
    ratios = _resampled_ratios(array, means, function, block, draws, seed)
    if error == 0:
        return undefined(n)
    reach = symmetric_quantile(ratios) * error
    p_value = (1 + np.count_nonzero(ratios >= abs(estimate) / error)) / (1 + draws)
    return Interval(estimate, estimate - reach, estimate + reach, error, block, p_value, n)


def _resampled_ratios(
    array: np.ndarray, means: np.ndarray, function: SmoothFunction, block: float, draws: int, seed: int
) -> np.ndarray:
    """|f(resample) - f(sample)| in standard errors of the resample, (D,); inf where it has none."""
    n = array.shape[0]
    resampled = resampled_moments(array, block, draws=draws, seed=seed)
    at = means + resampled.means
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.abs(function.value(at) - function.value(means))
        slope = function.gradient(at)
        square = np.einsum("di,dij,dj->d", slope, resampled.covariances, slope) / n
        ratio = distance / np.sqrt(np.maximum(square, 0))
    return np.where(np.isfinite(ratio), ratio, np.where(distance == 0, 0.0, np.inf))


def symmetric_quantile(ratios: np.ndarray, level: float = LEVEL) -> float:
    """Return the order statistic of D ratios below which a share ``level`` of D + 1 lies."""
    rank = min(math.ceil(level * (len(ratios) + 1)), len(ratios))
    return float(np.partition(ratios, rank - 1)[rank - 1])


def drawdown_interval(
    log_returns: np.ndarray, other: np.ndarray | None = None, *, draws: int = DEFAULT_DRAWS, seed: int = 0
) -> Interval:
    """Return the maximum drawdown in percent, and between what it lies on resampled paths.

    Parameters
    ----------
    log_returns : ndarray of shape (n,)
        Weekly log differences of wealth.
    other : ndarray of shape (n,), optional
        The same weeks of another strategy: then the difference of the two drawdowns, on common resamples.
    draws, seed : int

    Returns
    -------
    Interval
        Drawdown as a positive number. The bounds are percentiles of the drawdown of a path of this length made of
        this path's blocks; a drawdown is no mean, its estimate may lie off the middle. The p-value is twice the
        smaller share of resamples on one side of 0, of a difference alone.
    """
    paths = as_series(log_returns)[:, None]
    if other is not None:
        paths = np.column_stack([paths[:, 0], as_series(other)])
    n = paths.shape[0]
    difference = paths[:, 0] - paths[:, -1] if other is not None else paths[:, 0]
    # Squares too: drawdowns come from volatility that stays high, which returns alone do not show.
    block = automatic_block_length(np.column_stack([difference, paths**2]))
    whole = np.arange(n, dtype=np.int32)[None]
    found = _drawdowns(paths, whole)[0]
    resampled = _drawdowns(paths, stationary_indices(n, block, draws, seed))
    sign = np.array([1.0]) if other is None else np.array([1.0, -1.0])
    estimate, values = float(found @ sign), resampled @ sign
    lower, upper = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    p_value = math.nan
    if other is not None:
        side = min(np.count_nonzero(values <= 0), np.count_nonzero(values >= 0))
        p_value = min(1.0, 2 * (1 + side) / (1 + draws))
    return Interval(estimate, float(lower), float(upper), float(values.std(ddof=1)), block, p_value, n)


@compiled
def _drawdowns(paths, indices):
    """Maximum drawdown in percent of each column of ``paths`` (n, K) along each row of indices, (D, K)."""
    draws, n = indices.shape
    k = paths.shape[1]
    out = np.zeros((draws, k))
    for d in range(draws):
        for i in range(k):
            level, peak, worst = 0.0, 0.0, 0.0
            for t in range(n):
                level += paths[indices[d, t], i]
                peak = max(peak, level)
                worst = max(worst, peak - level)
            out[d, i] = 100.0 * (1.0 - math.exp(-worst))
    return out


def minimum_detectable_effect(standard_error: float, *, level: float = LEVEL, power: float = POWER) -> float:
    """Return the smallest true effect that a two-sided test finds with the wished-for power.

    Parameters
    ----------
    standard_error : float
        Of the estimate, in its unit.
    level, power : float
        Confidence of the interval; probability to find the effect.

    Returns
    -------
    float
        (z of the level + z of the power) standard errors: 2.80 at 95 and 80 percent.
    """
    return float((ndtri((1 + level) / 2) + ndtri(power)) * standard_error)
