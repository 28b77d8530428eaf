"""The backtest: every baseline, cost and profile on the packaged data, and one strategy beside skfolio's walk-forward.

skfolio's walk-forward gives portfolios before costs and tax; ours counts shares, costs and every lot's tax. The peer's
figure is for one run of equal weight, ours for the fifteen of three costs and five tax profiles.
"""

import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
TARGET_S: Final = 600.0
STRATEGY: Final = "equal_weight_quarterly"


def run() -> list[dict[str, Any]]:
    """Time the walk-forwards in this process, then the whole command in an empty home."""
    ours, trials, peer = _ours(), 15, _skfolio()
    work = (
        "thirty years quarterly, 20 stocks: runs a second (ours after costs and lot-level tax, before scores)"
    )
    rows = [
        _row(
            work,
            trials / ours,
            "skfolio.model_selection.cross_val_predict",
            1 / peer,
            trials / ours * peer,
            "runs/s",
        )
    ]
    seconds = _whole()
    rows.append(
        _row(f"all baselines, costs and profiles, scores and page (target {TARGET_S:g} s)", seconds, None, None,
             TARGET_S / seconds, "s")
    )  # fmt: skip
    return rows


def _ours() -> float:
    from dagster_project.backtest_data import backtest_panel
    from ml.backtest.registry import baseline_names, chosen_strategies
    from ml.backtest.run import run_plans
    from ml.backtest.trials import Choices, plan_trials
    from ml.backtest.walk_forward import make_windows

    panel = backtest_panel("packaged", None)
    plans = plan_trials(
        make_windows(panel),
        chosen_strategies([STRATEGY]),
        baseline_names(),
        Choices(windows=("thirty_years",)),
    )
    seconds = 0.0
    for _ in range(2):  # the first compiles
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            computed = run_plans(panel, plans, Path(folder)).computed
            seconds = time.perf_counter() - begun
        if computed != 15:
            raise RuntimeError(f"{computed} trials were computed, 15 were expected: 3 costs, 5 profiles")
    return seconds


def _skfolio() -> float:
    from skfolio.datasets import load_sp500_dataset
    from skfolio.model_selection import WalkForward, cross_val_predict
    from skfolio.optimization import EqualWeighted
    from skfolio.preprocessing import prices_to_returns

    returns = prices_to_returns(load_sp500_dataset())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        taken = []
        for _ in range(2):
            begun = time.perf_counter()
            found = cross_val_predict(EqualWeighted(), returns, cv=WalkForward(train_size=504, test_size=63))
            _ = found.annualized_sharpe_ratio  # pyright: ignore[reportAttributeAccessIssue]
            taken.append(time.perf_counter() - begun)
    return min(taken)


def _whole() -> float:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TAXLOOM_HOME": folder}
        environment.pop("DAGSTER_HOME", None)
        command = [sys.executable, "-m", "dagster_project.cli", "backtest"]
        begun = time.perf_counter()
        result = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-2000:]}")
        return time.perf_counter() - begun


def _row(
    work: str, ours: float, peer: str | None, peer_value: float | None, ratio: float, unit: str
) -> dict[str, Any]:
    return {
        "name": "backtest",
        "work": work,
        "ours": round(ours, 2),
        "peer": peer,
        "peer_value": None if peer_value is None else round(peer_value, 2),
        "ratio": round(ratio, 2),
        "unit": unit,
        "machine": "",
        "skipped": None,
    }
