"""OFX's own value types: dates, income types, types of bank transactions."""

import datetime as dt
import re
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.model import BadValue, When
from dagster_project.sources.brokerage.values import NEW_YORK, shown

_DATE: Final = re.compile(
    r"^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?(?:\.\d+)?)?\s*(?:\[\s*([-+]?\d{0,2}(?:\.\d+)?)[^\]]*\])?$"
)
_BANK_IN: Final = {"CREDIT", "DEP", "DIRECTDEP"}
_BANK_OUT: Final = {"DEBIT", "ATM", "POS", "CHECK", "PAYMENT", "CASH", "DIRECTDEBIT", "REPEATPMT", "HOLD"}


def when(text: str, column: str) -> When:
    """Read an OFX date and time: ``YYYYMMDD[HHMMSS[.XXX]][offset:zone]``; the day is taken as written."""
    cell = text.strip()
    if not cell:
        raise BadValue("missing_value", f"{column} is empty", column)
    found = _DATE.match(cell)
    try:
        if not found:
            raise ValueError
        day = dt.date(int(found[1]), int(found[2]), int(found[3]))
        time = dt.time(int(found[4] or 0), int(found[5] or 0), int(found[6] or 0))
    except ValueError:
        raise BadValue(
            "unparsable_date", f"{column} is '{shown(cell)}', which is no OFX date", column
        ) from None
    if not 1900 <= day.year <= 2200:
        raise BadValue("unparsable_date", f"{column} is '{shown(cell)}', which is no date", column)
    if time in (dt.time(), dt.time(12)):
        return When(day)
    offset = found[7]
    if offset is None:
        zone: dt.tzinfo = dt.UTC
    elif offset in ("", "-", "+"):
        zone = NEW_YORK
    else:
        hours = float(offset)
        zone = dt.timezone(dt.timedelta(hours=hours)) if abs(hours) < 15 else NEW_YORK
    return When(day, dt.datetime.combine(day, time, zone).astimezone(dt.UTC).isoformat())


def account_type(text: str) -> str | None:
    """The account type that INVACCTTYPE or USPRODUCTTYPE names."""
    word = text.strip().upper()
    for found, name in (("ROTH", "roth_ira"), ("IRA", "traditional_ira"), ("401K", "401k"), ("HSA", "hsa")):
        if found in word:
            return name
    return None


def income_kind(text: str) -> str:
    """The kind of an INCOMETYPE; short-term gain distributions are ordinary dividends."""
    kinds = {"CGLONG": "capital_gain_distribution", "INTEREST": "interest"}
    word = text.strip().upper()
    if word not in ("DIV", "CGLONG", "CGSHORT", "INTEREST", "MISC"):
        raise BadValue("unknown_action", f"INCOMETYPE is '{shown(text)}'", "INCOMETYPE")
    return kinds.get(word, "interest" if word == "MISC" else "dividend")


def bank_kind(trntype: str, memo: str, amount: Decimal) -> str:
    """The kind of a bank transaction, by its type, else by its words and sign."""
    if trntype == "INT" or (
        trntype not in ("FEE", "SRVCHG", "DIV") and re.search(r"\bINTEREST\b|DIVIDEND EARNED", memo)
    ):
        return "interest"
    if trntype == "DIV":
        return "dividend"
    if trntype in ("FEE", "SRVCHG") or (amount < 0 and re.search(r"\bFEES?\b", memo)):
        return "fee"
    if trntype not in _BANK_IN | _BANK_OUT | {"XFER", "OTHER", ""}:
        raise BadValue("unknown_action", f"TRNTYPE is '{shown(trntype)}'", "TRNTYPE")
    return "deposit" if amount >= 0 else "withdrawal"
