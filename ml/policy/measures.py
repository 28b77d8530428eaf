"""What training says of a policy: rewards, activity and the experts' load, and when that is collapse.

What belongs here: measures of an episode, the check. What does not: alarms on served portfolios
(``alarms.py``).
"""

import math
from typing import Any, Final

import torch

from ml.policy.episodes import Episode
from ml.types import EXPERTS, OBJECTIVES

MIN_ACTIVE_SHARE: Final = 0.05
EXPERT_LOAD_BOUNDS: Final = (0.02, 0.9)


class CollapseError(RuntimeError):
    """A policy that says the same to everyone; the message gives the measure and the remedy."""


def objective_means(values: torch.Tensor, mix: torch.Tensor) -> dict[str, float]:
    """Mean of (..., B, 6) values by objective, weighted by the portfolios' mixes (B, 6)."""
    weight = mix.expand_as(values)
    axes = tuple(range(values.dim() - 1))
    means = (weight * values).sum(axes) / weight.sum(axes).clamp(min=1e-12)
    return {name: float(means[i]) for i, name in enumerate(OBJECTIVES)}


def active_share(target: torch.Tensor, is_tradeable: torch.Tensor) -> torch.Tensor:
    """Distance to equal weight, 0.5 sum |w - 1 / N| over N tradeable assets, cash counting in full.

    Parameters
    ----------
    target : Tensor of shape (..., N + 1)
    is_tradeable : Tensor of shape (..., N)

    Returns
    -------
    Tensor of shape (...)
    """
    tradeable = is_tradeable.to(target.dtype)
    even = tradeable / tradeable.sum(-1, keepdim=True).clamp(min=1)
    return 0.5 * ((target[..., :-1] - even).abs().sum(-1) + target[..., -1])


def expert_load(experts: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """Mean share of each expert by objective, (6, 4), of shares (B, 4) and mixes (B, 6)."""
    return mix.T @ experts / mix.sum(0).clamp(min=1e-12)[:, None]


def episode_measures(episode: Episode) -> dict[str, float]:
    """Weekly reward by objective, active share (also by objective) and turnover of an episode."""
    mix = episode.players.mix
    rewards = {f"reward_{name}": x for name, x in objective_means(episode.reward, mix).items()}
    share = active_share(episode.target, episode.is_tradeable)
    by_objective = objective_means(share[..., None].expand(*share.shape, len(OBJECTIVES)), mix)
    return {
        **rewards,
        "active_share": float(share.mean()),
        **{f"active_share_{name}": x for name, x in by_objective.items()},
        "turnover": float(episode.turnover.mean()),
    }


def load_measures(load: torch.Tensor) -> dict[str, float]:
    """The cells of an expert load (6, 4) by name."""
    return {
        f"load_{objective}_{expert}": float(load[i, k])
        for i, objective in enumerate(OBJECTIVES)
        for k, expert in enumerate(EXPERTS)
    }


def check_collapse(row: dict[str, Any], load: torch.Tensor) -> None:
    """Raise where a policy has collapsed.

    Parameters
    ----------
    row : dict
        With ``step`` and ``active_share``.
    load : Tensor of shape (6, 4)
        Expert load by objective.

    Raises
    ------
    CollapseError
        Not finite, mean active share below 0.05, or an expert's mean load outside [0.02, 0.9].
    """
    where = f"at step {row['step']}"
    if not math.isfinite(row["active_share"]) or not bool(torch.isfinite(load).all()):
        raise CollapseError(f"weights of the policy are not finite {where}: lower TrainConfig.rate")
    if row["active_share"] < MIN_ACTIVE_SHARE:
        raise CollapseError(
            f"mean active share {row['active_share']:.3f} {where} is below {MIN_ACTIVE_SHARE}: the policy holds "
            "equal weight; raise LossWeights.experts or lower LossWeights.entropy"
        )
    low, high = EXPERT_LOAD_BOUNDS
    for k, name in enumerate(EXPERTS):
        share = float(load[:, k].mean())
        if not low <= share <= high:
            raise CollapseError(
                f"expert {name!r} has a mean load of {share:.3f} {where}, outside [{low}, {high}]: raise "
                "LossWeights.load_balance or LossWeights.intent"
            )
