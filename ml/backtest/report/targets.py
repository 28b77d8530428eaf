"""What is aimed at of the strategy that knows objectives, and whether it is met.

What belongs here: each target's words and margin. What does not: the figures it is read from (``comparisons.py``,
``cross.py``).
"""

from typing import Any, Final

from ml.backtest.report.comparisons import TAX_ALPHA, Comparisons, ObjectiveRow, first_seed
from ml.backtest.report.cross import cross_table
from ml.backtest.report.selection import ANALYTIC_EXPERTS, BENCHMARK, LONG_ONLY, POLICY, Setting
from ml.types import OBJECTIVES

MECHANICAL_MARGIN_BP: Final = -10.0
EXPERTS_MARGIN_BP: Final = -25.0
EXPERTS_MARGIN_RATIO: Final = -0.05
LEAST_BEST: Final = 4
MAX_MEAN_CASH: Final = 0.6
_ONE_POLICY: Final = "one policy for six objectives"


def targets(figures: Comparisons, setting: Setting) -> list[dict[str, Any]]:
    """Return what is aimed at and whether it is met, of the first seed of the strategy that knows objectives.

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
    rows = {(row.objective, row.score): row for row in first_seed(figures.objective_rows(setting))}
    found = _harvest_targets(figures, rows.get(("tax_loss_harvesting", TAX_ALPHA)), setting)
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
    only = rows.get((LONG_ONLY, "after_tax_cagr_pct"))
    if only:
        found.append(_target("long_term_gains_only: no voluntary short-term gain", not only.is_void))
    own = {row.objective: row for row in rows.values()}
    return [*found, *_cross_targets(figures, setting), *_expert_targets(figures, own, setting)]


def _harvest_targets(
    figures: Comparisons, row: ObjectiveRow | None, setting: Setting
) -> list[dict[str, Any]]:
    if row is None:
        return []
    name = f"tax_loss_harvesting: tax alpha against {row.against} above 0 (lower 95 % bound)"
    found = [_target(name, row.own.lower95 > 0)]
    mechanical = figures.run(setting, figures.trials.harvester() or "")
    if mechanical:
        ahead = figures.ahead(TAX_ALPHA, row.run, mechanical, setting)
        found.append(
            _target(
                "tax_loss_harvesting: at least -10 bp a year against mechanical harvesting (lower 95 % bound)",
                ahead.lower95 >= MECHANICAL_MARGIN_BP,
            )
        )
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


def _cross_targets(figures: Comparisons, setting: Setting) -> list[dict[str, Any]]:
    """Own conditioning against the others, where all six objectives were run."""
    found = cross_table(figures, setting)
    if found is None or found.objectives != OBJECTIVES:
        return []
    return [
        _target(
            f"{_ONE_POLICY}: own objective best or within the paired 95 % interval of the best in all six",
            found.within == OBJECTIVES,
        ),
        _target(
            f"{_ONE_POLICY}: own objective strictly best in at least four", len(found.best) >= LEAST_BEST
        ),
    ]


def _expert_targets(
    figures: Comparisons, own: dict[str, ObjectiveRow], setting: Setting
) -> list[dict[str, Any]]:
    """A policy against the analytic experts that it began with; all but short_term_alpha by growth after tax."""
    if not (figures.trials.chooser() or "").startswith(POLICY):
        return []
    found = []
    for objective in (name for name in OBJECTIVES if name in own):
        row, peer = own[objective], figures.run(setting, ANALYTIC_EXPERTS, objective)
        if peer is None:
            continue
        score, margin, words = (
            ("information_ratio", EXPERTS_MARGIN_RATIO, "0.05 of information ratio")
            if objective == "short_term_alpha"
            else (TAX_ALPHA, EXPERTS_MARGIN_BP, "25 bp a year of after-tax growth")
        )
        ahead = figures.ahead(score, row.run, peer, setting)
        name = f"{objective}: not worse than its analytic experts by more than {words} (lower 95 % bound)"
        found.append(_target(name, ahead.lower95 >= margin and not row.is_void))
    return found


def _target(name: str, met: bool) -> dict[str, Any]:
    return {"name": name, "met": bool(met)}
