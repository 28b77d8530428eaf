"""What the training steps share: their choices, the panels they read, and how results are recorded.

Not an asset. What does not belong here: any model (``ml``), where checkpoints lie
(``resources/artifacts.py``).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
import numpy as np
import polars as pl
from pydantic import Field

from dagster_project.assets.night import NIGHT_DEPS
from dagster_project.chronos_model import chronos_field
from dagster_project.ml_tables import ml_ddl
from dagster_project.reads import NightReader
from dagster_project.resources.artifacts import Artifacts
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite

if TYPE_CHECKING:
    from ml.encoder.report import Split
    from ml.features.panel import FeaturePanel
    from ml.models import ModelRef

# What ships is trained on prices up to here, so that later ones can test it.
SHIPPED_UNTIL = dt.date(2016, 12, 30)
# What NightReader.panel reads: the deps of every step that calls it.
PANEL_DEPS = [
    *NIGHT_DEPS,
    ["raw", "market__daily_bars"],
    ["core", "dim_sessions"],
    ["core", "fct_asset_prices__daily"],
    ["features", "feat_asset_metadata__daily"],
    ["intermediate", "int_market__returned"],
]
# A training's last bits depend on its threads: the same number on every machine.
TRAINING_THREADS = 2
# Simulated markets beside the warehouse's: number, assets and years of each.
SIMULATED_MARKETS = {"quick": (3, 50, 6), "full": (24, 200, 10)}
# The simulated market that an encoder is judged on: assets, years, sessions sampled; its seed is no training's.
HELD_OUT_MARKET = {"quick": (60, 3, 12), "full": (260, 4, 50)}
_HELD_OUT_SEED = 990_001
_LATER_DAYS = 730


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
    chronos: str = chronos_field()


def open_for_training(lake: LakeResource) -> tuple[Artifacts, NightReader]:
    """The models of the installation, and reads as of the night that the warehouse holds."""
    warehouse = lake.open()
    reader = NightReader.of_current_night(warehouse)
    warehouse.bootstrap(ml_ddl())  # a warehouse of an earlier version lacks the registry
    return Artifacts(lake.settings(), warehouse), reader


def training_until(reader: NightReader, config: TrainConfig) -> dt.date:
    """Last session of the warehouse's prices that a training sees."""
    return min(dt.date.fromisoformat(config.until), reader.as_of_date)


def training_panels(
    context: dg.AssetExecutionContext,
    reader: NightReader,
    config: TrainConfig,
    trends_ann: Sequence[float] = (0.0,),
) -> list["FeaturePanel"]:
    """The warehouse's panel up to ``config.until`` beside simulated ones, all from the run's seed.

    ``trends_ann`` are the simulated markets' own trends, in turn.
    """
    from ml.features.simulated_panel import simulated_panel

    until = training_until(reader, config)
    panels = [reader.panel(dt.date(1900, 1, 1), until, source=f"warehouse to {until}")]
    count, assets, years = SIMULATED_MARKETS[config.profile]
    for number in range(count):
        trend = trends_ann[number % len(trends_ann)]
        panels.append(
            simulated_panel(assets=assets, years=years, seed=1000 * config.seed + number, trend_ann=trend)
        )
    cells = sum(int(panel.is_present.sum()) for panel in panels)
    context.log.info(f"progress: {len(panels)} markets, {cells:,} asset sessions")
    return panels


def evaluation_splits(reader: NightReader, config: TrainConfig, window: int) -> list["Split"]:
    """What an encoder is judged on: another simulated market and, where there are any, later sessions.

    Probes on the warehouse are fitted on one half of its assets in the two years up to ``config.until`` and
    scored on the other half after it. With less than two years after it only the market is used.
    """
    from ml.encoder.report import split_panel
    from ml.features.simulated_panel import simulated_panel

    assets, years, sessions = HELD_OUT_MARKET[config.profile]
    market = simulated_panel(assets=assets, years=years, seed=_HELD_OUT_SEED)
    found = [split_panel("another simulated market", market, window=window, sessions=sessions)]
    until = dt.date.fromisoformat(config.until)
    if (reader.as_of_date - until).days >= _LATER_DAYS:
        later = reader.panel(until - dt.timedelta(days=_LATER_DAYS), reader.as_of_date, source="warehouse")
        cut = np.datetime64(until)
        found.append(
            split_panel(f"warehouse after {until}", later, window=window, cut=cut, sessions=sessions)
        )
    return found


def progress_logger(context: dg.AssetExecutionContext) -> Callable[[Mapping[str, Any]], None]:
    """Pass a trainer's metric rows to the run's log, where the console picks them up."""

    def log(row: Mapping[str, Any]) -> None:
        values = [f"{name} {value:.3g}" for name, value in row.items() if isinstance(value, float)]
        where = f"{row.get('phase', 'step')} {row['step']}/{row.get('steps', '?')}"
        context.log.info(f"progress: {where}  {'  '.join(values[:8])}")

    return log


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
        if name not in ("step", "steps", "phase") and isinstance(value, int | float)
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
