"""The model card of a trained encoder: what it is, and how it compares with simpler things.

``python -m ml.encoder.card --study DIR --set main --folder DIR`` puts the chosen encoder of a study
(``study.py``) into a checkpoint folder and writes its card, with all seeds and ablations, and ``study.json``
beside it. ``--refitted DIR`` takes that encoder with the statistics that ``whiten.py`` fitted and judged.
What belongs here: Markdown and the comparison's arithmetic. What does not: the measures (``evaluate.py``),
pictures.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.checkpoint import load_checkpoint
from ml.encoder.evaluate import REPRESENTATIONS
from ml.encoder.trained import TrainedEncoder, restore_trained

Scores = dict[tuple[str, str], dict[str, list[float]]]
"""(panel, target) -> what is probed -> its scores, one a seed."""

AIMS: Final = ("volatility_next_21d", "sector")
"""Targets on which the fused encoder should be ahead of all others."""
_MEASURES: Final = {
    "volatility_next_21d": "R2",
    "return_rank_next_21d": "rank IC",
    "beta_next_63d": "R2",
    "sector": "accuracy",
    "asset_class": "accuracy",
}
_TITLES: Final = {
    "embedding": "fused",
    "served": "fused, chosen seed as served",
    "own": "own branch alone, retrained",
    "chronos_alone": "Chronos branch alone, retrained",
    "random_chronos": "random-weight Chronos, retrained",
    "shuffled_chronos": "shuffled Chronos, retrained",
    "raw_features": "50 raw features",
    "network_inputs": "raw features, levels, co-movement",
    "own_part": "own part of the fused encoder",
    "chronos": "128 Chronos numbers, no encoder",
}
_NO_RIVALS: Final = ("network_inputs", "own_part")
"""Parts of the encoder itself: printed, but not among what it has to beat."""


def scores_of(reports: Sequence[Mapping[str, Any]]) -> Scores:
    """Scores of one encoder's reports (:func:`ml.encoder.report.judge`)."""
    found: Scores = {}
    for report in reports:
        for row in report["probes"]:
            place = found.setdefault((report["name"], row["target"]), {})
            place.setdefault(row["representation"], []).append(row["score"])
    return found


def study_scores(runs: Sequence[Mapping[str, Any]]) -> Scores:
    """Scores of all runs of one set of a study, each variant under its own name."""
    found: Scores = {}
    for run in runs:
        variant = str(run["variant"])
        for key, values in scores_of(run["held_out"]).items():
            place = found.setdefault(key, {})
            if variant == "fused":
                for name in REPRESENTATIONS:
                    place.setdefault(name, []).extend(values[name])
            else:
                name = "chronos_alone" if variant == "chronos" else variant
                place.setdefault(name, []).extend(values["embedding"])
    return found


def card(trained: TrainedEncoder, reports: Sequence[Mapping[str, Any]], scores: Scores | None = None) -> str:
    """The card's Markdown.

    Parameters
    ----------
    trained : TrainedEncoder
    reports : sequence of mapping
        Of this encoder, a panel each (:func:`ml.encoder.report.judge`).
    scores : Scores, optional
        Of several seeds and retrained ablations; by default those of `reports`.
    """
    shown = scores or scores_of(reports)
    last, config = trained.history[-1], trained.config
    statistics = ""
    if "served" in next(iter(shown.values())):
        statistics = (
            " The embedding statistics of what is served were fitted anew after the study, so that universes "
            "without facts do not all point one way (ml/encoder/whiten.py); cosines, ranks and gates are those "
            "of what is served, the other rows those of the study, each run under its own statistics. A panel "
            "that the study did not judge shows this encoder alone."
        )
    lines = [
        f"# Cross-asset encoder, profile {config.profile}",
        "",
        "Describes each asset at each session in 64 numbers, from 64 sessions of prices, 50 features, a frozen "
        "Chronos model and the other assets of that session. A demonstration, not advice.",
        "",
        f"* Compatibility id `{trained.compatibility_id[:16]}`, Chronos model `{trained.chronos_model_id[:16]}`, "
        f"seed {trained.seed}, {last['step']:,.0f} steps of about {config.dates_per_step * config.assets_per_date:,} "
        "cells.",
        f"* Trained on: {_sources(trained.sources)}.",
        "",
        "## How it is judged",
        "",
        "Ridge probes from each representation, fitted on one half of a panel's assets in its earlier years and "
        "scored on the other half in its later years, and the reverse; of the packaged prices, fitted up to 2016 "
        "and scored from 2017 on tickers that no training saw. Class and sector flags are inputs: for the targets "
        "sector and asset class the flags of half of the assets are hidden from everybody, the raw features "
        "included, those of the others stay, and only assets with hidden flags are fitted and scored. Scores with "
        f"a spread are means of the seeds and their standard deviation.{statistics}",
        "",
    ]
    for report in reports:
        lines += _panel_lines(
            report, {key[1]: value for key, value in shown.items() if key[0] == report["name"]}
        )
    return "\n".join(lines)


def ahead(scores: Mapping[str, Sequence[float]]) -> list[str]:
    """What has a higher mean score than the fused encoder, of all that it should beat."""
    return [name for name in _higher(scores) if name not in _NO_RIVALS]


def _higher(scores: Mapping[str, Sequence[float]]) -> list[str]:
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    itself = ("embedding", "served")
    return [name for name, mean in means.items() if name not in itself and mean > means["embedding"]]


def _sources(sources: Sequence[str]) -> str:
    simulated = [one for one in sources if one.startswith("simulated:")]
    named = [one for one in sources if one not in simulated]
    if len(simulated) > 4:
        seeds = sorted(int(one.split(":")[1]) for one in simulated)
        simulated = [f"{len(seeds)} simulated markets (seeds {seeds[0]} to {seeds[-1]})"]
    return ", ".join([*simulated, *named])


