"""Interactive Brokers' rows, as attributes: trades, cash, transfers, options, positions, lots.

One mapping for Flex XML and both CSV layouts, whose columns are translated to Flex attribute names
first. Corporate actions are in ``ibkr_actions.py``. Times are New York's (the Flex default).
"""

import contextlib
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.ibkr_actions import Actions
from dagster_project.sources.brokerage.model import (
    BadValue,
    Cancel,
    Position,
    ReportedGain,
    Statement,
    When,
    row_text,
)
from dagster_project.sources.brokerage.securities import class_of_text, clean_identifier
from dagster_project.sources.brokerage.values import date_of, moment, number, option_terms, shown

Attributes = Mapping[str, str]
_NO_ID: Final = frozenset(("", "0", "N/A", "-", "--"))
_CLASSES: Final = {
    "FUND": "equity_etf",
    "BOND": "bond_etf",
    "BILL": "bond_etf",
    "CRYPTO": "crypto",
    "CMDTY": "commodity",
}
_UNSUPPORTED: Final = ("FUT", "FOP", "CFD", "FXCFD", "FSFOP", "FSOPT")
_ROW_TAGS: Final = {
    "Trade": "trade",
    "Order": "summary",
    "SymbolSummary": "summary",
    "AssetSummary": "summary",
    "WashSale": "summary",
    "Lot": "lot",
    "CashTransaction": "cash",
    "CorporateAction": "action",
    "Transfer": "transfer",
    "TransferLot": "transfer_lot",
    "TradeTransfer": "trade_transfer",
    "OptionEAE": "option_event",
    "SalesTax": "sales_tax",
    "TransactionTax": "transaction_tax",
}
_CASH_KINDS: Final = {
    "dividends": "dividend",
    "payment in lieu of dividends": "interest",
    "withholding tax": "withholding",
    "871(m) withholding": "withholding",
    "broker interest received": "interest",
    "broker interest paid": "interest",
    "bond interest received": "interest",
    "bond interest paid": "interest",
    "bond interest": "interest",
    "interest": "interest",
    "other income": "interest",
    "deposits/withdrawals": "deposit",
    "deposits & withdrawals": "deposit",
    "deposits and withdrawals": "deposit",
    "other fees": "fee",
    "advisor fees": "fee",
    "broker fees": "fee",
    "commission adjustments": "fee",
    "price adjustments": "fee",
}
_IN_TEXT: Final = re.compile(r"^\s*(?P<symbol>[A-Z0-9][A-Z0-9. ]{0,20}?)\s*\((?P<id>[A-Z0-9]{6,12})\)")


@dataclass
class Context:
    """What the first pass learnt."""

    statements: int = 0
    account: str = ""
    base: dict[str, str] = field(default_factory=dict)
    unit_rates: dict[str, set[str]] = field(default_factory=dict)
    other_rates: dict[str, set[str]] = field(default_factory=dict)
    usd_rates: dict[str, Decimal] = field(default_factory=dict)
    executions: set[str] = field(default_factory=set)
    details: set[str] = field(default_factory=set)
    traded: set[str] = field(default_factory=set)

    def learn(self, tag: str, a: Attributes, account: str) -> None:
        """Note base currencies, rates and levels of detail."""
        if tag == "AccountInformation":
            name = a.get("accountId") or account
            self.base[name] = a.get("currency", "").upper()
        elif tag == "ConversionRate":
            if a.get("fromCurrency") == "USD":
                with contextlib.suppress(BadValue):
                    self.usd_rates[a.get("reportDate", "")] = number(a.get("rate"), "rate") or Decimal(0)
        elif tag in _ROW_TAGS:
            owner = a.get("accountId") or account
            if a.get("fxRateToBase") and a.get("currency"):
                one = a["fxRateToBase"].rstrip("0").rstrip(".") == "1"
                (self.unit_rates if one else self.other_rates).setdefault(owner, set()).add(
                    a["currency"].upper()
                )
            level = a.get("levelOfDetail", "").upper()
            if tag == "Trade" and level in ("", "EXECUTION"):
                self.executions.add(account)
                if a.get("tradeID", "") not in _NO_ID:
                    self.traded.add(a["tradeID"])
            elif tag == "CashTransaction" and level in ("", "DETAIL"):
                self.details.add(account)

    def base_of(self, account: str) -> str | None:
        """The base currency: stated, else the one currency whose rate is always 1."""
        stated = self.base.get(account)
        if stated:
            return stated
        found = self.unit_rates.get(account, set()) - self.other_rates.get(account, set())
        return next(iter(found)) if len(found) == 1 else None


