"""Counter-based random numbers: a draw is a hash of (key, time, purpose, item), not of a stream.

A stream generator ties each draw to everything drawn before it, so that one more session or one
more user shifts all later values. Here every draw is addressed by what it is for; extending the
horizon or the population leaves the earlier draws as they were. The mixer is the finaliser of
SplitMix64 (Steele, Lea & Flood 2014), applied twice.
"""

import math

import numpy as np

from ml.simulate.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30 = np.uint64(30)
_S27 = np.uint64(27)
_S31 = np.uint64(31)
_S11 = np.uint64(11)
_TIME = np.uint64(0xD1342543DE82EF95)
_PURPOSE = np.uint64(0xDA942042E4DD58B5)
_ITEM = np.uint64(0x2545F4914F6CDD1D)
_TO_UNIT = 2.0**-53
_NEVER, _FIRST = np.int64(-1), np.int64(0)


@compiled
def mix64(x):
    """Return the SplitMix64 finaliser of ``x`` (uint64 to uint64, a bijection)."""
    x = (x ^ (x >> _S30)) * _M1
    x = (x ^ (x >> _S27)) * _M2
    return x ^ (x >> _S31)


@compiled
def uniform(key, time, purpose, item):
    """Return a uniform in [0, 1) addressed by uint64 ``key`` and three int64 coordinates."""
    h = mix64(key ^ (np.uint64(time) * _TIME + _GOLDEN))
    h = mix64(h + np.uint64(purpose) * _PURPOSE + np.uint64(item) * _ITEM)
    return np.float64(h >> _S11) * _TO_UNIT


@compiled
def inverse_normal(u):
    """Return the standard normal quantile of ``u`` in (0, 1).

    Acklam's rational approximation (relative error below 1.2e-9), clipped at 1e-12 from the ends.
    """
    u = min(max(u, 1e-12), 1.0 - 1e-12)
    if u < 0.02425 or u > 0.97575:
        q = math.sqrt(-2.0 * math.log(min(u, 1.0 - u)))
        num = -7.784894002430293e-03 * q - 3.223964580411365e-01
        num = ((num * q - 2.400758277161838e00) * q - 2.549732539343734e00) * q
        num = (num + 4.374664141464968e00) * q + 2.938163982698783e00
        den = (7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996e00
        x = num / ((den * q + 3.754408661907416e00) * q + 1.0)
        return x if u < 0.5 else -x
    q = u - 0.5
    r = q * q
    num = (-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02
    num = ((num * r + 1.383577518672690e02) * r - 3.066479806614716e01) * r + 2.506628277459239e00
    den = (-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02
    den = ((den * r + 6.680131188771972e01) * r - 1.328068155288572e01) * r + 1.0
    return num * q / den


@compiled
def normal(key, time, purpose, item):
    """Return a standard normal with the address of :func:`uniform`."""
    return inverse_normal(uniform(key, time, purpose, item))


@compiled
def uniforms(keys, purpose):
    """Return one uniform per key, float64 of the shape of ``keys`` (uint64, one-dimensional)."""
    out = np.empty(keys.shape[0])
    for i in range(keys.shape[0]):
        out[i] = uniform(keys[i], _NEVER, purpose, _FIRST)
    return out


@compiled
def uniforms_at(keys, times, purpose, items):
    """Return one uniform per (key, time, item), float64 of the arguments' common length."""
    out = np.empty(keys.shape[0])
    for i in range(keys.shape[0]):
        out[i] = uniform(keys[i], times[i], purpose, items[i])
    return out


@compiled
def normals(keys, purpose):
    """Return one standard normal per key, float64 of the shape of ``keys``."""
    out = np.empty(keys.shape[0])
    for i in range(keys.shape[0]):
        out[i] = normal(keys[i], _NEVER, purpose, _FIRST)
    return out


def spawned_keys(seed: int, spawn_prefix: int, count: int, start: int = 0) -> np.ndarray:
    """Return uint64 keys of numpy seed-sequence children ``start .. start + count - 1``.

    Parameters
    ----------
    seed:
        Non-negative entropy of the root sequence.
    spawn_prefix:
        Names the kind of child, so that users and households draw apart.
    count, start:
        Which children; child i does not depend on how many are drawn.
    """
    if seed < 0:
        raise ValueError(f"seed must be >= 0 but is {seed}; pass a non-negative integer")
    return np.array(
        [
            np.random.SeedSequence(seed, spawn_key=(spawn_prefix, i)).generate_state(1, np.uint64)[0]
            for i in range(start, start + count)
        ],
        dtype=np.uint64,
    )
