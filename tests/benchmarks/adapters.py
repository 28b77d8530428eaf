"""Per-user adapters: the batched fit of 76 parameters against one peft fit after another, one thread.

Both sides fit the same simulated decisions (64 a user, 50 full-batch Adam steps) from the same start; the
peer is timed without importing, building the model and writing anything. Times are of the processor. Where
the adapters of the two differ by more than 1e-4 the run fails. Aim: 30 times peft's loop.
"""

import os
import time
from typing import Any

import numpy as np

DECISIONS, STEPS = 64, 50
USERS, PEER_USERS = 4_000, 40
REPEATS = 3
TOLERANCE = 1e-4
# Outermost first: the libraries read it when they load.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def simulated(users: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Decisions of a plausible size: x, log_p, user, weights."""
    rng = np.random.default_rng(seed)
    rows = users * DECISIONS
    return (
        np.clip(rng.standard_normal((rows, 32)), -3, 3).astype(np.float32),
        0.5 * rng.standard_normal((rows, 7)) - 2.0,
        np.repeat(np.arange(users), DECISIONS),
        np.ones(rows),
    )


def peft_fit(
    x: Any, mixed: Any, weights: Any, head: Any, start: Any, config: Any
) -> tuple[np.ndarray, float]:
    """Fit one user with peft and autograd; the 76 numbers and the seconds of the steps."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch import nn

    class Base(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(32, 6)

        def forward(self, rows: Any) -> Any:
            return self.head(rows)

    base = Base()
    with torch.no_grad():
        base.head.weight.copy_(torch.from_numpy(head.weight))
        base.head.bias.copy_(torch.from_numpy(head.bias))
    model = get_peft_model(base, LoraConfig(r=2, lora_alpha=2, target_modules=["head"]))  # pyright: ignore[reportArgumentType]
    layer: Any = base.head
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    with torch.no_grad():
        down.copy_(start)
    adam = torch.optim.Adam([down, up], lr=config.learning_rate)
    rows, likelihood, weight = torch.from_numpy(x), torch.from_numpy(mixed), torch.from_numpy(weights)
    began = time.process_time()
    for _ in range(config.steps):
        adam.zero_grad()
        share = torch.log_softmax(model(rows), dim=1)
        loss = -(weight * torch.logsumexp(share + likelihood, dim=1)).sum()
        loss = loss + config.l2 * (down.square().sum() + up.square().sum())
        loss.backward()
        adam.step()
    seconds = time.process_time() - began
    return np.concatenate([down.detach().numpy().ravel(), up.detach().numpy().ravel()]), seconds


def run() -> list[dict[str, Any]]:
    """Time both sides; users a second."""
    import torch

    from ml.personalization.fit import FitConfig, fit_adapters
    from ml.personalization.likelihood import mixed_log_p
    from ml.personalization.lora import Head, start_down

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rng = np.random.default_rng(0)
        head = Head(rng.normal(0, 0.3, (6, 32)).astype(np.float32), np.zeros(6, np.float32))
        config = FitConfig(steps=STEPS)
        x, log_p, user, weights = simulated(USERS, 1)
        fit_adapters(*simulated(100, 2), head, config, seed=0)
        fits, spent = [], []
        for _ in range(REPEATS):
            began = time.process_time()
            fits.append(fit_adapters(x, log_p, user, weights, head, config, seed=0))
            spent.append(time.process_time() - began)
        mixed = mixed_log_p(log_p, config.random_share).astype(np.float32)
        peer = []
        for number in range(PEER_USERS):
            at = user == number
            row = weights[at].astype(np.float32)
            values, seconds = peft_fit(x[at], mixed[at], row, head, start_down(0), config)
            peer.append(seconds)
            worst = float(np.abs(values - fits[0].values[number]).max())
            if worst > TOLERANCE:
                raise AssertionError(f"adapter of user {number} differs from peft's by {worst:.2g}")
    finally:
        torch.set_num_threads(threads)
    # The first fits warm the peer up.
    ours, theirs = USERS / min(spent), 1.0 / float(np.median(peer[5:]))
    return [
        {
            "work": f"fit {USERS:,} adapters, {DECISIONS} decisions, {STEPS} steps, 1 thread, CPU time",
            "ours": ours,
            "peer": "peft",
            "peer_value": theirs,
            "ratio": ours / theirs,
            "unit": "users/s",
            "skipped": None,
        }
    ]
