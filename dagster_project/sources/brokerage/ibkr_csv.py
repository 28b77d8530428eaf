"""Interactive Brokers as CSV: Flex queries saved as CSV, and the Activity Statement.

Both are translated to the attribute names of Flex XML and mapped by ``ibkr_rows.py``. A Flex CSV is a
header and its rows, perhaps several such sections; in an Activity Statement the first two cells name
the section and say Header, Data, SubTotal or Total.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.ibkr_parts import Context
from dagster_project.sources.brokerage.ibkr_rows import Rows
from dagster_project.sources.brokerage.model import RefusedFile, Statement, row_text
from dagster_project.sources.brokerage.textio import header_key, open_text, records
from dagster_project.sources.brokerage.values import option_terms

FORMAT: Final = "ibkr_csv"
# Headers of Flex CSV that do not become the attribute by joining their words.
_FLEX_NAMES: Final = {
    "clientaccountid": "accountId",
    "accountid": "accountId",
    "currencyprimary": "currency",
    "currency": "currency",
    "fxratetobase": "fxRateToBase",
    "assetclass": "assetCategory",
    "assetcategory": "assetCategory",
    "buysell": "buySell",
    "putcall": "putCall",
    "notescodes": "notes",
    "iborderid": "ibOrderID",
    "orderid": "ibOrderID",
    "ibexecid": "ibExecID",
    "tradeid": "tradeID",
    "transactionid": "transactionID",
    "actionid": "actionID",
    "ibcommission": "ibCommission",
    "ibcommissioncurrency": "ibCommissionCurrency",
    "costbasis": "cost",
    "securityidtype": "securityIDType",
    "securityid": "securityID",
    "openclose": "openCloseIndicator",
    "origtradeid": "origTradeID",
    "datetime": "dateTime",
    "quantity": "quantity",
}
_ATTRIBUTES: Final = (
    "tradeDate tradeTime tradePrice settleDateTarget settleDate reportDate transactionType netCash proceeds taxes "
    "fifoPnlRealized levelOfDetail openCloseIndicator underlyingSymbol underlyingConid underlyingSecurityID multiplier "
    "strike expiry description "
    "symbol conid cusip isin amount type code position markPrice costBasisMoney positionValue "
    "openDateTime holdingPeriodDateTime origTradeDate "
    "direction cashTransfer positionAmount actionDescription subCategory "
    "salesTax date orderTime dateOpened accountType customerType deliveredReceived value"
).split()
_NAMES: Final = {**{name.lower(): name for name in _ATTRIBUTES}, **_FLEX_NAMES}
_ACTIVITY_NAMES: Final = {
    "asset_category": "assetCategory",
    "currency": "currency",
    "account": "accountId",
    "symbol": "symbol",
    "description": "description",
    "date_time": "dateTime",
    "date": "date",
    "report_date": "reportDate",
    "settle_date": "settleDate",
    "quantity": "quantity",
    "qty": "quantity",
    "t_price": "tradePrice",
    "proceeds": "proceeds",
    "comm_fee": "ibCommission",
    "comm_in_usd": "ibCommission",
    "basis": "cost",
    "cost_basis": "costBasisMoney",
    "realized_p_l": "fifoPnlRealized",
    "code": "notes",
    "amount": "amount",
    "value": "positionValue",
    "close_price": "markPrice",
    "type": "type",
    "direction": "direction",
    "cash_amount": "cashTransfer",
}
_CATEGORIES: Final = {
    "stocks": "STK",
    "equity and index options": "OPT",
    "options on futures": "FOP",
    "futures": "FUT",
    "forex": "CASH",
    "bonds": "BOND",
    "treasury bills": "BILL",
    "mutual funds": "FUND",
    "warrants": "WAR",
    "structured products": "IOPT",
    "cfds": "CFD",
    "crypto": "CRYPTO",
    "metals": "CMDTY",
}
_CASH_SECTIONS: Final = {
    "Dividends": "Dividends",
    "Payment In Lieu Of Dividends": "Payment In Lieu Of Dividends",
    "Withholding Tax": "Withholding Tax",
    "871(m) Withholding": "871(m) Withholding",
    "Interest": "Broker Interest Received",
    "Bond Interest": "Bond Interest Received",
    "Fees": "Other Fees",
    "Other Fees": "Other Fees",
    "Advisor Fees": "Advisor Fees",
    "Commission Adjustments": "Commission Adjustments",
    "Deposits & Withdrawals": "Deposits/Withdrawals",
}


def is_flex_header(cells: list[str]) -> bool:
    """Whether cells are a header of a Flex CSV section."""
    names = {re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in cells}
    marks = {
        "currencyprimary",
        "clientaccountid",
        "fxratetobase",
        "levelofdetail",
        "iborderid",
        "conid",
        "settledate",
    }
    return bool(names & marks) and len(names & set(_NAMES)) >= 4


def is_activity_head(cells: list[str]) -> bool:
    """Whether cells begin an Activity Statement."""
    return [cell.strip().lstrip("\ufeff") for cell in cells[:2]] == ["Statement", "Header"]


def read(path: Path, encoding: str, delimiter: str, statement: Statement) -> None:
    """Read either layout into the statement."""
    with open_text(path, encoding) as lines:
        first = next(iter(records(iter(lines), delimiter)), None)
    activity = first is not None and is_activity_head(first.cells)
    source = _activity if activity else _flex
    rows = list(source(path, encoding, delimiter, statement))
    if not statement.taken and not rows:
        raise RefusedFile(
            "no IBKR section with a header was found: export the Flex query or statement as CSV again"
        )
    context = Context()
    for _, _, attributes, _ in rows:
        context.account = context.account or attributes.get("accountId", "")
    for _, tag, attributes, _ in rows:
        context.learn(tag, attributes, context.account)
    mapper = Rows(statement, context)
    for line, tag, attributes, text in rows:
        if not mapper.take(tag, attributes, "", line):
            statement.skip(line, "no_transaction_section", text)
        elif tag in ("OpenPosition", "AccountInformation", "SecurityInfo"):
            statement.skip(line, "holding_row" if tag == "OpenPosition" else "information_row", text)
    mapper.end_of_statement()


_Found = tuple[int, str, dict[str, str], str]


def _flex(path: Path, encoding: str, delimiter: str, statement: Statement) -> "list[_Found]":
    found: list[_Found] = []
    headers: list[str] = []
    translate: Callable[[list[str]], list[str]] = lambda cells: [  # noqa: E731
        _NAMES.get(re.sub(r"[^a-z0-9]", "", cell.lower()), cell.strip()) for cell in cells
    ]
    with open_text(path, encoding) as lines:
        for record in records(iter(lines), delimiter):
            text = row_text(
                dict(zip(headers or [f"cell_{n}" for n in range(1, 99)], record.cells, strict=False))
            )
            if is_flex_header(record.cells):
                if headers:
                    statement.skip(record.line, "section_header", text)
                headers = translate(record.cells)
            elif record.problem:
                statement.reject(record.line, "malformed_row", record.problem, text)
            elif not headers:
                statement.skip(record.line, "title_row", text)
            elif len([c for c in record.cells if c.strip()]) > 0 and len(record.cells) > len(headers):
                detail = f"{len(record.cells)} cells under {len(headers)} headers"
                statement.reject(record.line, "wrong_column_count", detail, text)
            else:
                cells = {h: c.strip() for h, c in zip(headers, record.cells, strict=False)}
                found.append((record.line, _tag(set(headers)), cells, text))
    return found


def _tag(names: set[str]) -> str:
    """Which Flex element a section's columns are those of."""
    if {"buySell", "tradePrice"} & names and "quantity" in names:
        return "Trade"
    if "position" in names or "markPrice" in names:
        return "OpenPosition"
    if "direction" in names and "quantity" in names:
        return "Transfer"
    if ({"actionDescription", "actionID"} & names and "quantity" in names) or (
        "quantity" in names and "proceeds" in names and "description" in names
    ):
        return "CorporateAction"
    if "amount" in names and "type" in names:
        return "CashTransaction"
    if "dateOpened" in names or "accountType" in names:
        return "AccountInformation"
    return "SecurityInfo" if "conid" in names and "amount" not in names else "Unknown"


