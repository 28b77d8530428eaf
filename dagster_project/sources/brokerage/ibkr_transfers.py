"""Interactive Brokers' transfers with their lots, and option exercises, assignments and expiries."""

import datetime as dt
import re
from decimal import Decimal

from dagster_project.sources.brokerage.ibkr_parts import NO_ID, Attributes, Parts
from dagster_project.sources.brokerage.model import (
    BadValue,
)
from dagster_project.sources.brokerage.values import date_of, moment, number, shown

Transfer = tuple[int, Attributes, str, list[tuple[int, Attributes]]]


class Transfers(Parts):
    """Maps transfers and option events."""

    transfers: list[Transfer]

    def _option_event(self, line: int, a: Attributes, text: str) -> None:
        kinds = {
            "assignment": "option_assignment",
            "exercise": "option_exercise",
            "expiration": "option_expiry",
        }
        action = (a.get("transactionType") or a.get("type") or "").strip()
        if a.get("tradeID") in self.context.traded and a.get("tradeID") not in NO_ID:
            self.st.skip(line, "stated_in_trades", text)
            return
        quantity, security = number(a.get("quantity"), "quantity"), self.security(a)
        kind = kinds.get(action.lower())
        if kind is None and action.lower() in ("buy", "sell"):
            kind = action.lower()
        if kind is None or security is None:
            raise BadValue("unknown_action", f"transactionType is '{shown(action)}'", "transactionType")
        proceeds = number(a.get("proceeds"), "proceeds") or Decimal(0)
        costs, rate = number(a.get("commisionsAndTax"), "commisionsAndTax") or Decimal(0), self.rate(a)
        self.st.add(
            line,
            kind,
            self.account_of(a),
            self.when(a),
            security=security,
            underlying=self._underlying(a, security) if kind.startswith("option") else None,
            quantity=abs(quantity) if quantity else None,
            amount_usd=(proceeds + costs) * rate,
            fees_usd=max(Decimal(0), -costs * rate),
            row=text,
            native_id=self._id(a, "tradeID"),
            action=action,
        )

    def _transfer(self, line: int, a: Attributes, text: str) -> None:
        self.transfers.append((line, a, text, []))
        self.st.taken.add(line)

    def _transfer_lot(self, line: int, a: Attributes, text: str) -> None:
        if self.transfers and self.transfers[-1][1].get("symbol") == a.get("symbol"):
            self.transfers[-1][3].append((line, a))
            self.st.taken.add(line)
        else:
            raise BadValue(
                "lot_without_transfer", "a TransferLot that follows no Transfer of its security", "symbol"
            )

    def _book_transfer(self, line: int, a: Attributes, text: str, lots: list[tuple[int, Attributes]]) -> None:
        when, account = self.when(a), self.account_of(a)
        quantity, cash = number(a.get("quantity"), "quantity"), number(a.get("cashTransfer"), "cashTransfer")
        common: dict = {
            "row": text,
            "native_id": self._id(a, "transactionID"),
            "action": a.get("type") or "Transfer",
        }
        incoming = (a.get("direction") or "").upper()
        if not quantity:
            if not cash:
                raise BadValue("missing_value", "the transfer moves neither shares nor cash", "quantity")
            kind = "deposit" if cash > 0 else "withdrawal"
            self.st.add(line, kind, account, when, amount_usd=cash * self.rate(a), **common)
            return
        arrives = incoming == "IN" if incoming in ("IN", "OUT") else quantity > 0
        security = self.security(a)
        if security is None:
            raise BadValue("missing_value", "the transfer names no security", "symbol")
        named = [(number_, *self._lot_terms(lot)) for number_, lot in lots]
        if arrives and named and sum((n[1] for n in named), Decimal(0)) == abs(quantity):
            for index, (number_, shares, cost, bought) in enumerate(named):
                self.st.add(
                    line,
                    "transfer_in",
                    account,
                    when,
                    security=security,
                    quantity=shares,
                    acquired_date=bought,
                    cost_basis_usd=cost,
                    part=f"lot{index}",
                    rows=[number_],
                    **common,
                )
            return
        self.st.add(
            line,
            "transfer_in" if arrives else "transfer_out",
            account,
            when,
            security=security,
            quantity=abs(quantity),
            rows=[number_ for number_, _ in lots],
            **common,
        )

    def _lot_terms(self, a: Attributes) -> tuple[Decimal, Decimal | None, dt.date | None]:
        quantity = abs(number(a.get("quantity"), "quantity") or Decimal(0))
        stamp = a.get("openDateTime") or a.get("acquiredDate") or a.get("holdingPeriodDateTime")
        cost = number(a.get("cost") or a.get("costBasis") or a.get("costBasisMoney"), "cost")
        return (
            quantity,
            abs(cost) * self.rate(a) if cost is not None else None,
            moment(stamp, "openDateTime").date if stamp else None,
        )

    def _trade_transfer(self, line: int, a: Attributes, text: str) -> None:
        """A trade given up to or taken from another broker: shares with their cost."""
        quantity, security = number(a.get("quantity"), "quantity"), self.security(a)
        if not quantity or security is None:
            raise BadValue("missing_value", "the transfer names no shares", "quantity")
        said = f"{a.get('direction')} {a.get('deliveredReceived')}".upper()
        arrives = (
            quantity > 0
            if not re.search(r"\b(TO|FROM|IN|OUT|DELIVERED|RECEIVED)\b", said)
            else bool(re.search(r"\b(FROM|IN|RECEIVED)\b", said))
        )
        cost = number(a.get("cost"), "cost")
        self.st.add(
            line,
            "transfer_in" if arrives else "transfer_out",
            self.account_of(a),
            self.when(a),
            security=security,
            quantity=abs(quantity),
            cost_basis_usd=abs(cost) * self.rate(a) if cost and arrives else None,
            acquired_date=date_of(a.get("tradeDate"), "tradeDate") if arrives else None,
            row=text,
            native_id=self._id(a, "tradeID", "transactionID"),
            action="TradeTransfer",
        )
