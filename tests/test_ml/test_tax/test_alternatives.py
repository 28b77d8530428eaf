"""Settings whose other choice reports or rounds: A1 show_both, A6 warn_similar, A12, A13."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ml.tax.ledger import LedgerResult
from ml.tax.settings import TaxSettings

Ledger = Callable[..., LedgerResult]


def buy(day: str, quantity: int, amount: float, account: str = "T1", asset: str = "X") -> dict[str, Any]:
    row = {"day": day, "kind": "buy", "quantity": quantity, "amount_usd": -amount}
    return row | {"account_id": account, "asset_id": asset}


SALE = {"day": "2022-06-01", "kind": "sell", "quantity": 10, "amount_usd": 900}
BOTH = [
    buy("2022-01-03", 10, 1000),
    SALE,
    buy("2022-06-03", 10, 920),
    buy("2022-06-03", 6, 546, account="I1"),
]
ACCOUNTS = {"T1": "taxable", "I1": "roth_ira"}


def test_show_both_keeps_the_default_and_names_the_other(ledger: Ledger) -> None:
    plain = ledger(BOTH, accounts=ACCOUNTS)
    both = ledger(BOTH, accounts=ACCOUNTS, settings=TaxSettings(a1="show_both"))
    assert both.realized_gains.equals(plain.realized_gains)
    issue = both.issues.row(0, named=True)
    assert issue["status"] == "same_day_order" and plain.issues.is_empty()
    assert "0.00 disallowed for good by order of execution, 60.00 if" in issue["reason"]
    # where order decides nothing, nothing is reported
    alone = ledger(BOTH[:3], accounts=ACCOUNTS, settings=TaxSettings(a1="show_both"))
    assert alone.issues.is_empty()


def test_worst_case_does_not_pass_a_split_of_the_same_holding(ledger: Ledger) -> None:
    split = {"day": "2022-06-03", "kind": "split", "account_id": "I1", "ratio_new": 2, "ratio_old": 1}
    rows = [*BOTH[:3], split, BOTH[3]]
    rows = [buy("2022-01-04", 1, 100, account="I1"), *rows]
    result = ledger(rows, accounts=ACCOUNTS, settings=TaxSettings(a1="worst_case"))
    held = result.open_lots.filter(account_id="I1").get_column("quantity").sum()
    assert held == Decimal(8)  # 1 doubled and 6 bought after the split


def test_similar_assets_are_reported_and_change_nothing(ledger: Ledger) -> None:
    rows = [buy("2022-01-03", 10, 1000), SALE, buy("2022-07-01", 3, 300, asset="Y")]
    assets = {"X": {}, "Y": {}}
    similar = TaxSettings(a6="warn_similar", similar_groups=(("X", "Y"),))
    warned, plain = ledger(rows, assets=assets, settings=similar), ledger(rows, assets=assets)
    assert warned.issues.get_column("status").to_list() == ["possibly_identical"]
    assert plain.issues.is_empty()
    figures = ["gain_usd", "disallowed_usd", "recognized_usd"]
    assert warned.realized_gains.select(figures).equals(plain.realized_gains.select(figures))
    assert warned.realized_gains.get_column("convention_codes").to_list() == ["A6"]
    late = [*rows[:2], buy("2022-07-02", 3, 300, asset="Y")]
    assert ledger(late, assets=assets, settings=similar).issues.is_empty()


def test_independent_rounding_drifts_and_the_default_does_not(ledger: Ledger) -> None:
    # three thirds of 100.00: 33.333333 + 33.333333 + 33.333334, or three times 33.33
    rows = [buy("2020-01-03", 3, 100)]
    rows += [{"day": f"2022-0{m}-01", "kind": "sell", "quantity": 1, "amount_usd": 40} for m in (1, 2, 3)]
    assert ledger(rows).realized_gains.get_column("cost_basis_usd").sum() == Decimal(100)
    rounded = ledger(rows, settings=TaxSettings(a12="independent")).realized_gains
    assert rounded.get_column("cost_basis_usd").to_list() == [Decimal("33.33")] * 3
    assert rounded.get_column("convention_codes").to_list() == ["A12"] * 3


def test_spin_off_by_the_values_of_the_row(ledger: Ledger) -> None:
    spin = {
        "day": "2022-03-01",
        "kind": "spin_off",
        "quantity": 5,
        "related_asset_id": "N",
        "basis_fraction": 0.2,
        "price_usd": 30,
        "fair_market_value_usd": 100,
    }
    rows = [buy("2020-01-03", 10, 1000), spin]
    assets = {"X": {}, "N": {}}

    def basis(result: LedgerResult) -> dict[str, Decimal]:
        return dict(result.open_lots.select("asset_id", "cost_basis_usd").iter_rows())

    assert basis(ledger(rows, assets=assets)) == {"N": Decimal(200), "X": Decimal(800)}
    # 100 of new shares beside 10 old ones of 30: a quarter moves
    other = ledger(rows, assets=assets, settings=TaxSettings(a13="other_valuation"))
    assert basis(other) == {"N": Decimal(250), "X": Decimal(750)}


def test_other_account_lets_only_foreign_sold_shares_replace(ledger: Ledger) -> None:
    def rows(account: str) -> list[dict[str, Any]]:
        sold = {"day": "2022-05-25", "kind": "sell", "quantity": 10, "amount_usd": 990, "account_id": account}
        return [
            buy("2022-01-03", 10, 1000),
            buy("2022-05-20", 10, 850, account=account),
            sold | {"lot_reference": "t1"},
            SALE | {"lot_reference": "t0"},
        ]

    setting = TaxSettings(a8="other_account")
    same = ledger(rows("T1"), settings=setting).realized_gains
    assert same.get_column("disallowed_usd").sum() == 0
    other = ledger(rows("T2"), accounts={"T1": "taxable", "T2": "taxable"}, settings=setting).realized_gains
    assert other.get_column("disallowed_usd").sum() == 100
    assert other.get_column("recognized_usd").sum() == Decimal(40)  # 140 - 100 either way
    ira = ledger(rows("I1"), accounts=ACCOUNTS, settings=setting).realized_gains
    assert ira.get_column("is_permanent").to_list() == [True]
