import numpy as np
import pytest
from arch.bootstrap import SPA, StepM
from scipy.stats import binomtest

from ml.backtest.statistics.multiple import kernel_variance, romano_wolf, sign_test, superior_ability
from ml.backtest.statistics.resample import resampled_moments


def gains(means, n=300, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1))
    return np.asarray(means) + 0.5 * common + rng.standard_normal((n, len(means)))


@pytest.mark.parametrize("means", [[0.05, 0, -0.1], [0.12, 0.1, 0], [-0.1, -0.2, -0.5, 0.02]])
@pytest.mark.parametrize("seed", [0, 1])
def test_spa_is_that_of_arch(means, seed):
    differences = gains(means, seed=seed)
    peer = SPA(np.zeros(len(differences)), -differences, block_size=4, reps=4000, seed=seed)
    peer.compute()
    ours = superior_ability(differences, block_length=4.0, draws=4000, seed=seed, studentise=False)
    assert (ours.lower, ours.consistent, ours.upper) == pytest.approx(tuple(peer.pvalues), abs=0.03)


def test_variance_is_the_bootstraps():
    differences = gains([0, 0.1], n=200)
    found = kernel_variance(differences, 5.0)
    drawn = resampled_moments(differences, 5.0, draws=20_000, seed=1).means.var(axis=0) * 200
    assert found == pytest.approx(drawn, rel=0.04)


def test_spa_keeps_its_level_and_has_power():
    p_values = [
        superior_ability(gains([0] * 8, n=200, seed=s), draws=199, seed=s).consistent for s in range(200)
    ]
    assert np.mean(np.array(p_values) <= 0.05) <= 0.10
    strong = superior_ability(gains([0.4] + [0] * 7, n=200), draws=499)
    assert strong.consistent < 0.02 and strong.lower <= strong.consistent <= strong.upper


def test_bad_and_wild_strategies_do_not_hide_a_good_one():
    differences = np.column_stack([gains([0.25]), 20 * gains([-0.5], seed=9)])
    assert superior_ability(differences).consistent < 0.01
    assert superior_ability(differences, studentise=False).upper > 0.2


def test_step_down_finds_what_arch_finds():
    differences = gains([0.35, 0.3, 0, 0, -0.1, 0.01], n=300)
    ours = romano_wolf(differences, two_sided=False, block_length=4.0)
    peer = StepM(np.zeros(300), -differences, size=0.05, block_size=4, reps=2000, seed=1)
    peer.compute()
    assert sorted(peer.superior_models) == list(np.flatnonzero(ours < 0.05)) == [0, 1]


def test_step_down_bounds_the_chance_of_any_false_finding():
    found = [
        (romano_wolf(gains([0] * 6, n=200, seed=s), draws=199, seed=s) <= 0.05).any() for s in range(200)
    ]
    assert np.mean(found) <= 0.10


def test_step_down_orders_and_sides():
    differences = gains([0.4, -0.4, 0.0])
    both, one = romano_wolf(differences), romano_wolf(differences, two_sided=False)
    assert both[0] < 0.01 and both[1] < 0.01 and both[2] > 0.1
    assert one[0] < 0.01 and one[1] > 0.9
    with_itself = romano_wolf(np.column_stack([differences, np.zeros(300)]))
    assert list(with_itself[:3]) == list(both) and with_itself[3] == 1
    assert list(romano_wolf(np.zeros((30, 2)))) == [1, 1]
    with pytest.raises(ValueError, match="leave the benchmark itself out"):
        superior_ability(np.zeros((30, 2)))


def test_sign_test_is_exact():
    for wins in range(6):
        found = sign_test(np.array([1.0] * wins + [-1.0] * (5 - wins) + [0.0]))
        assert (found.wins, found.losses, found.ties) == (wins, 5 - wins, 1)
        assert found.p_value == pytest.approx(binomtest(wins, 5).pvalue)
        assert found.smallest_p_value == 0.0625
    assert sign_test(np.zeros(3)).p_value == 1
    with pytest.raises(ValueError, match="finite"):
        sign_test(np.array([1.0, np.nan]))
