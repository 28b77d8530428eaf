"""Netting, carryovers, tax tables and marginal rates (TAX_RULES section 5)."""

import csv
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.tax.ledger import LedgerResult
from ml.tax.rates import DATA, federal_schedule, limits, state_schedule
from ml.tax.schedule_d import (
    TaxUnitYear,
    federal_tax,
    gift_gain,
    marginal,
    marginal_rates,
    net,
    niit,
    ordinary_tax,
    six_month_loss,
    total_tax,
)
from ml.tax.units import USD
from ml.types import FILING_STATUSES

Ledger = Callable[..., LedgerResult]


def dollars(*values: int) -> list[int]:
    return [v * USD for v in values]


@pytest.mark.parametrize(
    ("short", "long", "filing", "line15", "carry"),
    [
        # Capital Loss Carryover Worksheet, Schedule D instructions, worked by hand
        (-9000, 2000, "single", 50_000, (4000, 0)),
        (1000, -9000, "single", 50_000, (0, 5000)),
        (-1000, -9000, "married_separate", 50_000, (0, 8500)),
        (-4000, 0, "single", -3000, (4000, 0)),  # nothing of the 3,000 is used up
        (-4000, 0, "single", None, (1000, 0)),
        (5000, -1000, "single", 0, (0, 0)),
    ],
)
def test_carryover_worksheet(
    short: int, long: int, filing: str, line15: int | None, carry: tuple[int, int]
) -> None:
    income = None if line15 is None else line15 * USD
    result = net(short * USD, long * USD, filing, income)
    assert (result.carry_st, result.carry_lt) == tuple(dollars(*carry))


@given(st.integers(-50_000, 50_000), st.integers(-50_000, 50_000), st.sampled_from(FILING_STATUSES))
def test_no_loss_is_lost(short: int, long: int, filing: str) -> None:
    result = net(short * USD, long * USD, filing, 100_000 * USD)
    assert result.carry_st + result.carry_lt == max(0, -result.line16) - result.deduction
    assert 0 <= result.deduction <= limits(filing).capital_loss
    assert 0 <= result.net_capital_gain <= max(0, result.line16)


def test_tables_are_complete_and_consistent() -> None:
    for year in range(2010, 2027):
        for table in ("federal_ordinary", "federal_long_term"):
            schedules = {f: federal_schedule(table, year, f).brackets for f in FILING_STATUSES}
            for brackets in schedules.values():
                assert list(brackets) == sorted(brackets) and brackets[0][0] == 0
                assert [r for _, r in brackets] == sorted({r for _, r in brackets})
            # the joint brackets are twice the separate ones, by statute, up to rounding to 50
            joint, separate = schedules["married_joint"], schedules["married_separate"]
            assert all(abs(j - 2 * s) <= 50 * USD for (j, _), (s, _) in zip(joint, separate, strict=True))
    for name in ("federal_ordinary", "federal_long_term", "federal_limits", "state_rates"):
        with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
            assert all(row["source"].strip() for row in csv.DictReader(file))


def test_published_schedule_lines() -> None:
    # Rev. Proc. 2019-44 table 3 (single, 2020): over 85,525 the tax is 14,605.50 plus 24 %
    assert ordinary_tax(2020, "single", 85_525 * USD) == 14_605_500_000
    # Rev. Proc. 2013-15 table 1 (joint, 2013): over 450,000 the tax is 125,846 plus 39.6 %
    assert ordinary_tax(2013, "married_joint", 450_000 * USD) == 125_846 * USD


def test_gains_stack_on_ordinary_income() -> None:
    # 2022, single: 0 % up to 41,675, then 15 %
    tax = federal_tax(2022, "single", 50_000 * USD, 0, 20_000 * USD)
    assert tax == ordinary_tax(2022, "single", 30_000 * USD) + 15 * (50_000 - 41_675) * USD // 100
    assert niit(2012, "single", 900_000 * USD, 9_000 * USD) == 0
    assert niit(2022, "single", 205_000 * USD, 9_000 * USD) == 190 * USD
    assert gift_gain(*dollars(100, 80, 90)) == 0
    assert six_month_loss(-100 * USD, 30 * USD, 6) == tuple(dollars(-30, -70))
    assert six_month_loss(-100 * USD, 30 * USD, 7) == (0, -100 * USD)


def unit(**more: Any) -> TaxUnitYear:
    base: dict[str, Any] = {"year": 2022, "filing_status": "single", "state": None}
    return TaxUnitYear(**(base | {"income": 100_000 * USD, "magi": 100_000 * USD} | more))


