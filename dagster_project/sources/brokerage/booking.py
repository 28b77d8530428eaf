"""What the CSV and JSON readers share: booking a plain row by its canonical kind."""

import re
from decimal import Decimal
from typing import Final

from dagster_project.sources.brokerage.legs import Leg, Legs
from dagster_project.sources.brokerage.model import BadValue, Cancel, Statement, When
from dagster_project.sources.brokerage.securities import class_of_text, clean_identifier
from dagster_project.sources.brokerage.values import option_terms

OPTION_MULTIPLIER: Final = Decimal(100)
_BUYS: Final = ("buy", "buy_to_cover", "reinvestment")
_SALES: Final = ("sell", "short_sale")
_NEEDS_SECURITY: Final = (
    *_BUYS,
    *_SALES,
    "transfer_in",
    "transfer_out",
    "return_of_capital",
    "option_expiry",
)
REORGANISATIONS: Final = ("split", "stock_dividend", "spin_off", "merger", "symbol_change")
# What a reader's table may say beside canonical kinds: the sign or the cells decide.
BY_SIGN: Final = {"cash": ("deposit", "withdrawal"), "shares": ("transfer_in", "transfer_out")}


class Booker:
    """Books rows of one statement.

    Parameters
    ----------
    statement : Statement
        Where rows go.
    """

    def __init__(self, statement: Statement) -> None:
        self.st = statement
        self.legs = Legs(statement)

    def security(
        self, symbol: str, name: str = "", cusip: str | None = None, isin: str | None = None
    ) -> str | None:
        """Register a security by ticker or option name; a nine-character code is a CUSIP."""
        cleaned = clean_identifier(symbol)
        terms = option_terms(cleaned)
        if terms:
            return self.st.security(symbol=cleaned, **terms)
        if cleaned and re.fullmatch(r"[0-9][0-9A-Z]{8}", cleaned):
            cusip, cleaned = cleaned, None
        if not cleaned and not cusip and not isin:
            return None
        return self.st.security(
            symbol=cleaned and cleaned.upper(),
            name=name[:200] or None,
            cusip=cusip,
            isin=isin,
            asset_class=class_of_text(name),
        )

    def underlying(self, security: str | None) -> str | None:
        """The underlying's key of an option."""
        terms = self.st.securities[security] if security else None
        return self.st.security(symbol=terms.underlying) if terms is not None and terms.underlying else None

    def book(
        self,
        line: int,
        kind: str,
        account: str,
        when: When,
        *,
        text: str,
        action: str,
        security: str | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        fees: Decimal | None = None,
        description: str = "",
        event: tuple = (),
        parent: str | None = None,
        native_id: str | None = None,
        **cells,
    ) -> None:
        """Book one row.

        Parameters
        ----------
        kind : str
            Canonical kind, or ``cash`` and ``shares``, which the sign of the row decides.
        quantity, price, amount, fees : Decimal or None
            As the file states them, quantity and amount signed.
        event : tuple
            For reorganisations: what the rows of one event share, beside the account.

        Raises
        ------
        BadValue
            The row lacks what its kind needs.
        """
        if kind == "shares" and not quantity:
            kind = "cash"
        if kind == "journal" and quantity and not amount:
            kind = "shares"
        if kind in BY_SIGN:
            measure = amount if kind == "cash" else quantity
            if measure is None:
                raise BadValue("missing_value", "the row states neither an amount nor shares", "amount")
            kind = BY_SIGN[kind][measure < 0]
        option = security is not None and self.st.securities[security].is_option
        if option and kind in ("buy", "sell", "short_sale", "buy_to_cover"):
            kind = "option_open" if kind in ("buy", "short_sale") else "option_close"
        if kind in _NEEDS_SECURITY and security is None:
            raise BadValue("missing_value", f"a {kind} names no security", "symbol")
        if kind in REORGANISATIONS:
            leg = Leg(
                line,
                account,
                when,
                security,
                quantity or Decimal(0),
                amount or Decimal(0),
                text,
                description,
                action,
                native_id,
                parent,
            )
            self.legs.take(kind, event or (when.date, security), leg)
            return
        fee = abs(fees or Decimal(0))
        is_trade = kind in _BUYS or kind in _SALES or kind in ("option_open", "option_close")
        if is_trade and not quantity:
            raise BadValue("missing_value", f"a {kind} states no quantity", "quantity")
        if amount is None:
            amount = self._amount(kind, action, option, quantity, price, fee)
        if kind in _SALES and not amount and not price:
            raise BadValue("missing_value", f"a {kind} states neither an amount nor a price", "amount")
        if kind == "buy" and not amount and not price:
            kind = "transfer_in"  # shares that came without a price: their basis is unknown
        self.st.add(
            line,
            kind,
            account,
            when,
            security=security if kind not in ("deposit", "withdrawal") else None,
            underlying=self.underlying(security) if option else None,
            quantity=abs(quantity) if quantity and kind not in ("dividend", "interest", "journal") else None,
            price_usd=price if price and price > 0 and is_trade else None,
            amount_usd=amount,
            fees_usd=fee,
            row=text,
            action=action,
            native_id=native_id,
            **cells,
        )

    def _amount(
        self,
        kind: str,
        action: str,
        option: bool,
        quantity: Decimal | None,
        price: Decimal | None,
        fee: Decimal,
    ) -> Decimal:
        if kind in ("transfer_in", "transfer_out", "journal") or (
            kind.startswith("option_")
            and kind
            not in (
                "option_open",
                "option_close",
            )
        ):
            return Decimal(0)
        if quantity is None or price is None:
            raise BadValue("missing_value", f"a {kind} states no amount", "amount")
        gross = abs(quantity) * price * (OPTION_MULTIPLIER if option else 1)
        buys = kind in _BUYS or (
            kind.startswith("option") and re.search(r"\b(BUY|BOUGHT|BTO|BTC)", action.upper())
        )
        return -(gross + fee) if buys else gross - fee

    def cancel(
        self,
        line: int,
        account: str,
        when: When,
        kinds: tuple[str, ...],
        security: str | None,
        quantity: Decimal | None,
        amount: Decimal | None,
        text: str,
        action: str,
    ) -> None:
        """Take back an earlier row of these kinds with the same security, shares and amount."""
        self.st.cancel(
            Cancel(
                line,
                account,
                None,
                kinds,
                None,
                security,
                abs(quantity) if quantity else None,
                abs(amount) if amount else None,
                when.known or when.date,
                action,
                text,
            )
        )
