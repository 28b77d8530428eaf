"""Reading the cells of brokers' files: amounts, quantities, dates, option names.

Amounts may carry a dollar sign, thousands separators, accounting parentheses or a minus sign on either
side; an amount with another currency's sign is ``other_currency``; ``12,50`` is refused as ambiguous.
"""

import datetime as dt
import functools
import re
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from dagster_project.sources.brokerage.model import BadValue, When

NEW_YORK: Final = ZoneInfo("America/New_York")
_EMPTY: Final = {"", "-", "--", "---", "n/a", "na", "none", "null", "not available"}
_NUMBER: Final = re.compile(
    r"^(?P<open>\()?\s*(?P<sign>[-+\u2212])?\s*(?:US\$|USD|\$)?\s*(?P<sign2>[-+\u2212])?\s*"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d*)(?:\.\d*)?)(?P<exponent>[eE][-+]?\d{1,3})?"
    r"\s*(?:USD)?\s*(?P<close>\))?\s*(?P<sign3>[-\u2212])?$"
)
_FOREIGN: Final = re.compile(
    r"[\u20ac\u00a3\u00a5\u20b9\u20bf\u20a9]|\b(?!USD\b)[A-Z]{3}\b|(?<!US)(?<=[A-Z])\$"
)
_MONTHS: Final = {m: n for n, m in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_DATES: Final = (
    re.compile(r"^(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})$"),
    re.compile(r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})$"),
    re.compile(r"^(?P<m>\d{1,2})[/-](?P<d>\d{1,2})[/-](?P<y>\d{4}|\d{2})$"),
    re.compile(r"^(?P<m>[A-Za-z]{3})[a-z]*[- .]+(?P<d>\d{1,2}),?[- ]+(?P<y>\d{4})$"),
    re.compile(r"^(?P<d>\d{1,2})[- ](?P<m>[A-Za-z]{3})[a-z]*[- ](?P<y>\d{4}|\d{2})$"),
    re.compile(r"^(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})$"),
)
_AS_OF: Final = re.compile(r"^(?P<posted>\S+)\s+as\s+of\s+(?P<effective>\S+)$", re.IGNORECASE)
_CLOCK: Final = re.compile(r"^(?P<h>\d{1,2}):?(?P<m>\d{2})(?::?(?P<s>\d{2}))?(?P<f>\.\d{1,9})?$")
_YEARS: Final = (1900, 2200)


@functools.lru_cache(maxsize=1 << 14)  # prices, fees and dates repeat by the thousand
def number(text: str | None, column: str) -> Decimal | None:
    """Read an amount or a quantity; None if the cell is empty.

    Raises
    ------
    BadValue
        ``other_currency`` or ``unparsable_number``.
    """
    cell = (text or "").strip()
    if cell.lower() in _EMPTY:
        return None
    if cell.isascii() and cell.isdigit():
        return Decimal(cell)
    found = _NUMBER.match(cell)
    if found and any(c.isdigit() for c in found["digits"]):
        signs = [s for s in (found["sign"], found["sign2"], found["sign3"]) if s]
        balanced = bool(found["open"]) == bool(found["close"])
        if balanced and len(signs) <= 1 and not (found["open"] and signs):
            value = Decimal(found["digits"].replace(",", "") + (found["exponent"] or ""))
            negative = bool(found["open"]) or bool(signs and signs[0] != "+")
            if abs(value.adjusted()) < 30 or not value:
                return -value if negative else value
    if _FOREIGN.search(cell):
        raise BadValue(
            "other_currency",
            f"{column} is '{shown(cell)}', and only US dollars are supported: convert it first",
            column,
        )
    raise BadValue("unparsable_number", f"{column} is '{shown(cell)}', which is no plain number", column)


def shown(cell: object) -> str:
    """A cell, short enough for a sentence."""
    text = str(cell)
    return text if len(text) <= 80 else text[:77] + "..."


@functools.lru_cache(maxsize=1 << 14)
def date_of(text: str | None, column: str) -> dt.date | None:
    """Read a date; None if the cell is empty.

    Raises
    ------
    BadValue
        ``unparsable_date``.
    """
    cell = (text or "").strip()
    if cell.lower() in _EMPTY:
        return None
    for pattern in _DATES:
        found = pattern.match(cell)
        if not found:
            continue
        month = _MONTHS.get(found["m"][:3].lower(), 0) if found["m"][0].isalpha() else int(found["m"])
        year = int(found["y"]) + (2000 if len(found["y"]) == 2 else 0)
        try:
            value = dt.date(year, month, int(found["d"]))
        except ValueError:
            break
        if _YEARS[0] <= value.year <= _YEARS[1]:
            return value
    raise BadValue("unparsable_date", f"{column} is '{shown(cell)}', which is no date", column)


def needed_date(text: str | None, column: str) -> dt.date:
    """Read a date that a row cannot do without."""
    value = date_of(text, column)
    if value is None:
        raise BadValue("missing_value", f"{column} is empty", column)
    return value


def day(text: str | None, column: str) -> When:
    """Read ``MM/DD/YYYY`` or ``MM/DD/YYYY as of MM/DD/YYYY`` (posted, effective)."""
    found = _AS_OF.match((text or "").strip())
    if not found:
        return When(needed_date(text, column))
    posted, effective = needed_date(found["posted"], column), needed_date(found["effective"], column)
    return When(effective, known=posted if posted > effective else None)


