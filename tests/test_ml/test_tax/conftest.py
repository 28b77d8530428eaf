"""A builder of small ledgers in the warehouse's own column types."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from ml.tax.ledger import LedgerInputs, LedgerResult, run_ledger
from ml.tax.settings import TaxSettings

UTC_TIME = pl.Datetime("us", "UTC")
MONEY, SHARES = pl.Decimal(20, 6), pl.Decimal(24, 9)
TRANSACTIONS = {
    "transaction_id": pl.String,
    "account_id": pl.String,
    "kind": pl.String,
    "asset_id": pl.String,
    "quantity": SHARES,
    "price_usd": MONEY,
    "amount_usd": MONEY,
    "fees_usd": MONEY,
    "order_id": pl.String,
    "lot_reference": pl.String,
    "acquired_date": pl.Date,
    "cost_basis_usd": MONEY,
    "fair_market_value_usd": MONEY,
    "related_asset_id": pl.String,
    "ratio_new": SHARES,
    "ratio_old": SHARES,
    "basis_fraction": pl.Decimal(20, 12),
    "trade_date": pl.Date,
    "traded_at": UTC_TIME,
    "known_at": UTC_TIME,
    "source_file": pl.String,
    "source_line": pl.Int64,
}
ACTIONS = {
    "asset_id": pl.String,
    "ex_date": pl.Date,
    "kind": pl.String,
    "ratio_new": SHARES,
    "ratio_old": SHARES,
    "cash_per_share_usd": MONEY,
    "new_asset_id": pl.String,
    "basis_fraction": pl.Decimal(20, 12),
    "known_at": UTC_TIME,
}
USERS = {
    "user_id": pl.String,
    "tax_year": pl.Int32,
    "household_id": pl.String,
    "filing_status": pl.String,
    "state": pl.String,
    "ordinary_taxable_income_usd": MONEY,
    "magi_usd": MONEY,
    "st_carryover_usd": MONEY,
    "lt_carryover_usd": MONEY,
}
LONG_AGO = datetime(1950, 1, 1, tzinfo=UTC)


def _decimal(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _transactions(rows: list[dict[str, Any]]) -> pl.DataFrame:
    filled = []
    for number, row in enumerate(rows):
        row = dict(row)
        day = date.fromisoformat(row.pop("day"))
        at = datetime(day.year, day.month, day.day, 15, tzinfo=UTC) + timedelta(seconds=number)
        base = dict.fromkeys(TRANSACTIONS) | {
            "transaction_id": f"t{number}",
            "account_id": "T1",
            "asset_id": "X",
            "amount_usd": 0,
            "fees_usd": 0,
            "trade_date": day,
            "traded_at": at,
            "known_at": at,
            "source_file": "test.csv",
            "source_line": number,
        }
        row = base | row
        number_columns = [n for n, t in TRANSACTIONS.items() if isinstance(t, pl.Decimal)]
        filled.append(row | {n: _decimal(row[n]) for n in number_columns})
    return pl.DataFrame(filled, schema=TRANSACTIONS)


def _actions(rows: list[dict[str, Any]]) -> pl.DataFrame:
    base = dict.fromkeys(ACTIONS) | {"asset_id": "X", "known_at": LONG_AGO}
    return pl.DataFrame([base | {k: _decimal(v) for k, v in r.items()} for r in rows], schema=ACTIONS)


def build_inputs(
    rows: list[dict[str, Any]],
    *,
    accounts: dict[str, str] | None = None,
    methods: dict[str, str] | None = None,
    owners: dict[str, str] | None = None,
    actions: list[dict[str, Any]] | None = None,
    users: list[dict[str, Any]] | None = None,
    assets: dict[str, dict[str, Any]] | None = None,
) -> LedgerInputs:
    """Build ledger inputs: one household, taxable account T1 with FIFO unless stated otherwise."""
    owners = owners or {}
    account_rows = [
        {
            "account_id": name,
            "user_id": owners.get(name, "u1"),
            "household_id": "h1",
            "tax_unit_id": f"user:{owners.get(name, 'u1')}",
            "account_type": kind,
            "lot_method": (methods or {}).get(name, "fifo"),
            "known_at": LONG_AGO,
        }
        for name, kind in (accounts or {"T1": "taxable"}).items()
    ]
    asset_rows = [
        {"asset_id": name, "asset_class": "equity", "tax_treatment": "security"} | facts
        for name, facts in (assets or {"X": {}}).items()
    ]
    user_base = dict.fromkeys(USERS) | {"user_id": "u1", "household_id": "h1", "filing_status": "single"}
    user_rows = [user_base | {k: _decimal(v) if "usd" in k else v for k, v in u.items()} for u in users or []]
    return LedgerInputs(
        _transactions(rows),
        _actions(actions or []),
        pl.DataFrame(account_rows),
        pl.DataFrame(user_rows, schema=USERS),
        pl.DataFrame(asset_rows),
        pl.DataFrame(schema={"session_date": pl.Date}),
    )


@pytest.fixture(scope="session")
def inputs() -> Callable[..., LedgerInputs]:
    """Return the builder of ledger inputs."""
    return build_inputs


@pytest.fixture(scope="session")
def ledger() -> Callable[..., LedgerResult]:
    """Return a function that builds inputs and runs the ledger as of a date (default 2030-12-31)."""

    def run(
        rows: list[dict[str, Any]],
        as_of: str = "2030-12-31",
        settings: TaxSettings | None = None,
        **options: Any,
    ) -> LedgerResult:
        built = build_inputs(rows, **options)
        return run_ledger(built, as_of_date=date.fromisoformat(as_of), settings=settings)

    return run
