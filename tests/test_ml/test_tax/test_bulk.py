"""The compiled ledger equals the reference engine, frame by frame and to the unit."""

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.tax.bulk import BulkReport, run_bulk
from ml.tax.ledger import LedgerInputs, LedgerResult, run_ledger
from ml.tax.settings import TaxSettings
from tests.test_ml.test_tax.conftest import build_inputs

FRAMES = (
    "open_lots",
    "account_cash",
    "realized_gains",
    "tax_unit_years",
    "issues",
    "wash_windows",
    "wash_sales",
)
START = date(2020, 1, 6)
ASSETS = {
    "X": {"qualified_dividend_ratio": 0.8},
    "Y": {"qualified_dividend_ratio": 0.5},
    "F": {"asset_class": "equity_etf", "qualified_dividend_ratio": 0.0},
    "C": {"asset_class": "crypto", "tax_treatment": "digital_asset", "qualified_dividend_ratio": 0.0},
}
TYPES = ("taxable", "taxable", "traditional_ira", "roth_ira", "401k", "taxable")
METHODS = ("fifo", "lifo", "hifo", "average", "specific_id")


def compare(inputs: LedgerInputs, as_of: date) -> tuple[LedgerResult, BulkReport]:
    """Run both engines; every frame must be identical."""
    expected = run_ledger(inputs, as_of_date=as_of)
    found, report = run_bulk(inputs, as_of_date=as_of)
    for name in FRAMES:
        assert_frame_equal(getattr(found, name), getattr(expected, name), check_exact=True)
    return found, report


