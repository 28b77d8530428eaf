"""PPO finds an edge that no expert knows: what an asset will earn stands in its embedding alone."""

import numpy as np
import pytest
import torch

from ml.policy.config import LossWeights, PolicyConfig, TrainConfig
from ml.policy.evaluate import expert_blend_actor, paired, policy_actor, score
from ml.policy.market_window import EMBEDDING_SIZE, MarketWindow
from ml.policy.train import train_on_windows
from ml.types import OBJECTIVES

ASSETS, WEEKS, EDGE = 8, 30, 0.006
ALPHA = OBJECTIVES.index("short_term_alpha")


def planted(groups: int, seed: int, edge: float = EDGE) -> MarketWindow:
    """Universes in which half of the assets earn ``edge`` more a week than the middle, half as much less."""
    rng = np.random.default_rng(seed)
    side = np.where(rng.permuted(np.tile(np.arange(ASSETS), (groups, 1)), axis=1) % 2 == 0, 1.0, -1.0)
    weekly = 0.001 + edge * side[:, None] + rng.normal(0, 0.02, (groups, WEEKS + 1, ASSETS))
    price = np.exp(np.cumsum(weekly, axis=1))
    embedding = rng.normal(0, 1, (groups, WEEKS + 1, ASSETS, EMBEDDING_SIZE))
    embedding[..., 0] = side[:, None] + rng.normal(0, 0.2, (groups, WEEKS + 1, ASSETS))
    days = np.datetime64("2010-01-04").astype(int) + 7 * np.arange(WEEKS + 1)
    even = np.append(np.full(ASSETS, 1 / ASSETS), 0.0)
    shape = (groups, WEEKS + 1, ASSETS)
    return MarketWindow(
        decision_price=torch.from_numpy(price).float(),
        fill_price=torch.from_numpy(price).float(),
        fill_day=torch.from_numpy(np.tile(days, (groups, 1))).int(),
        is_tradeable=torch.ones(shape, dtype=torch.bool),
        is_delisted=torch.zeros(shape, dtype=torch.bool),
        embedding=torch.from_numpy(embedding).float(),
        regime=torch.from_numpy(rng.normal(0, 0.1, (groups, WEEKS + 1, 5))).float(),
        cash_return=torch.zeros(groups, WEEKS + 1),
        expert_target=torch.from_numpy(
            np.broadcast_to(even, (groups, WEEKS + 1, 3, ASSETS + 1)).copy()
        ).float(),
    )


CONFIG = TrainConfig(
    policy=PolicyConfig(hidden=32, head_hidden=16, kappa_start=300.0),
    weights=LossWeights(experts=(0.02, 0.0)),
    universes_per_range=4,
    universes=24,
    per_universe=18,
    warm_rounds=1,
    warm_steps=60,
    iterations=12,
    epochs=3,
    warm_batch=512,
    batch=1024,
    rate=1e-3,
)


@pytest.mark.slow
def test_ppo_learns_a_planted_edge():
    torch.set_num_threads(1)
    trained = train_on_windows(planted(64, 0), "e" * 64, ("planted",), CONFIG, seed=1)
    unseen = planted(48, 1)
    ours = score(policy_actor(trained.model), unseen, 8, 3).reward[ALPHA, ALPHA]
    experts = score(expert_blend_actor, unseen, 8, 3).reward[ALPHA, ALPHA]
    lead = paired(ours, experts, np.arange(48))
    # Half of everything on the better half earns 60 bp a week more than equal weight.
    assert lead.lower95 > 5, lead
    assert trained.history[-1]["kept_step"] > CONFIG.warm_rounds
