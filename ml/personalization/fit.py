"""Fit all users' adapters at once: full-batch Adam on blocks of users with equally many decisions.

What belongs here: ragged decisions to blocks, the steps, early stopping. What does not: the loss
(``likelihood.py``), the shared head (``population.py``), what is served (``serve.py``).

On a CPU with MKL a user's adapter has the bits of a float32 fit by ``peft``, ``torch.optim.Adam`` and
autograd of that user alone. Adam divides a gradient by its own size, so a last bit of a small one grows to
some 1e-6 within 50 steps; only the same sums in the same order are close. Hence no padding, no other
layout, and one product a user where torch's batched product would sum in another order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

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

_OWN_KERNEL_BELOW: Final = 400
"""``torch.bmm`` leaves the BLAS for a loop of its own below so many multiplications a matrix, on CPUs."""


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
        Decisions fitted at once: a block should stay in the processor's cache, or fill a GPU.
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
    lengths = np.bincount(user[used], minlength=count)
    rows = used[np.argsort(user[used], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    for members in _blocks(lengths, config.block_rows):
        at = rows[starts[members][:, None] + np.arange(int(lengths[members[0]]))]
        values[members] = _fit_block(x[at], mixed[at], weights[at], head, down, config)
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


def _blocks(lengths: np.ndarray, block_rows: int) -> Iterator[np.ndarray]:
    """Yield users with equally many decisions, each block up to ``block_rows`` decisions."""
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    for members in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        if not len(members):
            continue
        size = max(1, block_rows // int(lengths[members[0]]))
        for start in range(0, len(members), size):
            yield members[start : start + size]


def _fit_block(
    x: np.ndarray, log_p: np.ndarray, weights: np.ndarray, head: Head, start: torch.Tensor, config: FitConfig
) -> np.ndarray:
    """Run the steps for users of one length: x (U, T, 32), log_p (U, T, 6), weights (U, T)."""

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, config.dtype)).to(config.device)

    features, likelihood, weight = tensor(x), tensor(log_p), tensor(weights)
    shared = _shared_logits(features, tensor(head.weight), tensor(head.bias))
    down = start.to(features).repeat(len(x), 1, 1)
    up = features.new_zeros(len(x), N_OBJECTIVES, RANK)
    adam = torch.optim.Adam([down, up], lr=config.learning_rate)
    for _ in range(config.steps):
        reduced = _products(features, down.transpose(1, 2))
        slope = logit_gradient(shared + torch.bmm(reduced, up.transpose(1, 2)), likelihood, weight)
        up.grad = _products(slope.transpose(1, 2), reduced) + 2.0 * config.l2 * up
        # The products with two or six terms a sum have the same bits in either kernel.
        down.grad = torch.bmm(features.transpose(1, 2), torch.bmm(slope, up)).transpose(1, 2)
        down.grad += 2.0 * config.l2 * down
        if config.tolerance > 0.0 and _largest(up.grad, down.grad) < config.tolerance:
            break
        adam.step()
    return pack(down.float(), up.float())


def _shared_logits(features: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Logits of the shared head, (U, T, 6); single decisions one by one, since one row takes another kernel."""
    if features.is_cpu and features.shape[1] == 1:
        return torch.stack([torch.nn.functional.linear(one, weight, bias) for one in features])
    return torch.nn.functional.linear(features, weight, bias)


def _products(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """``left @ right`` user by user, (U, n, k) and (U, k, m), with the bits of a product of one user alone."""
    if left.is_cpu and left[0].numel() * right.shape[2] < _OWN_KERNEL_BELOW:
        return torch.stack([torch.mm(one, other) for one, other in zip(left, right, strict=True)])
    return torch.bmm(left, right)


def _largest(*gradients: torch.Tensor) -> float:
    return max(float(gradient.abs().max()) for gradient in gradients)


def _mean_losses(
    logits: np.ndarray, log_p: np.ndarray, user: np.ndarray, weights: np.ndarray, users: int
) -> np.ndarray:
    total = np.bincount(user, weights * decision_losses(logits, log_p), minlength=users)
    weight = np.bincount(user, weights, minlength=users)
    return np.divide(total, weight, out=np.full(users, np.nan), where=weight > 0)