def _activity(path: Path, encoding: str, delimiter: str, statement: Statement) -> "list[_Found]":
    found: list[_Found] = []
    headers: list[str] = []
    account, base, as_of = "", "", ""
    with open_text(path, encoding) as lines:
        for record in records(iter(lines), delimiter):
            cells = [cell.strip() for cell in record.cells]
            section, what = cells[0].lstrip("\ufeff"), cells[1] if len(cells) > 1 else ""
            text = row_text(dict(zip(["section", "row", *headers], cells, strict=False)))
            if record.problem:
                statement.reject(record.line, "malformed_row", record.problem, text)
            elif what == "Header":
                headers = cells[2:]
                statement.skip(record.line, "section_header", text)
            elif what != "Data":
                statement.skip(record.line, "total_row", text)
            elif section in ("Account Information", "Statement"):
                name, value = [*cells[2:], "", ""][:2]
                account = value.split(" ")[0] if name == "Account" else account
                base = value if name == "Base Currency" else base
                as_of = value.split(" - ")[-1] if name == "Period" else as_of
                statement.skip(record.line, "information_row", text)
            else:
                row = dict(
                    zip((_ACTIVITY_NAMES.get(header_key(h), h) for h in headers), cells[2:], strict=False)
                )
                found.append((record.line, *_activity_row(section, row, as_of), text))
    for _, _, attributes, _ in found:
        own = attributes.get("accountId", "")
        attributes["accountId"] = own if own and own != "-" else account
    if base:
        found.insert(0, (0, "AccountInformation", {"accountId": account, "currency": base}, ""))
    return [row for row in found if row[0]] if not base else found


