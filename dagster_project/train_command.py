"""``taxloom train`` and ``taxloom models``: train the phases in this process, list and promote models."""

import sys
import time
import uuid
from typing import Any

from rich.console import Console
from rich.table import Table

from dagster_project.console_run import run_job
from dagster_project.settings import Settings

# Phase on the command line -> the step that trains it, in the order in which they build on each other.
PHASES = {
    "encoder": "ml__encoder_checkpoint",
    "policy": "ml__policy_checkpoint",
    "personalization": "ml__personalization_checkpoint",
}


def train(settings: Settings, phase: str, choices: dict[str, Any]) -> None:
    """Train one phase or all, and print what was written.

    Parameters
    ----------
    settings : Settings
        The installation.
    phase : str
        A key of :data:`PHASES`, or ``all``.
    choices : dict
        profile, device, seed, until (``TrainConfig``).

    Raises
    ------
    RunFailed
        A step failed, or another run is under way in this home.
    """
    steps = list(PHASES.values()) if phase == "all" else [PHASES[phase]]
    started = time.monotonic()
    run_id = run_job(
        settings,
        "train_models" if phase == "all" else f"train_{phase}",
        title=f"[bold]taxloom train[/]  phase {phase}  profile {choices['profile']}  device {choices['device']}  "
        f"home {settings.home}",
        run_config=lambda: {"ops": {step: {"config": dict(choices)} for step in steps}},
    )
    _summary(settings, run_id, time.monotonic() - started)


def list_models(settings: Settings) -> None:
    """Print every model that was trained here and the one in use of each kind."""
    artifacts = _artifacts(settings)
    in_use = {model.model_id for model in artifacts.in_use().values()}
    table = Table(title="Models (* in use)", title_justify="left")
    for column in ("", "kind", "id", "profile", "event", "at", "fits", "where"):
        table.add_column(column)
    for row in artifacts.history().iter_rows(named=True):
        table.add_row(
            "*" if row["model_id"] in in_use else "",
            row["kind"],
            row["model_id"][:12],
            row["profile"],
            row["event"],
            f"{row['event_at']:%Y-%m-%d %H:%M}",
            row["compatibility_id"][:12],
            row["location"],
        )
    for model in artifacts.in_use().values():
        if not model.folder.is_relative_to(artifacts.root):
            table.add_row(
                "*", model.kind, model.model_id[:12], model.profile, "packaged", "",
                model.compatibility_id[:12], str(model.folder),
            )  # fmt: skip
    # A pipe has no width of its own: nothing may be cut off there.
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def promote(settings: Settings, prefixes: list[str]) -> None:
    """Put models into use together.

    Raises
    ------
    ml.models.CompatibilityError
        No such model, or one that does not fit the others.
    """
    artifacts = _artifacts(settings)
    models = [artifacts.find(prefix) for prefix in prefixes]
    artifacts.promote(str(uuid.uuid4()), models, "by hand")
    for model in models:
        print(f"in use from the next night on: {model.kind} {model.model_id}")


def _artifacts(settings: Settings) -> Any:
    from dagster_project.ml_tables import ml_ddl
    from dagster_project.resources.artifacts import Artifacts
    from dagster_project.resources.warehouse import Warehouse

    warehouse = Warehouse(settings)
    warehouse.bootstrap(ml_ddl())
    return Artifacts(settings, warehouse)


def _summary(settings: Settings, run_id: str, seconds: float) -> None:
    from dagster_project.query import fetch

    console = Console(highlight=False)
    _, rows = fetch(
        settings,
        "select kind, event, model_id, location from ml.model_registry where run_id = ? order by event_at, kind",
        [run_id],
    )
    for kind, event, model_id, location in rows:
        console.print(
            f"  {kind} {model_id[:12]} {event}  {settings.home / 'artifacts' / location}", soft_wrap=True
        )
    console.print(f"  {seconds:.1f} s, run {run_id}")
    console.print("\nNext:")
    lines = [
        ("taxloom nightly", "a night with the models in use"),
        ("taxloom models", "what was trained, what is in use; --promote ID changes it"),
        ('taxloom sql "select * from ml.training_metrics where step = 0"', "the curves' numbers"),
        ("taxloom ui", "loss curves, tables and pictures of each training step"),
    ]
    for command, purpose in lines:
        console.print(f"  uv run {command:<66} {purpose}", soft_wrap=True)
