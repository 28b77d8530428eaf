"""Run a job in this process: the lock of a home, the log file, progress on stderr.

What does not belong here: what a job is given and what is printed after it (``night.py``,
``train_command.py``).
"""

import contextlib
import datetime as dt
import fcntl
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from dagster_project.settings import PROJECT_ROOT, Settings

if TYPE_CHECKING:
    import dagster as dg

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
# What a step logs with this prefix is shown on the console.
_PROGRESS = "progress: "
# Marks the runs of a command line; its value is the process.
_PROCESS_TAG = "taxloom/process"


class RunFailed(RuntimeError):
    """A run that did not reach its end; the message names the step, the reason and the remedy."""


def run_job(
    settings: Settings,
    job_name: str,
    *,
    title: str,
    run_config: Callable[[], dict[str, Any]],
    partition_key: str | None = None,
) -> str:
    """Run a job of the code location, one at a time in a home, with a line of progress a step.

    Parameters
    ----------
    settings : Settings
        The installation.
    job_name : str
        Of ``jobs.py``.
    title : str
        First line on the console.
    run_config : callable
        Makes the Dagster run configuration; called once Dagster is imported, after the first line is shown.
    partition_key : str, optional
        For partitioned jobs.

    Returns
    -------
    str
        The run id.

    Raises
    ------
    RunFailed
        A step failed, or another run is under way in this home.
    """
    console = Console(file=sys.stderr, highlight=False)  # bound now: the run redirects sys.stderr
    started = time.monotonic()
    with _one_run_at_a_time(settings), _log_file(settings, job_name) as log:
        console.print(title, soft_wrap=True)
        prepare_dagster_home(settings)
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            # The project's own stages speak on the console; Dagster's and dbt's output goes to the log.
            result = _execute(job_name, run_config(), partition_key, console, started)
    if not result.success:
        raise RunFailed(f"{_failure(result)}\n  full log: {log.name}\n  then: taxloom doctor")
    return result.run_id


def _execute(
    job_name: str, run_config: dict[str, Any], partition_key: str | None, console: Console, started: float
) -> "dg.ExecuteInProcessResult":
    import dagster as dg

    from dagster_project.build import build_defs

    job = build_defs().get_job_def(job_name)
    instance = dg.DagsterInstance.get()
    for dead in end_dead_runs(instance):
        console.print(f"  run {dead} was killed before its end: its place among the writers is free again")
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, _Progress(console, started))
    console.print(f"  {time.monotonic() - started:6.1f} s  definitions loaded", soft_wrap=True)
    return job.execute_in_process(
        instance=instance,
        partition_key=partition_key,
        run_config=run_config,
        raise_on_error=False,
        run_id=run_id,
        tags={_PROCESS_TAG: str(os.getpid())},
    )


def end_dead_runs(instance: "dg.DagsterInstance") -> list[str]:
    """End the runs of this command line that were killed, and free the pools that they still hold.

    Called under the home's lock: whatever run of a command line is open then has no process any more. Without this
    the next run would wait for a killed one's place in a pool for ever. Runs that the UI launched are left alone.

    Returns
    -------
    list of str
        Their ids.
    """
    import dagster as dg
    from dagster._core.storage.dagster_run import FINISHED_STATUSES

    going = [status for status in dg.DagsterRunStatus if status not in FINISHED_STATUSES]
    found = [run for run in instance.get_runs(dg.RunsFilter(statuses=going)) if _PROCESS_TAG in run.tags]
    for run in found:
        instance.report_run_failed(run, "its process was killed; a later run of the command line ended it")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in found]


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
def _one_run_at_a_time(settings: Settings) -> Iterator[None]:
    """One run per home: two would compute over each other's ``ml.night``."""
    path = settings.home / "night.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.seek(0)
            raise RunFailed(
                f"another run is under way in {settings.home} (process {handle.read().strip() or 'unknown'}): "
                "wait for it, or use another TAXLOOM_HOME"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


@contextlib.contextmanager
def _log_file(settings: Settings, name: str) -> Iterator[Any]:
    folder = settings.home / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.log").open("w") as handle:
        yield handle


class _Progress:
    """Prints one line when a step ends, and what a long step says of its progress."""

    def __init__(self, console: Console, started: float) -> None:
        self.console = console
        self.started = started
        self.step_started: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def __call__(self, entry: Any) -> None:
        event = entry.dagster_event
        if event is None and entry.step_key and entry.user_message.startswith(_PROGRESS):
            line = entry.user_message.removeprefix(_PROGRESS)
            self.console.print(f"  {time.monotonic() - self.started:6.1f} s    {line}", soft_wrap=True)
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
