"""Run one night in this process, with progress on stderr and a summary on stdout."""

import datetime as dt
import resource
import sys
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from dagster_project.console_run import RunFailed, run_job
from dagster_project.settings import Settings

JOB_NAME = "nightly_recommendations"


def run_night(settings: Settings, choices: dict[str, Any], as_of: dt.date | None) -> None:
    """Run the job for one session and print what was written.

    Parameters
    ----------
    settings : Settings
        The installation.
    choices : dict
        source, data, prices, users, seed (``NightConfig``).
    as_of : datetime.date or None
        The session; None takes the last one of the data.

    Raises
    ------
    RunFailed
        A step failed, or another night is running in this home.
    """

    def run_config() -> dict[str, Any]:
        from dagster_project.night_config import NightConfig

        return NightConfig.model_validate(choices).run_config()

    started = time.monotonic()
    session = _session(choices, as_of)
    run_id = run_job(
        settings,
        JOB_NAME,
        title=f"[bold]taxloom nightly[/]  as of [bold]{session}[/]  source {choices['source']}  "
        f"home {settings.home}",
        run_config=run_config,
        partition_key=session.isoformat(),
    )
    _summary(settings, session, time.monotonic() - started, run_id)


def _session(choices: dict[str, Any], as_of: dt.date | None) -> dt.date:
    """The night's session, checked against the calendar and the data."""
    from dagster_project.sources.batches import SourceError
    from dagster_project.sources.horizon import last_session, resolve_session

    try:
        if as_of is not None:
            return resolve_session(as_of)
        return last_session(choices["source"], choices["data"], choices["prices"], seed=choices["seed"])
    except SourceError as error:
        raise RunFailed(str(error)) from error


def _summary(settings: Settings, session: dt.date, seconds: float, run_id: str) -> None:
    from dagster_project.query import fetch

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    literal = f"DATE '{session.isoformat()}'"
    counts = Table(title=f"Night of {session}: rows written", title_justify="left")
    counts.add_column("table")
    counts.add_column("rows", justify="right")
    tables = ["features.feat_asset_metadata__daily", "ml.tax_lots", "ml.user_mixes"]
    tables += [f"serving.rec_{name}__daily" for name in ("portfolios", "target_weights", "lot_orders")]
    for table in tables:
        _, rows = fetch(settings, f"select count(*) from {table} where as_of_date = {literal}")
        counts.add_row(table, f"{rows[0][0]:,}")
    console.print(counts)
    _, rows = fetch(
        settings,
        "select status, count(*), coalesce(sum(n_orders), 0), coalesce(sum(expected_tax_usd), 0), "
        "coalesce(sum(harvested_loss_usd), 0) "
        f"from serving.rec_portfolios__daily where as_of_date = {literal} group by status order by status",
    )
    for status, accounts, orders, tax, harvested in rows:
        console.print(
            f"  {status}: {accounts} accounts, {orders} orders, expected tax {tax:,.2f} USD, "
            f"harvested losses {harvested:,.2f} USD"
        )
    _, ingested = fetch(
        settings,
        "select coalesce(sum(rows_read), 0), coalesce(sum(accepted), 0), coalesce(sum(duplicate), 0), "
        "coalesce(sum(quarantined), 0), coalesce(sum(not_a_transaction), 0) from raw.ingestion_counts where run_id = ?",
        [run_id],
    )
    read, accepted, duplicate, quarantined, other = ingested[0]
    console.print(
        f"  source rows: {read:,} read = {accepted:,} accepted + {duplicate:,} known before + {quarantined:,} "
        f"quarantined + {other:,} not transactions"
    )
    _, users = fetch(
        settings,
        "select user_id from serving.rec_portfolios__current where n_orders > 0 order by account_id limit 1",
    )
    user = users[0][0] if users else "USER"
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    console.print(
        f"  {seconds:.1f} s, peak memory {peak / 1024**2:.1f} GiB, run {run_id}, in {settings.home}"
    )
    lines = [
        (f"taxloom show {user}", "one user's recommendation, explained"),
        (f"taxloom show {user} --tax", "the user's lots, Schedule D, wash sales and taxes"),
        ('taxloom sql "select * from serving.rec_portfolios__current"', "all of them"),
        ("taxloom ui", "the run, the graph and the checks, on localhost"),
        ("taxloom doctor", "is everything in order"),
    ]
    if quarantined:
        lines.insert(2, ('taxloom sql "select * from raw.quarantine"', "what was set aside, and why"))
    console.print("\nNext:")
    for command, purpose in lines:
        console.print(f"  uv run {command:<62} {purpose}", soft_wrap=True)
    console.print(
        "\nHouseholds of the default are simulated on real prices: a demonstration. Not tax or investment advice.",
        soft_wrap=True,
    )
