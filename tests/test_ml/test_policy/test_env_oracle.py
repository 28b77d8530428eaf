"""The batched environment against a slow portfolio of Python lists."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig
from ml.policy.kernels.layout import INFO
from ml.policy.market_window import MarketWindow
from tests.test_ml.test_policy.env_oracle import ASSET_KEYS, DUST, SlowPortfolio
from tests.test_ml.test_policy.env_worlds import delisted, make_window, random_params, random_target

KEYS = tuple(name for name in INFO)


def lots_of(env: TaxLotEnv, b: int) -> list[np.ndarray]:
    """Per asset, rows (shares, basis, day) sorted."""
    found = []
    for n in range(env.assets):
        book = env.lot_book
        rows = torch.stack([book.shares[b, n], book.basis[b, n], book.day[b, n].double()], 1)
        rows = rows[rows[:, 0] > 0].numpy()
        found.append(rows[np.lexsort(rows.T.round(9))])
    return found


@pytest.mark.parametrize(("seed", "lots"), [(0, 64), (1, 4), (2, 5)])
def test_equals_the_slow_portfolio(seed: int, lots: int) -> None:
    window = delisted(make_window(groups=2, weeks=60, assets=4, seed=seed), asset=1, week=20)
    window.is_tradeable[:, 30:33, 2] = False
    window = replace(window, dividend=paying(window, seed))
    params = random_params(window, per_universe=3, seed=seed)
    config = EnvConfig(lots_per_asset=lots, dust=DUST, dtype=torch.float64)
    env = TaxLotEnv(window, params, config)
    slow = [SlowPortfolio(window, params, b, config) for b in range(6)]
    generator = torch.Generator().manual_seed(seed)
    state, seen = env.state(), dict.fromkeys((*KEYS, *ASSET_KEYS), 0.0)
    for t in range(env.weeks):
        target = random_target(state, generator, moved=0.5 if t % 3 else 0.0)
        result = env.step(target)
        state = result.state
        for b in range(6):
            info = slow[b].step(target[b].numpy())
            for key in KEYS:
                seen[key] += abs(info[key])
                assert result.info[key][b].item() == pytest.approx(info[key], abs=1e-9), (t, b, key)
            assert result.reward[b].tolist() == pytest.approx(list(info["rewards"].values()), abs=1e-9), (
                t,
                b,
            )
            assert env.cash[b].item() == pytest.approx(slow[b].cash, abs=1e-9), (t, b)
            for name, value in zip(env.account._fields, env.account, strict=True):
                assert value[b].item() == pytest.approx(getattr(slow[b], name), abs=1e-9), (t, b, name)
            for n, rows in enumerate(lots_of(env, b)):
                expected = np.array([(x.shares, x.basis, x.day) for x in slow[b].lots[n]]).reshape(-1, 3)
                expected = expected[np.lexsort(expected.T.round(9))]
                assert rows.shape == expected.shape, (t, b, n, rows, expected)
                np.testing.assert_allclose(rows, expected, rtol=1e-9, atol=1e-9)
                for key in ASSET_KEYS:
                    values = env.lot_values().free if key == "free" else getattr(state, key)
                    value = float(values[b, n])
                    assert value == pytest.approx(slow[b].seen[n][key], abs=1e-9), (t, b, n, key)
                    seen[key] += value
    assert all(value > 0 for value in seen.values()), seen


def paying(window: MarketWindow, seed: int) -> torch.Tensor:
    """Dividends of 1 % of the price in one week of eight."""
    generator = torch.Generator().manual_seed(seed)
    pays = torch.rand(window.decision_price.shape, generator=generator) < 0.125
    return 0.01 * window.decision_price * (pays & ~window.is_delisted)
