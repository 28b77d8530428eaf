"""What must hold of every ledger, on both engines."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.tax.bulk import run_bulk
from ml.tax.ledger import LedgerInputs, LedgerResult, run_ledger
from tests.test_ml.test_tax.conftest import build_inputs
from tests.test_ml.test_tax.test_bulk import random_ledger

Engine = Callable[[LedgerInputs, date], LedgerResult]
LATE = date(2040, 1, 3)


def reference(inputs: LedgerInputs, as_of: date) -> LedgerResult:
    return run_ledger(inputs, as_of_date=as_of)


def compiled(inputs: LedgerInputs, as_of: date) -> LedgerResult:
    result, report = run_bulk(inputs, as_of_date=as_of)
    assert not report.reference or "less than the smallest unit" in next(iter(report.reasons))
    return result


ENGINES = pytest.mark.parametrize("engine", [reference, compiled])
SEEDS = st.integers(5_000, 2**32)
QUICK = settings(deadline=None, max_examples=20)


def total(frame: pl.DataFrame, column: str) -> Any:
    return frame.get_column(column).sum()


@ENGINES
@QUICK
@given(SEEDS)
def test_money_is_conserved(engine: Engine, seed: int) -> None:
    inputs, _ = random_ledger(seed, 60, types=("taxable",), has_splits=False)
    result = engine(inputs, LATE)
    cash = inputs.transactions.filter(pl.col("kind").is_in(["buy", "reinvestment", "sell"]))
    # a row without an amount is worth price times shares, to the nearest 1e-6 USD
    value = (pl.col("price_usd") * pl.col("quantity")).cast(pl.Decimal(38, 6))
    sign = pl.when(pl.col("kind") == "sell").then(1).otherwise(-1)
    stated = cash.filter(pl.col("amount_usd").is_not_null())
    priced = cash.filter(pl.col("amount_usd").is_null()).select(value * sign).to_series()
    # recognised = proceeds - cost + open basis, with the losses still carried in that basis
    recognised = total(result.realized_gains, "recognized_usd")
    money = total(stated, "amount_usd") + (priced.sum() or 0)
    difference = recognised - money - total(result.open_lots, "cost_basis_usd")
    assert abs(difference) <= len(priced) * Decimal("0.000001")
    bought = cash.filter(pl.col("kind") != "sell")
    sold = cash.filter(pl.col("kind") == "sell")
    shares = total(bought, "quantity") - total(sold, "quantity")
    assert shares == total(result.open_lots, "quantity")


@ENGINES
@QUICK
@given(SEEDS)
def test_a_disallowed_loss_is_a_whole_loss_and_shares_replace_once(engine: Engine, seed: int) -> None:
    inputs, _ = random_ledger(seed, 60, has_splits=False)
    result = engine(inputs, LATE)
    gains = result.realized_gains
    washed = gains.filter(pl.col("disallowed_usd") > 0)
    assert (washed.get_column("disallowed_usd") == -washed.get_column("gain_usd")).all()
    assert (gains.get_column("disallowed_usd") >= 0).all()
    used = result.wash_sales.group_by("replacement_transaction_id").agg(pl.col("replacement_quantity").sum())
    orders = inputs.transactions.select("transaction_id", "account_id", "asset_id", "order_id", "quantity")
    found = used.join(orders, left_on="replacement_transaction_id", right_on="transaction_id")
    # fills of one order may have joined the lot that replaces
    fills = orders.group_by("account_id", "asset_id", "order_id").agg(
        pl.col("quantity").sum().alias("ordered")
    )
    found = found.join(fills, on=["account_id", "asset_id", "order_id"], how="left").with_columns(
        bought=pl.max_horizontal("quantity", pl.col("ordered").fill_null(0))
    )
    assert (found.get_column("replacement_quantity") <= found.get_column("bought")).all()


@ENGINES
@QUICK
@given(SEEDS)
def test_names_of_accounts_do_not_matter(engine: Engine, seed: int) -> None:
    inputs, as_of = random_ledger(seed, 60)
    result = engine(inputs, as_of)
    other = replace(
        inputs,
        transactions=inputs.transactions.with_columns("z" + pl.col("account_id")),
        accounts=inputs.accounts.with_columns("z" + pl.col("account_id")),
    )
    renamed = engine(other, as_of)
    for name in ("open_lots", "realized_gains"):
        found = getattr(renamed, name).with_columns(pl.col("account_id").str.strip_prefix("z"))
        assert_frame_equal(found, getattr(result, name))


@ENGINES
@QUICK
@given(SEEDS)
def test_rows_of_other_symbols_do_not_matter(engine: Engine, seed: int) -> None:
    inputs, as_of = random_ledger(seed, 60)
    result = engine(inputs, as_of)
    for asset in inputs.transactions.get_column("asset_id").unique():
        alone = engine(
            replace(inputs, transactions=inputs.transactions.filter(pl.col("asset_id") == asset)), as_of
        )
        for name in ("open_lots", "realized_gains", "wash_sales"):
            assert_frame_equal(
                getattr(alone, name), getattr(result, name).filter(pl.col("asset_id") == asset)
            )


@ENGINES
@QUICK
@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(1, 50), st.integers(-40, 40))
def test_fills_of_an_order_are_one_order(engine: Engine, fills: list[int], price: int, days: int) -> None:
    size = sum(fills)
    day = date(2021, 3, 1)

    def ledger(parts: list[int]) -> LedgerResult:
        buys = [
            {"kind": "buy", "day": "2021-03-01", "quantity": q, "amount_usd": -20 * q, "order_id": "o"}
            for q in parts
        ]
        other = day + timedelta(days=days)
        own = {"kind": "buy", "day": other.isoformat(), "quantity": 7, "amount_usd": -7 * price}
        sale = {"kind": "sell", "day": "2021-04-20", "quantity": size, "amount_usd": size * 15}
        rows = sorted([*buys, own, sale], key=lambda r: str(r["day"]))
        return engine(build_inputs(rows), LATE)

    whole, split = ledger([size]), ledger(fills)
    for column in ("recognized_usd", "disallowed_usd", "quantity"):
        assert total(whole.realized_gains, column) == total(split.realized_gains, column)
    assert total(whole.open_lots, "cost_basis_usd") == total(split.open_lots, "cost_basis_usd")
    assert whole.open_lots.height == split.open_lots.height


@ENGINES
@QUICK
@given(st.integers(2, 5), st.integers(1, 30), st.integers(1, 9))
def test_a_split_scales_shares_and_nothing_else(engine: Engine, ratio: int, days: int, bought: int) -> None:
    def ledger(factor: int) -> LedgerResult:
        rows = [
            {"kind": "buy", "day": "2021-01-04", "quantity": 10, "amount_usd": -1000},
            {"kind": "sell", "day": "2021-06-01", "quantity": 6, "amount_usd": 480},
            {"kind": "split", "day": "2021-06-01", "ratio_new": factor, "ratio_old": 1},
            {
                "kind": "buy",
                "day": (date(2021, 6, 1) + timedelta(days=days)).isoformat(),
                "quantity": bought * factor,
                "amount_usd": -bought * 90,
            },
        ]
        return engine(build_inputs(rows), LATE)

    plain, scaled = ledger(1), ledger(ratio)
    assert_frame_equal(plain.realized_gains, scaled.realized_gains)
    shares = total(plain.open_lots, "quantity") * ratio
    assert total(scaled.open_lots, "quantity") == shares
    assert total(plain.open_lots, "cost_basis_usd") == total(scaled.open_lots, "cost_basis_usd")
    assert total(plain.wash_sales, "disallowed_usd") == min(6, bought) * 20


@ENGINES
@pytest.mark.parametrize(("days", "provisional"), [(0, True), (30, True), (31, False)])
def test_a_loss_is_provisional_until_day_30(engine: Engine, days: int, provisional: bool) -> None:
    rows = [
        {"kind": "buy", "day": "2021-01-04", "quantity": 10, "amount_usd": -1000},
        {"kind": "sell", "day": "2021-12-15", "quantity": 10, "amount_usd": 800},
    ]
    result = engine(build_inputs(rows), date(2021, 12, 15) + timedelta(days=days))
    assert result.realized_gains.get_column("is_provisional").to_list() == [provisional]
    assert result.wash_windows.height == provisional
