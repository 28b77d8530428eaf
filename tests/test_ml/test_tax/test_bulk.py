"""The compiled ledger equals the reference engine, frame by frame and to the unit."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from ml.tax.bulk import BulkReport, run_bulk
from ml.tax.ledger import LedgerInputs, LedgerResult, run_ledger
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


def random_ledger(seed: int, count: int) -> tuple[LedgerInputs, date]:
    """Dense trading in few assets over few weeks, so that washes, cascades and splits meet."""
    rng = random.Random(seed)
    accounts = {f"A{i}": rng.choice(TYPES) for i in range(rng.randint(1, 4))}
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
        elif rng.random() < 0.3:
            new, old = rng.choice(((2, 1), (3, 2), (1, 2), (7, 5)))
            rows.append(base | {"ratio_new": new, "ratio_old": old, "amount_usd": None})
            held[key] = max(0, held.get(key, 0) * new // old - 1)
    actions = []
    if rng.random() < 0.5:
        ex = START + timedelta(days=rng.randint(5, 200))
        actions.append({"asset_id": names[0], "ex_date": ex, "kind": "split", "ratio_new": 2, "ratio_old": 1})
    built = build_inputs(
        rows, accounts=accounts, methods=methods, owners=owners, assets=ASSETS, actions=actions
    )
    return built, day + timedelta(days=rng.randint(0, 35))


def _shares(units: int) -> Any:
    from decimal import Decimal

    return Decimal(units).scaleb(-9)


@pytest.mark.parametrize("seed", range(60))
def test_random_ledgers_are_equal(seed: int) -> None:
    built, as_of = random_ledger(seed, 60)
    compare(built, as_of)
