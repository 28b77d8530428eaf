"""How good embeddings are: collapse measures, gates, linear probes against simpler representations.

What belongs here: measures on panels that training did not see. What does not: thresholds that a build
passes or fails by, pictures, which panels are compared (``report.py``).

Class and sector flags are inputs, so that a probe that may read them is always right. Where labels are
asked for, the flags of half of the assets are therefore hidden from every representation alike, those of
the other half stay, and only assets whose flags are hidden are fitted and scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch

from ml.encoder.config import WINDOW
from ml.encoder.dataset import forward_targets, pad_channels, ranks
from ml.encoder.embed import EncoderServer
from ml.encoder.losses import effective_rank, mean_cosine
from ml.encoder.model import LABELS
from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import CHANNELS, FeaturePanel
from ml.types import ASSET_CLASSES, SECTORS

BETA_SESSIONS: Final = 63
REPRESENTATIONS: Final = ("embedding", "raw_features", "network_inputs", "own_part", "chronos")
"""``embedding`` is as served, ``network_inputs`` what the network reads but days and Chronos, ``own_part`` its own
branch before the gate; retrained encoders stand beside them under the names of their variants."""
FORWARD_TARGETS: Final = ("volatility_next_21d", "return_rank_next_21d", "beta_next_63d")
LABEL_TARGETS: Final = ("sector", "asset_class")
_CLASS: Final = [FEATURE_COLUMNS.index(f"class__{name}") for name in ASSET_CLASSES]
_SECTOR: Final = [FEATURE_COLUMNS.index(f"sector__{name.lower().replace(' ', '_')}") for name in SECTORS]
_RIDGE: Final = 10.0
_MIN_PAIRS: Final = 30
_CELLS: Final = 16_384
"""Cells embedded at a time, but at least one session: bounds the memory."""


@dataclass(frozen=True)
class Sample:
    """Present assets with a Chronos embedding, of some sessions of one panel.

    Attributes
    ----------
    date : ndarray of shape (n,)
        0 .. number of sessions - 1.
    asset : ndarray of shape (n,)
        Position in the panel.
    representations : dict of str to ndarray of shape (n, width)
    targets : dict of str to ndarray of shape (n,)
        nan = unknown; labels are positions in ``SECTORS`` and ``ASSET_CLASSES``, nan for assets whose
        flags are seen.
    gate : ndarray of shape (n,)
        Mean share of the own branch.
    asset_class : ndarray of shape (n,)
        Positions in ``ASSET_CLASSES``.
    """

    date: np.ndarray
    asset: np.ndarray
    representations: dict[str, np.ndarray]
    targets: dict[str, np.ndarray]
    gate: np.ndarray
    asset_class: np.ndarray

    def where(self, chosen: np.ndarray) -> "Sample":
        """The chosen rows."""
        return Sample(
            self.date[chosen],
            self.asset[chosen],
            {name: value[chosen] for name, value in self.representations.items()},
            {name: value[chosen] for name, value in self.targets.items()},
            self.gate[chosen],
            self.asset_class[chosen],
        )


def sample_panel(
    server: EncoderServer,
    panel: FeaturePanel,
    sessions: np.ndarray,
    chronos: tuple[np.ndarray, np.ndarray],
    is_hidden: np.ndarray | None = None,
) -> Sample:
    """Embed some sessions in every way that probes compare.

    Parameters
    ----------
    server : EncoderServer
    panel : FeaturePanel
    sessions : ndarray of shape (d,)
        Positions.
    chronos : tuple of ndarray
        Embeddings (d, N, 128) and which are known (d, N), as :func:`ml.encoder.dataset.chronos_for` gives
        them; sampled are the known ones.
    is_hidden : ndarray of shape (N,), optional
        bool; assets whose class and sector flags nobody sees. By default none, and no label is a target.
    """
    hidden = np.zeros(len(panel.asset_ids), bool) if is_hidden is None else is_hidden
    has = chronos[1]
    found = _represented(server, _hide_labels(panel, hidden), sessions, *chronos)
    volatility, total_return = forward_targets(panel, sessions)
    sectors, classes = _labels(panel.features[sessions])
    targets = {
        "volatility_next_21d": volatility,
        "return_rank_next_21d": ranks(np.where(has, total_return, np.nan)),
        "beta_next_63d": _forward_beta(panel, sessions),
        "sector": np.where(hidden, sectors, np.nan),
        "asset_class": np.where(hidden, classes, np.nan),
    }
    date, asset = np.nonzero(has)
    return Sample(
        date,
        asset,
        {name: found[name][has] for name in REPRESENTATIONS},
        {name: value[has].astype(np.float64) for name, value in targets.items()},
        found["gate"][has],
        np.nan_to_num(classes[has]).astype(int),
    )


def probe_rows(pairs: Sequence[tuple[Sample, Sample]], targets: Sequence[str]) -> list[dict[str, Any]]:
    """Linear probes of every representation, fitted on one sample and scored on another.

    Parameters
    ----------
    pairs : sequence of (fit, test)
        Samples of other assets and other years, or the scores say nothing; the predictions of all pairs
        are scored together.
    targets : sequence of str
        A target that is unknown, or takes one value, in a sample to fit on is left out.

    Returns
    -------
    list of dict
        target, representation, measure (``r2``, ``accuracy``, ``rank_ic``), score, n_fit, n_test.
    """
    rows = []
    for target in targets:
        parts = [_known(fit, target) + _known(test, target) for fit, test in pairs]
        if any(len(np.unique(fit.targets[target])) < 2 or not len(test.date) for fit, _, test, _ in parts):
            continue
        actual = np.concatenate([y for _, _, _, y in parts])
        date = np.concatenate([test.date for _, _, test, _ in parts])
        for name in REPRESENTATIONS:
            guess = np.concatenate(
                [
                    _ridge(fit.representations[name], y, target in LABEL_TARGETS)(test.representations[name])
                    for fit, y, test, _ in parts
                ]
            )
            measure, score = _score(target, guess, actual, date)
            n_fit = sum(len(y) for _, y, _, _ in parts)
            row = {"target": target, "representation": name, "measure": measure, "score": score}
            rows.append(row | {"n_fit": n_fit, "n_test": len(actual)})
    return rows


def _known(sample: Sample, target: str) -> tuple[Sample, np.ndarray]:
    kept = sample.where(np.isfinite(sample.targets[target]))
    return kept, kept.targets[target]


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


def pair_cosines(sample: Sample, most: int = 20_000) -> np.ndarray:
    """Cosines between the embeddings of different assets of one date, evenly thinned to at most `most`."""
    found = []
    for date in np.unique(sample.date):
        rows = sample.representations["embedding"][sample.date == date].astype(np.float64)
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        found.append((unit @ unit.T)[np.triu_indices(len(unit), 1)])
    cosines = np.concatenate(found)
    return cosines[:: max(1, -(-len(cosines) // most))]


def gate_rows(sample: Sample) -> list[dict[str, Any]]:
    """Mean share of the own branch by asset class: asset_class, gate_mean, cells."""
    found = [(name, sample.gate[sample.asset_class == i]) for i, name in enumerate(ASSET_CLASSES)]
    return [
        {"asset_class": name, "gate_mean": float(gates.mean()), "cells": len(gates)}
        for name, gates in found
        if len(gates)
    ]


def _represented(
    server: EncoderServer, panel: FeaturePanel, sessions: np.ndarray, chronos: np.ndarray, has: np.ndarray
) -> dict[str, np.ndarray]:
    """Each of the representations (d, N, width), and mean gates (d, N)."""
    padded = pad_channels(panel.channels)
    step = max(1, _CELLS // max(len(panel.asset_ids), 1))
    pieces: list[dict[str, np.ndarray]] = []
    for begin in range(0, len(sessions), step):
        part = slice(begin, begin + step)
        rows = sessions[part]
        days = padded[rows[:, None] + np.arange(WINDOW)].swapaxes(1, 2)
        inputs = server.inputs(days, panel.features[rows], chronos[part], has[part], panel.is_present[rows])
        served, out = server.forward(inputs)
        piece = {
            "embedding": served,
            "raw_features": inputs.features,
            "network_inputs": server.facts(inputs),
            "own_part": out.own,
            "chronos": inputs.chronos,
            "gate": out.gate.mean(-1),
        }
        pieces.append({name: value.float().cpu().numpy() for name, value in piece.items()})
    return {name: np.concatenate([one[name] for one in pieces]) for name in pieces[0]}


def _hide_labels(panel: FeaturePanel, is_hidden: np.ndarray) -> FeaturePanel:
    if not is_hidden.any():
        return panel
    features = panel.features.copy()
    features[:, np.flatnonzero(is_hidden)[:, None], list(LABELS)] = 0.0
    return replace(panel, features=features)


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


def _labels(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the sector and class flags that are set, nan where none is."""
    sector, kind = (np.nan_to_num(features[..., columns]) for columns in (_SECTOR, _CLASS))
    return (
        np.where(sector.any(-1), sector.argmax(-1), np.nan),
        np.where(kind.any(-1), kind.argmax(-1), np.nan),
    )


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
    if target in LABEL_TARGETS:
        return "accuracy", float((guess == actual).mean())
    if target.startswith("return_rank"):
        per_date = [_correlation(_rank(guess[date == one]), actual[date == one]) for one in np.unique(date)]
        return "rank_ic", float(np.nanmean(per_date))
    return "r2", 1 - float(((actual - guess) ** 2).mean() / actual.var())


def _rank(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values)).astype(np.float64)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")
