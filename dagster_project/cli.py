"""The ``taxloom`` command. Each command imports what it needs itself, so that ``sql`` starts fast.

Results go to stdout, progress and logs to stderr; the exit status is 1 on any error.
"""

import datetime as dt
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dagster_project.settings import Settings, apply_process_environment

app = typer.Typer(
    help="Every night, a tax-aware, personalised portfolio recommendation for every user. "
    "Not tax or investment advice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_stderr = Console(stderr=True)


class Source(StrEnum):
    """Where a night's rows come from."""

    packaged = "packaged"
    files = "files"
    simulated = "simulated"


class Prices(StrEnum):
    """Which bars the files source uses."""

    packaged = "packaged"
    files = "files"


class Format(StrEnum):
    """How ``sql`` prints."""

    table = "table"
    csv = "csv"
    json = "json"


def _settings() -> Settings:
    settings = Settings.from_env()
    apply_process_environment(settings)
    return settings


@app.command()
def nightly(
    source: Annotated[
        Source,
        typer.Option(
            help="packaged: real prices that PyPI packages ship, with simulated "
            "households; files: your own tables (--data); simulated: all simulated."
        ),
    ] = Source.packaged,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the files source: accounts, transactions, ... as .csv or .parquet.",
            file_okay=False,
        ),
    ] = None,
    prices: Annotated[
        Prices,
        typer.Option(
            help="For --source files: packaged prices plus the symbols of the folder's "
            "bars that packaged lacks, or the folder's bars alone."
        ),
    ] = Prices.packaged,
    users: Annotated[int, typer.Option(min=1, help="Users of the simulated households.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything simulated.")] = 7,
    as_of: Annotated[
        dt.datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="NYSE session to compute; default: "
            "the last session of the data. An earlier one replays that night.",
        ),
    ] = None,
) -> None:
    """Compute one night: from raw rows to published recommendations."""
    from dagster_project.night import NightFailed, run_night

    if source is Source.files and data is None:
        raise typer.BadParameter("--source files needs --data DIR, the folder with accounts and transactions")
    if source is not Source.files and data is not None:
        raise typer.BadParameter(f"--data is read by --source files alone; got --source {source.value}")
    choices = {"source": source.value, "data": str(data.absolute()) if data else None, "prices": prices.value}
    try:
        run_night(
            _settings(),
            {**choices, "users": users, "seed": seed},
            as_of.date() if as_of else None,
        )
    except NightFailed as error:
        _stderr.print(f"[bold red]night failed:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


@app.command()
def sql(
    query: Annotated[
        str, typer.Argument(help="A query; schemas as serving.x, core.x, features.x, ml.x, raw.x ...")
    ],
    format: Annotated[
        Format, typer.Option(help="table, csv (header and rows) or json (a list of objects).")
    ] = Format.table,
) -> None:
    """Read the warehouse, also while a night runs."""
    from dagster_project.query import QueryError, run_query

    try:
        sys.stdout.write(run_query(_settings(), query, format.value))
    except QueryError as error:
        _stderr.print(f"[bold red]sql:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


@app.command()
def show(
    user: Annotated[str, typer.Argument(help="A user_id of serving.rec_portfolios__current.")],
    tax: Annotated[
        bool,
        typer.Option(
            "--tax", help="Lots, Schedule D, year summary, wash sales and broker differences instead."
        ),
    ] = False,
    year: Annotated[
        int | None, typer.Option(help="With --tax: the year of Schedule D; default: the night's.")
    ] = None,
) -> None:
    """Print a user's current recommendation: mix, orders, and why; or the tax side of the accounts."""
    from dagster_project.query import QueryError
    from dagster_project.show import show_user
    from dagster_project.show_tax import show_tax

    if year is not None and not tax:
        raise typer.BadParameter("--year belongs to --tax")
    try:
        if tax:
            show_tax(_settings(), user, year)
        else:
            show_user(_settings(), user)
    except QueryError as error:
        _stderr.print(f"[bold red]show:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


@app.command()
def doctor() -> None:
    """Check the installation and the warehouse; names what is wrong and the remedy."""
    from dagster_project.doctor import run_doctor

    raise typer.Exit(0 if run_doctor(_settings()) else 1)


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on localhost.")] = 3000,
) -> None:
    """Open the Dagster UI on localhost, with this installation's run history."""
    from dagster_project.night import serve_ui

    raise typer.Exit(serve_ui(_settings(), port))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
