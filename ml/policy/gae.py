"""Generalised advantage estimation (Schulman et al. 2016, arXiv 1506.02438).

What belongs here: advantages and returns of episodes. What does not: losses (``ppo.py``).
"""

import torch


def generalised_advantages(
    reward: torch.Tensor, value: torch.Tensor, gamma: torch.Tensor, lam: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Advantages of one episode per portfolio, whose end is a cut and no end: it bootstraps.

    Parameters
    ----------
    reward : Tensor of shape (T, B, K)
        K reward streams.
    value : Tensor of shape (T + 1, B, K)
        Values; the last row bootstraps.
    gamma : Tensor of shape (K,)
        Discount of each stream.
    lam : float
        Lambda of the estimator.

    Returns
    -------
    advantage, returns : Tensor of shape (T, B, K)
        ``returns = advantage + value[:-1]``.
    """
    delta = reward + gamma * value[1:] - value[:-1]
    advantage = torch.empty_like(delta)
    running = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        running = delta[t] + gamma * lam * running
        advantage[t] = running
    return advantage, advantage + value[:-1]


def normalised_by_objective(advantage: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """Bring each objective's advantages to mean 0 and deviation 1 over the portfolios that pursue it.

    Parameters
    ----------
    advantage : Tensor of shape (..., B, K)
    mix : Tensor of shape (B, K)
        Weights of the objectives.

    Returns
    -------
    Tensor of shape (..., B)
        Sum of the normalised advantages, weighted by each portfolio's mix.
    """
    weight = mix.expand_as(advantage)
    axes = tuple(range(advantage.dim() - 1))
    total = weight.sum(axes).clamp(min=1e-12)
    mean = (weight * advantage).sum(axes) / total
    deviation = ((weight * (advantage - mean) ** 2).sum(axes) / total).sqrt()
    return (weight * (advantage - mean) / deviation.clamp(min=1e-8)).sum(-1)


def normalised(advantage: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """Weigh advantages (..., B, K) by each portfolio's mix (B, K) and bring all to mean 0 and deviation 1, (..., B)."""
    pursued = (mix * advantage).sum(-1)
    return (pursued - pursued.mean()) / pursued.std(correction=0).clamp(min=1e-8)
