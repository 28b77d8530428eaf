"""The mix of objectives that is served: population, revealed and stated, by the Dirichlet rule.

What belongs here: the rule, its constants, and the rows of ``ml.user_mixes``. What does not: how
trades become probabilities (``evidence.py``), how words become objectives (``ml/intent``).

    a = 5 * population + n_revealed * revealed + n_stated * (0.8 primary + 0.2 secondary)
    mix = a / sum(a);  n_stated = 50, halving every 18 months since the statement

A statement without a second objective counts in full for the first. The statement used is the
user's latest that names an objective: a later note about cash does not revoke a goal.
"""

from datetime import date
from typing import Final

import numpy as np
import polars as pl

from ml.personalization.evidence import POPULATION_VERSION, population_vector, revealed_probabilities
from ml.simplex import decimal_series, normalize_rows, quantize_simplex
from ml.types import OBJECTIVES

POPULATION_STRENGTH: Final = 5.0
STATED_STRENGTH: Final = 50.0
STATED_HALF_LIFE_MONTHS: Final = 18.0
DAYS_PER_MONTH: Final = 365.25 / 12.0
PRIMARY_SHARE: Final = 0.8

_WEIGHT = pl.Decimal(12, 9)
MIX_SCHEMA: dict[str, pl.DataType] = {
    "as_of_date": pl.Date(),
    "user_id": pl.String(),
    **{f"p_{name}": _WEIGHT for name in OBJECTIVES},
    **{f"revealed_{name}": _WEIGHT for name in OBJECTIVES},
    "identified": pl.Boolean(),
    "confidence": _WEIGHT,
    "n_revealed": pl.Float64(),
    "n_stated": pl.Float64(),
    "stated_objective": pl.String(),
    "disagreement": pl.Float64(),
    "population_version": pl.String(),
    "revealed_by": pl.String(),
}
# Values of revealed_by: what the revealed part rests on, and why it is not the adapter where it is not.
BY_ADAPTER: Final = "adapter"
BY_COUNTS: Final = "counted choices: no adapter model"
BY_COUNTS_NO_DECISION: Final = "counted choices: no decision of the user showed a choice"


def stated_strength(days_since: np.ndarray) -> np.ndarray:
    """Weigh a statement in equivalent choices.

    Parameters
    ----------
    days_since : ndarray of shape (U,)
        Calendar days since ``stated_at``, >= 0; nan = nothing stated.

    Returns
    -------
    ndarray of shape (U,)
        50 on the day, 25 after 18 months; 0 where nothing was stated.
    """
    months = np.maximum(np.asarray(days_since, dtype=np.float64), 0.0) / DAYS_PER_MONTH
    return np.where(
        np.isnan(months), 0.0, STATED_STRENGTH * 0.5 ** (np.nan_to_num(months) / STATED_HALF_LIFE_MONTHS)
    )


def stated_vectors(primary: np.ndarray, secondary: np.ndarray) -> np.ndarray:
    """Give the distribution that a statement names.

    Parameters
    ----------
    primary, secondary : ndarray of shape (U,)
        int positions in :data:`ml.types.OBJECTIVES`; -1 = none.

    Returns
    -------
    ndarray of shape (U, 6)
        0.8 and 0.2, or 1 for a primary alone; a row of zeros without a primary.
    """
    rows = np.arange(len(primary))
    vectors = np.zeros((len(primary), len(OBJECTIVES)))
    both = (primary >= 0) & (secondary >= 0) & (secondary != primary)
    vectors[rows[primary >= 0], primary[primary >= 0]] = 1.0
    vectors[rows[both], primary[both]] = PRIMARY_SHARE
    vectors[rows[both], secondary[both]] = 1.0 - PRIMARY_SHARE
    return vectors


def dirichlet_mix(
    revealed: np.ndarray, n_revealed: np.ndarray, stated: np.ndarray, n_stated: np.ndarray
) -> np.ndarray:
    """Combine population, revealed and stated objectives.

    Parameters
    ----------
    revealed, stated : ndarray of shape (U, 6)
        Distributions; rows may be zero where the strength is 0.
    n_revealed, n_stated : ndarray of shape (U,)
        Strengths, >= 0.

    Returns
    -------
    ndarray of shape (U, 6)
        Rows sum to 1; the population where both strengths are 0.
    """
    weights = (
        POPULATION_STRENGTH * population_vector()
        + n_revealed[:, None] * revealed
        + n_stated[:, None] * stated
    )
    return normalize_rows(weights)


