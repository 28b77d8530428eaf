"""The shared objective head: trained on a population whose objectives are known, with its thresholds.

What belongs here: W and b, the checkpoint folder. What does not: simulating a population
(``simulated.py``), per-user fits (``fit.py``), choosing thresholds (``identification.py``), the profiles
(``train.py``).

W and b minimise the cross-entropy of the true objective of each decision (mixed users by share, switching
users by date); placebos without an objective are asked for the population's shares, so that what they do
reveals nothing. Maximising the likelihood of choices instead needs no labels, but names the right objective
of 58 % of held-out users, not 77 %; adding it to the cross-entropy changes nothing.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from ml.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ml.features.decision_features import DECISION_FEATURES_HASH
from ml.features.decisions import Decisions
from ml.models import PERSONALIZATION
from ml.personalization.choice_model import (
    CHOICE_MODEL_HASH,
    choice_strength,
    counted_log_p,
    decision_weights,
)
from ml.personalization.evidence import population_vector
from ml.personalization.fit import FitConfig, fit_adapters
from ml.personalization.identification import choose_thresholds
from ml.personalization.lora import N_FEATURES, N_OBJECTIVES, Head, adapted_logits
from ml.personalization.posterior import Posterior, user_posteriors
from ml.types import OBJECTIVES


@dataclass(frozen=True, slots=True)
class PopulationConfig:
    """How the head is trained and its thresholds are chosen.

    Attributes
    ----------
    decisions_per_user : int
        Decisions of each user that train W and b, evenly spaced over his own.
    l2 : float
        Added to the mean cross-entropy: l2 * sum W^2.
    iterations : int
        Of L-BFGS.
    folds : int
        Users are judged for the thresholds by a head that did not see them.
    placebo_share : float
        At most this share of random traders and buy-and-hold investors together may be identified.
    accuracy : float
        At least this share of the identified must be right.
    fit : FitConfig
        Of the adapters that the thresholds are chosen for.
    """

    decisions_per_user: int = 24
    l2: float = 3e-4
    iterations: int = 60
    folds: int = 2
    placebo_share: float = 0.03
    accuracy: float = 0.85
    fit: FitConfig = field(default_factory=lambda: FitConfig(l2=1.0))


@dataclass(frozen=True, slots=True)
class PopulationHead:
    """The trained head and everything that serving needs.

    Attributes
    ----------
    head : Head
        W and b.
    fit : FitConfig
        Of the adapters.
    seed : int
        Of their start.
    probability_threshold, evidence_threshold : float
        Identified: largest probability and mean evidence (nats a decision) both at least these.
    metrics : list of dict
        Rows (phase, step, name: value) of the training.
    """

    head: Head
    fit: FitConfig
    seed: int
    probability_threshold: float
    evidence_threshold: float
    metrics: list[dict[str, Any]]

    def identified(self, posterior: Posterior) -> np.ndarray:
        """Whether each user's objective is identified, bool (U,)."""
        return (
            (posterior.n_informative > 0)
            & (posterior.probabilities.max(axis=1) >= self.probability_threshold)
            & (posterior.mean_evidence >= self.evidence_threshold)
        )


def train_population(
    decisions: Decisions,
    truth: pl.DataFrame,
    config: PopulationConfig,
    seed: int,
    on_progress: Callable[[str], None] = lambda message: None,
) -> PopulationHead:
    """Train W and b and choose the thresholds on users judged by a head that did not see them.

    Parameters
    ----------
    decisions : Decisions
        Of the population.
    truth : polars.DataFrame
        user_id, archetype, second_archetype, second_share, switch_date, switch_to; one row per user.
    config : PopulationConfig
    seed : int
        Of the folds and of the adapters' start.
    on_progress : callable
        Receives a line per stage.

    Returns
    -------
    PopulationHead

    Raises
    ------
    ValueError
        No decision with a choice to learn from.
    """
    log_p = counted_log_p(decisions)
    weights = decision_weights(decisions, log_p)
    if not weights.any():
        raise ValueError(
            f"none of {len(weights)} decisions shows a choice: train on more users or a longer history"
        )
    x, user, users = decisions.x, decisions.user, len(decisions.user_ids)
    targets = objective_targets(decisions, truth)
    metrics: list[dict[str, Any]] = []
    fold = np.random.default_rng(seed).permutation(users) % config.folds
    logits = np.empty((len(x), N_OBJECTIVES), np.float32)
    for held_out in range(config.folds):
        learns = weights * (fold[user] != held_out)
        head, _ = _train_head(x, targets, user, learns, config)
        judged = fold[user] == held_out
        fitted = fit_adapters(
            x[judged], log_p[judged], user[judged], weights[judged], head, config.fit, seed, users=users
        )
        logits[judged] = adapted_logits(x[judged], user[judged], head, fitted.values)
        on_progress(f"fold {held_out + 1} of {config.folds}: {int((fold == held_out).sum())} users judged")
    posterior = user_posteriors(
        logits,
        log_p,
        user,
        weights,
        choice_strength(decisions),
        users=users,
        random_share=config.fit.random_share,
    )
    archetypes = _archetypes(decisions, truth)
    probability, evidence, chosen = choose_thresholds(
        posterior, archetypes, placebo_share=config.placebo_share, accuracy=config.accuracy
    )
    head, losses = _train_head(x, targets, user, weights, config)
    metrics += [{"phase": "head", "step": step, "cross_entropy": loss} for step, loss in enumerate(losses)]
    metrics.append({"phase": "thresholds", "step": 0, **chosen})
    on_progress(
        f"cross-entropy {losses[-1]:.3f}, thresholds {probability:.2f} and {evidence:.3f}: "
        f"{chosen['identified_share']:.1%} identified, {chosen['accuracy_of_identified']:.1%} of them right"
    )
    return PopulationHead(head, config.fit, seed, probability, evidence, metrics)


