"""What the training steps share: their choices, the panels they read, and how results are recorded.

Not an asset. What does not belong here: any model (``ml``), where checkpoints lie
(``resources/artifacts.py``).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import polars as pl
from pydantic import Field

from dagster_project.reads import NightReader
from dagster_project.resources.artifacts import Artifacts
from dagster_project.resources.warehouse import TableWrite

if TYPE_CHECKING:
    from ml.features.panel import FeaturePanel
    from ml.models import ModelRef

# What ships is trained on prices up to here, so that later ones can test it.
SHIPPED_UNTIL = dt.date(2016, 12, 30)
WARMUP_SESSIONS = 252  # sessions before a panel's first, whose windows are not yet full


class TrainConfig(dg.Config):
    """Run configuration of every training step."""

    profile: Literal["quick", "full"] = Field(
        default="quick", description="quick: minutes on two cores; full: for a GPU"
    )
    device: str = Field(default="cpu", description="torch device: cpu, cuda, cuda:1")
    seed: int = Field(default=7, ge=0, description="seed of data, weights and order")
    until: str = Field(
        default=SHIPPED_UNTIL.isoformat(),
        description="last session of the warehouse's prices that training may see (YYYY-MM-DD)",
    )


@dataclass(frozen=True)
class TrainingData:
    """Panels and where they came from."""

    panels: list["FeaturePanel"]
    read_snapshot: int | None


def training_panels(
    context: dg.AssetExecutionContext,
    reader: NightReader | None,
    config: TrainConfig,
    simulated: Sequence[Any],
) -> TrainingData:
    """The warehouse's panel up to ``config.until`` beside simulated ones.

    Parameters
    ----------
    reader : NightReader or None
        None trains on simulation alone.
    simulated : sequence
        Keyword arguments of ``simulated_panel``, one mapping a panel.
    """
    from ml.features.simulated_panel import simulated_panel

    panels = []
    if reader is not None:
        until = min(dt.date.fromisoformat(config.until), reader.as_of_date)
        panels.append(reader.panel(dt.date(1900, 1, 1), until, source=f"warehouse to {until}"))
    for choice in simulated:
        context.log.info(f"progress: simulating {choice['assets']} assets, seed {choice['seed']}")
        panels.append(simulated_panel(**choice))
    return TrainingData(panels, reader.snapshot if reader is not None else None)


def progress_logger(context: dg.AssetExecutionContext) -> Callable[[str], None]:
    """Pass a trainer's progress lines to the run's log, where the console picks them up."""
    return lambda message: context.log.info(f"progress: {message}")


def metric_rows(
    metrics: Sequence[Mapping[str, Any]], *, run_id: str, model: "ModelRef", seed: int
) -> pl.DataFrame:
    """Bring a trainer's metric rows (step, phase, name: value ...) into the shape of ``ml.training_metrics``."""
    rows = [
        {
            "phase": str(row.get("phase", "train")),
            "step": int(row["step"]),
            "metric": name,
            "value": float(value),
        }
        for row in metrics
        for name, value in row.items()
        if name not in ("step", "phase") and value is not None
    ]
    schema = {"phase": pl.String, "step": pl.Int64, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema).select(
        pl.lit(run_id).alias("run_id"),
        pl.lit(model.kind).alias("kind"),
        pl.lit(model.model_id).alias("model_id"),
        pl.lit(model.profile).alias("profile"),
        pl.lit(seed, pl.Int64).alias("seed"),
        *schema,
    )


def record_training(
    context: dg.AssetExecutionContext, artifacts: Artifacts, model: "ModelRef", metrics: pl.DataFrame
) -> dict[str, Any]:
    """Write metrics and the registry's row; returns what every training step says of its model."""
    artifacts.warehouse.write(
        context.run_id,
        [TableWrite("ml.training_metrics", metrics)],
        f"metrics of {model.kind} {model.model_id[:12]}",
    )
    artifacts.record(context.run_id, [model], "trained")
    return {
        "model_id": model.model_id,
        "compatibility_id": model.compatibility_id,
        "requires": dict(model.requires),
        "profile": model.profile,
        "folder": dg.MetadataValue.path(str(model.folder)),
        "dagster/row_count": metrics.height,
    }
