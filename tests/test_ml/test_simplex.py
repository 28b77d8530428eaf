"""Rounding to decimals keeps every row's sum exactly 1."""

from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.simplex import decimal_series, normalize_rows, quantize_simplex


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 60), st.integers(1, 12))
def test_sums_exactly_and_stays_within_a_unit(seed, width, digits):
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(width, rng.choice([0.05, 1.0, 50.0])), size=3)
    units = quantize_simplex(rows, digits)
    assert (units.sum(axis=1) == 10**digits).all()
    assert (units >= 0).all()
    assert (np.abs(units / 10**digits - rows) < 10.0**-digits * 1.01).all()
    assert (units[rows == 0.0] == 0).all()


def test_largest_remainder_by_hand():
    assert quantize_simplex(np.array([[1 / 3, 1 / 3, 1 / 3]]), 1).tolist() == [[4, 3, 3]]
    assert quantize_simplex(np.array([[0.34, 0.33, 0.33]]), 1).tolist() == [[4, 3, 3]]
    assert quantize_simplex(np.array([[0.16, 0.28, 0.56]]), 1).tolist() == [[1, 3, 6]]
    assert quantize_simplex(np.array([0.0, 1.0]), 9).tolist() == [0, 10**9]


@pytest.mark.parametrize("row", [[0.5, 0.4], [1.5, -0.5], [np.nan, 1.0]])
def test_a_row_that_is_no_simplex_is_refused(row):
    with pytest.raises(ValueError):
        quantize_simplex(np.array([row]))


def test_normalize_names_the_empty_row():
    with pytest.raises(ValueError, match=r"row .1,. sum to 0"):
        normalize_rows(np.array([[0.5, 0.5], [0.0, 0.0]]))


def test_decimal_column_is_exact():
    column = decimal_series("weight", np.array([0, 1, 333_333_333, 1_000_000_000, -5]))
    assert column.dtype == pl.Decimal(12, 9)
    assert column.to_list() == [
        Decimal("0E-9"),
        Decimal("0.000000001"),
        Decimal("0.333333333"),
        Decimal("1.000000000"),
        Decimal("-0.000000005"),
    ]
