"""Weights on the simplex: exact rounding to decimal places, shared by mixes and portfolios.

What belongs here: turning float rows that sum to about 1 into decimal rows that sum to exactly 1.
What does not: any rule about what the weights mean.
"""

import numpy as np
import polars as pl
import pyarrow as pa

SUM_TOLERANCE = 1e-6
DEFAULT_DIGITS = 9


def normalize_rows(weights: np.ndarray) -> np.ndarray:
    """Scale non-negative rows so that each sums to 1.

    Parameters
    ----------
    weights : ndarray of shape (..., K)
        Finite, >= 0, every row with a positive sum.

    Returns
    -------
    ndarray of shape (..., K)
        float64; each row sums to 1 within 1e-15 * K.

    Raises
    ------
    ValueError
        If an entry is negative or not finite, or a row sums to 0.
    """
    weights = np.asarray(weights, dtype=np.float64)
    bad = ~np.isfinite(weights) | (weights < 0.0)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"weight {weights[place]!r} at {place}: weights must be finite and >= 0")
    totals = weights.sum(axis=-1, keepdims=True)
    if (totals <= 0.0).any():
        place = tuple(int(i) for i in np.argwhere(totals[..., 0] <= 0.0)[0])
        raise ValueError(f"weights at row {place} sum to 0: give at least one positive weight")
    return weights / totals


def quantize_simplex(weights: np.ndarray, digits: int = DEFAULT_DIGITS) -> np.ndarray:
    """Round rows that sum to 1 to ``digits`` decimals so that they still sum to exactly 1.

    Largest remainder: every entry is rounded down to a whole unit of ``10**-digits``; the units
    that are left go to the largest remainders. Equal remainders: the larger weight first, then the
    earlier position. An entry of exactly 0 stays 0.

    Parameters
    ----------
    weights : ndarray of shape (..., K)
        Finite, >= 0, rows summing to 1 within 1e-6.
    digits : int, default 9
        Decimals to keep, 1..12.

    Returns
    -------
    ndarray of shape (..., K)
        int64 units of ``10**-digits``; each row sums to ``10**digits``.

    Raises
    ------
    ValueError
        If ``digits`` is out of range, an entry is negative or not finite, or a row does not sum
        to 1.
    """
    if not 1 <= digits <= 12:
        raise ValueError(f"digits={digits}: give 1..12 (a float64 sum is exact to no more)")
    weights = np.asarray(weights, dtype=np.float64)
    totals = weights.sum(axis=-1)
    off = ~(np.abs(totals - 1.0) <= SUM_TOLERANCE)
    if off.any():
        place = tuple(int(i) for i in np.argwhere(off)[0])
        raise ValueError(f"row {place} sums to {totals[place]!r}: rows must sum to 1 within {SUM_TOLERANCE}")
    rows = normalize_rows(weights).reshape(-1, weights.shape[-1])
    scale = 10**digits
    exact = rows * scale
    units = np.floor(exact).astype(np.int64)
    remainder = np.where(rows > 0.0, exact - units, -1.0)
    missing = scale - units.sum(axis=-1)
    order = np.lexsort((-rows, -remainder), axis=-1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(rows.shape[-1]), rows.shape), axis=-1)
    units += rank < missing[:, None]
    # A float sum a hair above 1 leaves a unit too many: it is taken from the row's largest entry.
    units[np.arange(len(units)), rows.argmax(axis=-1)] += np.minimum(missing, 0)
    return units.reshape(weights.shape)


def decimal_series(
    name: str, units: np.ndarray, digits: int = DEFAULT_DIGITS, precision: int = 12
) -> pl.Series:
    """Make a polars Decimal column from whole units of ``10**-digits``, without passing a float.

    Parameters
    ----------
    name : str
        Name of the column.
    units : ndarray of shape (L,)
        int64, as from :func:`quantize_simplex`.
    digits, precision : int
        Scale and precision of the decimal type; DECIMAL(12,9) by default.

    Returns
    -------
    polars.Series
        dtype ``Decimal(precision, digits)``, length L.
    """
    units = np.ascontiguousarray(units, dtype="<i8")
    words = np.empty((len(units), 2), dtype="<i8")
    words[:, 0] = units
    words[:, 1] = units >> 63
    array = pa.Array.from_buffers(
        pa.decimal128(precision, digits), len(units), [None, pa.py_buffer(words.tobytes())]
    )
    return pl.Series(name, array)
