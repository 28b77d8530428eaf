"""Corporate actions on lots (TAX_RULES section 4)."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from ml.tax.ledger import LedgerResult
from ml.tax.settings import TaxSettings

Ledger = Callable[..., LedgerResult]
BUY = {"day": "2020-01-06", "kind": "buy", "quantity": 10, "amount_usd": -100}
SECOND = {"day": "2020-02-03", "kind": "buy", "quantity": 5, "amount_usd": -100}


def lots(result: LedgerResult, *columns: str) -> list[tuple]:
    columns = columns or ("asset_id", "quantity", "cost_basis_usd")
    return result.open_lots.sort("asset_id", "acquired_date").select(columns).rows()


def market(kind: str, day: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "ex_date": date.fromisoformat(day)} | more]


def test_a_market_split_applies_only_without_an_own_row_within_five_sessions(ledger: Ledger) -> None:
    split = market("split", "2020-06-01", ratio_new=2, ratio_old=1)
    assert lots(ledger([BUY], actions=split)) == [("X", 20, 100)]
    own = {"day": "2020-06-08", "kind": "split", "quantity": 10}
    assert lots(ledger([BUY, own], actions=split)) == [("X", 20, 100)]
    as_dividend = own | {"kind": "stock_dividend"}
    assert lots(ledger([BUY, as_dividend], actions=split)) == [("X", 20, 100)]
    later = own | {"day": "2020-06-09"}  # six sessions: another event
    assert lots(ledger([BUY, later], actions=split)) == [("X", 30, 100)]


def test_a_split_keeps_basis_and_dates_and_parts_sum(ledger: Ledger) -> None:
    split = market("split", "2020-06-01", ratio_new=1, ratio_old=3)
    result = ledger([BUY, SECOND], actions=split)
    assert result.open_lots.get_column("quantity").sum() == 5
    assert lots(result, "cost_basis_usd", "acquired_date") == [
        (100, date(2020, 1, 6)),
        (100, date(2020, 2, 3)),
    ]


def test_cash_in_lieu_sells_the_fraction_that_the_stated_shares_leave_out(ledger: Ledger) -> None:
    odd = BUY | {"quantity": 5}
    rows = [
        odd,
        {"day": "2021-06-01", "kind": "split", "quantity": 2, "ratio_new": 3, "ratio_old": 2},
        {"day": "2021-06-04", "kind": "cash_in_lieu", "amount_usd": 9},
    ]
    result = ledger(rows)
    gain = result.realized_gains.row(0, named=True)
    assert (gain["quantity"], gain["term"], gain["is_voluntary"]) == (Decimal("0.5"), "long", False)
    assert gain["cost_basis_usd"] == Decimal("6.666667")
    assert lots(result) == [("X", 7, Decimal("93.333333"))]
    whole = ledger(rows[:2])  # no cash: rounded shares, the basis spreads
    assert lots(whole) == [("X", 7, 100)]


def test_spin_off_moves_the_issuers_fraction_and_tacks(ledger: Ledger) -> None:
    spin = market("spin_off", "2020-06-01", ratio_new=1, ratio_old=4, new_asset_id="Y", basis_fraction=0.25)
    result = ledger([BUY], actions=spin)
    assert lots(result) == [("X", 10, 75), ("Y", Decimal("2.5"), 25)]
    assert result.open_lots.get_column("hp_start_date").n_unique() == 1
    unknown = {"day": "2020-06-01", "kind": "spin_off", "quantity": 2, "related_asset_id": "Y"}
    result = ledger([BUY, unknown])
    assert lots(result) == [("X", 10, None), ("Y", 2, None)]
    assert "unknown_basis" in result.issues.get_column("status").to_list()


def test_stock_merger_keeps_basis_and_cash_merger_is_a_forced_sale(ledger: Ledger) -> None:
    stock = market("merger", "2021-06-01", ratio_new=1, ratio_old=2, new_asset_id="Y")
    assert lots(ledger([BUY], actions=stock)) == [("Y", 5, 100)]
    cash = market("merger", "2021-06-01", cash_per_share_usd=15)
    gain = ledger([BUY], actions=cash).realized_gains.row(0, named=True)
    assert (gain["gain_usd"], gain["term"], gain["is_voluntary"]) == (50, "long", False)


def test_boot_is_taxed_up_to_the_gain_and_needs_a_market_value(ledger: Ledger) -> None:
    # IRC 356, 358: basis of the new shares = old basis - cash + gain recognised
    row = {"day": "2021-06-01", "kind": "merger", "quantity": 5, "related_asset_id": "Y", "amount_usd": 30}
    valued = ledger([BUY, row | {"fair_market_value_usd": 90}])
    assert valued.realized_gains.get_column("gain_usd").to_list() == [Decimal(20)]
    assert lots(valued) == [("Y", 5, 90)]
    refused = ledger([BUY, row], as_of="2021-12-31")
    assert lots(refused) == [("Y", 5, None)]
    assert refused.tax_unit_years.get_column("status").to_list() == ["refused"]


def test_return_of_capital_per_share_or_earliest_first(ledger: Ledger) -> None:
    # A11; the excess over a lot's basis is gain with its term
    row = {"day": "2020-12-01", "kind": "return_of_capital", "amount_usd": 180}
    result = ledger([BUY, SECOND, row])
    assert [c for _, _, c in lots(result)] == [0, 40]
    assert result.realized_gains.select("gain_usd", "term", "is_voluntary").rows() == [(20, "short", False)]
    earliest = ledger([BUY, SECOND, row], settings=TaxSettings(a11="earliest_first"))
    assert [c for _, _, c in lots(earliest)] == [0, 20]
    assert earliest.realized_gains.is_empty()
    by_market = market("return_of_capital", "2020-12-01", cash_per_share_usd=12)
    assert [c for _, _, c in lots(ledger([BUY, SECOND], actions=by_market))] == [0, 40]


def test_fund_held_six_months_turns_its_loss_long_up_to_distributions(ledger: Ledger) -> None:
    # IRC 852(b)(4)
    rows = [
        BUY,
        {"day": "2020-02-03", "kind": "capital_gain_distribution", "amount_usd": 5},
        {"day": "2020-05-04", "kind": "sell", "quantity": 10, "amount_usd": 80},
    ]
    gains = ledger(rows).realized_gains.sort("term")
    assert gains.select("term", "gain_usd").rows() == [("long", -5), ("short", -15)]
    held_longer = [*rows[:2], rows[2] | {"day": "2020-07-07"}]
    assert ledger(held_longer).realized_gains.get_column("term").to_list() == ["short"]


def test_transfers_inside_the_household_carry_lots_along(ledger: Ledger) -> None:
    accounts = {"T1": "taxable", "T2": "taxable", "I1": "traditional_ira"}
    rows = [
        BUY,
        SECOND,
        {"day": "2020-06-01", "kind": "transfer_out", "quantity": 12},
        {"day": "2020-06-03", "kind": "transfer_in", "quantity": 12, "account_id": "T2"},
    ]
    result = ledger(rows, accounts=accounts)
    assert lots(result, "account_id", "quantity", "cost_basis_usd", "acquired_date") == [
        ("T2", 10, 100, date(2020, 1, 6)),
        ("T1", 3, 60, date(2020, 2, 3)),
        ("T2", 2, 40, date(2020, 2, 3)),
    ]
    assert result.issues.is_empty()
    out_of_ira = [
        BUY | {"account_id": "I1"},
        {"day": "2020-06-01", "kind": "transfer_out", "quantity": 10, "account_id": "I1"},
        {"day": "2020-06-02", "kind": "transfer_in", "quantity": 10, "fair_market_value_usd": 250},
    ]
    result = ledger(out_of_ira, accounts=accounts)
    assert lots(result, "cost_basis_usd", "hp_start_date") == [(250, date(2020, 6, 1))]


def test_gifts_and_inheritances(ledger: Ledger) -> None:
    gift = {
        "day": "2021-01-04",
        "kind": "gift_in",
        "quantity": 10,
        "acquired_date": date(2018, 1, 2),
        "cost_basis_usd": 100,
        "fair_market_value_usd": 80,
    }
    for proceeds, gain, term in ((120, 20, "long"), (90, 0, "long"), (70, -10, "short")):
        sale = {"day": "2021-03-01", "kind": "sell", "quantity": 10, "amount_usd": proceeds}
        row = ledger([gift, sale]).realized_gains.row(0, named=True)
        assert (row["gain_usd"], row["term"]) == (gain, term)
    heir = {"day": "2021-01-04", "kind": "inheritance", "quantity": 1, "fair_market_value_usd": 50}
    sale = {"day": "2021-01-05", "kind": "sell", "quantity": 1, "amount_usd": 51}
    assert ledger([heir, sale]).realized_gains.get_column("term").to_list() == ["long"]


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"kind": "short_sale", "quantity": 5, "amount_usd": 50}, "unsupported_kind"),
        ({"kind": "option_open", "quantity": 1, "amount_usd": -50}, "unsupported_kind"),
        ({"kind": "journal", "quantity": 5}, "unsupported_kind"),
        ({"kind": "split"}, "refused"),
        ({"kind": "merger"}, "refused"),
        ({"kind": "rights_issue"}, "unsupported_kind"),
    ],
)
def test_what_is_not_computed_is_refused_with_a_status(ledger: Ledger, row: dict, status: str) -> None:
    result = ledger([BUY, {"day": "2020-06-01"} | row], as_of="2021-12-31")
    years = result.tax_unit_years
    assert years.get_column("status").to_list() == [status, status]
    assert years.get_column("st_net_usd").null_count() == 2
    assert status in result.issues.get_column("status").to_list()
    assert result.open_lots.get_column("quantity").sum() == 10


@pytest.mark.parametrize("treatment", ["collectible_28", "section_1256", "section_988", "partnership"])
def test_tax_treatments_that_are_not_computed_refuse_the_total(ledger: Ledger, treatment: str) -> None:
    sale = {"day": "2021-06-01", "kind": "sell", "quantity": 10, "amount_usd": 150}
    assets = {"X": {"tax_treatment": treatment}}
    years = ledger([BUY, sale], as_of="2021-12-31", assets=assets).tax_unit_years
    assert years.filter(pl.col("tax_year") == 2021).get_column("status").to_list() == ["refused"]
    assert "AMT" in years.row(0, named=True)["not_modelled"]


@pytest.mark.parametrize("kind", ["buy", "sell", "transfer_in"])
def test_a_row_without_shares_refuses_the_total(ledger: Ledger, kind: str) -> None:
    years = ledger([BUY, {"day": "2020-06-01", "kind": kind}], as_of="2020-12-31").tax_unit_years
    assert years.select("status", "st_net_usd").rows() == [("refused", None)]
