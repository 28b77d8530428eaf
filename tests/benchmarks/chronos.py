"""Embeddings: series a second through our path, against the bare pipeline's best batch size.

Both sides embed the same two views of the same windows with the same weights; the bare side gets views
that are ready and only runs ``pipeline.embed``. Rates are the best of three passes, alternating.
"""

import time
from typing import Any

import numpy as np
import torch

from ml.chronos.embed import DEFAULT_MODEL, embed_prices, load_pipeline, views
from ml.chronos.model import open_whitening
from ml.chronos.whiten import corpus_prices

ASSETS, PASSES = 1_024, 3
BATCHES = (64, 128, 256, 512, 1024)


def run() -> list[dict[str, Any]]:
    """One row: series a second (an asset is two series) of ours and of the bare pipeline."""
    pipeline = load_pipeline()
    whitening = open_whitening(DEFAULT_MODEL)
    prices = corpus_prices(0, ASSETS)
    ready = torch.from_numpy(np.concatenate(views(prices)))
    bare = dict.fromkeys(BATCHES, 0.0)
    ours = 0.0
    for _ in range(PASSES):
        began = time.perf_counter()
        embed_prices(pipeline, whitening, prices)
        ours = max(ours, 2 * ASSETS / (time.perf_counter() - began))
        for size in BATCHES:
            began = time.perf_counter()
            with torch.inference_mode():
                for part in ready.split(size):
                    pipeline.embed(part)
            bare[size] = max(bare[size], 2 * ASSETS / (time.perf_counter() - began))
    best = max(BATCHES, key=bare.__getitem__)
    return [
        {
            "name": "chronos",
            "work": f"embed {ASSETS:,} assets of two series, context {ready.shape[1]}, whitening included; "
            f"peer: the bare pipeline at its best batch, {best} (target 0.8)",
            "ours": ours,
            "peer": "chronos",
            "peer_value": bare[best],
            "ratio": ours / bare[best],
            "unit": "series/s",
            "skipped": None,
        }
    ]
