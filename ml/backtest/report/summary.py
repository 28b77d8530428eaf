"""``summary.json``: the report's scores for machines.

What belongs here: what stands in it. What does not: scores themselves, which targets are met (``targets.py``).
"""

import json
import math
from typing import Any, Final

from ml.backtest.report.comparisons import TAX_ALPHA, Comparisons, first_seed
from ml.backtest.report.cross import CrossCell, DiagonalRow, cross_table
from ml.backtest.report.selection import BENCHMARK, Setting
from ml.backtest.report.targets import targets
from ml.backtest.statistics.intervals import Interval
from ml.backtest.statistics.score_definitions import SCORES
from ml.types import OBJECTIVES

_DIGITS: Final = 6


def summary(figures: Comparisons) -> dict[str, Any]:
    """Return the summary: ``meta``, ``objectives``, ``cross``, ``diagonal``, ``targets``, baselines, opened tests.

    Parameters
    ----------
    figures : Comparisons

    Returns
    -------
    dict
        ``objectives`` holds, for each objective that a strategy was run for, its scores with ``_lower95`` and
        ``_upper95`` on the development windows (its first seed); null where a score is not defined or void. Tax alpha
        there and in ``cross`` is against ``tax_alpha_against`` of ``meta``, that of baselines against ``benchmark``.
        ``cross`` holds every objective's scores under every conditioning (``given``), ``diagonal`` each objective's
        own against the best of the others.
    """
    trials = figures.trials
    development = trials.setting(trials.development)
    long = trials.setting(trials.long)
    out: dict[str, Any] = {
        "meta": _meta(figures, development),
        "objectives": _objectives(figures, development),
        **_cross(figures, development),
        "targets": targets(figures, development),
        "baselines": _baselines(figures, development),
        "baselines_long": _baselines(figures, long),
    }
    if trials.test:
        opened = trials.setting(trials.test)
        out["objectives_test"] = _objectives(figures, opened)
        out |= {f"{name}_test": rows for name, rows in _cross(figures, opened).items()}
    return out


def summary_text(figures: Comparisons) -> str:
    """Return the summary as JSON; the same trials give the same bytes."""
    return json.dumps(summary(figures), indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def _meta(figures: Comparisons, setting: Setting) -> dict[str, Any]:
    trials, rows = figures.trials, first_seed(figures.objective_rows(setting))
    return {
        "advice": "Not tax or investment advice.",
        "benchmark": BENCHMARK,
        "strategy": trials.chooser(),
        "tax_alpha_against": next((r.against for r in rows if r.score == TAX_ALPHA), None),
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


def _objectives(figures: Comparisons, setting: Setting) -> dict[str, dict[str, float | None]]:
    rows = first_seed(figures.objective_rows(setting))
    out: dict[str, dict[str, float | None]] = {}
    for objective in OBJECTIVES:
        for row in rows:
            if row.objective == objective:
                out.setdefault(objective, {}).update(_bounds(row.score, row.own, is_void=row.is_void))
    return out


def _cross(figures: Comparisons, setting: Setting) -> dict[str, list[dict[str, Any]]]:
    found = cross_table(figures, setting)
    return {
        "cross": [_cross_row(cell) for cell in found.cells] if found else [],
        "diagonal": [_diagonal_row(row) for row in found.diagonal] if found else [],
    }


def _cross_row(cell: CrossCell) -> dict[str, Any]:
    bounds = _bounds("value", cell.found, is_void=cell.is_void)
    return {
        "given": cell.given,
        "objective": cell.objective,
        "score": cell.score,
        "value": bounds["value"],
        "lower95": bounds["value_lower95"],
        "upper95": bounds["value_upper95"],
        "is_void": cell.is_void,
    }


def _diagonal_row(row: DiagonalRow) -> dict[str, Any]:
    return {
        "objective": row.own.objective,
        "score": row.own.score,
        "best_other": row.other.given if row.other else None,
        **_bounds("difference", row.difference),
        "is_best": row.is_best,
        "is_within": row.is_within,
    }


def _baselines(figures: Comparisons, setting: Setting) -> dict[str, dict[str, float | None]]:
    out: dict[str, dict[str, float | None]] = {}
    for run in figures.runs(setting):
        for name in SCORES:
            out.setdefault(run.label, {}).update(_bounds(name, figures.score(name, run, setting)))
    return out
