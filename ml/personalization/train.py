"""Train the shared head on a simulated population and judge it on another that it never saw.

What belongs here: profiles, the held-out table, the checkpoint folder. What does not: the head
(``population.py``), the simulation (``simulated.py``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from ml.features.behaviour import behaviour_counts
from ml.features.decisions import Decisions, user_decisions
from ml.personalization.evidence import revealed_probabilities
from ml.personalization.population import (
    PopulationConfig,
    PopulationHead,
    identification_figures,
    save_population,
    train_population,
)
from ml.personalization.serve import revealed_from_adapters
from ml.personalization.simulated import Records, simulate_records
from ml.types import OBJECTIVES

HELD_OUT_SEED_STEP: Final = 1_000


@dataclass(frozen=True, slots=True)
class TrainingProfile:
    """How much is simulated.

    Attributes
    ----------
    users, held_out_users : int
        Size of the training and of the held-out population.
    markets : int
        Markets, each with ``users / markets`` users: a head should not know one market's history.
    assets, years : int
        Of each market.
    population : PopulationConfig
    """

    users: int
    held_out_users: int
    markets: int = 1
    assets: int = 60
    years: int = 6
    population: PopulationConfig = field(default_factory=PopulationConfig)


PROFILES: Final = {
    "quick": TrainingProfile(users=1_000, held_out_users=400),
    "full": TrainingProfile(users=12_000, held_out_users=4_000, markets=4, assets=120, years=9),
}


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained head and what it is worth.

    Attributes
    ----------
    population : PopulationHead
        With all metric rows.
    table : polars.DataFrame
        Held-out users, a row per method: adapters, shared head (the same without adapters) and counted
        choices (``evidence.py``). Columns users, accuracy, log_loss, identified_share,
        accuracy_of_identified, random_trader, buy_and_hold, placebos.
    """

    population: PopulationHead
    table: pl.DataFrame


def train_personalization(
    profile: TrainingProfile,
    seed: int,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Trained:
    """Simulate, train, and compare with the counted choices on held-out users.

    Parameters
    ----------
    profile : TrainingProfile
        One of :data:`PROFILES`.
    seed : int
        Of everything.
    on_progress : callable
        Receives a line per stage.
    """
    records = []
    for market in range(profile.markets):
        users = profile.users // profile.markets
        on_progress(f"simulating {users} users on market {market + 1} of {profile.markets}")
        records.append(
            simulate_records(users=users, seed=seed + market, assets=profile.assets, years=profile.years)
        )
    decisions = joined_decisions([records_decisions(part) for part in records])
    on_progress(f"training on {decisions.rows.height} decisions of {len(decisions.user_ids)} users")
    truth = pl.concat([part.truth for part in records])
    population = train_population(decisions, truth, profile.population, seed, on_progress)
    on_progress(f"judging on {profile.held_out_users} users of another market")
    held_out = simulate_records(
        users=profile.held_out_users,
        seed=seed + HELD_OUT_SEED_STEP,
        assets=profile.assets,
        years=profile.years,
    )
    table = comparison(held_out, population)
    for row in table.iter_rows(named=True):
        figures = {name: value for name, value in row.items() if name != "method"}
        phase = f"held_out_{row['method'].replace(' ', '_')}"
        population.metrics.append({"phase": phase, "step": 0, **figures})
    return Trained(population, table)


def save_trained(folder: Path, trained: Trained, *, profile: str) -> str:
    """Write the checkpoint folder of a trained head; returns its digest."""
    return save_population(folder, trained.population, profile=profile)


def records_decisions(records: Records) -> Decisions:
    """The decisions of simulated records."""
    return user_decisions(
        records.transactions,
        records.realized_gains,
        records.as_of_date,
        accounts=records.accounts,
        lots=records.lots,
        prices=records.prices,
    )


def joined_decisions(parts: Sequence[Decisions]) -> Decisions:
    """Decisions of populations with ids apart, as of one."""
    return Decisions(
        pl.concat([part.rows for part in parts]).sort("user_id", "trade_date", "account_id"),
        pl.concat([part.sales for part in parts]).sort("account_id", "trade_date"),
        pl.concat([part.buys for part in parts]).sort("account_id", "trade_date"),
    )


def comparison(records: Records, population: PopulationHead) -> pl.DataFrame:
    """Judge adapters, the shared head alone and counted choices on the same users.

    Parameters
    ----------
    records : Records
        A population that the head has not seen.
    population : PopulationHead

    Returns
    -------
    polars.DataFrame
        As :attr:`Trained.table`.
    """
    decisions = records_decisions(records)
    without = replace(population, fit=replace(population.fit, steps=0))
    adapters, shared = (
        revealed_from_adapters(decisions, head, model_id="held out").select(
            "user_id", "identified", *_responsibilities()
        )
        for head in (population, without)
    )
    counted = revealed_probabilities(
        behaviour_counts(
            records.transactions,
            records.realized_gains,
            records.as_of_date,
            accounts=records.accounts,
            lots=records.lots,
            prices=records.prices,
        )
    )
    frames = {
        "adapters": adapters,
        "shared head": shared,
        "counted choices": pl.DataFrame(
            {
                "user_id": counted.user_ids,
                "identified": counted.identified,
                **{name: counted.probabilities[:, i] for i, name in enumerate(_responsibilities())},
            }
        ),
    }
    both = adapters.select("user_id").join(frames["counted choices"], on="user_id", how="semi")
    return pl.DataFrame([_judged(name, frame, both, records.truth) for name, frame in frames.items()])


def _responsibilities() -> list[str]:
    return [f"responsibility_{name}" for name in OBJECTIVES]


def _judged(method: str, frame: pl.DataFrame, users: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Any]:
    joined = users.join(frame, on="user_id").join(truth, on="user_id").sort("user_id")
    probabilities = joined.select(_responsibilities()).to_numpy()
    figures = identification_figures(
        probabilities, joined["identified"].to_numpy(), np.asarray(joined["archetype"].to_list())
    )
    return {"method": method, "users": joined.height, **figures}
