from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.checkpoint import CheckpointError
from ml.models import CompatibilityError, describe_model
from ml.policy.account_state import AccountTax, portfolio_state
from ml.policy.config import PolicyConfig, TrainConfig
from ml.policy.experts import AccountPanel, MarketPanel
from ml.policy.model import MoEPolicy
from ml.policy.serve import PolicyServer
from ml.policy.trained import TrainedPolicy

ACCOUNTS, ASSETS = 40, 8


@pytest.fixture(scope="module")
def trained() -> TrainedPolicy:
    torch.manual_seed(0)
    config = TrainConfig(policy=PolicyConfig(hidden=32, head_hidden=16))
    return TrainedPolicy(MoEPolicy(config.policy).eval(), config, "c" * 64, 0, ("test",))


@pytest.fixture
def night(build):
    rng = np.random.default_rng(3)
    market = build.market(assets=ASSETS, tradeable=np.arange(ASSETS) != 2)
    accounts = build.random(1, ACCOUNTS, ASSETS)
    tax = AccountTax(
        short_rate=np.full(ACCOUNTS, 0.35),
        long_rate=np.full(ACCOUNTS, 0.2),
        short_net=rng.normal(0, 0.02, ACCOUNTS),
        long_net=rng.normal(0, 0.02, ACCOUNTS),
        carryover=rng.uniform(0, 0.02, ACCOUNTS),
        loss_limit=np.full(ACCOUNTS, 0.06),
        year_fraction=0.4,
        is_locked=rng.random((ACCOUNTS, ASSETS)) < 0.1,
    )
    embeddings = rng.normal(size=(ASSETS, 64)).astype(np.float32)
    mix = rng.dirichlet(np.ones(6), ACCOUNTS)
    return [market, embeddings, np.full(5, 0.1), accounts, tax, mix, np.zeros(ACCOUNTS, dtype=bool)]


def permuted(night, order):
    market, embeddings, regime, accounts, tax, mix, mask = night
    back = np.argsort(order)
    moved = MarketPanel(
        market.as_of_date,
        tuple(f"renamed_{i}" for i in order),
        {name: np.asarray(x)[order] for name, x in market.features.items()},
        market.returns[:, order],
        market.tradeable[order],
        market.market_volatility_63d_ann,
    )
    weights = accounts.current_weights[:, np.append(order, len(order))]
    holders = replace(accounts, current_weights=weights, lot_asset=back[accounts.lot_asset])
    locks = replace(tax, is_locked=tax.is_locked[:, order])
    return [moved, embeddings[order], regime, holders, locks, mix, mask]


def test_targets_are_portfolios_and_untradeable_assets_stay(trained, night):
    targets, experts = PolicyServer.of(trained).targets(*night)
    accounts: AccountPanel = night[3]
    assert (targets >= 0).all()
    assert np.abs(targets.sum(1) - 1).max() < 1e-12
    assert np.abs(experts.sum(1) - 1).max() < 1e-12
    assert np.abs(targets[:, 2] - accounts.current_weights[:, 2]).max() < 1e-6


def test_chunks_and_order_change_only_the_last_bits(trained, night):
    server = PolicyServer.of(trained)
    whole, _ = server.targets(*night)
    chunked, _ = server.targets(*night, cells=3 * ASSETS)
    assert np.abs(whole - chunked).max() < 1e-6
    order = np.random.default_rng(0).permutation(ASSETS)
    moved, _ = server.targets(*permuted(night, order))
    assert np.abs(moved[:, :-1] - whole[:, order]).max() < 1e-6
    again, _ = server.targets(*night)
    assert np.array_equal(whole, again)


def test_a_masked_account_sells_no_short_term_gain(trained, night):
    accounts: AccountPanel = night[3]
    night[-1] = np.ones(ACCOUNTS, dtype=bool)
    targets, _ = PolicyServer.of(trained).targets(*night)
    bound = ~accounts.lot_is_long_term & ~(accounts.lot_gain_ratio <= 0)
    bound &= ~accounts.is_tax_deferred[accounts.lot_account]
    floor = np.zeros((ACCOUNTS, ASSETS))
    np.add.at(floor, (accounts.lot_account[bound], accounts.lot_asset[bound]), accounts.lot_weight[bound])
    assert (targets[:, :-1] >= floor - 1e-9).all()
    assert np.abs(targets.sum(1) - 1).max() < 1e-12


def test_lots_become_what_the_policy_sees(build):
    market = build.market(assets=3)
    lots = [
        (0, 0, 0.2, 0.25, 1e3, 30),
        (0, 0, 0.1, 1.0, 1e3, 90),
        (0, 1, 0.3, -0.25, 1e3, -5),
        (0, 1, 0.1, np.nan, 1e3, 9),
    ]
    accounts = build.accounts([[0.3, 0.4, 0.0, 0.3]], lots)
    zero = np.zeros(1)
    tax = AccountTax(zero, zero, zero, zero, zero, zero, 0.25, np.array([[False, True, False]]))
    state = portfolio_state(market.tradeable, accounts, tax)
    assert state.short_gain[0].tolist() == pytest.approx([0.2 * 0.2 + 0.05, 0, 0])
    assert state.long_loss[0].tolist() == pytest.approx([0, 0.1, 0])
    assert state.days_to_long[0].tolist() == [30, 0, 0]
    assert state.is_locked[0].tolist() == [False, True, False]
    assert float(state.cash_weight) == pytest.approx(0.3)


def test_a_folder_keeps_the_policy_and_its_identity(trained, night, tmp_path):
    digest = trained.save(tmp_path / "policy")
    server = PolicyServer.load(tmp_path / "policy", "c" * 64)
    assert server.model_id == digest
    assert server.compatibility_id == trained.compatibility_id
    described = describe_model(tmp_path / "policy", "policy")
    assert described.requires == {"encoder": "c" * 64}
    assert np.array_equal(server.targets(*night)[0], PolicyServer.of(trained).targets(*night)[0])
    with pytest.raises(CompatibilityError, match=r"cccccccccccc.*dddddddddddd.*taxloom train --phase policy"):
        PolicyServer.load(tmp_path / "policy", "d" * 64)
    with pytest.raises(CheckpointError):
        PolicyServer.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (1, np.zeros((ASSETS, 3)), "embeddings has shape"),
        (2, np.array([np.nan] * 5), "not finite"),
        (5, np.full((ACCOUNTS, 6), 0.5), "entries must be >= 0 and sum to 1"),
    ],
)
def test_what_does_not_fit_is_refused(trained, night, place, value, message):
    night[place] = value
    with pytest.raises(ValueError, match=message):
        PolicyServer.of(trained).targets(*night)


def test_logits_are_those_of_the_objective(trained, night):
    server = PolicyServer.of(trained)
    one = server.action_logits(*night[:5], np.eye(6)[np.zeros(ACCOUNTS, dtype=int)])
    other = server.action_logits(*night[:5], np.eye(6)[np.full(ACCOUNTS, 3)])
    assert one.shape == (ACCOUNTS, ASSETS, 3)
    assert not np.array_equal(one, other)
