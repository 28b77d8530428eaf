"""``python -m ml.encoder --output DIR``: train on simulated markets, evaluate, write checkpoint and card.

``--packaged FILE.npz`` adds a stored panel up to 2016-12-30 to the training data and its later years to the
held-out panels. ``--state DIR`` keeps a training state there and continues it if one is found.
``--evaluate`` trains nothing: it evaluates the checkpoint that lies in ``--output`` and writes its card.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from ml.chronos.config import CUT_OFF
from ml.encoder.card import card
from ml.encoder.config import PROFILES
from ml.encoder.dataset import load_chronos
from ml.encoder.embed import EncoderServer
from ml.encoder.report import judge, split_embeddings, split_panel
from ml.encoder.train import train_encoder
from ml.encoder.trained import restore_trained
from ml.features.panel_file import load_panel
from ml.features.simulated_panel import simulated_panel

# Profile -> (markets, assets, years) of the simulated training panels.
MARKETS: Final = {"quick": (3, 50, 6), "full": (12, 400, 12)}
HELD_OUT_ASSETS: Final = 260
HELD_OUT_YEARS: Final = 4
_FIRST_SEED: Final = 2016
_HELD_OUT_SEED: Final = 990_001


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml.encoder", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, help="instead of the profile's")
    parser.add_argument("--packaged", type=Path, help="a stored panel of real prices (.npz)")
    parser.add_argument("--state", type=Path, help="folder of the training state")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--evaluate", action="store_true", help="evaluate the checkpoint in --output")
    given = parser.parse_args(arguments)
    config = PROFILES[given.profile]
    config = replace(config, steps=given.steps or config.steps)
    markets, assets, years = MARKETS[given.profile]
    panels = [
        simulated_panel(assets=assets, years=years, seed=_FIRST_SEED + market) for market in range(markets)
    ]
    branch = load_chronos(device=given.device)
    window = branch.whitening.window
    held_out = simulated_panel(assets=HELD_OUT_ASSETS, years=HELD_OUT_YEARS, seed=_HELD_OUT_SEED)
    splits = [split_panel("another simulated market", held_out, window=window)]
    if given.packaged:
        real = load_panel(given.packaged, "packaged")
        cut = np.datetime64(CUT_OFF)
        end = int(np.searchsorted(real.dates, cut, side="right"))
        panels.append(real.take(slice(0, end)))
        splits.append(split_panel("packaged prices", real, window=window, cut=cut))
    if given.evaluate:
        trained = restore_trained(given.output)
    else:
        trained = train_encoder(
            panels,
            config,
            device=given.device,
            seed=given.seed,
            on_progress=_print_row,
            resume_folder=given.state,
            chronos=branch,
        )
    server = EncoderServer.of(trained, given.device)
    reports = [judge(server, split, *split_embeddings(split, branch)) for split in splits]
    if not given.evaluate:
        digest = trained.save(given.output, {"held_out": reports})
        print(f"wrote {given.output} (digest {digest[:12]})")
    return _write_card(given.output, card(trained, reports))


def _write_card(folder: Path, text: str) -> int:
    (folder / "README.md").write_text(text)
    print(text)
    return 0


def _print_row(row: dict[str, float]) -> None:
    shown = ("loss", "feature", "volatility", "mean_cosine", "effective_rank", "gate_mean")
    print(f"step {row['step']:6.0f}  " + "  ".join(f"{name} {row[name]:.3f}" for name in shown), flush=True)


if __name__ == "__main__":
    sys.exit(main())
