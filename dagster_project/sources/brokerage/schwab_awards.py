"""Schwab Equity Award Center: JSON (both generations) and CSV.

Vested shares are a purchase at their fair market value on the vesting day (they are income then, and
count as replacement shares of a wash sale), known when they were deposited; no cash leaves the account.
A Lapse describes the vesting of which a Deposit in the file credits the shares, and stands for it only
where there is none. A sale's details are lots with the broker's own basis: reported gains.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import (
    BadValue,
    RefusedFile,
    ReportedGain,
    Statement,
    When,
    row_text,
)
from dagster_project.sources.brokerage.textio import header_key, open_text, records
from dagster_project.sources.brokerage.values import date_of, day, number, shown

FORMAT: Final = "schwab_awards"
ACCOUNT: Final = "schwab-awards"
_SALES: Final = (
    "sale",
    "sell",
    "quick sale",
    "forced quick sell",
    "forced disbursement sale",
    "exercise and sell",
    "same day sale",
)
_VESTS: Final = ("deposit", "lapse", "espp purchase", "restricted stock lapse")
_KINDS: Final = {
    "dividend": "dividend",
    "cash dividend": "dividend",
    "dividend reinvested": "dividend",
    "tax withholding": "withholding",
    "tax reversal": "withholding",
    "wire transfer": "cash",
    "disbursement": "cash",
    "forced disbursement": "cash",
    "check": "cash",
    "ach": "cash",
    "journal": "journal",
    "cash in lieu": "cash_in_lieu",
    "stock split": "split",
    "split": "split",
    "transfer": "shares",
    "security transfer": "shares",
    "share transfer": "shares",
    "fee": "fee",
    "service fee": "fee",
    "interest": "interest",
}


def is_awards(data: Any) -> bool:
    """Whether decoded JSON is an equity award history."""
    rows = _rows(data)
    return rows is not None and all(isinstance(row, Mapping) for row in rows)


def is_csv_header(keys: list[str]) -> bool:
    """Whether normalised cells are the header of the CSV layout."""
    return {"date", "action", "symbol"} <= set(keys) and {
        "awarddate",
        "awardid",
        "fairmarketvalueprice",
    } & set(keys) != set()


def _rows(data: Any) -> list[Any] | None:
    if not isinstance(data, Mapping):
        return None
    return next(
        (data[key] for key in ("Transactions", "transactions") if isinstance(data.get(key), list)), None
    )


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in one spelling, first generation's names as the second's."""
    names = {
        "eventdate": "date",
        "totalcommissionsandfees": "feesandcommissions",
        "awardname": "awardid",
        "grantid": "awardid",
    }
    flat = {re.sub(r"[^a-z]", "", str(key).lower()): value for key, value in item.items()}
    return {names.get(key, key): value for key, value in flat.items()}


def read_json(data: Any, statement: Statement, account: str | None) -> None:
    """Read either generation of the JSON into the statement."""
    found = []
    for line, item in enumerate(_rows(data) or [], 1):
        if not isinstance(item, Mapping):
            statement.reject(line, "malformed_row", "the entry is no object", row_text({"row": item}))
            continue
        row = _flat(item)
        details = row.pop("transactiondetails", None) or []
        lots = [_flat(d.get("Details", d)) for d in details if isinstance(d, Mapping)]
        found.append((line, row, lots, row_text(item), ()))
    if not found:
        raise RefusedFile("the award history has no transactions: there is nothing to import")
    _Reader(statement, account or ACCOUNT).run(found)


def read_csv(path: Path, encoding: str, delimiter: str, statement: Statement, account: str | None) -> None:
    """Read the CSV layout, in which a row's details stand on the rows beneath it."""
    found: list[tuple[int, dict, list[dict], str, tuple]] = []
    headers: list[str] = []
    for record in _records(path, encoding, delimiter):
        keys = [header_key(cell) for cell in record.cells]
        cells = dict(zip(headers, (cell.strip() for cell in record.cells), strict=False))
        text = row_text(cells)
        if record.problem:
            statement.reject(record.line, "malformed_row", record.problem, text)
        elif is_csv_header(keys):
            if headers:
                statement.skip(record.line, "repeated_header", text)
            headers = [key.replace("_", "") for key in keys]
        elif not headers:
            statement.skip(
                record.line,
                "title_row",
                row_text({f"cell_{n}": cell for n, cell in enumerate(record.cells, 1)}),
            )
        elif cells.get("date"):
            found.append((record.line, cells, [], text, ()))
        elif found and any(
            cells.get(name) for name in ("awarddate", "awardid", "vestdate", "shares", "type")
        ):
            line, row, lots, whole, more = found[-1]
            found[-1] = (line, row, [*lots, cells], whole, (*more, record.line))
        else:
            statement.skip(record.line, "note_row", text)
    if not headers:
        raise RefusedFile("no header row of this format was found: export the award history again")
    _Reader(statement, account or ACCOUNT).run(found)


def _records(path: Path, encoding: str, delimiter: str) -> Iterator:
    with open_text(path, encoding) as lines:
        yield from records(iter(lines), delimiter)


