"""How good embeddings are: collapse measures, gates, linear probes against simpler representations.

What belongs here: measures on panels that training did not see. What does not: thresholds that a build
passes or fails by, pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
import torch

from ml.encoder.config import WINDOW
from ml.encoder.dataset import ChronosBranch, chronos_for, forward_targets, pad_channels, ranks
from ml.encoder.embed import EncoderServer
from ml.encoder.losses import effective_rank, mean_cosine
from ml.encoder.model import EncoderInput
from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import CHANNELS, FeaturePanel
from ml.types import ASSET_CLASSES, SECTORS

BETA_SESSIONS: Final = 63
REPRESENTATIONS: Final = (
    "embedding",
    "raw_features",
    "own_branch",
    "chronos",
    "without_chronos",
    "random_chronos",
    "shuffled_chronos",
)
_CLASS: Final = [FEATURE_COLUMNS.index(f"class__{name}") for name in ASSET_CLASSES]
_SECTOR: Final = [FEATURE_COLUMNS.index(f"sector__{name.lower().replace(' ', '_')}") for name in SECTORS]
_NOW: Final = {
    "volatility_63d": FEATURE_COLUMNS.index("risk__volatility_63d_ann"),
    "momentum_63d": FEATURE_COLUMNS.index("momentum__return_63d_log"),
}
_RIDGE: Final = 10.0
_MIN_PAIRS: Final = 30


@dataclass(frozen=True)
class Sample:
    """Present assets with a Chronos embedding, of some sessions of one panel.

    Attributes
    ----------
    date : ndarray of shape (n,)
        0 .. number of sessions - 1.
    representations : dict of str to ndarray of shape (n, width)
        One per name of :data:`REPRESENTATIONS`.
    targets : dict of str to ndarray of shape (n,)
        nan = unknown; ``sector`` holds positions, nan for assets without one.
    gate : ndarray of shape (n,)
        Mean share of the own branch.
    asset_class : ndarray of shape (n,)
        Positions in ``ASSET_CLASSES``.
    """

    date: np.ndarray
    representations: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    gate: np.ndarray
    asset_class: np.ndarray


def sample_panel(
    server: EncoderServer, panel: FeaturePanel, branch: ChronosBranch, sessions: np.ndarray, seed: int
) -> Sample:
    """Embed some sessions in every way that probes compare.

    Parameters
    ----------
    server : EncoderServer
    panel : FeaturePanel
    branch : ChronosBranch
        The model that the encoder was trained on.
    sessions : ndarray of shape (d,)
        Positions.
    seed : int
        Of the random and the shuffled Chronos embeddings.
    """
    server.check_chronos(branch.model_id)
    rng = np.random.default_rng(seed)
    chronos, has = chronos_for(panel, sessions, branch)
    days = pad_channels(panel.channels)[sessions[:, None] + np.arange(WINDOW)].swapaxes(1, 2)
    inputs = server.inputs(days, panel.features[sessions], chronos, has, panel.is_present[sessions])
    shuffled = chronos.copy()
    for row, known in zip(shuffled, has, strict=True):
        row[known] = rng.permutation(row[known])
    random = rng.standard_normal(chronos.shape).astype(np.float32)
    served, out = server.forward(inputs)
    found = {
        "embedding": served,
        "raw_features": inputs.features,
        "own_branch": out.own,
        "chronos": inputs.chronos,
        "without_chronos": _served(server, replace(inputs, has_chronos=torch.zeros_like(inputs.has_chronos))),
        "random_chronos": _served(server, _with_chronos(inputs, random)),
        "shuffled_chronos": _served(server, _with_chronos(inputs, shuffled)),
    }
    volatility, total_return = forward_targets(panel, sessions)
    targets = {
        "volatility_next_21d": volatility,
        "return_rank_next_21d": ranks(np.where(has, total_return, np.nan)),
        "beta_next_63d": _forward_beta(panel, sessions),
        "sector": _sectors(panel.features[sessions]),
    }
    scores = inputs.features.cpu().numpy()
    targets |= {f"{name}_now": scores[..., column] for name, column in _NOW.items()}
    return Sample(
        np.nonzero(has)[0],
        {name: value.float().cpu().numpy()[has] for name, value in found.items()},
        {name: value[has].astype(np.float64) for name, value in targets.items()},
        out.gate.mean(-1).cpu().numpy()[has],
        panel.features[sessions][..., _CLASS].argmax(-1)[has],
    )


def join_samples(samples: Sequence[Sample]) -> Sample:
    """One sample of several panels; their dates stay apart."""
    shift = np.concatenate([[0], np.cumsum([int(one.date.max(initial=-1)) + 1 for one in samples])])
    return Sample(
        np.concatenate([one.date + begin for one, begin in zip(samples, shift, strict=False)]),
        {name: np.concatenate([one.representations[name] for one in samples]) for name in REPRESENTATIONS},
        {name: np.concatenate([one.targets[name] for one in samples]) for name in samples[0].targets},
        np.concatenate([one.gate for one in samples]),
        np.concatenate([one.asset_class for one in samples]),
    )


def probe_table(fit: Sample, test: Sample) -> pl.DataFrame:
    """Linear probes of every representation, fitted on one sample and scored on another.

    Parameters
    ----------
    fit, test : Sample
        Of other assets and other years, or the scores say nothing.

    Returns
    -------
    polars.DataFrame
        target, representation, measure (``r2``, ``accuracy``, ``rank_ic``), score (nan where the test's
        target does not vary), n_fit, n_test.
    """
    rows = []
    for target, actual in test.targets.items():
        for name in REPRESENTATIONS:
            x, y = fit.representations[name], fit.targets[target]
            use, check = np.isfinite(y), np.isfinite(actual)
            predict = _ridge(x[use], y[use], is_class=target == "sector")
            guess = predict(test.representations[name][check])
            measure, score = _score(target, guess, actual[check], test.date[check])
            rows.append((target, name, measure, score, int(use.sum()), int(check.sum())))
    columns = ["target", "representation", "measure", "score", "n_fit", "n_test"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def collapse_measures(sample: Sample) -> dict[str, float]:
    """Median over dates of mean off-diagonal cosine and effective rank of the embeddings as served."""
    by_date = [
        torch.from_numpy(sample.representations["embedding"][sample.date == date])
        for date in np.unique(sample.date)
    ]
    wide = [one for one in by_date if len(one) > 1]
    return {
        "mean_cosine": float(np.median([float(mean_cosine(one)) for one in wide])),
        "effective_rank": float(np.median([float(effective_rank(one)) for one in wide])),
        "assets_per_date": float(np.median([len(one) for one in wide])),
        "dates": float(len(wide)),
    }


def gate_table(sample: Sample) -> pl.DataFrame:
    """Mean share of the own branch by asset class: asset_class, gate_mean, cells."""
    rows = [
        (name, float(sample.gate[sample.asset_class == i].mean()), int((sample.asset_class == i).sum()))
        for i, name in enumerate(ASSET_CLASSES)
        if (sample.asset_class == i).any()
    ]
    return pl.DataFrame(rows, schema=["asset_class", "gate_mean", "cells"], orient="row")


def _with_chronos(inputs: EncoderInput, chronos: np.ndarray) -> EncoderInput:
    return replace(inputs, chronos=torch.from_numpy(chronos).to(inputs.chronos.device))


def _served(server: EncoderServer, inputs: EncoderInput) -> torch.Tensor:
    return server.forward(inputs)[0]


def _forward_beta(panel: FeaturePanel, sessions: np.ndarray) -> np.ndarray:
    """Slope of the next 63 returns on the market's, (d, N); nan near the panel's end or with gaps."""
    out = np.full((len(sessions), len(panel.asset_ids)), np.nan)
    market = CHANNELS.index("market")
    for row, session in enumerate(sessions):
        ahead = panel.channels[session + 1 : session + 1 + BETA_SESSIONS].astype(np.float64)
        own, wide = ahead[..., 0], ahead[..., market]
        known = np.isfinite(own) & np.isfinite(wide)
        counts = known.sum(0)
        r = np.where(known, own, 0.0)
        m = np.where(known, wide, 0.0)
        n = np.maximum(counts, 1)
        covariance = (r * m).sum(0) / n - r.sum(0) * m.sum(0) / n**2
        variance = (m * m).sum(0) / n - (m.sum(0) / n) ** 2
        enough = (counts >= _MIN_PAIRS) & (variance > 0) & (len(ahead) == BETA_SESSIONS)
        out[row] = np.where(enough, covariance / np.where(variance > 0, variance, 1), np.nan)
    return out


def _sectors(features: np.ndarray) -> np.ndarray:
    flags = np.nan_to_num(features[..., _SECTOR])
    return np.where(flags.any(-1), flags.argmax(-1), np.nan)


def _ridge(x: np.ndarray, y: np.ndarray, is_class: bool):
    """Ridge regression on standardised columns; of one-hot targets where they are classes."""
    x = x.astype(np.float64)
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    columns = (x - mean) / spread
    labels = np.unique(y)
    wanted = (y[:, None] == labels).astype(float) if is_class else y[:, None]
    centre = wanted.mean(0)
    gram = columns.T @ columns + _RIDGE * np.eye(columns.shape[1])
    weights = np.linalg.solve(gram, columns.T @ (wanted - centre))

    def predict(new: np.ndarray) -> np.ndarray:
        values = (new.astype(np.float64) - mean) / spread @ weights + centre
        return labels[values.argmax(1)] if is_class else values[:, 0]

    return predict


def _score(target: str, guess: np.ndarray, actual: np.ndarray, date: np.ndarray) -> tuple[str, float]:
    if target == "sector":
        return "accuracy", float((guess == actual).mean())
    if target.startswith("return_rank"):
        per_date = [_correlation(_rank(guess[date == one]), actual[date == one]) for one in np.unique(date)]
        return "rank_ic", float(np.nanmean(per_date))
    variance = actual.var()
    return "r2", 1 - float(((actual - guess) ** 2).mean() / variance) if variance > 0 else float("nan")


def _rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(np.float64)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")
