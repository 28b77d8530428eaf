"""Fidelity account history CSV, of one account or of all accounts (which adds columns and their order).

The action is a sentence ("YOU BOUGHT APPLE INC (AAPL) (Cash)"), so patterns decide, the first that fits.
Transfers between the account and its core fund move no cash: the core fund counts as cash.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import BadValue, Statement
from dagster_project.sources.brokerage.schwab_csv import account_type_in
from dagster_project.sources.brokerage.textio import Row, read_rows
from dagster_project.sources.brokerage.values import date_of, day, number, shown

FORMAT: Final = "fidelity"
_ACTIONS: Final = (
    (r"\bCANCEL", "cancel"),
    (r"(PURCHASE INTO|REDEMPTION FROM|REINVEST INTO) CORE|CORE ACCOUNT .*(PURCHASE|REDEMPTION)", "core"),
    (r"^(YOU )?BOUGHT.*(OPENING|CLOSING) TRANSACTION|^(YOU )?SOLD.*(OPENING|CLOSING) TRANSACTION", "option"),
    (r"IN LIEU OF FRX", "cash_in_lieu"),
    (r"IN LIEU OF DIV|SUBSTITUTE PAYMENT", "interest"),
    (r"SHORT SALE|SOLD SHORT", "short_sale"),
    (r"SHORT COVER|BUY TO COVER|BOUGHT TO COVER|BOUGHT.*\bCOVER\b", "buy_to_cover"),
    (r"^REINVESTMENT|^DIVIDEND REINVEST", "reinvestment"),
    (r"^(YOU )?BOUGHT", "buy"),
    (r"^(YOU )?SOLD|REDEMPTION PAYOUT|^REDEEMED|^MATURED", "sell"),
    (r"LONG-?\s?TERM CAP", "capital_gain_distribution"),
    (r"SHORT-?\s?TERM CAP|^DIVIDEND RECEIVED|^DIVIDEND ADJ|^DIVIDEND", "dividend"),
    (r"RETURN OF CAPITAL", "return_of_capital"),
    (r"FOREIGN TAX|TAX WITHHELD|TAX W/H|NON-?RESIDENT TAX|BACKUP WITHH", "withholding"),
    (r"MARGIN INTEREST|INTEREST", "interest"),
    (r"FEE CHARGED|\bFEE\b|ADVISORY|ADVISOR", "fee"),
    (r"SPIN-?\s?OFF", "spin_off"),
    (r"REVERSE SPLIT|STOCK SPLIT|\bSPLIT\b", "split"),
    (r"STOCK DIVIDEND", "stock_dividend"),
    (r"MERGER|ACQUISITION", "merger"),
    (r"NAME CHANGE|EXCHANGED TO|TICKER CHANGE|CUSIP CHANGE|CONVERSION", "symbol_change"),
    (r"^DISTRIBUTION", "distribution"),
    (r"EXPIRED", "option_expiry"),
    (r"ASSIGNED", "option_assignment"),
    (r"EXERCISED", "option_exercise"),
    (r"^TRANSFERRED|^TRANSFER OF ASSETS|ACAT|SHARES DEPOSITED|SHARES RECEIVED|CONV(ERTED)? SHARES", "shares"),
    (r"JOURNALED", "journal"),
    (
        r"ELECTRONIC FUNDS|DIRECT DEP|DIRECT DEBIT|WIRE|CONTR|ROLLOVER|BILL PAY|CHECK|DEBIT CARD|CASH ADVANCE|DISTR|"
        r"DEPOSIT|WITHDRAW|ATM|TRANSFER|FUNDS RECEIVED|FUNDS PAID",
        "cash",
    ),
)
_PARENT: Final = re.compile(r"SPIN-?\s?OFF (?:FROM|OF) ?:? ?(?P<symbol>[A-Z.]{1,6})\b")
_IN_ACTION: Final = re.compile(r"\((?P<symbol>[A-Z0-9.]{1,9})\)")


def section(keys: list[str]) -> str | None:
    """Whether normalised cells are the header of either layout."""
    names = set(keys)
    return "transactions" if {"run_date", "action"} <= names and names & {"amount", "quantity"} else None


def read(path: Path, encoding: str, delimiter: str, statement: Statement, account: str | None) -> None:
    """Read either layout into the statement."""
    found = re.search(r"(?<![A-Za-z0-9])([XZ]\d{8}|\d{9})(?!\d)", path.stem)
    reader = _Reader(statement, account or (found[1] if found else "fidelity"))
    read_rows(path, encoding, delimiter, statement, section, reader.row)
    reader.booker.legs.book()


class _Reader:
    def __init__(self, statement: Statement, account: str) -> None:
        self.st = statement
        self.fallback = account
        self.booker = Booker(statement)

    def row(self, row: Row) -> None:
        action = re.sub(r"\s+", " ", row.get("action")).strip()
        words = action.upper()
        account = row.get("account_number") or self.fallback
        when = day(row.get("run_date"), "run_date")
        facts = self.st.account(account)
        facts.account_type = facts.account_type or account_type_in(row.get("account", "account_name"))
        kind = next((kind for pattern, kind in _ACTIONS if re.search(pattern, words)), None)
        if kind is None:
            raise BadValue(
                "unknown_action", f"action is '{shown(action)}', which the importer does not know", "action"
            )
        if row.get("currency", "exchange_currency").upper() not in ("", "USD"):
            raise BadValue(
                "other_currency",
                f"the currency is {shown(row.get('currency', 'exchange_currency'))}",
                "currency",
            )
        self._book(row, kind, action, words, account, when)

    def _book(self, row: Row, kind: str, action: str, words: str, account: str, when) -> None:
        symbol = row.get("symbol")
        if not symbol and kind not in ("cash", "fee", "journal", "interest"):
            named = _IN_ACTION.search(words)
            symbol = (
                named["symbol"]
                if named and named["symbol"] not in ("CASH", "MARGIN", "SHORT", "SHARES")
                else ""
            )
        description = row.get("description", "security_description")
        security = self.booker.security(
            symbol, "" if description.upper() == "NO DESCRIPTION" else description
        )
        quantity, amount = number(row.get("quantity"), "quantity"), number(row.get("amount"), "amount")
        price = number(row.get("price"), "price")
        fees = sum((abs(number(row.get(n), n) or Decimal(0)) for n in ("commission", "fees")), Decimal(0))
        settled = date_of(row.get("settlement_date"), "settlement_date")
        if kind == "cancel":
            kinds = (
                ("sell", "short_sale", "option_close", "option_open")
                if "SOLD" in words
                else ("buy", "reinvestment", "buy_to_cover", "option_open", "option_close")
            )
            self.booker.cancel(row.line, account, when, kinds, security, quantity, amount, row.text, action)
            return
        if kind == "core":
            self.st.skip(row.line, "core_sweep", row.text)
            return
        kind = self._refined(kind, words, security, quantity, amount)
        if kind in ("shares", "split", "stock_dividend", "spin_off", "symbol_change") and quantity:
            amount = None  # the amount stated is the shares' value, no cash
        parent = _PARENT.search(words)
        trade = kind in ("buy", "sell", "reinvestment", "short_sale", "buy_to_cover")
        self.booker.book(
            row.line,
            kind,
            account,
            when,
            text=row.text,
            action=action,
            security=security,
            quantity=quantity,
            price=price,
            amount=amount,
            fees=fees,
            description=f"{action} {description}",
            event=(when.date,) if kind in ("merger", "symbol_change") else (),
            parent=self.booker.security(parent["symbol"]) if parent else None,
            settled_date=settled if trade else None,
            qualified=not re.search(r"SHORT-?\s?TERM CAP", words),
        )

    def _refined(
        self, kind: str, words: str, security: str | None, quantity: Decimal | None, amount: Decimal | None
    ) -> str:
        if kind == "option":
            opening = "OPENING" in words
            bought = "BOUGHT" in words
            return ("buy" if opening else "buy_to_cover") if bought else ("short_sale" if opening else "sell")
        if kind == "distribution":
            # Shares that a distribution brings are a split's or a stock dividend's; cash is a withdrawal.
            return "split" if quantity and not amount and security else "cash"
        if kind == "sell" and not quantity and amount is not None and "REDEMPTION" not in words:
            return "cash"
        return kind