def random_ledger(
    seed: int, count: int, *, types: tuple[str, ...] = TYPES, has_splits: bool = True
) -> tuple[LedgerInputs, date]:
    """Dense trading in few assets over few weeks, so that washes, cascades and splits meet."""
    rng = random.Random(seed)
    accounts = {f"A{i}": rng.choice(types) for i in range(rng.randint(1, 4))}
    methods = {a: rng.choice(METHODS) for a in accounts}
    owners = {a: rng.choice(("u1", "u2")) for a in accounts}
    held: dict[tuple[str, str], int] = {}
    rows: list[dict[str, Any]] = []
    day = START
    names = rng.sample(list(ASSETS), rng.randint(1, 3))
    bought: dict[tuple[str, str], list[str]] = {}
    whole, names_lots = rng.random() < 0.5, rng.random() < 0.25
    for _ in range(count):
        day += timedelta(days=rng.choice((0, 0, 0, 1, 1, 2, 5, 9, 20, 40)))
        account, asset = rng.choice(list(accounts)), rng.choice(names)
        key = (account, asset)
        price = round(rng.uniform(5, 40), rng.choice((0, 2, 4)))
        kind = rng.choice(
            ("buy", "buy", "buy", "sell", "sell", "sell", "reinvestment", "dividend", "split", "interest")
        )
        unit = 10**9 if whole else rng.choice((10**9, 10**6, 1))
        base: dict[str, Any] = {
            "day": day.isoformat(),
            "account_id": account,
            "asset_id": asset,
            "kind": kind,
        }
        order = rng.choice((None, None, f"o{day}"))
        if kind in ("buy", "reinvestment"):
            quantity = rng.randint(1, 9 * 10**9 // unit) * unit
            held[key] = held.get(key, 0) + quantity
            bought.setdefault(key, []).append(f"t{len(rows)}")
            cost = round(price * quantity / 1e9, rng.choice((2, 6)))
            stated = (
                {"amount_usd": -cost}
                if rng.random() < 0.7 and cost
                else {"price_usd": price, "amount_usd": None}
            )
            rows.append(
                base
                | {"quantity": quantity / 1e9 if whole else _shares(quantity), "order_id": order}
                | stated
            )
        elif kind == "sell":
            most = held.get(key, 0)
            if not most:
                continue
            quantity = most if rng.random() < 0.3 else max(unit, rng.randint(1, most) // unit * unit)
            quantity = min(quantity, most)
            fills = rng.choice((1, 1, 1, 2)) if order else 1
            parts = (
                [quantity]
                if fills == 1 or quantity < 2
                else [quantity // 3 or 1, quantity - (quantity // 3 or 1)]
            )
            for part in parts:
                reference = None
                if names_lots and rng.random() < 0.5:
                    ids = rng.sample(bought[key], len(bought[key]))
                    reference = ";".join(i + rng.choice(("", "#1", ":0.5", ":3")) for i in ids)
                    reference += ";" + ";".join(bought[key])
                amount = round(price * part / 1e9, 2)
                stated = (
                    {"amount_usd": amount} if rng.random() < 0.7 else {"price_usd": price, "amount_usd": None}
                )
                rows.append(
                    base | {"quantity": _shares(part), "order_id": order, "lot_reference": reference} | stated
                )
            held[key] = most - quantity
        elif kind == "dividend":
            rows.append(base | {"amount_usd": round(price / 7, 2)})
        elif kind == "interest":
            rows.append(base | {"amount_usd": round(price / 9 - 2, 2)})
        elif rng.random() < 0.3 and has_splits:
            new, old = rng.choice(((2, 1), (3, 2), (1, 2), (7, 5)))
            rows.append(base | {"ratio_new": new, "ratio_old": old, "amount_usd": None})
            held[key] = max(0, held.get(key, 0) * new // old - 1)
    actions = []
    if rng.random() < 0.5 and has_splits:
        ex = START + timedelta(days=rng.randint(5, 200))
        actions.append({"asset_id": names[0], "ex_date": ex, "kind": "split", "ratio_new": 2, "ratio_old": 1})
    built = build_inputs(
        rows, accounts=accounts, methods=methods, owners=owners, assets=ASSETS, actions=actions
    )
    return built, day + timedelta(days=rng.randint(0, 35))


def _shares(units: int) -> Decimal:
    return Decimal(units).scaleb(-9)


@pytest.mark.parametrize("seed", range(40))
def test_random_ledgers_are_equal(seed: int) -> None:
    _, report = compare(*random_ledger(seed, 60))
    assert report.compiled + report.reference == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(1_000, 2**32), st.integers(1, 120))
def test_any_ledger_is_equal(seed: int, count: int) -> None:
    compare(*random_ledger(seed, count))


def test_most_random_ledgers_are_compiled_and_their_washes_are_many() -> None:
    washes = compiled = 0
    codes: set[str] = set()
    for seed in range(40):
        result, report = run(*random_ledger(seed, 60))
        compiled += report.compiled
        washes += result.wash_sales.height if report.compiled else 0
        for text in result.realized_gains.get_column("convention_codes"):
            codes.update(text.split(","))
    assert compiled >= 36
    assert washes > 100
    assert {"A1", "A2", "A3", "A4", "A5", "A8", "A9", "A10", "A14", "A15", "A17", "A18"} <= codes


def run(inputs: LedgerInputs, as_of: date) -> tuple[LedgerResult, BulkReport]:
    """Run the compiled engine."""
    return run_bulk(inputs, as_of_date=as_of)


TRADE = {"quantity": 10, "amount_usd": -100, "kind": "buy", "day": "2020-01-06"}
REFUSED: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
    ("kind spin_off", [TRADE, {"kind": "spin_off", "day": "2020-02-03", "related_asset_id": "Y"}], {}),
    ("kind gift_in", [{"kind": "gift_in", "quantity": 1, "cost_basis_usd": 5, "day": "2020-02-03"}], {}),
    (
        "kind capital_gain_distribution",
        [TRADE, {"kind": "capital_gain_distribution", "day": "2020-02-03"}],
        {},
    ),
    ("sale beyond holdings", [TRADE, TRADE | {"kind": "sell", "quantity": 11, "amount_usd": 50}], {}),
    ("trade without an asset", [TRADE | {"asset_id": None}], {}),
    ("trade without a quantity", [TRADE | {"quantity": None}], {}),
    ("purchase without a cost", [TRADE | {"amount_usd": None}], {}),
    ("sale without proceeds", [TRADE, TRADE | {"kind": "sell", "amount_usd": None}], {}),
    ("split without a ratio", [TRADE, {"kind": "split", "quantity": 5, "day": "2020-02-03"}], {}),
    ("journal of shares", [TRADE, {"kind": "journal", "quantity": 5, "day": "2020-02-03"}], {}),
    ("tax treatment of the asset", [TRADE], {"assets": {"X": {"tax_treatment": "partnership"}}}),
    ("lot method min_tax", [TRADE], {"methods": {"T1": "min_tax"}}),
    ("lot reference", [TRADE, TRADE | {"kind": "sell", "amount_usd": 90, "lot_reference": "nowhere"}], {}),
    (
        "lot reference leaves shares unidentified",
        [TRADE, TRADE | {"kind": "sell", "amount_usd": 90, "lot_reference": "t0:3"}],
        {},
    ),
    (
        "market spin_off",
        [TRADE],
        {"actions": [{"kind": "spin_off", "ex_date": date(2020, 3, 2), "new_asset_id": "Z"}]},
    ),
    ("amount out of range", [TRADE | {"amount_usd": -9_000_000_000_000}], {}),
    ("transaction_id with #", [TRADE | {"transaction_id": "a#1"}], {}),
]


@pytest.mark.parametrize(("reason", "rows", "options"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_not_compiled_goes_to_the_reference(
    reason: str, rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    _, report = compare(build_inputs(rows, **options), date(2020, 12, 31))
    assert report == BulkReport(0, 1, {reason: 1})


def test_other_settings_go_to_the_reference() -> None:
    inputs, as_of = random_ledger(3, 60)
    chosen = TaxSettings(a2="replacement")
    found, report = run_bulk(inputs, as_of_date=as_of, settings=chosen)
    assert_frame_equal(found.open_lots, run_ledger(inputs, as_of_date=as_of, settings=chosen).open_lots)
    assert report == BulkReport(0, 1, {"setting A2": 1})


def test_an_unknown_account_is_reported() -> None:
    compare(build_inputs([TRADE, TRADE | {"account_id": "it's not mine"}]), date(2020, 12, 31))


def test_households_of_both_engines_and_batches_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [(random_ledger(seed, 50), seed) for seed in range(6)]
    inputs = [renamed(ledger, seed) for (ledger, _), seed in parts]
    whole = replace(
        inputs[0],
        transactions=pl.concat([i.transactions for i in inputs]),
        accounts=pl.concat([i.accounts for i in inputs]),
        users=pl.concat([i.users for i in inputs]),
    )
    odd = build_inputs([TRADE, {"kind": "gift_in", "quantity": 1, "day": "2020-02-03"}])
    whole = replace(
        whole,
        transactions=pl.concat([whole.transactions, odd.transactions]),
        accounts=pl.concat([whole.accounts, odd.accounts]),
    )
    _, report = compare(whole, date(2022, 1, 3))
    assert report.reference == 1
    monkeypatch.setattr("ml.tax.bulk.run.BATCH_ROWS", 60)
    compare(whole, date(2022, 1, 3))


def renamed(inputs: LedgerInputs, number: int) -> LedgerInputs:
    """Give a ledger's household, accounts and transactions other names."""
    prefix = f"p{number}-"
    names = pl.col("transaction_id", "account_id")
    lots = pl.col("lot_reference").str.replace_all(r"\bt(\d)", f"p{number}-t$1")
    owners = pl.col("account_id", "household_id", "user_id")
    unit = pl.col("tax_unit_id").str.replace(":", f":p{number}-")
    return replace(
        inputs,
        transactions=inputs.transactions.with_columns(names.str.replace("^", prefix), lots),
        accounts=inputs.accounts.with_columns(owners.str.replace("^", prefix), unit),
    )
