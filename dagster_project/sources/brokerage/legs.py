"""Splits, spin-offs, mergers and name changes that brokers write as several rows: one event each.

Brokers that state an event as a row per security and sign (shares leave, shares come, cash comes)
hand each row to ``Legs``; ``book`` joins the rows of one event and books one canonical transaction.
"""

from dataclasses import dataclass
from decimal import Decimal

from dagster_project.sources.brokerage.model import BadValue, Statement, When
from dagster_project.sources.brokerage.values import ratio_in, stock_dividend_ratio


@dataclass(frozen=True)
class Leg:
    """One row: signed shares (0 if none) and cash in USD."""

    line: int
    account: str
    when: When
    security: str | None
    quantity: Decimal
    amount: Decimal
    text: str
    description: str
    action: str
    native_id: str | None = None
    parent: str | None = None


class Legs:
    """Rows of events, by kind and a key that the rows of one event share."""

    def __init__(self, statement: Statement) -> None:
        self.st = statement
        self.events: dict[tuple, list[Leg]] = {}

    def take(self, kind: str, key: tuple, leg: Leg) -> None:
        """Note one row of an event of ``kind``: split, stock_dividend, spin_off, merger or symbol_change."""
        self.events.setdefault((kind, leg.account, *key), []).append(leg)
        self.st.taken.add(leg.line)

    def book(self) -> None:
        """Book every event; one that cannot be booked rejects its rows."""
        for key, legs in self.events.items():
            try:
                self._book(key[0], legs)
            except BadValue as error:
                for leg in legs:
                    self.st.reject(leg.line, error.reason, error.detail, leg.text, error.column)
        self.events = {}

    def _add(self, legs: list[Leg], kind: str, security: str | None, **cells) -> None:
        first = legs[0]
        self.st.add(
            first.line,
            kind,
            first.account,
            first.when,
            security=security,
            row=first.text,
            action=first.action,
            rows=[leg.line for leg in legs[1:]],
            native_id=next((leg.native_id for leg in legs if leg.native_id), None),
            **{"amount_usd": Decimal(0), **cells},
        )

    def _book(self, kind: str, legs: list[Leg]) -> None:
        out, into = [leg for leg in legs if leg.quantity < 0], [leg for leg in legs if leg.quantity > 0]
        cash = sum((leg.amount for leg in legs), Decimal(0))
        if len(out) > 1 or len(into) > 1:
            raise BadValue(
                "unknown_action", f"a {kind} of {len(out)} for {len(into)} securities on one day", "action"
            )
        if kind in ("split", "stock_dividend"):
            self._split(kind, legs, out, into)
        elif kind == "spin_off":
            self._spin_off(legs, into)
        elif out and into:
            name = "merger" if cash or kind == "merger" else kind
            self._add(
                legs,
                name,
                out[0].security,
                related=into[0].security,
                quantity=into[0].quantity,
                amount_usd=cash,
            )
        elif out and cash > 0:
            self._add(legs, "merger", out[0].security, quantity=-out[0].quantity, amount_usd=cash)
        elif cash > 0 and legs[0].security and not into:
            self._add(legs, "merger", legs[0].security, amount_usd=cash)
        else:
            raise BadValue("unknown_action", f"only one side of the {kind} is in the file", "action")

    def _split(self, kind: str, legs: list[Leg], out: list[Leg], into: list[Leg]) -> None:
        words = " ".join(leg.description for leg in legs)
        new, old = stock_dividend_ratio(words) if kind == "stock_dividend" else ratio_in(words)
        if out and into:
            if out[0].security != into[0].security:
                self._add(
                    legs, "merger", out[0].security, related=into[0].security, quantity=into[0].quantity
                )
                return
            if new is None:
                new, old = into[0].quantity, -out[0].quantity
            added = into[0].quantity + out[0].quantity
            self._add(legs, kind, into[0].security, quantity=abs(added) or None, ratio_new=new, ratio_old=old)
            return
        leg = (into or out or legs)[0]
        if leg.security is None or (not leg.quantity and new is None):
            raise BadValue("missing_value", f"the {kind} states neither shares nor a ratio", "quantity")
        if leg.quantity < 0 and new is None:
            raise BadValue(
                "missing_value", f"a reverse {kind} needs its ratio or the shares that come back", "quantity"
            )
        self._add(legs, kind, leg.security, quantity=abs(leg.quantity) or None, ratio_new=new, ratio_old=old)

    def _spin_off(self, legs: list[Leg], into: list[Leg]) -> None:
        if not into or into[0].security is None:
            raise BadValue("missing_value", "the spin-off states no new shares", "quantity")
        parent = next((leg.parent for leg in legs if leg.parent), None)
        new, old = ratio_in(" ".join(leg.description for leg in legs))
        if parent is None:
            # The parent is not named: the shares are kept, their basis is unknown.
            self._add(legs, "transfer_in", into[0].security, quantity=into[0].quantity)
            return
        self._add(
            legs,
            "spin_off",
            parent,
            related=into[0].security,
            quantity=into[0].quantity,
            ratio_new=new,
            ratio_old=old,
        )
