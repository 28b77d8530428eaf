"""``taxloom show USER``: one user's current recommendation, for a person to read."""

import sys
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from dagster_project.query import QueryError, fetch, fetch_frame
from dagster_project.settings import Settings
from ml.types import EXPERTS, OBJECTIVES


def show_user(settings: Settings, user: str) -> None:
    """Print every account of a user: status, mix, weights, lot orders and the reasons.

    Raises
    ------
    QueryError
        No published recommendation names the user.
    """
    portfolios = fetch_frame(
        settings,
        "select * from serving.rec_portfolios__current where user_id = ? order by account_id",
        [user],
    )
    if portfolios.is_empty():
        known = fetch(settings, "select user_id from serving.rec_portfolios__current order by 1 limit 3")[1]
        names = ", ".join(row[0] for row in known) or "none: run `taxloom nightly`"
        raise QueryError(
            f"user '{user}' has no current recommendation; users of the published night: {names} ..."
        )
    # Into a pipe or a file nothing is cut: a shortened value would be a wrong value.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    for number in range(portfolios.height):
        _show_portfolio(settings, console, portfolios.slice(number, 1))
    console.print(
        "\nWhere the numbers come from: serving.rec_*__current (`taxloom sql`). Demonstration households are "
        "simulated. Not tax or investment advice.",
        soft_wrap=True,
    )


def _show_portfolio(settings: Settings, console: Console, frame: pl.DataFrame) -> None:
    from ml.recommend.explain import explain

    portfolio = frame.row(0, named=True)
    account = [portfolio["account_id"]]
    weights = fetch_frame(
        settings,
        "select * from serving.rec_target_weights__current where account_id = ? order by target_weight desc, asset_id",
        account,
    )
    orders = fetch_frame(
        settings,
        "select * from serving.rec_lot_orders__current where account_id = ? order by asset_id, lot_id",
        account,
    )
    console.print(
        f"\n[bold]{portfolio['account_id']}[/]  user {portfolio['user_id']}  as of {portfolio['as_of_date']}  "
        f"status [bold]{portfolio['status']}[/]  {portfolio['recommendation_id']}",
        soft_wrap=True,
    )
    for sentence in explain(frame, weights, orders):
        console.print(f"  {sentence}", soft_wrap=True)
    if portfolio[f"p_{OBJECTIVES[0]}"] is not None:
        console.print(_mix_table(portfolio))
    if weights.height:
        console.print(_table("weights", weights, _WEIGHT_COLUMNS))
    if orders.height:
        console.print(_table("lot orders", orders, _ORDER_COLUMNS))


_PIPE_WIDTH = 160
_WEIGHT_COLUMNS = (
    "asset_id",
    "action",
    "current_weight",
    "target_weight",
    "quantity",
    "notional_usd",
    "reason_code",
)
_ORDER_COLUMNS = ("asset_id", "lot_id", "quantity", "term", "gain_usd", "tax_usd", "wash_sale_state")


def _mix_table(portfolio: dict[str, Any]) -> Table:
    table = Table(title="objectives", title_justify="left")
    for column in ("objective", "served", "revealed"):
        table.add_column(column, justify="left" if column == "objective" else "right")
    for objective in OBJECTIVES:
        revealed = portfolio[f"revealed_{objective}"]
        stated = "  (stated)" if portfolio["stated_objective"] == objective else ""
        table.add_row(
            objective + stated,
            f"{portfolio[f'p_{objective}']:.1%}",
            "-" if revealed is None else f"{revealed:.1%}",
        )
    if portfolio["disagreement"] is not None:
        table.title = f"objectives (stated and revealed differ by {portfolio['disagreement']:.0%})"
    table.caption = "experts: " + ", ".join(
        f"{expert} {portfolio[f'e_{expert}'] or 0:.0%}" for expert in EXPERTS
    )
    return table


def _table(title: str, frame: pl.DataFrame, columns: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(
            column, justify="right" if column.endswith(("weight", "quantity", "usd")) else "left"
        )
    for record in frame.iter_rows(named=True):
        table.add_row(*(_cell(column, record[column]) for column in columns))
    return table


def _cell(column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column.endswith("_weight"):
        return f"{value:.2%}"
    if column.endswith("_usd"):
        return f"{value:,.2f}"
    return f"{value.normalize():f}" if column == "quantity" else str(value)
