"""Per-user adapters: the batched fit of 76 parameters against one peft fit after another, one thread.

Both sides fit the same simulated decisions (64 a user, 50 full-batch Adam steps) from the same start; the
peer is timed without importing, building the model and writing anything. Where the adapters of the two
differ by more than 1e-4 the run fails. Aim: 30 times peft's loop.
"""

import os
import time
from typing import Any

import numpy as np

DECISIONS, STEPS = 64, 50
USERS, PEER_USERS = 20_000, 40
REPEATS = 3
TOLERANCE = 1e-4
# Outermost first: the libraries read it when they load.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def simulated(users: int, seed: int) -> dict[str, np.ndarray]:
    """Decisions with features and likelihoods of a plausible size."""
    rng = np.random.default_rng(seed)
    rows = users * DECISIONS
    return {
        "x": np.clip(rng.standard_normal((rows, 32)), -3, 3).astype(np.float32),
        "log_p": 0.5 * rng.standard_normal((rows, 7)) - 2.0,
        "user": np.repeat(np.arange(users), DECISIONS),
        "weights": np.ones(rows),
    }


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
    began = time.perf_counter()
    for _ in range(config.steps):
        adam.zero_grad()
        share = torch.log_softmax(model(rows), dim=1)
        loss = -(weight * torch.logsumexp(share + likelihood, dim=1)).sum()
        loss = loss + config.l2 * (down.square().sum() + up.square().sum())
        loss.backward()
        adam.step()
    seconds = time.perf_counter() - began
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
        data = simulated(USERS, 1)
        fit_adapters(**simulated(100, 2), head=head, config=config, seed=0)
        seconds = float("inf")
        for _ in range(REPEATS):
            began = time.perf_counter()
            fitted = fit_adapters(**data, head=head, config=config, seed=0)
            seconds = min(seconds, time.perf_counter() - began)
        mixed = mixed_log_p(data["log_p"], config.random_share).astype(np.float32)
        peer = []
        for user in range(PEER_USERS):
            at = data["user"] == user
            weights = data["weights"][at].astype(np.float32)
            values, spent = peft_fit(data["x"][at], mixed[at], weights, head, start_down(0), config)
            peer.append(spent)
            worst = float(np.abs(values - fitted.values[user]).max())
            if worst > TOLERANCE:
                raise AssertionError(f"adapter of user {user} differs from peft's by {worst:.2g}")
    finally:
        torch.set_num_threads(threads)
    # The first fits warm the peer up.
    ours, theirs = USERS / seconds, 1.0 / float(np.mean(peer[5:]))
    return [
        {
            "work": f"fit {USERS:,} adapters, {DECISIONS} decisions, {STEPS} steps, 1 thread",
            "ours": ours,
            "peer": "peft",
            "peer_value": theirs,
            "ratio": ours / theirs,
            "unit": "users/s",
            "skipped": None,
        }
    ]
