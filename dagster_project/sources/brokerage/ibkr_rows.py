"""Interactive Brokers' rows, as attributes: trades, cash, transfers, options, positions, lots.

One mapping for Flex XML and both CSV layouts, whose columns are translated to Flex attribute names
first. Corporate actions are in ``ibkr_actions.py``. Times are New York's (the Flex default).
"""

import re
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.ibkr_actions import Actions
from dagster_project.sources.brokerage.ibkr_parts import ROW_TAGS, Attributes, Context
from dagster_project.sources.brokerage.ibkr_trades import Trades
from dagster_project.sources.brokerage.ibkr_transfers import Transfers
from dagster_project.sources.brokerage.model import (
    BadValue,
    Cancel,
    Position,
    Statement,
    row_text,
)
from dagster_project.sources.brokerage.values import date_of, number, shown

_CASH_KINDS: Final = {
    "dividends": "dividend",
    "payment in lieu of dividends": "interest",
    "withholding tax": "withholding",
    "871(m) withholding": "withholding",
    "broker interest received": "interest",
    "broker interest paid": "interest",
    "bond interest received": "interest",
    "bond interest paid": "interest",
    "bond interest": "interest",
    "interest": "interest",
    "other income": "interest",
    "deposits/withdrawals": "deposit",
    "deposits & withdrawals": "deposit",
    "deposits and withdrawals": "deposit",
    "other fees": "fee",
    "advisor fees": "fee",
    "broker fees": "fee",
    "commission adjustments": "fee",
    "price adjustments": "fee",
}
_IN_TEXT: Final = re.compile(r"^\s*(?P<symbol>[A-Z0-9][A-Z0-9. ]{0,20}?)\s*\((?P<id>[A-Z0-9]{6,12})\)")


