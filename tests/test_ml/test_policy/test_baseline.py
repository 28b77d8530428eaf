"""The baseline against a loop, and what it must not do: depend on the portfolio's own rewards."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ml.policy.baseline import universe_baseline


def slow(reward, mix, universes):
    weeks, count, objectives = reward.shape
    size = count // universes
    out = np.zeros_like(reward)
    for t in range(weeks):
        for b in range(count):
            for k in range(objectives):
                others = [c for c in range(b // size * size, (b // size + 1) * size) if c != b]
                weight = sum(mix[c, k] for c in others)
                if weight >= 0.5:
                    out[t, b, k] = sum(mix[c, k] * reward[t, c, k] for c in others) / weight
    return out


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6))
def test_equals_a_loop(seed, universes, size):
    rng = np.random.default_rng(seed)
    reward = rng.normal(size=(3, universes * size, 2))
    mix = rng.dirichlet([0.4, 0.4], universes * size)
    found = universe_baseline(torch.from_numpy(reward), torch.from_numpy(mix), universes).numpy()
    np.testing.assert_allclose(found, slow(reward, mix, universes), atol=1e-12)


def test_does_not_depend_on_the_own_reward():
    rng = np.random.default_rng(1)
    reward, mix = torch.from_numpy(rng.normal(size=(2, 8, 3))), torch.full((8, 3), 1 / 3, dtype=torch.float64)
    before = universe_baseline(reward, mix, 2)
    changed = reward.clone()
    changed[:, 5] += 10
    after = universe_baseline(changed, mix, 2)
    torch.testing.assert_close(after[:, 5], before[:, 5])
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert (after[:, 4] > before[:, 4]).all()


def test_takes_out_common_noise_but_keeps_what_is_its_own():
    rng = np.random.default_rng(2)
    market, own = rng.normal(size=(500, 4, 1, 1)), rng.normal(0, 0.1, (500, 4, 8, 1))
    reward = torch.from_numpy((market + own).reshape(500, 32, 1))
    mix = torch.ones(32, 1, dtype=torch.float64)
    left = reward - universe_baseline(reward, mix, 4)
    assert left.std() < 0.15 < 0.9 < reward.std()
    assert np.corrcoef(left.flatten(), own.reshape(-1))[0, 1] > 0.9


def test_uneven_universes_are_refused():
    with pytest.raises(ValueError, match="7 portfolios do not fill 2 universes"):
        universe_baseline(torch.zeros(1, 7, 1), torch.ones(7, 1), 2)
