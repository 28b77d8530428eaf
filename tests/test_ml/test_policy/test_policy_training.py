"""A policy trained for seconds must already say something: floors on what it does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.policy.account_state import AccountTax
from ml.policy.config import LossWeights, PolicyConfig, TrainConfig
from ml.policy.episodes import Action, blend, draw_players, play
from ml.policy.measures import CollapseError, active_share, check_collapse, episode_measures, load_measures
from ml.policy.panels import AccountPanel
from ml.policy.serve import PolicyServer
from ml.policy.train import train_on_windows
from ml.policy.training_state import ResumeError
from ml.policy.windows import make_windows
from ml.types import OBJECTIVES
from tests.test_ml.test_policy.policy_helpers import ASSETS, FeatureEmbedder, make_panel

CONFIG = TrainConfig(
    profile="test",
    policy=PolicyConfig(hidden=32, head_hidden=16),
    assets=8,
    weeks=16,
    universes=6,
    per_universe=12,
    warm_rounds=2,
    warm_steps=140,
    warm_batch=128,
    iterations=2,
    batch=256,
    save_every=1,
)
SHORT = replace(CONFIG, warm_rounds=1, warm_steps=4, iterations=2, universes=2, per_universe=6)


IDENTITY = FeatureEmbedder.compatibility_id


@pytest.fixture(scope="module")
def panel():
    return make_panel(sessions=400)


@pytest.fixture(scope="module")
def windows(panel):
    embeddings = FeatureEmbedder().embed_panel(panel, np.arange(len(panel.dates)))
    return make_windows(panel, embeddings, groups=8, weeks=16, assets=8, seed=0)


@pytest.fixture(scope="module")
def trained(panel, windows):
    return train_on_windows(windows, IDENTITY, (panel.source,), CONFIG, seed=3)


@pytest.fixture
def night(build, panel):
    """Accounts with one loss lot in asset 0; every other account holds a gain there instead."""
    count, rng = 60, np.random.default_rng(0)
    embeddings = FeatureEmbedder().embed_panel(panel, np.array([300]))[0]
    raw = rng.random((count, ASSETS + 1)) + 0.2
    raw[:, 0] = 0.25 * raw[:, 1:].sum(1)
    weights = raw / raw.sum(1, keepdims=True)
    lots = [
        (a, n, weights[a, n], 0.1 if n else -0.3, 2e4 * weights[a, n], -50)
        for a in range(count)
        for n in range(ASSETS)
    ]
    market = build.market(assets=ASSETS)
    ones, zeros = np.ones(count), np.zeros(count)
    locked = np.zeros((count, ASSETS), dtype=bool)
    tax = AccountTax(0.4 * ones, 0.2 * ones, zeros, zeros, zeros, 0.15 * ones, 0.5, locked)
    return market, embeddings, np.full(5, 0.12), build.accounts(weights, lots), tax, zeros > 1


def pursue(night, trained, objective: str, embeddings=None, accounts=None):
    market, vectors, regime, holders, tax, mask = night
    mix = np.tile(np.eye(6)[OBJECTIVES.index(objective)], (len(mask), 1))
    server = PolicyServer.of(trained)
    vectors = vectors if embeddings is None else embeddings
    return server.targets(market, vectors, regime, accounts or holders, tax, mix, mask)


def test_training_reports_both_phases(trained):
    phases = [row["phase"] for row in trained.history]
    assert phases == ["warm_start"] * 2 + ["ppo"] * 2
    last = trained.history[-1]
    for name in ("kl", "entropy", "value_loss", "clip_fraction", "explained_variance", "turnover"):
        assert np.isfinite(last[name]), name
    assert {f"reward_{name}" for name in OBJECTIVES} <= set(last)
    assert trained.history[1]["kl_experts"] < 0.75 * trained.history[0]["kl_momentum"]
    assert np.allclose(np.sum(trained.expert_load, axis=1), 1)


def test_the_policy_is_active(trained, windows):
    players = draw_players(windows, CONFIG, 99)

    def act(seen, teacher):
        return Action.fixed(trained.model.mean_action(trained.model(seen), seen))

    def experts(seen, teacher):
        return Action.fixed(blend(teacher, seen.mix))

    ours, theirs = (episode_measures(play(players, one)) for one in (act, experts))
    assert ours["active_share"] >= 0.2
    for name in OBJECTIVES:
        # Of eight assets, growth holds all: what the experts do bounds what can be asked.
        assert ours[f"active_share_{name}"] >= min(0.2, 0.6 * theirs[f"active_share_{name}"]), name


def test_another_objective_changes_the_actions_of_more_than_a_fifth(trained, night):
    current = night[3].current_weights[:, :-1]

    def actions(objective):
        change = pursue(night, trained, objective)[0][:, :-1] - current
        return np.sign(change) * (np.abs(change) > 0.01)

    for other in ("capital_preservation", "long_term_gains_only", "tax_loss_harvesting"):
        differs = (actions("short_term_alpha") != actions(other)).any(1)
        assert differs.mean() > 0.2, other


def test_harvesting_lowers_the_weight_of_the_loss(trained, night):
    accounts: AccountPanel = night[3]
    targets, experts = pursue(night, trained, "tax_loss_harvesting")
    current = accounts.current_weights
    assert (targets[:, 0] < current[:, 0]).mean() > 0.9
    no_loss = replace(accounts, lot_gain_ratio=np.abs(accounts.lot_gain_ratio))
    kept, _ = pursue(night, trained, "tax_loss_harvesting", accounts=no_loss)
    assert targets[:, 0].mean() < 0.8 * kept[:, 0].mean()
    assert experts[:, 3].mean() > experts[:, :3].max(1).mean()


def test_shuffled_embeddings_change_the_weights(trained, night):
    order = np.roll(np.arange(ASSETS), 3)
    for objective in ("short_term_alpha", "capital_preservation"):
        ours, _ = pursue(night, trained, objective)
        shuffled, _ = pursue(night, trained, objective, embeddings=night[1][order])
        assert 0.5 * np.abs(ours - shuffled).sum(1).mean() > 0.02, objective


def test_training_repeats_and_resumes_to_the_bit(panel, windows, tmp_path):
    def train(**kwargs):
        return train_on_windows(windows, IDENTITY, (panel.source,), SHORT, **{"seed": 1, **kwargs})

    whole = train()
    rows = []

    def interrupt(row):
        rows.append(row)
        if len(rows) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(on_progress=interrupt, resume_folder=tmp_path / "state")
    resumed = train(resume_folder=tmp_path / "state")
    assert resumed.compatibility_id == whole.compatibility_id
    assert resumed.history == whole.history
    with pytest.raises(ResumeError, match="seed"):
        train(seed=2, resume_folder=tmp_path / "state")


def test_training_leaves_the_callers_generator_alone(panel, windows):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_on_windows(windows, IDENTITY, (panel.source,), replace(SHORT, iterations=1), seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_collapse_is_an_error():
    even = torch.full((6, 4), 0.25)
    check_collapse({"step": 1, "active_share": 0.3}, even)
    with pytest.raises(CollapseError, match=r"active share 0\.040 at step 9"):
        check_collapse({"step": 9, "active_share": 0.04}, even)
    one = torch.tensor([0.97, 0.01, 0.01, 0.01]).expand(6, 4)
    with pytest.raises(CollapseError, match="expert 'momentum'"):
        check_collapse({"step": 9, "active_share": 0.3}, one)
    with pytest.raises(CollapseError, match="not finite"):
        check_collapse({"step": 9, "active_share": float("nan")}, even)
    assert load_measures(one)["load_short_term_alpha_momentum"] == pytest.approx(0.97)


def test_active_share_counts_cash_in_full():
    target = torch.tensor([[0.25, 0.25, 0.0, 0.5]])
    tradeable = torch.tensor([[True, True, False]])
    assert float(active_share(target, tradeable)) == pytest.approx(0.5)
    assert float(active_share(torch.tensor([[0.5, 0.5, 0, 0]]), tradeable)) == pytest.approx(0.0)


def test_objectives_get_equal_quotas(windows):
    config = replace(CONFIG, mixed_share=0.25)
    players = draw_players(windows, config, 0)
    pure = players.mix.max(1).values == 1
    counts = (players.mix[pure] == 1).sum(0)
    taxable = ~players.portfolios.is_tax_deferred
    assert float(pure.float().mean()) == pytest.approx(0.75, abs=0.05)
    assert counts.min() >= 6
    assert not (players.mix[~taxable][:, OBJECTIVES.index("tax_loss_harvesting")] > 0).any()
    masked = players.portfolios.no_short_gains
    assert (players.mix[masked].argmax(1) == OBJECTIVES.index("long_term_gains_only")).all()


def test_annealed_weights_end_where_they_say():
    weights = LossWeights()
    assert weights.entropy[1] == 0.0
    assert weights.experts[1] < weights.experts[0]
