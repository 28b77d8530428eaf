"""Folding of lots and netting of years, piece by piece; the rest of a step is held by the slow portfolio."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from ml.policy.env_config import EnvConfig
from ml.policy.kernels.account import net_year
from ml.policy.kernels.backend import settings_of
from ml.policy.kernels.lanes import WIDTH, any_lane, floor_whole, higher, invert, load, lower, store, where
from ml.policy.kernels.lots import add_lot, sort_lots

TODAY = 20_000
LONG_DAY = np.int32(TODAY - 366)
AMOUNTS = st.floats(-2, 2).map(lambda x: round(x, 3))
RATES = np.array([0.3, 0.15, 0.1, 0.0, 0.0], np.float32)
SETTINGS = settings_of(EnvConfig())


@njit
def netted(short, long, rates, zero):
    return net_year(short, long, rates, zero)


@njit
def added(shares, basis, day, lots, today_long, zero):
    """Buy lots[:, lane] in every lane, all at once."""
    table, days = lots
    bought = load(table, (0,)) > zero
    first, second, third = load(table, (0,)), load(table, (1,)), load(days, (0,))
    add_lot(shares, basis, day, 0, 0, bought, first, second, third, load(today_long, (0,)), zero)


class Book:
    """Lots (shares, basis, age in days) of one asset, basis ascending; in one lane, the others stay empty."""

    def __init__(self, *lots: tuple[float, float, int], slots: int = 4, lane: int = 3) -> None:
        self.shares, self.basis = np.zeros((2, 1, 1, slots, WIDTH), np.float32)
        self.day, self.lane = np.zeros((1, 1, slots, WIDTH), np.int32), lane
        for lot in lots:
            self.buy(*lot)

    def buy(self, shares: float, basis: float, age: int = 0) -> None:
        table, days = np.zeros((2, WIDTH), np.float32), np.zeros((1, WIDTH), np.int32)
        table[:, self.lane], days[0, self.lane] = (shares, basis), TODAY - age
        long_days = np.full((1, WIDTH), LONG_DAY)
        added(self.shares, self.basis, self.day, (table, days), long_days, SETTINGS.zero)
        assert (np.delete(self.shares, self.lane, axis=3) == 0).all()

    def rows(self) -> list[tuple[float, float, int]]:
        columns = (x[0, 0, :, self.lane] for x in (self.shares, self.basis, TODAY - self.day))
        return [(float(s), float(b), int(a)) for s, b, a in zip(*columns, strict=True) if s > 0]


def test_lots_stand_by_basis_and_a_free_slot_takes_a_purchase() -> None:
    book = Book((1, 9, 10), (1, 3, 400))
    assert book.rows() == [(1, 3, 400), (1, 9, 10)]
    book.buy(2, 5)
    assert book.rows() == [(1, 3, 400), (2, 5, 0), (1, 9, 10)]


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        (9.5, [(1, 3, 30), (1, 4, 500), (1, 5, 400), (3, 28 / 3, 7)]),  # the new lot with its neighbour
        (2.5, [(3, 8 / 3, 10), (1, 4, 500), (1, 5, 400), (1, 9, 20)]),
        (6.0, [(1, 3, 30), (2, 4.5, 450), (2, 6, 0), (1, 9, 20)]),  # two old lots; the new one takes a slot
    ],
)
def test_a_full_asset_folds_the_closest_pair_of_one_term(basis: float, expected: list[tuple]) -> None:
    book = Book((1, 4, 500), (1, 5, 400), (1, 3, 30), (1, 9, 20))
    book.buy(2, basis)
    found = book.rows()
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert [row[1] for row in found] == pytest.approx([row[1] for row in expected], rel=1e-6)
    assert all(abs(row[2] - each[2]) <= 1 for row, each in zip(found, expected, strict=True))  # whole days


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(1, 99)), min_size=1, max_size=12))
def test_folding_keeps_shares_and_basis_and_the_order(lots: list[tuple[float, float]]) -> None:
    book = Book((1.0, 50.0, 300))
    for shares, basis in lots:
        book.buy(shares, basis)
    rows = book.rows()
    assert sum(row[0] for row in rows) == pytest.approx(1.0 + sum(x[0] for x in lots), rel=1e-5)
    cost = 50.0 + sum(shares * basis for shares, basis in lots)
    assert sum(row[0] * row[1] for row in rows) == pytest.approx(cost, rel=1e-5)
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    assert (book.shares[0, 0, :, book.lane] > 0).sum() == len(rows)


@settings(deadline=None)
@given(AMOUNTS, AMOUNTS)
def test_netting_follows_schedule_d(short: float, long: float) -> None:
    rates = RATES.astype(np.float64)
    total = short + long
    if total < 0:
        deducted = min(-total, rates[2])
        tax = -rates[0] * deducted
        # Capital Loss Carryover Worksheet: the deduction and long-term gains lower the short-term loss first
        short_carry = max(0.0, -short - (deducted + max(long, 0.0)))
        long_carry = max(0.0, -long - (max(short, 0.0) + max(0.0, deducted - max(-short, 0.0))))
    else:
        tax = rates[0] * min(max(short, 0), total) + rates[1] * min(max(long, 0), total)
        short_carry = long_carry = 0.0
    assert netted(short, long, rates, 0.0) == pytest.approx((tax, short_carry, long_carry), abs=1e-12)


@njit
def sorted_lots(shares, basis, day):
    sort_lots(shares, basis, day, 0, 0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sorting_closes_gaps_and_orders_each_lane(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = (rng.integers(0, 3, (1, 1, 6, WIDTH))).astype(np.float32)
    basis = rng.integers(1, 5, shares.shape).astype(np.float32)
    day = rng.integers(0, 5, shares.shape).astype(np.int32)
    expected = []
    for i in range(WIDTH):
        rows = [
            (-float(b), float(d), float(s))
            for s, b, d in zip(*(x[0, 0, :, i] for x in (shares, basis, day)), strict=True)
            if s > 0
        ]
        expected.append(sorted((-b, -d, s) for b, d, s in rows))
    sorted_lots(shares, basis, day)
    for i in range(WIDTH):
        count = len(expected[i])
        assert (shares[0, 0, count:, i] == 0).all()
        found = [
            (float(b), -float(d), float(s))
            for s, b, d in zip(*(x[0, 0, :count, i] for x in (shares, basis, day)), strict=True)
        ]
        assert [row[:2] for row in found] == [row[:2] for row in expected[i]]
        assert sorted(found) == expected[i]


@njit
def worked(x, y, whole, found):
    """Each operation of the vector type, a row of ``found`` each."""
    a, b, n = load(x, (0,)), load(y, (0,)), load(whole, (0,))
    store(found, (0,), a + 2 * b - a / b)
    store(found, (1,), where((a > b) & invert(n > 1) | (n == -2), a, 7))
    store(found, (2,), lower(a, b) * higher(a, 0))
    store(found, (3,), where(floor_whole(a) < n, a, b))
    store(found, (4,), where(n != n, a, 1) if any_lane(a > 100) else b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanes_compute_as_numpy_does(dtype: type) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 3, (2, 1, WIDTH)).astype(dtype)
    whole = rng.integers(-3, 4, (1, WIDTH)).astype(np.int32)
    found = np.zeros((5, WIDTH), dtype)
    worked(x, y, whole, found)
    expected = [
        x + 2 * y - x / y,
        np.where((x > y) & (whole <= 1) | (whole == -2), x, 7),
        np.minimum(x, y) * np.maximum(x, 0),
        np.where(np.floor(x) < whole, x, y),
        y,
    ]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-5)
