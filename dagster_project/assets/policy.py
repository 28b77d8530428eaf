"""Phase 2: training of the mixture-of-experts policy."""

import dagster as dg

from dagster_project.chronos_model import load_branch
from dagster_project.pools import WAREHOUSE_WRITER
from dagster_project.resources.lake import LakeResource
from dagster_project.training import (
    PANEL_DEPS,
    TRAINING_THREADS,
    TrainConfig,
    metric_rows,
    open_for_training,
    progress_logger,
    record_training,
    training_panels,
    training_until,
)


@dg.asset(
    key=["ml", "policy_checkpoint"],
    group_name="policy",
    description="Mixture of four experts and an intent router, warm-started from the analytic experts and trained with "
    "PPO for six objectives in a batched tax-lot environment, on the embeddings of the encoder trained last. A "
    "policy that passes its checks is promoted together with its encoder.",
    owners=["team:policy"],
    kinds={"python", "pytorch"},
    deps=[*PANEL_DEPS, ["ml", "encoder_checkpoint"]],
    pool=WAREHOUSE_WRITER,
)
def policy_checkpoint(context: dg.AssetExecutionContext, lake: LakeResource, config: TrainConfig):
    """Embed the training panels, train, keep, record, promote."""
    from dagster_project.pictures import curves, heatmap
    from ml.encoder.embed import EncoderServer
    from ml.policy.config import PROFILES, TRENDS_ANN
    from ml.policy.train import train_policy
    from ml.runtime import fixed_threads
    from ml.types import EXPERTS, OBJECTIVES

    artifacts, reader = open_for_training(lake)
    encoder = artifacts.newest_trained("encoder")
    panels = training_panels(context, reader, config, TRENDS_ANN)
    branch = load_branch(lake.settings(), config.chronos, context.log.info, config.device)
    with artifacts.staging("policy") as folder, fixed_threads(TRAINING_THREADS):
        trained = train_policy(
            panels,
            EncoderServer.load(encoder.folder),
            PROFILES[config.profile],
            device=config.device,
            seed=config.seed,
            on_progress=progress_logger(context),
            chronos=branch,
        )
        trained.save(folder, {"trained_until": training_until(reader, config).isoformat()})
        model = artifacts.keep("policy", folder)
    metrics = metric_rows(trained.history, run_id=context.run_id, model=model, seed=config.seed)
    metadata = record_training(context, artifacts, model, metrics)
    artifacts.promote(context.run_id, [encoder, model], "trained together")
    drawn = {
        "mean reward a week": tuple(f"reward_{name}" for name in OBJECTIVES),
        "against collapse": ("active_share", "turnover"),
        "PPO": ("kl", "clip_fraction", "explained_variance"),
        "entropy of the actions": ("entropy",),
        "score on the spans left out, whose best is kept": ("validation",),
    }
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "encoder": encoder.model_id,
            "read_snapshot": reader.snapshot,
            "curves": curves(metrics, drawn, "policy training"),
            "router": heatmap(OBJECTIVES, EXPERTS, trained.expert_load, "share of each expert by objective"),
            **trained.summary,
        }
    )
