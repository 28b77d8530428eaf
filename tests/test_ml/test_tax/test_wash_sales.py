"""Wash sales at taxpayer level (TAX_RULES section 3, IRC 1091)."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.tax.ledger import LedgerResult
from ml.tax.settings import TaxSettings

Ledger = Callable[..., LedgerResult]
HOUSEHOLD = {"T1": "taxable", "T2": "taxable", "I1": "roth_ira"}


def buy(day: str, quantity: float, price: float, account: str = "T1", **more: Any) -> dict[str, Any]:
    row = {"day": day, "kind": "buy", "quantity": quantity, "amount_usd": -quantity * price}
    return row | {"account_id": account} | more


def sell(day: str, quantity: float, price: float, account: str = "T1", **more: Any) -> dict[str, Any]:
    row = {"day": day, "kind": "sell", "quantity": quantity, "amount_usd": quantity * price}
    return row | {"account_id": account} | more


def disallowed(result: LedgerResult) -> Decimal:
    return result.realized_gains.get_column("disallowed_usd").sum()


@pytest.mark.parametrize(
    ("bought", "washed"),
    [
        ("2022-05-02", True),  # 30 days before 1 June
        ("2022-05-01", False),
        ("2022-07-01", True),  # 30 days after
        ("2022-07-02", False),
    ],
)
def test_both_ends_of_the_window_are_included(ledger: Ledger, bought: str, washed: bool) -> None:
    rows = [buy("2021-01-04", 10, 50), sell("2022-06-01", 10, 40), buy(bought, 10, 41)]
    rows.sort(key=lambda row: row["day"])
    assert disallowed(ledger(rows)) == (100 if washed else 0)


def test_basis_and_holding_period_pass_to_the_matched_part_only(ledger: Ledger) -> None:
    rows = [buy("2022-01-10", 6, 50), sell("2022-06-01", 6, 40), buy("2022-06-11", 10, 41)]
    lots = ledger(rows).open_lots.sort("quantity")
    matched, rest = lots.rows(named=True)[1], lots.rows(named=True)[0]
    assert (matched["quantity"], matched["cost_basis_usd"], matched["wash_adjustment_usd"]) == (6, 306, 60)
    # 142 days held are added: 2022-06-11 less 142 days
    assert matched["hp_start_date"] == date(2022, 6, 11) - timedelta(days=142)
    assert (rest["cost_basis_usd"], rest["hp_start_date"]) == (164, date(2022, 6, 11))
    assert matched["first_long_term_date"] < rest["first_long_term_date"]


def test_gains_of_the_same_order_do_not_offset(ledger: Ledger) -> None:
    rows = [buy("2021-01-04", 5, 60), buy("2021-02-01", 5, 20), sell("2022-06-01", 10, 40)]
    result = ledger([*rows, buy("2022-06-10", 10, 40)])
    gains = result.realized_gains
    assert disallowed(result) == 100
    assert gains.get_column("recognized_usd").sum() == 100  # the gain alone; the 100 loss is deferred


def test_an_ira_replacement_is_permanent_and_adds_no_basis(ledger: Ledger) -> None:
    # Rev. Rul. 2008-5
    rows = [buy("2022-01-10", 10, 50), sell("2022-06-01", 10, 40), buy("2022-06-20", 10, 40, "I1")]
    result = ledger(rows, accounts=HOUSEHOLD)
    assert result.realized_gains.row(0, named=True)["is_permanent"]
    lot = result.open_lots.row(0, named=True)
    assert (lot["cost_basis_usd"], lot["hp_start_date"]) == (400, date(2022, 6, 20))


def test_losses_inside_an_ira_are_ignored(ledger: Ledger) -> None:
    rows = [buy("2022-01-10", 10, 50, "I1"), sell("2022-06-01", 10, 40, "I1"), buy("2022-06-02", 10, 40)]
    result = ledger(rows, accounts=HOUSEHOLD)
    assert result.realized_gains.is_empty()
    assert result.open_lots.get_column("cost_basis_usd").to_list() == [Decimal(400)]


def test_a_401k_follows_its_setting_and_a_spouse_shows_her_code(ledger: Ledger) -> None:
    rows = [buy("2022-01-10", 10, 50), sell("2022-06-01", 10, 40), buy("2022-06-20", 10, 40, "K")]
    plan = {"T1": "taxable", "K": "401k"}
    assert ledger(rows, accounts=plan).realized_gains.get_column("convention_codes").to_list() == ["A17"]
    assert disallowed(ledger(rows, accounts=plan, settings=TaxSettings(a17="not_a_replacement"))) == 0
    spouse = {"accounts": {"T1": "taxable", "K": "taxable"}, "owners": {"K": "u2"}}
    assert ledger(rows, **spouse).realized_gains.get_column("convention_codes").to_list() == ["A14"]
    assert disallowed(ledger(rows, settings=TaxSettings(a14="taxpayer_only"), **spouse)) == 0


def test_digital_assets_are_outside_section_1091(ledger: Ledger) -> None:
    rows = [buy("2022-01-10", 10, 50), sell("2022-06-01", 10, 40), buy("2022-06-20", 10, 40)]
    assets = {"X": {"asset_class": "crypto", "tax_treatment": "digital_asset"}}
    result = ledger(rows, assets=assets)
    assert disallowed(result) == 0
    assert result.realized_gains.get_column("convention_codes").to_list() == ["A18"]
    assert disallowed(ledger(rows, assets=assets, settings=TaxSettings(a18="as_security"))) == 100


def test_a_loss_is_provisional_until_day_30(ledger: Ledger) -> None:
    rows = [buy("2022-01-10", 10, 50), sell("2022-12-15", 10, 40)]
    for as_of, provisional in (("2023-01-14", True), ("2023-01-15", False)):
        result = ledger(rows, as_of=as_of)
        assert result.realized_gains.row(0, named=True)["is_provisional"] is provisional
        year = result.tax_unit_years.filter(pl.col("tax_year") == 2022).row(0, named=True)
        assert year["provisional_disallowed_usd"] == (100 if provisional else 0)
        assert result.wash_windows.height == (1 if provisional else 0)
    reopened = ledger([*rows, buy("2023-01-14", 4, 40)], as_of="2023-01-14")
    assert disallowed(reopened) == 40
    assert reopened.realized_gains.get_column("tax_year").to_list() == [2022, 2022]


def test_wash_windows_name_what_a_recommendation_would_meet(ledger: Ledger) -> None:
    rows = [
        buy("2022-01-10", 10, 50),
        sell("2022-06-01", 10, 40),
        buy("2022-06-10", 4, 40, "I1"),
        buy("2022-06-15", 9, 40, "T2"),
    ]
    windows = ledger(rows, as_of="2022-06-20", accounts=HOUSEHOLD).wash_windows
    # the loss is used up by 4 and 6 shares; 3 shares of the last purchase could still wash a loss
    assert windows.select("kind", "account_id", "quantity", "is_tax_deferred").rows() == [
        ("purchase", "T2", Decimal(3), False)
    ]


def test_recent_lots_all_closed_on_one_day_do_not_wash(ledger: Ledger) -> None:
    rows = [buy("2022-06-01", 10, 50), buy("2022-06-08", 10, 48), sell("2022-06-10", 10, 40)]
    together = ledger([*rows, sell("2022-06-10", 10, 40)])
    assert disallowed(together) == 0
    assert "A9" in together.realized_gains.get_column("convention_codes").to_list()
    assert disallowed(ledger([*rows, sell("2022-06-13", 10, 40)])) == 100


def test_renamed_shares_and_declared_twins_are_one_security(ledger: Ledger) -> None:
    rows = [
        buy("2022-01-10", 10, 50),
        sell("2022-06-01", 10, 40),
        buy("2022-06-20", 10, 40, asset_id="Y"),
    ]
    assert disallowed(ledger(rows)) == 0
    twins = TaxSettings(identical_groups=(("X", "Y"),))
    assert disallowed(ledger(rows, settings=twins)) == 100
    renamed = [{"kind": "symbol_change", "ex_date": date(2022, 6, 10), "new_asset_id": "Y"}]
    assert disallowed(ledger(rows, actions=renamed)) == 100


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "buy", "sell"]),
        st.sampled_from(["T1", "T2", "I1"]),
        st.integers(1, 9),
        st.integers(5, 60),
        st.integers(0, 20),
    ),
    min_size=2,
    max_size=22,
)


def events_of(trades: list[tuple], split: int = 1) -> list[dict[str, Any]]:
    """Turn drawn trades into rows that never sell more than is held; ``split`` scales the shares."""
    held: dict[str, int] = {}
    day, rows = date(2021, 1, 4), []
    for kind, account, quantity, price, gap in trades:
        day += timedelta(days=gap)
        if kind == "sell":
            quantity = min(quantity, held.get(account, 0))
            if not quantity:
                continue
        held[account] = held.get(account, 0) + (quantity if kind == "buy" else -quantity)
        amount = quantity * price * (-1 if kind == "buy" else 1)
        row = {"day": day.isoformat(), "kind": kind, "account_id": account, "amount_usd": amount}
        rows.append(row | {"quantity": quantity * split})
    return rows


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.sampled_from(["fifo", "lifo", "hifo"]))
def test_conservation_and_bounds(ledger: Ledger, trades: list[tuple], method: str) -> None:
    rows = events_of(trades)
    if not rows:
        return
    result = ledger(rows, accounts=HOUSEHOLD, methods=dict.fromkeys(HOUSEHOLD, method))
    gains = result.realized_gains
    taxable = [r for r in rows if r["account_id"] != "I1"]
    paid = -sum(r["amount_usd"] for r in taxable)  # purchases less proceeds
    lots = result.open_lots.filter(pl.col("account_id") != "I1")
    permanent = gains.filter(pl.col("is_permanent")).get_column("disallowed_usd").sum() or 0
    basis = lots.get_column("cost_basis_usd").sum() or 0
    assert (gains.get_column("recognized_usd").sum() or 0) == basis + permanent - paid
    for row in gains.rows(named=True):
        assert 0 <= row["disallowed_usd"] <= max(0, -row["gain_usd"])
    replaced = gains.filter(pl.col("disallowed_usd") > 0).get_column("quantity").sum() or 0
    assert replaced <= sum(r["quantity"] for r in rows if r["kind"] == "buy")
    assert (lots.get_column("wash_adjustment_usd") >= 0).all()


@settings(max_examples=30, deadline=None)
@given(EVENTS)
def test_counting_shares_in_tenths_changes_no_money(ledger: Ledger, trades: list[tuple]) -> None:
    plain, scaled = (ledger(events_of(trades, n), accounts=HOUSEHOLD) for n in (1, 10))
    for column in ("gain_usd", "disallowed_usd", "recognized_usd"):
        assert plain.realized_gains.get_column(column).to_list() == (
            scaled.realized_gains.get_column(column).to_list()
        )


@settings(max_examples=30, deadline=None)
@given(EVENTS, st.integers(1, 20), st.integers(2, 5))
def test_a_split_in_between_changes_no_money(
    ledger: Ledger, trades: list[tuple], after: int, ratio: int
) -> None:
    rows = events_of(trades)
    if len(rows) <= after:
        return
    ex_date = date.fromisoformat(rows[after]["day"])
    later = [r | {"quantity": r["quantity"] * ratio} for r in rows if r["day"] >= rows[after]["day"]]
    split = [{"kind": "split", "ex_date": ex_date, "ratio_new": ratio, "ratio_old": 1}]
    before = [r for r in rows if r["day"] < rows[after]["day"]]
    plain = ledger(rows, accounts=HOUSEHOLD)
    with_split = ledger([*before, *later], accounts=HOUSEHOLD, actions=split)
    for column in ("recognized_usd", "disallowed_usd"):
        assert plain.realized_gains.get_column(column).sum() == (
            with_split.realized_gains.get_column(column).sum()
        )


@settings(max_examples=30, deadline=None)
@given(EVENTS)
def test_names_of_accounts_and_other_symbols_do_not_matter(ledger: Ledger, trades: list[tuple]) -> None:
    rows = events_of(trades)
    names = {"T1": "zz", "T2": "mm", "I1": "aa"}
    renamed = [r | {"account_id": names[r["account_id"]]} for r in rows]
    noise = [buy("2021-01-04", 1, 7, "zz", asset_id="N", transaction_id="n")]
    kinds = {names[name]: kind for name, kind in HOUSEHOLD.items()}
    columns = ("trade_date", "quantity", "gain_usd", "disallowed_usd", "term")
    ours, theirs = (
        result.realized_gains.select(columns).sort(columns).rows()
        for result in (
            ledger(rows, accounts=HOUSEHOLD),
            ledger([*renamed, *noise], accounts=kinds),
        )
    )
    assert ours == theirs


@pytest.mark.parametrize("method", ["fifo", "hifo"])
def test_a_loss_of_less_than_the_smallest_unit_after_a_reverse_split_is_not_replaced(
    ledger: Ledger, method: str
) -> None:
    rows = [
        {"day": "2022-01-03", "kind": "buy", "quantity": 10, "amount_usd": -1_000_000_000},
        {"day": "2022-03-01", "kind": "sell", "quantity": Decimal("0.000000001"), "amount_usd": 0},
        {"day": "2022-03-05", "kind": "split", "ratio_new": 1, "ratio_old": 7, "amount_usd": None},
        {"day": "2022-03-10", "kind": "buy", "quantity": 1, "amount_usd": -10},
        {"day": "2022-06-01", "kind": "sell", "quantity": Decimal("0.5"), "amount_usd": 6},
    ]
    result = ledger(rows, methods={"T1": method})
    assert result.wash_sales.is_empty()
    assert result.open_lots.get_column("quantity").min() > 0
