"""Robinhood account activity CSV: line breaks inside descriptions, a disclaimer row, newest first.

The file names no account, so ``--account`` may be needed. A quantity that ends in S leaves the account.
SPL states the added shares only.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import BadValue, Statement
from dagster_project.sources.brokerage.textio import Row, read_rows
from dagster_project.sources.brokerage.values import date_of, day, number, option_terms, shown

FORMAT: Final = "robinhood"
CODES: Final = {
    "BUY": "buy",
    "SELL": "sell",
    **dict.fromkeys(("SSELL", "SHORT"), "short_sale"),
    "BTC_STOCK": "buy_to_cover",
    "BTO": "buy",
    "STO": "short_sale",
    "BTC": "buy_to_cover",
    "STC": "sell",
    "CDIV": "dividend",
    "MDIV": "interest",
    **dict.fromkeys(("INT", "MINT", "SLIP", "GDBP", "GMPC", "CSHINT"), "interest"),
    **dict.fromkeys(("GOLD", "AFEE", "DFEE", "FEE", "MFEE", "CFEE"), "fee"),
    **dict.fromkeys(("DTAX", "NRAT", "FTAX"), "withholding"),
    "ROC": "return_of_capital",
    **dict.fromkeys(("SPL", "SPR"), "split"),
    "SDIV": "stock_dividend",
    "SOFF": "spin_off",
    **dict.fromkeys(("MRGS", "MRGC", "MRG"), "merger"),
    **dict.fromkeys(("SXCH", "NC", "CNV"), "symbol_change"),
    "REC": "shares",
    **dict.fromkeys(("ITRF", "ACATI", "ACATO", "ACATS", "JNLS", "T/A"), "shares"),
    "JNLC": "journal",
    **dict.fromkeys(
        ("ACH", "RTP", "XENT", "XENT_CC", "WIRE", "CHK", "DCF", "DBT", "MISC", "CONV", "IADJ"), "cash"
    ),
    "OEXP": "option_expiry",
    "OASGN": "option_assignment",
    **dict.fromkeys(("OEXCS", "OEXC"), "option_exercise"),
    "CIL": "cash_in_lieu",
}
_OPTION: Final = re.compile(
    r"(?P<name>[A-Z.]{1,6} \d{1,2}/\d{1,2}/\d{2,4} (?:CALL|PUT) \$?[\d,.]+)", re.IGNORECASE
)
_CUSIP: Final = re.compile(r"CUSIP:?\s*([0-9A-Z]{9})", re.IGNORECASE)


def section(keys: list[str]) -> str | None:
    """Whether normalised cells are the header."""
    return "activity" if {"activity_date", "trans_code"} <= set(keys) else None


def read(path: Path, encoding: str, delimiter: str, statement: Statement, account: str | None) -> None:
    """Read the export into the statement."""
    reader = _Reader(statement, account or "robinhood")
    statement.account(reader.account)
    read_rows(path, encoding, delimiter, statement, section, reader.row)
    reader.booker.legs.book()


class _Reader:
    def __init__(self, statement: Statement, account: str) -> None:
        self.st = statement
        self.account = account
        self.booker = Booker(statement)

    def row(self, row: Row) -> None:
        code, description = row.get("trans_code"), row.get("description")
        if not row.get("activity_date") and not code:
            self.st.skip(row.line, "note_row", row.text)
            return
        when = day(row.get("activity_date"), "activity_date")
        kind = CODES.get(code.upper())
        if kind is None:
            raise BadValue(
                "unknown_action",
                f"trans code is '{shown(code)}', which the importer does not know",
                "trans_code",
            )
        quantity, amount = _quantity(row.get("quantity")), number(row.get("amount"), "amount")
        words = description.upper()
        if "CANCEL" in words and kind in ("buy", "sell"):
            kinds = ("buy", "reinvestment") if kind == "buy" else ("sell",)
            self.booker.cancel(
                row.line, self.account, when, kinds, self._security(row), quantity, amount, row.text, code
            )
            return
        if kind == "buy" and "DIVIDEND REINVESTMENT" in words:
            kind = "reinvestment"
        if kind == "dividend" and "RETURN OF CAPITAL" in words:
            kind = "return_of_capital"
        if code.upper() in ("ITRF", "ACATI", "ACATO") and not quantity:
            kind = "journal" if code.upper() == "ITRF" else "cash"
        if code.upper() == "ACATO" and quantity:
            quantity = -abs(quantity)
        settled = date_of(row.get("settle_date"), "settle_date")
        trade = kind in ("buy", "sell", "reinvestment", "short_sale", "buy_to_cover")
        if kind == "dividend" and amount is not None and amount < 0 and "MANUFACTURED" in words:
            kind = "interest"
        security = self._security(row)
        event = (when.date,) if kind in ("merger", "symbol_change") else (when.date, row.get("instrument"))
        self.booker.book(
            row.line,
            kind,
            self.account,
            when,
            text=row.text,
            action=code,
            security=security,
            quantity=quantity,
            price=number(row.get("price"), "price"),
            amount=amount,
            description=description,
            event=event,
            settled_date=settled if trade else None,
        )

    def _security(self, row: Row) -> str | None:
        description, symbol = row.get("description"), row.get("instrument")
        option = _OPTION.search(re.sub(r"\s+", " ", description))
        if option and option_terms(option["name"]):
            return self.booker.security(option["name"])
        cusip = _CUSIP.search(description)
        name = description.split("\n")[0].strip()
        return self.booker.security(symbol, name if cusip else "", cusip=cusip[1] if cusip else None)


def _quantity(text: str) -> Decimal | None:
    cell = text.strip()
    if cell[-1:].upper() == "S":
        value = number(cell[:-1], "quantity")
        return -value if value is not None else None
    return number(cell, "quantity")
