"""Fit all users' adapters at once: full-batch Adam on padded blocks.

What belongs here: ragged decisions to blocks, the steps, early stopping. What does not: the loss
(``likelihood.py``), the shared head (``population.py``), what is served (``serve.py``).

On a CPU with MKL a user's adapter has the bits of a float32 fit by ``peft``, ``torch.optim.Adam`` and
autograd of that user alone. Adam divides a gradient by its own size, so a last bit of a small one grows to
some 1e-6 within 50 steps; only the same sums in the same order are close. Hence the layout (decisions by
features) and the sides of each product are peft's and autograd's; its transpose would sum in another
order. Padding then changes no bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch.nn.functional import linear

from ml.personalization.likelihood import decision_losses, logit_gradient, mixed_log_p
from ml.personalization.lora import (
    ADAPTER_SIZE,
    N_FEATURES,
    N_OBJECTIVES,
    RANK,
    Head,
    adapted_logits,
    pack,
    start_down,
)

_LENGTH_STEP: Final = 16


@dataclass(frozen=True, slots=True)
class FitConfig:
    """How adapters are fitted.

    Attributes
    ----------
    steps : int
        Full-batch steps.
    learning_rate : float
        Of Adam (betas 0.9 and 0.999, eps 1e-8).
    l2 : float
        Added to the loss: l2 * (sum A^2 + sum B^2) per user.
    random_share : float
        e of :func:`ml.personalization.likelihood.mixed_log_p`.
    tolerance : float
        Stop a block when no user's gradient exceeds this (largest entry); 0 = never, for parity with peft.
    block_rows : int
        Padded decisions fitted at once: a block should stay in the processor's cache, or fill a GPU.
    device : str
        torch device.
    dtype : str
        Of the steps, ``float32`` or ``float64``; adapters are float32 either way.
    """

    steps: int = 50
    learning_rate: float = 1e-2
    l2: float = 1e-2
    random_share: float = 0.1
    tolerance: float = 0.0
    block_rows: int = 16_384
    device: str = "cpu"
    dtype: str = "float32"


@dataclass(frozen=True, slots=True)
class Adapters:
    """Adapters of U users.

    Attributes
    ----------
    values : ndarray of shape (U, 76)
        float32, A then B; B is zero for users without a weighed decision.
    n_decisions : ndarray of shape (U,)
        int64; decisions of weight above 0.
    loss_before, loss_after : ndarray of shape (U,)
        Mean loss per unit of weight, in nats, with the shared head and with the adapter; nan without one.
    """

    values: np.ndarray
    n_decisions: np.ndarray
    loss_before: np.ndarray
    loss_after: np.ndarray


def fit_adapters(
    x: np.ndarray,
    log_p: np.ndarray,
    user: np.ndarray,
    weights: np.ndarray,
    head: Head,
    config: FitConfig,
    seed: int,
    *,
    users: int | None = None,
) -> Adapters:
    """Fit one rank-2 adapter per user.

    Parameters
    ----------
    x : ndarray of shape (D, 32)
        Features of the decisions.
    log_p : ndarray of shape (D, 7)
        log p_k of the six objectives and log p_0.
    user : ndarray of shape (D,)
        User of each decision, 0 to U - 1, in any order.
    weights : ndarray of shape (D,)
        w_t >= 0; decisions of weight 0 are skipped.
    head : Head
        The shared head.
    config : FitConfig
    seed : int
        Of the start A, the same for all users.
    users : int, optional
        U; the largest of ``user`` plus 1 if not given.

    Returns
    -------
    Adapters

    Raises
    ------
    ValueError
        Shapes that do not fit, a weight below 0 or a value that is not finite.
    """
    _check(x, log_p, user, weights)
    count = int(user.max(initial=-1)) + 1 if users is None else users
    mixed = mixed_log_p(log_p, config.random_share)
    down = start_down(seed)
    values = np.zeros((count, ADAPTER_SIZE), np.float32)
    values[:, : RANK * N_FEATURES] = down.flatten().numpy()
    used = np.flatnonzero(weights > 0)
    # Padding costs time: users of like length share a block.
    lengths = np.bincount(user[used], minlength=count)
    rows = used[np.argsort(user[used], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    padded = _padded(lengths)
    for members in _blocks(padded, config.block_rows):
        step = np.arange(int(padded[members[0]]))
        valid = step < lengths[members][:, None]
        at = rows[np.minimum(starts[members][:, None] + step, len(rows) - 1)]
        values[members] = _fit_block(
            np.where(valid[:, :, None], x[at], 0.0),
            np.where(valid[:, :, None], mixed[at], 0.0),
            np.where(valid, weights[at], 0.0),
            head,
            down,
            config,
        )
    before, after = (
        _mean_losses(logits, mixed, user, weights, count)
        for logits in (head.logits(x), adapted_logits(x, user, head, values))
    )
    return Adapters(values, lengths.astype(np.int64), before, after)


def _check(x: np.ndarray, log_p: np.ndarray, user: np.ndarray, weights: np.ndarray) -> None:
    shapes = (x.shape, log_p.shape, user.shape, weights.shape)
    rows = len(x)
    if shapes != ((rows, N_FEATURES), (rows, N_OBJECTIVES + 1), (rows,), (rows,)):
        raise ValueError(
            f"x, log_p, user, weights have shapes {shapes}; expected (D, {N_FEATURES}), "
            f"(D, {N_OBJECTIVES + 1}), (D,), (D,)"
        )
    for name, values in (("x", x), ("log_p", log_p), ("weights", weights)):
        finite = np.isfinite(values)
        bad = np.flatnonzero(~(finite if finite.ndim == 1 else finite.all(axis=1)))
        if bad.size:
            raise ValueError(f"{name} of decision {bad[0]} (user {user[bad[0]]}) is not finite")
    if (weights < 0).any():
        place = int(np.argmax(weights < 0))
        raise ValueError(f"weight {weights[place]} of decision {place} is below 0; use 0 to leave it out")


def _padded(lengths: np.ndarray) -> np.ndarray:
    """Lengths of the blocks in which users are fitted; a single decision stays alone, see ``_reduced``."""
    return np.where(lengths == 1, 1, -(-lengths // _LENGTH_STEP) * _LENGTH_STEP)


def _blocks(padded: np.ndarray, block_rows: int) -> Iterator[np.ndarray]:
    """Yield users of one padded length above 0, each block up to ``block_rows`` padded decisions."""
    order = np.argsort(padded, kind="stable")
    for length in np.unique(padded[padded > 0]):
        members = order[padded[order] == length]
        size = max(1, block_rows // int(length))
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _fit_block(
    x: np.ndarray, log_p: np.ndarray, weights: np.ndarray, head: Head, start: torch.Tensor, config: FitConfig
) -> np.ndarray:
    """Run the steps for users of one padded length: x (U, T, 32), log_p (U, T, 6), weights (U, T)."""

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, config.dtype)).to(config.device)

    features, likelihood, weight = tensor(x), tensor(log_p), tensor(weights)
    shared = _shared_logits(features, tensor(head.weight), tensor(head.bias))
    down = start.to(features).repeat(len(x), 1, 1)
    up = features.new_zeros(len(x), N_OBJECTIVES, RANK)
    adam = torch.optim.Adam([down, up], lr=config.learning_rate)
    for _ in range(config.steps):
        reduced = _reduced(features, down)
        slope = logit_gradient(shared + torch.bmm(reduced, up.transpose(1, 2)), likelihood, weight)
        up.grad = torch.bmm(slope.transpose(1, 2), reduced) + 2.0 * config.l2 * up
        below = torch.bmm(slope, up)
        down.grad = torch.bmm(below.transpose(1, 2), features) + 2.0 * config.l2 * down
        if config.tolerance > 0.0 and _largest(up.grad, down.grad) < config.tolerance:
            break
        adam.step()
    return pack(down.float(), up.float())


def _shared_logits(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Logits of the shared head, (U, T, 6); a single decision as in :func:`_reduced`."""
    if features.is_cpu and features.shape[1] == 1:
        return torch.stack([linear(one, weight, bias) for one in features])
    return linear(features, weight, bias)


def _reduced(features: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """X A^T of each user, (U, T, 2). A product of one row sums in another order than those of several.

    On CPUs it is therefore taken user by user.
    """
    if features.is_cpu and features.shape[1] == 1:
        return torch.stack([linear(one, own) for one, own in zip(features, down, strict=True)])
    return torch.bmm(features, down.transpose(1, 2))


def _largest(*gradients: torch.Tensor) -> float:
    return max(float(gradient.abs().max()) for gradient in gradients)


def _mean_losses(
    logits: np.ndarray, log_p: np.ndarray, user: np.ndarray, weights: np.ndarray, users: int
) -> np.ndarray:
    total = np.bincount(user, weights * decision_losses(logits, log_p), minlength=users)
    weight = np.bincount(user, weights, minlength=users)
    return np.divide(total, weight, out=np.full(users, np.nan), where=weight > 0)
