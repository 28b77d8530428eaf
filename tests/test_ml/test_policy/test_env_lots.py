"""Folding of lots and netting of years, piece by piece; the rest of a step is held by the slow portfolio."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from ml.policy.env_config import EnvConfig
from ml.policy.kernels.account import net_year
from ml.policy.kernels.backend import settings_of
from ml.policy.kernels.lots import add_lot

TODAY = 20_000
LONG_DAY = np.int32(TODAY - 366)
AMOUNTS = st.floats(-2, 2).map(lambda x: round(x, 3))
RATES = np.array([0.3, 0.15, 0.1, 0.0, 0.0], np.float32)
SETTINGS = settings_of(EnvConfig())


@njit
def netted(short, long, rates, zero):
    return net_year(short, long, rates, zero)


@njit
def added(shares, basis, day, count, new_shares, new_basis, new_day, long_day, constants):
    return add_lot(shares, basis, day, 0, count, new_shares, new_basis, new_day, long_day, constants)


class Book:
    """Lots (shares, basis, age in days) of one asset, basis ascending."""

    def __init__(self, *lots: tuple[float, float, int], slots: int = 4) -> None:
        self.shares, self.basis = np.zeros((2, 1, slots), np.float32)
        self.day, self.count = np.zeros((1, slots), np.int32), 0
        for lot in lots:
            self.buy(*lot)

    def buy(self, shares: float, basis: float, age: int = 0) -> None:
        new = np.float32(shares), np.float32(basis), np.int32(TODAY - age)
        self.count = added(self.shares, self.basis, self.day, self.count, *new, LONG_DAY, SETTINGS)

    def rows(self) -> list[tuple[float, float, int]]:
        columns = self.shares[0], self.basis[0], TODAY - self.day[0]
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
    assert book.count == len(rows)


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