class Rows:
    """Maps rows into a statement."""

    def __init__(self, statement: Statement, context: Context) -> None:
        self.st = statement
        self.context = context
        self.line = 0
        self.actions = Actions(statement)
        self.transfers: list[tuple[int, Attributes, str, list[tuple[int, Attributes]]]] = []
        self.sale: tuple[int, str | None] | None = None

    def take(self, tag: str, a: Attributes, section: str, line: int | None = None) -> bool:
        """Map one element or CSV row; False if it is none that this module reads."""
        if tag == "OpenPosition":
            self._noted(tag, self._position, a)
            return True
        if tag in ("AccountInformation", "SecurityInfo"):
            self._noted(tag, self._account if tag == "AccountInformation" else self._info, a)
            return True
        handler = _ROW_TAGS.get(tag)
        if handler is None or section == "OpenPositions":
            return False
        if not a:
            return True  # the section OptionEAE is named like its rows
        self.line = self.line + 1 if line is None else line
        text = row_text({"element": tag, **a})
        if not any(a.values()):
            self.st.skip(self.line, "empty_row", text)
            return True
        try:
            getattr(self, f"_{handler}")(self.line, a, text)
        except BadValue as error:
            self.st.reject(self.line, error.reason, error.detail, text, error.column)
        return True

    def _noted(self, tag: str, handler, a: Attributes) -> None:
        try:
            handler(a)
        except BadValue as error:
            self.st.notes.append(f"{tag} was not read: {error.detail}")

    def end_of_statement(self) -> None:
        """Book what needs its neighbours: corporate actions, transfers with their lots."""
        self.actions.book(self.rate)
        for line, a, text, lots in self.transfers:
            try:
                self._book_transfer(line, a, text, lots)
            except BadValue as error:
                numbers = [number for number, _ in lots]
                self.st.reject(line, error.reason, error.detail, text, error.column, rows=numbers)
        self.transfers = []

    # ---- parts

    def account_of(self, a: Attributes) -> str:
        """The row's account, else the statement's."""
        own = (a.get("accountId") or "").strip()
        return own if own not in ("", "-") else self.context.account

    def rate(self, a: Attributes) -> Decimal:
        """US dollars per unit of the row's currency.

        Raises
        ------
        BadValue
            ``other_currency``: the file holds no rate into USD.
        """
        currency = (a.get("currency") or "USD").upper()
        if currency == "USD":
            return Decimal(1)
        fx = number(a.get("fxRateToBase"), "fxRateToBase")
        base = self.context.base_of(self.account_of(a))
        if fx and base == "USD":
            return fx
        per_usd = self.context.usd_rates.get(a.get("reportDate", ""))
        if fx and per_usd and base is not None:
            return fx / per_usd
        raise BadValue(
            "other_currency",
            f"the row is in {shown(currency)} and the file holds no rate into USD",
            "currency",
        )

    def security(self, a: Attributes) -> str | None:
        """Register the row's security."""
        category = (a.get("assetCategory") or "").upper()
        symbol = clean_identifier(a.get("symbol"))
        if category in ("OPT", "FOP") or a.get("putCall") in ("C", "P", "CALL", "PUT"):
            terms = option_terms(symbol) or option_terms(a.get("description")) or {}
            right = {"C": "call", "P": "put"}.get((a.get("putCall") or "")[:1].upper()) or terms.get("right")
            strike = number(a.get("strike"), "strike") or terms.get("strike")
            expiry = date_of(a.get("expiry"), "expiry") or terms.get("expiry")
            underlying = clean_identifier(a.get("underlyingSymbol")) or terms.get("underlying")
            if right and expiry:
                return self.st.security(
                    symbol=symbol, underlying=underlying, right=right, strike=strike, expiry=expiry
                )
        isin = clean_identifier(a.get("isin"))
        if isin is None and (a.get("securityIDType") or "").upper() == "ISIN":
            isin = clean_identifier(a.get("securityID"))
        if (a.get("subCategory") or "").upper() == "ETF":
            asset_class = "equity_etf"
        else:
            asset_class = _CLASSES.get(category) or (
                "reit" if (a.get("subCategory") or "").upper() == "REIT" else None
            )
        return self.st.security(
            symbol=symbol,
            name=(a.get("description") or "")[:200]
            if symbol is None or a.get("quantity") or a.get("position")
            else None,
            isin=isin,
            cusip=clean_identifier(a.get("cusip")),
            conid=clean_identifier(a.get("conid")),
            asset_class=asset_class or class_of_text(a.get("description") or ""),
        )

    def _underlying(self, a: Attributes, security: str | None) -> str | None:
        terms = self.st.securities[security] if security else None
        symbol = clean_identifier(a.get("underlyingSymbol")) or (terms.underlying if terms else None)
        conid, isin = (
            clean_identifier(a.get("underlyingConid")),
            clean_identifier(a.get("underlyingSecurityID")),
        )
        return self.st.security(symbol=symbol, conid=conid, isin=isin) if symbol or conid or isin else None

    def when(self, a: Attributes) -> When:
        """Trade date and moment; the report date is when the row could be known, if it is later."""
        stamp = (
            a.get("dateTime")
            or a.get("tradeDate")
            or a.get("date")
            or a.get("reportDate")
            or a.get("settleDate")
        )
        found = moment(stamp, "dateTime")
        traded = date_of(a.get("tradeDate"), "tradeDate")
        if traded is not None and traded != found.date:
            found = When(traded, found.moment)
        if found.moment is None and a.get("tradeTime"):
            found = When(found.date, moment(f"{found.date} {a['tradeTime']}", "tradeTime").moment)
        return found

    @staticmethod
    def _id(a: Attributes, *names: str) -> str | None:
        for name in names:
            value = (a.get(name) or "").strip()
            if value.upper() not in _NO_ID:
                return f"{name}:{value}"
        return None

    # ---- trades

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
            line, kind, self.account_of(a), when, security=security,
            underlying=self._underlying(a, security) if option else None,
            quantity=abs(quantity), price_usd=price * rate if price and price > 0 else None, amount_usd=amount,
            fees_usd=fees, order_id=order.partition(":")[2] if order else None,
            settled_date=date_of(a.get("settleDateTarget"), "settleDateTarget"), **common,
        )  # fmt: skip
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
            )  # fmt: skip
        )

    def _gain(
        self, line: int, a: Attributes, security: str, day: dt.date, quantity: Decimal, amount: Decimal, rate: Decimal,
        buys: bool,
    ) -> None:  # fmt: skip
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
            )  # fmt: skip
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
            )  # fmt: skip
        )

    def _summary(self, line: int, a: Attributes, text: str) -> None:
        if (
            a.get("levelOfDetail") or ""
        ).upper() == "ORDER" and self.context.account not in self.context.executions:
            self._trade(line, a, text)
        else:
            self.st.skip(line, "summary_row", text)

    # ---- cash

    def _cash(self, line: int, a: Attributes, text: str) -> None:
        level = (a.get("levelOfDetail") or "").upper()
        if level == "SUMMARY" and self.context.account in self.context.details:
            self.st.skip(line, "summary_row", text)
            return
        amount, type_ = number(a.get("amount"), "amount"), (a.get("type") or "").strip()
        if amount is None:
            raise BadValue("missing_value", "amount is empty", "amount")
        kind = _CASH_KINDS.get(type_.lower())
        if kind is None:
            raise BadValue(
                "unknown_action", f"type is '{shown(type_)}', which the importer does not know", "type"
            )
        when, amount = self.when(a), amount * self.rate(a)
        kind = _cash_kind(kind, (a.get("description") or "").upper(), amount)
        with_symbol = (
            a if a.get("symbol") else {**_named_in(a), **{key: value for key, value in a.items() if value}}
        )
        security = (
            self.security(with_symbol) if with_symbol.get("symbol") or with_symbol.get("isin") else None
        )
        native = self._id(a, "transactionID", "tradeID")
        if amount < 0 and kind in ("return_of_capital", "capital_gain_distribution"):
            self.st.cancel(
                Cancel(
                    line,
                    self.account_of(a),
                    None,
                    (kind,),
                    None,
                    security,
                    None,
                    -amount,
                    date_of(a.get("reportDate"), "reportDate") or when.date,
                    type_,
                    text,
                )  # fmt: skip
            )
            return
        self.st.add(
            line, kind, self.account_of(a), when, security=security if kind not in ("deposit", "withdrawal") else None,
            amount_usd=amount, row=text, native_id=native, action=type_,
        )  # fmt: skip

    def _sales_tax(self, line: int, a: Attributes, text: str) -> None:
        tax = number(a.get("salesTax"), "salesTax")
        if not tax:
            self.st.skip(line, "no_amount", text)
            return
        self.st.add(
            line, "fee", self.account_of(a), self.when(a), amount_usd=tax * self.rate(a), row=text,
            native_id=self._id(a, "transactionID"), action="SalesTax",
        )  # fmt: skip

    def _transaction_tax(self, line: int, a: Attributes, text: str) -> None:
        self.st.skip(line, "stated_in_the_trade", text)

    # ---- corporate actions, options, transfers

    def _action(self, line: int, a: Attributes, text: str) -> None:
        self.actions.take(line, a, text, self.account_of(a), self.when(a), self.security(a))

    def _option_event(self, line: int, a: Attributes, text: str) -> None:
        kinds = {
            "assignment": "option_assignment",
            "exercise": "option_exercise",
            "expiration": "option_expiry",
        }
        action = (a.get("transactionType") or a.get("type") or "").strip()
        if a.get("tradeID") in self.context.traded and a.get("tradeID") not in _NO_ID:
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
            line, kind, self.account_of(a), self.when(a), security=security,
            underlying=self._underlying(a, security) if kind.startswith("option") else None,
            quantity=abs(quantity) if quantity else None, amount_usd=(proceeds + costs) * rate,
            fees_usd=max(Decimal(0), -costs * rate), row=text, native_id=self._id(a, "tradeID"), action=action,
        )  # fmt: skip

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
                    line, "transfer_in", account, when, security=security, quantity=shares, acquired_date=bought,
                    cost_basis_usd=cost, part=f"lot{index}", rows=[number_], **common,
                )  # fmt: skip
            return
        self.st.add(
            line, "transfer_in" if arrives else "transfer_out", account, when, security=security,
            quantity=abs(quantity), rows=[number_ for number_, _ in lots], **common,
        )  # fmt: skip

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
            line, "transfer_in" if arrives else "transfer_out", self.account_of(a), self.when(a), security=security,
            quantity=abs(quantity), cost_basis_usd=abs(cost) * self.rate(a) if cost and arrives else None,
            acquired_date=date_of(a.get("tradeDate"), "tradeDate") if arrives else None, row=text,
            native_id=self._id(a, "tradeID", "transactionID"), action="TradeTransfer",
        )  # fmt: skip

    # ---- facts

    def _position(self, a: Attributes) -> None:
        if (a.get("levelOfDetail") or "SUMMARY").upper() != "SUMMARY":
            return
        security, quantity = self.security(a), number(a.get("position") or a.get("quantity"), "position")
        day = date_of(a.get("reportDate"), "reportDate")
        if security is None or quantity is None or day is None:
            self.st.notes.append("a position without security, quantity or reportDate was not compared")
            return
        price, cost = (
            number(a.get("markPrice"), "markPrice"),
            number(a.get("costBasisMoney"), "costBasisMoney"),
        )
        value = number(a.get("positionValue"), "positionValue")
        self.st.positions.append(Position(self.account_of(a), security, day, quantity, price, value, cost))

    def _account(self, a: Attributes) -> None:
        name = self.account_of(a)
        if not name:
            return
        facts = self.st.account(name)
        said = " ".join((a.get("accountType") or "", a.get("customerType") or "")).upper()
        if "ROTH" in said:
            facts.account_type = "roth_ira"
        elif "IRA" in said.split():
            facts.account_type = "traditional_ira"
        facts.opened_date = date_of(a.get("dateOpened"), "dateOpened")

    def _info(self, a: Attributes) -> None:
        self.security(a)


def _cash_kind(kind: str, text: str, amount: Decimal) -> str:
    """The kind, refined by the description and the sign."""
    if kind == "deposit":
        return "deposit" if amount >= 0 else "withdrawal"
    if kind != "dividend":
        return kind
    if "RETURN OF CAPITAL" in text:
        return "return_of_capital"
    if re.search(r"LONG[- ]TERM CAP", text):
        return "capital_gain_distribution"
    if "IN LIEU OF DIVIDEND" in text:
        return "interest"
    return "dividend"


def _named_in(a: Attributes) -> dict[str, str]:
    """Symbol and ISIN or CUSIP at the head of a dividend's description: ``VT(US9220427424) CASH DIVIDEND``."""
    found = _IN_TEXT.match((a.get("description") or "").upper())
    if not found:
        return {}
    identifier = found["id"]
    return {
        "symbol": found["symbol"],
        **({"isin": identifier} if len(identifier) == 12 and identifier[:2].isalpha() else {}),
    }
