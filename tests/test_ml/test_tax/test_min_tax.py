"""Lot method min_tax: against every choice of lots, and through the ledger (TAX_RULES section 1.6)."""

from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.tax.ledger import LedgerResult
from ml.tax.min_tax import Candidate, Problem, choose
from ml.tax.schedule_d import TaxUnitYear, total_tax
from ml.tax.units import USD

Ledger = Callable[..., LedgerResult]


def unit_tax(short: int, long: int) -> Callable[[int, int], int]:
    """Return the tax on top of a single filer's year-to-date results (dollars)."""

    def tax(more_short: int, more_long: int) -> int:
        unit = TaxUnitYear(
            2024, "single", None, 60_000 * USD, 60_000 * USD, short * USD + more_short, long * USD + more_long
        )
        return total_tax(unit)

    return tax


def every_choice(problem: Problem) -> list[tuple[int, ...]]:
    """Return every split of the sale over the lots in whole shares: slow, and nothing left out."""
    ranges = [range(lot.quantity + 1) for lot in problem.lots]
    return [amounts for amounts in product(*ranges) if sum(amounts) == problem.quantity]


LOT = st.builds(
    Candidate,
    quantity=st.integers(1, 4),
    gain=st.integers(-4000, 4000).map(lambda dollars: dollars * USD),
    is_long=st.booleans(),
    purchase_key=st.sampled_from("ABCDE"),
    replaces=st.booleans(),
    order=st.integers(0, 9),
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(LOT, min_size=1, max_size=5), st.integers(-9000, 9000), st.integers(-9000, 9000))
def test_no_choice_of_whole_lots_and_one_partial_lot_costs_less(
    data: st.DataObject, lots: list[Candidate], short: int, long: int
) -> None:
    quantity = data.draw(st.integers(1, sum(lot.quantity for lot in lots)))
    elsewhere = data.draw(
        st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ABCDEZ"), st.integers(1, 3)), max_size=2)
    )
    problem = Problem(lots, quantity, elsewhere, unit_tax(short, long))
    choice = choose(problem)
    assert sum(choice.amounts) == quantity and choice.gap == 0
    assert choice.tax == problem.tax(*problem.recognised(choice.amounts))
    for amounts in every_choice(problem):
        partial = sum(0 < a < lot.quantity for a, lot in zip(amounts, lots, strict=True))
        if partial <= 1:
            assert choice.tax <= problem.tax(*problem.recognised(amounts))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_beyond_twelve_lots_the_gap_covers_the_best(data: st.DataObject) -> None:
    lots = data.draw(st.lists(LOT, min_size=13, max_size=14))
    problem = Problem(lots, sum(x.quantity for x in lots) // 2, [], unit_tax(0, 0))
    choice = choose(problem)
    assert sum(choice.amounts) == problem.quantity
    # highest basis first within the whole holding is one of the choices it must not lose to by more than the gap
    rest, plain = problem.quantity, [0] * len(lots)
    for n in sorted(range(len(lots)), key=lambda i: lots[i].gain / lots[i].quantity):
        plain[n] = min(rest, lots[n].quantity)
        rest -= plain[n]
    assert choice.tax - choice.gap <= problem.tax(*problem.recognised(plain))


def buy(day: str, quantity: int, price: float, **more: Any) -> dict[str, Any]:
    return {"day": day, "kind": "buy", "quantity": quantity, "amount_usd": -quantity * price} | more


def sold(result: LedgerResult) -> list[str]:
    return result.realized_gains.get_column("lot_id").to_list()


def test_a_recent_lot_is_sold_rather_than_left_as_the_replacement(ledger: Ledger) -> None:
    # highest basis first would sell t0 at -500 and have it disallowed against t1, bought 5 days before
    rows = [
        buy("2024-01-02", 100, 15),
        buy("2024-03-27", 100, 11),
        {"day": "2024-04-01", "kind": "sell", "quantity": 100, "amount_usd": 1000},
    ]
    result = ledger(rows, methods={"T1": "min_tax"})
    assert sold(result) == ["t1"]
    row = result.realized_gains.row(0, named=True)
    assert row["recognized_usd"] == Decimal(-100) and "MIN_TAX" in row["convention_codes"].split(",")


# a long-term lot with a gain of 400 and a short-term lot with a gain of 350, from one sale of 10 shares
GAINS = [
    buy("2022-01-03", 10, 60),
    buy("2024-01-03", 10, 65),
    {"day": "2024-09-03", "kind": "sell", "quantity": 10, "amount_usd": 1000},
]


@pytest.mark.parametrize(
    ("income", "carryover", "lots"),
    [
        (80_000, 0, ["t0"]),  # 15 % of 400 = 60 is less than 22 % of 350 = 77
        (30_000, 0, ["t0"]),  # 0 % bracket
        (80_000, 9_000, ["t1"]),  # both are free under the carryover: the smaller gain goes
    ],
)
def test_rates_and_carryovers_decide(ledger: Ledger, income: int, carryover: int, lots: list[str]) -> None:
    users = [
        {
            "tax_year": 2024,
            "ordinary_taxable_income_usd": income,
            "magi_usd": income,
            "st_carryover_usd": carryover,
            "lt_carryover_usd": 0,
        }
    ]
    assert sold(ledger(GAINS, methods={"T1": "min_tax"}, users=users)) == lots


def test_unknown_basis_falls_back_to_highest_basis_and_says_so(ledger: Ledger) -> None:
    unknown = {"day": "2021-01-04", "kind": "transfer_in", "quantity": 5, "acquired_date": None}
    result = ledger([unknown, *GAINS], methods={"T1": "min_tax"})
    assert result.realized_gains.get_column("convention_codes").str.contains("MIN_TAX_AS_HIFO").all()
