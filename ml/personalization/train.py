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
from ml.personalization.choice_model import counted_log_p, decision_weights
from ml.personalization.evidence import revealed_probabilities
from ml.personalization.fit import fit_adapters
from ml.personalization.identification import identification_figures
from ml.personalization.likelihood import decision_losses, mixed_log_p
from ml.personalization.lora import adapted_logits
from ml.personalization.population import (
    PopulationConfig,
    PopulationHead,
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
    future = future_evidence(records_decisions(held_out), population)
    population.metrics.append({"phase": "future_evidence", "step": 0, **future})
    on_progress(
        f"later choices: {future['shared_head']:.4f} nats a decision with the shared head, "
        f"{future['adapters']:.4f} with adapters"
    )
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


def future_evidence(decisions: Decisions, population: PopulationHead) -> dict[str, float]:
    """Fit adapters on the first 70 % of each user's decisions and score the rest.

    Parameters
    ----------
    decisions : Decisions
        Of users that the head has not seen.
    population : PopulationHead

    Returns
    -------
    dict of str to float
        shared_head, adapters: mean over users of the nats a decision by which the later choices are better
        explained than by the random trader; 0 without any.
    """
    log_p = counted_log_p(decisions)
    weights = decision_weights(decisions, log_p)
    x, user, users = decisions.x, decisions.user, len(decisions.user_ids)
    rows = np.flatnonzero(weights > 0)
    count = np.bincount(user[rows], minlength=users)
    place = np.arange(len(rows)) - (np.cumsum(count) - count)[user[rows]]
    later = rows[place >= 0.7 * count[user[rows]]]
    earlier = weights.copy()
    earlier[later] = 0.0
    fitted = fit_adapters(
        x, log_p, user, earlier, population.head, population.fit, population.seed, users=users
    )
    mixed = mixed_log_p(log_p[later], population.fit.random_share)
    number = np.bincount(user[later], minlength=users)

    def mean(logits: np.ndarray) -> float:
        gained = -decision_losses(logits, mixed) - log_p[later, -1]
        own = np.bincount(user[later], gained, minlength=users)[number > 0] / number[number > 0]
        return float(own.mean()) if own.size else 0.0

    return {
        "shared_head": mean(population.head.logits(x[later])),
        "adapters": mean(adapted_logits(x[later], user[later], population.head, fitted.values)),
    }


def _responsibilities() -> list[str]:
    return [f"responsibility_{name}" for name in OBJECTIVES]


def _judged(method: str, frame: pl.DataFrame, users: pl.DataFrame, truth: pl.DataFrame) -> dict[str, Any]:
    joined = users.join(frame, on="user_id").join(truth, on="user_id").sort("user_id")
    probabilities = joined.select(_responsibilities()).to_numpy()
    figures = identification_figures(
        probabilities, joined["identified"].to_numpy(), np.asarray(joined["archetype"].to_list())
    )
    return {"method": method, "users": joined.height, **figures}
