"""Exact integer units: 1e-9 shares and 1e-6 USD, dates as days since 1970-01-01.

Nothing in the ledger is a float. Frames are converted once on the way in and once on the way
out; every split of an amount goes through :func:`apportion`, so that the parts sum to the whole.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa

SHARE: int = 10**9
USD: int = 10**6
QUANTITY_DTYPE = pl.Decimal(24, 9)
USD_DTYPE = pl.Decimal(20, 6)
# A sale may exceed the holding by this much (1e-6 share): brokers round fractional shares.
QUANTITY_TOLERANCE: int = 1_000
_EPOCH = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=65_536)
def to_date(day: int) -> date:
    """Return the calendar date of a day number (days since 1970-01-01)."""
    return date.fromordinal(day + _EPOCH)


def to_day(value: date) -> int:
    """Return the day number (days since 1970-01-01) of a calendar date."""
    return value.toordinal() - _EPOCH


def share_units(value: Decimal | str | int | float) -> int:
    """Return a number of shares in 1e-9 units, rounded to the nearest unit."""
    return round(Fraction(str(value)) * SHARE)


def usd_units(value: Decimal | str | int | float) -> int:
    """Return an amount of USD in 1e-6 units, rounded to the nearest unit."""
    return round(Fraction(str(value)) * USD)


def usd_decimal(value: int) -> Decimal:
    """Return 1e-6 USD units as an exact Decimal of USD."""
    return Decimal(value).scaleb(-6)


def scale(value: int, numerator: int, denominator: int) -> int:
    """Return ``value * numerator / denominator`` rounded to the nearest unit, halves up."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    return (2 * value * numerator + denominator) // (2 * denominator)


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split an amount over weights by largest remainder, so that the parts sum to it exactly.

    Parameters
    ----------
    total : int
        The amount in its smallest unit; may be negative.
    weights : sequence of int
        Non-negative weights, at least one of them positive.

    Returns
    -------
    list of int
        One part per weight; units left over go to the largest remainders, ties to the first.

    Raises
    ------
    ValueError
        If the weights do not sum to a positive number.

    Notes
    -----
    Source: TAX_RULES section 5.5 (apportion by largest remainder so parts sum).
    """
    if len(weights) == 1:
        return [total]
    whole = sum(weights)
    if whole <= 0:
        raise ValueError(f"apportion: weights {list(weights)!r} sum to {whole}; give a positive weight")
    sign = -1 if total < 0 else 1
    size = abs(total)
    parts = [size * w // whole for w in weights]
    left = size - sum(parts)
    if left:
        order = sorted(range(len(weights)), key=lambda i: (-(size * weights[i] % whole), i))
        for i in order[:left]:
            parts[i] += 1
    return [sign * p for p in parts]


def unit_column(name: str, units: int, dtype: pl.DataType) -> pl.Expr:
    """Return an expression that turns a number column into integer units, exact for decimals.

    Parameters
    ----------
    name : str
        Column name; kept.
    units : int
        Units per 1 (``SHARE`` or ``USD``).
    dtype : polars.DataType
        The column's type: Decimal (exact), integer, or float (rounded to the nearest unit).
    """
    column = pl.col(name)
    if isinstance(dtype, pl.Decimal):
        digits = len(str(units)) - 1
        return column.cast(pl.Decimal(38, digits)).to_physical().cast(pl.Int64).alias(name)
    if dtype.is_integer():
        return (column.cast(pl.Int64) * units).alias(name)
    if dtype.is_float():
        return (column * units).round(0).cast(pl.Int64).alias(name)
    if dtype == pl.Null:
        return column.cast(pl.Int64)
    raise TypeError(f"column {name!r} has type {dtype}; give Decimal, an integer or a float")


def decimal_series(name: str, values: list[int | None] | np.ndarray, dtype: pl.Decimal) -> pl.Series:
    """Return integer units as a Decimal column of the same scale, without passing through a float.

    A numpy array is written as the two words of each decimal, ten times faster than a division.
    """
    if isinstance(values, np.ndarray):
        words = np.empty((len(values), 2), np.int64)
        words[:, 0] = values
        np.right_shift(words[:, 0], 63, out=words[:, 1])
        kind = pa.decimal128(dtype.precision, dtype.scale)
        column = pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(words)])
        return pl.Series(name, column, dtype=dtype)
    wide = pl.Decimal(38, dtype.scale)
    point = pl.Series([10**dtype.scale], dtype=pl.Int64).cast(pl.Decimal(38, 0))
    return (pl.Series(name, values, dtype=pl.Int64).cast(wide) / point).cast(dtype).rename(name)
