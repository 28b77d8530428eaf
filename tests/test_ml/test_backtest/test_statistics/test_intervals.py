import math

import numpy as np
import pytest
from scipy.stats import t as student

from ml.backtest.statistics.intervals import (
    SmoothFunction,
    drawdown_interval,
    minimum_detectable_effect,
    studentised_interval,
    symmetric_quantile,
)
from ml.backtest.statistics.sharpe import difference

EXPONENTIAL = SmoothFunction(lambda m: np.exp(m[..., 0]), lambda m: np.exp(m))


@pytest.fixture(scope="module")
def normal():
    return 0.1 + np.random.default_rng(0).standard_normal((400, 2))


def test_interval_of_independent_normals_is_students(normal):
    found = studentised_interval(normal[:, 0], draws=3999, block_length=1.0)
    half = student.ppf(0.975, 399) * normal[:, 0].std(ddof=1) / 20
    assert found.estimate == normal[:, 0].mean()
    assert found.upper95 - found.estimate == pytest.approx(half, rel=0.07)
    assert found.lower95 + found.upper95 == pytest.approx(2 * found.estimate)


def test_p_value_agrees_with_the_interval(normal):
    for shift in np.linspace(-0.3, 0.3, 25):
        found = studentised_interval(normal[:, 1] + shift)
        assert found.excludes_zero == (found.p_value < 0.05)


def test_interval_follows_a_change_of_unit(normal):
    plain = studentised_interval(normal[:, 0])
    scaled = studentised_interval(1e-6 * normal[:, 0])
    assert scaled.lower95 == pytest.approx(1e-6 * plain.lower95)
    assert scaled.block_length == plain.block_length


def test_function_of_a_mean_by_the_delta_method(normal):
    plain = studentised_interval(normal[:, 0])
    found = studentised_interval(normal[:, 0], EXPONENTIAL)
    assert found.estimate == pytest.approx(math.exp(plain.estimate))
    assert found.standard_error == pytest.approx(math.exp(plain.estimate) * plain.standard_error)


def test_pairing_takes_out_what_both_share():
    rng = np.random.default_rng(4)
    market = 0.02 * rng.standard_normal(500)
    rows = np.column_stack([market + 0.001 * rng.standard_normal(500), market])
    both = difference(SmoothFunction(lambda m: m[..., 0], np.ones_like), EXPONENTIAL, 1)
    found = studentised_interval(rows, both)
    assert found.estimate == pytest.approx(rows[:, 0].mean() - math.exp(market.mean()))
    assert found.standard_error == pytest.approx(0.001 / math.sqrt(500), rel=0.15)


def test_equal_strategies_have_no_difference(normal):
    rows = np.column_stack([normal[:, 0], normal[:, 0]])
    found = studentised_interval(rows, difference(EXPONENTIAL, EXPONENTIAL, 1))
    assert (found.estimate, found.lower95, found.upper95, found.p_value) == (0, 0, 0, 1)


def test_undefined_functions_have_no_interval(normal):
    ratio = SmoothFunction(lambda m: m[..., 0] / 0 * 0, lambda m: np.full_like(m, np.nan))
    with np.errstate(all="ignore"):
        found = studentised_interval(normal[:, 0], ratio)
    assert math.isnan(found.estimate) and math.isnan(found.lower95) and not found.excludes_zero


def test_quantile_is_an_order_statistic():
    assert symmetric_quantile(np.arange(1.0, 400.0)[::-1]) == 380.0
    assert symmetric_quantile(np.arange(1.0, 11.0)) == 10.0


def slow_drawdown(log_returns):
    wealth = np.exp(np.concatenate([[0.0], np.cumsum(log_returns)]))
    return 100 * (1 - (wealth / np.maximum.accumulate(wealth)).min())


def test_drawdown_and_its_bounds():
    path = 0.001 + 0.02 * np.random.default_rng(3).standard_normal(300)
    found = drawdown_interval(path, draws=499)
    assert found.estimate == pytest.approx(slow_drawdown(path))
    assert 0 < found.lower95 < found.upper95 < 100 and math.isnan(found.p_value)
    fallen = drawdown_interval(np.full(20, -0.1), draws=99)
    assert fallen.estimate == pytest.approx(100 * (1 - math.exp(-2)))
    assert fallen.lower95 == pytest.approx(fallen.upper95)
    assert drawdown_interval(np.full(20, 0.1), draws=99).upper95 == 0


def test_difference_of_drawdowns_is_paired():
    path = 0.001 + 0.02 * np.random.default_rng(5).standard_normal(300)
    same = drawdown_interval(path, path, draws=199)
    assert (same.estimate, same.lower95, same.upper95, same.p_value) == (0, 0, 0, 1)
    half = drawdown_interval(0.5 * path, path, draws=999)
    assert half.estimate == pytest.approx(slow_drawdown(0.5 * path) - slow_drawdown(path))
    assert half.upper95 < 0 and half.p_value < 0.01
    back = drawdown_interval(path, 0.5 * path, draws=999)
    assert back.lower95 == pytest.approx(-half.upper95)


def test_detectable_effect_is_found_four_times_in_five():
    rng, error = np.random.default_rng(6), 0.02
    effect = minimum_detectable_effect(error)
    assert effect == pytest.approx(2.8016 * error, rel=1e-4)
    seen = np.abs(effect + error * rng.standard_normal(40_000)) > 1.959964 * error
    assert seen.mean() == pytest.approx(0.8, abs=0.01)
