"""Runs: every trial whole or not at all, the same bytes however often they were killed; the log of trials."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ml.backtest.baselines import Cash, EqualWeight, Harvesting
from ml.backtest.registry import baseline_names, chosen_strategies, default_strategies
from ml.backtest.results import WITHOUT_HARVESTING, TrialKey, read_result, read_results, write_result
from ml.backtest.run import run_plans
from ml.backtest.strategies import StrategyError, load_strategy
from ml.backtest.trials import (
    BASELINES_ONLY,
    TRIALS_SCHEMA,
    Choices,
    code_version,
    opened_rows,
    plan_trials,
    trial_rows,
)
from ml.backtest.walk_forward import Window, make_windows
from tests.test_ml.test_backtest.backtest_helpers import simulated_panel

EXPERTS = "experts_fixed_router"
STRATEGIES = (Cash("cash"), EqualWeight("equal_weight_monthly"), Harvesting("equal_weight_harvesting"))
CHOICES = Choices(costs_bp=(10,), profiles=("untaxed", "P1"))


def _plans(panel, strategies=STRATEGIES, choices=CHOICES):
    return plan_trials(make_windows(panel), strategies, frozenset(s.name for s in strategies), choices)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def panel():
    return simulated_panel(sessions=300)


@pytest.fixture(scope="module")
def done(panel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run_plans(panel, _plans(panel), folder)
    return folder


def test_a_second_run_computes_nothing_and_changes_nothing(panel, done: Path) -> None:
    before, lines = _contents(done), []
    report = run_plans(panel, _plans(panel), done, on_progress=lambda *x: lines.append(x))
    assert (report.computed, report.kept) == (0, len(report.paths))
    assert _contents(done) == before
    assert lines[-1][0] == lines[-1][1] == report.kept


def test_a_run_that_lost_some_files_restores_the_same_bytes(panel, done: Path, tmp_path: Path) -> None:
    whole = _contents(done)
    for name, content in whole.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lost = sorted(tmp_path.rglob("*.trial.npz"))[::3]
    for path in lost:
        path.unlink()
    report = run_plans(panel, _plans(panel), tmp_path)
    assert report.computed == len(lost)
    assert _contents(tmp_path) == whole


_CHILD = """
import sys
from pathlib import Path
from tests.test_ml.test_backtest.backtest_helpers import simulated_panel
from tests.test_ml.test_backtest.test_run import _plans
from ml.backtest.run import run_plans
panel = simulated_panel(sessions=300)
run_plans(panel, _plans(panel), Path(sys.argv[1]), on_progress=lambda *x: print(*x, flush=True))
"""


def test_kill_9_and_a_second_run_leave_the_same_files(done: Path, tmp_path: Path, panel) -> None:
    """The process is killed as soon as it has finished its first strategy."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert child.stdout is not None
    assert child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(timeout=60) == -signal.SIGKILL
    assert not (tmp_path / "run.json").exists()
    # What a kill may leave of a file that was being written does not count as a trial.
    (tmp_path / "trials" / f".half.trial.npz.{child.pid}.part").write_bytes(b"half")
    run_plans(panel, _plans(panel), tmp_path)
    found = {k: v for k, v in _contents(tmp_path).items() if not k.endswith(".part")}
    assert found == _contents(done)


def test_results_of_another_plan_are_not_read_beside_the_latest(panel, done: Path, tmp_path: Path) -> None:
    run_plans(panel, _plans(panel), tmp_path)
    run_plans(panel, _plans(panel, STRATEGIES[:1]), tmp_path)
    assert {r.key.strategy for r in read_results(tmp_path)} == {"cash"}


def test_a_trial_reads_back_as_it_was_written(done: Path, tmp_path: Path) -> None:
    result = next(iter(read_results(done)))
    write_result(result, tmp_path / "a.trial.npz")
    time.sleep(1.1)
    write_result(read_result(tmp_path / "a.trial.npz"), tmp_path / "b.trial.npz")
    assert (tmp_path / "a.trial.npz").read_bytes() == (tmp_path / "b.trial.npz").read_bytes()


def test_a_broken_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "x.trial.npz").write_bytes(b"PK broken")
    with pytest.raises(ValueError, match=r"x\.trial\.npz is no trial.*delete it and run again"):
        list(read_results(tmp_path))


def test_the_log_has_a_row_per_trial_with_its_identity(panel, done: Path) -> None:
    results = list(read_results(done))
    rows = trial_rows(results)
    assert dict(rows.schema) == TRIALS_SCHEMA
    assert rows["trial_id"].n_unique() == rows.height == len(results)
    assert set(rows["data_digest"]) == {panel.digest}
    assert set(rows["code_version"]) == {code_version()}
    taxed = rows.filter((rows["strategy"] == "equal_weight_monthly") & (rows["profile"] == "P1"))
    moves = np.diff(np.log(next(r for r in results if r.trial_id == taxed["trial_id"][0]).wealth_usd))
    assert taxed["mean_weekly_log"][0] == pytest.approx(moves.mean())


def test_other_data_or_settings_are_another_trial(panel) -> None:
    other = dataclasses.replace(panel, cash_return=panel.cash_return + 1e-9)
    ids = []
    for p, strategy in (
        (panel, STRATEGIES[1]),
        (other, STRATEGIES[1]),
        (panel, EqualWeight("equal_weight_monthly", "weekly")),
    ):
        from ml.backtest.trials import trial_meta

        plan = _plans(p, (strategy,))[0]
        ids.append(trial_meta(plan.keys[0], plan, p, None)["trial_id"])
    assert len(set(ids)) == 3