def objective_targets(decisions: Decisions, truth: pl.DataFrame) -> np.ndarray:
    """Give the true distribution over the objectives at each decision, float64 (D, 6)."""
    facts = decisions.rows.select("user_id", "trade_date").join(
        truth, on="user_id", how="left", maintain_order="left"
    )
    position = {name: i for i, name in enumerate(OBJECTIVES)}

    def places(expression: pl.Expr) -> np.ndarray:
        column = facts.select(
            expression.replace_strict(position, default=-1, return_dtype=pl.Int64).fill_null(-1)
        )
        return column.to_series().to_numpy()

    has_switched = (pl.col("trade_date") >= pl.col("switch_date")).fill_null(False)
    first = places(pl.when(has_switched).then("switch_to").otherwise("archetype"))
    second = places(pl.col("second_archetype"))
    share = np.where(second >= 0, facts["second_share"].fill_null(0.0).to_numpy(), 0.0)
    targets = np.tile(population_vector(), (len(first), 1))
    known = np.flatnonzero(first >= 0)
    targets[known] = 0.0
    targets[known, first[known]] = 1.0 - share[known]
    mixed = known[second[known] >= 0]
    targets[mixed, second[mixed]] += share[mixed]
    return targets


def save_population(folder: Path, population: PopulationHead, *, profile: str) -> str:
    """Write the head as a checkpoint folder; returns its digest."""
    config = {
        "kind": PERSONALIZATION,
        "profile": profile,
        "requires": {},
        "compatibility_id": f"{DECISION_FEATURES_HASH[:16]}-{CHOICE_MODEL_HASH[:16]}",
        "features_hash": DECISION_FEATURES_HASH,
        "choice_model_hash": CHOICE_MODEL_HASH,
        "fit": asdict(population.fit),
        "seed": population.seed,
        "probability_threshold": population.probability_threshold,
        "evidence_threshold": population.evidence_threshold,
    }
    tensors = {"weight": population.head.weight, "bias": population.head.bias}
    return save_checkpoint(folder, config, tensors, {"rows": population.metrics})


def load_population(folder: Path) -> PopulationHead:
    """Read a head that :func:`save_population` wrote.

    Raises
    ------
    CheckpointError
        The folder is altered, or was trained on other features or another choice model.
    """
    saved = load_checkpoint(folder)
    for name, now in (("features_hash", DECISION_FEATURES_HASH), ("choice_model_hash", CHOICE_MODEL_HASH)):
        if saved.config.get(name) != now:
            raise CheckpointError(
                f"{folder}/config.json has {name} {saved.config.get(name)!r}, this version has {now!r}: "
                "train the personalization head anew"
            )
    return PopulationHead(
        Head(saved.tensors["weight"], saved.tensors["bias"]),
        FitConfig(**saved.config["fit"]),
        saved.config["seed"],
        saved.config["probability_threshold"],
        saved.config["evidence_threshold"],
        saved.metrics["rows"],
    )


def _archetypes(decisions: Decisions, truth: pl.DataFrame) -> np.ndarray:
    users = pl.DataFrame({"user_id": decisions.user_ids})
    joined = users.join(truth, on="user_id", how="left", maintain_order="left")
    return joined["archetype"].fill_null("unknown").to_numpy()


def _train_head(
    x: np.ndarray, targets: np.ndarray, user: np.ndarray, weights: np.ndarray, config: PopulationConfig
) -> tuple[Head, list[float]]:
    """Fit W and b by L-BFGS; every user weighs alike. Returns the losses by evaluation too."""
    rows = _evenly_spaced(user, weights, config.decisions_per_user)
    count = np.bincount(user[rows])
    inputs = torch.from_numpy(x[rows])
    share = torch.from_numpy((1.0 / count[user[rows]] / (count > 0).sum()).astype(np.float32))
    wanted = torch.from_numpy(targets[rows].astype(np.float32)) * share[:, None]
    weight = torch.zeros(N_OBJECTIVES, N_FEATURES, requires_grad=True)
    bias = torch.from_numpy(np.log(population_vector()).astype(np.float32)).requires_grad_()
    search = torch.optim.LBFGS([weight, bias], max_iter=config.iterations, line_search_fn="strong_wolfe")
    losses: list[float] = []

    def loss() -> float:
        search.zero_grad()
        entropy = -(wanted * torch.log_softmax(inputs @ weight.T + bias, dim=1)).sum()
        total = entropy + config.l2 * weight.square().sum()
        total.backward()
        losses.append(float(entropy.detach()))
        return float(total.detach())

    search.step(loss)
    return Head(weight.detach().numpy(), bias.detach().numpy()), losses


def _evenly_spaced(user: np.ndarray, weights: np.ndarray, most: int) -> np.ndarray:
    """Up to ``most`` rows of weight above 0 of each user, evenly spaced over his own."""
    rows = np.flatnonzero(weights > 0)
    order = rows[np.argsort(user[rows], kind="stable")]
    count = np.bincount(user[order])
    place = np.arange(len(order)) - (np.cumsum(count) - count)[user[order]]
    total = np.maximum(count[user[order]], most)
    return order[(place * most) // total != ((place - 1) * most) // total]
