"""What the night serves of the adapters: one row per user, fitted anew from all his decisions.

What belongs here: decisions and a trained head to the rows of ``ml.user_adapters`` and to what
``mix.user_mixes`` takes as revealed. What does not: training (``population.py``), the mix (``mix.py``).
"""

from typing import Final

import numpy as np
import polars as pl

from ml.features.decisions import Decisions
from ml.personalization.choice_model import ChoiceModel, choice_strength, counted_log_p, decision_weights
from ml.personalization.fit import fit_adapters
from ml.personalization.lora import adapted_logits
from ml.personalization.population import PopulationHead
from ml.personalization.posterior import user_posteriors
from ml.types import OBJECTIVES

# The rows of ml.user_adapters, to which the night adds as_of_date.
USER_ADAPTERS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "user_id": pl.String(),
    "model_id": pl.String(),
    "n_decisions": pl.Int64(),
    "n_informative": pl.Int64(),
    "adapter": pl.List(pl.Float32()),
    **{f"responsibility_{name}": pl.Float64() for name in OBJECTIVES},
    "loss_before": pl.Float64(),
    "loss_after": pl.Float64(),
}
# What mix.user_mixes needs besides.
REVEALED_SCHEMA: Final[dict[str, pl.DataType]] = {
    **USER_ADAPTERS_SCHEMA,
    "n_revealed": pl.Float64(),
    "identified": pl.Boolean(),
    "confidence": pl.Float64(),
    "mean_evidence": pl.Float64(),
}


def revealed_from_adapters(
    decisions: Decisions,
    population: PopulationHead,
    *,
    model_id: str,
    choice_model: ChoiceModel = counted_log_p,
) -> pl.DataFrame:
    """Fit every user's adapter and read off his objectives.

    Parameters
    ----------
    decisions : Decisions
        Of all users, from :func:`ml.features.decisions.user_decisions`.
    population : PopulationHead
        The trained head.
    model_id : str
        Digest of the head's checkpoint.
    choice_model : callable
        Decisions to ``log_p (D, 7)``; the head's thresholds hold for the default.

    Returns
    -------
    polars.DataFrame
        :data:`REVEALED_SCHEMA`, one row per user with a decision, sorted by user_id. n_decisions counts
        rows with an order, n_informative those of the latest 250 that showed a choice; losses (nats a
        decision, relative to the random trader's) are null without one.
    """
    log_p = choice_model(decisions)
    # Only differences to the random trader count; they also compare between users.
    log_p = log_p - log_p[:, -1:]
    x, user, user_ids = decisions.x, decisions.user, decisions.user_ids
    weights = decision_weights(decisions, log_p)
    fitted = fit_adapters(
        x, log_p, user, weights, population.head, population.fit, population.seed, users=len(user_ids)
    )
    posterior = user_posteriors(
        adapted_logits(x, user, population.head, fitted.values),
        log_p,
        user,
        weights,
        choice_strength(decisions),
        users=len(user_ids),
        random_share=population.fit.random_share,
    )
    has_order = decisions.rows["has_order"].to_numpy()
    columns = {
        "user_id": user_ids,
        "model_id": [model_id] * len(user_ids),
        "n_decisions": np.bincount(user[has_order], minlength=len(user_ids)),
        "n_informative": posterior.n_informative,
        "adapter": pl.Series(fitted.values, dtype=pl.Array(pl.Float32, fitted.values.shape[1])),
        **{f"responsibility_{name}": posterior.probabilities[:, i] for i, name in enumerate(OBJECTIVES)},
        "loss_before": pl.Series(fitted.loss_before).fill_nan(None),
        "loss_after": pl.Series(fitted.loss_after).fill_nan(None),
        "n_revealed": posterior.n_revealed,
        "identified": population.identified(posterior),
        "confidence": posterior.probabilities.max(axis=1),
        "mean_evidence": posterior.mean_evidence,
    }
    return pl.DataFrame(columns).select(pl.col(name).cast(dtype) for name, dtype in REVEALED_SCHEMA.items())
