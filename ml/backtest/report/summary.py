"""``summary.json``: the report's scores for machines.

What belongs here: what stands in it and which targets are met. What does not: scores themselves.
"""

import json
import math
from typing import Any, Final

from ml.backtest.report.comparisons import Comparisons, ObjectiveRow
from ml.backtest.report.selection import BENCHMARK, Setting
from ml.backtest.statistics.intervals import Interval
from ml.backtest.statistics.score_definitions import SCORES
from ml.types import OBJECTIVES

_DIGITS: Final = 6
MECHANICAL_MARGIN_BP: Final = -10.0
MAX_MEAN_CASH: Final = 0.6


def summary(figures: Comparisons) -> dict[str, Any]:
    """Return the summary: ``meta``, ``objectives``, ``targets``, and the same of baselines and opened tests.

    Parameters
    ----------
    figures : Comparisons

    Returns
    -------
    dict
        ``objectives`` holds, for each objective that a strategy was run for, its scores with ``_lower95`` and
        ``_upper95`` on the development windows (its first seed); null where a score is not defined or void.
    """
    trials = figures.trials
    development = trials.setting(trials.development)
    long = trials.setting(trials.long)
    out: dict[str, Any] = {
        "meta": _meta(figures, development),
        "objectives": _objectives(figures, development),
        "targets": targets(figures, development),
        "baselines": _baselines(figures, development),
        "baselines_long": _baselines(figures, long),
    }
    if trials.test:
        out["objectives_test"] = _objectives(figures, trials.setting(trials.test))
    return out


def summary_text(figures: Comparisons) -> str:
    """Return the summary as JSON; the same trials give the same bytes."""
    return json.dumps(summary(figures), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _meta(figures: Comparisons, setting: Setting) -> dict[str, Any]:
    trials = figures.trials
    return {
        "advice": "Not tax or investment advice.",
        "benchmark": BENCHMARK,
        "strategy": trials.chooser(),
        "windows": list(setting.windows),
        "windows_long": list(trials.long),
        "windows_test": list(trials.test),
        "profile": setting.profile,
        "cost_bp": setting.cost_bp,
        "law": setting.law,
        "first_date": str(min(r.dates[0] for r in trials.results)),
        "last_date": str(max(r.dates[-1] for r in trials.results)),
        "n_trials": len(trials.results),
        "n_trials_logged": figures.n_logged if figures.n_logged is not None else len(trials.results),
        "draws": figures.draws,
        "survivorship": "Assets are survivors: levels are too high, differences less so.",
    }


def _bounds(name: str, found: Interval, *, is_void: bool = False) -> dict[str, float | None]:
    values = (found.estimate, found.lower95, found.upper95)
    names = (name, f"{name}_lower95", f"{name}_upper95")
    return {
        key: round(value, _DIGITS) if math.isfinite(value) and not is_void else None
        for key, value in zip(names, values, strict=True)
    }


def _first_seed(rows: list[ObjectiveRow]) -> list[ObjectiveRow]:
    first = min((row.run.seed for row in rows), default=0)
    return [row for row in rows if row.run.seed == first]


def _objectives(figures: Comparisons, setting: Setting) -> dict[str, dict[str, float | None]]:
    rows = _first_seed(figures.objective_rows(setting))
    out: dict[str, dict[str, float | None]] = {}
    for objective in OBJECTIVES:
        for row in rows:
            if row.objective == objective:
                out.setdefault(objective, {}).update(_bounds(row.score, row.own, is_void=row.is_void))
    return out


def _baselines(figures: Comparisons, setting: Setting) -> dict[str, dict[str, float | None]]:
    out: dict[str, dict[str, float | None]] = {}
    for run in figures.runs(setting):
        for name in SCORES:
            out.setdefault(run.label, {}).update(_bounds(name, figures.score(name, run, setting)))
    return out


def targets(figures: Comparisons, setting: Setting) -> list[dict[str, Any]]:
    """Return what is aimed at and whether it is met, of the strategy that knows objectives.

    Parameters
    ----------
    figures : Comparisons
    setting : Setting
        Development windows.

    Returns
    -------
    list of dict
        ``name``, ``met``; without such a strategy an empty list.
    """
    rows = {(row.objective, row.score): row for row in _first_seed(figures.objective_rows(setting))}
    found: list[dict[str, Any]] = []
    harvest = rows.get(("tax_loss_harvesting", "tax_alpha_bp"))
    if harvest:
        found.append(
            _target("tax_loss_harvesting: tax alpha above 0 (lower 95 % bound)", harvest.own.lower95 > 0)
        )
        mechanical = figures.run(setting, figures.trials.harvester() or "")
        if mechanical:
            ahead = figures.ahead("tax_alpha_bp", harvest.run, mechanical, setting)
            found.append(
                _target(
                    "tax_loss_harvesting: at least -10 bp a year against mechanical harvesting (lower 95 % "
                    "bound)",
                    ahead.lower95 >= MECHANICAL_MARGIN_BP,
                )
            )
    for score in ("max_drawdown_pct", "cvar95_pct"):
        row = rows.get(("capital_preservation", score))
        for peer_name in (BENCHMARK, "inverse_volatility_monthly"):
            peer = figures.run(setting, peer_name)
            if row and peer:
                ahead = figures.ahead(score, row.run, peer, setting)
                found.append(
                    _target(f"capital_preservation: lower {score} than {peer_name} (95 %)", ahead.upper95 < 0)
                )
    found += _preservation_targets(figures, rows.get(("capital_preservation", "cvar95_pct")), setting)
    only = rows.get(("long_term_gains_only", "after_tax_cagr_pct"))
    if only:
        found.append(_target("long_term_gains_only: no voluntary short-term gain", not only.is_void))
    return found


def _preservation_targets(
    figures: Comparisons, row: ObjectiveRow | None, setting: Setting
) -> list[dict[str, Any]]:
    if row is None:
        return []
    out = [_target("capital_preservation: mean cash at most 60 %", row.run.mean_cash <= MAX_MEAN_CASH)]
    cash = figures.run(setting, "cash")
    if cash:
        ahead = row.run.log_returns.sum() > cash.log_returns.sum()
        out.append(_target("capital_preservation: after-tax growth above that of cash", ahead))
    return out


def _target(name: str, met: bool) -> dict[str, Any]:
    return {"name": name, "met": bool(met)}
