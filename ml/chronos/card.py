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
    config = training["config"]
    real = config["real_share"] if training["real_assets"] else 0.0
    gp = config["gp_share"]
    lines = [
        "## Training",
        "",
        f"* Corpus: {gp:.0%} Gaussian-process kernel mixtures, {1 - gp - real:.0%} simulated market series, "
        f"{real:.0%} mixtures of real series; views log price, return, absolute return, log volume.",
    ]
    if training["real_assets"]:
        lines.append(
            f"* Real series to {training['cut_off']}, nothing later: {', '.join(training['real_assets'])}."
        )
    else:
        lines.append("* No real series.")
    lines += [
        f"* {training['steps']:,} steps of {config['batch']:,} rows ({training['rows']:,} rows), "
        f"{training['seconds']:.0f} s on one {training['device']}, torch {training['torch']}, "
        f"seed {config['seed']}.",
        f"* Schedule: {config['budget_seconds']} s of training time, so a rerun matches closely, not exactly.",
        f"* Context {config['context_length']}, prediction {config['prediction_length']}, bf16 shards.",
        "",
        "Loss curve (step: loss): "
        + ", ".join(f"{p['step']}: {p['loss']:.4f}" for p in training["curve"][::12] + training["curve"][-1:])
        + ".",
        *[f"* {note}" for note in training.get("notes", [])],
    ]
    return lines


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
