"""Train an encoder beside its ablations, several seeds each, on the devices of one machine.

``python -m ml.encoder.study --data DIR --work DIR --output DIR`` embeds once, trains every run in a process
of its own, judges it on held-out panels and keeps, of each set, the seed with the lowest loss on a held-out
simulated market. `DIR` of ``--data`` holds compact panels (``ml.features.compact_panels``): ``m*.npz`` and
``packaged.npz`` to train on, ``select.npz`` to choose by, ``heldout.npz`` and ``panel-*.npz`` to judge on.
Runs that ended are not repeated and those broken off continue, so the same command resumes.

What belongs here: which runs there are and their processes. What does not: training, measures, cards.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ml.chronos.config import CUT_OFF
from ml.encoder.config import PROFILES, TrainConfig
from ml.encoder.controls import random_chronos
from ml.encoder.dataset import CellTable, build_cells, load_chronos
from ml.encoder.embed import EncoderServer
from ml.encoder.report import Split, judge, split_embeddings, split_panel
from ml.encoder.train import train_on_cells
from ml.features.compact_panels import load_compact
from ml.features.panel import FeaturePanel

SETS: Final = {"main": "chronos-bolt-tiny", "simulated": "chronos-bolt-tiny-simulated"}
"""Set -> its Chronos weights; ``simulated`` sees no real price at all."""
VARIANTS: Final = ("fused", "own", "random_chronos", "shuffled_chronos", "chronos")
SEEDS: Final = {"main": 5, "simulated": 3}
HELD_OUT_EVERY: Final = 3
"""Every third ticker of the real training panel, in alphabetical order, is left out of training."""
_FIRST_SECONDS: Final = 150.0
"""What a run is taken to need before one has ended."""


@dataclass(frozen=True)
class Run:
    """One training: set, variant and seed."""

    set_name: str
    variant: str
    seed: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.set_name}-{self.variant}-{self.seed}"

    @property
    def cells(self) -> str:
        """Whose cells it trains on."""
        return f"{self.set_name}-random" if self.variant == "random_chronos" else self.set_name


def runs() -> list[Run]:
    """All runs, seeds outermost, so that a short budget costs seeds and no variant."""
    found = [Run("main", variant, seed) for seed in range(SEEDS["main"]) for variant in VARIANTS]
    extra = [Run("simulated", "fused", seed) for seed in range(SEEDS["simulated"])]
    for i, run in enumerate(extra):
        found.insert((i + 1) * len(VARIANTS) + i, run)
    return found


def is_held_out(panel: FeaturePanel) -> np.ndarray:
    """Tickers of the real training panel that are left out of training, (N,) bool."""
    order = np.argsort(np.argsort(panel.asset_ids))
    return order % HELD_OUT_EVERY == HELD_OUT_EVERY - 1


def training_panels(data: Path, set_name: str) -> list[FeaturePanel]:
    """The simulated markets, and in ``main`` the real prices to the cut-off without the held-out tickers."""
    panels = [one for file in sorted(data.glob("m*.npz")) for one in load_compact(file)]
    if set_name == "main":
        (real,) = load_compact(data / "packaged.npz")
        end = int(np.searchsorted(real.dates, np.datetime64(CUT_OFF), side="right"))
        panels.append(real.take(slice(0, end), np.flatnonzero(~is_held_out(real))))
    return panels


def splits(data: Path, window: int) -> list[Split]:
    """The panels that encoders are judged on."""
    found = [split_panel("simulated market", load_compact(data / "heldout.npz")[0], window=window)]
    (real,) = load_compact(data / "packaged.npz")
    cut = np.datetime64(CUT_OFF)
    found.append(
        split_panel(
            "packaged, held-out tickers",
            real,
            window=window,
            cut=cut,
            is_held_out=is_held_out(real),
            sessions=100,
        )
    )
    for file in sorted(data.glob("panel-*.npz")):
        found.append(split_panel(file.stem.removeprefix("panel-"), load_compact(file)[0], window=window))
    return found


def prepare(data: Path, work: Path, cells: str, config: TrainConfig, device: torch.device) -> None:
    """Embed training cells, selection cells and evaluation panels, and write them to `work`."""
    set_name = cells.removesuffix("-random")
    model = Path(__file__).parents[1] / "weights" / SETS[set_name]
    branch = load_chronos(model, str(device))
    if cells.endswith("-random"):
        branch = random_chronos(branch, model, seed=0, device=str(device))
    began = time.monotonic()
    panels = training_panels(data, set_name)
    table, normalizer = build_cells(panels, config, branch, torch.device("cpu"))
    select, _ = build_cells(
        load_compact(data / "select.npz"), config, branch, torch.device("cpu"), normalizer
    )
    table.save(work / f"{cells}.npz", normalizer)
    select.save(work / f"{cells}-select.npz", normalizer)
    arrays = {}
    for split in splits(data, branch.whitening.window):
        chronos, has = split_embeddings(split, branch)
        arrays |= {f"{split.name}.chronos": chronos, f"{split.name}.has": has}
    facts = {
        "model_id": branch.model_id,
        "window": branch.whitening.window,
        "sources": sorted({one.source for one in panels}),
        "cells": len(table.features),
        "assets": sum(len(one.asset_ids) for one in panels),
    }
    np.savez(work / f"{cells}-eval.npz", **arrays)
    (work / f"{cells}.json").write_text(json.dumps(facts))
    print(
        f"{cells}: {facts['cells']:,} cells of {len(panels)} panels in {time.monotonic() - began:.0f} s",
        flush=True,
    )


def train_one(
    data: Path, work: Path, output: Path, run: Run, config: TrainConfig, device: torch.device
) -> None:
    """Train one run, judge it, write its checkpoint folder."""
    torch.set_float32_matmul_precision("high")
    facts = json.loads((work / f"{run.cells}.json").read_text())
    table, normalizer = CellTable.load(work / f"{run.cells}.npz", device)
    select, _ = CellTable.load(work / f"{run.cells}-select.npz", device)
    if run.variant == "shuffled_chronos":
        table, select = table.shuffled(run.seed), select.shuffled(run.seed)
    branches = run.variant if run.variant in ("own", "chronos") else "fused"
    config = replace(config, encoder=replace(config.encoder, branches=branches))
    began = time.monotonic()
    trained = train_on_cells(
        table, normalizer, config, facts["model_id"], tuple(facts["sources"]), seed=run.seed,
        on_progress=lambda row: _print_row(row, time.monotonic() - began),
        resume_folder=work / "state" / run.name, selection=select,
    )  # fmt: skip
    seconds = time.monotonic() - began
    server = EncoderServer.of(trained, device)
    reports = []
    with np.load(work / f"{run.cells}-eval.npz") as stored:
        for split in splits(data, facts["window"]):
            chronos, has = stored[f"{split.name}.chronos"], stored[f"{split.name}.has"]
            if run.variant == "shuffled_chronos":
                _shuffle(chronos, has, run.seed)
            reports.append(judge(server, split, chronos, has))
    training = {"seconds": round(seconds, 1), "cells": facts["cells"], "assets": facts["assets"]}
    staging = output / f".{run.name}"
    trained.save(staging, {"held_out": reports, "training": training})
    shutil.rmtree(output / run.name, ignore_errors=True)
    staging.rename(output / run.name)
    print(f"{run.name}: selection {trained.history[-1]['selection']:.4f} after {seconds:.0f} s", flush=True)


def choose(output: Path) -> dict[str, str]:
    """Folder of each set's fused run with the lowest selection loss, among those that ended."""
    chosen = {}
    for set_name in SETS:
        found = {
            run.name: load_metrics(output / run.name)["history"][-1]["selection"]
            for run in runs()
            if run.set_name == set_name and run.variant == "fused" and (output / run.name).exists()
        }
        if found:
            chosen[set_name] = min(found, key=found.__getitem__)
    return chosen