def moment(text: str | None, column: str, zone: ZoneInfo = NEW_YORK) -> When:
    """Read a date with an optional time of day: ``20240131;153000``, ``2024-01-31, 15:30:00``, ISO 8601.

    A time without an offset is taken in ``zone``.
    """
    cell = (text or "").strip()
    if not cell:
        raise BadValue("missing_value", f"{column} is empty", column)
    if "T" in cell and len(cell) > 10:
        return _iso(cell, column, zone)
    head, _, tail = cell.replace(",", " ").replace(";", " ").strip().partition(" ")
    value = needed_date(head, column)
    clock = _CLOCK.match(tail.strip().removesuffix(" EST").removesuffix(" EDT")) if tail.strip() else None
    if clock is None:
        return When(value)
    try:
        time = dt.time(int(clock["h"]), int(clock["m"]), int(clock["s"] or 0))
    except ValueError:
        raise BadValue("unparsable_date", f"{column} is '{shown(cell)}', which is no time", column) from None
    if time == dt.time():
        return When(value)
    return When(value, dt.datetime.combine(value, time, zone).astimezone(dt.UTC).isoformat())


def _iso(cell: str, column: str, zone: ZoneInfo) -> When:
    try:
        value = dt.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", cell).replace("Z", "+00:00"))
    except ValueError:
        raise BadValue(
            "unparsable_date", f"{column} is '{shown(cell)}', which is no ISO 8601 time", column
        ) from None
    if not _YEARS[0] <= value.year <= _YEARS[1]:
        raise BadValue("unparsable_date", f"{column} is '{shown(cell)}', which is no date", column)
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    utc = value.astimezone(dt.UTC)
    return When(utc.astimezone(NEW_YORK).date(), utc.isoformat())


_OCC: Final = re.compile(
    r"^(?P<root>[A-Z0-9.]{1,6})\s*(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2})(?P<r>[CP])(?P<strike>\d{8})$"
)
_SPACED: Final = re.compile(
    r"^(?P<root>[A-Z0-9.]{1,6})\s+(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{2,4})\s+\$?(?P<strike>[\d,]*\.?\d+)\s+(?P<r>C|P|CALL|PUT)$"
)
_WORDED: Final = re.compile(
    r"^(?P<root>[A-Z0-9.]{1,6})\s+(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{2,4})\s+(?P<r>CALL|PUT)\s+\$?(?P<strike>[\d,]*\.?\d+)$"
)
_DASHED: Final = re.compile(
    r"^-?(?P<root>[A-Z0-9.]{1,6}?)(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2})(?P<r>[CP])(?P<strike>\d+(?:\.\d+)?)$"
)
_MONTHED: Final = re.compile(
    r"^(?P<root>[A-Z0-9.]{1,6})\s+(?P<d>\d{2})(?P<m>[A-Z]{3})(?P<y>\d{2})\s+(?P<strike>\d+(?:\.\d+)?)\s+(?P<r>[CP])$"
)


def option_terms(text: str | None) -> dict[str, object] | None:
    """Underlying, right, strike and expiry of an option's name, or None if it names no option.

    Understands the OCC symbol, ``AAPL 01/19/2024 150.00 C``, ``AAPL 1/19/2024 Call $150.00``,
    ``-AAPL240119C150`` and ``AAPL 19JAN24 150 C``.
    """
    cell = re.sub(r"\s+", " ", (text or "").strip().upper())
    for pattern in (_OCC, _SPACED, _WORDED, _DASHED, _MONTHED):
        found = pattern.match(cell)
        if not found:
            continue
        month = _MONTHS.get(found["m"].lower(), 0) if found["m"].isalpha() else int(found["m"])
        try:
            expiry = dt.date(int(found["y"]) % 100 + 2000, month, int(found["d"]))
        except ValueError:
            return None
        strike = Decimal(found["strike"].replace(",", "")) / (1000 if pattern is _OCC else 1)
        right = "call" if found["r"].startswith("C") else "put"
        return {"underlying": found["root"], "right": right, "strike": strike, "expiry": expiry}
    return None


_RATIO: Final = re.compile(r"\b(\d+(?:\.\d+)?)\s*(?:FOR|-FOR-|:)\s*(\d+(?:\.\d+)?)\b", re.IGNORECASE)


def ratio_in(text: str | None) -> tuple[Decimal, Decimal] | tuple[None, None]:
    """New and old shares of ``4 FOR 1`` in a description."""
    found = _RATIO.search((text or "").replace("-for-", " for ").replace("-FOR-", " FOR "))
    if not found or not Decimal(found[1]) or not Decimal(found[2]):
        return None, None
    return Decimal(found[1]), Decimal(found[2])


def stock_dividend_ratio(text: str | None) -> tuple[Decimal, Decimal] | tuple[None, None]:
    """New and old shares of a stock dividend, whose text says the added ones: ``1 FOR 10`` is 11 for 10."""
    added, old = ratio_in(text)
    return (added + old, old) if added is not None and old is not None else (None, None)
