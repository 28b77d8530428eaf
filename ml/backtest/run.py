"""Run a plan: simulate what is missing, write each trial whole, go on where a killed run stopped.

What belongs here: the loop over windows and strategies and its output folder. What does not: what is run
(``trials.py``), where the panel comes from (``dagster_project``).
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.backtest.panel import BacktestPanel
from ml.backtest.report_trial import trial_results
from ml.backtest.results import MANIFEST, BacktestResult, TrialKey, write_result
from ml.backtest.simulate import simulate
from ml.backtest.strategies import check_strategy
from ml.backtest.trials import Plan, trial_meta, trial_path
from ml.backtest.walk_forward import restrict

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run left.

    Attributes
    ----------
    computed, kept : int
        Trials that were simulated, and that an earlier run had finished.
    paths : tuple of Path
        Files of all trials of the plan.
    """

    computed: int
    kept: int
    paths: tuple[Path, ...]


def run_plans(
    panel: BacktestPanel,
    plans: Sequence[Plan],
    folder: Path,
    *,
    test_tag: str | None = None,
    on_progress: Progress | None = None,
) -> RunReport:
    """Compute every trial of a plan that the folder lacks.

    Parameters
    ----------
    panel : BacktestPanel
    plans : sequence of Plan
    folder : Path
        Output; a trial's file there is taken as finished.
    test_tag : str, optional
        Recorded in trials of the test window.
    on_progress : callable, optional
        Called with trials done, all trials, and a line of text.

    Returns
    -------
    RunReport

    Raises
    ------
    StrategyError, SimulationError, LedgerError
        The trials of plans before it are written.
    """
    total, done, computed, paths = sum(len(plan.keys) for plan in plans), 0, 0, []
    for plan in plans:
        check_strategy(plan.strategy)
        metas = [trial_meta(key, plan, panel, test_tag) for key in plan.keys]
        files = [
            trial_path(folder, key, meta["trial_id"]) for key, meta in zip(plan.keys, metas, strict=True)
        ]
        missing = [i for i, file in enumerate(files) if not file.exists()]
        if missing:
            results = _simulate(panel, plan, [plan.keys[i] for i in missing], [metas[i] for i in missing])
            for i, result in zip(missing, results, strict=True):
                write_result(result, files[i])
        done, computed = done + len(plan.keys), computed + len(missing)
        paths += files
        if on_progress is not None:
            on_progress(
                done, total, f"{plan.window.name} {plan.strategy.name}: {_said(len(missing), len(files))}"
            )
    _write_manifest(folder, panel, paths)
    return RunReport(computed, total - computed, tuple(paths))


def _said(computed: int, total: int) -> str:
    before = f"{total - computed} finished before" if computed < total else ""
    return ", ".join(part for part in (f"{computed} trials" if computed else "", before) if part)


def _simulate(
    panel: BacktestPanel, plan: Plan, keys: list[TrialKey], metas: list[dict[str, Any]]
) -> list[BacktestResult]:
    part = restrict(panel, plan.window)
    path = simulate(plan.strategy, part, plan.window, keys)
    return trial_results(path, part, plan.window, keys, metas)


def _write_manifest(folder: Path, panel: BacktestPanel, paths: Sequence[Path]) -> None:
    """List the trials of the latest run, so that files of earlier code or data are not read beside them."""
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    content = {"source": panel.source, "data": panel.digest, "notes": list(panel.notes), "trials": names}
    target = folder / MANIFEST
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(target)
