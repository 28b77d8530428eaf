"""Exact units and largest remainder."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.tax.units import QUANTITY_DTYPE, SHARE, apportion, decimal_series, scale, unit_column

UNITS = st.integers(-(10**15), 10**15)


@given(UNITS, st.lists(st.integers(0, 10**12), min_size=1, max_size=8).filter(sum))
def test_parts_sum_and_stay_within_a_unit(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    assert all(abs(p * whole - total * w) < whole for p, w in zip(parts, weights, strict=True))


def test_left_over_units_go_to_the_largest_remainder_then_the_first() -> None:
    assert apportion(100, [1, 1, 1]) == [34, 33, 33]
    assert apportion(-10, [1, 2]) == [-3, -7]
    with pytest.raises(ValueError, match="weights"):
        apportion(5, [0, 0])


@given(st.lists(st.none() | UNITS, max_size=6))
def test_frame_conversion_is_exact_both_ways(values: list[int | None]) -> None:
    series = decimal_series("q", values, QUANTITY_DTYPE)
    frame = series.to_frame()
    assert frame.select(unit_column("q", SHARE, series.dtype)).get_column("q").to_list() == values


def test_scale_rounds_halves_up_and_floats_to_the_nearest_unit() -> None:
    assert [scale(5, 1, 2), scale(-5, 1, 2), scale(10, 1, 3)] == [3, -2, 3]
    frame = pl.DataFrame({"q": [0.1, 2.5]})
    assert frame.select(unit_column("q", SHARE, frame.schema["q"])).get_column("q").to_list() == [
        10**8,
        25 * 10**8,
    ]
    assert Decimal("0.1") * SHARE == 10**8