def user_mixes(
    users: pl.DataFrame,
    counts: pl.DataFrame,
    intents: pl.DataFrame,
    *,
    as_of_date: date,
    revealed: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Compute the rows of ``ml.user_mixes`` for a night.

    Parameters
    ----------
    users : polars.DataFrame
        user_id; repeated rows (tax years) count once.
    counts : polars.DataFrame
        From :func:`ml.features.behaviour.behaviour_counts`; users without a row have no history.
    intents : polars.DataFrame
        ``ml.parsed_intents`` of the night: user_id, statement_id, stated_at, objective, secondary.
    as_of_date : datetime.date
        The night; it ages the statements.
    revealed : polars.DataFrame, optional
        From :func:`ml.personalization.serve.revealed_from_adapters`: takes the place of the counted
        choices for users with an informative decision. None: counted choices for all.

    Returns
    -------
    polars.DataFrame
        :data:`MIX_SCHEMA`, one row per user of ``users`` or ``counts``, sorted by user_id. p_ and
        revealed_ sum to exactly 1; revealed_, confidence and disagreement are null for users without
        a choice, disagreement also without a stated objective. revealed_by says what the revealed part
        rests on.
    """
    frame = (
        pl.concat([users.select("user_id"), counts.select("user_id")])
        .unique()
        .sort("user_id")
        .join(_latest_objective(intents, as_of_date), on="user_id", how="left")
    )
    position = {name: i for i, name in enumerate(OBJECTIVES)}
    primary, secondary = (
        frame[name].replace_strict(position, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
        for name in ("objective", "secondary")
    )
    stated = stated_vectors(primary, secondary)
    n_stated = np.where(primary >= 0, stated_strength(frame["days_since"].cast(pl.Float64).to_numpy()), 0.0)
    chosen, n_revealed, n_choices, identified, by_adapter = _align(frame["user_id"], counts, revealed)
    mix = dirichlet_mix(chosen, n_revealed, stated, n_stated)
    distance = 0.5 * np.abs(stated - chosen).sum(axis=1)
    is_known = n_choices > 0.0
    columns = [
        pl.repeat(as_of_date, frame.height, dtype=pl.Date, eager=True).alias("as_of_date"),
        frame["user_id"],
    ]
    columns += _decimal_columns("p_", mix, np.ones(frame.height, dtype=bool))
    columns += _decimal_columns("revealed_", chosen, is_known)
    columns += [
        pl.Series("identified", identified),
        pl.Series("n_revealed", n_revealed.round(9)),
        pl.Series("n_stated", n_stated.round(9)),
        frame["objective"].alias("stated_objective"),
        _nullable("disagreement", distance.round(9), is_known & (primary >= 0)),
        pl.repeat(POPULATION_VERSION, frame.height, dtype=pl.String, eager=True).alias("population_version"),
        pl.select(
            pl.when(pl.Series(by_adapter))
            .then(pl.lit(BY_ADAPTER))
            .otherwise(pl.lit(BY_COUNTS if revealed is None else BY_COUNTS_NO_DECISION))
            .alias("revealed_by")
        ).to_series(),
    ]
    result = pl.DataFrame(columns)
    largest = pl.max_horizontal(*(f"revealed_{name}" for name in OBJECTIVES)).alias("confidence")
    return result.with_columns(largest).select(pl.col(name).cast(dtype) for name, dtype in MIX_SCHEMA.items())


def _latest_objective(intents: pl.DataFrame, as_of_date: date) -> pl.DataFrame:
    """Each user's latest statement that names an objective, with its age in days."""
    stated_at = pl.col("stated_at")
    if getattr(intents.schema["stated_at"], "time_zone", None):
        stated_at = stated_at.dt.convert_time_zone("America/New_York")
    stated_on = stated_at.cast(pl.Date)
    return (
        intents.filter(pl.col("objective").is_not_null() & (stated_on <= as_of_date))
        .sort("user_id", "stated_at", "statement_id")
        .group_by("user_id", maintain_order=True)
        .last()
        .select(
            "user_id",
            "objective",
            "secondary",
            (pl.lit(as_of_date) - stated_on).dt.total_days().alias("days_since"),
        )
    )


def _align(
    user_ids: pl.Series, counts: pl.DataFrame, adapters: pl.DataFrame | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bring what trades reveal into the order of the users; the population for users without counts.

    Returns probabilities (U, 6), strength, choices, identified, and whether the adapter says it; (U,) each.
    """
    counted = revealed_probabilities(counts)
    probabilities = np.tile(population_vector(), (len(user_ids), 1))
    strength, choices = np.zeros(len(user_ids)), np.zeros(len(user_ids))
    identified, by_adapter = (np.zeros(len(user_ids), dtype=bool) for _ in range(2))
    into, row = _places(user_ids, counted.user_ids)
    probabilities[into] = counted.probabilities[row]
    strength[into] = counted.n_revealed[row]
    choices[into] = counted.n_choices[row]
    identified[into] = counted.identified[row]
    if adapters is not None:
        known = adapters.filter(pl.col("n_informative") > 0)
        into, row = _places(user_ids, known["user_id"].to_list())
        probabilities[into] = known.select(f"responsibility_{name}" for name in OBJECTIVES).to_numpy()[row]
        strength[into] = known["n_revealed"].to_numpy()[row]
        choices[into] = known["n_informative"].to_numpy()[row]
        identified[into] = known["identified"].to_numpy()[row]
        by_adapter[into] = True
    return probabilities, strength, choices, identified, by_adapter


def _places(user_ids: pl.Series, found: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the users that were found, and where each was found."""
    place = {user: i for i, user in enumerate(found)}
    row = np.array([place.get(user, -1) for user in user_ids.to_list()], dtype=np.int64)
    into = np.flatnonzero(row >= 0)
    return into, row[into]


def _decimal_columns(prefix: str, rows: np.ndarray, is_known: np.ndarray) -> list[pl.Series]:
    """Six exact DECIMAL(12,9) columns; null where unknown."""
    units = quantize_simplex(rows)
    keep = pl.Series(is_known)
    exact = {prefix + name: decimal_series(name, units[:, i]) for i, name in enumerate(OBJECTIVES)}
    return [pl.select(pl.when(keep).then(column).alias(name)).to_series() for name, column in exact.items()]


def _nullable(name: str, values: np.ndarray, is_known: np.ndarray) -> pl.Series:
    return pl.select(pl.when(pl.Series(is_known)).then(pl.Series(values)).alias(name)).to_series()
