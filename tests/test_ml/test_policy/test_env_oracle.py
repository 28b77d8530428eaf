"""The batched environment against a slow portfolio of Python lists."""

import numpy as np
import pytest
import torch

from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig
from tests.test_ml.test_policy.env_oracle import DUST, SlowPortfolio
from tests.test_ml.test_policy.env_worlds import delisted, make_window, random_params, random_target

KEYS = ("short_realized", "long_realized", "disallowed", "tax_paid", "involuntary", "cost", "flow")


def lots_of(env: TaxLotEnv, b: int) -> list[np.ndarray]:
    """Per asset, rows (shares, basis, day) sorted."""
    found = []
    for n in range(env.assets):
        book = env.lot_book
        rows = torch.stack([book.shares[b, n], book.basis[b, n], book.day[b, n].double()], 1)
        rows = rows[rows[:, 0] > 0].numpy()
        found.append(rows[np.lexsort(rows.T.round(9))])
    return found


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_the_slow_portfolio(seed: int) -> None:
    window = delisted(make_window(groups=2, weeks=56, assets=4, seed=seed), asset=1, week=20)
    window.is_tradeable[:, 30:33, 2] = False
    params = random_params(window, per_universe=3, seed=seed)
    env = TaxLotEnv(window, params, EnvConfig(lots_per_asset=64, dust=DUST, dtype=torch.float64))
    slow = [SlowPortfolio(window, params, b) for b in range(6)]
    generator = torch.Generator().manual_seed(seed)
    state, seen = env.state(), dict.fromkeys(KEYS, 0.0)
    for t in range(env.weeks):
        target = random_target(state, generator, moved=0.5 if t % 3 else 0.0)
        result = env.step(target)
        state = result.state
        for b in range(6):
            info = slow[b].step(target[b].numpy())
            for key in KEYS:
                seen[key] += abs(info[key])
                assert result.info[key][b].item() == pytest.approx(info[key], abs=1e-9), (t, b, key)
            assert env.cash[b].item() == pytest.approx(slow[b].cash, abs=1e-9), (t, b)
            for name in ("short_net", "long_net", "short_carry", "long_carry", "tax_due"):
                value = getattr(env.account, name)[b].item()
                assert value == pytest.approx(getattr(slow[b], name), abs=1e-9), (t, b, name)
            for n, rows in enumerate(lots_of(env, b)):
                expected = np.array([(x.shares, x.basis, x.day) for x in slow[b].lots[n]]).reshape(-1, 3)
                expected = expected[np.lexsort(expected.T.round(9))]
                assert rows.shape == expected.shape, (t, b, n, rows, expected)
                np.testing.assert_allclose(rows, expected, rtol=1e-9, atol=1e-9)
    assert all(value > 0 for value in seen.values()), seen
