"""Warm start: the expert heads learn the analytic experts, the router the fixed router.

What belongs here: the behaviour that shows the teachers many states, and the loss of behaviour cloning.
What does not: the teachers (``teachers.py``), the loop (``train.py``).
"""

from typing import Final

import torch
from torch.nn.functional import cross_entropy

from ml.policy.dirichlet import standard_gamma
from ml.policy.episodes import Action, Actor, fixed_router
from ml.policy.model import BUY, HOLD, SELL, MoEPolicy
from ml.policy.observation import Observation
from ml.policy.ppo import divergence, router_losses
from ml.types import EXPERTS

ACTION_BAND: Final = 0.01
ACTION_BAND_RATIO: Final = 0.2
"""A trade within 1 % of value or within 20 % of the larger weight is a hold, as in the night."""
_HOLD_WEIGHT: Final = 0.2


def wandering_actor(count: int, generator: torch.Generator) -> Actor:
    """Each portfolio follows its own blend of the experts, sometimes all the way, sometimes not at all.

    Parameters
    ----------
    count : int
        B.
    generator : torch.Generator
        On the device of the portfolios.
    """
    device = generator.device
    raw = standard_gamma(torch.full((count, len(EXPERTS)), 0.5, device=device), generator)
    experts = raw / raw.sum(1, keepdim=True).clamp(min=1e-12)

    def act(seen: Observation, teacher: torch.Tensor) -> Action:
        wanted = torch.einsum("bk,bkn->bn", experts, teacher)
        pace = torch.rand(count, 1, generator=generator, device=device) * 1.5 - 0.25
        target = seen.weight + pace.clamp(0, 1) * (wanted - seen.weight)
        return Action.fixed(target / target.sum(1, keepdim=True).clamp(min=1e-12))

    return act


def shared_actor(first: Actor, second: Actor) -> Actor:
    """Portfolios at even places follow the first actor, the others the second."""

    def act(seen: Observation, teacher: torch.Tensor) -> Action:
        one, two = first(seen, teacher), second(seen, teacher)
        even = torch.arange(len(one.log_prob), device=one.log_prob.device) % 2 == 0
        return Action.fixed(torch.where(even[:, None], one.target, two.target))

    return act


def action_labels(target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Which of buy, hold and sell a target is, by asset.

    Parameters
    ----------
    target, weight : Tensor of shape (..., N)

    Returns
    -------
    Tensor of shape (..., N)
        int64 positions in :data:`ml.types.ACTIONS`.
    """
    change = target - weight
    band = torch.minimum(
        torch.full_like(weight, ACTION_BAND), ACTION_BAND_RATIO * torch.maximum(weight, target)
    )
    label = torch.full_like(change, HOLD, dtype=torch.int64)
    label = torch.where(change > band, BUY, label)
    return torch.where(change < -band, SELL, label)


def warm_loss(
    model: MoEPolicy, seen: Observation, teacher: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss of behaviour cloning on B decisions.

    The divergence of each expert's portfolio from its teacher's, that of the mixture from the teachers'
    blend, the router's, and for the hold logit alone (buy and sell are fixed by z) a cross-entropy with what
    the teacher does.

    Parameters
    ----------
    model : MoEPolicy
    seen : Observation
    teacher : Tensor of shape (B, 4, N + 1)

    Returns
    -------
    loss : Tensor of shape ()
    terms : dict of str to Tensor of shape ()
        Detached: kl_<expert>, kl_experts (of the blend), hold, intent.
    """
    output = model(seen)
    per_expert = divergence(teacher, model.expert_actions(output, seen)).mean(0)
    shares = fixed_router(seen.mix)
    mixed = divergence(torch.einsum("bk,bkn->bn", shares, teacher), model.mean_action(output, seen)).mean()
    intent = router_losses(output, shares)["intent"]
    hold = _hold_loss(output.expert_logits, seen, teacher)
    loss = per_expert.sum() + mixed + intent + _HOLD_WEIGHT * hold
    terms = {f"kl_{name}": per_expert[k] for k, name in enumerate(EXPERTS)}
    terms |= {"kl_experts": mixed, "hold": hold, "intent": intent}
    return loss, {name: term.detach() for name, term in terms.items()}


def _hold_loss(logits: torch.Tensor, seen: Observation, teacher: torch.Tensor) -> torch.Tensor:
    fixed = logits.detach()
    free = torch.stack([logits[..., a] if a == HOLD else fixed[..., a] for a in range(logits.shape[-1])], -1)
    labels = action_labels(teacher[..., :-1], seen.weight[:, None, :-1].expand_as(teacher[..., :-1]))
    loss = cross_entropy(free.flatten(0, 2), labels.flatten(), reduction="none").view_as(labels)
    counts = seen.is_tradeable[:, None].expand_as(labels)
    return (loss * counts).sum() / counts.sum().clamp(min=1)
