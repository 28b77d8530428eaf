"""``python -m ml.policy.ablations --spans DIR --output DIR``: train without each remedy against collapse, without all.

What belongs here: the remedies, their removal, the table of what happens. What does not: the remedies themselves. A
remedy whose absence changes nothing is a candidate for removal; the table says so, a person decides.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.policy.config import PROFILES, TrainConfig
from ml.policy.evaluate import Scores, diagonal, paired, policy_actor, router_information, score
from ml.policy.market_window import MarketWindow
from ml.policy.measures import CollapseError
from ml.policy.model import MoEPolicy
from ml.policy.spans import cut_windows, load_spans
from ml.policy.train import train_on_windows
from ml.types import OBJECTIVES

Change = Callable[[TrainConfig], TrainConfig]
WHOLE: Final = "with every remedy"
_SEED: Final = 880_001


def _weights(**values: Any) -> Change:
    return lambda config: replace(config, weights=replace(config.weights, **values))


REMEDIES: Final[dict[str, Change]] = {
    "warm start": lambda config: replace(config, warm_rounds=0),
    "divergence from the experts": _weights(experts=(0.0, 0.0)),
    "entropy": _weights(entropy=(0.0, 0.0)),
    "load balance": _weights(load_balance=0.0),
    "router z-loss": _weights(router_z=0.0),
    "supervised intent": _weights(intent=0.0),
    "equal quotas of objectives": lambda config: replace(config, mixed_share=1.0),
    "advantages scaled within objective": lambda config: replace(config, scales_by_objective=False),
    "common random numbers (universe baseline)": lambda config: replace(config, universe_baseline=False),
    "best network by validation": lambda config: replace(config, validate_every=0),
}


def without_all(config: TrainConfig) -> TrainConfig:
    """The configuration without any remedy."""
    for change in REMEDIES.values():
        config = change(config)
    return config


def variants() -> dict[str, Change]:
    """Every variant by name: whole, without each, without all."""
    found: dict[str, Change] = {WHOLE: lambda config: config}
    found |= {f"without {name}": change for name, change in REMEDIES.items()}
    return found | {"without any": without_all}


def run_variant(
    config: TrainConfig, training: MarketWindow, held_out: MarketWindow, per_universe: int, seed: int
) -> tuple[dict[str, Any], Scores | None]:
    """Train once and play held-out universes.

    Parameters
    ----------
    config : TrainConfig
    training, held_out : MarketWindow
    per_universe : int
        Portfolios in each held-out universe.
    seed : int

    Returns
    -------
    row : dict
        ``collapse`` (the error's message or empty) and, without collapse, activity, loads and the router's
        information.
    scores : Scores or None
        None after a collapse.
    """
    try:
        device = training.decision_price.device
        trained = train_on_windows(training, "ablation", ("ablation",), config, device=device, seed=seed)
    except CollapseError as problem:
        return {"collapse": str(problem)}, None
    model: MoEPolicy = trained.model.to(device)
    found = score(policy_actor(model), held_out, per_universe, _SEED)
    router = router_information(model, held_out)
    load = np.array(router["load"]).mean(0)
    return {
        "collapse": "",
        "active_share": float(found.active_share.mean()),
        "turnover": float(found.turnover.mean()),
        "load": [float(load.min()), float(load.max())],
        "mutual_information_nats": router["mutual_information_nats"],
        "regime_deviation": router["regime_deviation"],
        "kept_step": int(trained.history[-1].get("kept_step", trained.history[-1]["step"])),
    }, found


def compare(
    found: dict[str, tuple[dict[str, Any], Scores | None]], clusters: np.ndarray
) -> list[dict[str, Any]]:
    """Rows of the table: each variant, and its paired difference from the whole by objective, basis points a week."""
    whole = found[WHOLE][1]
    rows = []
    for name, (row, scores) in found.items():
        row = {"variant": name, **row}
        if scores is not None:
            own = diagonal(scores, clusters)
            row |= {"best": sum(r.is_best for r in own), "within": sum(r.is_within for r in own)}
        if scores is not None and whole is not None and name != WHOLE:
            row["difference"] = {
                objective: paired(scores.reward[i, i], whole.reward[i, i], clusters).as_dict()
                for i, objective in enumerate(OBJECTIVES)
            }
        rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table; bold where the interval leaves 0 out."""
    lines = [
        "| variant | active share | turnover | load | information | best, within | "
        + " | ".join(OBJECTIVES)
        + " |",
        "|---" * (6 + len(OBJECTIVES)) + "|",
    ]
    for row in rows:
        if row["collapse"]:
            lines.append(
                f"| {row['variant']} | collapsed: {row['collapse']} |" + " |" * (4 + len(OBJECTIVES))
            )
            continue
        gaps = [_gap(row.get("difference", {}).get(name)) for name in OBJECTIVES]
        low, high = row["load"]
        lines.append(
            f"| {row['variant']} | {row['active_share']:.2f} | {100 * row['turnover']:.1f} % | {low:.2f}-{high:.2f} | "
            f"{row['mutual_information_nats']:.2f} | {row['best']}, {row['within']} | "
            + " | ".join(gaps)
            + " |"
        )
    return "\n".join(lines)


def _gap(found: dict[str, float] | None) -> str:
    if found is None:
        return ""
    text = f"{found['mean']:+.1f} ({found['lower95']:+.1f} to {found['upper95']:+.1f})"
    return f"**{text}**" if found["lower95"] > 0 or found["upper95"] < 0 else text


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml.policy.ablations", description=__doc__)
    parser.add_argument(
        "--spans", type=Path, required=True, help="what python -m ml.policy --write-spans wrote"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the table")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="quick")
    parser.add_argument("--iterations", type=int, default=20, help="of PPO: long enough to collapse")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a variant by name; may be repeated")
    given = parser.parse_args(arguments)
    config = replace(PROFILES[given.profile], iterations=given.iterations)
    (training, _), (held_out, _) = (
        load_spans(given.spans / f"{name}.npz") for name in ("training", "held_out")
    )
    windows, unseen = (cut_windows(spans, config).to(given.device) for spans in (training, held_out))
    clusters = np.repeat(np.arange(len(held_out)), config.universes_per_range)
    given.output.mkdir(parents=True, exist_ok=True)
    found: dict[str, tuple[dict[str, Any], Scores | None]] = {}
    chosen = {n: c for n, c in variants().items() if not given.only or n in (WHOLE, *given.only)}
    for name, change in chosen.items():
        began = time.monotonic()
        found[name] = run_variant(change(config), windows, unseen, 6, given.seed)
        print(f"{name}: {time.monotonic() - began:.0f} s  {found[name][0]}", flush=True)
        rows = compare(found, clusters)
        (given.output / "ablations.json").write_text(json.dumps(rows, indent=1) + "\n")
        (given.output / "ablations.md").write_text(table(rows) + "\n")
    print(table(compare(found, clusters)))
    print(f"wrote {given.output / 'ablations.json'} and ablations.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
