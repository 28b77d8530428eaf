"""Two-word arithmetic against Python's integers."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml.tax import units
from ml.tax.bulk import arithmetic
from ml.tax.bulk.columns import COMPILER, LARGEST, SCRATCH_ROWS, W_PARTS, W_WEIGHTS

WHOLE = st.one_of(st.integers(1, LARGEST), st.integers(1, 10**12), st.integers(1, 100))


@COMPILER.compiled
def call_share(size, weight, whole):
    return arithmetic.share(size, weight, whole)


@COMPILER.compiled
def call_scale(value, numerator, denominator):
    return arithmetic.scale(value, numerator, denominator)


@COMPILER.compiled
def call_halves(total, first, second):
    return arithmetic.halves(total, first, second)


@COMPILER.compiled
def call_apportion(total, count, whole, scratch):
    arithmetic.apportion(total, count, whole, scratch)


@COMPILER.compiled
def call_is_dearer(cost, quantity, other_cost, other_quantity):
    return arithmetic.is_dearer(cost, quantity, other_cost, other_quantity)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, LARGEST), st.integers(0, LARGEST), WHOLE)
@example(LARGEST, LARGEST, LARGEST)
@example(LARGEST, 1, LARGEST)
@example((1 << 50) - 1, LARGEST, LARGEST)
@example((1 << 50) + 1, LARGEST, LARGEST)
def test_share_is_exact(size: int, weight: int, whole: int) -> None:
    weight = min(weight, whole)
    assert call_share(size, weight, whole) == divmod(size * weight, whole)


@settings(deadline=None)  # the first call compiles
@given(st.integers(-LARGEST, LARGEST), st.integers(0, LARGEST), WHOLE)
@example(-5, 1, 2)
@example(5, 1, 2)
@example(-3, 1, 2)
def test_scale_rounds_as_the_reference(value: int, numerator: int, denominator: int) -> None:
    numerator = min(numerator, denominator)
    assert call_scale(value, numerator, denominator) == units.scale(value, numerator, denominator)


@settings(deadline=None)  # the first call compiles
@given(st.integers(-LARGEST, LARGEST), st.integers(1, LARGEST // 2), st.integers(1, LARGEST // 2))
@example(-1, 1, 1)
@example(7, 1, 1)
def test_halves_are_apportioned(total: int, first: int, second: int) -> None:
    assert list(call_halves(total, first, second)) == units.apportion(total, [first, second])


@settings(deadline=None)  # the first call compiles
@given(st.integers(-LARGEST, LARGEST), st.lists(st.integers(0, 10**15), min_size=1, max_size=12))
def test_apportion_equals_the_reference(total: int, weights: list[int]) -> None:
    weights[0] += 1
    scratch = np.zeros((SCRATCH_ROWS, len(weights)), np.int64)
    scratch[W_WEIGHTS] = weights
    call_apportion(total, len(weights), sum(weights), scratch)
    assert scratch[W_PARTS].tolist() == units.apportion(total, weights)


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, LARGEST), WHOLE, st.integers(0, LARGEST), WHOLE)
def test_cost_per_share_compares_without_rounding(a: int, b: int, c: int, d: int) -> None:
    assert call_is_dearer(a, b, c, d) == (a * d > c * b)