def _window(name: str, *, is_test: bool = False, long: bool = False, law_from: int = 2016) -> Window:
    return Window(name, 100, 200, 37, is_test, long, law_from)


def test_the_test_window_is_closed_without_a_tag(panel) -> None:
    windows = (_window("development_2014_2016"), _window("test_2017_2022", is_test=True))
    plans = plan_trials(windows, STRATEGIES, baseline_names(), CHOICES)
    assert {p.window.name for p in plans} == {"development_2014_2016"}
    with pytest.raises(ValueError, match=r"closed.*--open-test TAG"):
        plan_trials(
            windows, STRATEGIES, baseline_names(), dataclasses.replace(CHOICES, windows=("test_2017_2022",))
        )
    opened = plan_trials(windows, STRATEGIES, baseline_names(), dataclasses.replace(CHOICES, test_tag="v1"))
    rows = opened_rows(opened, panel, "v1")
    assert rows.height == sum(len(p.keys) for p in opened if p.window.is_test) > 0
    assert set(rows["status"]) == {"opened"}
    assert set(rows["test_tag"]) == {"v1"}
    assert rows["final_wealth_usd"].null_count() == rows.height
    assert not set(opened_rows(opened, panel, "v2")["trial_id"]) & set(rows["trial_id"])


def test_the_long_window_is_for_baselines_alone() -> None:
    windows = (_window("thirty_years", long=True), _window("development_2014_2016"))
    own = dataclasses.replace(STRATEGIES[1], name="mine")
    plans = plan_trials(windows, (*STRATEGIES, own), baseline_names(), CHOICES)
    assert {p.strategy.name for p in plans if p.window.name == "thirty_years"} == {s.name for s in STRATEGIES}
    assert {p.strategy.name for p in plans if p.window.name != "thirty_years"} > {"mine"}
    assert "nothing that is trained" in BASELINES_ONLY


def test_twins_run_only_where_objectives_are_judged() -> None:
    windows = tuple(_window(n) for n in ("thirty_years", "paper_14_days", "development_2014_2016"))
    strategies = chosen_strategies([f"{EXPERTS}{WITHOUT_HARVESTING}", EXPERTS])
    found = [
        (p.window.name, p.strategy.name) for p in plan_trials(windows, strategies, baseline_names(), CHOICES)
    ]
    assert [w for w, name in found if name.endswith(WITHOUT_HARVESTING)] == ["development_2014_2016"]
    assert sorted(w for w, name in found if name == EXPERTS) == sorted(w.name for w in windows)


def test_actual_law_is_planned_from_2010_on() -> None:
    plans = plan_trials(
        (_window("a", law_from=2009), _window("b", law_from=2010)), STRATEGIES[:1], baseline_names(), CHOICES
    )
    laws = {p.window.name: {k.law for k in p.keys} for p in plans}
    assert laws == {"a": {"law_2026"}, "b": {"law_2026", "actual"}}


def test_every_default_strategy_has_its_own_name_and_valid_attributes() -> None:
    from ml.backtest.strategies import Strategy, check_strategy

    strategies = default_strategies()
    assert len({s.name for s in strategies}) == len(strategies) == len(baseline_names())
    for strategy in strategies:
        assert isinstance(strategy, Strategy)
        check_strategy(strategy)


def half_first(state):
    """A user's function: half in the first asset, half in cash."""
    weights = np.zeros(len(state.asset_ids) + 1)
    weights[0] = weights[-1] = 0.5
    return weights


half_first.schedule = "quarterly"  # type: ignore[attr-defined]


def bad_sum(state):
    """Weights that sum to 2."""
    return np.append(np.ones(2), np.zeros(len(state.asset_ids) - 1))


NO_STRATEGY = 3


def test_a_users_function_runs_as_any_other(panel, tmp_path: Path) -> None:
    own = load_strategy("tests.test_ml.test_backtest.test_run:half_first")
    assert own.schedule == "quarterly"
    run_plans(panel, _plans(panel, (own,)), tmp_path)
    results = list(read_results(tmp_path))
    assert {r.key.strategy for r in results} == {own.name}
    assert json.dumps(results[0].meta["settings"])
    assert all(0.3 < r.cash_weight[2:].mean() < 0.7 for r in results)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_colon", "write module:function"),
        ("no.such.module:f", "cannot be loaded"),
        ("tests.test_ml.test_backtest.test_run:missing", "cannot be loaded"),
        ("tests.test_ml.test_backtest.test_run:NO_STRATEGY", "neither a function nor"),
    ],
)
def test_what_cannot_be_loaded_is_named(reference: str, message: str) -> None:
    with pytest.raises(StrategyError, match=message):
        load_strategy(reference)


def test_bad_weights_are_refused_with_session_and_sum(panel, tmp_path: Path) -> None:
    own = load_strategy("tests.test_ml.test_backtest.test_run:bad_sum")
    with pytest.raises(StrategyError, match=r"bad_sum' at 2010-.*the sum np.float64\(2.0\)"):
        run_plans(panel, _plans(panel, (own,)), tmp_path)


def test_names_are_checked() -> None:
    with pytest.raises(StrategyError, match="unknown: use all, cash"):
        chosen_strategies(["buy_high"])
    assert [s.name for s in chosen_strategies(["cash"])] == ["cash"]
    own = chosen_strategies([], ["tests.test_ml.test_backtest.test_run:half_first"])
    assert [s.name for s in own] == ["tests.test_ml.test_backtest.test_run:half_first"]
    assert len(chosen_strategies([])) == len(default_strategies())
    assert TrialKey("w", "s", "none", 5, "P1") < TrialKey("w", "s", "none", 10, "P1")
