"""Pretrain Chronos-Bolt from random weights on generated and real series.

Run ``python -m ml.chronos.pretrain --profile quick --output DIR``; ``--resume`` continues from the last
training state, written at least every two minutes. The result is a folder that
`chronos.BaseChronosPipeline.from_pretrained` loads: bf16 safetensors shards, config, metrics.
"""

import argparse
import json
import math
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.checkpoint import load_checkpoint, save_checkpoint
from ml.chronos.config import CUT_OFF, PROFILES, ChronosTrainingConfig, build_bolt
from ml.chronos.corpus import Corpus, RealSeries
from ml.chronos.series import load_series

STATE_EVERY_SECONDS = 100.0
_REPORT_EVERY = 50
_SHARD_SIZE = "12MB"
_NAIVE_LAG = 10
_NEAR_STEPS = 21


class TrainingError(Exception):
    """A run that cannot start or continue; the message says why and what to do."""


def sample_weights(context: torch.Tensor) -> torch.Tensor:
    """Weight of each row: one over how much its scaled context moves in ten days, within 1 and 8.

    A random walk scaled by its context's spread moves little in 21 days, so unweighted its loss, where a
    forecast is hardest to improve, would count a tenth of a return's. Uses the context alone: no bias.

    Parameters
    ----------
    context : torch.Tensor
        (n, length), zero mean and unit spread, NaN where nothing is observed.
    """
    moves = (context[:, _NAIVE_LAG:] - context[:, :-_NAIVE_LAG]).abs().nanmean(1)
    return 1 / moves.clamp(0.125, 1.0)


