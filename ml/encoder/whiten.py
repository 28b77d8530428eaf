"""Fit the embedding statistics of a trained encoder anew, on more kinds of panels than it was trained on.

``python -m ml.encoder.whiten --data DIR --checkpoint DIR --output DIR`` reads a study's data folder
(``study.py``) with ``n*.npz`` beside it: simulated markets as another vendor's files tell them, whose facts are
unknown and whose history begins with the panel (``simulated_panel(..., is_bare=True)``). All assets of such a
universe lack the same inputs, which moves their embeddings one way; the map must have seen that direction to
scale it down. Weights stay as they are; the map is part of the compatibility id. What belongs here: choosing
sessions and shares, judging again. What does not: the map (``statistics.py``).
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ml.checkpoint import load_checkpoint, save_checkpoint
from ml.chronos.config import CUT_OFF
from ml.encoder.config import WINDOW
from ml.encoder.dataset import ChronosBranch, chronos_for, load_chronos, pad_channels
from ml.encoder.embed import EncoderServer
from ml.encoder.report import judge, split_embeddings
from ml.encoder.statistics import EmbeddingStatistics, fit_shared_statistics
from ml.encoder.study import SETS, is_held_out, splits
from ml.encoder.train import CLASSES
from ml.encoder.trained import encoder_compatibility_id, load_encoder
from ml.features.compact_panels import load_compact
from ml.features.panel import FeaturePanel

BETWEEN_WEIGHT: Final = 16.0
REAL_SHARE: Final = 0.25
"""Of the real prices, whose few assets would not be seen among the simulated ones."""
SESSIONS: Final = {"simulated": 10, "real": 80}
"""Of each panel, evenly spaced."""
_FLOOR: Final = 0.05


def whitening_panels(data: Path, set_name: str) -> list[tuple[FeaturePanel, float]]:
    """Panels with their shares: simulated markets with and without facts alike, real training prices in ``main``.

    Raises
    ------
    FileNotFoundError
        A kind of simulated market is missing.
    """
    real_share = REAL_SHARE if set_name == "main" else 0.0
    weighted = []
    for kind in ("m", "n"):
        found = [one for file in sorted(data.glob(f"{kind}[0-9]*.npz")) for one in load_compact(file)]
        if not found:
            raise FileNotFoundError(
                f"{data} holds no {kind}*.npz: write them with ml.features.compact_panels"
            )
        weighted += [(one, (1 - real_share) / 2 / len(found)) for one in found]
    if set_name == "main":
        (real,) = load_compact(data / "packaged.npz")
        end = int(np.searchsorted(real.dates, np.datetime64(CUT_OFF), side="right"))
        weighted.append((real.take(slice(0, end), np.flatnonzero(~is_held_out(real))), real_share))
    return weighted


def panel_outputs(
    server: EncoderServer, panel: FeaturePanel, branch: ChronosBranch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Network outputs z (n, 64) of evenly spaced sessions of a panel, and their groups (date and class)."""
    known = np.cumsum(np.isfinite(panel.total_return_log), axis=0) >= branch.whitening.window
    usable = np.flatnonzero((known & panel.is_present).sum(1) >= 4)
    many = SESSIONS["simulated" if panel.source.startswith("simulated:") else "real"]
    rows = usable[np.unique(np.linspace(0, len(usable) - 1, many).astype(int))]
    chronos, has = chronos_for(panel, rows, branch)
    days = pad_channels(panel.channels)[rows[:, None] + np.arange(WINDOW)].swapaxes(1, 2)
    inputs = server.inputs(days, panel.features[rows], chronos, has, panel.is_present[rows])
    _, out = server.forward(inputs)
    asset_class = inputs.features[..., CLASSES].argmax(-1)
    group = len(CLASSES) * torch.arange(len(rows), device=asset_class.device)[:, None] + asset_class
    return out.z[inputs.is_asset].cpu(), group[inputs.is_asset].cpu()


def refit(folder: Path, data: Path, set_name: str, branch: ChronosBranch, device: str) -> EmbeddingStatistics:
    """Statistics of a checkpoint's encoder over :func:`whitening_panels`."""
    server = EncoderServer(load_encoder(folder), device)
    sources = [
        (*panel_outputs(server, panel, branch), share) for panel, share in whitening_panels(data, set_name)
    ]
    return fit_shared_statistics(sources, _FLOOR, BETWEEN_WEIGHT)


def _with_statistics(folder: Path, output: Path, statistics: EmbeddingStatistics) -> str:
    """Write a checkpoint with other statistics; returns its compatibility id."""
    saved = load_checkpoint(folder)
    tensors = saved.tensors | {
        "statistics.mean": statistics.mean.numpy(),
        "statistics.matrix": statistics.matrix.numpy(),
    }
    config = saved.config | {
        "compatibility_id": encoder_compatibility_id(
            tensors, saved.config["encoder"], saved.config["chronos_model_id"]
        ),
        "statistics": {"between_weight": BETWEEN_WEIGHT, "floor": _FLOOR, "refitted": True},
    }
    save_checkpoint(output, config, tensors, saved.metrics)
    return str(config["compatibility_id"])


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml.encoder.whiten", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of compact panels")
    parser.add_argument(
        "--checkpoint", type=Path, help="a run's folder in a study's output; without it --output is judged"
    )
    parser.add_argument("--output", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--set", dest="set_name", choices=sorted(SETS), default="main")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    branch = load_chronos(Path(__file__).parents[1] / "weights" / SETS[given.set_name], given.device)
    if given.checkpoint:
        statistics = refit(given.checkpoint, given.data, given.set_name, branch, given.device)
        found = _with_statistics(given.checkpoint, given.output, statistics)
        print(f"wrote {given.output} ({found[:16]}) after {time.monotonic() - began:.0f} s", flush=True)
    server = EncoderServer(load_encoder(given.output), given.device)
    reports = []
    for split in splits(given.data, branch.whitening.window):
        reports.append(judge(server, split, *split_embeddings(split, branch)))
        measures = json.dumps(reports[-1]["collapse"])
        print(f"{split.name} after {time.monotonic() - began:.0f} s: {measures}", flush=True)
    saved = load_checkpoint(given.output)
    save_checkpoint(given.output, saved.config, saved.tensors, saved.metrics | {"held_out": reports})
    return 0


if __name__ == "__main__":
    sys.exit(main())
