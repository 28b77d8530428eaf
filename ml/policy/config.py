"""Settings of the policy network and of its training.

What belongs here: sizes, schedules and the two profiles. What does not: rewards and tax conventions
(``env_config.py``), anything that computes.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

TRENDS_ANN: Final = (0.0, 0.04, 0.08)
"""``trend_ann`` of the simulated training markets, in turn: without a trend no signal of price is worth a trade, with
0.06 the winners of twelve months lead equal weight by about 2 % a year before tax (measured)."""


VALIDATED_ONE_IN: Final = 8


def is_left_out(count: int) -> list[bool]:
    """Which of a training's spans of time are left out to choose the network by: every eighth, of fewer the last.

    A single span is not left out.
    """
    place = min(VALIDATED_ONE_IN, count) - 1
    return [count > 1 and number % VALIDATED_ONE_IN == place for number in range(count)]


class PolicyConfigError(ValueError):
    """A stored configuration of another version; the message names the fields."""


@dataclass(frozen=True)
class PolicyConfig:
    """Sizes of the network.

    Attributes
    ----------
    hidden : int
        Width of the trunk.
    head_hidden : int
        Width of each expert head, of the router and of the value heads.
    z_limit : float
        Buy minus sell logits are clamped to this size.
    kappa_start : float
        Concentration of the Dirichlet at the start of training; learned per objective from there.
    """

    hidden: int = 64
    head_hidden: int = 32
    z_limit: float = 6.0
    kappa_start: float = 1500.0

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PolicyConfig":
        """From :meth:`as_dict`.

        Raises
        ------
        PolicyConfigError
            Names that are missing or unknown.
        """
        known = {one.name for one in fields(cls)}
        if set(values) != known:
            raise PolicyConfigError(
                f"policy sizes {sorted(set(values) ^ known)} are missing or unknown: "
                "train the policy anew (taxloom train --phase policy)"
            )
        return cls(**values)


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts in PPO; pairs are the values at the first and the last iteration.

    Attributes
    ----------
    value : float
        Squared error of the values, in standard deviations of the return.
    entropy : tuple of float
        Bonus on the Dirichlet's entropy per asset; annealed to 0.
    experts : tuple of float
        Divergence from the blend of the analytic experts.
    load_balance : float
        Router: squared distance of the batch's mean expert shares from those of the fixed router.
    router_z : float
        Router: squared log-sum-exp of its logits, which keeps them from growing.
    intent : float
        Router: cross-entropy with the fixed router's row of the mix.
    """

    value: float = 0.5
    entropy: tuple[float, float] = (1e-3, 0.0)
    experts: tuple[float, float] = (0.5, 0.05)
    load_balance: float = 0.05
    router_z: float = 1e-4
    intent: float = 0.2


@dataclass(frozen=True)
class TrainConfig:
    """One training run; with the panels and the seed it fixes the weights on one kind of device.

    Attributes
    ----------
    profile : str
        Name of the set of values; recorded in the checkpoint.
    policy : PolicyConfig
    weights : LossWeights
    ranges : int
        Spans of time drawn, over all panels.
    universes_per_range, assets, weeks : int
        Universes drawn in each span, their assets and weekly decisions.
    universes, per_universe : int
        Universes of one rollout and portfolios in each: B is their product.
    mixed_share : float
        Share of portfolios whose mix is drawn from a Dirichlet; the others pursue one objective, in
        equal numbers.
    warm_rounds, warm_steps : int
        Rollouts that the warm start learns from, and optimiser steps after each.
    iterations, epochs : int
        PPO: rollouts and passes over each.
    warm_batch, batch : int
        Decisions in one optimiser step of the warm start, of PPO.
    warm_rate, rate : float
        Learning rates of Adam; the second falls linearly to a tenth.
    clip : float
        Of the probability ratio.
    target_kl : float
        An iteration ends with the epoch in which the mean divergence from the rollout's policy passes it.
    gae_lambda : float
    scales_by_objective : bool
        Bring the advantages of each objective to one scale; else those of all together.
    universe_baseline : bool
        Take out of each reward what the universe's other portfolios with the objective earned.
    clip_norm : float
    save_every : int
        Iterations between training states.
    validate_every : int
        PPO: iterations between validations; the network that did best on spans left out of training is kept, the
        warm start's among them. 0: no validation, the last network is kept.
    """

    profile: str = "quick"
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    ranges: int = 10
    universes_per_range: int = 4
    assets: int = 24
    weeks: int = 39
    universes: int = 32
    per_universe: int = 12
    mixed_share: float = 0.25
    warm_rounds: int = 3
    warm_steps: int = 120
    iterations: int = 6
    epochs: int = 2
    warm_batch: int = 512
    batch: int = 1024
    warm_rate: float = 3e-3
    rate: float = 1e-4
    clip: float = 0.2
    target_kl: float = 0.05
    gae_lambda: float = 0.95
    scales_by_objective: bool = True
    universe_baseline: bool = True
    clip_norm: float = 0.5
    save_every: int = 10
    validate_every: int = 1

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


PROFILES: Final = {
    "quick": TrainConfig(),
    "walkforward": TrainConfig(
        profile="walkforward",
        ranges=24,
        weeks=52,
        per_universe=24,
        warm_rounds=4,
        warm_steps=150,
        iterations=8,
        warm_batch=1024,
        batch=4096,
    ),
    "full": TrainConfig(
        profile="full",
        policy=PolicyConfig(hidden=128, head_hidden=64),
        weights=LossWeights(experts=(0.2, 0.01)),
        ranges=25,
        universes_per_range=16,
        assets=32,
        weeks=65,
        universes=128,
        per_universe=24,
        warm_rounds=6,
        warm_steps=250,
        iterations=60,
        epochs=3,
        warm_batch=2048,
        batch=8192,
        warm_rate=2e-3,
    ),
}
