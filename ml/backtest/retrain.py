"""``python -m ml.backtest.retrain --packaged FILE.npz --output DIR``: a policy for each development window.

Each is trained on simulated markets and on the packaged prices up to 63 sessions before its window, several seeds, on
an encoder that saw simulation alone. ``taxloom backtest --policy WINDOW=DIR`` then judges each in its window.

What belongs here: which data each window's policy may see. What does not: training (``ml/policy/train.py``), judging.

Spans of simulated markets serve all windows: they are drawn and embedded once, into ``DIR/simulated.npz``. A seed that
is there already is not trained again.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.backtest.walk_forward import DEVELOPMENT_BLOCKS, PURGE_SESSIONS
from ml.encoder.dataset import ChronosBranch, load_chronos
from ml.encoder.embed import EncoderServer
from ml.features.panel import FeaturePanel
from ml.features.panel_file import load_panel
from ml.features.simulated_panel import simulated_panels
from ml.models import WEIGHTS
from ml.policy.config import PROFILES, TRENDS_ANN, TrainConfig, is_left_out
from ml.policy.spans import Span, cut_windows, draw_spans, load_spans, save_spans
from ml.policy.train import train_on_windows

MARKETS: Final = (12, 60, 10)
"""Simulated markets: number, assets and years of each."""
REAL_SHARE: Final = 0.25
"""Of the spans, from the packaged prices."""
_FIRST_SEED: Final = 4_000
_SIMULATED: Final = "simulated.npz"


def train_until(panel: FeaturePanel, first_year: int) -> int | None:
    """Position of the last session that the policy of a block of years may be trained on.

    Parameters
    ----------
    panel : FeaturePanel
    first_year : int
        The block's; its first decision is at the close before 1 January.

    Returns
    -------
    int or None
        None where the panel begins too late.
    """
    inside = np.flatnonzero(panel.dates >= np.datetime64(f"{first_year}-01-01"))
    last = int(inside[0]) - 1 - PURGE_SESSIONS if len(inside) else -1
    return last if last > 0 else None


def window_spans(
    real: FeaturePanel,
    simulated: list[Span],
    encoder: EncoderServer,
    chronos: ChronosBranch,
    config: TrainConfig,
    first_year: int,
) -> tuple[list[Span], str] | None:
    """Spans that the policy of one window is trained on, and the last day of real prices among them.

    Every eighth span is left out of training to choose the network by: those are simulated ones. None where the
    real prices begin too late.
    """
    last = train_until(real, first_year)
    if last is None:
        return None
    seen = real.take(slice(0, last + 1))
    count = max(1, round(REAL_SHARE * config.ranges))
    drawn = draw_spans([seen], encoder, replace(config, ranges=count), seed=first_year, chronos=chronos)
    mixed = _interleaved(drawn, simulated[: config.ranges - count])
    return mixed, str(seen.dates[-1])


def _interleaved(real: list[Span], simulated: list[Span]) -> list[Span]:
    """Real spans spread among simulated ones, none at the places that validation leaves out."""
    found, waiting, rest = [], list(real), list(simulated)
    for place, is_out in enumerate(is_left_out(len(real) + len(simulated))):
        is_turn_of_real = place % 2 == 0 and not is_out
        source = waiting if waiting and (is_turn_of_real or not rest) else rest
        found.append(source.pop(0))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    config = PROFILES["walkforward"]
    began = time.monotonic()
    given.output.mkdir(parents=True, exist_ok=True)
    encoder = EncoderServer.load(given.encoder)
    chronos = load_chronos(given.chronos)
    real = load_panel(given.packaged, "packaged")
    simulated = _simulated_spans(given.output / _SIMULATED, encoder, chronos, config)
    print(f"{len(simulated)} simulated spans after {time.monotonic() - began:.0f} s", flush=True)
    written = []
    for block in DEVELOPMENT_BLOCKS:
        window = f"development_{block[0]}_{block[1]}"
        folders = [given.output / window / f"seed-{seed}" for seed in range(given.seeds)]
        # The manifest is written last: without it a save was broken off.
        missing = [seed for seed, folder in enumerate(folders) if not (folder / "manifest.json").exists()]
        written += [f"{window}={folder}" for folder in folders]
        if not missing:
            print(f"{window}: trained before", flush=True)
            continue
        spans = window_spans(real, simulated, encoder, chronos, config, block[0])
        if spans is None:
            raise SystemExit(f"{given.packaged}: no prices {PURGE_SESSIONS} sessions before {block[0]}")
        windows, sources = cut_windows(spans[0], config), (f"packaged to {spans[1]}", "simulated")
        for seed in missing:
            trained = train_on_windows(
                windows, encoder.compatibility_id, sources, config, device=given.device, seed=seed
            )
            trained.save(folders[seed], {"trained_until": spans[1]})
            print(
                f"{window} seed {seed}: {_line(trained.history[-1])}  {time.monotonic() - began:.0f} s",
                flush=True,
            )
    print(f"wrote {len(written)} policies under {given.output}; next:")
    flags = " ".join(f"--policy {one}" for one in written)
    print(f"taxloom backtest {flags} --encoder {given.encoder} --chronos {given.chronos}")
    return 0


def _simulated_spans(
    file: Path, encoder: EncoderServer, chronos: ChronosBranch, config: TrainConfig
) -> list[Span]:
    if file.exists():
        spans, identity = load_spans(file)
        if identity != encoder.compatibility_id:
            raise SystemExit(f"{file} is of the encoder {identity[:12]}: delete it or pass that encoder")
        return spans
    count, assets, years = MARKETS
    panels = simulated_panels(
        count, assets=assets, years=years, first_seed=_FIRST_SEED, trends_ann=TRENDS_ANN
    )
    spans = draw_spans(panels, encoder, config, seed=_FIRST_SEED, chronos=chronos)
    save_spans(spans, file, encoder.compatibility_id)
    return load_spans(file)[0]


def _line(row: Mapping[str, Any]) -> str:
    shown = ("active_share", "turnover", "validation", "kept_step")
    return "  ".join(f"{name} {row[name]:.3g}" for name in shown if name in row)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.backtest.retrain", description=__doc__)
    parser.add_argument("--packaged", type=Path, required=True, help="a stored panel of real prices (.npz)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the policies")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", type=Path, default=WEIGHTS / "encoder-simulated")
    parser.add_argument("--chronos", type=Path, default=WEIGHTS / "chronos-bolt-tiny-simulated")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    return parser


if __name__ == "__main__":
    sys.exit(main())
