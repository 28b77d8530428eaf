"""Estimate the rates of the evidence model from households whose objective is known, and score it.

What belongs here: the estimate that wrote ``rates.py`` and the table that judges it. What does not:
generating households (``ml/simulate``) or using the rates (``evidence.py``).
"""

import numpy as np
import polars as pl

from ml.features.choices import BUY_CELLS, SALE_CELLS
from ml.personalization.evidence import read_cells, revealed_probabilities
from ml.types import OBJECTIVES

SMOOTHING = 50.0  # choices of a random trader added to every cell


def estimate_rates(counts: pl.DataFrame, truth: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Estimate how much oftener than a random trader each objective picks each cell.

    Parameters
    ----------
    counts : polars.DataFrame
        From :func:`ml.features.behaviour.behaviour_counts`.
    truth : polars.DataFrame
        user_id, archetype, second_archetype, switch_to; mixed and switching users are left out.

    Returns
    -------
    sale_rates : ndarray of shape (6, 28)
    buy_rates : ndarray of shape (6, 27)
        (chosen + 50) / (expected + 50), rounded to 2 digits; rows by :data:`ml.types.OBJECTIVES`.
    """
    pure = truth.filter(pl.col("second_archetype").is_null() & pl.col("switch_to").is_null())
    rates = []
    for prefix, expected, cells in (
        ("sold__", "sold_expected__", SALE_CELLS),
        ("bought__", "bought_expected__", BUY_CELLS),
    ):
        rows = []
        for objective in OBJECTIVES:
            users = pure.filter(pl.col("archetype") == objective).select("user_id")
            chosen, chance = read_cells(counts.join(users, on="user_id", how="semi"), prefix, expected, cells)
            rows.append((chosen.sum(axis=0) + SMOOTHING) / (chance.sum(axis=0) + SMOOTHING))
        rates.append(np.round(np.array(rows), 2))
    return rates[0], rates[1]


def confusion(counts: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Tabulate what is identified for each true archetype.

    Parameters
    ----------
    counts, truth : polars.DataFrame
        As in :func:`estimate_rates`; all users count.

    Returns
    -------
    polars.DataFrame
        One row per archetype: archetype, users, one column per objective (identified as it), and
        not_identified, top_share (share whose largest probability is the archetype's, identified or
        not; null for archetypes without an objective), mean_log_loss (likewise).
    """
    revealed = revealed_probabilities(counts)
    frame = pl.DataFrame(
        {
            "user_id": revealed.user_ids,
            "top": [OBJECTIVES[i] for i in revealed.probabilities.argmax(axis=1)],
            "identified": revealed.identified,
            **{f"p_{name}": revealed.probabilities[:, i] for i, name in enumerate(OBJECTIVES)},
        }
    ).join(truth.select("user_id", "archetype"), on="user_id")
    own = pl.coalesce(pl.when(pl.col("archetype") == name).then(pl.col(f"p_{name}")) for name in OBJECTIVES)
    has_objective = pl.col("archetype").is_in(OBJECTIVES)
    return (
        frame.with_columns(own.alias("own"))
        .group_by("archetype")
        .agg(
            pl.len().alias("users"),
            *(((pl.col("top") == name) & pl.col("identified")).sum().alias(name) for name in OBJECTIVES),
            (~pl.col("identified")).sum().alias("not_identified"),
            (pl.col("top") == pl.col("archetype")).filter(has_objective).mean().round(4).alias("top_share"),
            (-pl.col("own").log()).mean().round(4).alias("mean_log_loss"),
        )
        .sort("archetype")
    )
