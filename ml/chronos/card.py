"""Model card of a trained Chronos set, written from its own files: training, scores, whitening.

Run ``python -m ml.chronos.card FOLDER`` after training, scoring (``scores.json`` by series set) and
whitening; the card is ``FOLDER/README.md``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from ml.checkpoint import load_checkpoint
from ml.chronos.model import open_whitening, whitening_folder

_NAIVE = {
    "price": "random walk, trailing-63-day volatility",
    "absolute_return": "trailing-63-day empirical quantiles",
}


def card(folder: Path) -> str:
    """The card's Markdown.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``training.json`` and ``scores.json``; the whitening lies in ``FOLDER-whitening``.
    """
    training = json.loads((folder / "training.json").read_text())
    scores = json.loads((folder / "scores.json").read_text())
    place = whitening_folder(folder)
    whitening, saved = open_whitening(folder, place), load_checkpoint(place)
    return "\n".join(
        [
            f"# {folder.name}",
            "",
            "Chronos-Bolt trained from random weights. Forecasts and embeds daily financial series; a "
            "demonstration, not advice.",
            "",
            *_training_lines(training),
            "",
            "## Scores",
            "",
            "Weighted quantile loss over 21 days over the naive forecast's; below 1 is better. 95 % interval "
            "from a paired bootstrap over forecast origins.",
            "",
            *_score_lines(scores["sets"]),
            "",
            *[f"* {note}" for note in scores["notes"]],
            "",
            "## Embeddings",
            "",
            f"Window {whitening.window} returns, {whitening.components} components. Weights "
            f"`{whitening.weights[:16]}`, with the whitening `{whitening.model_id[:16]}` (the model id of every "
            f"embedding). Mean cosine of 200 simulated assets of independent factors: "
            f"{saved.metrics['mean_cosine_raw']} raw, {saved.metrics['mean_cosine_whitened']} whitened.",
            *[f"* {note}" for note in scores["embedding_notes"]],
            "",
        ]
    )


def _training_lines(training: dict[str, Any]) -> list[str]:
    stages = [*training.get("earlier", []), training]
    config = training["config"]
    lines = ["## Training", ""]
    if len(stages) > 1:
        lines.append(
            f"* {len(stages)} stages; each begins with the weights, but not the optimiser, of the one before."
        )
    for number, stage in enumerate(stages, 1):
        lines += _stage_lines(stage, f"Stage {number}: " if len(stages) > 1 else "")
    if training["real_assets"]:
        lines.append(
            f"* Real series to {training['cut_off']}, nothing later: {', '.join(training['real_assets'])}."
        )
    else:
        lines.append("* No real series.")
    lines += [
        "* Schedules by training time where seconds are given, so a rerun matches closely, not exactly.",
        f"* Context {config['context_length']}, prediction {config['prediction_length']}, bf16 shards.",
        *[f"* {note}" for note in training.get("notes", [])],
    ]
    return lines


def _stage_lines(stage: dict[str, Any], name: str) -> list[str]:
    config, curve = stage["config"], stage["curve"]
    real = config["real_share"] if stage["real_assets"] else 0.0
    gp = config["gp_share"]
    budget = config["budget_seconds"]
    schedule = "by steps" if budget is None else f"by {budget:.0f} s"
    shown = [*curve[:: max(1, len(curve) // 8)], *curve[-1:]]
    return [
        f"* {name}{stage['steps']:,} steps of {config['batch']:,} rows ({stage['rows']:,} rows), "
        f"{stage['seconds']:.0f} s on one {stage['device']}, torch {stage['torch']}, seed {config['seed']}, peak rate "
        f"{config['peak_rate']:g}, schedule {schedule}. {gp:.0%} Gaussian-process kernel mixtures, "
        f"{1 - gp - real:.0%} simulated market series, {real:.0%} mixtures of real series; views log price, return, "
        f"absolute return, log volume.",
        "  Loss (step: loss): " + ", ".join(f"{p['step']:.0f}: {p['loss']:.4f}" for p in shown) + ".",
    ]


def _score_lines(sets: dict[str, dict[str, dict[str, Any]]]) -> list[str]:
    lines = ["| series | target | naive forecast | ratio | 95 % | windows |", "|---|---|---|---|---|---|"]
    for name, targets in sets.items():
        lines += [
            f"| {name} | {target} | {_NAIVE[target]} | {one['ratio']:.3f} | {one['low']:.3f} to {one['high']:.3f} "
            f"| {one['windows']:,} |"
            for target, one in targets.items()
        ]
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``python -m ml.chronos.card``."""
    parser = argparse.ArgumentParser(prog="python -m ml.chronos.card", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    (folder / "README.md").write_text(card(folder))
    print(f"wrote {folder / 'README.md'}")


if __name__ == "__main__":
    main()
