"""Held-out scores: the table against plain play, paired intervals against simulation, the card."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.policy.card import evaluate_policy, policy_card
from ml.policy.config import PolicyConfig, TrainConfig
from ml.policy.episodes import Action, Players, play
from ml.policy.evaluate import (
    Scores,
    diagonal,
    equal_weight_actor,
    expert_blend_actor,
    paired,
    policy_actor,
    router_information,
    score,
    single_expert_actor,
)
from ml.policy.model import MoEPolicy
from ml.policy.start_portfolios import random_portfolios
from ml.policy.trained import TrainedPolicy
from ml.policy.windows import make_windows
from ml.types import EXPERTS, OBJECTIVES
from tests.test_ml.test_policy.policy_helpers import FeatureEmbedder, make_panel

GROUPS, PORTFOLIOS = 5, 3


@pytest.fixture(scope="module")
def window():
    panel = make_panel(sessions=330)
    embeddings = FeatureEmbedder().embed_panel(panel, np.arange(len(panel.dates)))
    return make_windows(panel, embeddings, groups=GROUPS, weeks=8, assets=7, seed=2)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(4)
    return MoEPolicy(PolicyConfig(hidden=16, head_hidden=8)).eval()


def test_table_is_the_mean_of_plain_play(window, model):
    found = score(policy_actor(model), window, PORTFOLIOS, seed=9)
    portfolios = random_portfolios(window, PORTFOLIOS, 9)
    taxable = replace(
        portfolios,
        is_tax_deferred=torch.zeros_like(portfolios.is_tax_deferred),
        no_short_gains=torch.ones_like(portfolios.is_tax_deferred),
    )
    row = OBJECTIVES.index("long_term_gains_only")
    mix = torch.zeros(len(taxable.group), 6)
    mix[:, row] = 1
    episode = play(
        Players(window, taxable, mix), lambda seen, _: Action.fixed(model.mean_action(model(seen), seen))
    )
    for group in range(GROUPS):
        chosen = taxable.group == group
        expected = episode.reward[:, chosen].double().mean((0, 1)) * 1e4
        np.testing.assert_allclose(found.reward[row, :, group], expected, rtol=1e-4, atol=1e-4)


def test_a_rule_blind_to_objectives_scores_alike_in_every_row_but_the_masked(window):
    found = score(single_expert_actor("growth"), window, PORTFOLIOS, seed=1)
    unmasked = found.reward[[i for i, name in enumerate(OBJECTIVES) if name != "long_term_gains_only"]]
    np.testing.assert_array_equal(unmasked, np.broadcast_to(unmasked[:1], unmasked.shape))
    rows = diagonal(found, np.arange(GROUPS))
    assert [row.objective for row in rows] == list(OBJECTIVES)
    assert not any(row.is_best for row in rows[:5])


def test_experts_blend_depends_on_the_objective(window):
    found = score(expert_blend_actor, window, PORTFOLIOS, seed=1)
    assert len({tuple(row) for row in found.table.round(6).tolist()}) == len(OBJECTIVES)
    assert (found.active_share > 0).all()
    even = score(equal_weight_actor, window, PORTFOLIOS, seed=1)
    np.testing.assert_allclose(even.active_share, 0, atol=1e-6)


def test_paired_interval_covers_the_truth_and_respects_clusters():
    rng = np.random.default_rng(0)
    covered, truth = 0, 0.3
    trials, spans, size = 200, 40, 4
    clusters = np.repeat(np.arange(spans), size)
    for trial in range(trials):
        shared = rng.normal(0, 1, spans)[clusters]
        ours = truth + shared + rng.normal(0, 0.3, spans * size)
        gap = paired(ours, np.zeros(spans * size), clusters, seed=trial)
        covered += gap.lower95 <= truth <= gap.upper95
    assert covered / trials > 0.88
    # Universes taken for independent would give intervals of half the width.
    alone = paired(ours, np.zeros(spans * size), np.arange(spans * size))
    assert gap.upper95 - gap.lower95 > 1.5 * (alone.upper95 - alone.lower95)
    same = paired(ours, ours, clusters)
    assert (same.mean, same.lower95, same.upper95) == (0, 0, 0)


def test_diagonal_names_the_best_other_conditioning():
    reward = np.zeros((6, 6, 4))
    reward[0, 0], reward[3, 0] = 2.0, 1.0
    reward[1, 1], reward[4, 1] = 0.0, 5.0
    rows = diagonal(Scores(reward, np.zeros(6), np.zeros(6), np.zeros(6)), np.arange(4))
    assert rows[0].best_other == OBJECTIVES[3] and rows[0].is_best and rows[0].is_within
    assert rows[1].best_other == OBJECTIVES[4] and not rows[1].is_best and not rows[1].is_within


def test_a_conditioning_that_chose_short_gains_is_no_rival_of_long_term_gains_only():
    reward = np.zeros((6, 6, 4))
    reward[2, 5], reward[3, 5], reward[5, 5] = 3.0, -1.0, 1.0
    chose = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    row = diagonal(Scores(reward, np.zeros(6), np.zeros(6), chose), np.arange(4))[5]
    assert row.best_other == OBJECTIVES[3] and row.is_best
    alone = diagonal(Scores(reward, np.zeros(6), np.zeros(6), np.append(np.ones(5), 0)), np.arange(4))[5]
    assert alone.best_other == OBJECTIVES[2] and not alone.has_rival and alone.is_best
    free = diagonal(Scores(reward, np.zeros(6), np.zeros(6), np.zeros(6)), np.arange(4))[5]
    assert free.best_other == OBJECTIVES[2] and not free.is_best


def test_router_information_is_zero_for_a_blind_router_and_large_for_a_sharp_one(window, model):
    found = router_information(model, window)
    assert np.shape(found["load"]) == (6, 4)
    np.testing.assert_allclose(np.sum(found["load"], axis=1), 1, rtol=1e-5)
    blind, sharp = (
        MoEPolicy(PolicyConfig(hidden=8, head_hidden=6)),
        MoEPolicy(PolicyConfig(hidden=8, head_hidden=6)),
    )
    with torch.no_grad():
        for parameter in blind.router.parameters():
            parameter.zero_()
        for parameter in sharp.router.parameters():
            parameter.zero_()
        sharp.router[0].weight[:, :6] = 20 * torch.eye(6)
        for i in range(6):
            sharp.router[2].weight[i % len(EXPERTS), i] = 5.0
    assert router_information(blind, window)["mutual_information_nats"] == pytest.approx(0, abs=1e-6)
    # Six objectives on four experts, two of which serve two: 4 terms of log 6 / n.
    best = (2 * np.log(6) + 4 * np.log(3)) / 6
    assert router_information(sharp, window)["mutual_information_nats"] == pytest.approx(best, abs=1e-3)
    assert router_information(sharp, window)["regime_deviation"] == pytest.approx(0, abs=1e-6)


def test_card_says_what_was_found(window, model, tmp_path):
    trained = TrainedPolicy(model, TrainConfig(policy=model.config), "e" * 64, 5, ("simulated:1", "packaged"))
    trained.save(tmp_path, {"seconds": 12.0})
    found = evaluate_policy(model, window, per_universe=PORTFOLIOS, clusters=np.arange(GROUPS))
    card = policy_card(tmp_path, found)
    assert all(name in card for name in (*OBJECTIVES, *EXPERTS, "equal weight", "Mutual information"))
    value = found["table"][2][2]
    assert f"{value:.2f}" in card
    assert found["scores"]["policy"] == pytest.approx([found["table"][i][i] for i in range(6)])
