"""Charles Schwab transaction history: CSV, and the same rows as JSON (``BrokerageTransactions``).

Old exports have a title row above the header and a total row at the end, new ones neither. The file
does not state the account but in its title or its name, so ``--account`` may be needed to tell two apart.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dagster_project.sources.brokerage.booking import Booker
from dagster_project.sources.brokerage.model import BadValue, RefusedFile, Statement, row_text
from dagster_project.sources.brokerage.textio import Row, header_key, read_rows
from dagster_project.sources.brokerage.values import day, number, shown

FORMAT: Final = "schwab_csv"
_DIVIDENDS: Final = (
    "cash dividend",
    "qualified dividend",
    "non-qualified div",
    "special dividend",
    "special qual div",
    "special non qual div",
    "pr yr cash div",
    "pr yr special div",
    "pr yr div reinvest",
    "pr yr non-qual div",
    "short term cap gain",
    "short term cap gain reinvest",
    "reinvest dividend",
    "qual div reinvest",
    "non-qual div reinvest",
    "div adjustment",
    "cash stock dividend",
)
ACTIONS: Final[dict[str, str]] = {
    **dict.fromkeys(("buy", "buy to open"), "buy"),
    **dict.fromkeys(("sell", "sell to close", "full redemption", "called bond", "bond maturity"), "sell"),
    **dict.fromkeys(("sell short", "sell to open"), "short_sale"),
    **dict.fromkeys(("buy to cover", "buy to close", "cover short"), "buy_to_cover"),
    "reinvest shares": "reinvestment",
    **dict.fromkeys(_DIVIDENDS, "dividend"),
    **dict.fromkeys(
        ("long term cap gain", "long term cap gain reinvest", "cap gain distribution"),
        "capital_gain_distribution",
    ),
    "return of capital": "return_of_capital",
    **dict.fromkeys(
        (
            "credit interest",
            "bond interest",
            "bank interest",
            "margin interest",
            "interest",
            "bank interest adj",
            "substitute payment",
            "subst payment",
            "in lieu of dividend",
            "cash in lieu of dividend",
        ),
        "interest",
    ),
    **dict.fromkeys(
        (
            "advisor fee",
            "adr mgmt fee",
            "service fee",
            "service fee adj",
            "misc fee",
            "adr fee",
            "wire fee",
            "margin fee",
        ),
        "fee",
    ),
    **dict.fromkeys(
        (
            "foreign tax paid",
            "nra tax adj",
            "nra withholding",
            "tax withholding",
            "irs withhold",
            "state tax withhold",
        ),
        "withholding",
    ),
    **dict.fromkeys(
        (
            "moneylink transfer",
            "moneylink deposit",
            "moneylink withdrawal",
            "moneylink adj",
            "wire funds",
            "wire sent",
            "wire received",
            "wire funds received",
            "wire funds adj",
            "funds received",
            "funds paid",
            "funds deposited",
            "misc cash entry",
            "cash deposit",
            "deposit",
            "withdrawal",
            "check",
            "check deposit",
            "ach credit",
            "ach debit",
            "direct deposit",
            "atm withdrawal",
            "visa purchase",
            "promotional award",
            "bank transfer",
            "electronic fund transfer",
            "contribution",
            "distribution",
        ),
        "cash",
    ),
    "journal": "journal",
    **dict.fromkeys(
        (
            "journaled shares",
            "internal transfer",
            "security transfer",
            "transfer of security or option in",
            "transfer of security or option out",
            "stock plan activity",
            "shares transfer",
        ),
        "shares",
    ),
    **dict.fromkeys(("stock split", "reverse split", "split"), "split"),
    **dict.fromkeys(("stock div dist", "stock dividend"), "stock_dividend"),
    **dict.fromkeys(("spin-off", "spin off", "spinoff"), "spin_off"),
    **dict.fromkeys(
        (
            "stock merger",
            "cash merger",
            "cash merger adj",
            "stock and cash merger",
            "cash/stock merger",
            "mandatory reorg exc",
            "merger",
        ),
        "merger",
    ),
    **dict.fromkeys(("name change", "conversion", "symbol change", "exchange"), "symbol_change"),
    "cash in lieu": "cash_in_lieu",
    "expired": "option_expiry",
    "assigned": "option_assignment",
    **dict.fromkeys(("exercised", "exchange or exercise"), "option_exercise"),
}
_CANCELS: Final = {
    "cancel buy": ("buy", "buy_to_cover", "option_open", "option_close"),
    "cancel sell": ("sell", "short_sale", "option_open", "option_close"),
    "buy cancelled": ("buy",),
    "sell cancelled": ("sell",),
}
_FILE_ACCOUNT: Final = re.compile(r"(?P<name>X{2,}[-_ ]?\d{3,4}|\.{3}\d{3,4})", re.IGNORECASE)


def section(keys: list[str]) -> str | None:
    """Whether normalised cells are the header."""
    return (
        "transactions"
        if {"date", "action", "amount"} <= set(keys) and {"fees_comm", "quantity"} & set(keys)
        else None
    )


def is_json(data: Any) -> bool:
    """Whether decoded JSON is Schwab's transaction export."""
    return isinstance(data, Mapping) and isinstance(data.get("BrokerageTransactions"), list)


