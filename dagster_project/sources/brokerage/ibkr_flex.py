"""Interactive Brokers Flex statements (XML): two passes, the first for what rows need to know beforehand.

AccountInformation may stand outside or after the rows that it explains, conversion rates come last,
and a query may hold executions and their summaries: so the first pass collects base currencies, rates
and levels of detail, the second maps rows (``ibkr_rows.py``, shared with IBKR's CSV).
"""

from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.ibkr_parts import Context
from dagster_project.sources.brokerage.ibkr_rows import Rows
from dagster_project.sources.brokerage.ibkr_xml import walk
from dagster_project.sources.brokerage.model import RefusedFile, Statement

FORMAT: Final = "ibkr_flex"
# Sections that restate what the rows say, or say nothing that moves cash or shares.
_SILENT: Final = frozenset(
    "FlexQueryResponse FlexStatements FlexStatement Trades CashTransactions CorporateActions Transfers TransferLots "
    "TradeTransfers OpenPositions OptionEAE SecuritiesInfo ConversionRates AccountInformation ConversionRate "
    "SecurityInfo Position".split()
)


def read(path: Path, encoding: str, statement: Statement) -> None:
    """Read a Flex statement into the statement."""
    context = _prescan(path, encoding)
    rows = Rows(statement, context)
    account = ""
    unread: dict[str, int] = {}
    inside: list[str] = []

    def opened(tag: str, attributes: dict[str, str]) -> None:
        nonlocal account
        inside.append(tag)
        if tag == "FlexStatement":
            account = attributes.get("accountId", "")
            context.account = account
            if account:
                statement.account(account)
        elif not rows.take(tag, attributes, inside[-2] if len(inside) > 1 else "") and tag not in _SILENT:
            section = inside[-2] if len(inside) > 1 else tag
            if attributes and section not in ("FlexStatement", "FlexStatements"):
                unread[section] = unread.get(section, 0) + 1

    def closed(tag: str) -> None:
        inside.pop()
        if tag == "FlexStatement":
            rows.end_of_statement()

    walk(path, encoding, opened, closed)
    rows.end_of_statement()
    if not context.statements:
        raise RefusedFile("there is no FlexStatement in the file: run the Flex query again and save its XML")
    if unread:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(unread.items()))
        statement.notes.append(f"sections that hold no transactions of their own were not read: {names}")


def _prescan(path: Path, encoding: str) -> Context:
    context = Context()
    account = ""

    def opened(tag: str, attributes: dict[str, str]) -> None:
        nonlocal account
        if tag == "FlexStatement":
            account = attributes.get("accountId", "")
            context.statements += 1
        context.learn(tag, attributes, account)

    walk(path, encoding, opened)
    return context