class _Reader:
    def __init__(self, statement: Statement, account: str) -> None:
        self.st = statement
        self.account = account
        self.booker = Booker(statement)
        self.deposited: set[tuple] = set()
        statement.account(account)

    def run(self, found: list[tuple[int, dict, list[dict], str, tuple]]) -> None:
        for _, row, lots, _, _ in found:
            if _word(row) == "deposit":
                self.deposited |= {(_text(row, "symbol"), _text(lot, "awardid")) for lot in lots}
        for line, row, lots, text, more in found:
            try:
                self._row(line, row, lots, text, more)
            except BadValue as error:
                self.st.reject(line, error.reason, error.detail, text, error.column, rows=more)
        self.booker.legs.book()

    def _row(self, line: int, row: dict, lots: list[dict], text: str, more: tuple) -> None:
        word, when = _word(row), day(_text(row, "date"), "date")
        security = self.booker.security(_text(row, "symbol"))
        quantity, amount = number(_text(row, "quantity"), "quantity"), number(_text(row, "amount"), "amount")
        fees = number(_text(row, "feesandcommissions"), "fees")
        if word in _VESTS:
            self._vest(line, word, row, lots, when, security, quantity, text, more)
        elif word in _SALES:
            self.booker.book(
                line,
                "sell",
                self.account,
                when,
                text=text,
                action=word,
                security=security,
                quantity=quantity,
                amount=amount,
                fees=fees,
                price=number(_text(lots[0], "saleprice"), "saleprice") if lots else None,
                rows=more,
            )
            try:
                self._gains(line, lots, when, security)
            except BadValue as error:
                self.st.notes.append(f"the gain of row {line} was not read: {error.detail}")
        else:
            kind = _KINDS.get(word)
            if kind is None:
                raise BadValue(
                    "unknown_action", f"action is '{shown(word)}', which the importer does not know", "action"
                )
            for number_ in more:
                self.st.skip(number_, "detail_row")
            self.booker.book(
                line,
                kind,
                self.account,
                when,
                text=text,
                action=word,
                security=security,
                quantity=quantity,
                amount=amount,
                fees=fees,
            )

    def _vest(
        self,
        line: int,
        word: str,
        row: dict,
        lots: list[dict],
        when: When,
        security: str | None,
        quantity: Decimal | None,
        text: str,
        more: tuple,
    ) -> None:
        named = {(_text(row, "symbol"), _text(lot, "awardid")) for lot in lots}
        if "lapse" in word and named & self.deposited:
            for number_ in (line, *more):
                self.st.skip(number_, "vesting_of_a_deposit", text)
            return
        lot = lots[0] if lots else {}
        net = sum(
            (number(_text(d, "netsharesdeposited"), "netsharesdeposited") or Decimal(0) for d in lots),
            Decimal(0),
        )
        shares = net or quantity
        if not shares or security is None:
            raise BadValue("missing_value", f"a {word} without shares or symbol", "quantity")
        value = number(
            _text(lot, "vestfairmarketvalue")
            or _text(lot, "fairmarketvalueprice")
            or _text(lot, "purchasefairmarketvalue"),
            "fairmarketvalue",
        )
        cost = number(_text(lot, "purchaseprice"), "purchaseprice")
        vested = date_of(_text(lot, "vestdate") or _text(lot, "purchasedate"), "vestdate") or when.date
        day_of = When(min(vested, when.date), known=when.date if when.date > vested else None)
        if value is None and cost is None:
            self.st.add(
                line,
                "transfer_in",
                self.account,
                day_of,
                security=security,
                quantity=abs(shares),
                acquired_date=day_of.date,
                row=text,
                action=word,
                rows=more,
            )
            return
        # An ESPP lot's basis is its price (the discount becomes income only at the sale).
        price = cost if cost is not None else value
        self.st.add(
            line,
            "buy",
            self.account,
            day_of,
            security=security,
            quantity=abs(shares),
            price_usd=price,
            amount_usd=Decimal(0),
            fair_market_value_usd=value * abs(shares) if value is not None else None,
            row=text,
            action=word,
            rows=more,
        )

    def _gains(self, line: int, lots: list[dict], when: When, security: str | None) -> None:
        for lot in lots:
            shares, price = (
                number(_text(lot, "shares"), "shares"),
                number(_text(lot, "saleprice"), "saleprice"),
            )
            basis = number(
                _text(lot, "vestfairmarketvalue")
                or _text(lot, "purchaseprice")
                or _text(lot, "purchasefairmarketvalue"),
                "vestfairmarketvalue",
            )
            if not shares or price is None or basis is None or security is None:
                continue
            stated = number(_text(lot, "grossproceeds"), "grossproceeds")
            proceeds = stated if stated is not None else shares * price
            self.st.gains.append(
                ReportedGain(
                    self.account,
                    security,
                    when.date,
                    proceeds - shares * basis,
                    line,
                    line,
                    quantity=shares,
                    proceeds=proceeds,
                    cost=shares * basis,
                    acquired_date=date_of(_text(lot, "vestdate") or _text(lot, "purchasedate"), "vestdate"),
                )
            )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _word(row: Mapping[str, Any]) -> str:
    return re.sub(r"\s+", " ", _text(row, "action")).lower()
