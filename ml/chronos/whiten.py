"""Fit and store the whitening of a model's embeddings on its training corpus.

Run ``python -m ml.chronos.whiten --model DIR --output DIR`` (``--series`` adds real series up to the
cut-off). Windows are simulated, and with real series half are mixtures of theirs.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from ml.chronos.config import CUT_OFF, FULL
from ml.chronos.corpus import RealSeries, simulate_returns
from ml.chronos.embed import WINDOW, embed_prices, fit_whitening, load_pipeline, mean_cosine, raw_embeddings
from ml.chronos.series import load_series


def corpus_prices(seed: int, n: int, series: Path | None = None, window: int = WINDOW) -> np.ndarray:
    """Prices of `n` windows of the training corpus, (n, window + 1) float64, the first price 1."""
    generator = torch.Generator().manual_seed(seed)
    n_real = n // 2 if series is not None else 0
    parts = [simulate_returns(generator, n - n_real, window).returns]
    if series is not None:
        found = load_series(series, last=CUT_OFF)
        real = RealSeries(
            [one.log_returns for one in found], [one.log_volumes for one in found], window, "cpu"
        )
        parts.append(real.mixtures(generator, n_real).returns)
    logs = torch.cat(parts).double().cumsum(1).numpy()
    return np.exp(np.pad(logs, ((0, 0), (1, 0))))


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``python -m ml.chronos.whiten``."""
    parser = argparse.ArgumentParser(prog="python -m ml.chronos.whiten", description=__doc__)
    parser.add_argument("--model", required=True, help="path or hub id of any Chronos model")
    parser.add_argument("--model-id", help="name to store (default: the last part of --model)")
    parser.add_argument("--series", type=Path, help="daily bars (.parquet or .npz)")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=FULL.seed)
    given = parser.parse_args(arguments)
    pipeline = load_pipeline(given.model)
    print(f"embedding {given.windows} windows of the training corpus", flush=True)
    raw = raw_embeddings(pipeline, corpus_prices(given.seed, given.windows, given.series))
    whitening = fit_whitening(raw, given.model_id or Path(given.model).name)
    fresh = corpus_prices(given.seed + 1, 200)
    metrics = {
        "windows": given.windows,
        "seed": given.seed,
        "real_share": 0.5 if given.series else 0.0,
        "cut_off": CUT_OFF.isoformat() if given.series else None,
        "mean_cosine_raw": round(mean_cosine(raw_embeddings(pipeline, fresh)), 4),
        "mean_cosine_whitened": round(mean_cosine(embed_prices(pipeline, whitening, fresh)), 4),
    }
    whitening.save(given.output, metrics)
    print(
        f"mean cosine of 200 fresh simulated assets: {metrics['mean_cosine_raw']} raw, "
        f"{metrics['mean_cosine_whitened']} whitened; wrote {given.output}"
    )


if __name__ == "__main__":
    main()
