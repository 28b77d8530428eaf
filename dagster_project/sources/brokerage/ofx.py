"""OFX and QFX: investment statements (INVSTMTRS), their security list, and bank statements as cash.

Read from the OFX 2.2 specification, chapter 13. Where the specification is silent: BUY totals are
cash out whatever their sign; INCOME TOTAL is gross and WITHHOLDING comes beside it; AVGCOSTBASIS is
per unit; a time of midnight or noon says only the day. A REINVEST is a dividend and a purchase;
where the broker lists the same income once more as INCOME, it counts once.
"""

import contextlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.model import (
    BadValue,
    Cancel,
    Position,
    RefusedFile,
    Statement,
    row_text,
)
from dagster_project.sources.brokerage.ofx_markup import Event, Node, events
from dagster_project.sources.brokerage.ofx_trades import Trades
from dagster_project.sources.brokerage.ofx_values import account_type, bank_kind, income_kind, when
from dagster_project.sources.brokerage.securities import Security, class_of_text
from dagster_project.sources.brokerage.values import number, option_terms, shown

FORMAT: Final = "ofx"
TRADES: Final = tuple(
    f"{side}{kind}" for side in ("BUY", "SELL") for kind in ("STOCK", "MF", "DEBT", "OPT", "OTHER")
)
OTHER_ROWS: Final = (
    "INCOME",
    "REINVEST",
    "RETOFCAP",
    "SPLIT",
    "TRANSFER",
    "JRNLSEC",
    "JRNLFUND",
    "CLOSUREOPT",
    "MARGININTEREST",
    "INVEXPENSE",
)
BANK_ROWS: Final = ("INVBANKTRAN", "STMTTRN")
_POSITIONS: Final = ("POSSTOCK", "POSMF", "POSDEBT", "POSOPT", "POSOTHER")
_INFOS: Final = {
    "STOCKINFO": None,
    "MFINFO": "equity_etf",
    "DEBTINFO": "bond_etf",
    "OPTINFO": None,
    "OTHERINFO": None,
}
_WHOLE: Final = (*TRADES, *OTHER_ROWS, *BANK_ROWS, *_POSITIONS, *_INFOS)


def read(path: Path, encoding: str, statement: Statement) -> None:
    """Read an OFX file into the statement."""
    _Reader(statement).run(path, encoding)


