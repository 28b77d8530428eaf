"""Training data: cells (panel, session, asset) with their windows, Chronos embeddings and targets.

What belongs here: choosing sessions, embedding them once with Chronos, gathering batches, views. What does
not: the network, losses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ml.chronos.embed import DEFAULT_MODEL, Whitening, embed_prices, load_pipeline
from ml.chronos.model import open_whitening
from ml.encoder.config import WINDOW, TrainConfig
from ml.encoder.model import EncoderInput
from ml.encoder.normalize import REFERENCE_VOLATILITY, FeatureNormalizer, normalize_channels
from ml.features.panel import CHANNELS, FeaturePanel

HORIZON: Final = 21
"""Sessions that the forward-looking targets cover."""
MIN_TARGET_RETURNS: Final = 15
MIN_ASSETS: Final = 4
"""A session with fewer assets has no cross-section to learn from."""
_SERIES: Final = 65_536
"""Series that Chronos reads at once: bounds the memory."""


class EncoderDataError(ValueError):
    """Panels that cannot be trained or served on; the message names the panel and what is missing."""


@dataclass(frozen=True)
class ChronosBranch:
    """A loaded Chronos model with the statistics that whiten it."""

    pipeline: Any
    whitening: Whitening

    @property
    def model_id(self) -> str:
        """Digest of weights and statistics; embeddings of another do not fit a trained encoder."""
        return self.whitening.model_id


def load_chronos(model: Path = DEFAULT_MODEL, device: str = "cpu") -> ChronosBranch:
    """The Chronos model in a folder, with the whitening in the folder beside it.

    Raises
    ------
    EmbeddingError
        The whitening was fitted on other weights.
    """
    return ChronosBranch(load_pipeline(model, device), open_whitening(model))


def chronos_for(
    panel: FeaturePanel, sessions: np.ndarray, branch: ChronosBranch, is_wanted: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Embed the returns up to each of some sessions.

    Parameters
    ----------
    panel : FeaturePanel
    sessions : ndarray of shape (d,)
        Positions.
    branch : ChronosBranch
    is_wanted : ndarray of shape (d, N), optional
        bool; by default the assets that are present.

    Returns
    -------
    embeddings : ndarray of shape (d, N, components)
        float32; 0 where there is none.
    has_chronos : ndarray of shape (d, N)
        bool; False where fewer returns than the model's window are known up to the session.
    """
    window = branch.whitening.window
    returns = panel.total_return_log.astype(np.float64)
    known = np.isfinite(returns)
    counts = np.cumsum(known, axis=0)
    wanted = panel.is_present[sessions] if is_wanted is None else is_wanted
    has = wanted & (counts[sessions] >= window)
    embeddings = np.zeros((*has.shape, branch.whitening.matrix.shape[1]), np.float32)
    # Known returns of one asset after the other, so that gaps close.
    flat = returns.T[known.T]
    begin = np.concatenate([[0], np.cumsum(known.sum(0))[:-1]])
    rows, columns = np.nonzero(has)
    ends = begin[columns] + counts[sessions[rows], columns]
    for first in range(0, len(rows), _SERIES):
        part = slice(first, first + _SERIES)
        cut = flat[ends[part, None] - window + np.arange(window)]
        prices = np.exp(np.pad(np.cumsum(cut, axis=1), ((0, 0), (1, 0))))
        embeddings[rows[part], columns[part]] = embed_prices(branch.pipeline, branch.whitening, prices)
    return embeddings, has


