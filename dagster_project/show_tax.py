"""``taxloom show USER --tax``: lots, Schedule D, year summaries and wash sales of a user, to read."""

import datetime as dt
import sys
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from dagster_project.query import QueryError, fetch, fetch_frame
from dagster_project.settings import Settings

_WIDTH = 120
_WASH_WINDOW_DAYS = 30
_LATEST = "(select max(as_of_date) from audit.audit_nights)"
# Schedule D from line 1b on; a part's total closes it.
_SHORT_LINES, _LONG_LINES = ("1b", "2", "3", "6", "7"), ("8b", "9", "10", "13", "14", "15")
_SCHEDULE_D = (*_SHORT_LINES, *_LONG_LINES, "16", "21")
_SUMMARY = (
    ("recognised short-term", "st_gain_usd"),
    ("recognised long-term", "lt_gain_usd"),
    ("capital gain distributions", "capital_gain_distributions_usd"),
    ("short-term carryover in", "st_carryover_in_usd"),
    ("long-term carryover in", "lt_carryover_in_usd"),
    ("net short-term (line 7)", "st_net_usd"),
    ("net long-term (line 15)", "lt_net_usd"),
    ("net (line 16)", "net_usd"),
    ("loss limit", "loss_limit_usd"),
    ("loss deducted (line 21)", "loss_deduction_usd"),
    ("short-term carryover out", "st_carryover_usd"),
    ("long-term carryover out", "lt_carryover_usd"),
    ("ordinary dividends", "ordinary_dividends_usd"),
    ("  of them qualified", "qualified_dividends_usd"),
    ("interest", "interest_usd"),
    ("disallowed by wash sales", "disallowed_usd"),
    ("still provisional", "provisional_disallowed_usd"),
    ("federal tax on the portfolio", "federal_tax_usd"),
    ("NIIT on the portfolio", "niit_usd"),
    ("state tax on the portfolio", "state_tax_usd"),
    ("federal tax, whole return", "total_federal_tax_usd"),
    ("NIIT, whole return", "total_niit_usd"),
    ("state tax, whole return", "total_state_tax_usd"),
)
_CODES = {
    "A1": "same-day purchases in execution order",
    "A2": "tacking adds the days held",
    "A3": "FIFO by actual acquisition date",
    "A4": "fills of one order are one purchase",
    "A5": "a gain turned into a loss washes again",
    "A6": "renamed and grouped securities are one",
    "A8": "shares sold before the loss are no replacement",
    "A9": "recent lots all closed the same day: no wash",
    "A10": "purchases before the shares sold count",
    "A11": "return of capital per share over all lots",
    "A14": "household purchases replace",
    "A15": "wash on average basis goes to the pool",
    "A17": "replacement in a 401(k) or HSA is permanent",
    "A18": "digital assets: no wash sale",
}


def show_tax(settings: Settings, user: str, year: int | None = None) -> None:
    """Print the tax side of a user's accounts as of the published night.

    Parameters
    ----------
    settings : Settings
        The installation.
    user : str
        A user_id.
    year : int, optional
        Year of Schedule D and of the sales listed; the night's year if not given.

    Raises
    ------
    QueryError
        No account of the published night belongs to the user.
    """
    accounts = fetch_frame(
        settings,
        "select a.account_id, a.account_type, a.lot_method, a.tax_unit_id from core.dim_accounts as a "
        "where a.user_id = ? order by a.account_id",
        [user],
    )
    night = fetch(settings, f"select {_LATEST}")[1][0][0]
    if accounts.is_empty() or night is None:
        known = fetch(settings, "select distinct user_id from core.dim_accounts order by 1 limit 3")[1]
        names = ", ".join(row[0] for row in known) or "none: run `taxloom nightly`"
        raise QueryError(f"user '{user}' has no account in the published night; users with one: {names} ...")
    console = Console(highlight=False, width=max(_WIDTH, Console().width) if sys.stdout.isatty() else _WIDTH)
    _Page(settings, console, accounts, night, year or night.year).show(user)


