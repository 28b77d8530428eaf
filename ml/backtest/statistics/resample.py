"""The stationary bootstrap: block lengths chosen from the data, resampled indices and resampled moments.

What belongs here: Politis and Romano's resampling, Politis and White's block length, long-run variances.
What does not: what is made of the resamples (``intervals.py``, ``multiple.py``).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.statistics.compiled import compiled, inner
from ml.simulate.counter_rng import mix64

DEFAULT_DRAWS: Final = 999
MIN_OBSERVATIONS: Final = 8
# Odd constants that spread counters over 64 bits (SplitMix64's and another), and the halves of a hash.
_DRAW, _ITEM = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1342543DE82EF95)
_HALF, _LOW, _TO_UNIT = np.uint64(32), np.uint64(0xFFFFFFFF), 2.0**-32
# Prewhitening divides by 1 - rho; a root nearer to one would make the variance explode (Andrews and Monahan 1992).
_MAX_ROOT: Final = 0.97


@dataclass(frozen=True, slots=True)
class ResampledMoments:
    """Means of every resample and their long-run covariances.

    Attributes
    ----------
    means : ndarray of shape (D, K)
        Means of the resampled columns, about the sample's means (0: as the sample).
    covariances : ndarray of shape (D, K, K)
        Block variance of sqrt(n) times the means, from the resample alone (Götze and Künsch 1996): what a
        statistic of the resample is studentised with.
    """

    means: np.ndarray
    covariances: np.ndarray


def as_series(values: np.ndarray, name: str = "series") -> np.ndarray:
    """Return finite float64 values of one or two dimensions; raise ValueError naming what is wrong."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[0] < MIN_OBSERVATIONS:
        raise ValueError(
            f"{name} has shape {array.shape}: give at least {MIN_OBSERVATIONS} observations, one a row"
        )
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{name} is {array[tuple(bad[0])]} at {bad[0].tolist()}: drop or repair such rows first"
        )
    return array


@compiled
def _automatic_block(x):
    """Politis and White (2004) with Patton's correction (2009), for the stationary bootstrap."""
    n = x.shape[0]
    total = 0.0
    for t in range(n):
        total += x[t]
    eps = x - total / n
    b_max = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    k_n = max(5, int(math.log10(n)))
    m_max = min(math.ceil(math.sqrt(n)) + k_n, n - 2)
    band = 2.0 * math.sqrt(math.log10(n) / n)
    covariance = np.zeros(m_max + 1)
    quiet, m = 0, -1  # lags in a row inside the band; twice the last lag that matters
    for lag in range(m_max + 1):
        cross = late = early = 0.0
        for t in range(lag, n):
            cross += eps[t] * eps[t - lag]
        covariance[lag] = cross / n
        if lag == 0:
            if cross <= 0.0:
                return 1.0
            continue
        for t in range(lag + 1, n):
            late += eps[t] * eps[t]
        for t in range(n - lag - 1):
            early += eps[t] * eps[t]
        scale = math.sqrt(late * early)
        inside = scale > 0.0 and abs(cross) < band * scale
        quiet = quiet + 1 if inside else 0
        # k_n lags inside the band, counted as in the reference: decided once the lag after them is reached.
        if m < 0 and quiet == k_n and lag < m_max:
            m = 2 * max(lag - k_n + 1, 1)
    m = m_max if m < 0 else min(m, m_max)
    g, variance = 0.0, covariance[0]
    for k in range(1, m + 1):
        taper = 1.0 if k / m <= 0.5 else 2.0 * (1.0 - k / m)
        g += 2.0 * taper * k * covariance[k]
        variance += 2.0 * taper * covariance[k]
    if variance == 0.0:
        return float(b_max)
    block = (g * g / (variance * variance)) ** (1.0 / 3.0) * n ** (1.0 / 3.0)
    return min(max(block, 1.0), float(b_max))


def automatic_block_length(values: np.ndarray) -> float:
    """Return the mean block length of the stationary bootstrap that the data ask for.

    Parameters
    ----------
    values : ndarray of shape (n,) or (n, K)
        Of several columns, the longest block counts.

    Returns
    -------
    float
        At least 1 (independent draws), at most min(3 sqrt(n), n / 3), rounded up.

    Notes
    -----
    Politis and White (2004), Econometric Reviews 23(1); corrected by Patton, Politis and White (2009), 28(4).
    """
    array = as_series(values)
    columns = array[:, None] if array.ndim == 1 else array
    return max(float(_automatic_block(np.ascontiguousarray(columns[:, k]))) for k in range(columns.shape[1]))


@compiled
def _long_run_variance(x, bandwidth, prewhiten):
    """Quadratic-spectral variance of sqrt(n) mean(x) of a series with mean zero; bandwidth < 0: Andrews' rule."""
    n = x.shape[0]
    root = 0.0
    residual = x
    if prewhiten:
        cross = square = 0.0
        for t in range(1, n):
            cross += x[t] * x[t - 1]
            square += x[t - 1] * x[t - 1]
        root = 0.0 if square == 0.0 else min(max(cross / square, -_MAX_ROOT), _MAX_ROOT)
        residual = x[1:] - root * x[:-1]
    m = residual.shape[0]
    covariance = np.zeros(m)
    for t in range(m):
        covariance[0] += residual[t] * residual[t] / m
    if covariance[0] == 0.0:
        return 0.0
    if bandwidth < 0.0:
        cross = square = 0.0
        for t in range(1, m):
            cross += residual[t] * residual[t - 1]
            square += residual[t - 1] * residual[t - 1]
        rho = 0.0 if square == 0.0 else min(max(cross / square, -_MAX_ROOT), _MAX_ROOT)
        alpha = 4.0 * rho * rho / (1.0 - rho) ** 4
        bandwidth = 1.3221 * (alpha * m) ** 0.2
    variance = covariance[0]
    if bandwidth > 1e-8:
        # Beyond 12 bandwidths the kernel's weight is below 0.0005.
        for lag in range(1, min(m, int(12.0 * bandwidth) + 2)):
            product = 0.0
            for t in range(lag, m):
                product += residual[t] * residual[t - lag]
            z = 6.0 * math.pi * lag / (5.0 * bandwidth)
            weight = 3.0 / (z * z) * (math.sin(z) / z - math.cos(z))
            variance += 2.0 * weight * product / m
    return max(variance, 0.0) / (1.0 - root) ** 2