def load_metrics(folder: Path) -> dict[str, Any]:
    """The metrics of a checkpoint folder."""
    return json.loads((folder / "metrics.json").read_text())


def collect(output: Path) -> dict[str, Any]:
    """What all runs that ended measured: run, history, training, held_out; and which are chosen."""
    ended = [one for one in runs() if (output / one.name).exists()]
    rows = [
        {"set": one.set_name, "variant": one.variant, "seed": one.seed, **load_metrics(output / one.name)}
        for one in ended
    ]
    return {"chosen": choose(output), "runs": rows}


def _shuffle(chronos: np.ndarray, has: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for row, known in zip(chronos, has, strict=True):
        row[known] = rng.permutation(row[known])


def _print_row(row: dict[str, float], seconds: float) -> None:
    shown = ("loss", "selection", "feature", "volatility", "mean_cosine", "effective_rank", "gate_mean")
    values = "  ".join(f"{name} {row[name]:.3f}" for name in shown if name in row)
    print(f"{seconds:5.0f} s  step {row['step']:6.0f}  {values}", flush=True)


class _Pool:
    """Processes of this module, a fixed number on each device, none started that would not end in time."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.given = arguments
        self.began = time.monotonic()
        self.running: dict[subprocess.Popen[bytes], tuple[str, float]] = {}
        self.slots = {one: arguments.per_device for one in arguments.devices}
        self.durations: list[float] = []
        self.failed: list[str] = []
        self.busy: list[int] = []

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def run(self, tasks: list[list[str]], is_timed: bool) -> None:
        """Run the tasks; timed ones are skipped once they would outlast the budget."""
        waiting = list(tasks)
        while waiting or self.running:
            free = [one for one in self.slots if self._used(one) < self.slots[one]]
            if waiting and free and not (is_timed and self._is_late()):
                self._start(waiting.pop(0), min(free, key=self._used))
                continue
            if waiting and is_timed and self._is_late() and not self.running:
                print(f"budget spent: {len(waiting)} runs not started", flush=True)
                return
            time.sleep(1.0)
            self._reap()
            if self.elapsed > self.given.seconds:
                for process in self.running:
                    process.kill()

    def _used(self, device: str) -> int:
        return sum(where == device for where, _ in self.running.values())

    def _is_late(self) -> bool:
        usual = float(np.mean(self.durations)) if self.durations else _FIRST_SECONDS
        return self.elapsed + usual > self.given.seconds

    def _start(self, task: list[str], device: str) -> None:
        command = [sys.executable, "-m", "ml.encoder.study", *task, "--device", device]
        for name in ("data", "work", "output", "profile", "steps"):
            value = getattr(self.given, name)
            command += [f"--{name}", str(value)] if value is not None else []
        log = (self.given.output / "logs" / f"{'-'.join(task[1:])}.log").open("ab")
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        self.running[process] = (device, time.monotonic())

    def _reap(self) -> None:
        for process in [one for one in self.running if one.poll() is not None]:
            _, started = self.running.pop(process)
            name = " ".join(process.args[3:5])  # type: ignore[index]
            if process.returncode:
                self.failed.append(f"{name}: exit {process.returncode}")
            else:
                self.durations.append(time.monotonic() - started)
            print(f"{self.elapsed:5.0f} s  {name}: exit {process.returncode}", flush=True)
        self._sample()

    def _sample(self) -> None:
        """Share of time in which the devices were busy, where nvidia-smi tells it."""
        if shutil.which("nvidia-smi") is None or int(self.elapsed) % 5:
            return
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        self.busy += [
            int(one) for one in subprocess.run(query, capture_output=True, check=True).stdout.split()
        ]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(2)  # of each process: many run side by side
    config = PROFILES[given.profile]
    if given.steps:
        config = replace(config, steps=given.steps, check_from=min(config.check_from, given.steps))
    if given.prepare:
        prepare(given.data, given.work, given.prepare, config, torch.device(given.device))
        return 0
    if given.train:
        set_name, variant, seed = given.train.split("-")
        train_one(
            given.data,
            given.work,
            given.output,
            Run(set_name, variant, int(seed)),
            config,
            torch.device(given.device),
        )
        return 0
    for folder in (given.work, given.output / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        one
        for one in runs()
        if one.seed < given.seeds and one.set_name in given.sets and one.variant in given.variants
    ]
    pool = _Pool(given)
    cells = sorted({one.cells for one in wanted})
    pool.run(
        [["--prepare", one] for one in cells if not (given.work / f"{one}.json").exists()], is_timed=False
    )
    if pool.failed:
        raise SystemExit(f"not embedded: {'; '.join(pool.failed)}; see {given.output / 'logs'}")
    pool.durations.clear()
    pool.run(
        [["--train", one.name] for one in wanted if not (given.output / one.name).exists()], is_timed=True
    )
    found = collect(given.output)
    (given.output / "results.json").write_text(json.dumps(found))
    busy = f", devices busy {np.mean(pool.busy):.0f} % of the time" if pool.busy else ""
    print(
        f"{len(found['runs'])} of {len(wanted)} runs after {pool.elapsed:.0f} s{busy}; chosen {found['chosen']}; "
        f"wrote {given.output}; next: python -m ml.encoder.card --study {given.output}"
    )
    return 1 if pool.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ml.encoder.study", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of compact panels")
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of embedded cells and training states"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of checkpoints and results.json")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="full")
    parser.add_argument("--steps", type=int, help="instead of the profile's")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="wall-clock budget")
    parser.add_argument("--seeds", type=int, default=max(SEEDS.values()), help="at most, of each variant")
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=sorted(SETS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--devices", nargs="+", default=["cpu"], help="cpu, cuda:0, cuda:1 ...")
    parser.add_argument("--per-device", type=int, default=1, help="runs side by side on each device")
    parser.add_argument("--device", default="cpu", help=argparse.SUPPRESS)
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    parser.add_argument("--train", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
