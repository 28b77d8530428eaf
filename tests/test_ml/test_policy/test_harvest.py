"""What is worth harvesting, against a loop over positions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.policy.account_state import AccountTax, portfolio_state
from ml.policy.state import HARVEST_LEAST_PART, PortfolioState


def by_hand(state: PortfolioState, b: int) -> np.ndarray:
    """Deepest position first, until the room is used or a quarter of the assets is out."""
    held = (state.harvestable * state.is_tradeable)[b].numpy()
    loss = (state.short_loss + state.long_loss)[b].numpy() * (held > 0)
    depth = np.where(held > 0, loss / np.maximum(state.weight[b].numpy(), 1e-9), -1.0)
    nets = float(state.short_net[b] + state.long_net[b] - state.carryover[b])
    room = max(nets + 2 * float(state.loss_limit[b]), 0.0)
    is_out = (state.is_locked & state.is_tradeable)[b].numpy()
    places = max(1, int(0.25 * int(state.is_tradeable[b].sum()))) - is_out.sum()
    found, used, out = np.zeros(len(held)), 0.0, 0
    for level in sorted(set(depth[depth >= 0]), reverse=True):
        equal = np.flatnonzero(depth == level)
        part = min(max((room - used) / max(loss[equal].sum(), 1e-12), 0.0), 1.0)
        used += loss[equal].sum()
        out += int((~is_out[equal]).sum())
        if part >= HARVEST_LEAST_PART:
            for n in equal:
                found[n] = held[n] * part if is_out[n] or out <= places else 0.0
    return found


def random_state(build, seed: int, accounts: int = 20, assets: int = 9) -> PortfolioState:
    rng = np.random.default_rng(seed)
    panel = build.random(seed, accounts, assets)
    tax = AccountTax(
        *(np.full(accounts, rate) for rate in (0.3, 0.15)),
        *(rng.normal(0, 0.03, accounts) for _ in range(2)),
        carryover=rng.uniform(0, 0.03, accounts),
        loss_limit=rng.uniform(0, 0.06, accounts),
        year_fraction=0.5,
        is_locked=rng.random((accounts, assets)) < 0.15,
    )
    return portfolio_state(rng.random(assets) < 0.9, panel, tax)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_it_equals_a_loop(build, seed, assets):
    state = random_state(build, seed, assets=assets)
    found = state.worth_harvesting().numpy()
    expected = np.stack([by_hand(state, b) for b in range(len(found))])
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (found <= state.harvestable.numpy() + 1e-12).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_permuting_assets_permutes_it(build, seed):
    state = random_state(build, seed)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(state.weight.shape[1]))
    per_asset = {
        name: getattr(state, name)[:, order]
        for name in PortfolioState.__slots__
        if getattr(state, name).dim() == 2
    }
    moved = replace(state, **per_asset).worth_harvesting()
    torch.testing.assert_close(moved, state.worth_harvesting()[:, order], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("net", "carried", "sold"), [(0.0, 0.0, 0.06), (0.02, 0.0, 0.08), (0.0, 0.06, 0.0)])
def test_no_more_than_tax_can_use(build, net, carried, sold):
    """An account of 100,000 USD: 6,000 USD in two years, more with gains, less with losses carried in."""
    lots = [(0, n, 0.1, -0.5, 10_000.0, 100) for n in range(2)]
    panel = build.accounts([[*[0.1] * 9, 0.1]], lots)
    tax = replace(
        AccountTax.untouched(panel),
        loss_limit=np.array([0.03]),
        short_net=np.array([net]),
        carryover=np.array([carried]),
    )
    state = portfolio_state(np.ones(9, dtype=bool), panel, tax)
    # Each lot's loss is as large as its value, so that weight sold is loss realised.
    assert float(state.worth_harvesting().sum()) == pytest.approx(sold)


def test_a_tie_that_does_not_fit_stays(build):
    """Two equal losses and one free place: neither is preferred by its position."""
    lots = [(0, n, 0.1, -0.2, 10_000.0, 100) for n in range(2)]
    panel = build.accounts([[*[0.2] * 4, 0.2]], lots)
    state = portfolio_state(np.ones(4, dtype=bool), panel, AccountTax.untouched(panel))
    assert float(state.worth_harvesting().sum()) == 0.0


def test_ties_share_the_room(build):
    lots = [(0, n, 0.1, -0.5, 10_000.0, 100) for n in range(2)]
    panel = build.accounts([[*[0.1] * 9, 0.1]], lots)
    state = portfolio_state(np.ones(9, dtype=bool), panel, AccountTax.untouched(panel))
    found = state.worth_harvesting()[0, :2]
    assert found[0] == found[1] == pytest.approx(0.03)
