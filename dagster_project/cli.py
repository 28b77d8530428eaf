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
from rich.markup import escape

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
    from dagster_project.console_run import RunFailed
    from dagster_project.night import run_night

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
    except RunFailed as error:
        _stderr.print(f"[bold red]night failed:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


class AccountType(StrEnum):
    """Tax wrapper of imported accounts."""

    taxable = "taxable"
    traditional_ira = "traditional_ira"
    roth_ira = "roth_ira"
    k401 = "401k"
    hsa = "hsa"


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Brokers' own files.", metavar="FILE...")],
    format: Annotated[
        str,
        typer.Option(
            help="auto (told by content), or one of ofx, ibkr_flex, ibkr_csv, alpaca, schwab_csv, schwab_awards, "
            "fidelity, vanguard, robinhood, contract (transactions in the raw contract's columns)."
        ),
    ] = "auto",
    account_type: Annotated[
        AccountType | None,
        typer.Option(help="Of all accounts of the files; default: what a file says, else taxable."),
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Number of the account, for files that state none (Schwab, Robinhood).")
    ] = None,
    user: Annotated[str, typer.Option(help="user_id that owns accounts which are new.")] = "imported",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, check and report; write nothing.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout instead of a table.")
    ] = False,
) -> None:
    """Import brokers' files; their accounts take part in the next night. Exit status 1 if a file was refused."""
    from dagster_project.import_files import import_files, print_json, print_report
    from dagster_project.resources.warehouse import WarehouseError
    from dagster_project.sources.brokerage.load import Options
    from dagster_project.sources.brokerage.reading import FORMATS

    if format not in ("auto", *FORMATS):
        raise typer.BadParameter(f"--format {format} is not known; known are auto, {', '.join(FORMATS)}")
    settings = _settings()
    options = Options(account_type.value if account_type else None, account, user)
    try:
        report = import_files(settings, files, options, format_name=format, dry_run=dry_run)
    except WarehouseError as error:
        _stderr.print(f"[bold red]import:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if json:
        print_json(report)
    else:
        print_report(report, settings, dry_run=dry_run)
    raise typer.Exit(1 if report.any_refused else 0)


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
def goal(
    user: Annotated[str, typer.Argument(help="A user_id of the warehouse.")],
    text: Annotated[str, typer.Argument(help="The goal, in the user's own words.")],
    stated_at: Annotated[
        str | None,
        typer.Option(help="When it was stated: 2026-01-31 or 2026-01-31T15:30:00Z; default: now."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print how it is understood, record nothing.")
    ] = False,
) -> None:
    """Record a user's goal and print how it is understood; the next night uses it."""
    from dagster_project.goal import record_goal
    from dagster_project.query import QueryError

    try:
        record_goal(_settings(), user, text, stated_at, dry_run=dry_run)
    except (QueryError, ValueError) as error:
        _stderr.print(f"[bold red]goal:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


class Phase(StrEnum):
    """What is trained."""

    all = "all"
    encoder = "encoder"
    policy = "policy"
    personalization = "personalization"


class Profile(StrEnum):
    """How long and on what."""

    quick = "quick"
    full = "full"


@app.command()
def train(
    phase: Annotated[Phase, typer.Option(help="One phase, or all in order.")] = Phase.all,
    profile: Annotated[
        Profile, typer.Option(help="quick: minutes on two cores; full: for a GPU.")
    ] = Profile.quick,
    device: Annotated[str, typer.Option(help="torch device: cpu, cuda, cuda:1.")] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Seed of data, weights and order.")] = 7,
    until: Annotated[
        dt.datetime,
        typer.Option(
            formats=["%Y-%m-%d"], help="Last session of the warehouse's prices that training may see."
        ),
    ] = dt.datetime(2016, 12, 30),
) -> None:
    """Train models on the warehouse's prices and on simulation; the next night uses what was promoted."""
    from dagster_project.console_run import RunFailed
    from dagster_project.train_command import train as train_phases

    choices = {
        "profile": profile.value,
        "device": device,
        "seed": seed,
        "until": until.date().isoformat(),
    }
    try:
        train_phases(_settings(), phase.value, choices)
    except RunFailed as error:
        _stderr.print(f"[bold red]train:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


class BacktestSource(StrEnum):
    """Where a backtest's prices come from."""

    packaged = "packaged"
    files = "files"


@app.command()
def backtest(
    source: Annotated[
        BacktestSource,
        typer.Option(help="packaged: prices that PyPI packages ship; files: bars of your own (--data)."),
    ] = BacktestSource.packaged,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with bars (and assets, corporate_actions, rates) as .csv or .parquet.",
            file_okay=False,
        ),
    ] = None,
    strategies: Annotated[
        str,
        typer.Option(
            help="Names of baselines, separated by commas, or all; default: all, unless --strategy."
        ),
    ] = "",
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="module:function of your own (repeatable): state in, target weights out."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="Checkpoint folder of a trained policy (repeatable); WINDOW=DIR for one retrained for a block. It is "
            "judged on windows that begin after its training data end.",
            metavar="[WINDOW=]DIR",
        ),
    ] = None,
    encoder: Annotated[
        Path | None,
        typer.Option(
            help="The encoder of --policy; default: the packaged one.", exists=True, file_okay=False
        ),
    ] = None,
    chronos: Annotated[
        Path | None,
        typer.Option(
            help="The Chronos model of --encoder; default: the packaged one.", exists=True, file_okay=False
        ),
    ] = None,
    costs: Annotated[
        str, typer.Option(help="Costs a side in basis points, separated by commas.")
    ] = "5,10,25",
    profiles: Annotated[
        str, typer.Option(help="Tax profiles, separated by commas.")
    ] = "untaxed,P1,P1_outside_20k,P2,P2_outside_20k",
    windows: Annotated[
        str, typer.Option(help="Names of windows, separated by commas; default: all that are open.")
    ] = "",
    until: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last session to read.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder of trials and report; default: backtest in the home.", file_okay=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the page and summary.json; default: that of the trials.", file_okay=False
        ),
    ] = None,
    open_test: Annotated[
        str | None,
        typer.Option(
            help="Open the final test window under this tag. Logged in ml.trials for good.", metavar="TAG"
        ),
    ] = None,
) -> None:
    """Judge strategies after costs and tax, walk-forward; a killed run goes on where it stopped."""
    from dagster_project.backtest_command import backtest as run_backtest
    from dagster_project.console_run import RunFailed

    if source is BacktestSource.files and data is None:
        raise typer.BadParameter("--source files needs --data DIR, the folder with bars")
    if source is BacktestSource.packaged and data is not None:
        raise typer.BadParameter("--data is read by --source files alone")
    choices = {
        "source": source.value,
        "data": str(data.absolute()) if data else None,
        "strategies": _listed(strategies),
        "own_strategies": strategy or [],
        "policies": [_absolute(text) for text in policy or []],
        "encoder": str(encoder.absolute()) if encoder else None,
        "chronos": str(chronos.absolute()) if chronos else None,
        "costs_bp": _costs(costs),
        "profiles": _listed(profiles),
        "windows": _listed(windows),
        "until": until.date().isoformat() if until else None,
        "output": str(output.absolute()) if output else None,
        "report": str(report.absolute()) if report else None,
        "open_test": open_test,
    }
    try:
        run_backtest(_settings(), choices)
    except RunFailed as error:
        _stderr.print(f"[bold red]backtest:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _absolute(policy: str) -> str:
    """The folder of ``FOLDER`` or ``WINDOW=FOLDER`` as an absolute path."""
    window, sign, folder = policy.rpartition("=")
    return f"{window}{sign}{Path(folder).absolute()}"


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _costs(text: str) -> list[int]:
    parts = _listed(text)
    wrong = [part for part in parts if not part.isdecimal() or int(part) > 1_000]
    if wrong or not parts:
        raise typer.BadParameter(
            f"--costs {text}: {wrong[0] if wrong else 'nothing'} is no number of basis points from 0 to 1000"
        )
    return [int(part) for part in parts]


@app.command()
def models(
    promote: Annotated[
        list[str] | None,
        typer.Option(help="Id (or its first digits) of a model to put into use; several go together."),
    ] = None,
) -> None:
    """List what was trained and what is in use, or put other models into use."""
    from dagster_project.train_command import list_models
    from dagster_project.train_command import promote as promote_models
    from ml.checkpoint import CheckpointError
    from ml.models import CompatibilityError

    try:
        if promote:
            promote_models(_settings(), promote)
        else:
            list_models(_settings())
    except (CompatibilityError, CheckpointError) as error:
        _stderr.print(f"[bold red]models:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


@app.command("export-adapter")
def export_adapter(
    user: Annotated[str, typer.Argument(help="A user_id of the warehouse.")],
    output: Annotated[Path, typer.Option(help="Folder to write; created if missing.", file_okay=False)],
) -> None:
    """Write a user's adapter of the latest night as a folder that peft loads."""
    from dagster_project.export_adapter import export_user_adapter
    from dagster_project.query import QueryError

    try:
        export_user_adapter(_settings(), user, output)
    except QueryError as error:
        _stderr.print(f"[bold red]export-adapter:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
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
    from dagster_project.console_run import serve_ui

    raise typer.Exit(serve_ui(_settings(), port))


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
