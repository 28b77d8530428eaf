"""Run one night in this process, with progress on stderr and a summary on stdout."""

import contextlib
import datetime as dt
import fcntl
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from dagster_project.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import dagster as dg

JOB_NAME = "nightly_recommendations"
_DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
"""


class NightFailed(RuntimeError):
    """The night did not publish; the message names the step, the reason and the remedy."""


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
    NightFailed
        A step failed, or another night is running in this home.
    """
    console = Console(file=sys.stderr, highlight=False)  # bound now: the run redirects sys.stderr
    started = time.monotonic()
    with _one_night_at_a_time(settings), _log_file(settings) as log:
        session = _session(choices, as_of)
        console.print(
            f"[bold]taxloom nightly[/]  as of [bold]{session}[/]  source {choices['source']}  home {settings.home}",
            soft_wrap=True,
        )
        prepare_dagster_home(settings)
        result = _execute(settings, choices, session, console, started, log)
    if not result.success:
        raise NightFailed(f"{_failure(result)}\n  full log: {log.name}\n  then: taxloom doctor")
    _summary(settings, session, time.monotonic() - started, result.run_id)


def prepare_dagster_home(settings: Settings) -> None:
    """Write the instance's dagster.yaml once: telemetry off, one writer at a time."""
    path = settings.dagster_home / "dagster.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(_DAGSTER_YAML)


def serve_ui(settings: Settings, port: int) -> int:
    """Start ``dagster dev`` on localhost over this home's run history; returns its exit status."""
    from dagster_project.resources.dbt import ensure_manifest

    prepare_dagster_home(settings)
    ensure_manifest(settings)
    print(
        f"Dagster UI: http://127.0.0.1:{port}  (run history in {settings.dagster_home}; Ctrl-C ends it)",
        flush=True,
    )
    command = [str(Path(sys.executable).parent / "dagster"), "dev", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.call([*command, "-w", str(PROJECT_ROOT / "workspace.yaml")], cwd=PROJECT_ROOT)


@contextlib.contextmanager
def _one_night_at_a_time(settings: Settings) -> Iterator[None]:
    """One night per home: two would compute over each other's ``ml.night``."""
    path = settings.home / "night.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.seek(0)
            raise NightFailed(
                f"another night is running in {settings.home} (process {handle.read().strip() or 'unknown'}): "
                "wait for it, or use another TAXLOOM_HOME"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@contextlib.contextmanager
def _log_file(settings: Settings) -> Iterator[Any]:
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"nightly-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.log").open("w") as handle:
        yield handle


def _session(choices: dict[str, Any], as_of: dt.date | None) -> dt.date:
    """The night's session, checked against the calendar and the data."""
    from dagster_project.sources.batches import SourceError
    from dagster_project.sources.horizon import last_session, resolve_session

    try:
        if as_of is not None:
            return resolve_session(as_of)
        return last_session(choices["source"], choices["data"], choices["prices"], seed=choices["seed"])
    except SourceError as error:
        raise NightFailed(str(error)) from error


def _execute(
    settings: Settings,
    choices: dict[str, Any],
    session: dt.date,
    console: Console,
    started: float,
    log: Any,
) -> "dg.ExecuteInProcessResult":
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        import dagster as dg

        from dagster_project.build import build_defs
        from dagster_project.night_config import NightConfig

        # The project's own stages speak on the console; Dagster's and dbt's output goes to the log.
        defs = build_defs()
        instance = dg.DagsterInstance.get()
        job = defs.get_job_def(JOB_NAME)
        run_id = str(uuid.uuid4())
        progress = _Progress(console, started)
        instance.add_event_listener(run_id, progress)
        console.print(f"  {time.monotonic() - started:6.1f} s  definitions loaded", soft_wrap=True)
        return job.execute_in_process(
            instance=instance,
            partition_key=session.isoformat(),
            run_config=NightConfig.model_validate(choices).run_config(),
            raise_on_error=False,
            run_id=run_id,
        )


class _Progress:
    """Prints one line when a step ends, and a note while dbt builds."""

    def __init__(self, console: Console, started: float) -> None:
        self.console = console
        self.started = started
        self.step_started: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def __call__(self, entry: Any) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        now, step = time.monotonic(), event.step_key
        if event.is_step_start:
            self.step_started[step] = now
        elif event.is_step_materialization or event.event_type_value == "ASSET_CHECK_EVALUATION":
            self.counts[step] = self.counts.get(step, 0) + 1
        elif event.is_step_success or event.is_step_failure:
            took = now - self.step_started.get(step, now)
            state = "[green]ok[/]" if event.is_step_success else "[bold red]FAILED[/]"
            count = self.counts.get(step, 0)
            self.console.print(
                f"  {now - self.started:6.1f} s  {step:<42} {state}  {took:5.1f} s  {count} tables and checks",
                soft_wrap=True,
            )


def _failure(result: "dg.ExecuteInProcessResult") -> str:
    """The failed steps, each with the innermost message."""
    lines = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            lines.append(
                f"step '{event.step_key}': {error.message.strip() if error else 'no error recorded'}"
            )
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.blocking:
                lines.append(
                    f"check '{evaluation.check_name}' on {'.'.join(evaluation.asset_key.path)} failed: "
                    "its metadata in the UI lists the rows"
                )
    return "\n  ".join(lines) or "the run failed without a step failure"


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
