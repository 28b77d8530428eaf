"""Windows over the sessions of dense arrays, in a time that does not depend on the window's length.

A window of n sessions is the end of one chunk of n and the start of the next (van Herk 1992, *Pattern
Recognition Letters* 13(7)): sums are made of additions alone, so that a large value that has left the
window leaves no rounding behind, as it would in a difference of running sums. Row t reads rows up to t only,
and rows that are appended change no bit of the earlier ones.
What does not belong here: what the windows are of (``compute.py``).
"""

import numpy as np


def _windowed(values: np.ndarray, length: int, combine: np.ufunc, identity: float) -> np.ndarray:
    """Combine rows t - length + 1 .. t of each column; missing rows before the first count as identity."""
    sessions, columns = values.shape
    chunks = -(-sessions // length)
    padded = np.full((chunks + 1, length, columns), identity)
    padded.reshape(-1, columns)[length : length + sessions] = values
    heads = combine.accumulate(padded, axis=1)
    tails = combine.accumulate(padded[:, ::-1], axis=1)[:, ::-1]
    out = heads[1:].copy()
    out[:, :-1] = combine(out[:, :-1], tails[:-1, 1:])
    return out.reshape(-1, columns)[:sessions]


def rolling_count(known: np.ndarray, length: int) -> np.ndarray:
    """Number of true cells among the last ``length`` rows, (D, N) float64."""
    return _windowed(known.astype(float), length, np.add, 0.0)


def rolling_sum(values: np.ndarray, length: int) -> np.ndarray:
    """Sum of the known (not nan) cells among the last ``length`` rows, (D, N); 0 without one."""
    return _windowed(np.where(np.isnan(values), 0.0, values), length, np.add, 0.0)


def rolling_mean(values: np.ndarray, length: int, at_least: int) -> np.ndarray:
    """Mean of the known cells among the last ``length`` rows; nan with fewer than ``at_least``."""
    count = rolling_count(~np.isnan(values), length)
    return np.where(count >= at_least, rolling_sum(values, length) / np.maximum(count, 1), np.nan)


def rolling_sd(values: np.ndarray, length: int, at_least: int) -> np.ndarray:
    """Sample standard deviation of the known cells among the last ``length`` rows.

    nan with fewer than ``at_least`` (2 or more). From sums of squares: exact where the values are not
    large against their deviation, as returns are.
    """
    count = rolling_count(~np.isnan(values), length)
    total = rolling_sum(values, length)
    squares = rolling_sum(values * values, length) - total * total / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 1, 1))
    return np.where(count >= at_least, deviation, np.nan)


def rolling_max(values: np.ndarray, length: int) -> np.ndarray:
    """Maximum of the known cells among the last ``length`` rows; nan without one."""
    highest = _windowed(np.where(np.isnan(values), -np.inf, values), length, np.maximum, -np.inf)
    return np.where(np.isneginf(highest), np.nan, highest)


def max_since(values: np.ndarray, first_row: np.ndarray) -> np.ndarray:
    """Maximum of the known cells from row ``first_row[t]`` to t, for every t.

    Parameters
    ----------
    values : ndarray of shape (D, N)
    first_row : ndarray of shape (D,)
        First row of each window, at most t; for windows of a few dozen rows.

    Returns
    -------
    ndarray of shape (D, N)
        nan without a known cell.
    """
    rows = np.arange(len(values))
    highest = values.copy()
    for lag in range(1, int((rows - first_row).max(initial=0)) + 1):
        reached = rows[rows - lag >= first_row]
        highest[reached] = np.fmax(highest[reached], values[reached - lag])
    return highest


def lagged(values: np.ndarray, rows: int) -> np.ndarray:
    """The values ``rows`` sessions before; nan where there were none."""
    out = np.full(values.shape, np.nan)
    if rows < len(values):
        out[rows:] = values[: len(values) - rows]
    return out
