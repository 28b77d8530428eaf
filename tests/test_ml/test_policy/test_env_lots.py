"""Folding of lots, netting of years, matching of wash sales and rewards, piece by piece."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ml.policy.env_config import EnvConfig
from ml.policy.lot_book import LotBook
from ml.policy.rewards import RewardInputs, RewardTracker
from ml.policy.tax_account import TaxAccount, TaxRates, net_year
from ml.policy.wash_window import LossSale, WashWindow
from ml.types import OBJECTIVES
from tests.test_ml.test_policy.env_worlds import priced_window

TODAY = torch.full((1, 1, 1), 20_000, dtype=torch.int32)
AMOUNTS = st.floats(-2, 2).map(lambda x: round(x, 3))


def book(*lots: tuple[float, float, int], slots: int = 4) -> LotBook:
    """One asset with lots (shares, basis, age in days)."""
    shares, basis, age = (torch.tensor(x, dtype=torch.float64)[None, None] for x in zip(*lots, strict=True))
    return LotBook.from_start(shares, basis, 20_000 - age, slots, torch.float64).in_runs(TODAY)


def rows(lots: LotBook) -> list[tuple[float, float, int]]:
    ages = 20_000 - lots.day
    zipped = zip(lots.shares[0, 0].tolist(), lots.basis[0, 0].tolist(), ages[0, 0].tolist(), strict=True)
    return [row for row in zipped if row[0] > 0]


def bought(lots: LotBook, shares: float, basis: float) -> LotBook:
    new = torch.full((1, 1), shares, dtype=torch.float64), torch.full((1, 1), basis, dtype=torch.float64)
    return lots.with_purchase(*new, TODAY[..., 0], TODAY)


def test_runs_are_long_then_short_each_by_basis() -> None:
    lots = book((1, 9, 10), (1, 3, 400), (0, 1, 5), (1, 5, 365), (1, 7, 366), slots=6)
    assert rows(lots) == [(1, 3, 400), (1, 7, 366), (1, 5, 365), (1, 9, 10)]


def test_a_free_slot_takes_a_purchase() -> None:
    assert sorted(rows(bought(book((1, 9, 10), (1, 3, 400)), 2, 5))) == [(1, 3, 400), (1, 9, 10), (2, 5, 0)]


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        (9.5, [(1, 4, 500), (1, 5, 400), (1, 3, 30), (3, 28 / 3, 0)]),  # the new lot with its neighbour
        (2.5, [(1, 4, 500), (1, 5, 400), (1, 9, 20), (3, 8 / 3, 0)]),
        (6.0, [(2, 4.5, 400), (1, 3, 30), (1, 9, 20), (2, 6, 0)]),  # two old lots; the new one takes a slot
    ],
)
def test_a_full_asset_folds_the_closest_pair_of_one_term(basis: float, expected: list[tuple]) -> None:
    lots = rows(bought(book((1, 4, 500), (1, 5, 400), (1, 3, 30), (1, 9, 20)), 2, basis))
    assert sorted(lots, key=lambda row: row[1]) == [
        (shares, pytest.approx(each), age) for shares, each, age in sorted(expected, key=lambda row: row[1])
    ]


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(1, 99), st.integers(0, 800)), min_size=1, max_size=6))
def test_folding_keeps_shares_and_basis(lots: list[tuple[float, float, int]]) -> None:
    held, shares, basis = book((1.0, 50.0, 300), slots=4), 1.0, 50.0
    for amount, price, _ in lots * 2:
        held = bought(held, amount, price).in_runs(TODAY)
        shares, basis = shares + amount, basis + amount * price
    assert held.shares.sum().item() == pytest.approx(shares)
    assert (held.shares * held.basis).sum().item() == pytest.approx(basis)


def rates(*values: float) -> TaxRates:
    return TaxRates(*(torch.tensor([x], dtype=torch.float64) for x in values))


@given(AMOUNTS, AMOUNTS)
def test_netting_follows_schedule_d(short: float, long: float) -> None:
    year = net_year(*(one_each(x)[0][0] for x in (short, long)), rates(0.3, 0.15, 0.1))
    total = short + long
    if total < 0:
        deducted = min(-total, 0.1)
        tax = -0.3 * deducted
        # Capital Loss Carryover Worksheet: the deduction and long-term gains lower the short-term loss first
        short_carry = max(0.0, -short - (deducted + max(long, 0.0)))
        long_carry = max(0.0, -long - (max(short, 0.0) + max(0.0, deducted - max(-short, 0.0))))
    else:
        tax = 0.3 * min(max(short, 0), total) + 0.15 * min(max(long, 0), total)
        short_carry = long_carry = 0.0
    found = (year.tax.item(), year.short_carry.item(), year.long_carry.item())
    assert found == pytest.approx((tax, short_carry, long_carry), abs=1e-12)


def test_a_closed_year_carries_its_losses() -> None:
    one = torch.ones(1, dtype=torch.float64)
    account = TaxAccount.empty(one).with_results(-1.0 * one, 0.25 * one)
    account = account.closed(torch.tensor([True]), rates(0.3, 0.15, 0.1))
    assert account.short_carry.item() == pytest.approx(0.65)
    assert account.tax_due.item() == pytest.approx(-0.03)
    assert (account.short_net.item(), account.long_net.item()) == (0.0, 0.0)
    same = account.closed(torch.tensor([False]), rates(0.3, 0.15, 0.1))
    assert same.short_carry.item() == account.short_carry.item()


def one_each(*values: float) -> list[torch.Tensor]:
    return [torch.tensor([[value]], dtype=torch.float64) for value in values]


def test_each_loss_share_is_washed_once_oldest_first() -> None:
    window = WashWindow.empty(one_each(0.0)[0], 3)
    window = window.advanced(LossSale(*one_each(2.0, 4.0, 0.0, 200.0)), one_each(0.0)[0])
    window = window.advanced(LossSale(*one_each(1.0, 0.0, 5.0, 400.0)), one_each(0.0)[0])
    is_open = torch.ones(1, 1, 3, dtype=torch.bool)
    window, disallowed, unused = window.match_purchase(one_each(2.5)[0], is_open)
    assert (disallowed.short.item(), disallowed.long.item(), unused.item()) == (4.0, 2.5, 0.0)
    assert disallowed.tacked_days.item() == 160  # (2 x 100 + 0.5 x 400) / 2.5
    window, disallowed, unused = window.match_purchase(one_each(2.0)[0], is_open)
    assert (disallowed.short.item(), disallowed.long.item(), unused.item()) == (0.0, 2.5, 1.5)
    assert not window.is_locked(is_open).item()


def test_each_purchase_washes_an_earlier_loss_once() -> None:
    window = WashWindow.empty(one_each(0.0)[0], 2)
    window = window.advanced(LossSale(*one_each(0.0, 0.0, 0.0, 0.0)), one_each(3.0)[0])
    is_open = torch.ones(1, 1, 2, dtype=torch.bool)
    sale = LossSale(*one_each(4.0, 8.0, 0.0, 40.0))
    window, disallowed, rest = window.match_sale(sale, one_each(2.0)[0], is_open)
    assert (disallowed.short.item(), rest.shares.item(), rest.short.item()) == (4.0, 2.0, 4.0)
    window, disallowed, rest = window.match_sale(sale, one_each(9.0)[0], is_open)
    assert disallowed.short.item() == pytest.approx(2.0)  # one share of the three is left


def test_rewards_of_a_week() -> None:
    window = priced_window([10.0, 11.0, 9.0], [20_000, 20_007, 20_014])
    window = replace(window, regime=torch.full((1, 3, 5), 0.1, dtype=torch.float64))
    tracker = RewardTracker(window, EnvConfig(dtype=torch.float64), torch.zeros(1, dtype=torch.int64))
    names = (
        "pretax_before",
        "pretax_after",
        "wealth_before",
        "wealth_after",
        "flow",
        "tax_paid",
        "credited",
        "disallowed",
    )
    first = dict(zip(names, (1.0, 1.3, 0.9, 1.2, 0.1, 0.05, 0.02, 0.03), strict=True))
    second = dict(zip(names, (1.3, 1.0, 1.2, 0.9, 0.0, 0.0, 0.0, 0.0), strict=True))
    tracker.reset(torch.zeros(1, dtype=torch.float64))
    found = []
    for t, week in enumerate((first, second)):
        inputs = RewardInputs(**{k: torch.tensor([v], dtype=torch.float64) for k, v in week.items()})
        found.append(dict(zip(OBJECTIVES, tracker.rewards(inputs, t)[0].tolist(), strict=True)))
    equal, pretax = math.log(1.1), math.log(1.3 / 1.05)
    assert found[0]["short_term_alpha"] == pytest.approx(pretax - equal)
    assert found[0]["short_term_gain"] == found[0]["long_term_gain"] == pytest.approx(math.log(1.2) - equal)
    assert (
        found[0]["capital_preservation"] == found[0]["long_term_gains_only"] == pytest.approx(math.log(1.2))
    )
    harvest = (0.02 - 0.03) / 0.9 - 10 * (pretax - equal) ** 2
    assert found[0]["tax_loss_harvesting"] == pytest.approx(harvest)
    down = math.log(0.75)
    shortfall = -down - 1.65 * 0.1 * math.sqrt(5 / 252)
    assert found[1]["capital_preservation"] == pytest.approx(down - 2 * 0.25 - 0.5 * shortfall)
