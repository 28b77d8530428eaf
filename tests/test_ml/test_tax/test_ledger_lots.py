"""Lots and their selection (TAX_RULES section 1)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.tax.ledger import LedgerResult
from ml.tax.selection import parse_reference
from ml.tax.settings import TaxSettings, with_setting

Ledger = Callable[..., LedgerResult]
BUYS = [
    {"day": "2020-01-06", "kind": "buy", "quantity": 10, "amount_usd": -100},
    {"day": "2020-03-02", "kind": "buy", "quantity": 10, "amount_usd": -300},
    {"day": "2020-06-01", "kind": "buy", "quantity": 10, "amount_usd": -200},
]
SALE = {"day": "2021-02-01", "kind": "sell", "quantity": 15, "amount_usd": 375}
# no wash sale reaches these ledgers of digital assets (A18), so that only selection is seen
DIGITAL = {a: {"asset_class": "crypto", "tax_treatment": "digital_asset"} for a in "XY"}


def closed(result: LedgerResult) -> list[tuple[str, Decimal, Decimal]]:
    frame = result.realized_gains
    return frame.sort("lot_id").select("lot_id", "quantity", "gain_usd").rows()


@pytest.mark.parametrize(
    ("method", "lots"),
    [
        ("fifo", [("t0", 10, 150), ("t1", 5, -25)]),
        ("lifo", [("t1", 5, -25), ("t2", 10, 50)]),
        ("hifo", [("t1", 10, -50), ("t2", 5, 25)]),
    ],
)
def test_standing_orders(ledger: Ledger, method: str, lots: list[tuple]) -> None:
    result = ledger([*BUYS, SALE], methods={"T1": method})
    assert closed(result) == [(i, Decimal(q), Decimal(g)) for i, q, g in lots]


def test_specific_identification_and_its_shortfall(ledger: Ledger) -> None:
    sale = SALE | {"lot_reference": "t2:4;t1"}
    assert closed(ledger([*BUYS, sale])) == [
        ("t0", Decimal(1), Decimal(15)),  # what the reference leaves goes first in, first out
        ("t1", Decimal(10), Decimal(-50)),
        ("t2", Decimal(4), Decimal(20)),
    ]
    issues = ledger([*BUYS, sale]).issues
    assert issues.get_column("status").to_list() == ["lot_reference_shortfall"]
    assert parse_reference("a;b:2.5") == [("a", None), ("b", 2_500_000_000)]


def test_average_basis_is_for_funds_only(ledger: Ledger) -> None:
    fund = ledger([*BUYS, SALE], methods={"T1": "average"}, assets={"X": {"asset_class": "equity_etf"}})
    assert fund.realized_gains.get_column("cost_basis_usd").to_list() == [Decimal(200), Decimal(100)]
    assert set(fund.open_lots.get_column("cost_basis_usd")) == {Decimal(100), Decimal(200)}
    stock = ledger([*BUYS, SALE], methods={"T1": "average"})
    assert stock.realized_gains.get_column("cost_basis_usd").to_list() == [Decimal(100), Decimal(150)]
    assert stock.issues.get_column("status").to_list() == ["average_not_permitted"]


def test_fills_of_one_order_are_one_purchase_and_one_sale(ledger: Ledger) -> None:
    # Rev. Rul. 56-602: shares of the same purchase never replace each other
    fills = [
        {"day": "2021-05-03", "kind": "buy", "quantity": 4, "amount_usd": -400, "order_id": "o"},
        {"day": "2021-05-03", "kind": "buy", "quantity": 6, "amount_usd": -600, "order_id": "o"},
        {"day": "2021-05-10", "kind": "sell", "quantity": 5, "amount_usd": 400},
    ]
    merged = ledger(fills)
    assert merged.open_lots.rows(named=True)[0]["quantity"] == 5
    assert merged.realized_gains.get_column("disallowed_usd").sum() == 0
    apart = ledger(fills, settings=TaxSettings(a4="fill"))
    assert apart.realized_gains.get_column("disallowed_usd").sum() == 80


def test_unknown_basis_is_null_blocks_the_year_and_is_never_zero(ledger: Ledger) -> None:
    rows = [
        {"day": "2020-02-03", "kind": "transfer_in", "quantity": 10},
        {"day": "2020-05-04", "kind": "sell", "quantity": 4, "amount_usd": 50},
        {"day": "2021-05-04", "kind": "deposit", "asset_id": None, "amount_usd": 5},
    ]
    result = ledger(rows, as_of="2021-12-31")
    lot = result.open_lots.row(0, named=True)
    assert (lot["cost_basis_usd"], lot["is_basis_known"], lot["quantity"]) == (None, False, 6)
    gain = result.realized_gains.row(0, named=True)
    assert gain["cost_basis_usd"] is None and gain["gain_usd"] is None and gain["recognized_usd"] is None
    years = result.tax_unit_years.select("tax_year", "status", "st_net_usd", "reason").rows()
    assert [(y, s, n) for y, s, n, _ in years] == [(2020, "unknown_basis", None), (2021, "refused", None)]
    assert "t1" in years[0][3] and "2020" in years[1][3]


def test_a_sale_beyond_the_holding_is_not_a_crash(ledger: Ledger) -> None:
    result = ledger([BUYS[0], {"day": "2020-02-03", "kind": "sell", "quantity": 12, "amount_usd": 120}])
    assert result.realized_gains.get_column("cost_basis_usd").to_list() == [Decimal(100), None]
    assert result.realized_gains.get_column("proceeds_usd").sum() == 120
    assert "sell_beyond_holdings" in result.issues.get_column("status").to_list()


def test_cash_is_the_sum_of_amounts(ledger: Ledger) -> None:
    rows = [*BUYS, SALE, {"day": "2021-02-02", "kind": "fee", "asset_id": None, "amount_usd": -1}]
    assert ledger(rows).account_cash.get_column("cash_usd").to_list() == [Decimal(-226)]


def test_settings_refuse_what_is_not_computed() -> None:
    with pytest.raises(ValueError, match="A16='entry_date' is not computed: short positions are not kept"):
        TaxSettings(a16="entry_date")
    with pytest.raises(ValueError, match="CODE=value"):
        with_setting(TaxSettings(), "A99=x")
    assert with_setting(TaxSettings(), "A2=replacement").changed() == ("A2",)


TRADES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 6), st.integers(1, 99)), max_size=14
)


@settings(max_examples=50, deadline=None)
@given(TRADES, st.sampled_from(["fifo", "hifo"]))
def test_equals_a_list_of_single_shares(ledger: Ledger, trades: list[tuple], method: str) -> None:
    shares: list[tuple[int, int]] = []  # (position of the purchase, price)
    rows: list[dict[str, Any]] = []
    expected: dict[tuple[str, str], Decimal] = {}
    for number, (kind, quantity, price) in enumerate(trades):
        if kind == "sell" and quantity > len(shares):
            kind = "buy"
        sign = -1 if kind == "buy" else 1
        rows.append(
            {"day": "2020-01-06", "kind": kind, "quantity": quantity, "amount_usd": sign * quantity * price}
        )
        if kind == "buy":
            shares += [(number, price)] * quantity
            continue
        shares.sort(key=(lambda s: (-s[1], s[0])) if method == "hifo" else (lambda s: s[0]))
        for bought, cost in shares[:quantity]:
            key = (f"t{number}", f"t{bought}")
            expected[key] = expected.get(key, Decimal(0)) + price - cost
        del shares[:quantity]
    result = ledger(rows, methods={"T1": method}, assets=DIGITAL)
    found = result.realized_gains.group_by("sale_transaction_id", "lot_id").agg(pl.col("gain_usd").sum())
    assert {(s, lot): g for s, lot, g in found.rows()} == expected
    assert result.open_lots.get_column("quantity").sum() == len(shares)
    assert result.open_lots.get_column("cost_basis_usd").sum() == sum(c for _, c in shares)
