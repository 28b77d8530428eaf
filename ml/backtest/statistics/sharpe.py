"""Sharpe ratios: their difference tested, and what is left of one after many trials.

What belongs here: Ledoit and Wolf's test, probabilistic and deflated Sharpe ratios. What does not: tests of
mean differences over many strategies (``multiple.py``).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import kurtosis, skew

from ml.backtest.statistics.intervals import Interval, SmoothFunction, studentised_interval
from ml.backtest.statistics.resample import DEFAULT_DRAWS, as_series

WEEKS_PER_YEAR: Final = 365.25 / 7
# Returns that vary less than this share of their size are constant up to rounding: they have no ratio.
_CONSTANT: Final = 1e-9


def _variance(means: np.ndarray) -> np.ndarray:
    """Variance from mean and mean square, nan where it is but rounding."""
    variance = means[..., 1] - means[..., 0] ** 2
    return np.where(variance > _CONSTANT**2 * means[..., 1] + 1e-16 * means[..., 1], variance, np.nan)


def _ratio(means: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return means[..., 0] / np.sqrt(_variance(means))


def _ratio_gradient(means: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        cubed = _variance(means) ** 1.5
        return np.stack([means[..., 1] / cubed, -0.5 * means[..., 0] / cubed], axis=-1)


_ANNUAL: Final = math.sqrt(WEEKS_PER_YEAR)
SHARPE: Final = SmoothFunction(lambda m: _ANNUAL * _ratio(m), lambda m: _ANNUAL * _ratio_gradient(m))


def difference(first: SmoothFunction, second: SmoothFunction, columns: int) -> SmoothFunction:
    """Return first(means[:columns]) - second(means[columns:]), a function of all the means."""
    return SmoothFunction(
        lambda m: first.value(m[..., :columns]) - second.value(m[..., columns:]),
        lambda m: np.concatenate(
            [first.gradient(m[..., :columns]), -second.gradient(m[..., columns:])], axis=-1
        ),
    )


def sharpe_moments(returns: np.ndarray) -> np.ndarray:
    """Return what :data:`SHARPE` is a function of: the returns and their squares, (n, 2)."""
    returns = as_series(returns, "returns")
    return np.column_stack([returns, returns**2])


def sharpe_ratio(returns: np.ndarray) -> float:
    """Return the annualised Sharpe ratio of weekly excess returns, variance with n in the denominator."""
    returns = as_series(returns, "returns")
    deviation = returns.std()
    if deviation <= _CONSTANT * np.abs(returns).max():
        return math.nan
    return float(_ANNUAL * returns.mean() / deviation)


def sharpe_interval(returns: np.ndarray, *, draws: int = DEFAULT_DRAWS, seed: int = 0) -> Interval:
    """Return an annualised Sharpe ratio of weekly excess returns with its studentised interval."""
    return studentised_interval(sharpe_moments(returns), SHARPE, draws=draws, seed=seed)


def sharpe_difference(
    first: np.ndarray,
    second: np.ndarray,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    block_length: float | None = None,
) -> Interval:
    """Test whether two strategies have the same Sharpe ratio (Ledoit and Wolf 2008).

    Parameters
    ----------
    first, second : ndarray of shape (n,)
        Weekly excess returns of the same weeks.
    draws, seed, block_length
        As of :func:`~ml.backtest.statistics.intervals.studentised_interval`.

    Returns
    -------
    Interval
        Annualised difference first - second; ``p_value`` is the test's, two-sided.

    Notes
    -----
    Ledoit and Wolf (2008), J. Empirical Finance 15(5): HAC standard error of four means by the delta method and a
    studentised time-series bootstrap; here blocks have random lengths (stationary), theirs fixed (circular).
    """
    values = np.concatenate([sharpe_moments(first), sharpe_moments(second)], axis=1)
    return studentised_interval(
        values, difference(SHARPE, SHARPE, 2), draws=draws, seed=seed, block_length=block_length
    )


def hac_p_value(interval: Interval) -> float:
    """Return the normal two-sided p-value of the HAC standard error, beside the bootstrap's."""
    if not interval.standard_error > 0:
        return math.nan
    return float(2 * ndtr(-abs(interval.estimate) / interval.standard_error))


def probabilistic_sharpe(returns: np.ndarray, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio is above a benchmark.

    Parameters
    ----------
    returns : ndarray of shape (n,)
        Weekly excess returns.
    benchmark : float
        Annualised Sharpe ratio.

    Returns
    -------
    float
        In [0, 1]; nan for returns that do not vary.

    Notes
    -----
    Bailey and López de Prado (2012): normal approximation with the sample's skewness and kurtosis.
    """
    returns = as_series(returns, "returns")
    weekly = sharpe_ratio(returns) / _ANNUAL
    if math.isnan(weekly):
        return math.nan
    spread = 1 - skew(returns) * weekly + (kurtosis(returns, fisher=False) - 1) / 4 * weekly**2
    return float(ndtr((weekly - benchmark / _ANNUAL) * math.sqrt(len(returns) - 1) / math.sqrt(spread)))


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """A Sharpe ratio beside the best that luck alone would give.

    Attributes
    ----------
    sharpe : float
        Annualised.
    expected_best : float
        Expected largest of the trials' Sharpe ratios if all were 0 in truth, annualised.
    probability : float
        That the true ratio is above ``expected_best``.
    n_trials : int
        Trials with a Sharpe ratio.
    """

    sharpe: float
    expected_best: float
    probability: float
    n_trials: int


def expected_best_sharpe(trial_sharpes: np.ndarray) -> float:
    """Return the expected maximum of N independent normal ratios with the trials' variance and mean 0.

    Notes
    -----
    Bailey and López de Prado (2014), with the Euler-Mascheroni constant; 0 for fewer than two trials. Trials that
    resemble each other are fewer in truth: the value errs on the strict side.
    """
    ratios = np.asarray(trial_sharpes, float)
    ratios = ratios[np.isfinite(ratios)]
    n = len(ratios)
    if n < 2:
        return 0.0
    high = (1 - np.euler_gamma) * ndtri(1 - 1 / n) + np.euler_gamma * ndtri(1 - 1 / (n * math.e))
    return float(ratios.std(ddof=1) * high)


def deflated_sharpe(returns: np.ndarray, trial_sharpes: np.ndarray) -> DeflatedSharpe:
    """Deflate a Sharpe ratio by all trials that were logged, its own among them.

    Parameters
    ----------
    returns : ndarray of shape (n,)
        Weekly excess returns of the strategy.
    trial_sharpes : ndarray of shape (N,)
        Annualised ratios of every trial over these weeks, however it went.
    """
    best = expected_best_sharpe(trial_sharpes)
    count = int(np.isfinite(np.asarray(trial_sharpes, float)).sum())
    return DeflatedSharpe(sharpe_ratio(returns), best, probabilistic_sharpe(returns, best), count)