class _Reader(Trades):
    def run(self, path: Path, encoding: str) -> None:
        for event in events(path, encoding, _WHOLE):
            if event.kind == "leaf":
                self._leaf(event)
            elif event.kind == "open":
                self._open(event)
            elif event.node is not None:
                self._close(event, event.node)
        self._settle_incomes()
        if not self.statements:
            raise RefusedFile("the file holds no account statement, so there is nothing to import")

    def _open(self, event: Event) -> None:
        if event.name in ("INVSTMTRS", "STMTRS", "CCSTMTRS"):
            self._settle_incomes()
            self.statements += 1
            self.account, self.currency, self.as_of = "", "USD", None
            self.is_card = event.name == "CCSTMTRS"

    def _leaf(self, event: Event) -> None:
        inside = set(event.path)
        if inside & set(_WHOLE):
            return
        if event.name == "CODE" and "SONRS" in inside and event.value.strip() != "0":
            raise RefusedFile(
                f"the bank refused the sign-on (code {shown(event.value)}): the file holds no data"
            )
        if event.name == "ACCTID" and inside & {"INVACCTFROM", "BANKACCTFROM", "CCACCTFROM"}:
            if inside & {"INVSTMTRS", "STMTRS", "CCSTMTRS"}:
                self.account = event.value
                facts = self.st.account(event.value)
                facts.broker = self.org or facts.broker
        elif (event.name == "BROKERID" and "INVACCTFROM" in inside) or event.name == "ORG":
            self.org = event.value[:80]
        elif event.name == "CURDEF":
            self.currency = event.value.upper()
        elif event.name == "DTASOF" and event.path[-1:] == ("INVSTMTRS",):
            with contextlib.suppress(BadValue):  # the positions then take the day of their prices
                self.as_of = when(event.value, "DTASOF").date
        elif event.name in ("USPRODUCTTYPE", "INVACCTTYPE") and self.account:
            self.st.account(self.account).account_type = account_type(event.value)

    def _close(self, event: Event, node: Node) -> None:
        if set(event.path) & set(_WHOLE):
            return
        if node.name in _POSITIONS or node.name in _INFOS:
            try:
                self._position(node) if node.name in _POSITIONS else self._info(node)
            except BadValue as error:
                self.st.notes.append(f"{node.name} was not read: {error.detail}")
        elif node.name in _WHOLE:
            self.line += 1
            self._row(self.line, node)
        elif node.name in ("INVTRANLIST", "BANKTRANLIST"):
            self._settle_incomes()

    def _row(self, line: int, node: Node) -> None:
        text = row_text({"element": node.name, **node.flat()})
        if self.is_card:
            self.st.skip(line, "credit_card_row", text)
            return
        try:
            if node.get("REVERSALFITID") or node.get("CORRECTACTION"):
                self._correction(line, node, text)
            elif node.name == "INCOME":
                self.incomes.append((line, node, text))  # until it is known whether a REINVEST repeats it
                self.st.taken.add(line)
            else:
                self._dispatch(line, node, text)
        except BadValue as error:
            self.st.reject(line, error.reason, error.detail, text, error.column)

    def _dispatch(self, line: int, node: Node, text: str) -> None:
        name = node.name
        if name in TRADES:
            self._trade(line, node, text)
        elif name in BANK_ROWS:
            self._bank(line, node, text)
        else:
            getattr(self, f"_{name.lower()}")(line, node, text)

    # ---- income and cash

    def _settle_incomes(self) -> None:
        """Book the INCOME rows, but not those that a REINVEST of the same list has counted already."""
        counted = list(self.reinvests)
        for line, node, text in self.incomes:
            try:
                self._income(line, node, text, counted)
            except BadValue as error:
                self.st.reject(line, error.reason, error.detail, text, error.column)
        self.incomes, self.reinvests = [], []

    def _income(self, line: int, node: Node, text: str, counted: list) -> None:
        day, total, kind = (
            when(node.get("DTTRADE"), "DTTRADE"),
            self._total(node),
            income_kind(node.get("INCOMETYPE")),
        )
        security, common, rate = self._security(node), self._common(node, text), self._rate(node)
        same = (self.account, security, day.date, total)
        if same in counted:
            counted.remove(same)
            self.st.skip(line, "income_of_a_reinvestment", text)
            return
        memo = node.get("MEMO").upper()
        if re.search(r"IN LIEU OF DIV|SUBSTITUTE PAY", memo):
            kind = "interest"
        if kind == "capital_gain_distribution" and total < 0:
            raise BadValue("amount_sign", f"TOTAL is {total} for a capital gain distribution", "TOTAL")
        ordinary = node.get("INCOMETYPE").strip().upper() == "CGSHORT"
        self.st.add(
            line,
            kind,
            self.account,
            day,
            security=security,
            amount_usd=total,
            qualified=not ordinary,
            **common,
        )
        held = self._amount(node, "WITHHOLDING", rate)
        if held:
            self.st.add(
                line,
                "withholding",
                self.account,
                day,
                security=security,
                amount_usd=-abs(held),
                part="withholding",
                **common,
            )

    def _retofcap(self, line: int, node: Node, text: str) -> None:
        day, total = when(node.get("DTTRADE"), "DTTRADE"), self._total(node)
        self.st.add(
            line,
            "return_of_capital",
            self.account,
            day,
            security=self._needed_security(node),
            amount_usd=total,
            **self._common(node, text),
        )

    def _margininterest(self, line: int, node: Node, text: str) -> None:
        day = when(node.get("DTTRADE"), "DTTRADE")
        self.st.add(
            line,
            "interest",
            self.account,
            day,
            amount_usd=-abs(self._total(node)),
            **self._common(node, text),
        )

    def _invexpense(self, line: int, node: Node, text: str) -> None:
        day, total = when(node.get("DTTRADE"), "DTTRADE"), self._total(node)
        kind = "withholding" if re.search(r"FOREIGN TAX|WITHH", node.get("MEMO").upper()) else "fee"
        security = self._security(node)
        self.st.add(
            line,
            kind,
            self.account,
            day,
            security=security,
            amount_usd=-abs(total),
            **self._common(node, text),
        )

    def _jrnlfund(self, line: int, node: Node, text: str) -> None:
        # Between sub-accounts (cash, margin) of one account: the account's cash stays what it was.
        day = when(node.get("DTTRADE"), "DTTRADE")
        self._total(node)
        self.st.add(line, "journal", self.account, day, amount_usd=Decimal(0), **self._common(node, text))

    def _jrnlsec(self, line: int, node: Node, text: str) -> None:
        # Between sub-accounts too: lots stay where they are, so no asset is named.
        day = when(node.get("DTTRADE"), "DTTRADE")
        number(node.get("UNITS"), "UNITS")
        self.st.add(line, "journal", self.account, day, amount_usd=Decimal(0), **self._common(node, text))

    def _bank(self, line: int, node: Node, text: str) -> None:
        day, rate = when(node.get("DTPOSTED") or node.get("DTUSER"), "DTPOSTED"), self._rate(node)
        amount = self._amount(node, "TRNAMT", rate)
        if amount is None:
            raise BadValue("missing_value", "TRNAMT is empty", "TRNAMT")
        kind = bank_kind(
            node.get("TRNTYPE").strip().upper(), f"{node.get('NAME')} {node.get('MEMO')}".upper(), amount
        )
        self.st.add(line, kind, self.account, day, amount_usd=amount, **self._common(node, text))

    # ---- shares without a price

    def _split(self, line: int, node: Node, text: str) -> None:
        day, security = when(node.get("DTTRADE"), "DTTRADE"), self._needed_security(node)
        old, new = number(node.get("OLDUNITS"), "OLDUNITS"), number(node.get("NEWUNITS"), "NEWUNITS")
        top, bottom = (
            number(node.get("NUMERATOR"), "NUMERATOR"),
            number(node.get("DENOMINATOR"), "DENOMINATOR"),
        )
        if not (top and bottom):
            top, bottom = new, old
        if not (top and bottom):
            raise BadValue(
                "missing_value", "neither NUMERATOR and DENOMINATOR nor OLDUNITS and NEWUNITS", "NUMERATOR"
            )
        quantity = abs(new - old) if new and old and new != old else None
        common = self._common(node, text)
        self.st.add(
            line,
            "split",
            self.account,
            day,
            security=security,
            quantity=quantity,
            ratio_new=top,
            ratio_old=bottom,
            **common,
        )
        cash = self._amount(node, "FRACCASH", self._rate(node))
        if cash:
            self.st.add(
                line,
                "cash_in_lieu",
                self.account,
                day,
                security=security,
                amount_usd=cash,
                part="cash",
                **common,
            )

    def _transfer(self, line: int, node: Node, text: str) -> None:
        day, security = when(node.get("DTTRADE"), "DTTRADE"), self._needed_security(node)
        units = number(node.get("UNITS"), "UNITS")
        if not units:
            raise BadValue("missing_value", "UNITS is empty or 0", "UNITS")
        action = node.get("TFERACTION").strip().upper()
        incoming = units > 0 if action not in ("IN", "OUT") else action == "IN"
        basis = self._amount(node, "AVGCOSTBASIS", self._rate(node)) if node.get("AVGCOSTBASIS") else None
        bought = when(node.get("DTPURCHASE"), "DTPURCHASE").date if node.get("DTPURCHASE") else None
        self.st.add(
            line,
            "transfer_in" if incoming else "transfer_out",
            self.account,
            day,
            security=security,
            quantity=abs(units),
            acquired_date=bought if incoming else None,
            cost_basis_usd=basis * abs(units) if basis is not None and incoming else None,
            **self._common(node, text),
        )

    def _closureopt(self, line: int, node: Node, text: str) -> None:
        day, security = when(node.get("DTTRADE"), "DTTRADE"), self._needed_security(node)
        kinds = {"EXERCISE": "option_exercise", "ASSIGN": "option_assignment", "EXPIRE": "option_expiry"}
        kind = kinds.get(node.get("OPTACTION").strip().upper())
        if kind is None:
            raise BadValue("unknown_action", f"OPTACTION is '{shown(node.get('OPTACTION'))}'", "OPTACTION")
        units = number(node.get("UNITS"), "UNITS")
        self.st.add(
            line,
            kind,
            self.account,
            day,
            security=security,
            quantity=abs(units) if units else None,
            amount_usd=Decimal(0),
            **self._common(node, text),
        )

    def _correction(self, line: int, node: Node, text: str) -> None:
        """REVERSALFITID or CORRECTFITID: the row named is taken back; a replacement then stands for itself."""
        reference = node.get("REVERSALFITID") or node.get("CORRECTFITID")
        day = when(node.get("DTTRADE") or node.get("DTPOSTED"), "DTTRADE")
        self.st.cancel(
            Cancel(line, self.account, reference, (), None, None, None, None, day.date, node.name, text)
        )
        if node.get("CORRECTACTION").strip().upper() == "REPLACE":
            self.st.taken.discard(line)
            self._dispatch(line, node, text)

    # ---- facts

    def _position(self, node: Node) -> None:
        security, units = self._security(node), number(node.get("UNITS"), "UNITS")
        day = when(node.get("DTPRICEASOF"), "DTPRICEASOF").date if node.get("DTPRICEASOF") else None
        day = self.as_of or day
        if security is None or units is None or day is None:
            self.st.notes.append("a position without security, UNITS or date was not compared")
            return
        sign = -1 if node.get("POSTYPE").strip().upper() == "SHORT" else 1
        price, value = number(node.get("UNITPRICE"), "UNITPRICE"), number(node.get("MKTVAL"), "MKTVAL")
        self.st.positions.append(Position(self.account, security, day, sign * abs(units), price, value))

    def _info(self, node: Node) -> None:
        """Name, ticker, class and option terms of the security list's entry."""
        key = self._security(node)
        if key is None:
            return
        ticker = node.get("TICKER").strip().upper()[:40]
        facts: dict = {"name": node.get("SECNAME")[:200] or None, "asset_class": _INFOS[node.name]}
        facts["symbol"] = None if re.fullmatch(r"[0-9][0-9A-Z]{8}", ticker) else ticker or None
        if node.name == "OPTINFO":
            terms = option_terms(ticker) or option_terms(node.get("SECNAME")) or {}
            right = node.get("OPTTYPE").strip().lower()
            expiry = (
                when(node.get("DTEXPIRE"), "DTEXPIRE").date if node.get("DTEXPIRE") else terms.get("expiry")
            )
            facts |= terms | {"strike": number(node.get("STRIKEPRICE"), "STRIKEPRICE"), "expiry": expiry}
            facts |= {"right": right} if right in ("call", "put") else {}
        elif facts["asset_class"] is None:
            facts["asset_class"] = class_of_text(node.get("SECNAME"))
        self.st.securities[key] = self.st.securities[key].merged(Security(**facts))