def test_marginal_rates_follow_nets_income_and_state() -> None:
    assert marginal(unit()) == pytest.approx((0.24, 0.15))
    assert marginal(unit(income=30_000 * USD, magi=30_000 * USD)) == pytest.approx((0.12, 0.0))
    rich = unit(income=700_000 * USD, magi=700_000 * USD)
    assert marginal(rich) == pytest.approx((0.37 + 0.038, 0.20 + 0.038))
    # inside the 3,000 a gain uses up deduction; beyond it, it costs nothing this year
    assert marginal(unit(short=-2_000 * USD)) == pytest.approx((0.24, 0.24))
    assert marginal(unit(short=-9_000 * USD)) == pytest.approx((0.0, 0.0))
    assert marginal(unit(state="CA"))[1] == pytest.approx(0.15 + 0.093)
    assert marginal(unit(state="MA", year=2023)) == pytest.approx((0.24 + 0.085, 0.15 + 0.05))
    assert marginal(unit(state="TX")) == marginal(unit())
    washington = unit(state="WA", long=300_000 * USD)
    assert total_tax(washington) - total_tax(unit(long=300_000 * USD)) == 3_500 * USD
    # PA carries no losses: a loss saves no state tax
    loss = unit(state="PA", short=-5_000 * USD)
    assert total_tax(unit(state="PA")) - total_tax(loss) == total_tax(unit()) - total_tax(
        unit(short=-5_000 * USD)
    )


def test_assumptions_are_said() -> None:
    assert "2010 used for 1999" in federal_schedule("federal_ordinary", 1999, "single").note
    assert state_schedule("ZZ", 2022, "single") is None
    money = dict.fromkeys(
        (
            "ordinary_taxable_income_usd",
            "magi_usd",
            "st_net_usd",
            "lt_net_usd",
            "ordinary_dividends_usd",
            "qualified_dividends_usd",
            "interest_usd",
        )
    )
    rows = [
        {"tax_year": 2022, "filing_status": None, "state": "OR"} | money,
        {"tax_year": 2022, "filing_status": "single", "state": "TX"}
        | money
        | {"ordinary_taxable_income_usd": Decimal(100_000), "magi_usd": Decimal(110_000)},
    ]
    schema = {"tax_year": pl.Int32, "filing_status": pl.String, "state": pl.String}
    schema |= dict.fromkeys(money, pl.Decimal(20, 6))
    result = marginal_rates(pl.DataFrame(rows, schema=schema))
    notes = result.get_column("rate_assumption").to_list()
    assert "income unknown" in notes[0] and "OR not in table" in notes[0] and "single assumed" in notes[0]
    assert notes[1] == "stated"
    assert result.get_column("st_rate").to_list() == pytest.approx([0.24, 0.24])


def test_years_chain_with_character_and_a_stated_carryover(ledger: Ledger) -> None:
    rows = [
        {"day": "2019-01-07", "kind": "buy", "quantity": 10, "amount_usd": -20_000},
        {"day": "2020-06-01", "kind": "sell", "quantity": 10, "amount_usd": 9_000},
        {"day": "2021-06-01", "kind": "interest", "asset_id": None, "amount_usd": 12},
        {"day": "2021-06-02", "kind": "interest", "asset_id": None, "amount_usd": -5},
    ]
    user = {"ordinary_taxable_income_usd": 80_000, "magi_usd": 90_000, "state": "TX", "st_carryover_usd": 500}
    years = ledger(rows, as_of="2021-12-31", users=[user]).tax_unit_years
    columns = ("tax_year", "st_net_usd", "lt_net_usd", "st_carryover_usd", "lt_carryover_usd", "interest_usd")
    assert years.select(columns).rows() == [
        (2020, -500, -11_000, 0, 8_500, 0),
        (2021, 0, -8_500, 0, 5_500, 12),
    ]
    stated = user | {"tax_year": 2021, "st_carryover_usd": 0, "lt_carryover_usd": 100}
    years = ledger(rows, as_of="2021-12-31", users=[user, stated]).tax_unit_years
    assert years.get_column("lt_net_usd").to_list() == [-11_000, -100]


def test_qualified_dividends_need_more_than_60_of_121_days(ledger: Ledger) -> None:
    assets = {"X": {"qualified_dividend_ratio": 1.0}}
    rows = [
        {"day": "2021-01-04", "kind": "buy", "quantity": 5, "amount_usd": -50},
        {"day": "2021-05-10", "kind": "buy", "quantity": 5, "amount_usd": -50},
        {"day": "2021-06-01", "kind": "dividend", "amount_usd": 10},
    ]
    sale = {"day": "2021-06-10", "kind": "sell", "quantity": 5, "amount_usd": 60, "lot_reference": "t1"}
    held = ledger(rows, as_of="2021-12-31", assets=assets).tax_unit_years.row(0, named=True)
    sold = ledger([*rows, sale], as_of="2021-12-31", assets=assets).tax_unit_years.row(0, named=True)
    assert (held["ordinary_dividends_usd"], held["qualified_dividends_usd"]) == (10, 10)
    assert (sold["ordinary_dividends_usd"], sold["qualified_dividends_usd"]) == (10, 5)