class Rows(Trades, Transfers):
    """Maps rows into a statement."""

    def __init__(self, statement: Statement, context: Context) -> None:
        super().__init__(statement, context)
        self.actions = Actions(statement)
        self.transfers = []

    def take(self, tag: str, a: Attributes, section: str, line: int | None = None) -> bool:
        """Map one element or CSV row; False if it is none that this module reads."""
        if tag == "OpenPosition":
            self._noted(tag, self._position, a)
            return True
        if tag in ("AccountInformation", "SecurityInfo"):
            self._noted(tag, self._account if tag == "AccountInformation" else self._info, a)
            return True
        handler = ROW_TAGS.get(tag)
        if handler is None or section == "OpenPositions":
            return False
        if not a:
            return True  # the section OptionEAE is named like its rows
        self.line = self.line + 1 if line is None else line
        text = row_text({"element": tag, **a})
        if not any(a.values()):
            self.st.skip(self.line, "empty_row", text)
            return True
        try:
            getattr(self, f"_{handler}")(self.line, a, text)
        except BadValue as error:
            self.st.reject(self.line, error.reason, error.detail, text, error.column)
        return True

    def _noted(self, tag: str, handler, a: Attributes) -> None:
        try:
            handler(a)
        except BadValue as error:
            self.st.notes.append(f"{tag} was not read: {error.detail}")

    def end_of_statement(self) -> None:
        """Book what needs its neighbours: corporate actions, transfers with their lots."""
        self.actions.book(self.rate)
        for line, a, text, lots in self.transfers:
            try:
                self._book_transfer(line, a, text, lots)
            except BadValue as error:
                numbers = [number for number, _ in lots]
                self.st.reject(line, error.reason, error.detail, text, error.column, rows=numbers)
        self.transfers = []

    # ---- cash

    def _cash(self, line: int, a: Attributes, text: str) -> None:
        level = (a.get("levelOfDetail") or "").upper()
        if level == "SUMMARY" and self.context.account in self.context.details:
            self.st.skip(line, "summary_row", text)
            return
        amount, type_ = number(a.get("amount"), "amount"), (a.get("type") or "").strip()
        if amount is None:
            raise BadValue("missing_value", "amount is empty", "amount")
        kind = _CASH_KINDS.get(type_.lower())
        if kind is None:
            raise BadValue(
                "unknown_action", f"type is '{shown(type_)}', which the importer does not know", "type"
            )
        when, amount = self.when(a), amount * self.rate(a)
        kind = _cash_kind(kind, (a.get("description") or "").upper(), amount)
        with_symbol = (
            a if a.get("symbol") else {**_named_in(a), **{key: value for key, value in a.items() if value}}
        )
        security = (
            self.security(with_symbol) if with_symbol.get("symbol") or with_symbol.get("isin") else None
        )
        native = self._id(a, "transactionID", "tradeID")
        if amount < 0 and kind in ("return_of_capital", "capital_gain_distribution"):
            self.st.cancel(
                Cancel(
                    line,
                    self.account_of(a),
                    None,
                    (kind,),
                    None,
                    security,
                    None,
                    -amount,
                    date_of(a.get("reportDate"), "reportDate") or when.date,
                    type_,
                    text,
                )
            )
            return
        self.st.add(
            line,
            kind,
            self.account_of(a),
            when,
            security=security if kind not in ("deposit", "withdrawal") else None,
            amount_usd=amount,
            row=text,
            native_id=native,
            action=type_,
            qualified=not re.search(r"SHORT[- ]TERM CAP", (a.get("description") or "").upper()),
        )

    def _sales_tax(self, line: int, a: Attributes, text: str) -> None:
        tax = number(a.get("salesTax"), "salesTax")
        if not tax:
            self.st.skip(line, "no_amount", text)
            return
        self.st.add(
            line,
            "fee",
            self.account_of(a),
            self.when(a),
            amount_usd=tax * self.rate(a),
            row=text,
            native_id=self._id(a, "transactionID"),
            action="SalesTax",
        )

    def _transaction_tax(self, line: int, a: Attributes, text: str) -> None:
        self.st.skip(line, "stated_in_the_trade", text)

    # ---- corporate actions

    def _action(self, line: int, a: Attributes, text: str) -> None:
        self.actions.take(line, a, text, self.account_of(a), self.when(a), self.security(a))

    # ---- facts

    def _position(self, a: Attributes) -> None:
        if (a.get("levelOfDetail") or "SUMMARY").upper() != "SUMMARY":
            return
        security, quantity = self.security(a), number(a.get("position") or a.get("quantity"), "position")
        day = date_of(a.get("reportDate"), "reportDate")
        if security is None or quantity is None or day is None:
            self.st.notes.append("a position without security, quantity or reportDate was not compared")
            return
        price, cost = (
            number(a.get("markPrice"), "markPrice"),
            number(a.get("costBasisMoney"), "costBasisMoney"),
        )
        value = number(a.get("positionValue"), "positionValue")
        self.st.positions.append(Position(self.account_of(a), security, day, quantity, price, value, cost))

    def _account(self, a: Attributes) -> None:
        name = self.account_of(a)
        if not name:
            return
        facts = self.st.account(name)
        said = " ".join((a.get("accountType") or "", a.get("customerType") or "")).upper()
        if "ROTH" in said:
            facts.account_type = "roth_ira"
        elif "IRA" in said.split():
            facts.account_type = "traditional_ira"
        facts.opened_date = date_of(a.get("dateOpened"), "dateOpened")

    def _info(self, a: Attributes) -> None:
        self.security(a)


def _cash_kind(kind: str, text: str, amount: Decimal) -> str:
    """The kind, refined by the description and the sign."""
    if kind == "deposit":
        return "deposit" if amount >= 0 else "withdrawal"
    if kind != "dividend":
        return kind
    if "RETURN OF CAPITAL" in text:
        return "return_of_capital"
    if re.search(r"LONG[- ]TERM CAP", text):
        return "capital_gain_distribution"
    if "IN LIEU OF DIVIDEND" in text:
        return "interest"
    return "dividend"


def _named_in(a: Attributes) -> dict[str, str]:
    """Symbol and ISIN or CUSIP at the head of a dividend's description: ``VT(US9220427424) CASH DIVIDEND``."""
    found = _IN_TEXT.match((a.get("description") or "").upper())
    if not found:
        return {}
    identifier = found["id"]
    return {
        "symbol": found["symbol"],
        **({"isin": identifier} if len(identifier) == 12 and identifier[:2].isalpha() else {}),
    }
