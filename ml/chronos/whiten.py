"""Fit and store the whitening of a model's embeddings on its training corpus.

Run ``python -m ml.chronos.whiten --model DIR --output DIR`` (``--series`` adds real series up to the
cut-off). Windows are simulated, and with real series half are mixtures of theirs.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ml.checkpoint import weights_digest
from ml.chronos.config import CUT_OFF, FULL
from ml.chronos.corpus import RealSeries, simulate_returns
from ml.chronos.embed import (
    COMPONENTS,
    WINDOW,
    Whitening,
    embed_prices,
    fit_whitening,
    load_pipeline,
    mean_cosine,
    raw_embeddings,
)
from ml.chronos.model import find_chronos
from ml.chronos.series import load_series

WINDOWS: Final = 12_000
"""Windows of the training corpus that a whitening is fitted on."""
_PART: Final = 2_000


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


def fit_corpus_whitening(
    pipeline: Any,
    weights: str,
    *,
    windows: int = WINDOWS,
    seed: int = FULL.seed,
    series: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[Whitening, dict[str, Any]]:
    """Embed windows of the training corpus and fit the whitening of their embeddings.

    Parameters
    ----------
    pipeline : chronos.BaseChronosPipeline
    weights : str
        Digest of its weights.
    windows, seed : int
        Windows drawn, from this seed. The components are at most half as many and at most the raw width.
    series : pathlib.Path, optional
        Daily bars (``.parquet`` or ``.npz``): half of the windows are then mixtures of them.
    on_progress : callable, optional
        Told the windows done and to do.

    Returns
    -------
    whitening : Whitening
    metrics : dict
        What was drawn, and the mean cosine of 200 fresh simulated assets, raw and whitened.
    """
    prices = corpus_prices(seed, windows, series)
    parts = []
    for first in range(0, windows, _PART):
        parts.append(raw_embeddings(pipeline, prices[first : first + _PART]))
        if on_progress:
            on_progress(min(first + _PART, windows), windows)
    raw = np.concatenate(parts)
    whitening = fit_whitening(raw, weights, components=min(COMPONENTS, raw.shape[1], windows // 2))
    fresh = corpus_prices(seed + 1, 200)
    return whitening, {
        "windows": windows,
        "seed": seed,
        "real_share": 0.5 if series else 0.0,
        "cut_off": CUT_OFF.isoformat() if series else None,
        "mean_cosine_raw": round(mean_cosine(raw_embeddings(pipeline, fresh)), 4),
        "mean_cosine_whitened": round(mean_cosine(embed_prices(pipeline, whitening, fresh)), 4),
    }


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``python -m ml.chronos.whiten``."""
    parser = argparse.ArgumentParser(prog="python -m ml.chronos.whiten", description=__doc__)
    parser.add_argument("--model", required=True, help="path or hub id of any Chronos model")
    parser.add_argument("--series", type=Path, help="daily bars (.parquet or .npz)")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=WINDOWS)
    parser.add_argument("--seed", type=int, default=FULL.seed)
    given = parser.parse_args(arguments)
    folder = find_chronos(given.model)
    whitening, metrics = fit_corpus_whitening(
        load_pipeline(folder),
        weights_digest(folder),
        windows=given.windows,
        seed=given.seed,
        series=given.series,
        on_progress=lambda done, total: print(f"embedded {done:,} of {total:,} windows", flush=True),
    )
    whitening.save(given.output, metrics)
    print(
        f"mean cosine of 200 fresh simulated assets: {metrics['mean_cosine_raw']} raw, "
        f"{metrics['mean_cosine_whitened']} whitened; wrote {given.output} for weights {whitening.weights[:12]}"
    )


if __name__ == "__main__":
    main()
