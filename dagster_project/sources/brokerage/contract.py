"""The raw contract itself as a file: transactions in the columns of ``raw.brokerage__transactions``, as CSV.

The same columns as the ``files`` source's transactions; ``symbol`` may stand for ``asset_id``. Cells go
to ingestion as they are, whose own rules judge them.
"""

from pathlib import Path
from typing import Any, Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import CELLS, BadValue, Statement, When
from dagster_project.sources.brokerage.textio import Row, read_rows
from dagster_project.sources.brokerage.values import date_of, moment, shown

FORMAT: Final = "contract"
_TAKEN: Final = ("kind", "traded_at", "trade_date")


def section(keys: list[str]) -> str | None:
    """Whether normalised cells are the header."""
    return "transactions" if {"account_id", "traded_at", "kind", "amount_usd"} <= set(keys) else None


def read(path: Path, encoding: str, delimiter: str, statement: Statement) -> None:
    """Read transactions into the statement."""
    booker = Booker(statement)

    def row(found: Row) -> None:
        account = found.get("account_id")
        if not account:
            raise BadValue("missing_value", "account_id is empty", "account_id")
        if found.get("currency").upper() not in ("", "USD"):
            raise BadValue("other_currency", f"currency is {shown(found.get('currency'))}", "currency")
        when = moment(found.get("traded_at"), "traded_at")
        known = found.get("known_at")
        if known:
            posted = date_of(known[:10], "known_at")
            when = When(when.date, when.moment, posted if posted and posted > when.date else None)
        cells: dict[str, Any] = {name: found.get(name) or None for name in CELLS if name not in _TAKEN}
        statement.add(
            found.line,
            found.get("kind").lower(),
            account,
            when,
            row=found.text,
            security=booker.security(found.get("asset_id", "symbol")),
            related=booker.security(found.get("related_asset_id", "related_symbol")),
            underlying=booker.security(found.get("underlying_asset_id", "underlying_symbol")),
            native_id=found.get("transaction_id") or None,
            action="contract",
            **cells,
        )

    read_rows(path, encoding, delimiter, statement, section, row)