def long_run_variance(values: np.ndarray, *, bandwidth: float | None = None, prewhiten: bool = True) -> float:
    """Return the variance of sqrt(n) times the mean, robust to autocorrelation and changing volatility.

    Parameters
    ----------
    values : ndarray of shape (n,)
    bandwidth : float, optional
        Of the quadratic-spectral kernel; by default Andrews' (1991) choice for an AR(1).
    prewhiten : bool
        Whether an AR(1) is taken out first and put back afterwards (Andrews and Monahan 1992).

    Returns
    -------
    float
        Squared units of the series.
    """
    array = as_series(values)
    return float(
        _long_run_variance(array - array.mean(), -1.0 if bandwidth is None else bandwidth, prewhiten)
    )


@inner
def _block(key, draw, item, n, log_stay):
    """Start and length of a draw's next block; ``log_stay`` is log(1 - 1 / mean length), 0 for single rows.

    One hash gives both: its upper half the start, its lower half the length. A stream of its own per draw would
    tie the resamples to how many there are.
    """
    bits = mix64(mix64(key + np.uint64(draw) * _DRAW) + np.uint64(item) * _ITEM)
    start = int((bits >> _HALF) * np.uint64(n) >> _HALF)
    if log_stay == 0.0:
        return start, 1
    ahead = math.log(1.0 - float(bits & _LOW) * _TO_UNIT) / log_stay
    return start, 1 + int(ahead)


@compiled
def _moments(prefix, n, log_stay, draws, key):
    """Means and block covariances of resamples, from prefix sums (2 n + 1, K) of the sample put twice in a row."""
    k = prefix.shape[1]
    means = np.zeros((draws, k))
    covariances = np.zeros((draws, k, k))
    total, cross, outer = np.empty(k), np.empty(k), np.empty((k, k))
    part = np.empty(k)
    for d in range(draws):
        total[:], cross[:], outer[:] = 0.0, 0.0, 0.0
        squares = 0.0  # of the blocks' lengths
        filled, item = 0, 0
        while filled < n:
            start, length = _block(key, d, item, n, log_stay)
            length = min(length, n - filled)
            for i in range(k):
                part[i] = prefix[start + length, i] - prefix[start, i]
                total[i] += part[i]
                cross[i] += length * part[i]
            for i in range(k):
                for j in range(i + 1):
                    outer[i, j] += part[i] * part[j]
            squares += float(length) * length
            filled += length
            item += 1
        for i in range(k):
            means[d, i] = total[i] / n
            for j in range(i + 1):
                shared = means[d, i] * cross[j] + means[d, j] * cross[i]
                square = (outer[i, j] - shared + squares * means[d, i] * means[d, j]) / n
                covariances[d, i, j], covariances[d, j, i] = square, square
    return means, covariances


@compiled
def _indices(n, log_stay, draws, key):
    out = np.empty((draws, n), np.int32)
    for d in range(draws):
        filled, item = 0, 0
        while filled < n:
            start, length = _block(key, d, item, n, log_stay)
            for t in range(min(length, n - filled)):
                out[d, filled + t] = (start + t) % n
            filled += min(length, n - filled)
            item += 1
    return out


def stationary_indices(n: int, block_length: float, draws: int, seed: int) -> np.ndarray:
    """Return resampled positions: blocks of geometric length from a uniform start, wrapped at the end.

    Parameters
    ----------
    n : int
        Length of the sample and of each resample.
    block_length : float
        Mean length of a block, >= 1.
    draws : int
        Number of resamples D.
    seed : int
        Resample d depends on the seed and d alone.

    Returns
    -------
    ndarray of shape (D, n)
        int32. The same blocks as :func:`resampled_moments` with the same arguments uses.
    """
    return _indices(n, _log_stay(block_length), draws, np.uint64(seed))


def resampled_moments(
    values: np.ndarray, block_length: float, *, draws: int = DEFAULT_DRAWS, seed: int
) -> ResampledMoments:
    """Return means and covariances of resamples without making the resamples.

    Parameters
    ----------
    values : ndarray of shape (n, K)
    block_length, draws, seed
        As of :func:`stationary_indices`.

    Notes
    -----
    A block's sum is a difference of prefix sums, so that a resample costs n / block_length steps.
    """
    array = as_series(values)
    centred = array - array.mean(axis=0)
    n, k = centred.shape
    prefix = np.zeros((2 * n + 1, k))
    np.cumsum(np.concatenate([centred, centred]), axis=0, out=prefix[1:])
    return ResampledMoments(*_moments(prefix, n, _log_stay(block_length), draws, np.uint64(seed)))


def _log_stay(block_length: float) -> float:
    if not block_length >= 1:
        raise ValueError(f"block length {block_length}: give a mean length of at least 1")
    return 0.0 if block_length == 1 else math.log1p(-1.0 / block_length)
