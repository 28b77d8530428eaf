"""OFX's purchases, sales and reinvestments, and the parts that all rows share."""

import datetime as dt
import re
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.model import (
    BadValue,
    ReportedGain,
    Statement,
)
from dagster_project.sources.brokerage.ofx_markup import Node
from dagster_project.sources.brokerage.ofx_values import income_kind, when
from dagster_project.sources.brokerage.values import number, shown

_TYPED: Final = {"MF": "equity_etf", "DEBT": "bond_etf"}


class Trades:
    """Maps trades of one file."""

    def __init__(self, statement: Statement) -> None:
        self.st = statement
        self.line = 0
        self.account = ""
        self.currency = "USD"
        self.is_card = False
        self.as_of: dt.date | None = None
        self.statements = 0
        self.org = ""
        self.incomes: list[tuple[int, Node, str]] = []
        self.reinvests: list[tuple[str, str | None, dt.date, Decimal]] = []
        self.late: list[tuple[int, Node, str]] = []

    # ---- parts of a row

    def _security(self, node: Node) -> str | None:
        secid = node.find("SECID") or node
        kind, value = secid.get("UNIQUEIDTYPE").upper(), secid.get("UNIQUEID").strip().upper()
        if not value:
            return None
        suffix = node.name.removeprefix("BUY").removeprefix("SELL").removeprefix("POS")
        facts = {"ISIN": "isin", "CUSIP": "cusip", "TICKER": "symbol"}
        if kind not in facts and re.fullmatch(r"[A-Z]{2}[0-9A-Z]{9}\d", value):
            kind = "ISIN"
        return self.st.security(**{facts.get(kind, "cusip"): value}, asset_class=_TYPED.get(suffix))

    def _rate(self, node: Node) -> Decimal:
        """US dollars per unit of the row's amounts."""
        money = node.find("CURRENCY")
        if money is not None:
            symbol, rate = money.get("CURSYM").upper(), number(money.get("CURRATE"), "CURRATE")
            if symbol == "USD":
                return Decimal(1)
            if self.currency == "USD" and rate:
                return rate
            raise BadValue(
                "other_currency",
                f"the amounts are in {shown(symbol)} and no rate into USD is given",
                "CURSYM",
            )
        if self.currency != "USD":
            raise BadValue("other_currency", f"the account's amounts are in {shown(self.currency)}", "CURDEF")
        return Decimal(1)

    def _amount(self, node: Node, name: str, rate: Decimal) -> Decimal | None:
        value = number(node.get(name), name)
        return None if value is None else value * rate if rate != 1 else value

    def _common(self, node: Node, text: str) -> dict:
        return {"row": text, "native_id": node.get("FITID"), "action": node.name}

    def _total(self, node: Node) -> Decimal:
        value = self._amount(node, "TOTAL", self._rate(node))
        if value is None:
            raise BadValue("missing_value", "TOTAL is empty", "TOTAL")
        return value

    def _needed_security(self, node: Node) -> str:
        security = self._security(node)
        if security is None:
            raise BadValue("missing_value", "the row names no security (UNIQUEID)", "UNIQUEID")
        return security

    # ---- trades

    def _trade(self, line: int, node: Node, text: str) -> None:
        day, rate, security = (
            when(node.get("DTTRADE"), "DTTRADE"),
            self._rate(node),
            self._needed_security(node),
        )
        units = number(node.get("UNITS"), "UNITS")
        if not units:
            raise BadValue("missing_value", "UNITS is empty or 0", "UNITS")
        quantity, price = abs(units), self._amount(node, "UNITPRICE", rate)
        named = ("COMMISSION", "TAXES", "FEES", "LOAD", "MARKUP", "PENALTY")
        fees = sum(
            (abs(self._amount(node, n, rate) or Decimal(0)) for n in named if n != "MARKUP"), Decimal(0)
        )
        total = self._amount(node, "TOTAL", rate)
        is_buy, memo = node.name.startswith("BUY"), node.get("MEMO").upper()
        if total is None:
            if price is None:
                raise BadValue("missing_value", "neither TOTAL nor UNITPRICE is given", "TOTAL")
            scale = number(node.get("SHPERCTRCT"), "SHPERCTRCT") or (
                Decimal(100) if node.name.endswith("OPT") else 1
            )
            total = -(quantity * price * scale + fees) if is_buy else quantity * price * scale - fees
        amount = -abs(total) if is_buy else total
        kind = self._trade_kind(node, memo, amount)
        common = self._common(node, text)
        settled = when(node.get("DTSETTLE"), "DTSETTLE").date if node.get("DTSETTLE") else None
        if kind == "transfer_in":
            self.st.add(line, kind, self.account, day, security=security, quantity=quantity, **common)
            return
        self.st.add(
            line,
            kind,
            self.account,
            day,
            security=security,
            quantity=quantity,
            price_usd=price or None,
            amount_usd=amount,
            fees_usd=fees,
            settled_date=settled,
            **common,
        )
        withheld = [self._amount(node, n, rate) for n in ("WITHHOLDING", "STATEWITHHOLDING")]
        held = sum((abs(value) for value in withheld if value), Decimal(0))
        if held:
            # TOTAL is net of it: the sale's proceeds are what was paid out plus what was withheld.
            self.st.add(
                line,
                "withholding",
                self.account,
                day,
                security=security,
                amount_usd=-held,
                part="withholding",
                **common,
            )
        gain = self._amount(node, "GAIN", rate)
        if gain is not None and not is_buy:
            self.st.gains.append(
                ReportedGain(
                    self.account, security, day.date, gain, line, line, quantity=quantity, proceeds=amount
                )
            )

    def _trade_kind(self, node: Node, memo: str, amount: Decimal) -> str:
        option = (node.get("OPTBUYTYPE") or node.get("OPTSELLTYPE")).strip().upper()
        if node.name.endswith("OPT"):
            return "option_close" if option.endswith("CLOSE") else "option_open"
        if node.get("BUYTYPE").strip().upper() == "BUYTOCOVER":
            return "buy_to_cover"
        if node.get("SELLTYPE").strip().upper() == "SELLSHORT":
            return "short_sale"
        if node.name.startswith("SELL"):
            return "cash_in_lieu" if re.search(r"IN LIEU|FRACTIONAL SHARE", memo) else "sell"
        if not amount:
            return "transfer_in"  # shares that came without a price: their basis is unknown
        return "reinvestment" if "REINVEST" in memo else "buy"

    def _reinvest(self, line: int, node: Node, text: str) -> None:
        day, security, total = (
            when(node.get("DTTRADE"), "DTTRADE"),
            self._needed_security(node),
            abs(self._total(node)),
        )
        units = number(node.get("UNITS"), "UNITS")
        if not units:
            raise BadValue("missing_value", "UNITS is empty or 0", "UNITS")
        rate, common = self._rate(node), self._common(node, text)
        kind = income_kind(node.get("INCOMETYPE"))
        self.reinvests.append((self.account, security, day.date, total))
        self.st.add(
            line,
            kind,
            self.account,
            day,
            security=security if kind != "interest" else None,
            qualified=node.get("INCOMETYPE").strip().upper() != "CGSHORT",
            amount_usd=total,
            part="income",
            **common,
        )
        price = self._amount(node, "UNITPRICE", rate)
        self.st.add(
            line,
            "reinvestment",
            self.account,
            day,
            security=security,
            quantity=abs(units),
            price_usd=price or None,
            amount_usd=-total,
            **common,
        )