def quantile_loss(model: Any, rows: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Mean weighted pinball loss of scaled targets; days 22 on count half.

    Parameters
    ----------
    model : ChronosBoltModelForForecasting
        In training or evaluation mode.
    rows : torch.Tensor
        (n, context + prediction length) float32.
    lengths : torch.Tensor
        (n,) observations of context each row may see.
    """
    size = model.chronos_config.context_length
    position = torch.arange(size, device=rows.device)
    context = torch.where(position >= size - lengths[:, None], rows[:, :size], math.nan)
    centre = context.nanmean(1, keepdim=True)
    spread = (context - centre).square().nanmean(1, keepdim=True).sqrt().clamp_min(1e-6)
    context, target = (context - centre) / spread, ((rows[:, size:] - centre) / spread).clamp(-30, 30)
    with torch.autocast(rows.device.type, dtype=torch.bfloat16):
        predicted = model(context=context).quantile_preds.float()
    levels = model.quantiles.float().view(1, -1, 1)
    error = target[:, None] - predicted
    loss = torch.maximum(levels * error, (levels - 1) * error).mean(1)
    near = torch.where(torch.arange(loss.shape[1], device=rows.device) < _NEAR_STEPS, 1.0, 0.5)
    return ((loss * near).sum(1) / near.sum() * sample_weights(context)).mean()


class Trainer:
    """The training loop's state: model, optimiser, corpus, step, seconds, loss curve."""

    def __init__(
        self, config: ChronosTrainingConfig, device: str, series: Path | None, compiled: bool = False
    ):
        torch.manual_seed(config.seed)
        self._loss: Any = torch.compile(quantile_loss) if compiled else quantile_loss
        self.config, self.device = config, torch.device(device)
        self.model = build_bolt(config).to(self.device).train()
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=config.peak_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98),
            fused=self.device.type == "cuda",
        )  # fmt: skip
        self.generator = torch.Generator(self.device).manual_seed(config.seed)
        real = None
        self.real_assets: list[str] = []
        if series is not None:
            found = load_series(series, last=CUT_OFF)
            self.real_assets = [one.asset_id for one in found if len(one.prices) > config.window]
            real = RealSeries(
                [one.log_returns for one in found], [one.log_volumes for one in found], config.window, device
            )
        self.corpus = Corpus(config, self.generator, real)
        self.step, self.seconds = 0, 0.0
        self.curve: list[dict[str, float]] = []
        self.earlier: list[dict[str, Any]] = []

    @property
    def progress(self) -> float:
        """Part of the learning-rate schedule done, 0 to 1."""
        done = self.step / self.config.steps
        budget = self.config.budget_seconds
        return min(1.0, done if budget is None else max(done, self.seconds / budget))

    def train(self, state_folder: Path, output: Path, stop_after: float) -> None:
        """Train until the schedule ends or `stop_after` seconds of this call, writing model and state."""
        began = saved = last = reported = time.monotonic()
        running: list[torch.Tensor] = []
        while self.progress < 1 and time.monotonic() - began < stop_after:
            running.append(self._one_step())
            self.step += 1
            now = time.monotonic()
            if self.step % _REPORT_EVERY == 0 or self.progress >= 1:
                loss = float(torch.stack(running).mean())  # waits for the device: the clock is honest
                now = time.monotonic()
                self._record(loss, len(running) / max(now - reported, 1e-9))
                running, reported = [], now
            self.seconds += now - last
            last = now
            if now - saved > STATE_EVERY_SECONDS:
                self.save_state(state_folder)
                self.export(output)
                saved = last = reported = time.monotonic()
        self.save_state(state_folder)
        self.export(output)

    def _one_step(self) -> torch.Tensor:
        config = self.config
        warm = min(1.0, (self.step + 1) / config.warmup_steps)
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress))
        for group in self.optimiser.param_groups:
            group["lr"] = config.peak_rate * warm * cosine
        rows = self.corpus.batch()
        shape = (rows.shape[0],)
        lengths = torch.randint(
            config.min_context, config.context_length + 1, shape, generator=self.generator, device=self.device
        )
        whole = torch.rand(shape, generator=self.generator, device=self.device) < 0.5
        lengths = torch.where(whole, config.context_length, lengths)
        loss = self._loss(self.model, rows, lengths)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        self.optimiser.step()
        return loss.detach()

    def _record(self, loss: float, rate: float) -> None:
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {self.step}: lower the learning rate, then --resume"
            )
        self.curve.append({"step": self.step, "seconds": round(self.seconds, 1), "loss": round(loss, 5)})
        print(
            f"step {self.step:6d}  {100 * self.progress:5.1f} %  loss {loss:.4f}  {rate:.1f} steps/s",
            flush=True,
        )

    def save_state(self, folder: Path) -> None:
        """Write everything `--resume` needs; the previous state stays until the new one is whole."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            state = self.optimiser.state.get(parameter, {})
            tensors |= {f"adam.{key}.{name}": value for key, value in state.items()}
        arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        arrays["generator"] = self.generator.get_state().numpy()
        fresh = folder.with_name(folder.name + ".new")
        metrics = {"step": self.step, "seconds": self.seconds, "curve": self.curve}
        save_checkpoint(fresh, self.config.as_dict(), arrays, metrics)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)

    def load_state(self, folder: Path) -> None:
        """Continue from a saved state; a new pool of the corpus is drawn.

        Raises
        ------
        TrainingError
            The state was made by another configuration (budget apart).
        """
        saved = load_checkpoint(folder)
        ours, theirs = self.config.as_dict(), dict(saved.config)
        changed = sorted(k for k in ours if k != "budget_seconds" and ours[k] != theirs.get(k))
        if changed:
            raise TrainingError(
                f"{folder} was trained with another {', '.join(changed)}: use its profile or start anew"
            )
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in saved.tensors.items()}
        self.generator.set_state(tensors.pop("generator"))
        model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        self.model.load_state_dict(model)
        for name, parameter in self.model.named_parameters():
            state = {
                key: tensors[f"adam.{key}.{name}"]
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"adam.{key}.{name}" in tensors
            }
            if state:
                device = self.device if self.device.type == "cuda" else torch.device("cpu")
                self.optimiser.state[parameter] = {k: v.to(device) for k, v in state.items()}
        self.step, self.seconds = int(saved.metrics["step"]), float(saved.metrics["seconds"])
        self.curve = list(saved.metrics["curve"])

    def start_from(self, folder: Path) -> None:
        """Take the weights of an exported model; optimiser, schedule and corpus begin anew.

        Raises
        ------
        TrainingError
            The folder's model has other sizes.
        """
        from chronos import BaseChronosPipeline

        start: Any = BaseChronosPipeline.from_pretrained(str(folder), dtype=torch.float32)
        try:
            self.model.load_state_dict(start.inner_model.state_dict())
        except RuntimeError as error:
            raise TrainingError(f"{folder} does not fit this profile: {error}") from error
        facts = json.loads((folder / "training.json").read_text())
        self.earlier = [*facts.get("earlier", []), {k: v for k, v in facts.items() if k != "earlier"}]

    def export(self, folder: Path) -> None:
        """Write the bf16 model as `BaseChronosPipeline.from_pretrained` reads it, and ``training.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        copy = build_bolt(self.config)
        copy.load_state_dict({k: v.cpu() for k, v in self.model.state_dict().items()})
        copy.to(torch.bfloat16).save_pretrained(folder, max_shard_size=_SHARD_SIZE)
        facts = {
            "config": self.config.as_dict(),
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "rows": self.step * self.config.batch,
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU",
            "torch": torch.__version__,
            "cut_off": CUT_OFF.isoformat() if self.real_assets else None,
            "real_assets": self.real_assets,
            "curve": self.curve[:: max(1, len(self.curve) // 100)] + self.curve[-1:],
            "earlier": self.earlier,
        }
        (folder / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``python -m ml.chronos.pretrain``."""
    parser = argparse.ArgumentParser(prog="python -m ml.chronos.pretrain", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--series", type=Path, help="daily bars (.parquet or .npz); none: simulation alone")
    parser.add_argument("--output", type=Path, required=True, help="folder of the exported model")
    parser.add_argument("--state", type=Path, help="folder of the training state (default OUTPUT.state)")
    parser.add_argument("--resume", action="store_true", help="continue from the training state")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="seconds of training in this call")
    parser.add_argument("--budget-seconds", type=float, help="training time of the whole schedule")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--start-from", type=Path, help="exported model whose weights training starts from")
    parser.add_argument("--peak-rate", type=float, help="learning rate instead of the profile's")
    parser.add_argument("--real-share", type=float, help="share of real series instead of the profile's")
    parser.add_argument("--compile", action="store_true", help="fuse the step's kernels (torch.compile)")
    given = parser.parse_args(arguments)
    config = PROFILES[given.profile]
    config = replace(
        config,
        budget_seconds=given.budget_seconds,
        seed=given.seed or config.seed,
        peak_rate=given.peak_rate or config.peak_rate,
        real_share=config.real_share if given.real_share is None else given.real_share,
    )
    state = given.state or given.output.with_name(given.output.name + ".state")
    trainer = Trainer(config, given.device, given.series, given.compile)
    if given.start_from:
        trainer.start_from(given.start_from)
    if given.resume and state.exists():
        trainer.load_state(state)
        print(f"resuming at step {trainer.step} from {state}", flush=True)
    trainer.train(state, given.output, given.stop_after)
    print(f"wrote {given.output} after {trainer.step} steps; next: python -m ml.chronos.evaluate")


if __name__ == "__main__":
    main()
