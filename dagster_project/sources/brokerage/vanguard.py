"""Vanguard (US) download: a holdings section, a blank line, a transactions section, in one CSV file.

Sweeps move cash between the settlement fund and the account; the fund counts as the account's cash
here, so a sweep moves none. Vanguard's UK report states pounds without a rate and is refused.
"""

import re
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import BadValue, Position, Statement
from dagster_project.sources.brokerage.schwab_csv import account_type_in
from dagster_project.sources.brokerage.textio import Row, read_rows
from dagster_project.sources.brokerage.values import When, date_of, day, number, shown

FORMAT: Final = "vanguard"
_TYPES: Final = (
    (r"^(buy to open|sell to open|buy to close|sell to close)$", "option"),
    (r"^(buy|buy \(?.*exchange.*|exchange \(?(incoming|in)\)?|purchase)$", "buy"),
    (
        r"^(sell|sell \(?.*exchange.*|exchange \(?(outgoing|out)\)?|redemption|corp action \(redemption\))$",
        "sell",
    ),
    (r"^sell short|^short sale", "short_sale"),
    (r"^buy to cover|^cover short", "buy_to_cover"),
    (r"^reinvestment", "reinvestment"),
    (r"^capital gain.*\(?(lt|long)", "capital_gain_distribution"),
    (r"^(dividend|capital gain)", "dividend"),
    (r"^return of capital", "return_of_capital"),
    (r"stock split|^split", "split"),
    (r"^stock dividend", "stock_dividend"),
    (r"^spin-?\s?off", "spin_off"),
    (r"^merger|^corp action \(merger", "merger"),
    (r"^(name|symbol|ticker|cusip) change|^conversion|^corp action \((exchange|conversion)", "symbol_change"),
    (r"cash in lieu", "cash_in_lieu"),
    (r"^sweep", "sweep"),
    (r"^transfer|^acat|^journal", "shares"),
    (r"^interest|^margin interest", "interest"),
    (r"fee", "fee"),
    (r"withh|foreign tax", "withholding"),
    (
        r"^funds|^wire|^contribution|^distribution|^rollover|^withdrawal|^deposit|^ach|^bank|^check|^direct",
        "cash",
    ),
    (r"^(option )?expir", "option_expiry"),
    (r"^assign", "option_assignment"),
    (r"^exercise", "option_exercise"),
)


def section(keys: list[str]) -> str | None:
    """Which section normalised cells are the header of."""
    names = set(keys)
    if "transaction_type" in names and ({"trade_date", "settlement_date"} & names):
        return "transactions"
    return "holdings" if "total_value" in names and "shares" in names else None


def is_uk(keys: list[list[str]]) -> bool:
    """Whether the first records are those of Vanguard's UK report."""
    firsts = {row[0] for row in keys if row}
    return "cash_transactions" in firsts or any(
        {"investmentname", "transactiondetails"} <= set(row) for row in keys
    )


def read(path: Path, encoding: str, delimiter: str, statement: Statement, account: str | None) -> None:
    """Read both sections into the statement."""
    _Reader(statement, account or "").run(path, encoding, delimiter)


class _Reader:
    def __init__(self, statement: Statement, account: str) -> None:
        self.st = statement
        self.fallback = account or "vanguard"
        self.booker = Booker(statement)
        self.holdings: list[Row] = []
        self.last = None

    def run(self, path: Path, encoding: str, delimiter: str) -> None:
        read_rows(path, encoding, delimiter, self.st, section, self._row)
        self.booker.legs.book()
        for row in self.holdings:
            try:
                self._holding(row)
            except BadValue as error:
                self.st.notes.append(
                    f"the holding of {shown(row.get('symbol'))} was not compared: {error.detail}"
                )

    def _holding(self, row: Row) -> None:
        """A holding is stated as of the download, which is no earlier than the last transaction."""
        quantity, symbol = number(row.get("shares"), "shares"), row.get("symbol")
        security = self.booker.security(symbol, row.get("investment_name"))
        if quantity is None or security is None or self.last is None:
            return
        price, value = (
            number(row.get("share_price"), "share_price"),
            number(row.get("total_value"), "total_value"),
        )
        self.st.positions.append(
            Position(row.get("account_number") or self.fallback, security, self.last, quantity, price, value)
        )

    def _row(self, row: Row) -> None:
        if row.section == "holdings":
            self.st.account(row.get("account_number") or self.fallback)
            self.st.skip(row.line, "holding_row", row.text)
            self.holdings.append(row)
            return
        account = row.get("account_number") or self.fallback
        kind_text = re.sub(r"\s+", " ", row.get("transaction_type")).strip()
        facts = self.st.account(account)
        facts.account_type = facts.account_type or account_type_in(row.get("account_type"))
        kind = next((kind for pattern, kind in _TYPES if re.search(pattern, kind_text.lower())), None)
        when = day(row.get("trade_date", "settlement_date"), "trade_date")
        if kind is None:
            raise BadValue(
                "unknown_action",
                f"transaction type is '{shown(kind_text)}', which the importer does not know",
                "transaction_type",
            )
        self.last = max(self.last or when.date, when.date)
        self._book(row, kind, kind_text, account, when)

    def _book(self, row: Row, kind: str, kind_text: str, account: str, when: When) -> None:
        security = self.booker.security(row.get("symbol"), row.get("investment_name"))
        name = row.get("investment_name")
        if security is None and name and name.upper() != "CASH" and kind not in ("cash", "sweep"):
            security = self.st.security(name=name[:200])
        quantity, price = number(row.get("shares"), "shares"), number(row.get("share_price"), "share_price")
        net, principal = (
            number(row.get("net_amount"), "net_amount"),
            number(row.get("principal_amount"), "principal_amount"),
        )
        fees = number(
            row.get("commissions_and_fees", "commission_fees", "commission_and_fees"), "commission_fees"
        )
        settled, description = row.get("settlement_date"), row.get("transaction_description")
        word = kind_text.lower()
        amount = net if net is not None else principal
        if kind == "sweep":
            self.st.add(
                row.line, "journal", account, when, amount_usd=net and net * 0, row=row.text, action=kind_text
            )
            return
        if kind == "option":
            kind = {"buy to open": "buy", "sell to open": "short_sale", "buy to close": "buy_to_cover"}.get(
                word, "sell"
            )
        if kind == "shares" and "out" in word and quantity:
            quantity = -abs(quantity)
        if kind in ("shares", "split", "stock_dividend", "spin_off", "merger", "symbol_change") and quantity:
            amount = amount if kind == "merger" else None  # the amount stated is the shares' value, no cash
        event = (when.date,) if kind in ("merger", "symbol_change") else ()
        extra = {}
        if kind in ("buy", "sell", "reinvestment", "short_sale", "buy_to_cover") and settled:
            extra["settled_date"] = date_of(settled, "settlement_date")
        self.booker.book(
            row.line,
            kind,
            account,
            when,
            text=row.text,
            action=kind_text,
            security=security,
            quantity=quantity,
            price=price,
            amount=amount,
            fees=fees,
            description=description,
            event=event,
            qualified=not re.search(r"^capital gain.*\(?(st|short)", word),
            **extra,
        )
