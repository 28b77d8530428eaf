"""Phase 1: the encoder's training, and the embeddings of the night's assets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dagster_project.assets.night import SESSION_ASSET, as_of_date, write_tables
from dagster_project.chronos_model import load_branch
from dagster_project.pools import WAREHOUSE_WRITER
from dagster_project.reads import NightReader
from dagster_project.resources.artifacts import Artifacts
from dagster_project.resources.lake import LakeResource
from dagster_project.training import (
    PANEL_DEPS,
    TRAINING_THREADS,
    TrainConfig,
    evaluation_splits,
    metric_rows,
    open_for_training,
    progress_logger,
    record_training,
    training_panels,
)


@dg.asset(
    key=["ml", "encoder_checkpoint"],
    group_name="encoder",
    description="The cross-asset encoder, trained by self-supervision on the warehouse's prices and on simulated "
    "markets; a checkpoint folder and its rows in ml.model_registry and ml.training_metrics.",
    owners=["team:encoder"],
    kinds={"python", "pytorch"},
    deps=PANEL_DEPS,
    pool=WAREHOUSE_WRITER,
)
def encoder_checkpoint(context: dg.AssetExecutionContext, lake: LakeResource, config: TrainConfig):
    """Train, keep the folder, record curves and collapse metrics."""
    from dagster_project.pictures import curves
    from ml.encoder.card import card
    from ml.encoder.config import PROFILES
    from ml.encoder.embed import EncoderServer
    from ml.encoder.report import judge, split_embeddings
    from ml.encoder.train import train_encoder
    from ml.runtime import fixed_threads

    artifacts, reader = open_for_training(lake)
    panels = training_panels(context, reader, config)
    branch = load_branch(lake.settings(), config.chronos, context.log.info, config.device)
    profile = PROFILES[config.profile]
    sizes = replace(profile.encoder, chronos_size=branch.whitening.components)
    with artifacts.staging("encoder") as folder, fixed_threads(TRAINING_THREADS):
        trained = train_encoder(
            panels,
            replace(profile, encoder=sizes),
            device=config.device,
            seed=config.seed,
            on_progress=progress_logger(context),
            chronos=branch,
        )
        context.log.info("progress: probes on a simulated market and on sessions after the training data")
        server = EncoderServer.of(trained, config.device)
        splits = evaluation_splits(reader, config, branch.whitening.window)
        reports = [judge(server, split, *split_embeddings(split, branch)) for split in splits]
        trained.save(folder, {"held_out": reports})
        model = artifacts.keep("encoder", folder)
    metrics = metric_rows(trained.history, run_id=context.run_id, model=model, seed=config.seed)
    metadata = record_training(context, artifacts, model, metrics)
    drawn = {
        "losses": ("loss", "patch", "feature", "contrast", "volatility", "rank", "variance", "covariance"),
        "collapse and gate": ("mean_cosine", "gate_mean"),
        "effective rank of 64": ("effective_rank",),
    }
    last = {name: value for name, value in trained.history[-1].items() if name != "steps"}
    return dg.MaterializeResult(
        metadata={
            **metadata,
            **last,
            "read_snapshot": reader.snapshot,
            "trained_on": list(trained.sources),
            "curves": curves(metrics, drawn, "encoder training"),
            "card": dg.MetadataValue.md(card(trained, reports)),
            **report_pictures(reports),
        }
    )


def report_pictures(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Gate by class, cosines and probes of each held-out panel, as pictures by name."""
    from dagster_project.pictures import bars, heatmap

    drawn: dict[str, Any] = {}
    for report in reports:
        name, gates, counts = report["name"], report["gates"], report["cosines"]
        drawn[f"gate: {name}"] = bars(
            [row["asset_class"] for row in gates],
            [row["gate_mean"] for row in gates],
            f"Share of the own branch, {name}",
            "mean gate",
        )
        width = 2 / len(counts)
        drawn[f"cosines: {name}"] = bars(
            [f"{-1 + width * (i + 0.5):.2f}" for i in range(len(counts))],
            counts,
            f"Cosines between assets of one date, {name}",
            "pairs",
        )
        scores = {(row["representation"], row["target"]): row["score"] for row in report["probes"]}
        if scores:
            rows, columns = (list(dict.fromkeys(key[i] for key in scores)) for i in (0, 1))
            values = [[scores[row, column] for column in columns] for row in rows]
            drawn[f"probes: {name}"] = heatmap(rows, columns, values, f"Probe scores, {name}")
    return drawn


@dg.asset(
    key=["ml", "asset_embeddings"],
    group_name="encoder",
    description="What the encoder in use makes of each asset at each session of the night's week: 64 numbers from "
    "the 50 observable features, 64 days of bars and the Chronos embedding; no name enters.",
    owners=["team:encoder"],
    kinds={"python", "pytorch", "ducklake"},
    deps=[*PANEL_DEPS, ["ml", "chronos_embeddings"], ["ml", "encoder_checkpoint"]],
    **SESSION_ASSET,
)
def asset_embeddings(context: dg.AssetExecutionContext, lake: LakeResource):
    """Embed the week's sessions with the encoder in use."""
    from ml.encoder.config import WINDOW
    from ml.encoder.embed import EncoderServer
    from ml.encoder.frames import embed_sessions

    reader = NightReader.open(lake.open(), as_of_date(context))
    model = Artifacts(lake.settings(), reader.warehouse).in_use(reader.snapshot)["encoder"]
    server = EncoderServer.load(model.folder)
    days = reader.week_sessions()["state_date"].to_list()
    chronos = reader.query(
        "select asset_id, as_of_date, model_id, embedding from ml.chronos_embeddings "
        "where as_of_date between $first and $as_of_date",
        first=days[0],
    )
    # The session's embeddings, if it has any, must be of the encoder's Chronos model: with none it would
    # serve every asset without them, and say nothing.
    tonight = sorted(set(chronos.filter(as_of_date=reader.as_of_date)["model_id"]))
    if tonight and server.chronos_model_id not in tonight:
        server.check_chronos(tonight[0])
    chronos = chronos.filter(model_id=server.chronos_model_id)
    panel, _ = reader.week_panel(WINDOW)
    frame = embed_sessions(server, panel, days, chronos, model.model_id)
    yield from write_tables(
        context,
        reader,
        {"asset_embeddings": frame},
        {"asset_embeddings": {"model_id": model.model_id, "profile": model.profile}},
    )
