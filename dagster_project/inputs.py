"""The recommendation step's inputs, read from one snapshot; shared by the step and by its checks."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from dagster_project.provenance import code_hash, settings_hash
from dagster_project.reads import RETURN_WINDOW_SESSIONS, NightReader
from ml.models import ENCODER

if TYPE_CHECKING:
    from ml.models import ModelRef
    from ml.recommend.inputs import NightInputs, RecommendSettings


def night_inputs(
    reader: NightReader, settings: "RecommendSettings", models: Mapping[str, "ModelRef"]
) -> "NightInputs":
    """Read everything that a night's recommendations depend on.

    Parameters
    ----------
    reader : NightReader
        Pinned to the snapshot that the step reads.
    settings : RecommendSettings
        Its hash is part of every recommendation id.
    models : mapping of str to ModelRef
        The models in use; their ids are part of it too.
    """
    from dagster_project.sources.packaged_facts import BENCHMARK_ASSET_IDS
    from ml.intent.parse import active_constraints
    from ml.recommend.inputs import NightInputs

    assets = reader.assets()
    frames = {
        "sessions": reader.sessions(),
        "users": reader.users(),
        "accounts": reader.accounts(),
        "assets": assets,
        "prices": reader.prices(),
        "features": reader.features(),
        "lots": reader.partition("ml.tax_lots", "state_date, account_id, asset_id, lot_id"),
        "cash": reader.partition("ml.account_cash", "state_date, account_id"),
        "tax_unit_years": reader.partition("ml.tax_unit_years", "tax_unit_id, tax_year"),
        "wash_windows": reader.partition(
            "ml.wash_windows", "household_id, asset_id, account_id, kind, trade_date, quantity"
        ),
        "mixes": reader.partition("ml.user_mixes", "user_id"),
        "constraints": active_constraints(
            reader.partition("ml.parsed_intents", "statement_id"), assets, reader.as_of_date
        ),
        "embeddings": reader.query(
            "select state_date, asset_id, embedding from ml.asset_embeddings "
            "where as_of_date = $as_of_date and model_id = $model order by state_date, asset_id",
            model=models[ENCODER].model_id,
        ),
        "market_returns": reader.market_returns(
            reader.window_start(RETURN_WINDOW_SESSIONS + 10), reader.as_of_date
        ),
        "issues": reader.partition("ml.ledger_issues", "account_id, transaction_id, status"),
    }
    return NightInputs(
        as_of_date=reader.as_of_date,
        benchmark_asset_ids=tuple(BENCHMARK_ASSET_IDS),
        inputs_version=_frames_hash(frames),
        models_version=_models_hash(models),
        settings_version=settings.content_hash(),
        **frames,
    )


def _models_hash(models: Mapping[str, "ModelRef"]) -> str:
    """Hash of the project's code and of every model in use."""
    ids = {kind: model.model_id for kind, model in models.items()}
    return settings_hash({"code": code_hash(), **ids})


def _frames_hash(frames: dict[str, pl.DataFrame]) -> str:
    """Hash of the content of all frames, in their read order."""
    digest = hashlib.sha256()
    for name, frame in sorted(frames.items()):
        digest.update(name.encode())
        digest.update(frame.hash_rows(seed=0).to_numpy().tobytes())
    return digest.hexdigest()
