"""What rows of Interactive Brokers share: account, currency rate, security, moment; and the first pass's findings."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.model import (
    BadValue,
    Statement,
    When,
)
from dagster_project.sources.brokerage.securities import class_of_text, clean_identifier
from dagster_project.sources.brokerage.values import date_of, moment, number, option_terms, shown

Attributes = Mapping[str, str]
NO_ID: Final = frozenset(("", "0", "N/A", "-", "--"))
_CLASSES: Final = {
    "FUND": "equity_etf",
    "BOND": "bond_etf",
    "BILL": "bond_etf",
    "CRYPTO": "crypto",
    "CMDTY": "commodity",
}
ROW_TAGS: Final = {
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
        elif tag in ROW_TAGS:
            owner = a.get("accountId") or account
            if a.get("fxRateToBase") and a.get("currency"):
                one = a["fxRateToBase"].rstrip("0").rstrip(".") == "1"
                (self.unit_rates if one else self.other_rates).setdefault(owner, set()).add(
                    a["currency"].upper()
                )
            level = a.get("levelOfDetail", "").upper()
            if tag == "Trade" and level in ("", "EXECUTION"):
                self.executions.add(account)
                if a.get("tradeID", "") not in NO_ID:
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


class Parts:
    """Reads the parts of a row."""

    def __init__(self, statement: Statement, context: Context) -> None:
        self.st = statement
        self.context = context
        self.line = 0

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
            if value.upper() not in NO_ID:
                return f"{name}:{value}"
        return None
