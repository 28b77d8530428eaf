"""Chronos embeddings of every priced asset, each computed once."""

import dagster as dg

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date, write_tables
from dagster_project.chronos_model import chronos_field, open_chronos
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource


class ChronosConfig(dg.Config):
    """Run configuration of the embeddings."""

    model: str = chronos_field()


@dg.asset(
    key=["ml", "chronos_embeddings"],
    group_name="encoder",
    description="Mean-pooled, whitened Chronos embedding of each asset's last 128 returns; only assets that "
    "this session and model lack are computed.",
    owners=["team:encoder"],
    kinds={"python", "pytorch", "ducklake"},
    deps=[*NIGHT_DEPS, ["core", "dim_sessions"], ["core", "fct_asset_prices__daily"]],
    **SESSION_ASSET,
)
def chronos_embeddings(context: dg.AssetExecutionContext, lake: LakeResource, config: ChronosConfig):
    """Embed what is missing and keep what is stored."""
    import polars as pl

    # torch, transformers and chronos take seconds to import: only a night with something to embed pays.
    from ml.chronos.embed import EMBEDDING_SCHEMA, embed_missing, load_pipeline

    reader = NightReader.open(lake.open(), as_of_date(context))
    folder, whitening = open_chronos(lake.settings(), config.model, context.log.info)
    days = reader.week_sessions()["state_date"].to_list()
    stored = reader.query(
        "select * from ml.chronos_embeddings where as_of_date between $first and $as_of_date", first=days[0]
    )
    ours = stored.filter(pl.col("model_id") == whitening.model_id)
    # A total-return index over sessions with a return: splits and dividends are already in it.
    known = pl.col("total_return_log").is_not_null()
    prices = reader.prices().with_columns(
        known.cum_sum().over("asset_id", order_by="as_of_date").alias("n_returns"),
        pl.col("total_return_log")
        .fill_null(0)
        .cum_sum()
        .over("asset_id", order_by="as_of_date")
        .exp()
        .alias("adjusted_close"),
    )
    bars = prices.filter(known).select("asset_id", pl.col("as_of_date").alias("trade_date"), "adjusted_close")
    # A series that is too short for the window is never stored, so it must not count as missing either.
    wanted = prices.filter(
        (pl.col("n_returns") > whitening.window) & pl.col("as_of_date").is_in(days)
    ).select("asset_id", "as_of_date")
    missing = wanted.join(ours, on=["asset_id", "as_of_date"], how="anti")
    fresh = []
    if missing.height:
        pipeline = load_pipeline(folder)
        # One batch a session: an embedding's last bits do not depend on which other nights were run.
        fresh = [
            embed_missing(pipeline, whitening, bars, part, ours)
            for part in missing.sort("as_of_date").partition_by("as_of_date", maintain_order=True)
        ]
    frame = pl.concat([pl.DataFrame(schema=EMBEDDING_SCHEMA), *fresh]).with_columns(
        model_id=pl.lit(whitening.model_id), window_sessions=pl.lit(whitening.window, pl.Int32)
    )
    length = whitening.components
    wrong = frame.filter(pl.col("embedding").list.len() != length)
    if wrong.height:
        raise dg.Failure(f"{wrong['asset_id'][0]} has an embedding that is not {length} long: fix the model")
    everything = pl.concat([stored, frame.select(stored.columns)]).sort("as_of_date", "asset_id", "model_id")
    metadata = {
        "computed": frame.height,
        "already_stored": ours.height,
        "of_other_models": stored.height - ours.height,
        "model": dg.MetadataValue.path(str(folder)),
        "model_id": whitening.model_id,
        "weights": whitening.weights,
    }
    yield from write_tables(
        context,
        reader,
        {"chronos_embeddings": everything},
        {"chronos_embeddings": metadata},
        first_session=days[0],
    )
