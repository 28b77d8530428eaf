"""Interactive Brokers' corporate actions: one event is several rows, a leg per security and one for cash.

Rows of one event share ``actionID``, else account, time and the description up to its last bracket.
The event's type comes from ``type`` (Reorg code), in older layouts from the words of the description.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.model import BadValue, Cancel, Statement, When
from dagster_project.sources.brokerage.securities import clean_identifier
from dagster_project.sources.brokerage.values import number, ratio_in, shown, stock_dividend_ratio

Attributes = Mapping[str, str]
_TYPES: Final = {
    "FS": "split",
    "RS": "split",
    "FI": "split",
    "SD": "stock_dividend",
    "SO": "spin_off",
    "RI": "spin_off",
    "DI": "spin_off",
    "CO": "spin_off",
    "TC": "merger",
    "OR": "merger",
    "TO": "exchange",
    "TI": "exchange",
    "IC": "exchange",
    "CI": "exchange",
    "BC": "exchange",
    "BM": "maturity",
    "TM": "maturity",
    "CD": "dividend",
    "HI": "stock_dividend",
    "HD": "stock_dividend",
    "PV": "nothing",
}
_WORDS: Final = (
    (r"STOCK DIVIDEND", "stock_dividend"),
    (r"SPIN-?OFF|RIGHTS ISSUE|SUBSCRIBABLE RIGHTS", "spin_off"),
    (r"\bSPLIT\b", "split"),
    (r"TENDERED TO|(CUSIP|ISIN)(/\w+)? CHANGE|NAME CHANGE|EXCHANGE", "exchange"),
    (r"MERGED|ACQUIRED|LIQUIDATION|ACQUISITION", "merger"),
    (r"BOND MATURITY|MATURED|CALLED|REDEEMED|T-?BILL MATURITY", "maturity"),
    (r"CASH DIVIDEND", "dividend"),
    (r"STOCK DIV", "stock_dividend"),
)
_HEAD: Final = re.compile(r"^\s*(?P<symbol>[^()]{1,40}?)\s*\((?P<id>[A-Z0-9]{6,12})\)")


@dataclass(frozen=True)
class Leg:
    """One row of an event."""

    line: int
    attributes: Attributes
    text: str
    account: str
    when: When
    security: str | None
    quantity: Decimal


class Actions:
    """Collects the rows of events and books them when all of a statement are read."""

    def __init__(self, statement: Statement) -> None:
        self.st = statement
        self.events: dict[tuple, list[Leg]] = {}

    def take(
        self, line: int, a: Attributes, text: str, account: str, when: When, security: str | None
    ) -> None:
        """Note one row."""
        if (a.get("levelOfDetail") or "").upper() == "SUMMARY":
            self.st.skip(line, "summary_row", text)
            return
        quantity = number(a.get("quantity"), "quantity") or Decimal(0)
        words = a.get("actionDescription") or a.get("description") or ""
        subject = re.sub(r"\s*\([^()]*(?:\([^()]*\)[^()]*)*\)\s*$", "", words)
        key = (account, a.get("actionID") or (when.date, subject))
        self.events.setdefault(key, []).append(Leg(line, a, text, account, when, security, quantity))
        self.st.taken.add(line)

    def book(self, rate: Callable[[Attributes], Decimal]) -> None:
        """Book every event; one that cannot be booked rejects all its rows."""
        for legs in self.events.values():
            try:
                self._book(legs, rate)
            except BadValue as error:
                for leg in legs:
                    self.st.reject(leg.line, error.reason, error.detail, leg.text, error.column)
        self.events = {}

    def _book(self, legs: list[Leg], rate: Callable[[Attributes], Decimal]) -> None:
        words = (
            legs[0].attributes.get("actionDescription") or legs[0].attributes.get("description") or ""
        ).upper()
        kind = _kind(legs[0].attributes, words)
        cash = Decimal(0)
        for leg in legs:
            proceeds = number(leg.attributes.get("proceeds"), "proceeds") or Decimal(0)
            cash += proceeds * rate(leg.attributes) if proceeds else 0
        if "Ca" in set(re.split(r"[;,\s]+", legs[0].attributes.get("code") or "")):
            self._cancel(legs)
            return
        out = [leg for leg in legs if leg.quantity < 0]
        into = [leg for leg in legs if leg.quantity > 0]
        if kind == "nothing":
            for leg in legs:
                self.st.skip(leg.line, "no_effect", leg.text)
            return
        if kind in ("split", "stock_dividend"):
            self._split(kind, words, legs, out, into)
        elif kind == "spin_off":
            self._spin_off(words, legs, into)
        elif kind == "dividend":
            self._add(legs, "dividend", legs[0].security, amount_usd=cash)
        else:
            self._exchange(kind, words, legs, out, into, cash)

    def _add(self, legs: list[Leg], kind: str, security: str | None, **cells) -> None:
        first = legs[0]
        transaction = next(
            (leg.attributes["transactionID"] for leg in legs if leg.attributes.get("transactionID")), None
        )
        self.st.add(
            first.line,
            kind,
            first.account,
            first.when,
            security=security,
            row=first.text,
            rows=[leg.line for leg in legs[1:]],
            native_id=f"action:{transaction}" if transaction else None,
            action=f"{first.attributes.get('type') or kind}",
            **{"amount_usd": Decimal(0), **cells},
        )

    def _parent(self, legs: list[Leg]) -> str | None:
        """The security at the head of the description: ``OLD(US...) SPINOFF 1 FOR 5``."""
        words = legs[0].attributes.get("actionDescription") or legs[0].attributes.get("description") or ""
        found = _HEAD.match(words.upper())
        if not found:
            return None
        identifier = found["id"]
        isin = identifier if len(identifier) == 12 and identifier[:2].isalpha() else None
        cusip = identifier if len(identifier) == 9 else None
        return self.st.security(symbol=clean_identifier(found["symbol"]), isin=isin, cusip=cusip)

    def _split(self, kind: str, words: str, legs: list[Leg], out: list[Leg], into: list[Leg]) -> None:
        new, old = stock_dividend_ratio(words) if kind == "stock_dividend" else ratio_in(words)
        if len(legs) == 2 and out and into:
            # The old security leaves under a name such as GCM.OLD; lots are kept under the name that stays.
            added = into[0].quantity + out[0].quantity
            if new is None:
                new, old = into[0].quantity, -out[0].quantity
            parent = self._parent(legs) or into[0].security
            held = self.st.securities.get(into[0].security or "")
            before = self.st.securities.get(parent or "")
            same = held is not None and before is not None and _ticker(held.symbol) == _ticker(before.symbol)
            if same:
                self._add(legs, kind, parent, quantity=abs(added) or None, ratio_new=new, ratio_old=old)
            else:
                self._add(legs, "merger", parent, related=into[0].security, quantity=into[0].quantity)
            return
        if len(legs) != 1:
            raise BadValue("unknown_action", f"a split with {len(legs)} rows: {shown(words)}", "description")
        if legs[0].quantity < 0 and new is None:
            raise BadValue(
                "missing_value", f"a reverse split without its ratio: {shown(words)}", "description"
            )
        self._add(
            legs, kind, legs[0].security, quantity=abs(legs[0].quantity) or None, ratio_new=new, ratio_old=old
        )

    def _spin_off(self, words: str, legs: list[Leg], into: list[Leg]) -> None:
        if len(into) != 1 or len(legs) != 1:
            raise BadValue(
                "unknown_action", f"a spin-off with {len(legs)} rows: {shown(words)}", "description"
            )
        parent = self._parent(legs)
        if parent is None:
            raise BadValue(
                "missing_value", f"the spin-off does not name its parent: {shown(words)}", "description"
            )
        new, old = ratio_in(words)
        self._add(
            legs,
            "spin_off",
            parent,
            related=into[0].security,
            quantity=into[0].quantity,
            ratio_new=new,
            ratio_old=old,
        )

    def _exchange(
        self, kind: str, words: str, legs: list[Leg], out: list[Leg], into: list[Leg], cash: Decimal
    ) -> None:
        if len(out) > 1 or len(into) > 1:
            raise BadValue(
                "unknown_action",
                f"an exchange of {len(out)} for {len(into)} securities: {shown(words)}",
                "description",
            )
        if out and into:
            name = "symbol_change" if kind == "exchange" and not cash else "merger"
            self._add(
                legs,
                name,
                out[0].security,
                related=into[0].security,
                quantity=into[0].quantity,
                amount_usd=cash,
            )
        elif out and cash > 0:
            name = "sell" if kind == "maturity" else "merger"
            self._add(legs, name, out[0].security, quantity=-out[0].quantity, amount_usd=cash)
        elif into and kind == "exchange" and self._parent(legs) not in (None, into[0].security):
            self._add(
                legs, "symbol_change", self._parent(legs), related=into[0].security, quantity=into[0].quantity
            )
        else:
            raise BadValue(
                "unknown_action",
                f"only one side of the exchange is in the file: {shown(words)}",
                "description",
            )

    def _cancel(self, legs: list[Leg]) -> None:
        for leg in legs:
            self.st.cancel(
                Cancel(
                    leg.line,
                    leg.account,
                    None,
                    tuple(sorted(set(_TYPES.values()) - {"exchange", "maturity", "nothing"})),
                    leg.when.date,
                    leg.security,
                    abs(leg.quantity) or None,
                    None,
                    leg.when.date,
                    "Ca",
                    leg.text,
                )
            )


def _ticker(symbol: str | None) -> str:
    return re.sub(r"\.OLD$", "", (symbol or "").upper())


def _kind(a: Attributes, words: str) -> str:
    code = (a.get("type") or "").strip().upper()
    if code:
        kind = _TYPES.get(code)
        if kind is None:
            raise BadValue("unknown_action", f"corporate action type {shown(code)}: {shown(words)}", "type")
        return kind
    kind = next((kind for pattern, kind in _WORDS if re.search(pattern, words)), None)
    if kind is None:
        raise BadValue(
            "unknown_action", f"the corporate action is not understood: {shown(words)}", "description"
        )
    return kind
