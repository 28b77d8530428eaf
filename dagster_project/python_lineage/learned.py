"""Lineage across the border of the learned models: features and trades to checkpoints to recommendations.

What belongs here: entries that count once a model's own table or column exists. What does not: steps that compute
without a checkpoint of their own table (``steps.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dagster_project.python_lineage.declared import (
    FEATURE_STORE,
    NIGHT,
    PRICES,
    TRADES,
    Sources,
    TableLineage,
    columns_of,
    each,
    made_by,
    same,
)
from dagster_project.python_lineage.steps import (
    EXPERT_WEIGHTS,
    LOT_ORDERED,
    MIX,
    ORDER_SUMS,
    ORDERED,
    REVEALED,
)
from ml.features.catalog import FEATURE_COLUMNS
from ml.types import OBJECTIVES

_RESPONSIBILITIES: Final = tuple(f"responsibility_{name}" for name in OBJECTIVES)
_DECISIONS: Final = (
    columns_of(TRADES, "kind", "trade_date", "asset_id", "amount_usd")
    + columns_of("ml.realized_gains", "gain_usd", "term", "trade_date")
    + columns_of(PRICES, "total_return_log")
)
LEARNED_TABLES: Final[dict[str, TableLineage]] = {
    "asset_embeddings": made_by(
        "asset_embeddings",
        {
            **NIGHT,
            "state_date": columns_of("core.dim_sessions", "session_date"),
            **same(FEATURE_STORE, "asset_id"),
            "model_id": "code",
        },
    )
    | made_by(
        "encoder",
        {
            "embedding": columns_of(FEATURE_STORE, *FEATURE_COLUMNS)
            + columns_of("ml.chronos_embeddings", "embedding")
            + columns_of(PRICES, "price_usd", "total_return_log", "dollar_volume_usd")
            + columns_of("raw.market__daily_bars", "open", "high", "low", "close")
        },
        kind="model",
    ),
    "user_adapters": made_by("user_adapters", {**NIGHT, **same(TRADES, "user_id"), "model_id": "code"})
    | made_by(
        "adapters",
        {
            **each(("n_decisions", "n_informative"), columns_of(TRADES, "kind", "trade_date", "account_id")),
            **each(
                (
                    *("adapter", "loss_before", "loss_after", *_RESPONSIBILITIES),
                    *("n_revealed", "identified", "confidence", "mean_evidence"),
                ),
                _DECISIONS,
            ),
        },
        kind="model",
    ),
    "model_registry": made_by(
        "training",
        {
            **each(("kind", "model_id", "compatibility_id", "requires", "location"), "code"),
            **each(("event", "run_id", "note"), "run"),
            "event_at": "clock",
            "profile": "settings",
        },
    ),
    "training_metrics": made_by(
        "training",
        {
            **each(("kind", "model_id", "phase", "step", "metric", "value"), "code"),
            **each(("profile", "seed"), "settings"),
            "run_id": "run",
        },
    ),
}
# Columns that a learned model adds to tables which exist without it.
LEARNED_COLUMNS: Final[dict[str, TableLineage]] = {
    "rec_portfolios": made_by("recommendations", {"policy_id": "code"}),
}


@dataclass(frozen=True)
class LearnedStep:
    """A learned model between a table of its own and columns that exist without it.

    Attributes
    ----------
    via : str
        Kind of checkpoint, which then stands as ``via`` of the columns.
    sources : tuple of Source
        What it adds to the sources of the columns, all of one table; it counts once that table exists.
    columns : mapping of str to tuple of str
        By table of schema ``ml`` the columns that it decides.
    """

    via: str
    sources: Sources
    columns: Mapping[str, tuple[str, ...]]


LEARNED_STEPS: Final = (
    LearnedStep(
        "policy",
        columns_of("ml.asset_embeddings", "embedding"),
        {
            "rec_portfolios": (*EXPERT_WEIGHTS, "recommendation_id", "status", "reason", *ORDER_SUMS),
            "rec_target_weights": ORDERED,
            "rec_lot_orders": LOT_ORDERED,
        },
    ),
    LearnedStep(
        "adapters",
        columns_of("ml.user_adapters", *_RESPONSIBILITIES, "n_informative"),
        {
            "user_mixes": (
                *MIX,
                *REVEALED,
                "identified",
                "confidence",
                "n_revealed",
                "revealed_by",
                "disagreement",
            )
        },
    ),
)
