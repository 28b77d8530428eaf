"""Likelihood of decisions under a mixture of objectives, and its gradient.

What belongs here: p~_k = (1 - e) p_k + e p_0, the loss - sum_t w_t log sum_k pi_k p~_k(a_t), who is
responsible for a decision. What does not: where log p_k comes from (``choice_model.py``), parameters
(``lora.py``).
"""

from typing import Final

import numpy as np
import torch

_VECTOR: Final = 16
"""float32 numbers in a CPU's widest vector."""


def mixed_log_p(log_p: np.ndarray, random_share: float) -> np.ndarray:
    """Mix each objective with the random trader and take the log.

    Parameters
    ----------
    log_p : ndarray of shape (D, 7)
        log p_k(a_t) of the six objectives, then log p_0(a_t).
    random_share : float
        e, the share of decisions made for reasons that no objective holds, in [0, 1].

    Returns
    -------
    ndarray of shape (D, 6)
        log((1 - e) p_k + e p_0), float64.

    Raises
    ------
    ValueError
        e outside [0, 1].
    """
    if not 0.0 <= random_share <= 1.0:
        raise ValueError(f"random_share {random_share} is outside [0, 1]")
    log_p = np.asarray(log_p, dtype=np.float64)
    with np.errstate(divide="ignore"):
        own, other = np.log(1.0 - random_share), np.log(random_share)
    return np.logaddexp(log_p[:, :-1] + own, log_p[:, -1:] + other)


def decision_losses(logits: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """Give - log sum_k pi_k p~_k per decision.

    Parameters
    ----------
    logits, log_p : ndarray of shape (D, 6)
        Of the head; of :func:`mixed_log_p`.

    Returns
    -------
    ndarray of shape (D,)
        float64, nats.
    """
    logits = np.asarray(logits, dtype=np.float64)
    return np.logaddexp.reduce(logits, axis=1) - np.logaddexp.reduce(logits + log_p, axis=1)


def responsibilities(logits: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """Give pi_k p~_k / sum_j pi_j p~_j per decision, (D, 6); rows sum to 1."""
    score = np.asarray(logits, dtype=np.float64) + log_p
    return np.exp(score - np.logaddexp.reduce(score, axis=1)[:, None])


def logit_gradient(logits: torch.Tensor, log_p: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Gradient of the weighed loss by the logits: w (pi - responsibility).

    By autograd, through the operations of a loss in torch: its last bits are then those of anyone who
    fits one user with them.

    Parameters
    ----------
    logits, log_p : Tensor of shape (..., T, 6)
        Logits; :func:`mixed_log_p`.
    weights : Tensor of shape (..., T)
        w_t.

    Returns
    -------
    Tensor of shape (..., T, 6)
    """
    leaf = logits.detach().requires_grad_()
    with torch.enable_grad():
        share = _log_softmax(leaf)
        loss = -(weights * torch.logsumexp(share + log_p, dim=-1)).sum()
    return torch.autograd.grad(loss, leaf)[0]


def _log_softmax(logits: torch.Tensor) -> torch.Tensor:
    """Log softmax of (..., T, 6) along the objectives.

    Along six contiguous numbers torch is eight times slower on a CPU than across whole vectors of time, with
    the same bits; what is left of a vector has other ones.
    """
    if logits.shape[-2] % _VECTOR:
        return torch.log_softmax(logits, dim=-1)
    return torch.log_softmax(logits.transpose(-1, -2), dim=-2).transpose(-1, -2).contiguous()