def _panel_lines(report: Mapping[str, Any], scores: Mapping[str, dict[str, list[float]]]) -> list[str]:
    measures = report["collapse"]
    gates = ", ".join(f"{row['asset_class']} {row['gate_mean']:.2f}" for row in report["gates"])
    names = [name for name in _TITLES if any(name in one for one in scores.values())]
    targets = [name for name in _MEASURES if name in scores]
    tests = {row["target"]: row["n_test"] for row in report["probes"]}
    lines = [
        f"## {report['name']}",
        "",
        f"Mean off-diagonal cosine {measures['mean_cosine']:.2f}, effective rank {measures['effective_rank']:.1f} of "
        f"64 (medians of {measures['dates']:.0f} later dates of about {measures['assets_per_date']:.0f} assets). "
        f"Mean share of the own branch: {gates}.",
        "",
        "| | " + " | ".join(f"{name}, {_MEASURES[name]} ({tests[name]:,})" for name in targets) + " |",
        "|---" * (len(targets) + 1) + "|",
    ]
    for name in names:
        cells = " | ".join(_figure(scores[target].get(name)) for target in targets)
        lines.append(f"| {_TITLES[name]} | {cells} |")
    lines.append("")
    for target in targets:
        winners = ", ".join(_TITLES[one] for one in ahead(scores[target]))
        aim = " (aim: nothing)" if target in AIMS else ""
        own = ", ".join(_TITLES[one] for one in _higher(scores[target]) if one in _NO_RIVALS)
        inside = f"; of its own inputs and parts: {own}" if own else ""
        lines.append(f"* {target}: ahead of the fused encoder{aim}: {winners or 'nothing'}{inside}.")
    return [*lines, ""]


def _figure(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    mean = float(np.mean(values))
    # Raw features and the like are the same for every seed.
    is_spread = len(values) > 1 and np.ptp(values) > 1e-9
    return f"{mean:.3f} ± {np.std(values, ddof=1):.3f}" if is_spread else f"{mean:.3f}"


def _refitted_reports(folder: Path, chosen: Path) -> list[dict[str, Any]]:
    """Reports of a checkpoint whose statistics were fitted anew, if its weights are the chosen ones.

    Raises
    ------
    SystemExit
        It is another encoder.
    """
    ours, theirs = load_checkpoint(folder), load_checkpoint(chosen)
    names = [name for name in theirs.tensors if not name.startswith("statistics.")]
    differing = [name for name in names if not np.array_equal(ours.tensors.get(name), theirs.tensors[name])]
    if differing:
        raise SystemExit(
            f"the refitted encoder differs from {chosen} in {len(differing)} tensors ({differing[0]} ...): refit "
            "the chosen run (python -m ml.encoder.whiten)"
        )
    return ours.metrics["held_out"]


def _seed_lines(runs: Sequence[Mapping[str, Any]], chosen: str) -> list[str]:
    lines = [
        "## Seeds",
        "",
        "Chosen is the lowest loss on a held-out simulated market, never a probe.",
        "",
        "| variant | seed | loss on the held-out simulated market | seconds | |",
        "|---|---|---|---|---|",
    ]
    for run in sorted(runs, key=lambda one: (one["variant"], one["seed"])):
        mark = "chosen" if f"{run['set']}-{run['variant']}-{run['seed']}" == chosen else ""
        loss, seconds = run["history"][-1]["selection"], run["training"]["seconds"]
        lines.append(f"| {run['variant']} | {run['seed']} | {loss:.4f} | {seconds:.0f} | {mark} |")
    cells = runs[0]["training"]
    return [*lines, "", f"Each run saw {cells['cells']:,} cells of {cells['assets']:,} assets.", ""]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml.encoder.card", description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="output folder of ml.encoder.study")
    parser.add_argument("--set", dest="set_name", default="main", help="main or simulated")
    parser.add_argument("--folder", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--refitted", type=Path, help="output folder of ml.encoder.whiten")
    given = parser.parse_args(arguments)
    study = json.loads((given.study / "results.json").read_text())
    chosen = study["chosen"].get(given.set_name)
    if chosen is None:
        raise SystemExit(
            f"{given.study} holds no run of the set {given.set_name!r} that ended: continue the study"
        )
    runs = [one for one in study["runs"] if one["set"] == given.set_name]
    shutil.copytree(given.refitted or given.study / chosen, given.folder, dirs_exist_ok=True)
    trained = restore_trained(given.folder)
    (own,) = [one for one in runs if f"{one['set']}-{one['variant']}-{one['seed']}" == chosen]
    reports, scores = own["held_out"], study_scores(runs)
    if given.refitted:
        reports = _refitted_reports(given.folder, given.study / chosen)
        for key, values in scores_of(reports).items():
            if key in scores:
                scores[key]["served"] = values["embedding"]
            else:  # a panel that the study did not judge has the rows of this encoder alone
                scores[key] = values
    text = card(trained, reports, scores) + "\n" + "\n".join(_seed_lines(runs, chosen))
    (given.folder / "README.md").write_text(text.rstrip() + "\n")
    rows = [
        {
            "panel": panel,
            "target": target,
            "representation": name,
            "scores": [round(one, 5) for one in values],
        }
        for (panel, target), found in scores.items()
        for name, values in found.items()
    ]
    (given.folder / "study.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(text)
    print(f"wrote {given.folder} ({chosen}); next: retrain the policy on it (taxloom train --phase policy)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
