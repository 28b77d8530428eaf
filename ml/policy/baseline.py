"""What the market gave everybody: a baseline that takes the common noise out of rewards.

What belongs here: the baseline. What does not: advantages (``gae.py``), the learned values (``model.py``).

Portfolios of one universe meet the same prices at the same time, so that most of what one of them earns in a week
says nothing about its own action. The mean of the others with the same objective is such a baseline: it does not
depend on the portfolio's own actions, so that the policy gradient keeps its mean and loses variance (a control
variate by common random numbers; Greensmith, Bartlett & Baxter 2004).
"""

import torch

_LEAST_OTHERS = 0.5  # weight of others pursuing the objective below which there is no baseline


def universe_baseline(reward: torch.Tensor, mix: torch.Tensor, universes: int) -> torch.Tensor:
    """Mean reward of the other portfolios of the universe, weighted by how much they pursue the objective.

    Parameters
    ----------
    reward : Tensor of shape (T, B, K)
        Portfolio b lies in universe ``b // (B / universes)``.
    mix : Tensor of shape (B, K)
        Weights of the objectives.
    universes : int
        G; divides B.

    Returns
    -------
    Tensor of shape (T, B, K)
        0 where the others' weights sum to less than a half.
    """
    weeks, count, objectives = reward.shape
    if count % universes:
        raise ValueError(f"{count} portfolios do not fill {universes} universes evenly")
    weight = mix.view(universes, -1, objectives)
    weighted = reward.view(weeks, universes, -1, objectives) * weight
    others = weight.sum(1, keepdim=True) - weight
    mean = (weighted.sum(2, keepdim=True) - weighted) / others.clamp(min=_LEAST_OTHERS)
    return torch.where(others >= _LEAST_OTHERS, mean, 0).view_as(reward)
