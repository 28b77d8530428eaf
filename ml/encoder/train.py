"""Training of the encoder without labels.

What belongs here: the loop, its metrics, its training state. What does not: batches (``dataset.py``),
what is asked of the network (``losses.py``), graphs of steps (``graphs.py``). Deterministic on the CPU for a
fixed number of threads.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ml.checkpoint import load_checkpoint, save_checkpoint
from ml.encoder.config import TrainConfig
from ml.encoder.dataset import CellTable, ChronosBranch, build_cells, load_chronos
from ml.encoder.graphs import GraphedSteps, padded_shape, side_stream
from ml.encoder.losses import (
    effective_rank,
    feature_loss,
    info_nce,
    known_huber,
    mean_cosine,
    patch_loss,
    variance_covariance,
)
from ml.encoder.model import CrossAssetEncoder, EncoderInput, EncoderOutput, HeadOutput
from ml.encoder.normalize import FeatureNormalizer
from ml.encoder.statistics import EmbeddingStatistics, fit_statistics
from ml.encoder.trained import TrainedEncoder
from ml.encoder.views import View, make_view
from ml.features.catalog import FEATURES
from ml.features.panel import FeaturePanel

MAX_MEAN_COSINE: Final = 0.5
MIN_RAW_DEVIATION: Final = 0.05
"""Below it whitening would only blow up rounding noise."""
SAVE_SECONDS: Final = 60.0
"""A training state is at most so much older than the step."""
_MONITOR_DATES: Final = 16
_STATISTICS_DATES: Final = 128
_BETAS: Final = (0.9, 0.98)
CLASSES: Final = [i for i, spec in enumerate(FEATURES) if spec.family == "class"]

Progress = Callable[[dict[str, float]], None]


class CollapseError(RuntimeError):
    """Embeddings of different assets became alike; the message gives the measure and the remedy."""


class ResumeError(ValueError):
    """A training state of another run; the message names what differs."""


def train_encoder(
    panels: Sequence[FeaturePanel],
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
    on_progress: Progress | None = None,
    resume_folder: Path | None = None,
    chronos: ChronosBranch | None = None,
    selection: Sequence[FeaturePanel] = (),
) -> TrainedEncoder:
    """Train an encoder.

    Parameters
    ----------
    panels : sequence of FeaturePanel
        All their sessions are training data: cut them before.
    config : TrainConfig
    device : str or torch.device
    seed : int
        Seeds weights, batches and views.
    on_progress : callable, optional
        Called with each metrics row: step, steps, the terms of the loss, mean_cosine, effective_rank,
        gate_mean.
    resume_folder : pathlib.Path, optional
        Where the training state is kept every ``config.save_every`` steps and every minute; a state found
        there is continued, with the same result as an unbroken run.
    chronos : ChronosBranch, optional
        By default the shipped model.
    selection : sequence of FeaturePanel, optional
        Held-out panels; the loss on them is the metric ``selection``, by which runs may be chosen.

    Raises
    ------
    CollapseError
        Mean cosine above 0.5 (or raw deviation below 0.05) after ``config.check_from`` steps.
    EncoderDataError
        Panels without usable sessions.
    ResumeError
        The state in `resume_folder` is of another configuration or seed.
    """
    device = torch.device(device)
    branch = chronos or load_chronos(device=str(device))
    table, normalizer = build_cells(panels, config, branch, device)
    judge = build_cells(selection, config, branch, device, normalizer)[0] if selection else None
    return train_on_cells(
        table, normalizer, config, branch.model_id, tuple(sorted({one.source for one in panels})),
        seed=seed, on_progress=on_progress, resume_folder=resume_folder, selection=judge,
    )  # fmt: skip


def train_on_cells(
    table: CellTable,
    normalizer: FeatureNormalizer,
    config: TrainConfig,
    chronos_model_id: str,
    sources: tuple[str, ...],
    *,
    seed: int,
    on_progress: Progress | None = None,
    resume_folder: Path | None = None,
    selection: CellTable | None = None,
    save_seconds: float = SAVE_SECONDS,
) -> TrainedEncoder:
    """Train on cells that are built already; arguments and errors as in :func:`train_encoder`.

    Parameters
    ----------
    table : CellTable
        On the device that trains.
    normalizer : FeatureNormalizer
        Whose scores the cells hold.
    config : TrainConfig
    chronos_model_id : str
        The model whose embeddings the cells hold.
    sources : tuple of str
        Of the panels.
    seed, on_progress, resume_folder
        As in :func:`train_encoder`.
    selection : CellTable, optional
        Held-out cells whose loss is the metric ``selection``.
    save_seconds : float
        Seconds after which a state is kept between those of ``config.save_every``; decides nothing else.
    """
    device = table.channels.device
    run = _Run(table, normalizer, config, device, seed, selection)
    if resume_folder is not None and resume_folder.exists():
        run.load(resume_folder)
    saved_at = time.monotonic()
    with side_stream(device):
        while run.step < config.steps:
            terms = run.one_step()
            is_last = run.step == config.steps
            if run.step % config.report_every == 0 or is_last:
                row = run.report(terms)
                if on_progress is not None:
                    on_progress(row)
            is_due = run.step % config.save_every == 0 or is_last
            if resume_folder is not None and (is_due or time.monotonic() - saved_at >= save_seconds):
                run.save(resume_folder)
                saved_at = time.monotonic()
        statistics = run.statistics(_STATISTICS_DATES).to("cpu")  # before the model leaves the device
    return TrainedEncoder(
        run.model.eval().cpu(), normalizer, statistics, config, chronos_model_id, seed, sources, run.history
    )


class _Run:
    """Model, optimiser, step and history of one run."""

    def __init__(
        self,
        table: CellTable,
        normalizer: FeatureNormalizer,
        config: TrainConfig,
        device: torch.device,
        seed: int,
        selection: CellTable | None,
    ) -> None:
        self.table, self.config, self.device, self.seed = table, config, device, seed
        self.selection = selection
        with torch.random.fork_rng(devices=[]):  # the caller's generator stays as it was
            torch.manual_seed(seed)
            model = CrossAssetEncoder(config.encoder)
        self.model = model.to(device).train()
        on_cuda = device.type == "cuda"
        self._graphs = GraphedSteps(self._update, device) if on_cuda else None
        # A graph reads its rate from the device.
        rate = torch.tensor(config.peak_rate, device=device) if on_cuda else config.peak_rate
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=rate, weight_decay=config.weight_decay, betas=_BETAS,
            fused=on_cuda, capturable=on_cuda,
        )  # fmt: skip
        self.step = 0
        self.history: list[dict[str, float]] = []

    def one_step(self) -> dict[str, torch.Tensor]:
        """One optimiser step; returns the terms of the loss, which hold until the next."""
        # Every step seeds its own generators, so that a resumed run sees the batches of an unbroken one.
        chooser = np.random.default_rng([self.seed, self.step])
        dates, assets = batch_shape(self.config, chooser)
        width = assets
        if self._graphs is not None:
            dates, width = padded_shape(self.config, assets)
        cells = self.table.choose(chooser, dates, assets, width)
        seed = int(chooser.integers(2**62))
        for group in self.optimiser.param_groups:
            if self._graphs is None:
                group["lr"] = self._rate()
            else:
                group["lr"].fill_(self._rate())
        if self._graphs is None:
            terms = self._update(torch.from_numpy(cells), torch.Generator().manual_seed(seed))
        else:
            terms = self._graphs(cells, seed)
        self.step += 1
        return terms

    def _update(self, cells: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Loss, gradients, clipping, optimiser; on CUDA nothing here may wait for the device."""
        terms = self._loss(self.table, cells, generator)
        self.optimiser.zero_grad(set_to_none=True)
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimiser.step()
        return {name: value.detach() for name, value in terms.items()}

    def _loss(
        self, table: CellTable, cells: np.ndarray | torch.Tensor, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """Terms of the loss of two fresh views of some cells, and their weighted sum ``loss``."""
        clean = table.inputs(cells)
        views = [make_view(clean, self.config, generator) for _ in range(2)]
        terms = self._terms(clean, table.targets(cells), views)
        weights = asdict(self.config.weights)
        return terms | {"loss": torch.stack([weights[name] * terms[name] for name in weights]).sum()}

    @torch.no_grad()
    def _selection_loss(self, table: CellTable) -> float:
        """Loss of whole held-out dates, their views always drawn from the same seeds."""
        chosen = np.unique(np.linspace(0, table.n_dates - 1, _MONITOR_DATES).astype(int))
        self.model.eval()
        found = []
        for one in chosen:
            seed = int(np.random.default_rng(int(one)).integers(2**62))
            generator = torch.Generator(self.device).manual_seed(seed)
            found.append(self._loss(table, table.date_cells(int(one)), generator)["loss"])
        self.model.train()
        return float(np.mean([float(one) for one in found]))

    def _rate(self) -> float:
        warm = min(1.0, (self.step + 1) / max(self.config.warmup_steps, 1))
        done = self.step / max(self.config.steps, 1)
        return self.config.peak_rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))

    def _terms(
        self, clean: EncoderInput, targets: tuple[torch.Tensor, torch.Tensor], views: list[View]
    ) -> dict[str, torch.Tensor]:
        both = EncoderInput.concatenate([one.inputs for one in views])
        is_hidden_patch = torch.cat([one.is_hidden_patch for one in views])
        is_hidden_feature = torch.cat([one.is_hidden_feature for one in views])
        out, heads = self._forward(both, is_hidden_patch)
        is_asset = both.is_asset
        known = torch.cat([clean.channels.is_known] * 2)
        hidden_day = is_hidden_patch.repeat_interleave(self.config.encoder.patch, dim=-1)[..., None] & known
        first, second = heads.projected.chunk(2)
        log_volatility, rank = (torch.cat([one, one]) for one in targets)
        variance, covariance = variance_covariance(out.z, is_asset)
        values, scores = torch.cat([clean.channels.values] * 2), torch.cat([clean.features] * 2)
        return {
            "patch": patch_loss(heads.patches, values, hidden_day),
            "feature": feature_loss(heads.features, scores, is_hidden_feature, is_asset),
            "contrast": info_nce(first, second, clean.is_asset, self.config.temperature),
            "volatility": known_huber(heads.log_volatility, log_volatility),
            "rank": known_huber(heads.rank, rank),
            "variance": variance,
            "covariance": covariance,
        }

    def _forward(self, inputs: EncoderInput, is_hidden: torch.Tensor) -> tuple[EncoderOutput, HeadOutput]:
        on_cuda = self.device.type == "cuda"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=on_cuda):
            out = self.model(inputs, is_hidden)
            heads = self.model.heads(out)
        if on_cuda:
            out = EncoderOutput(*(one.float() for one in (out.z, out.own, out.gate, out.tokens)))
            names = ("patches", "features", "log_volatility", "rank", "projected")
            heads = HeadOutput(*(getattr(heads, name).float() for name in names))
        return out, heads

    @torch.no_grad()
    def _clean(self, dates: int) -> list[tuple[torch.Tensor, ...]]:
        """(z, gate, has_chronos, class) of all cells of evenly spaced dates."""
        chosen = np.unique(np.linspace(0, self.table.n_dates - 1, dates).astype(int))
        found = []
        self.model.eval()
        for date in chosen:
            inputs = self.table.inputs(self.table.date_cells(int(date)))
            out = self.model(inputs)
            # Without any class flag: the first class.
            asset_class = inputs.features[0, :, CLASSES].argmax(-1)
            found.append((out.z[0], out.gate[0], inputs.has_chronos[0], asset_class))
        self.model.train()
        return found

    def statistics(self, dates: int) -> EmbeddingStatistics:
        """Embedding statistics of the network as it is now, over evenly spaced training dates."""
        return self._fit(self._clean(dates))

    def _fit(self, found: list[tuple[torch.Tensor, ...]]) -> EmbeddingStatistics:
        group = torch.cat([len(CLASSES) * i + one[-1].cpu() for i, one in enumerate(found)])
        z = torch.cat([one[0] for one in found])
        return fit_statistics(z, group, self.config.whitening_floor, self.config.between_weight)

    def report(self, terms: dict[str, torch.Tensor]) -> dict[str, float]:
        """Append a metrics row and check for collapse.

        Raises
        ------
        CollapseError
        """
        found = self._clean(_MONITOR_DATES)
        z = [one[0].cpu() for one in found]
        statistics = self._fit(found)
        served = [statistics.apply(one, torch.ones(len(one), dtype=torch.bool)) for one in z]
        gates = torch.cat([gate[has] for _, gate, has, _ in found])
        row = {name: float(value) for name, value in terms.items()} | {
            "step": self.step,
            "steps": self.config.steps,
            "mean_cosine": float(torch.stack([mean_cosine(one) for one in served]).median()),
            "effective_rank": float(torch.stack([effective_rank(one) for one in served]).median()),
            "raw_deviation": float(torch.stack([one.std(0).mean() for one in z]).median()),
            "gate_mean": float(gates.mean()) if len(gates) else 1.0,
        }
        if self.selection is not None:
            row["selection"] = self._selection_loss(self.selection)
        self.history.append(row)
        if self.step >= self.config.check_from or self.step == self.config.steps:
            check_collapse(row)
        return row

    def save(self, folder: Path) -> None:
        """Write everything that continuing needs."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for name, parameter in self.model.named_parameters():
            tensors |= {f"adam.{key}.{name}": value for key, value in self.optimiser.state[parameter].items()}
        arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        config = {"train": self.config.as_dict(), "seed": self.seed, "cells": int(self.table.date_start[-1])}
        save_checkpoint(folder, config, arrays, {"step": self.step, "history": self.history})

    def load(self, folder: Path) -> None:
        """Continue from :meth:`save`."""
        saved = load_checkpoint(folder)
        ours = {"train": self.config.as_dict(), "seed": self.seed, "cells": int(self.table.date_start[-1])}
        differing = sorted(name for name in ours if saved.config.get(name) != ours[name])
        if differing:
            raise ResumeError(f"{folder} holds a run with another {', '.join(differing)}: use another folder")
        tensors = {name: torch.from_numpy(np.array(value)) for name, value in saved.tensors.items()}
        prefix = "model."
        self.model.load_state_dict(
            {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        )
        for name, parameter in self.model.named_parameters():
            if f"adam.step.{name}" not in tensors:
                continue  # of a branch that is left out
            # AdamW counts its steps on the CPU, unless it is fused.
            is_fused = self.device.type == "cuda"
            self.optimiser.state[parameter] = {
                key: tensors[f"adam.{key}.{name}"].to(
                    "cpu" if key == "step" and not is_fused else self.device
                )
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
        self.step, self.history = int(saved.metrics["step"]), list(saved.metrics["history"])


def batch_shape(config: TrainConfig, chooser: np.random.Generator) -> tuple[int, int]:
    """Dates and assets a date of one step: universes of all sizes, always about as many cells."""
    few, many = config.fewest_assets_per_date, config.assets_per_date
    assets = round(float(np.exp(chooser.uniform(np.log(few), np.log(many)))))
    return max(1, round(config.dates_per_step * many / assets)), assets


def check_collapse(row: dict[str, Any]) -> None:
    """Raise where a metrics row shows collapse.

    Raises
    ------
    CollapseError
    """
    if not all(math.isfinite(row[name]) for name in ("loss", "mean_cosine", "raw_deviation")):
        raise CollapseError(f"loss {row['loss']} at step {row['step']}: lower peak_rate")
    if row["mean_cosine"] > MAX_MEAN_COSINE:
        raise CollapseError(
            f"mean cosine {row['mean_cosine']:.2f} at step {row['step']} is above {MAX_MEAN_COSINE}: "
            "raise weights.variance or lower peak_rate"
        )
    if row["raw_deviation"] < MIN_RAW_DEVIATION:
        raise CollapseError(
            f"deviation {row['raw_deviation']:.3f} of z between assets at step {row['step']} is below "
            f"{MIN_RAW_DEVIATION}: raise weights.variance or lower peak_rate"
        )
