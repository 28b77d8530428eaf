"""Self-supervised losses, and the measures of collapse.

What belongs here: functions of predictions and targets. What does not: views and batches
(``dataset.py``), weights of the terms (``config.py``).
"""

from functools import cache

import torch
from torch.nn import functional

from ml.features.catalog import FEATURES

_SEEN_WEIGHT = 0.5
"""Weight of an input that the view showed, against one it hid."""
_FLAG_WEIGHT = 8.0
"""Scores have variance 1, a flag that every tenth asset has about an eighth."""
_TARGET_DEVIATION = 1.0
_IS_FLAG = tuple(spec.unit == "flag" for spec in FEATURES)


def masked_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean of `values` weighted by `weight` of the same shape; 0 where all weights are."""
    weight = weight.to(values.dtype)
    return (torch.where(weight > 0, values, 0.0) * weight).sum() / weight.sum().clamp(min=1.0)


def patch_loss(predicted: torch.Tensor, actual: torch.Tensor, is_hidden: torch.Tensor) -> torch.Tensor:
    """Huber loss of the channels of hidden days.

    Parameters
    ----------
    predicted, actual : Tensor of shape (B, N, 64, 5)
    is_hidden : Tensor of shape (B, N, 64, 5)
        bool; hidden from the view and known.
    """
    return masked_mean(functional.smooth_l1_loss(predicted, actual, reduction="none"), is_hidden)


def feature_loss(
    predicted: torch.Tensor, scores: torch.Tensor, is_hidden: torch.Tensor, is_asset: torch.Tensor
) -> torch.Tensor:
    """Squared error of the 50 features, of flags in units of a typical flag's variance.

    Hidden features count double: predicting them needs what the others say, while the rest keeps
    momentum and volatility in the embedding.

    Parameters
    ----------
    predicted, scores : Tensor of shape (B, N, 50)
    is_hidden : Tensor of shape (B, N, 50)
        bool.
    is_asset : Tensor of shape (B, N)
        bool.
    """
    error = (predicted - scores).square() * _column_weights(predicted.device)
    weight = torch.where(is_hidden, 1.0, _SEEN_WEIGHT) * is_asset[..., None]
    return masked_mean(error, weight)


@cache
def _column_weights(device: torch.device) -> torch.Tensor:
    """(50,), copied to each device once: a captured graph cannot repeat a copy from the host."""
    return torch.where(torch.tensor(_IS_FLAG), _FLAG_WEIGHT, 1.0).to(device)


def info_nce(
    first: torch.Tensor, second: torch.Tensor, is_asset: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Contrastive loss of two views; the negatives are the other assets of the same date.

    -log exp(s_ii / T) / sum_j exp(s_ij / T) with s the cosine, both ways, over assets (van den Oord et
    al. 2018, equation 4). Other dates are no negatives: telling them apart needs only the market's state.

    Parameters
    ----------
    first, second : Tensor of shape (B, N, F)
    is_asset : Tensor of shape (B, N)
        bool.
    temperature : float
    """
    cosine = functional.normalize(first, dim=-1) @ functional.normalize(second, dim=-1).transpose(1, 2)
    # A finite stand-in for minus infinity: a date without assets must not give nan.
    logits = (cosine / temperature).masked_fill(~is_asset[:, None, :], -1e4)
    other = (cosine.transpose(1, 2) / temperature).masked_fill(~is_asset[:, None, :], -1e4)
    hit = -torch.log_softmax(logits, -1).diagonal(dim1=1, dim2=2)
    back = -torch.log_softmax(other, -1).diagonal(dim1=1, dim2=2)
    return masked_mean((hit + back) / 2, is_asset)


def known_huber(predicted: torch.Tensor, actual: torch.Tensor) -> torch.Tensor:
    """Huber loss over the cells whose target is known (not nan)."""
    known = torch.isfinite(actual)
    filled = torch.where(known, actual, 0.0)
    return masked_mean(functional.smooth_l1_loss(predicted, filled, reduction="none"), known)


def variance_covariance(z: torch.Tensor, is_asset: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two regularisers of embeddings within their dates (VICReg: Bardes et al. 2022, equations 1 and 3).

    Deviations are from the date's mean, so that assets of one date differ, not only dates.

    Returns
    -------
    variance : Tensor
        Mean over dimensions of max(0, 1 - deviation).
    covariance : Tensor
        Sum of squared off-diagonal covariances over the number of dimensions.
    """
    weight = is_asset[..., None].to(z.dtype)
    mean = (z * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
    rows = ((z - mean) * weight).reshape(-1, z.shape[-1])
    freedom = (weight.sum() - len(z)).clamp(min=1)
    covariance = rows.T @ rows / freedom
    spread = covariance.diagonal()
    deviation = (spread + 1e-4).sqrt()
    off_diagonal = covariance.square().sum() - spread.square().sum()
    return functional.relu(_TARGET_DEVIATION - deviation).mean(), off_diagonal / z.shape[-1]


def mean_cosine(z: torch.Tensor) -> torch.Tensor:
    """Mean cosine over pairs of different rows of (n, F), not centred; n of at least 2."""
    unit = functional.normalize(z.double(), dim=-1)
    n = len(unit)
    return (unit.sum(0).square().sum() - unit.square().sum()) / (n * (n - 1))


def effective_rank(z: torch.Tensor) -> torch.Tensor:
    """Effective rank of (n, F), not centred: exp of the entropy of the normalised squared singular values.

    Roy and Vetterli (2007), with squared singular values: between 1 and F.
    """
    share = torch.linalg.svdvals(z.double()).square()
    share = share / share.sum().clamp(min=1e-30)
    return torch.exp(torch.special.entr(share).sum())
