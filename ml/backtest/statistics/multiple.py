"""Many strategies against one benchmark, and few windows: tests that count how often one has looked.

What belongs here: Hansen's SPA, Romano and Wolf's step-down, the exact sign test. What does not: a single pair
of strategies (``sharpe.py``, ``intervals.py``).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from ml.backtest.statistics.resample import (
    DEFAULT_DRAWS,
    as_series,
    automatic_block_length,
    long_run_variance,
    resampled_moments,
)


@dataclass(frozen=True, slots=True)
class SuperiorAbility:
    """Outcome of Hansen's test of superior predictive ability.

    Attributes
    ----------
    lower, consistent, upper : float
        p-values of "no strategy is better than the benchmark": recentred at 0 for all bad strategies, for those
        clearly bad, for none (White's reality check).
    block_length : float
    """

    lower: float
    consistent: float
    upper: float
    block_length: float


def kernel_variance(differences: np.ndarray, block_length: float) -> np.ndarray:
    """Return the variance of sqrt(n) means under the stationary bootstrap, exactly, per column.

    Parameters
    ----------
    differences : ndarray of shape (n, K)
    block_length : float

    Notes
    -----
    Politis and Romano (1994), lemma 1: no simulation. The autocovariances come from a Fourier transform.
    """
    centred = differences - differences.mean(axis=0)
    n = centred.shape[0]
    spectrum = np.fft.rfft(centred, n=2 * n, axis=0)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[:n] / n
    lag = np.arange(1, n)[:, None]
    stay = 1 - 1 / block_length
    weight = (1 - lag / n) * stay**lag + lag / n * stay ** (n - lag)
    return np.maximum(covariance[0] + 2 * (weight * covariance[1:]).sum(axis=0), 0.0)


def superior_ability(
    differences: np.ndarray,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    block_length: float | None = None,
    studentise: bool = True,
) -> SuperiorAbility:
    """Test whether the best of K strategies beats the benchmark beyond luck (Hansen 2005).

    Parameters
    ----------
    differences : ndarray of shape (n, K)
        Weekly gains of each strategy over the benchmark, positive is better.
    draws, seed : int
    block_length : float, optional
        By default the longest that a column asks for.
    studentise : bool
        Whether each mean is divided by its standard error before the largest is taken.

    Returns
    -------
    SuperiorAbility

    Notes
    -----
    Hansen (2005), J. Business & Economic Statistics 23(4).
    """
    values, block = _varying(differences, block_length)
    n = values.shape[0]
    means, variance = values.mean(axis=0), kernel_variance(values, block)
    scale = np.sqrt(variance) if studentise else np.ones_like(variance)
    resampled = resampled_moments(values, block, draws=draws, seed=seed).means
    statistic = float((math.sqrt(n) * means / scale).max())
    bound = -np.sqrt(variance / n * 2 * math.log(math.log(n)))
    centres = {
        "lower": np.maximum(means, 0),
        "consistent": np.where(means >= bound, means, 0),
        "upper": means,
    }
    found = {}
    for name, centre in centres.items():
        best = (math.sqrt(n) * (resampled + means - centre) / scale).max(axis=1)
        beyond = np.maximum(best, 0) >= max(statistic, 0) if studentise else best > statistic
        found[name] = float(beyond.mean())
    return SuperiorAbility(**found, block_length=block)


def romano_wolf(
    differences: np.ndarray,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
    block_length: float | None = None,
    two_sided: bool = True,
) -> np.ndarray:
    """Return step-down p-values, adjusted so that any false finding among K has the stated probability.

    Parameters
    ----------
    differences : ndarray of shape (n, K)
        Weekly gains of each strategy over the benchmark.
    draws, seed : int
    block_length : float, optional
        By default the longest that a column asks for.
    two_sided : bool
        Whether a strategy that is worse counts as a finding.

    Returns
    -------
    ndarray of shape (K,)
        Adjusted p-values; 1 for a column that never differs from the benchmark.

    Notes
    -----
    Romano and Wolf (2005, Econometrica 73(4); 2016), studentised: each resampled mean by the resample's own error.
    """
    array = as_series(differences, "differences")
    moves = _moves(array)
    out = np.ones(array.shape[1])
    if not moves.any():
        return out
    values, block = _varying(array, block_length)
    n = values.shape[0]
    resampled = resampled_moments(values, block, draws=draws, seed=seed)
    error = np.sqrt(np.einsum("dkk->dk", resampled.covariances))
    with np.errstate(divide="ignore", invalid="ignore"):
        null = np.where(error > 0, math.sqrt(n) * resampled.means / error, 0.0)
    scale = np.sqrt([long_run_variance(values[:, k]) for k in range(values.shape[1])])
    with np.errstate(divide="ignore"):
        statistic = np.where(scale > 0, math.sqrt(n) * values.mean(axis=0) / scale, 0.0)
    if two_sided:
        null, statistic = np.abs(null), np.abs(statistic)
    order = np.argsort(-statistic, kind="stable")
    adjusted, floor = np.empty(len(order)), 0.0
    for rank, column in enumerate(order):
        best = null[:, order[rank:]].max(axis=1)
        floor = max(floor, (1 + np.count_nonzero(best >= statistic[column])) / (1 + draws))
        adjusted[column] = floor
    out[np.flatnonzero(moves)] = adjusted
    return out


def _moves(array: np.ndarray) -> np.ndarray:
    return np.ptp(array, axis=0) > 0


def _varying(differences: np.ndarray, block_length: float | None) -> tuple[np.ndarray, float]:
    array = as_series(differences, "differences")
    if array.ndim != 2:
        raise ValueError(f"differences have shape {array.shape}: give one column a strategy")
    array = array[:, _moves(array)]
    if not array.shape[1]:
        raise ValueError("no strategy differs from the benchmark in any week: leave the benchmark itself out")
    return array, automatic_block_length(array) if block_length is None else block_length


@dataclass(frozen=True, slots=True)
class SignTest:
    """Exact sign test.

    Attributes
    ----------
    wins, losses, ties : int
        Windows with a positive, negative, zero difference; ties are left out of the test.
    p_value : float
        Two-sided, exact.
    smallest_p_value : float
        The least that this many windows can give: with five it is 0.0625, so that 5 percent is out of reach.
    """

    wins: int
    losses: int
    ties: int
    p_value: float
    smallest_p_value: float


def sign_test(differences: np.ndarray) -> SignTest:
    """Count in how many windows a strategy was ahead, and how likely that is by coin tosses.

    Parameters
    ----------
    differences : ndarray of shape (W,)
        One figure a window.
    """
    values = np.asarray(differences, float)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"one finite difference per window is needed, got {values}")
    wins, losses = int((values > 0).sum()), int((values < 0).sum())
    n = wins + losses
    p_value = min(1.0, 2 * float(binom.cdf(min(wins, losses), n, 0.5))) if n else 1.0
    return SignTest(wins, losses, len(values) - n, p_value, min(1.0, 2.0 ** (1 - n)) if n else 1.0)