class _Page:
    """One user's page; every query reads the rows of one night."""

    def __init__(
        self, settings: Settings, console: Console, accounts: pl.DataFrame, night: dt.date, year: int
    ) -> None:
        self.settings, self.console, self.night, self.year = settings, console, night, year
        self.accounts = accounts
        self.codes: set[str] = set()

    def show(self, user: str) -> None:
        """Print all parts."""
        kinds = ", ".join(f"{a} ({t.replace('_', ' ')}, {m})" for a, t, m, _ in self.accounts.iter_rows())
        units = self.accounts["tax_unit_id"].unique().sort().to_list()
        self._say(
            f"\n[bold]{user}[/]  tax as of [bold]{self.night}[/]  tax unit {', '.join(units)}\n  accounts: {kinds}"
        )
        self._lots()
        for unit in units:
            self._schedule_d(unit)
            self._summaries(unit)
        self._provisional()
        self._washes()
        self._differences()
        self._explain_codes()
        self._say(
            "\nWhere the numbers come from: tax.tax_lots__daily, tax_schedule_d, tax_form_8949, tax_year_summary,"
            " tax_wash_sales, tax_broker_differences (`taxloom sql`)."
            "\nNot tax or investment advice. Demonstration households are simulated."
        )

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def _mine(self, table: str, where: str = "true", order: str = "1") -> pl.DataFrame:
        """Rows of this night of the user's accounts."""
        accounts = self.accounts["account_id"].to_list()
        return fetch_frame(
            self.settings,
            f"select * from tax.{table} where as_of_date = ? and list_contains(?, account_id) and {where} "
            f"order by {order}",
            [self.night, accounts],
        )

    def _unit(self, table: str, unit: str, where: str) -> pl.DataFrame:
        return fetch_frame(
            self.settings,
            f"select * from tax.{table} where as_of_date = ? and tax_unit_id = ? and {where}",
            [self.night, unit],
        )

    def _lots(self) -> None:
        rows = self._mine("tax_lots__daily", order="account_id, asset_id, acquired_date, lot_id")
        for account, kind, *_ in self.accounts.iter_rows():
            held = rows.filter(pl.col("account_id") == account)
            table = _grid(
                f"open lots of {account} ({kind.replace('_', ' ')}): {held.height}",
                ("asset", "lot", "acquired", "long-term from"),
                ("quantity", "basis USD", "of it wash USD"),
            )
            for lot in held.iter_rows(named=True):
                tacked = "*" if lot["hp_start_date"] != lot["acquired_date"] else ""
                table.add_row(
                    lot["asset_id"],
                    lot["lot_id"],
                    str(lot["acquired_date"]),
                    f"{lot['first_long_term_date']}{tacked}",
                    _plain(lot["quantity"]),
                    "unknown" if lot["cost_basis_usd"] is None else _usd(lot["cost_basis_usd"]),
                    _usd(lot["wash_adjustment_usd"]) if lot["wash_adjustment_usd"] else "",
                )
            self.console.print(table)
        if (rows["hp_start_date"] != rows["acquired_date"]).any():
            self._say("  * holding period tacked (wash sale or gift)")

    def _schedule_d(self, unit: str) -> None:
        lines = {
            row["line"]: row
            for row in self._unit("tax_schedule_d", unit, f"tax_year = {self.year}").iter_rows(named=True)
        }
        table = _grid(
            f"Schedule D {self.year} of {unit}, year to {self.night}",
            ("line", "what"),
            ("(d) proceeds", "(e) basis", "(g) adjustment", "(h) gain", "printed"),
        )
        for number in _SCHEDULE_D:
            line = lines.get(number)
            if line is None:  # a box of Form 8949 without a sale
                table.add_row(number, _EMPTY_LINES[number], *["-"] * 4, "0")
                continue
            amounts = [line[f"{c}_usd"] for c in ("proceeds", "cost_basis", "adjustment", "gain")]
            printed = line["gain_printed_usd"]
            table.add_row(
                number,
                line["line_description"],
                *(_usd(a) for a in amounts),
                "refused" if printed is None else f"{printed:,}",
                style="bold" if number in ("7", "15", "16") else None,
                end_section=number in ("7", "15"),
            )
        self.console.print(table)

    def _summaries(self, unit: str) -> None:
        rows = self._unit("tax_year_summary", unit, f"tax_year between {self.year - 3} and {self.year}")
        years = rows.sort("tax_year")
        if years.is_empty():
            self._say(f"  no year of {unit} up to {self.year}")
            return
        table = _grid(f"year summary of {unit}, USD", ("",), tuple(str(y) for y in years["tax_year"]))
        table.add_row("status", *years["status"].to_list())
        for label, column in _SUMMARY:
            table.add_row(label, *(_usd(value) for value in years[column]))
        for label, column in (("marginal rate, short", "st_rate"), ("marginal rate, long", "lt_rate")):
            table.add_row(label, *("-" if value is None else f"{value:.2%}" for value in years[column]))
        self.console.print(table)
        for row in years.iter_rows(named=True):
            if row["reason"]:
                self._say(f"  {row['tax_year']}: {row['reason']}")
        last = years.row(-1, named=True)
        self._say(
            f"  filing {last['filing_status']}, state {last['state'] or 'unknown'};"
            f" assumptions {last['tax_year']}: {last['rate_assumption']}"
        )
        self._say(f"  not modelled: {last['not_modelled']}")

    def _provisional(self) -> None:
        rows = self._mine("tax_realized_gains", "is_provisional", "trade_date, asset_id, lot_id")
        if rows.is_empty():
            self._say("\nprovisional losses: none")
            return
        table = _grid(
            f"provisional losses (a purchase in any account of the household would wash them): {rows.height}",
            ("account", "asset", "lot", "sold", "clears after"),
            ("quantity", "loss USD"),
        )
        for row in rows.iter_rows(named=True):
            clears = row["trade_date"] + dt.timedelta(days=_WASH_WINDOW_DAYS)
            table.add_row(
                row["account_id"],
                row["asset_id"],
                row["lot_id"],
                str(row["trade_date"]),
                str(clears),
                _plain(row["quantity"]),
                _usd(row["recognized_usd"]),
            )
        self.console.print(table)

    def _washes(self) -> None:
        rows = self._mine("tax_wash_sales", order="trade_date, account_id, sale_transaction_id, piece_no")
        self._note_codes(rows)
        across = rows.filter(pl.col("is_across_accounts"))
        self._say(
            f"\nwash sales: {rows.height} pieces, {_usd(rows['disallowed_usd'].sum())} USD disallowed;"
            f" {across.height} across accounts"
        )
        listed = rows.filter(pl.col("is_across_accounts") | (pl.col("tax_year") == self.year))
        if listed.is_empty():
            return
        table = _grid(
            f"wash sales of {self.year}, and all across accounts: {listed.height}",
            ("asset", "sold", "replaced", "in account", "codes"),
            ("quantity", "disallowed", "basis moved", "lost for good", "days"),
        )
        for row in listed.iter_rows(named=True):
            table.add_row(
                row["asset_id"],
                str(row["trade_date"]),
                str(row["replacement_acquired_date"]),
                row["replacement_account_id"],
                row["convention_codes"] or "-",
                _plain(row["quantity"]),
                _usd(row["disallowed_usd"]),
                _usd(row["basis_moved_usd"]),
                _usd(row["permanently_disallowed_usd"]),
                str(row["days_tacked"]),
            )
        self.console.print(table)

    def _differences(self) -> None:
        rows = self._mine("tax_broker_differences", order="trade_date, account_id, asset_id, acquired_date")
        self._say(f"\nwhere the broker's form differs from the return: {rows.height} lines")
        for row in rows.iter_rows(named=True):
            self._say(
                f"  {row['trade_date']} {row['asset_id']} in {row['account_id']}: return"
                f" {_usd(row['recognized_usd'])}, broker {_usd(row['broker_recognized_usd'])} USD;"
                f" {row['explanation']}"
            )

    def _note_codes(self, rows: pl.DataFrame) -> None:
        for codes in rows["convention_codes"].drop_nulls():
            self.codes.update(code for code in codes.split(",") if code)

    def _explain_codes(self) -> None:
        self._note_codes(self._mine("tax_realized_gains", f"tax_year = {self.year}"))
        if self.codes:
            known = [f"{code} {_CODES.get(code, '')}".strip() for code in sorted(self.codes, key=_code_order)]
            self._say(f"\nconventions that decided figures: {'; '.join(known)}")


_EMPTY_LINES = {
    "1b": "Short-term, reported with basis (box A)",
    "2": "Short-term, reported without basis (box B)",
    "3": "Short-term, not reported (box C)",
    "8b": "Long-term, reported with basis (box D)",
    "9": "Long-term, reported without basis (box E)",
    "10": "Long-term, not reported (box F)",
}


def _code_order(code: str) -> tuple[int, str]:
    return (int(code[1:]), "") if code[:1] == "A" and code[1:].isdigit() else (99, code)


def _grid(title: str, left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in left:
        table.add_column(column, overflow="fold")
    for column in right:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _usd(value: Any) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _plain(value: Any) -> str:
    return f"{value.normalize():f}"
