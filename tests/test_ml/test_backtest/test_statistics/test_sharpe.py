import math

import numpy as np
import pytest
from scipy.stats import norm

from ml.backtest.statistics.sharpe import (
    WEEKS_PER_YEAR,
    deflated_sharpe,
    expected_best_sharpe,
    hac_p_value,
    probabilistic_sharpe,
    sharpe_difference,
    sharpe_interval,
    sharpe_ratio,
)


def slow_standard_error(first, second):
    """Delta method of Ledoit and Wolf (2008), equation 3, for independent rows."""
    rows = np.column_stack([first, second, first**2, second**2])
    a, b, c, d = rows.mean(axis=0)
    slope = [c / (c - a**2) ** 1.5, -d / (d - b**2) ** 1.5]
    slope += [-a / 2 / (c - a**2) ** 1.5, b / 2 / (d - b**2) ** 1.5]
    covariance = np.cov(rows, rowvar=False, ddof=0)
    return math.sqrt(slope @ covariance @ slope / len(first) * WEEKS_PER_YEAR)


def test_difference_has_the_papers_standard_error():
    rng = np.random.default_rng(0)
    market = 0.02 * rng.standard_normal(6000)
    first = 0.002 + market + 0.01 * rng.standard_normal(6000)
    second = 0.001 + 0.5 * market
    found = sharpe_difference(first, second, draws=3999)
    assert found.estimate == pytest.approx(sharpe_ratio(first) - sharpe_ratio(second))
    assert found.standard_error == pytest.approx(slow_standard_error(first, second), rel=0.04)
    assert hac_p_value(found) == pytest.approx(found.p_value, abs=0.03)


def test_test_keeps_its_level():
    rng = np.random.default_rng(1)
    rejected = 0
    for i in range(300):
        pair = 0.002 + rng.multivariate_normal([0, 0], [[4e-4, 2e-4], [2e-4, 4e-4]], size=260)
        rejected += sharpe_difference(pair[:, 0], pair[:, 1], draws=199, seed=i).p_value <= 0.05
    assert 0.025 <= rejected / 300 <= 0.085


def test_sharpe_of_a_normal():
    returns = 0.002 + 0.02 * np.random.default_rng(2).standard_normal(520)
    found = sharpe_interval(returns)
    assert found.estimate == pytest.approx(math.sqrt(WEEKS_PER_YEAR) * returns.mean() / returns.std())
    # Lo (2002): variance of the weekly ratio (1 + S^2 / 2) / n.
    weekly = found.estimate / math.sqrt(WEEKS_PER_YEAR)
    assert found.standard_error == pytest.approx(
        math.sqrt(WEEKS_PER_YEAR * (1 + weekly**2 / 2) / 520), rel=0.1
    )


def test_constant_returns_have_no_ratio():
    constant = np.full(100, 0.001)
    assert math.isnan(sharpe_ratio(constant))
    assert math.isnan(sharpe_interval(constant).estimate)
    assert math.isnan(probabilistic_sharpe(constant))


def test_probabilistic_sharpe_against_simulation():
    rng, n, truth = np.random.default_rng(3), 260, 0.4
    weekly = truth / math.sqrt(WEEKS_PER_YEAR)
    above = [probabilistic_sharpe(weekly + rng.standard_normal(n), truth) for _ in range(2000)]
    # Under the truth the probability is uniform.
    assert np.mean(above) == pytest.approx(0.5, abs=0.03)
    assert np.mean(np.array(above) > 0.95) == pytest.approx(0.05, abs=0.02)


def test_worked_example_of_the_paper():
    # Bailey and López de Prado (2014), section "A numerical example": 88 of 100 trials, variance 1/2, 1,250 days,
    # skewness -3, kurtosis 10, annual ratio 2.5, deflated 0.9004. Here the pieces that depend on N and variance.
    trials = np.sqrt(0.5) * norm.ppf((np.arange(100) + 0.5) / 100)
    trials *= math.sqrt(0.5) / trials.std(ddof=1)
    daily = expected_best_sharpe(trials) / math.sqrt(250)
    assert daily == pytest.approx(0.1132, abs=2e-4)


def test_expected_best_is_that_of_a_simulation():
    rng = np.random.default_rng(4)
    for n in (10, 50, 200):
        best = rng.standard_normal((4000, n)).max(axis=1).mean()
        spread = norm.ppf((np.arange(n) + 0.5) / n)
        spread /= spread.std(ddof=1)
        assert expected_best_sharpe(spread) == pytest.approx(best, rel=0.035)


def test_more_trials_deflate_more():
    returns = 0.002 + 0.02 * np.random.default_rng(5).standard_normal(300)
    own = sharpe_ratio(returns)
    few = deflated_sharpe(returns, np.array([own, 0.0, math.nan]))
    many = deflated_sharpe(returns, np.concatenate([[own, 0.0], np.linspace(-1, 1, 40)]))
    assert (few.n_trials, many.n_trials) == (2, 42)
    assert many.expected_best > few.expected_best > 0
    alone = deflated_sharpe(returns, np.array([own]))
    assert alone.expected_best == 0 and alone.probability == probabilistic_sharpe(returns)
