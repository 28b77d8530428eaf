"""Embeddings of daily prices by any Chronos model: mean-pooled, whitened with stored statistics.

A model reads two z-scored views of each asset's window, log price and returns, never raw prices (which a
T5 tokenizer maps to a few tokens). The last token alone is nearly the same for unrelated assets, so
tokens are averaged; what all assets have in common is then removed by whitening with the statistics of
the training corpus, stored as a checkpoint of its own beside the weights. What belongs here: arrays and
frames in, arrays out. What does not: finding a model (``model.py``), where embeddings are kept.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from ml.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

WINDOW: Final = 128
"""Returns that one embedding reads."""
COMPONENTS: Final = 128
BATCH: Final = 128
"""Series at a time on a CPU, whose caches larger batches leave (a quarter slower at 512, measured)."""
DEVICE_BATCH: Final = 2_048
"""Series at a time on a GPU."""
WEIGHTS: Final = Path(__file__).parents[1] / "weights"
DEFAULT_MODEL: Final = WEIGHTS / "chronos-bolt-tiny"

EMBEDDING_SCHEMA: Final = {"asset_id": pl.String, "as_of_date": pl.Date, "embedding": pl.List(pl.Float32)}


class EmbeddingError(ValueError):
    """Input or a model that cannot be used; the message names it and the remedy."""


@dataclass(frozen=True)
class Whitening:
    """A stored linear map to zero mean and unit variance.

    Attributes
    ----------
    mean : ndarray of float32, (2 * model width,)
    matrix : ndarray of float32, (2 * model width, components)
    weights : str
        Digest of the weights whose embeddings the statistics are of (``ml.checkpoint.weights_digest``).
    window : int
        Returns each embedding read.
    """

    mean: np.ndarray
    matrix: np.ndarray
    weights: str
    window: int

    @property
    def components(self) -> int:
        """Length of a whitened embedding."""
        return self.matrix.shape[1]

    @property
    def model_id(self) -> str:
        """SHA-256 over weights' digest, window and statistics, 64 hexadecimal digits.

        All that an embedding depends on besides prices: embeddings of equal ids may be mixed, no others,
        whatever the model's folder is called.
        """
        digest = hashlib.sha256(f"{self.weights}:{self.window};".encode())
        for values in (self.mean, self.matrix):
            digest.update(f"{values.dtype.str}:{values.shape};".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """Whitened embeddings, (n, components) float32.

        Raises
        ------
        EmbeddingError
            The embeddings have another width: they come from another model.
        """
        if raw.shape[1] != len(self.mean):
            raise EmbeddingError(
                f"embeddings are {raw.shape[1]} wide, the whitening of weights {self.weights[:12]} is for "
                f"{len(self.mean)}: fit one for this model (python -m ml.chronos.whiten)"
            )
        return ((raw - self.mean) @ self.matrix).astype(np.float32)

    def save(self, folder: Path, metrics: dict[str, Any]) -> str:
        """Write a checkpoint folder and return its digest."""
        config = {"weights": self.weights, "window": self.window}
        return save_checkpoint(folder, config, {"mean": self.mean, "matrix": self.matrix}, metrics)


def fit_whitening(
    raw: np.ndarray, weights: str, window: int = WINDOW, components: int = COMPONENTS
) -> Whitening:
    """Principal components of a corpus' embeddings, each scaled to unit variance.

    Parameters
    ----------
    raw : ndarray, (n, width)
        Embeddings of the training corpus, many more than their width.
    weights : str
        Digest of the model's weights.
    components : int
        Leading components kept; an eigenvalue below a millionth of the first counts as that much, so
        that rounding noise is not blown up.
    """
    mean = raw.mean(0, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov(raw.T.astype(np.float64)))
    order = np.argsort(values)[::-1][:components]
    scale = 1 / np.sqrt(np.maximum(values[order], values.max() * 1e-6))
    signs = np.sign(vectors[np.abs(vectors[:, order]).argmax(0), order])
    matrix = vectors[:, order] * (scale * signs)
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32), weights, window)


def load_whitening(folder: Path) -> Whitening:
    """Read a whitening checkpoint.

    Raises
    ------
    CheckpointError
        The folder is incomplete, altered, holds something else, or does not name its weights.
    """
    saved = load_checkpoint(folder)
    if set(saved.tensors) != {"mean", "matrix"} or "weights" not in saved.config:
        raise CheckpointError(
            f"{folder} holds no whitening that names its weights: fit one (python -m ml.chronos.whiten)"
        )
    return Whitening(
        saved.tensors["mean"],
        saved.tensors["matrix"],
        str(saved.config["weights"]),
        int(saved.config["window"]),
    )


def load_pipeline(model: str | Path = DEFAULT_MODEL, device: str = "cpu") -> Any:
    """Any Chronos (T5, Bolt, Chronos-2) by path or hub id, computing in float32.

    Weights may be stored in bfloat16, which most CPUs only emulate (four times slower, measured), and one
    type everywhere keeps embeddings of all devices comparable.

    Returns
    -------
    chronos.BaseChronosPipeline

    Raises
    ------
    EmbeddingError
        The model cannot be loaded; the cause is chained.
    """
    import torch
    from chronos import BaseChronosPipeline

    try:
        return BaseChronosPipeline.from_pretrained(str(model), device_map=device, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise EmbeddingError(
            f"{model} is no Chronos model that can be loaded here: give a folder or a hub id"
        ) from error


def views(prices: np.ndarray) -> np.ndarray:
    """z-scored log prices and returns.

    Parameters
    ----------
    prices : ndarray, (n, window + 1)
        Adjusted closes, oldest first.

    Returns
    -------
    ndarray of float32, (2, n, window)
        A series that does not move is zero in both views.

    Raises
    ------
    EmbeddingError
        A price that is not positive and finite.
    """
    bad = ~(np.isfinite(prices) & (prices > 0))
    if bad.any():
        row, day = np.argwhere(bad)[0]
        raise EmbeddingError(f"series {row} has the price {prices[row, day]} on day {day}: leave it out")
    logs = np.log(prices.astype(np.float64))
    both = np.stack([logs[:, 1:], np.diff(logs, axis=1)])
    centred = both - both.mean(2, keepdims=True)
    spread = centred.std(2, keepdims=True)
    still = spread < 1e-9
    return np.where(still, 0, centred / np.where(still, 1, spread)).astype(np.float32)


def raw_embeddings(pipeline: Any, prices: np.ndarray) -> np.ndarray:
    """Mean-pooled token states of both views side by side, (n, 2 * model width) float32.

    Parameters
    ----------
    pipeline : chronos.BaseChronosPipeline
    prices : ndarray, (n, window + 1)
        Adjusted closes, oldest first.
    """
    price, change = views(prices)
    return np.concatenate([pooled(pipeline, price), pooled(pipeline, change)], axis=1)


def pooled(pipeline: Any, contexts: np.ndarray) -> np.ndarray:
    """Mean of the encoder's token states, (n, model width) float32, for (n, window) contexts."""
    import torch
    from chronos import Chronos2Pipeline

    out = []
    size = BATCH if pipeline.model.device.type == "cpu" else DEVICE_BATCH
    for start in range(0, len(contexts), size):
        batch = torch.from_numpy(contexts[start : start + size])
        with torch.inference_mode():
            if isinstance(pipeline, Chronos2Pipeline):  # wants (series, variates, time), answers with a list
                tokens = torch.cat(pipeline.embed(batch[:, None])[0])
            else:
                tokens = pipeline.embed(batch)[0]
        out.append(tokens.float().mean(1).cpu().numpy())
    return np.concatenate(out)