def forward_targets(panel: FeaturePanel, sessions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the next 21 sessions bring.

    Returns
    -------
    log_volatility : ndarray of shape (d, N)
        Log of the root mean square return against 1 %; nan with fewer than 15 returns.
    total_return : ndarray of shape (d, N)
        Sum of log returns; nan likewise.
    """
    ahead = sessions[:, None] + 1 + np.arange(HORIZON)
    inside = ahead < len(panel.dates)
    returns = panel.total_return_log[np.minimum(ahead, len(panel.dates) - 1)].astype(np.float64)
    known = np.isfinite(returns) & inside[:, :, None]
    returns = np.where(known, returns, 0.0)
    counts = known.sum(1)
    rms = np.sqrt((returns**2).sum(1) / np.maximum(counts, 1))
    enough = counts >= MIN_TARGET_RETURNS
    log_volatility = np.log(np.maximum(rms, 1e-4) / REFERENCE_VOLATILITY)
    return np.where(enough, log_volatility, np.nan), np.where(enough, returns.sum(1), np.nan)


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks of each row scaled to [-1, 1]; nan stays nan."""
    order = np.argsort(np.argsort(values, axis=1), axis=1).astype(np.float64)  # nan sorts last
    counts = np.isfinite(values).sum(1, keepdims=True)
    return np.where(np.isfinite(values), 2 * order / np.maximum(counts - 1, 1) - 1, np.nan)


def training_sessions(panel: FeaturePanel, series: int) -> np.ndarray:
    """Evenly spaced sessions whose present assets number about `series` in all.

    Raises
    ------
    EncoderDataError
        No session has enough assets.
    """
    counts = (panel.is_present & ~panel.is_stale).sum(1)
    usable = np.flatnonzero(counts >= MIN_ASSETS)
    usable = usable[(usable >= min(HORIZON, len(panel.dates) // 2)) & (usable < len(panel.dates) - HORIZON)]
    if not len(usable):
        raise EncoderDataError(
            f"panel {panel.source!r} has no session with {MIN_ASSETS} assets and {HORIZON} sessions after it: "
            "give a longer or wider panel"
        )
    n = max(1, min(len(usable), int(series / counts[usable].mean())))
    return usable[np.unique(np.linspace(0, len(usable) - 1, n).astype(int))]


@dataclass(frozen=True)
class CellTable:
    """All training cells of all panels on one device, grouped by date.

    Attributes
    ----------
    channels : Tensor of shape (K, 5)
        Raw channels of all panels, flat.
    oldest, stride : Tensor of shape (S,)
        Position in `channels` of a cell's oldest day, and distance between its days.
    features : Tensor of shape (S, 50)
        Normal scores.
    chronos : Tensor of shape (S, 128)
    has_chronos : Tensor of shape (S,)
    log_volatility, rank : Tensor of shape (S,)
        Targets; nan = unknown.
    date_start : ndarray of shape (T + 1,)
        Cells of date t are date_start[t] .. date_start[t + 1].
    """

    channels: torch.Tensor
    oldest: torch.Tensor
    stride: torch.Tensor
    features: torch.Tensor
    chronos: torch.Tensor
    has_chronos: torch.Tensor
    log_volatility: torch.Tensor
    rank: torch.Tensor
    date_start: np.ndarray

    @property
    def n_dates(self) -> int:
        """Dates over all panels."""
        return len(self.date_start) - 1

    def choose(
        self, generator: np.random.Generator, dates: int, assets: int, width: int | None = None
    ) -> np.ndarray:
        """Random cells, (dates, width), -1 where a date has fewer assets; `width` is at least `assets`."""
        chosen = np.full((dates, width or assets), -1)
        for row, date in enumerate(generator.integers(self.n_dates, size=dates)):
            begin, end = self.date_start[date], self.date_start[date + 1]
            take = min(assets, end - begin)
            chosen[row, :take] = begin + generator.choice(end - begin, take, replace=False)
        return chosen

    def shuffled(self, seed: int) -> "CellTable":
        """The same cells with the Chronos embeddings of each date dealt out anew: a control."""
        rng = np.random.default_rng(seed)
        has = self.has_chronos.cpu().numpy()
        order = np.arange(len(has))
        for begin, end in zip(self.date_start[:-1], self.date_start[1:], strict=True):
            known = begin + np.flatnonzero(has[begin:end])
            order[known] = rng.permutation(known)
        return replace(self, chronos=self.chronos[torch.from_numpy(order).to(self.chronos.device)])

    def save(self, file: Path, normalizer: FeatureNormalizer) -> None:
        """Write cells and feature tables, so that several runs embed once."""
        tensors = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "date_start"}
        tensors |= {"knots": normalizer.knots, "scores": normalizer.scores}
        arrays = {name: value.cpu().numpy() for name, value in tensors.items()}
        np.savez(file, date_start=self.date_start, **arrays)

    @classmethod
    def load(cls, file: Path, device: torch.device) -> "tuple[CellTable, FeatureNormalizer]":
        """Read :meth:`save`'s file; the feature tables stay on the CPU."""
        with np.load(file) as stored:
            tensors = {name: torch.from_numpy(stored[name]) for name in stored.files if name != "date_start"}
            normalizer = FeatureNormalizer(tensors.pop("knots"), tensors.pop("scores"))
            on_device = {name: value.to(device) for name, value in tensors.items()}
            return cls(date_start=stored["date_start"], **on_device), normalizer

    def date_cells(self, date: int) -> np.ndarray:
        """All cells of a date, (1, n)."""
        return np.arange(self.date_start[date], self.date_start[date + 1])[None]

    def inputs(self, cells: np.ndarray | torch.Tensor) -> EncoderInput:
        """Network inputs of cells (B, N); -1 is padding."""
        cells = self._on_device(cells)
        is_asset, index = cells >= 0, cells.clamp(min=0)
        days = torch.arange(WINDOW, device=cells.device)
        raw = self.channels[self.oldest[index][..., None] + self.stride[index][..., None] * days]
        raw = torch.where(is_asset[..., None, None], raw, torch.nan)
        return EncoderInput(
            normalize_channels(raw),
            torch.where(is_asset[..., None], self.features[index], 0.0),
            self.chronos[index],
            self.has_chronos[index] & is_asset,
            is_asset,
        )

    def targets(self, cells: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log volatility and rank of cells, (B, N) each; nan where unknown or padding."""
        cells = self._on_device(cells)
        padding, index = cells < 0, cells.clamp(min=0)
        log_volatility = torch.where(padding, torch.nan, self.log_volatility[index])
        return log_volatility, torch.where(padding, torch.nan, self.rank[index])

    def _on_device(self, cells: np.ndarray | torch.Tensor) -> torch.Tensor:
        if isinstance(cells, torch.Tensor):
            return cells
        return torch.from_numpy(cells).to(self.channels.device)


def build_cells(
    panels: Sequence[FeaturePanel],
    config: TrainConfig,
    branch: ChronosBranch | None,
    device: torch.device,
    normalizer: FeatureNormalizer | None = None,
) -> tuple[CellTable, FeatureNormalizer]:
    """Choose sessions, embed them, fit the feature tables on the present rows of all panels.

    Parameters
    ----------
    panels : sequence of FeaturePanel
    config : TrainConfig
    branch : ChronosBranch or None
        None: no cell has a Chronos embedding.
    device : torch.device
    normalizer : FeatureNormalizer, optional
        Tables of other panels, for cells that only judge a training.

    Raises
    ------
    EncoderDataError
        No panels, or one without a usable session.
    """
    if not panels:
        raise EncoderDataError("no panels to train on: give at least one FeaturePanel")
    rows = np.concatenate([one.features[one.is_present] for one in panels])
    normalizer = normalizer or FeatureNormalizer.fit(torch.from_numpy(rows))
    parts: list[dict[str, np.ndarray]] = []
    counts, flat, offset = [], [], 0
    for panel in panels:
        sessions = training_sessions(panel, config.chronos_series // len(panels))
        is_cell = (panel.is_present & ~panel.is_stale)[sessions]
        parts.append(_panel_cells(panel, sessions, is_cell, branch, config.encoder.chronos_size, offset))
        counts.append(is_cell.sum(1))
        flat.append(pad_channels(panel.channels).reshape(-1, len(CHANNELS)))
        offset += len(flat[-1])
    joined = {name: torch.from_numpy(np.concatenate([one[name] for one in parts])) for name in parts[0]}
    joined["features"] = normalizer(joined["features"])
    start = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    on_device = {name: value.to(device) for name, value in joined.items()}
    table = CellTable(torch.from_numpy(np.concatenate(flat)).to(device), date_start=start, **on_device)
    return table, normalizer


def pad_channels(channels: np.ndarray) -> np.ndarray:
    """(D, N, 5) with 63 missing sessions before, so that every session has a whole window."""
    return np.concatenate([np.full((WINDOW - 1, *channels.shape[1:]), np.nan, np.float32), channels])


def _panel_cells(
    panel: FeaturePanel,
    sessions: np.ndarray,
    is_cell: np.ndarray,
    branch: ChronosBranch | None,
    chronos_size: int,
    offset: int,
) -> dict[str, np.ndarray]:
    n = len(panel.asset_ids)
    rows, columns = np.nonzero(is_cell)
    if branch is None:
        chronos, has = np.zeros((len(rows), chronos_size), np.float32), np.zeros(len(rows), bool)
    else:
        embeddings, known = chronos_for(panel, sessions, branch, is_cell)
        chronos, has = embeddings[is_cell], known[is_cell]
    log_volatility, total_return = forward_targets(panel, sessions)
    rank = ranks(np.where(is_cell, total_return, np.nan))
    return {
        "oldest": offset
        + sessions[rows] * n
        + columns,  # padded by 63 rows: the window begins at the session
        "stride": np.full(len(rows), n),
        "features": panel.features[sessions][is_cell],
        "chronos": chronos,
        "has_chronos": has,
        "log_volatility": log_volatility[is_cell].astype(np.float32),
        "rank": rank[is_cell].astype(np.float32),
    }
