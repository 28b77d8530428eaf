"""``python -m ml.policy --encoder DIR --output DIR``: train on simulated markets, evaluate, write checkpoint and card.

``--packaged FILE.npz`` adds a stored panel up to 2016-12-30 to the training data. ``--state DIR`` keeps a training
state there and continues it if one is found. ``--evaluate`` trains nothing: it plays the checkpoint in ``--output``
on held-out simulated markets and writes ``evaluation.json`` and the card beside it.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.chronos.config import CUT_OFF
from ml.encoder.dataset import load_chronos
from ml.encoder.embed import EncoderServer
from ml.features.panel import FeaturePanel
from ml.features.panel_file import load_panel
from ml.features.simulated_panel import simulated_panels
from ml.policy.card import evaluate_policy, policy_card
from ml.policy.config import PROFILES, LossWeights, TrainConfig
from ml.policy.embeddings import draw_windows
from ml.policy.train import train_policy
from ml.policy.trained import load_policy

# Profile -> (markets, assets, years) of the simulated training panels, and of the held-out ones.
MARKETS: Final = {"quick": (3, 50, 6), "full": (24, 200, 10)}
HELD_OUT: Final = {"quick": (2, 50, 5), "full": (12, 120, 8)}
_FIRST_SEED: Final = 7_000
_HELD_OUT_SEED: Final = 880_001
_PORTFOLIOS: Final = {"quick": 4, "full": 32}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    config = _changed(PROFILES[given.profile], given)
    encoder = EncoderServer.load(given.encoder)
    branch = load_chronos(device=given.device)
    began = time.monotonic()
    if not given.evaluate:
        panels = _panels(given.profile, given.packaged)
        print(f"{len(panels)} markets after {time.monotonic() - began:.0f} s", flush=True)
        windows = draw_windows(panels, encoder, config, seed=given.seed, chronos=branch)
        print(f"{windows.sizes[0]} universes after {time.monotonic() - began:.0f} s", flush=True)
        trained = train_policy(
            panels, encoder, config, device=given.device, seed=given.seed, on_progress=_print_row,
            resume_folder=given.state, windows=windows,
        )  # fmt: skip
        digest = trained.save(given.output, {"seconds": round(time.monotonic() - began, 1)})
        print(f"wrote {given.output} (digest {digest[:12]})", flush=True)
    policy = load_policy(given.output)
    if policy.encoder_compatibility_id != encoder.compatibility_id:
        raise SystemExit(
            f"{given.output} was trained on the encoder {policy.encoder_compatibility_id[:12]}, {given.encoder} is "
            f"{encoder.compatibility_id[:12]}: pass --encoder with the one it names"
        )
    count, assets, years = HELD_OUT[given.profile]
    held_out = simulated_panels(count, assets=assets, years=years, first_seed=_HELD_OUT_SEED)
    windows = draw_windows(held_out, encoder, config, seed=_HELD_OUT_SEED, chronos=branch)
    found = evaluate_policy(
        policy.model.to(given.device),
        windows.to(given.device),
        per_universe=_PORTFOLIOS[given.profile],
        clusters=np.repeat(np.arange(config.ranges), config.universes_per_range),
    )
    (given.output / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n")
    (given.output / "README.md").write_text(policy_card(given.output, found))
    print(policy_card(given.output, found))
    print(f"evaluated after {time.monotonic() - began:.0f} s; next: taxloom models")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.policy", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--encoder", type=Path, required=True, help="checkpoint folder of the encoder")
    parser.add_argument("--packaged", type=Path, help="a stored panel of real prices (.npz)")
    parser.add_argument("--state", type=Path, help="folder of the training state")
    parser.add_argument("--output", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--evaluate", action="store_true", help="evaluate the checkpoint in --output")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="another value of the profile: iterations=20, weights.experts=[0.5,0.0]")  # fmt: skip
    return parser


def _changed(config: TrainConfig, given: argparse.Namespace) -> TrainConfig:
    """The profile with the values of ``--set``; unknown names are refused."""
    for item in given.set:
        name, _, text = item.partition("=")
        value: Any = json.loads(text)
        value = tuple(value) if isinstance(value, list) else value
        where, _, inner = name.rpartition(".")
        known = LossWeights if where == "weights" else TrainConfig
        if where not in ("", "weights") or inner not in {one.name for one in fields(known)}:
            raise SystemExit(
                f"--set {item}: no such setting; one of {[one.name for one in fields(TrainConfig)]}"
            )
        if where:
            config = replace(config, weights=replace(config.weights, **{inner: value}))
        else:
            config = replace(config, **{inner: value})
    return config


def _panels(profile: str, packaged: Path | None) -> list[FeaturePanel]:
    """Training panels: simulated markets, and real prices to the cut-off if given."""
    count, assets, years = MARKETS[profile]
    panels = simulated_panels(count, assets=assets, years=years, first_seed=_FIRST_SEED)
    if packaged:
        real = load_panel(packaged, f"packaged to {CUT_OFF}")
        end = int(np.searchsorted(real.dates, np.datetime64(CUT_OFF), side="right"))
        panels.insert(0, real.take(slice(0, end)))
    return panels


def _print_row(row: Mapping[str, Any]) -> None:
    shown = {
        name: row[name] for name in ("active_share", "turnover", "kl", "explained_variance") if name in row
    }
    rewards = [f"{1e4 * value:6.1f}" for name, value in row.items() if name.startswith("reward_")]
    values = "  ".join(f"{name} {value:.3f}" for name, value in shown.items())
    print(f"{row['phase']} {row['step']}/{row['steps']}  {values}  bp a week {' '.join(rewards)}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