def embed_prices(pipeline: Any, whitening: Whitening, prices: np.ndarray) -> np.ndarray:
    """Whitened embeddings, (n, components) float32, of (n, window + 1) adjusted closes.

    Raises
    ------
    EmbeddingError
        Another window or model than the whitening's, or a price that is not positive and finite.
    """
    if prices.shape[1] != whitening.window + 1:
        raise EmbeddingError(
            f"{prices.shape[1]} prices a series, the whitening needs {whitening.window + 1}: cut to that"
        )
    return whitening.apply(raw_embeddings(pipeline, prices))


def embed_missing(
    pipeline: Any, whitening: Whitening, bars: pl.DataFrame, wanted: pl.DataFrame, stored: pl.DataFrame
) -> pl.DataFrame:
    """Embed the (asset, date) pairs that are wanted and not stored, nothing else.

    Parameters
    ----------
    bars : polars.DataFrame
        asset_id, trade_date, adjusted_close.
    wanted, stored : polars.DataFrame
        asset_id, as_of_date.

    Returns
    -------
    polars.DataFrame
        asset_id, as_of_date, embedding (list of float32); assets with fewer than window + 1 bars up to
        the date are absent.
    """
    keys = ["asset_id", "as_of_date"]
    pairs = wanted.select(keys).unique().join(stored, on=keys, how="anti").sort(keys)
    n = whitening.window + 1
    history = {
        str(key[0]): (group["trade_date"].to_numpy(), group["adjusted_close"].to_numpy())
        for key, group in bars.join(pairs.select("asset_id").unique(), on="asset_id", how="semi")
        .sort("asset_id", "trade_date")
        .group_by("asset_id", maintain_order=True)
    }
    rows, windows = [], []
    for asset, day in pairs.iter_rows():
        dates, prices = history.get(asset, (np.empty(0, "datetime64[D]"), np.empty(0)))
        end = int(np.searchsorted(dates, np.datetime64(day), side="right"))
        if end >= n:
            rows.append((asset, day))
            windows.append(prices[end - n : end])
    if not rows:
        return pl.DataFrame(schema=EMBEDDING_SCHEMA)
    vectors = embed_prices(pipeline, whitening, np.stack(windows).astype(np.float64))
    assets, days = zip(*rows, strict=True)
    return pl.DataFrame(
        {"asset_id": assets, "as_of_date": days, "embedding": vectors.tolist()}, schema=EMBEDDING_SCHEMA
    )


def mean_cosine(embeddings: np.ndarray) -> float:
    """Mean cosine over pairs of different rows: near 0 for unrelated assets, near 1 if collapsed."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    n = len(unit)
    return float((np.square(unit.sum(0)).sum() - n) / (n * (n - 1)))
