"""``python -m ml.policy --encoder DIR --output DIR``: train on simulated markets, evaluate, write checkpoint and card.

``--packaged FILE.npz`` adds a stored panel to the training data, up to 2016-12-30 or an earlier ``--until``.
``--state DIR`` keeps a training state there and continues it if one is found. ``--evaluate`` trains nothing: it plays
the checkpoint in ``--output`` on held-out simulated markets and writes ``evaluation.json`` and the card beside it.

For a machine that has neither markets nor Chronos: ``--write-spans DIR`` writes what training and evaluation read and
ends, ``--spans DIR`` reads it instead of drawing anew.

``torchrun --nproc-per-node N -m ml.policy ...`` trains with N processes (a GPU each with ``--device cuda``), which
share universes and batches; the first evaluates and writes.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.chronos.config import CUT_OFF
from ml.encoder.dataset import load_chronos
from ml.encoder.embed import EncoderServer
from ml.features.panel import FeaturePanel
from ml.features.panel_file import load_panel
from ml.models import ENCODER, WEIGHTS
from ml.policy.card import evaluate_policy, policy_card
from ml.policy.config import PROFILES, TRENDS_ANN, LossWeights, TrainConfig
from ml.policy.market_window import MarketWindow
from ml.policy.parallel import Workers, leave
from ml.policy.spans import Span, cut_windows, draw_spans, load_spans, save_spans
from ml.policy.train import train_on_windows
from ml.policy.trained import load_policy

# Profile -> (markets, assets, years) of the simulated training panels, and of the held-out ones.
MARKETS: Final = {"quick": (3, 50, 6), "full": (12, 60, 10)}
HELD_OUT: Final = {"quick": (2, 50, 5), "full": (4, 60, 8)}
_FIRST_SEED: Final = 7_000
_HELD_OUT_SEED: Final = 880_001
_HELD_OUT_SPANS: Final = 12
_TRAINING_SPANS, _HELD_OUT_FILE = "training.npz", "held_out.npz"
_PORTFOLIOS: Final = {"quick": 4, "full": 16}


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    config = _changed(PROFILES[given.profile], given)
    began = time.monotonic()
    if given.write_spans:
        return _write_spans(given, config)
    if given.output is None:
        raise SystemExit("--output DIR is needed: the checkpoint folder to write, or with --evaluate to read")
    workers = Workers.joined(given.device)
    given.device = workers.device(given.device)
    source = _Stored(given, config) if given.spans else _Drawn(given, config)
    if not given.evaluate:
        windows, names, until = source.training()
        print(f"{windows.sizes[0]} universes after {time.monotonic() - began:.0f} s", flush=True)
        trained = train_on_windows(
            windows, source.encoder_id, names, config, device=given.device, seed=given.seed, on_progress=_print_row,
            resume_folder=given.state, workers=workers,
        )  # fmt: skip
        leave()
        if workers.rank:
            return 0
        digest = trained.save(
            given.output, {"seconds": round(time.monotonic() - began, 1), "trained_until": until}
        )
        print(f"wrote {given.output} (digest {digest[:12]})", flush=True)
    policy = load_policy(given.output)
    if policy.encoder_compatibility_id != source.encoder_id:
        raise SystemExit(
            f"{given.output} was trained on the encoder {policy.encoder_compatibility_id[:12]}, these embeddings are "
            f"of {source.encoder_id[:12]}: pass --encoder or --spans of the one it names"
        )
    windows = source.held_out()
    spans = windows.sizes[0] // config.universes_per_range
    found = evaluate_policy(
        policy.model.to(given.device),
        windows.to(given.device),
        per_universe=_PORTFOLIOS[given.profile],
        clusters=np.repeat(np.arange(spans), config.universes_per_range),
    )
    (given.output / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n")
    (given.output / "README.md").write_text(policy_card(given.output, found))
    print(policy_card(given.output, found))
    print(f"evaluated after {time.monotonic() - began:.0f} s; next: taxloom models")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.policy", description=__doc__)
    parser.add_argument("--profile", choices=sorted(MARKETS), default="quick")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--encoder", type=Path, default=WEIGHTS / ENCODER, help="checkpoint folder of the encoder"
    )
    parser.add_argument("--packaged", type=Path, help="a stored panel of real prices (.npz)")
    parser.add_argument(
        "--until", type=date.fromisoformat, default=CUT_OFF, help="last day of them, YYYY-MM-DD"
    )
    parser.add_argument("--state", type=Path, help="folder of the training state")
    parser.add_argument("--output", type=Path, help="checkpoint folder to write")
    parser.add_argument("--write-spans", type=Path, metavar="DIR", help="write what is trained on, and end")
    parser.add_argument(
        "--spans", type=Path, metavar="DIR", help="train and evaluate on what --write-spans wrote"
    )
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


class _Drawn:
    """Universes of markets that are simulated, and embedded, here."""

    def __init__(self, given: argparse.Namespace, config: TrainConfig) -> None:
        self._given, self._config = given, config
        self._encoder = EncoderServer.load(given.encoder, given.device)
        self._branch = load_chronos(device=given.device)
        self.encoder_id = self._encoder.compatibility_id

    def training_spans(self) -> list[Span]:
        panels = _panels(self._given.profile, self._given.packaged, self._given.until)
        return self._spans(panels, self._config, self._given.seed)

    def held_out_spans(self) -> list[Span]:
        # Imported here: a machine that reads stored spans may have no data frames.
        from ml.features.simulated_panel import simulated_panels

        count, assets, years = HELD_OUT[self._given.profile]
        panels = simulated_panels(
            count, assets=assets, years=years, first_seed=_HELD_OUT_SEED, trends_ann=TRENDS_ANN
        )
        ranges = min(self._config.ranges, _HELD_OUT_SPANS)
        return self._spans(panels, replace(self._config, ranges=ranges), _HELD_OUT_SEED)

    def training(self) -> tuple[MarketWindow, tuple[str, ...], str | None]:
        return _cut(self.training_spans(), self._config)

    def held_out(self) -> MarketWindow:
        return _cut(self.held_out_spans(), self._config)[0]

    def _spans(self, panels: list[FeaturePanel], config: TrainConfig, seed: int) -> list[Span]:
        return draw_spans(panels, self._encoder, config, seed=seed, chronos=self._branch)


class _Stored:
    """Universes of spans that another machine embedded."""

    def __init__(self, given: argparse.Namespace, config: TrainConfig) -> None:
        self._config = config
        self._training, self.encoder_id = load_spans(given.spans / _TRAINING_SPANS)
        self._held_out, other = load_spans(given.spans / _HELD_OUT_FILE)
        if other != self.encoder_id:
            raise SystemExit(
                f"{given.spans}: {_TRAINING_SPANS} and {_HELD_OUT_FILE} are of two encoders, {self.encoder_id[:12]} "
                f"and {other[:12]}: write them anew with --write-spans"
            )

    def training(self) -> tuple[MarketWindow, tuple[str, ...], str | None]:
        return _cut(self._training, self._config)

    def held_out(self) -> MarketWindow:
        return _cut(self._held_out, self._config)[0]


def _cut(spans: list[Span], config: TrainConfig) -> tuple[MarketWindow, tuple[str, ...], str | None]:
    """Universes, the names of their panels, and the last day of real prices among them."""
    real = [str(one.panel.dates[-1]) for one in spans if not one.panel.source.startswith("simulated")]
    names = tuple(sorted({one.panel.source for one in spans}))
    return cut_windows(spans, config), names, max(real, default=None)


def _write_spans(given: argparse.Namespace, config: TrainConfig) -> int:
    drawn = _Drawn(given, config)
    given.write_spans.mkdir(parents=True, exist_ok=True)
    for name, spans in ((_TRAINING_SPANS, drawn.training_spans()), (_HELD_OUT_FILE, drawn.held_out_spans())):
        file = given.write_spans / name
        save_spans(spans, file, drawn.encoder_id)
        print(f"wrote {file}: {len(spans)} spans, {file.stat().st_size / 2**20:.1f} MiB", flush=True)
    print(f"next: python -m ml.policy --spans {given.write_spans} --output DIR")
    return 0


def _panels(profile: str, packaged: Path | None, until: date) -> list[FeaturePanel]:
    """Training panels: simulated markets, and real prices up to a day if given."""
    from ml.features.simulated_panel import simulated_panels

    count, assets, years = MARKETS[profile]
    panels = simulated_panels(
        count, assets=assets, years=years, first_seed=_FIRST_SEED, trends_ann=TRENDS_ANN
    )
    if packaged:
        real = load_panel(packaged, f"packaged to {until}")
        end = int(np.searchsorted(real.dates, np.datetime64(until), side="right"))
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
