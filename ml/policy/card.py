"""Evaluation of a trained policy on held-out windows, and the model card that tells it.

What belongs here: which rules are compared, and Markdown. What does not: the measures (``evaluate.py``).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.checkpoint import load_checkpoint
from ml.policy.evaluate import (
    Scores,
    against,
    diagonal,
    equal_weight_actor,
    expert_blend_actor,
    policy_actor,
    router_information,
    score,
    single_expert_actor,
)
from ml.policy.market_window import MarketWindow
from ml.policy.model import MoEPolicy
from ml.types import EXPERTS, OBJECTIVES

_SEED: Final = 31


def evaluate_policy(
    model: MoEPolicy, window: MarketWindow, *, per_universe: int, clusters: np.ndarray
) -> dict[str, Any]:
    """Play the policy, the blended experts, each expert and equal weight on the same portfolios.

    Parameters
    ----------
    model : MoEPolicy
        On the window's device.
    window : MarketWindow
        G universes that training has not seen.
    per_universe : int
        Portfolios of each.
    clusters : ndarray of shape (G,)
        Span of time of each universe: intervals draw spans.

    Returns
    -------
    dict
        JSON values: ``table`` (row conditioning, column score, basis points a week), ``diagonal``,
        ``against`` (rule -> objective -> difference), ``active_share`` and ``turnover`` by objective for
        policy and experts, ``router``, sizes.
    """
    ours = score(policy_actor(model.eval()), window, per_universe, _SEED)
    rules = {"analytic experts": expert_blend_actor, "equal weight": equal_weight_actor}
    rules |= {f"{name} expert": single_expert_actor(name) for name in EXPERTS}
    others: dict[str, Scores] = {
        name: score(rule, window, per_universe, _SEED) for name, rule in rules.items()
    }
    blended = others["analytic experts"]
    return {
        "universes": window.sizes[0],
        "spans": len(np.unique(clusters)),
        "portfolios": window.sizes[0] * per_universe,
        "weeks": window.sizes[1],
        "table": ours.table.tolist(),
        "diagonal": [
            {
                "objective": row.objective,
                "best_other": row.best_other,
                **row.against_best.as_dict(),
                "is_best": row.is_best,
                "is_within": row.is_within,
                "has_rival": row.has_rival,
            }
            for row in diagonal(ours, clusters)
        ],
        "against": {
            name: {key: gap.as_dict() for key, gap in against(ours, theirs, clusters).items()}
            for name, theirs in others.items()
        },
        "scores": {name: np.diagonal(one.table).tolist() for name, one in {"policy": ours, **others}.items()},
        "active_share": {"policy": ours.active_share.tolist(), "experts": blended.active_share.tolist()},
        "turnover": {"policy": ours.turnover.tolist(), "experts": blended.turnover.tolist()},
        "router": router_information(model, window),
    }


def policy_card(folder: Path, found: Mapping[str, Any]) -> str:
    """The card's Markdown.

    Parameters
    ----------
    folder : pathlib.Path
        The checkpoint.
    found : mapping
        As :func:`evaluate_policy` returns it.
    """
    saved = load_checkpoint(folder)
    train, metrics = saved.config["train"], saved.metrics
    sources = sorted({str(one).partition(":")[0] for one in saved.config["sources"]})
    lines = [
        f"# Policy, profile {saved.config['profile']}",
        "",
        "Mixture of four experts and an intent router over the encoder's embeddings; target weights for every "
        "account and objective. A demonstration, not advice.",
        "",
        f"* Trained on {len(saved.config['sources'])} markets ({', '.join(sources)}), seed {saved.config['seed']}: "
        f"{train['warm_rounds']} rounds of warm start from the analytic experts, {train['iterations']} rounds of PPO "
        f"of {train['universes'] * train['per_universe']:,} portfolios and {train['weeks']} weeks"
        + (f"; {metrics['seconds']:,.0f} s." if "seconds" in metrics else "."),
        f"* Held out below: {found['universes']} universes of simulated markets that training did not see, "
        f"{found['portfolios']:,} portfolios, {found['weeks']} weeks, in {found['spans']} spans of time; intervals "
        "are paired bootstraps over spans. Basis points of value a week, by the environment's approximate tax: they "
        "choose between policies. Results come from the exact ledger (`taxloom backtest`).",
        "",
        "## One policy for six objectives",
        "",
        "Row: the objective given to the policy; column: the reward that scores it. **Bold**: best of the column.",
        "",
        *_table(np.array(found["table"])),
        "",
        *_diagonal_lines(found["diagonal"]),
        "",
        "## Against other rules",
        "",
        *_against_lines(found),
        "",
        "## Activity and router",
        "",
        *_router_lines(found),
    ]
    return "\n".join(lines) + "\n"


def _table(table: np.ndarray) -> list[str]:
    lines = ["| given | " + " | ".join(OBJECTIVES) + " |", "|---" * (len(OBJECTIVES) + 1) + "|"]
    best = table.argmax(0)
    for row, name in enumerate(OBJECTIVES):
        cells = [
            f"**{value:.2f}**" if best[column] == row else f"{value:.2f}"
            for column, value in enumerate(table[row])
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def _diagonal_lines(rows: list[dict[str, Any]]) -> list[str]:
    best = sum(row["is_best"] for row in rows)
    within = sum(row["is_within"] for row in rows)
    lines = [
        f"The own conditioning is best in {best} of 6, best or within the interval of the best in {within} of 6:",
        "",
    ]
    for row in rows:
        lines.append(
            f"* {row['objective']}: {row['mean']:+.2f} ({row['lower95']:+.2f} to {row['upper95']:+.2f}) against "
            f"{row['best_other']}"
            + ("" if row["has_rival"] else " (void like every other: it chose short-term gains)")
        )
    return lines


def _against_lines(found: Mapping[str, Any]) -> list[str]:
    names = [name for name in found["against"]]
    lines = [
        "Scores under the own objective, and the policy's paired difference (95 %).",
        "",
        "| objective | policy | " + " | ".join(names) + " |",
        "|---" * (len(names) + 2) + "|",
    ]
    for i, objective in enumerate(OBJECTIVES):
        cells = []
        for name in names:
            gap = found["against"][name][objective]
            cells.append(
                f"{found['scores'][name][i]:.2f} ({gap['mean']:+.2f}: {gap['lower95']:+.2f} to {gap['upper95']:+.2f})"
            )
        lines.append(f"| {objective} | {found['scores']['policy'][i]:.2f} | " + " | ".join(cells) + " |")
    return lines


def _router_lines(found: Mapping[str, Any]) -> list[str]:
    router = found["router"]
    lines = [
        "| objective | active share | experts' | turnover a week | experts' | " + " | ".join(EXPERTS) + " |",
        "|---" * (5 + len(EXPERTS)) + "|",
    ]
    for i, name in enumerate(OBJECTIVES):
        share, turnover = found["active_share"], found["turnover"]
        loads = " | ".join(f"{value:.2f}" for value in router["load"][i])
        lines.append(
            f"| {name} | {share['policy'][i]:.2f} | {share['experts'][i]:.2f} | {100 * turnover['policy'][i]:.1f} % | "
            f"{100 * turnover['experts'][i]:.1f} % | {loads} |"
        )
    return [
        *lines,
        "",
        f"Mutual information of objective and expert {router['mutual_information_nats']:.2f} nats (at most "
        f"{np.log(len(EXPERTS)):.2f}); standard deviation of a share over regimes {router['regime_deviation']:.3f}.",
    ]
