"""A policy in the backtest: decides as the night's server does, and only where it has not been trained."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.backtest.lot_book import SHARE, LotBook
from ml.backtest.policy_strategy import (
    PolicyChoice,
    PolicyStrategy,
    policy_strategies,
    trained_until,
)
from ml.backtest.results import read_result
from ml.backtest.run import run_plans
from ml.backtest.simulate import simulate
from ml.backtest.strategies import StrategyError, checked_targets
from ml.backtest.trials import Choices, plan_trials
from ml.backtest.walk_forward import make_windows
from ml.encoder.dataset import DEFAULT_MODEL
from ml.models import WEIGHTS
from ml.policy.account_state import portfolio_state
from ml.policy.config import PROFILES, PolicyConfig
from ml.policy.model import MoEPolicy
from ml.policy.trained import TrainedPolicy, load_policy
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.backtest_helpers import Restless, keys_of, simulated_panel
from tests.test_ml.test_backtest.test_baselines import state_of

ENCODER = WEIGHTS / "encoder"


@pytest.fixture(scope="module")
def panel():
    return simulated_panel(sessions=420)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A policy of random weights that saw simulated markets alone."""
    torch.manual_seed(3)
    model = MoEPolicy(PolicyConfig(hidden=16, head_hidden=8)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    config = replace(PROFILES["quick"], policy=PolicyConfig(hidden=16, head_hidden=8))
    encoder_id = load_policy(WEIGHTS / "policy").encoder_compatibility_id
    made = tmp_path_factory.mktemp("policy") / "one"
    TrainedPolicy(model, config, encoder_id, 0, ("simulated:1", "simulated:2")).save(made)
    return made


def _strategies(folder, panel, window=None):
    windows = make_windows(panel)
    return policy_strategies([PolicyChoice(folder, window)], ENCODER, panel, windows, DEFAULT_MODEL)


def test_targets_are_weights_and_depend_on_objective_and_features(folder, panel) -> None:
    strategy, _ = _strategies(folder, panel)
    assert isinstance(strategy, PolicyStrategy)
    even = np.full((6, len(panel.asset_ids) + 1), 1 / (len(panel.asset_ids) + 1))
    state = state_of(panel, even, objectives=OBJECTIVES)
    found = checked_targets(strategy, state)
    assert np.abs(found[0] - found[3]).max() > 1e-4, "the objective changes nothing"
    assert np.abs(found - even).max() > 1e-3
    order = np.roll(np.arange(len(panel.asset_ids)), 2)
    mirrored = panel.take(order)
    other, _ = _strategies(folder, mirrored)
    again = checked_targets(other, state_of(mirrored, even, objectives=OBJECTIVES))
    np.testing.assert_allclose(again[:, :-1], found[:, order], atol=2e-5)


def test_the_twin_is_the_policy_that_sees_nothing_to_harvest(folder, panel) -> None:
    strategy, twin = _strategies(folder, panel)
    assert (twin.name, twin.seeds, twin.settings) == (
        "policy_without_harvesting",
        strategy.seeds,
        strategy.settings,
    )
    assert twin.only_windows == strategy.only_windows
    cash = np.append(np.zeros(len(panel.asset_ids)), 1.0)[None]
    book, day = LotBook(1, len(panel.asset_ids)), int(panel.days[200])
    shares = np.full((1, len(panel.asset_ids)), 10 * SHARE)
    # Every lot is worth 30 % less than it cost.
    book.buy(
        shares, 10 * panel.price[-2][None] / 0.7, day, np.arange(len(panel.asset_ids))[None].astype(np.int64)
    )
    value = 10 * panel.price[-2]
    weights = np.append(value / value.sum(), 0.0)[None]
    held = state_of(
        panel, weights, book, value_usd=np.array([value.sum()]), objectives=("tax_loss_harvesting",)
    )
    empty = state_of(panel, cash, objectives=("tax_loss_harvesting",))
    np.testing.assert_array_equal(strategy.targets(empty), twin.targets(empty))
    assert np.abs(strategy.targets(held) - twin.targets(held)).max() > 1e-4
    tax = held.tax.without_harvesting()
    state = portfolio_state(held.market.tradeable, held.accounts, tax)
    assert float(portfolio_state(held.market.tradeable, held.accounts, held.tax).worth_harvesting().sum()) > 0
    assert float(state.worth_harvesting().sum()) == 0 == float(state.loss_room.sum())


def test_later_sessions_change_no_decision(folder, panel) -> None:
    even = np.full((1, len(panel.asset_ids) + 1), 1 / (len(panel.asset_ids) + 1))
    strategy, _ = _strategies(folder, panel)
    state = state_of(panel, even, session=300, objectives=("long_term_gain",))
    altered = replace(panel, features=replace(panel.features, channels=panel.features.channels.copy()))
    altered.features.channels[301:] = 9.0
    blind, _ = _strategies(folder, altered)
    np.testing.assert_array_equal(strategy.targets(state), blind.targets(state))


def test_a_whole_window_runs_through_the_exact_ledger(folder, panel, tmp_path) -> None:
    windows = [w for w in make_windows(panel) if w.name == "whole_panel"]
    short = [replace(windows[0], end=windows[0].start + 12)]
    strategies = policy_strategies([PolicyChoice(folder)], ENCODER, panel, short, DEFAULT_MODEL)
    plans = plan_trials(short, strategies, frozenset(), Choices(costs_bp=(10,), profiles=("untaxed", "P1")))
    report = run_plans(panel, plans, tmp_path)
    assert report.computed == len(report.paths) > 0
    results = [read_result(path) for path in report.paths]
    for name in ("policy", "policy_without_harvesting"):
        assert {r.key.objective for r in results if r.key.strategy == name} == set(OBJECTIVES)
    assert all(load_policy(folder).digest in r.meta["settings"]["strategy"]["settings"] for r in results)
    assert all(r.wealth_usd[-1] > 0 for r in results)


def test_a_policy_is_refused_where_it_was_trained(panel) -> None:
    shipped = WEIGHTS / "policy"
    assert trained_until(shipped) is not None
    with pytest.raises(StrategyError, match="trained on real prices to 2016-1"):
        _strategies(shipped, panel)


def test_an_unknown_window_and_another_encoder_are_refused(folder, panel, tmp_path) -> None:
    with pytest.raises(StrategyError, match="no such window"):
        _strategies(folder, panel, "nowhere")
    config = json.loads((folder / "config.json").read_text())
    assert config["requires"]
    model = load_policy(folder).model
    strange = tmp_path / "strange"
    TrainedPolicy(
        model, replace(PROFILES["quick"], policy=PolicyConfig(16, 8)), "f" * 64, 0, ("simulated:1",)
    ).save(strange)
    with pytest.raises(StrategyError, match="was trained on the encoder"):
        _strategies(strange, panel)


@pytest.mark.parametrize(
    ("text", "window"), [("a/b", None), ("development_2002_2004=a/b", "development_2002_2004")]
)
def test_choices_name_a_window_or_none(text, window) -> None:
    found = PolicyChoice.parse(text)
    assert (str(found.folder), found.window) == ("a/b", window)


def test_account_tax_is_in_shares_of_value(panel) -> None:
    cash = np.append(np.zeros(len(panel.asset_ids)), 1.0)[None]
    state = state_of(panel, cash, short_net_usd=np.array([-5_000.0]), carryover_usd=np.array([1_000.0]))
    tax = state.tax
    assert (tax.short_net[0], tax.carryover[0], tax.loss_limit[0]) == (-0.05, 0.01, 0.03)
    assert 0 <= tax.year_fraction < 1


def test_year_to_date_equals_a_loop_over_the_log(panel) -> None:
    """The sums that a decision reads, against first principles: each named lot of each sale since 1 January."""
    seen = []

    class Recorder(Restless):
        def targets(self, state):
            seen.append((state.fill_date, state.short_net_usd.copy(), state.long_net_usd.copy()))
            return super().targets(state)

    strategy = Recorder("recorder", "weekly", "tax_order")
    (window,) = [w for w in make_windows(panel) if w.name == "whole_panel"]
    path = simulate(strategy, panel, window, keys_of(strategy, ("P1", "untaxed")))
    rows = path.log.columns()
    named = np.concatenate(path.log._named)
    decided, short, long = seen[-1]
    new_year = decided.astype("datetime64[Y]").astype("datetime64[D]").astype(int)
    expected = np.zeros((2, 2))
    for sale, purchase, shares in named:
        if rows["day"][sale] < new_year or rows["day"][sale] >= decided.astype("datetime64[D]").astype(int):
            continue
        got = rows["amount"][sale] / rows["quantity"][sale] * shares
        paid = rows["amount"][purchase] / rows["quantity"][purchase] * shares
        is_long = rows["day"][sale] - rows["day"][purchase] > 366
        expected[rows["account"][sale], int(is_long)] += (got - paid) / 1e6
    np.testing.assert_allclose(np.column_stack([short, long]), expected, rtol=1e-6, atol=1e-3)
    assert np.abs(expected).max() > 100
