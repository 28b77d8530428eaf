"""Evaluation of a trained encoder on held-out panels, and the model card that tells it.

What belongs here: which samples are compared, and Markdown. What does not: the measures
(``evaluate.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from ml.encoder.dataset import MIN_ASSETS, ChronosBranch
from ml.encoder.embed import EncoderServer
from ml.encoder.evaluate import (
    BETA_SESSIONS,
    REPRESENTATIONS,
    Sample,
    collapse_measures,
    gate_table,
    join_samples,
    probe_table,
    sample_panel,
)
from ml.encoder.trained import TrainedEncoder
from ml.features.panel import FeaturePanel

SESSIONS: Final = 50
_ABLATIONS: Final = REPRESENTATIONS[1:]


@dataclass(frozen=True)
class HeldOutReport:
    """Measures on one panel that training did not see.

    Attributes
    ----------
    name : str
    collapse : dict of str to float
    gates, probes : polars.DataFrame
        As :mod:`ml.encoder.evaluate` gives them.
    """

    name: str
    collapse: dict[str, float]
    gates: pl.DataFrame
    probes: pl.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "name": self.name,
            "collapse": self.collapse,
            "gates": self.gates.to_dicts(),
            "probes": self.probes.to_dicts(),
        }


def evaluate_encoder(
    trained: TrainedEncoder,
    branch: ChronosBranch,
    training_panels: Sequence[FeaturePanel],
    held_out: Sequence[tuple[str, FeaturePanel]],
    *,
    device: str = "cpu",
    seed: int = 0,
) -> list[HeldOutReport]:
    """Fit probes on training panels, score them on held-out panels.

    Parameters
    ----------
    trained : TrainedEncoder
    branch : ChronosBranch
        The model it was trained on.
    training_panels : sequence of FeaturePanel
    held_out : sequence of (name, FeaturePanel)
        Other assets or other years.
    """
    server = EncoderServer.of(trained, device)
    fit = join_samples([_sample(server, one, branch, seed) for one in training_panels])
    reports = []
    for name, panel in held_out:
        test = _sample(server, panel, branch, seed)
        reports.append(HeldOutReport(name, collapse_measures(test), gate_table(test), probe_table(fit, test)))
    return reports


def _sample(server: EncoderServer, panel: FeaturePanel, branch: ChronosBranch, seed: int) -> Sample:
    counts = np.cumsum(np.isfinite(panel.total_return_log), axis=0)
    ready = ((counts >= branch.whitening.window) & panel.is_present).sum(1) >= MIN_ASSETS
    sessions = np.flatnonzero(ready[: len(panel.dates) - BETA_SESSIONS])
    chosen = sessions[np.unique(np.linspace(0, len(sessions) - 1, SESSIONS).astype(int))]
    return sample_panel(server, panel, branch, chosen, seed)


def card(trained: TrainedEncoder, reports: Sequence[HeldOutReport]) -> str:
    """The card's Markdown."""
    last = trained.history[-1]
    lines = [
        f"# Cross-asset encoder, profile {trained.config.profile}",
        "",
        "Describes each asset at each session in 64 numbers, from 64 sessions of prices, 50 features, a frozen "
        "Chronos model and the other assets of that session. A demonstration, not advice.",
        "",
        f"* Compatibility id `{trained.compatibility_id[:16]}`, Chronos model `{trained.chronos_model_id[:16]}`, seed "
        f"{trained.seed}, {last['step']:,.0f} steps of {trained.config.dates_per_step} x "
        f"{trained.config.assets_per_date} cells.",
        f"* Trained on: {', '.join(trained.sources)}.",
        "",
    ]
    for report in reports:
        lines += _report_lines(report)
    return "\n".join(lines)


def _report_lines(report: HeldOutReport) -> list[str]:
    measures = report.collapse
    gates = ", ".join(f"{row['asset_class']} {row['gate_mean']:.2f}" for row in report.gates.to_dicts())
    lines = [
        f"## Held out: {report.name}",
        "",
        f"Mean off-diagonal cosine {measures['mean_cosine']:.2f}, effective rank {measures['effective_rank']:.1f} "
        f"of 64 (medians of {measures['dates']:.0f} dates of about {measures['assets_per_date']:.0f} assets). "
        f"Mean share of the own branch: {gates}.",
        "",
        "| target | measure | " + " | ".join(name.replace("_", " ") for name in REPRESENTATIONS) + " |",
        "|---" * (len(REPRESENTATIONS) + 2) + "|",
    ]
    winners = []
    for target in report.probes["target"].unique(maintain_order=True):
        rows = report.probes.filter(pl.col("target") == target)
        score = dict(zip(rows["representation"], rows["score"], strict=True))
        figures = " | ".join(f"{score[name]:.3f}" for name in REPRESENTATIONS)
        lines.append(f"| {target} | {rows['measure'][0]} | {figures} |")
        best = max(_ABLATIONS, key=lambda name: score[name])
        if score[best] > score["embedding"]:
            winners.append(f"{target}: {best.replace('_', ' ')}")
    verdict = f"Ahead of the embedding: {'; '.join(winners)}." if winners else "No ablation is ahead."
    return [*lines, "", verdict, ""]
