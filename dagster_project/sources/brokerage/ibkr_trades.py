"""Interactive Brokers' trades: kinds, cash effect, conversions, cancellations, realised gains."""

import datetime as dt
import re
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.ibkr_parts import Attributes, Parts
from dagster_project.sources.brokerage.model import (
    BadValue,
    Cancel,
    ReportedGain,
    When,
)
from dagster_project.sources.brokerage.values import date_of, moment, number, shown

_UNSUPPORTED: Final = ("FUT", "FOP", "CFD", "FXCFD", "FSFOP", "FSOPT")


class Trades(Parts):
    """Maps trades and closed lots."""

    sale: tuple[int, str | None] | None = None

    def _trade(self, line: int, a: Attributes, text: str) -> None:
        level = (a.get("levelOfDetail") or "").upper()
        if level == "CLOSED_LOT":
            self._lot(line, a, text)
            return
        if level not in ("", "EXECUTION") and not (
            level == "ORDER" and self.context.account not in self.context.executions
        ):
            self.st.skip(line, "summary_row", text)
            return
        side, notes = (
            (a.get("buySell") or "").upper(),
            set(re.split(r"[;,\s]+", a.get("notes") or a.get("code") or "")),
        )
        kind_of = a.get("transactionType") or ""
        if kind_of in ("TradeCancel", "FracShareCancel") or "(CA.)" in side or "Ca" in notes:
            self._cancel(line, a, text, side)
            return
        category = (a.get("assetCategory") or "STK").upper()
        if category in _UNSUPPORTED:
            raise BadValue(
                "unsupported_asset", f"assetCategory {category} has no place in the ledger", "assetCategory"
            )
        quantity = number(a.get("quantity"), "quantity")
        if not quantity:
            raise BadValue("missing_value", "quantity is empty or 0", "quantity")
        buys = side.startswith("BUY") if side[:3] in ("BUY", "SEL") else quantity > 0
        when, rate = self.when(a), Decimal(1) if category == "CASH" else self.rate(a)
        amount, fees = self._cash_effect(a, buys, quantity, rate)
        common: dict = {
            "row": text,
            "native_id": self._id(a, "tradeID", "transactionID", "ibExecID"),
            "action": side,
        }
        if category == "CASH":
            self._forex(line, a, when, quantity, buys, fees, common)
            return
        security = self.security(a)
        if security is None:
            raise BadValue("missing_value", "the trade names no security", "symbol")
        price = number(a.get("tradePrice"), "tradePrice")
        kind = self._trade_kind(a, category, buys, notes)
        order = self._id(a, "ibOrderID", "orderID")
        option = kind.startswith("option")
        self.st.add(
            line,
            kind,
            self.account_of(a),
            when,
            security=security,
            underlying=self._underlying(a, security) if option else None,
            quantity=abs(quantity),
            price_usd=price * rate if price and price > 0 else None,
            amount_usd=amount,
            fees_usd=fees,
            order_id=order.partition(":")[2] if order else None,
            settled_date=date_of(a.get("settleDateTarget"), "settleDateTarget"),
            **common,
        )
        self._gain(line, a, security, when.date, quantity, amount, rate, buys)

    def _trade_kind(self, a: Attributes, category: str, buys: bool, notes: set[str]) -> str:
        opens = (a.get("openCloseIndicator") or "").upper()
        if category == "OPT" or (a.get("putCall") and category != "WAR"):
            if (a.get("transactionType") or "") == "BookTrade" or not number(
                a.get("tradePrice"), "tradePrice"
            ):
                for code, kind in (
                    ("A", "option_assignment"),
                    ("Ex", "option_exercise"),
                    ("Ep", "option_expiry"),
                ):
                    if code in notes:
                        return kind
            return "option_close" if opens == "C" else "option_open"
        if (a.get("transactionType") or "") == "FracShare" and not buys:
            return "cash_in_lieu"
        if buys:
            return "buy_to_cover" if opens == "C" else "reinvestment" if "R" in notes else "buy"
        return "short_sale" if opens == "O" else "sell"

    def _cash_effect(
        self, a: Attributes, buys: bool, quantity: Decimal, rate: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Cash effect after fees, and the fees, in USD."""
        commission, taxes = (number(a.get(n), n) or Decimal(0) for n in ("ibCommission", "taxes"))
        currency, of_fees = (
            (a.get("currency") or "USD").upper(),
            (a.get("ibCommissionCurrency") or "").upper(),
        )
        net, proceeds = number(a.get("netCash"), "netCash"), number(a.get("proceeds"), "proceeds")
        if proceeds is None:
            price = number(a.get("tradePrice"), "tradePrice")
            if price is None and net is None:
                raise BadValue(
                    "missing_value", "neither netCash, proceeds nor tradePrice is given", "tradePrice"
                )
            scale = number(a.get("multiplier"), "multiplier") or Decimal(1)
            proceeds = abs(quantity) * (price or Decimal(0)) * scale * (-1 if buys else 1)
        apart = bool(of_fees) and of_fees != currency and commission != 0
        if apart and of_fees != "USD":
            raise BadValue("other_currency", f"the commission is in {shown(of_fees)}", "ibCommissionCurrency")
        if net is not None and not apart and (net or not proceeds):
            amount = net * rate
        else:
            amount = (proceeds + taxes + (Decimal(0) if apart else commission)) * rate + (
                commission if apart else 0
            )
        fees = -(taxes * rate) - (commission if apart else commission * rate)
        return amount, max(Decimal(0), fees)

    def _forex(
        self, line: int, a: Attributes, when: When, quantity: Decimal, buys: bool, fees: Decimal, common: dict
    ) -> None:
        """A currency conversion moves US dollars if one side is USD; other currencies are not held here."""
        first, _, second = (a.get("symbol") or "").upper().partition(".")
        if "USD" not in (first, second):
            raise BadValue(
                "other_currency", f"the conversion {shown(a.get('symbol'))} has no USD side", "symbol"
            )
        if first == "USD":
            amount = abs(quantity) * (1 if buys else -1)
        else:
            amount = number(a.get("proceeds"), "proceeds") or Decimal(0)
        if (a.get("ibCommissionCurrency") or "").upper() == "USD":
            amount -= fees
        self.st.add(line, "journal", self.account_of(a), when, amount_usd=amount, fees_usd=fees, **common)

    def _cancel(self, line: int, a: Attributes, text: str, side: str) -> None:
        when, quantity = self.when(a), number(a.get("quantity"), "quantity")
        amount = number(a.get("netCash"), "netCash")
        original = self._id(a, "origTradeID")
        kinds = (
            ("buy", "reinvestment", "buy_to_cover")
            if side.startswith("BUY")
            else ("sell", "short_sale", "cash_in_lieu")
        )
        known = date_of(a.get("reportDate"), "reportDate") or when.date
        traded = date_of(a.get("origTradeDate"), "origTradeDate") or when.date
        self.st.cancel(
            Cancel(
                line,
                self.account_of(a),
                original and original.replace("origTradeID", "tradeID"),
                kinds,
                traded,
                self.security(a),
                abs(quantity) if quantity else None,
                abs(amount) if amount else None,
                max(known, when.date),
                "TradeCancel",
                text,
            )
        )

    def _gain(
        self,
        line: int,
        a: Attributes,
        security: str,
        day: dt.date,
        quantity: Decimal,
        amount: Decimal,
        rate: Decimal,
        buys: bool,
    ) -> None:
        gain = number(a.get("fifoPnlRealized"), "fifoPnlRealized")
        self.sale = (line, self._id(a, "tradeID", "transactionID"))
        if not gain or buys:
            return
        cost = number(a.get("cost"), "cost")
        self.st.gains.append(
            ReportedGain(
                self.account_of(a),
                security,
                day,
                gain * rate,
                line,
                line,
                quantity=abs(quantity),
                proceeds=amount,
                cost=abs(cost) * rate if cost is not None else None,
            )
        )

    def _lot(self, line: int, a: Attributes, text: str) -> None:
        """A closed lot beneath its trade: the broker's own lot matching."""
        self.st.skip(line, "closed_lot", text)
        security, gain = self.security(a), number(a.get("fifoPnlRealized"), "fifoPnlRealized")
        if security is None or gain is None:
            return
        rate, cost = self.rate(a), number(a.get("cost"), "cost")
        quantity = number(a.get("quantity"), "quantity")
        bought = moment(a.get("openDateTime"), "openDateTime").date if a.get("openDateTime") else None
        of_sale = self._id(a, "tradeID", "transactionID")
        row = self.sale[0] if self.sale else None
        codes = set(re.split(r"[;,\s]+", a.get("notes") or ""))
        self.st.gains.append(
            ReportedGain(
                self.account_of(a),
                security,
                self.when(a).date,
                gain * rate,
                line,
                row,
                of_sale,
                abs(quantity) if quantity else None,
                None,
                abs(cost) * rate if cost is not None else None,
                bought,
                "long" if "LT" in codes else "short" if "ST" in codes else None,
            )
        )

    def _summary(self, line: int, a: Attributes, text: str) -> None:
        if (
            a.get("levelOfDetail") or ""
        ).upper() == "ORDER" and self.context.account not in self.context.executions:
            self._trade(line, a, text)
        else:
            self.st.skip(line, "summary_row", text)
