import numpy as np
import pytest

from ml.backtest.report.selection import ReportError, Setting, TrialSet
from tests.test_ml.test_backtest.trials import make_trial

DEVELOPMENT = ("development_2002_2004", "development_2005_2007")


def test_windows_fall_into_groups(trials):
    found = TrialSet(trials)
    assert found.long == ("thirty_years",) and found.development == DEVELOPMENT and found.test == ()
    assert found.profiles(found.long) == ("P1", "P2") and found.costs(found.long) == (5, 10)
    assert found.harvester() == "equal_weight_harvesting" and found.chooser() == "experts_fixed_router"


def test_headline_setting_or_the_nearest(trials):
    found = TrialSet(trials)
    assert found.setting(DEVELOPMENT) == Setting(DEVELOPMENT, "P1", 10)
    own = TrialSet([t for t in trials if (t.key.cost_bp, t.key.profile) == (5, "P2")])
    assert own.setting(DEVELOPMENT) == Setting(DEVELOPMENT, "P2", 5)
    assert found.setting(DEVELOPMENT, cost_bp=25).cost_bp == 25


def test_runs_join_windows_by_date_the_benchmark_first(trials):
    found = TrialSet(trials)
    runs = found.runs(Setting(DEVELOPMENT))
    assert runs[0].strategy == "equal_weight_monthly" and len(runs) == 4 + 6
    assert [r.key.window for r in runs[0].results] == list(DEVELOPMENT)
    assert len(runs[0].log_returns) == 120 == len(runs[0].dates)
    assert (np.diff(runs[0].dates).astype(int) > 0).all()
    assert runs[0].n_years == pytest.approx(120 * 7 / 365.25)
    assert "experts_fixed_router, tax_loss_harvesting" in {run.label for run in runs}


def test_a_run_must_have_every_window(trials):
    lacking = [t for t in trials if (t.key.strategy, t.key.window) != ("cash", DEVELOPMENT[1])]
    assert TrialSet(lacking).run(Setting(DEVELOPMENT), "cash") is None
    assert TrialSet(lacking).run(Setting(DEVELOPMENT[:1]), "cash") is not None


def test_seeds_are_told_apart():
    path = 0.01 * np.random.default_rng(0).standard_normal(40)
    both = [make_trial("drawn", log_returns=path, seed=s) for s in (0, 1)]
    labels = [run.label for run in TrialSet(both).runs(Setting(DEVELOPMENT[:1]))]
    assert labels == ["drawn, seed 0", "drawn, seed 1"]


def test_policies_come_before_experts(trials):
    path = np.full(60, 0.001)
    policy = make_trial("policy_v1", objective="long_term_gain", log_returns=path)
    assert TrialSet([*trials, policy]).chooser() == "policy_v1"


def test_twins_are_yardsticks_and_no_strategies(with_policy):
    found = TrialSet([t for t in with_policy if t.key.strategy != "equal_weight_harvesting"])
    assert found.harvester() is None and found.chooser() == "policy"
    twins = TrialSet([t for t in with_policy if t.key.strategy.endswith("_without_harvesting")])
    assert twins.harvester() is None and twins.chooser() is None
    assert all(run.is_twin for run in twins.runs(Setting(DEVELOPMENT)))


def test_no_trial_and_one_twice_are_refused(trials):
    with pytest.raises(ReportError, match="run `taxloom backtest` first"):
        TrialSet([])
    with pytest.raises(ReportError, match="is there twice"):
        TrialSet([*trials, trials[3]])
