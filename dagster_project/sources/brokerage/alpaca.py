"""Alpaca account activities (JSON): trade activities (FILL) and non-trade activities.

Fills keep their own rows with their order's id, by which the ledger joins them into one purchase or
sale; so an export that ends between two fills of an order and a later one never disagree.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import BadValue, RefusedFile, Statement, row_text
from dagster_project.sources.brokerage.textio import open_text
from dagster_project.sources.brokerage.values import moment, number, shown

FORMAT: Final = "alpaca"
KINDS: Final = {
    **dict.fromkeys(("DIV", "DIVCGS", "DIVTXEX"), "dividend"),
    "DIVCGL": "capital_gain_distribution",
    "DIVROC": "return_of_capital",
    **dict.fromkeys(("DIVNRA", "DIVFT", "DIVTW", "DIVWH", "WH", "INTNRA", "INTTW"), "withholding"),
    **dict.fromkeys(("INT", "SLIP", "SWP"), "interest"),
    **dict.fromkeys(("FEE", "CFEE", "PTC", "PTR", "DIVFEE"), "fee"),
    **dict.fromkeys(("CSD", "CSW", "CSR", "TRANS", "ACATC", "OCT", "FOPT", "MISC"), "cash"),
    **dict.fromkeys(("ACATS", "JNLS", "FOP"), "shares"),
    **dict.fromkeys(("JNLC", "JNL", "FIMM"), "journal"),
    **dict.fromkeys(("SPLIT", "SSP"), "split"),
    **dict.fromkeys(("SPIN", "SSO"), "spin_off"),
    **dict.fromkeys(("MA", "REORG", "REO"), "merger"),
    **dict.fromkeys(("NC", "SC"), "symbol_change"),
    "OPEXP": "option_expiry",
    "OPASN": "option_assignment",
    "OPXRC": "option_exercise",
    "OPEXC": "option_exercise",
    "CIL": "cash_in_lieu",
}
_SIDES: Final = {"buy": "buy", "sell": "sell", "sell_short": "short_sale", "buy_to_cover": "buy_to_cover"}


def is_activities(data: Any) -> bool:
    """Whether decoded JSON is a list of activities, bare or under one key."""
    return _list_of(data) is not None


def _list_of(data: Any) -> list[Any] | None:
    if isinstance(data, Mapping):
        data = next(
            (data[k] for k in ("activities", "account_activities", "data") if isinstance(data.get(k), list)),
            None,
        )
    if isinstance(data, list) and any(isinstance(row, Mapping) and "activity_type" in row for row in data):
        return data
    return None


def load_json(path: Path, encoding: str) -> Any:
    """Decode a JSON file with exact decimals.

    Raises
    ------
    RefusedFile
        Not JSON, or cut off.
    """
    try:
        with open_text(path, encoding) as handle:
            return json.load(handle, parse_float=Decimal, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise RefusedFile(
            f"the JSON cannot be read or is cut off ({str(error)[:120]}): export it again"
        ) from error


def read_data(data: Any, statement: Statement) -> None:
    """Read decoded activities into the statement."""
    rows = _list_of(data)
    if rows is None:
        raise RefusedFile("there is no list of account activities in the file")
    _Reader(statement).run(rows)


class _Reader:
    def __init__(self, statement: Statement) -> None:
        self.st = statement
        self.booker = Booker(statement)

    def run(self, rows: Iterable[Any]) -> None:
        for line, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                self.st.reject(line, "malformed_row", "the entry is no object", row_text({"row": row}))
                continue
            text = row_text(row)
            try:
                self._row(line, {key: _cell(value) for key, value in row.items()}, text)
            except BadValue as error:
                self.st.reject(line, error.reason, error.detail, text, error.column)
        self.booker.legs.book()

    def _row(self, line: int, a: dict[str, str], text: str) -> None:
        code, account = a.get("activity_type", "").upper(), a.get("account_id", "")
        if a.get("status", "").lower() in ("canceled", "cancelled"):
            self.st.account(account)
            self.st.skip(line, "cancelled_activity", text)
            return
        if a.get("currency", "USD").upper() not in ("USD", ""):
            raise BadValue("other_currency", f"currency is {shown(a['currency'])}", "currency")
        symbol = a.get("symbol", "")
        security = self.booker.security(symbol, cusip=a.get("cusip"))
        if "/" in symbol and security is not None:  # a pair such as BTC/USD
            security = self.st.security(symbol=symbol, asset_class="crypto")
        native, quantity = a.get("id") or None, number(a.get("qty"), "qty")
        if code == "FILL":
            self._fill(line, a, text, account, security, quantity)
            return
        kind = KINDS.get(code)
        if kind is None:
            raise BadValue(
                "unknown_action",
                f"activity_type is '{shown(code)}', which the importer does not know",
                "activity_type",
            )
        amount = number(a.get("net_amount"), "net_amount")
        when = moment(a.get("date") or a.get("transaction_time") or a.get("created_at"), "date")
        extra: dict[str, Any] = {}
        if kind == "shares" and quantity and quantity > 0:
            extra = {
                "fair_market_value_usd": abs(quantity) * price
                if (price := number(a.get("price"), "price"))
                else None
            }
        event = (when.date,) if kind in ("symbol_change", "merger") else (when.date, security)
        if kind == "cash" and amount is None and quantity:
            kind = "shares"
        parent = self.booker.security(a.get("old_symbol", "") or a.get("source_symbol", ""))
        self.booker.book(
            line,
            kind,
            account,
            when,
            text=text,
            action=code,
            security=security,
            quantity=quantity,
            amount=amount,
            description=a.get("description", ""),
            event=event,
            parent=parent,
            native_id=native,
            qualified=code != "DIVCGS",
            **extra,
        )

    def _fill(
        self,
        line: int,
        a: dict[str, str],
        text: str,
        account: str,
        security: str | None,
        quantity: Decimal | None,
    ) -> None:
        kind = _SIDES.get(a.get("side", "").lower())
        if kind is None:
            raise BadValue("unknown_action", f"side is '{shown(a.get('side'))}'", "side")
        price = number(a.get("price"), "price")
        if price is None:
            raise BadValue("missing_value", "price is empty", "price")
        when = moment(a.get("transaction_time") or a.get("date"), "transaction_time")
        action = "BUY" if kind.startswith("buy") else "SELL"
        intent = a.get("position_intent", "").lower()
        if intent.endswith(("open", "close")) and security and self.st.securities[security].is_option:
            # booking turns a buy or short sale of an option into an opening, a sale or cover into a closing
            kind = "buy" if intent.endswith("open") else "sell"
        self.booker.book(
            line,
            kind,
            account,
            when,
            text=text,
            action=action,
            security=security,
            quantity=quantity,
            price=price,
            native_id=a.get("id") or None,
            order_id=a.get("order_id") or None,
        )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return format(value, "f") if isinstance(value, Decimal) else str(value)
