"""Many training panels in one small file, for machines that can simulate no market.

What belongs here: thinning panels to the sessions that training reads, and packing them into half
precision. What does not: panels in full precision (``panel_file.py``), where panels come from.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from ml.features.panel import FeaturePanel, PanelError

_KEPT: Final = ("dates", "asset_ids", "source", "is_stale", "is_present")


def thin_panel(panel: FeaturePanel, every: int) -> FeaturePanel:
    """The panel with features at every `every`-th session only; channels stay whole.

    Parameters
    ----------
    panel : FeaturePanel
    every : int
        1 keeps all.

    Returns
    -------
    FeaturePanel
        Assets count as absent at the other sessions.
    """
    kept = (np.arange(len(panel.dates)) % every == 0)[:, None]
    return replace(
        panel,
        features=np.where(kept[..., None], panel.features, np.nan).astype(np.float32),
        is_present=panel.is_present & kept,
    )


def save_compact(panels: Sequence[FeaturePanel], file: Path) -> None:
    """Write panels as half-precision arrays, features only where an asset is present.

    Parameters
    ----------
    panels : sequence of FeaturePanel
    file : pathlib.Path
        ``.npz``. Half precision keeps eleven bits of every value: a return of 1 % to 1e-5 of its size,
        which changes a training as little as another seed would.
    """
    arrays: dict[str, np.ndarray] = {"count": np.array(len(panels))}
    for i, panel in enumerate(panels):
        arrays |= {f"{i}.{name}": value for name, value in pack_panel(panel).items()}
    np.savez_compressed(file, allow_pickle=False, **arrays)


def pack_panel(panel: FeaturePanel) -> dict[str, np.ndarray]:
    """The arrays of one panel, by name."""
    arrays: dict[str, np.ndarray] = {
        "dates": panel.dates.astype("datetime64[D]"),
        "asset_ids": np.array(panel.asset_ids, dtype=str),
        "source": np.array(panel.source),
        "is_present": np.packbits(panel.is_present),
        "is_stale": np.packbits(panel.is_stale),
    }
    for name, values in (
        ("channels", panel.channels[:, :, :-1].transpose(2, 1, 0)),
        ("market", panel.channels[:, :, -1]),
        ("features", panel.features[panel.is_present].T),
    ):
        if name == "market":
            values = _shared_market(values, panel.source)
        half = np.ascontiguousarray(values, dtype=np.float16).view(np.uint8).reshape(-1, 2)
        # High and low bytes apart: the high ones of neighbouring days are alike and pack well.
        arrays[name] = np.ascontiguousarray(half.T)
    return arrays


def load_compact(file: Path) -> list[FeaturePanel]:
    """Read :func:`save_compact`'s file.

    Raises
    ------
    PanelError
        The file holds no such panels.
    """
    with np.load(file) as stored:
        if "count" not in stored.files:
            raise PanelError(f"{file} holds no compact panels: write it with ml.features.compact_panels")
        return [unpack_panel(stored, f"{i}.") for i in range(int(stored["count"]))]


def unpack_panel(stored: np.lib.npyio.NpzFile, prefix: str) -> FeaturePanel:
    """The panel of :func:`pack_panel`'s arrays, whose names begin with a prefix."""
    dates, asset_ids = stored[f"{prefix}dates"], tuple(str(one) for one in stored[f"{prefix}asset_ids"])
    shape = (len(dates), len(asset_ids))
    size = shape[0] * shape[1]
    present, stale = (
        np.unpackbits(stored[f"{prefix}{name}"], count=size).astype(bool).reshape(shape)
        for name in ("is_present", "is_stale")
    )
    rows = _values(stored[f"{prefix}features"]).reshape(-1, int(present.sum())).T
    features = np.full((*shape, rows.shape[1]), np.nan, np.float32)
    features[present] = rows
    own = _values(stored[f"{prefix}channels"]).reshape(-1, shape[1], shape[0]).transpose(2, 1, 0)
    market = np.broadcast_to(_values(stored[f"{prefix}market"])[:, None, None], (*shape, 1))
    return FeaturePanel(
        dates, asset_ids, features, np.concatenate([own, market], axis=2), present, stale,
        str(stored[f"{prefix}source"]),
    )  # fmt: skip


def _values(split: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(split.T).view(np.float16).ravel().astype(np.float32)


def _shared_market(market: np.ndarray, source: str) -> np.ndarray:
    """The market's returns (D,), which all assets of a panel share."""
    first = market[:, 0]
    if not np.array_equal(market, np.broadcast_to(first[:, None], market.shape), equal_nan=True):
        raise PanelError(f"panel {source!r}: assets have different market channels, one is stored")
    return first