def _activity_row(section: str, row: dict[str, str], as_of: str) -> tuple[str, dict[str, str]]:
    """Flex element and attributes of one data row."""
    category = row.get("assetCategory", "").lower()
    if category.startswith("total") or row.get("currency", "").lower().startswith("total"):
        return "Total", row
    row["assetCategory"] = next(
        (code for name, code in _CATEGORIES.items() if category.startswith(name)), category.upper()
    )
    if section == "Trades":
        if row.get("DataDiscriminator", "Order") == "ClosedLot":
            return "Total", row
        row["dateTime"] = row.get("dateTime", "")
        row["ibCommissionCurrency"] = row.get("currency", "")
        codes = [code.strip() for code in row.get("notes", "").split(";")]
        row["openCloseIndicator"] = "C" if "C" in codes else "O" if "O" in codes else ""
        row["putCall"] = ""
        row["levelOfDetail"] = "EXECUTION"
        terms = option_terms(row.get("symbol"))
        if terms:
            row["putCall"] = "C" if terms["right"] == "call" else "P"
            row["multiplier"] = "100"
        if row["assetCategory"] == "CASH":
            row["netCash"] = ""
        return "Trade", row
    if section in _CASH_SECTIONS:
        row["type"] = _CASH_SECTIONS[section]
        row["dateTime"] = row.get("date") or row.get("settleDate", "")
        return ("Total" if not row["dateTime"] else "CashTransaction"), row
    if section == "Corporate Actions":
        row["code"] = row.get("notes", "")
        row.pop("type", None)
        return ("CorporateAction" if row.get("dateTime") or row.get("reportDate") else "Total"), row
    if section == "Transfers":
        row["direction"] = row.get("direction", "").upper()
        if row.get("cashTransfer") in ("--", "0", "0.00"):
            row["cashTransfer"] = ""
        return ("Transfer" if row.get("date") else "Total"), row
    if section == "Open Positions":
        if row.get("DataDiscriminator") != "Summary":
            return "Total", row
        row["position"], row["reportDate"] = row.get("quantity", ""), as_of
        return "OpenPosition", row
    return "Unknown", row
