import math

import numpy as np
import pytest

from ml.backtest.statistics.score_definitions import GAIN_WEEKS, SCORES, ScoreError
from ml.backtest.statistics.scores import (
    MIN_WEEKS,
    all_scores,
    chose_short_gains,
    pooled_log_returns,
    score_columns,
    score_difference,
    score_interval,
    score_row,
    weekly_log_returns,
)
from ml.backtest.statistics.sharpe import WEEKS_PER_YEAR
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.trials import make_trial


@pytest.fixture(scope="module")
def paths():
    rng = np.random.default_rng(0)
    benchmark = 0.0015 + 0.02 * rng.standard_normal(400)
    return benchmark + 0.0004 + 0.003 * rng.standard_normal(400), benchmark


def slow_scores(own, benchmark):
    """Each score as its definition says, from wealth."""
    wealth = np.exp(np.concatenate([[0.0], np.cumsum(own)]))
    active = own - benchmark
    losses = np.sort(1 - wealth[1:] / wealth[:-1])[::-1]
    tail = 0.05 * len(own)
    whole = int(tail)
    years = len(own) / WEEKS_PER_YEAR
    return {
        "information_ratio": active.mean() / active.std() * math.sqrt(WEEKS_PER_YEAR),
        "after_tax_gain_63d_pct": 100 * np.mean(wealth[GAIN_WEEKS:] / wealth[:-GAIN_WEEKS] - 1),
        "after_tax_cagr_pct": 100 * ((wealth[-1] / wealth[0]) ** (1 / years) - 1),
        "max_drawdown_pct": 100 * max(1 - wealth / np.maximum.accumulate(wealth)),
        "cvar95_pct": 100 * (losses[:whole].sum() + (tail - whole) * losses[whole]) / tail,
        "tax_alpha_bp": 1e4 * active.sum() / years,
        "tracking_error_pct": 100 * active.std() * math.sqrt(WEEKS_PER_YEAR),
    }


def test_scores_are_their_definitions(paths):
    expected, found = slow_scores(*paths), all_scores(*paths)
    assert list(found) == list(SCORES) == list(expected)
    for name, value in expected.items():
        assert found[name].estimate == pytest.approx(value, rel=1e-9), name
        assert found[name].lower95 < found[name].upper95, name
        if name != "max_drawdown_pct":
            assert found[name].lower95 < value < found[name].upper95, name


def test_every_objective_has_a_score():
    assert {o for score in SCORES.values() for o in score.objectives} == set(OBJECTIVES)


def test_scores_that_compare_need_a_benchmark(paths):
    with pytest.raises(ScoreError, match="give its weekly log returns"):
        score_interval("tax_alpha_bp", paths[0])
    found = all_scores(paths[0])
    assert math.isnan(found["tax_alpha_bp"].estimate)
    assert found["cvar95_pct"] == all_scores(*paths)["cvar95_pct"]
    with pytest.raises(ScoreError, match=r"unknown: use one of information_ratio"):
        score_interval("alpha", paths[0])
    with pytest.raises(ScoreError, match="400, 399"):
        score_interval("tax_alpha_bp", paths[0], paths[1][1:])


@pytest.mark.parametrize("name", SCORES)
def test_differences_are_those_of_the_scores_and_tighter(paths, name):
    rng = np.random.default_rng(1)
    other = paths[0] + 0.0005 * rng.standard_normal(400) - 0.0002
    found = score_difference(name, paths[0], other, paths[1])
    each = [score_interval(name, path, paths[1]) for path in (paths[0], other)]
    assert found.estimate == pytest.approx(each[0].estimate - each[1].estimate, abs=1e-9)
    assert found.upper95 - found.lower95 < each[0].upper95 - each[0].lower95
    back = score_difference(name, other, paths[0], paths[1])
    assert back.estimate == pytest.approx(-found.estimate, abs=1e-9)


def test_few_weeks_have_no_interval(paths):
    short = [path[: MIN_WEEKS - 1] for path in paths]
    assert all(math.isnan(found.estimate) for found in all_scores(*short).values())
    assert math.isnan(score_difference("cvar95_pct", *short).lower95)


@pytest.mark.parametrize("name", ["tax_alpha_bp", "after_tax_cagr_pct", "cvar95_pct", "tracking_error_pct"])
def test_intervals_cover(name):
    """Independent normal weeks, whose scores are known."""
    drift, noise, hits = 0.0005, 0.01, 0
    rng = np.random.default_rng(7)
    truth = {
        "tax_alpha_bp": 1e4 * WEEKS_PER_YEAR * drift,
        "after_tax_cagr_pct": 100 * math.expm1(WEEKS_PER_YEAR * drift),
        "tracking_error_pct": 100 * noise * math.sqrt(WEEKS_PER_YEAR),
        # Mean of 1 - exp(x) below the 5 percent quantile of a normal x, in closed form.
        "cvar95_pct": 100
        * (1 - math.exp(drift + noise**2 / 2) * 0.5 * math.erfc((1.6448536 + noise) / math.sqrt(2)) / 0.05),
    }[name]
    for i in range(300):
        path = drift + noise * rng.standard_normal(520)
        found = score_interval(name, path, np.zeros(520), draws=199, seed=i)
        hits += found.lower95 <= truth <= found.upper95
    assert 0.91 <= hits / 300 <= 0.985


def test_rows_of_trials(paths):
    benchmark = make_trial("equal_weight_monthly", log_returns=paths[1])
    trial = make_trial("buy_and_hold", log_returns=paths[0])
    row = score_row(trial, benchmark, draws=99)
    assert tuple(row) == score_columns() and len(row) == 3 * len(SCORES)
    assert row["tax_alpha_bp"] == pytest.approx(slow_scores(*paths)["tax_alpha_bp"])
    alone = score_row(benchmark, benchmark, draws=99)
    assert alone["tax_alpha_bp"] == 0 == alone["tax_alpha_bp_upper95"]
    assert math.isnan(alone["information_ratio"])
    with pytest.raises(ScoreError, match="run both on the same panel"):
        score_row(trial, make_trial("equal_weight_monthly", log_returns=paths[1], start="2001-01-05"))


def test_windows_are_joined_by_date(paths):
    late = make_trial("cash", log_returns=paths[0], start="2012-01-06")
    early = make_trial("cash", log_returns=paths[1], start="2002-01-04")
    joined = pooled_log_returns([late, early])
    np.testing.assert_allclose(joined, np.concatenate([paths[1], paths[0]]))


def test_lost_wealth_and_chosen_gains_are_seen(paths):
    trial = make_trial("cash", log_returns=paths[0])
    assert not chose_short_gains(trial)
    assert chose_short_gains(make_trial("cash", log_returns=paths[0], voluntary_short_gain_usd=5.0))
    trial.wealth_usd[7] = -1.0
    with pytest.raises(ScoreError, match=r"-1\.0 on"):
        weekly_log_returns(trial)
