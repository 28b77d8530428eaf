"""Embeddings of 5,000 assets at one date by the full encoder, Chronos embeddings at hand.

Rows: the call a night makes (host arrays in, host arrays out) against its target, and the network alone
against the rate of one large matrix product of the same precision on the same device. With a GPU, there too.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from ml.encoder.config import PROFILES, WINDOW
from ml.encoder.embed import EncoderServer
from ml.encoder.model import LABELS, CrossAssetEncoder
from ml.encoder.normalize import FeatureNormalizer
from ml.encoder.statistics import EmbeddingStatistics
from ml.encoder.trained import StoredEncoder
from ml.features.panel import CHANNELS, N_FEATURES

ASSETS: Final = 5_000
TARGETS: Final = {"cpu": 5.0, "cuda": 0.05}
"""Seconds."""
_REPEATS: Final = {"cpu": 5, "cuda": 50}
_SIDE: Final = {"cpu": 1024, "cuda": 8192}
_THREADS: Final = 2


def run() -> list[dict[str, Any]]:
    """Rows for the CPU and, where there is one, the GPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(_THREADS)
    try:
        devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        return [row for device in devices for row in _rows(device)]
    finally:
        torch.set_num_threads(before)


def _rows(device: str) -> list[dict[str, Any]]:
    server = _server(device)
    channels, features, chronos = _market()
    named = {"machine": torch.cuda.get_device_name()} if device == "cuda" else {}
    call = _median_seconds(lambda: server.embed(channels, features, chronos), device)
    inputs = server.inputs(channels[None], features[None], chronos[None], None, np.ones((1, ASSETS), bool))
    network = _median_seconds(lambda: server.forward(inputs), device)
    with FlopCounterMode(display=False) as counter:
        server.forward(inputs)
    rate = counter.get_total_flops() / network
    limit = _matrix_rate(device)
    return [
        {
            **named,
            "work": f"embed {ASSETS:,} assets at one date, {device}; target {TARGETS[device]:g} s",
            "ours": call,
            "ratio": TARGETS[device] / call,
            "unit": "s",
        },
        {
            **named,
            "work": f"the network's share of the matrix-product rate, {device} ({network * 1e3:.1f} ms)",
            "ours": rate / 1e12,
            "peer": "torch.matmul",
            "peer_value": limit / 1e12,
            "ratio": rate / limit,
            "unit": "TFLOP/s",
        },
    ]


def _server(device: str) -> EncoderServer:
    config = PROFILES["full"].encoder
    torch.manual_seed(0)
    rows = torch.randn(2_000, N_FEATURES)
    identity = EmbeddingStatistics(torch.zeros(64), torch.eye(64))
    model = CrossAssetEncoder(config).eval().requires_grad_(False)
    return EncoderServer(StoredEncoder(model, FeatureNormalizer.fit(rows), identity, "", "", ""), device)


def _market() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Channels, features and Chronos embeddings of as many assets."""
    rng = np.random.default_rng(0)
    channels = 0.01 * rng.standard_normal((ASSETS, WINDOW, len(CHANNELS)))
    features = rng.standard_normal((ASSETS, N_FEATURES))
    features[:, list(LABELS)] = features[:, list(LABELS)] > 1
    chronos = rng.standard_normal((ASSETS, PROFILES["full"].encoder.chronos_size))
    return tuple(one.astype(np.float32) for one in (channels, features, chronos))  # type: ignore[return-value]


def _median_seconds(work: Callable[[], object], device: str) -> float:
    times = []
    for repeat in range(_REPEATS[device] + 2):
        began = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        if repeat >= 2:  # the first calls choose kernels and take memory
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def _matrix_rate(device: str) -> float:
    """Operations a second of one large product in the precision that the network runs in."""
    side = _SIDE[device]
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    return 2 * side**3 / _median_seconds(lambda: a @ b, device)
