import math

import numpy as np
import pytest

from ml.backtest.report.comparisons import Comparisons, detectable
from ml.backtest.report.selection import Setting, TrialSet
from ml.backtest.statistics.intervals import minimum_detectable_effect
from ml.backtest.statistics.sharpe import WEEKS_PER_YEAR, sharpe_ratio
from tests.test_ml.test_backtest.test_report.conftest import DRAWS, POLICY_PATHS

LONG = Setting(("thirty_years",))
DEVELOPMENT = Setting(("development_2002_2004", "development_2005_2007"))


@pytest.fixture(scope="module")
def figures(trials):
    return Comparisons(TrialSet(trials), draws=DRAWS)


def test_lead_is_the_mean_weekly_difference(figures):
    run, peer = figures.run(LONG, "momentum_12_1"), figures.benchmark(LONG)
    expected = 1e4 * WEEKS_PER_YEAR * (run.log_returns - peer.log_returns).mean()
    assert figures.alpha(run, LONG).estimate == pytest.approx(expected)
    assert figures.alpha(peer, LONG).estimate == 0


def test_tax_part_takes_out_what_the_replacements_did(figures):
    """Built in: harvesting saves 1e-4 a week under every taxed profile, beside noise that is not tax."""
    found = figures.tax_part("equal_weight_harvesting", LONG)
    assert found.estimate == pytest.approx(1e4 * WEEKS_PER_YEAR * 1e-4)
    assert found.upper95 - found.lower95 < 1e-6
    whole = figures.alpha(figures.run(LONG, "equal_weight_harvesting"), LONG)
    assert whole.upper95 - whole.lower95 > 10
    assert math.isnan(figures.tax_part("nobody", LONG).estimate)


def test_every_setting_counts_in_the_deflated_ratio(figures, trials):
    ratios = figures.trial_sharpes(("thirty_years",))
    n = sum(t.key.window == "thirty_years" for t in trials)
    assert len(ratios) == n and np.isnan(ratios).sum() == 6  # cash at 3 profiles and 2 costs
    run = figures.run(LONG, "momentum_12_1")
    row = figures.sharpe_row(run, figures.benchmark(LONG), ratios)
    assert row.deflated.sharpe == pytest.approx(sharpe_ratio(run.excess_returns))
    assert row.deflated.n_trials == len(trials) > n
    more = Comparisons(TrialSet(trials), draws=DRAWS, n_logged=500)
    stricter = more.sharpe_row(run, figures.benchmark(LONG), ratios).deflated
    assert stricter.n_trials == 500 and stricter.expected_best > row.deflated.expected_best
    assert stricter.probability < row.deflated.probability


def test_cash_has_no_sharpe_ratio(figures):
    assert math.isnan(figures.sharpe(figures.run(LONG, "cash")).estimate)


def test_objectives_are_judged_by_their_scores(figures):
    rows = {(row.objective, row.score): row for row in figures.objective_rows(LONG)}
    assert len(rows) == 8
    alpha = rows["tax_loss_harvesting", "tax_alpha_bp"]
    assert alpha.ahead == alpha.own and math.isnan(alpha.benchmark.estimate)
    growth = rows["long_term_gain", "after_tax_cagr_pct"]
    assert growth.ahead.estimate == pytest.approx(growth.own.estimate - growth.benchmark.estimate)
    assert [o for (o, _), row in rows.items() if row.is_void] == ["long_term_gains_only"]


def test_tax_alpha_is_the_lead_over_the_twin_where_there_is_one(with_policy):
    figures = Comparisons(TrialSet(with_policy), draws=DRAWS)
    rows = {(row.objective, row.score): row for row in figures.objective_rows(DEVELOPMENT)}
    alpha, apart = (rows["tax_loss_harvesting", name] for name in ("tax_alpha_bp", "tracking_error_pct"))
    lead = 1e4 * WEEKS_PER_YEAR * POLICY_PATHS["tax_loss_harvesting"][2]
    assert alpha.own.estimate == pytest.approx(lead) and alpha.own.upper95 - alpha.own.lower95 < 1e-6
    assert (alpha.against, apart.against) == ("policy_without_harvesting", "equal_weight_monthly")
    assert figures.alpha(alpha.run, DEVELOPMENT).upper95 - figures.alpha(alpha.run, DEVELOPMENT).lower95 > 10
    shown = {run.strategy for run in figures.strategies(DEVELOPMENT)}
    assert {run.strategy for run in figures.runs(DEVELOPMENT)} - shown == {"policy_without_harvesting"}


def test_four_times_the_weeks_halve_what_can_be_detected(figures):
    found = figures.alpha(figures.run(LONG, "momentum_12_1"), LONG)
    years = found.n_weeks / WEEKS_PER_YEAR
    assert detectable(found, years) == pytest.approx(minimum_detectable_effect(found.standard_error))
    assert detectable(found, 4 * years) == pytest.approx(detectable(found, years) / 2)


def test_step_down_and_superior_ability_leave_the_benchmark_out(figures):
    runs, peer = figures.runs(LONG), figures.benchmark(LONG)
    adjusted = figures.step_down(runs, peer)
    assert set(adjusted) == {run.identity for run in runs} - {peer.identity}
    assert all(0 < p <= 1 for p in adjusted.values())
    assert 0 <= figures.superior(runs, peer).consistent <= 1
    assert figures.superior([peer], peer) is None and figures.step_down([peer], peer) == {}
