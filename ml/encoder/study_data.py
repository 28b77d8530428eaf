"""Write the panels that a study trains, chooses and judges on.

``python -m ml.encoder.study_data --output DIR`` simulates all markets; ``--packaged FILE.npz`` (of
``ml.features.panel_file``) adds the real prices, and ``--panel NAME=FOLDER[=MARKET]`` a folder of another vendor's
prices to judge on, with the ticker of its market. What belongs here: which markets, how thinned. What does not:
the format (``ml.features.compact_panels``).
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ml.features.compact_panels import save_compact, thin_panel
from ml.features.panel import FeaturePanel
from ml.features.panel_file import load_panel
from ml.features.simulated_panel import simulated_panel
from ml.features.tidy_panel import tidy_panel


@dataclass(frozen=True)
class Market:
    """A simulated market; `every` is how many sessions lie between those with features."""

    assets: int
    years: int
    seed: int
    every: int
    is_bare: bool = False


N_TRAINING: Final = 23
N_BARE: Final = 6
MARKETS: Final = {
    **{f"m{i}": Market(160, 5, 12_000 + i, 15) for i in range(N_TRAINING)},
    **{f"n{i}": Market(160, 5, 12_500 + i, 15, is_bare=True) for i in range(N_BARE)},
    "select": Market(160, 3, 990_100, 15),
    "heldout": Market(260, 4, 990_001, 5),
}
"""``m``: training; ``n``: without facts, for embedding statistics (``whiten.py``); a seed each."""
REAL_EVERY: Final = 15
PANEL_EVERY: Final = 10


def write_market(name: str, market: Market, folder: Path) -> Path:
    """Simulate a market and write it; returns the file."""
    panel = simulated_panel(
        assets=market.assets, years=market.years, seed=market.seed, is_bare=market.is_bare,
        **({"warmup_sessions": 0} if market.is_bare else {}),
    )  # fmt: skip
    return _write(name, panel, market.every, folder)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml.encoder.study_data", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to write")
    parser.add_argument("--packaged", type=Path, help="a stored panel of real prices (.npz)")
    parser.add_argument("--panel", action="append", default=[], metavar="NAME=FOLDER[=MARKET]")
    parser.add_argument("--panel-every", type=int, default=PANEL_EVERY, help="sessions between features")
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    for name, market in MARKETS.items():
        print(write_market(name, market, given.output), flush=True)
    if given.packaged:
        print(_write("packaged", load_panel(given.packaged, "packaged"), REAL_EVERY, given.output))
    for one in given.panel:
        name, folder, market = (*one.split("=", 2), "", "")[:3]
        if not folder:
            parser.error(f"--panel {one}: give NAME=FOLDER or NAME=FOLDER=MARKET")
        panel = tidy_panel(Path(folder), name, market)
        print(_write(f"panel-{name}", panel, given.panel_every, given.output), flush=True)
    return 0


def _write(name: str, panel: FeaturePanel, every: int, folder: Path) -> Path:
    file = folder / f"{name}.npz"
    save_compact([thin_panel(panel, every)], file)
    return file


if __name__ == "__main__":
    sys.exit(main())
