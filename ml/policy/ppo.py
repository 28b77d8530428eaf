"""Losses of proximal policy optimisation (Schulman et al. 2017, arXiv 1707.06347).

What belongs here: the clipped objective, the critic's loss, the router's losses, their sum on one batch
and a step down it. What does not: rollouts (``episodes.py``), the loop (``train.py``).

With one objective, no mask and the terms of torchrl's ``ClipPPOLoss`` alone, a step has the bits of its own.
"""

import math
from dataclasses import dataclass

import torch

from ml.policy.config import LossWeights
from ml.policy.dirichlet import MaskedDirichlet
from ml.policy.model import MoEPolicy, PolicyOutput, split_weights
from ml.policy.observation import Observation
from ml.policy.parallel import ALONE, Workers


@dataclass(frozen=True, slots=True)
class PpoBatch:
    """B decisions of a rollout.

    Attributes
    ----------
    seen : Observation
    share : Tensor of shape (B, N + 1)
        The Dirichlet's sample that was acted on.
    log_prob, advantage : Tensor of shape (B,)
        Log density at the rollout, normalised advantage.
    returns : Tensor of shape (B, 6)
        In units of the network's ``return_scale``.
    teacher : Tensor of shape (B, N + 1)
        Blend of the analytic experts.
    teacher_experts : Tensor of shape (B, 4)
        Shares of the fixed router.
    """

    seen: Observation
    share: torch.Tensor
    log_prob: torch.Tensor
    advantage: torch.Tensor
    returns: torch.Tensor
    teacher: torch.Tensor
    teacher_experts: torch.Tensor

    def take(self, rows: torch.Tensor) -> "PpoBatch":
        """The decisions at some positions."""
        rest = (self.share, self.log_prob, self.advantage, self.returns, self.teacher, self.teacher_experts)
        return PpoBatch(self.seen.take(rows), *(one[rows] for one in rest))


def act_distribution(model: MoEPolicy, output: PolicyOutput, seen: Observation) -> MaskedDirichlet:
    """The distribution over shares of what can be moved, cash last."""
    mask = torch.nn.functional.pad(seen.is_tradeable, (0, 1), value=True)
    return MaskedDirichlet.around(model.mean_action(output, seen), output.kappa, mask)


def target_weights(share: torch.Tensor, seen: Observation) -> torch.Tensor:
    """Target weights of sampled shares: what cannot be traded stays, (B, N + 1)."""
    _, stuck = split_weights(seen)
    return stuck + (1 - stuck.sum(1, keepdim=True)) * share


def clipped_policy_loss(
    log_prob: torch.Tensor, old_log_prob: torch.Tensor, advantage: torch.Tensor, clip: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clipped surrogate objective as a loss.

    Parameters
    ----------
    log_prob, old_log_prob, advantage : Tensor of shape (B,)
    clip : float
        The ratio counts within [1 - clip, 1 + clip].

    Returns
    -------
    loss, clip_fraction : Tensor of shape ()
    """
    log_ratio = log_prob - old_log_prob
    inside = log_ratio.clamp(math.log1p(-clip), math.log1p(clip))
    gain = torch.minimum(log_ratio.exp() * advantage, inside.exp() * advantage)
    return -gain.mean(), (log_ratio != inside).float().mean().detach()


def divergence(target: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """KL(target || weights) of portfolios along the last axis, in nats."""
    return (torch.xlogy(target, target) - target * weights.clamp(min=1e-8).log()).sum(-1)


def router_losses(output: PolicyOutput, teacher_experts: torch.Tensor) -> dict[str, torch.Tensor]:
    """Load balance, z-loss and supervised intent of the router, each of shape ()."""
    shares = output.experts
    log_shares = torch.log_softmax(output.router_logits, -1)
    return {
        "load_balance": ((shares.mean(0) - teacher_experts.mean(0)) ** 2).sum(),
        "router_z": torch.logsumexp(output.router_logits, -1).square().mean(),
        "intent": (torch.xlogy(teacher_experts, teacher_experts) - teacher_experts * log_shares)
        .sum(-1)
        .mean(),
    }


def ppo_loss(
    model: MoEPolicy, batch: PpoBatch, weights: LossWeights, clip: float, progress: float
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss of one batch.

    Parameters
    ----------
    model : MoEPolicy
    batch : PpoBatch
    weights : LossWeights
    clip : float
    progress : float
        0 at the first iteration, 1 at the last: where annealed weights stand.

    Returns
    -------
    loss : Tensor of shape ()
    terms : dict of str to Tensor of shape ()
        Detached: policy, value_loss, entropy, kl_experts, kl, clip_fraction and the router's losses.
    """
    output = model(batch.seen)
    acts = act_distribution(model, output, batch.seen)
    log_prob = acts.log_prob(batch.share)
    policy, clip_fraction = clipped_policy_loss(log_prob, batch.log_prob, batch.advantage, clip)
    value = (batch.seen.mix * (output.value - batch.returns) ** 2).sum(-1).mean()
    entropy = (acts.entropy() / acts.mask.sum(-1)).mean()
    kl_experts = divergence(batch.teacher, model.mean_action(output, batch.seen)).mean()
    router = router_losses(output, batch.teacher_experts)

    def annealed(pair: tuple[float, float]) -> float:
        return pair[0] + (pair[1] - pair[0]) * progress

    loss = policy + weights.value * value - annealed(weights.entropy) * entropy
    loss = loss + annealed(weights.experts) * kl_experts
    loss = loss + weights.load_balance * router["load_balance"]
    loss = loss + weights.router_z * router["router_z"] + weights.intent * router["intent"]
    log_ratio = log_prob.detach() - batch.log_prob
    terms = {
        "policy": policy,
        "value_loss": value,
        "entropy": entropy,
        "kl_experts": kl_experts,
        "kl": (log_ratio.exp() - 1 - log_ratio).mean(),
        "clip_fraction": clip_fraction,
        **router,
    }
    return loss, {name: term.detach() for name, term in terms.items()}


def descend(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: torch.Tensor,
    rate: float,
    clip_norm: float,
    workers: Workers = ALONE,
) -> None:
    """Take one step of the optimiser.

    Parameters
    ----------
    model : torch.nn.Module
    optimiser : torch.optim.Optimizer
        Of the model's parameters.
    loss : Tensor of shape ()
    rate : float
        Learning rate of this step.
    clip_norm : float
        Largest norm of the gradient over all parameters.
    workers : Workers
        The gradient is the mean over all of them.
    """
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    workers.average_gradients(model.parameters())
    torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimiser.step()