def account_in(text: str, file_name: str) -> str | None:
    """The account that the title or the file's name shows, masked as Schwab masks it."""
    for source in (text, file_name):
        found = _FILE_ACCOUNT.search(source)
        if found:
            return "schwab-" + re.sub(r"[^0-9]", "", found["name"])
    return None


def account_type_in(text: str) -> str | None:
    """The account type that a title or name tells of."""
    words = re.split(r"[^A-Z0-9]+", text.upper())
    if "ROTH" in words:
        return "roth_ira"
    if "IRA" in words or "ROLLOVER" in words:
        return "traditional_ira"
    if "HSA" in words:
        return "hsa"
    return "401k" if "401K" in words else None


def read(path: Path, encoding: str, delimiter: str, statement: Statement, account: str | None) -> None:
    """Read the CSV layout into the statement."""
    reader = _Reader(statement, "")

    def handle(row: Row) -> None:
        if not reader.account:  # the titles, which may name it, stand before the first row
            titles = " ".join(
                statement.skipped_text.get(n, "")
                for n, rule in statement.skipped.items()
                if rule == "title_row"
            )
            reader.account = account or account_in(titles, path.name) or "schwab"
            facts = statement.account(reader.account)
            facts.account_type = account_type_in(titles) or account_type_in(path.stem)
        reader.book(row)

    read_rows(path, encoding, delimiter, statement, section, handle)
    reader.booker.legs.book()


def read_json(data: Mapping[str, Any], path: Path, statement: Statement, account: str | None) -> None:
    """Read the JSON layout into the statement."""
    reader = _Reader(statement, account or account_in("", path.name) or "schwab")
    statement.account(reader.account).account_type = account_type_in(path.stem)
    if not data["BrokerageTransactions"]:
        raise RefusedFile("BrokerageTransactions is empty: there is nothing to import")
    for line, item in enumerate(data["BrokerageTransactions"], 1):
        text = row_text(item if isinstance(item, Mapping) else {"row": item})
        if not isinstance(item, Mapping):
            statement.reject(line, "malformed_row", "the entry is no object", text)
            continue
        cells = {
            header_key(str(key)): "" if value is None else str(value).strip() for key, value in item.items()
        }
        try:
            reader.book(Row(line, cells, text, "transactions"))
        except BadValue as error:
            statement.reject(line, error.reason, error.detail, text, error.column)
    reader.booker.legs.book()


class _Reader:
    def __init__(self, statement: Statement, account: str) -> None:
        self.st = statement
        self.account = account
        self.booker = Booker(statement)

    def book(self, row: Row) -> None:
        line = row.line
        action = re.sub(r"\s+", " ", row.get("action")).strip()
        word = action.lower()
        when = day(row.get("date"), "date")
        description, symbol = row.get("description"), row.get("symbol")
        security = self.booker.security(symbol, description)
        quantity, price = number(row.get("quantity"), "quantity"), number(row.get("price"), "price")
        amount, fees = number(row.get("amount"), "amount"), number(row.get("fees_comm", "fees"), "fees_comm")
        if word in _CANCELS:
            self.booker.cancel(
                line, self.account, when, _CANCELS[word], security, quantity, amount, row.text, action
            )
            return
        kind = ACTIONS.get(word)
        if kind is None and word.endswith(" adj"):
            kind = ACTIONS.get(word.removesuffix(" adj"))
        if kind is None:
            raise BadValue(
                "unknown_action", f"action is '{shown(action)}', which the importer does not know", "action"
            )
        if (word == "full redemption" and amount is None) or word == "full redemption adj":
            kind = "merger"
        if word in ("stock split",) and quantity and price is None and amount:
            amount = None
        event: tuple = ()
        if kind in ("merger", "symbol_change"):
            # The rows of a cash merger carry one symbol, those of an exchange of shares two.
            event = (when.date, security if word.startswith(("cash", "full")) else "exchange")
        self.booker.book(
            line,
            kind,
            self.account,
            when,
            text=row.text,
            action=action,
            security=security,
            quantity=quantity,
            price=price,
            amount=amount,
            fees=fees,
            description=description,
            event=event,
            qualified=not word.startswith(("short term cap gain", "non-qual")),
        )
