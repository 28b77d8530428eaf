"""Each analytic expert beats uniform weights on its own reward, on simulated markets whose winners go on winning."""

import numpy as np
import pytest

from ml.features.simulated_panel import simulated_panels
from ml.policy.evaluate import (
    Scores,
    equal_weight_actor,
    expert_blend_actor,
    paired,
    score,
    single_expert_actor,
)
from ml.policy.market_window import EMBEDDING_SIZE
from ml.policy.windows import join_windows, make_windows
from ml.types import OBJECTIVES

MARKETS, UNIVERSES, PORTFOLIOS, SEED = 6, 6, 8, 5
OWN = {
    "momentum": "short_term_alpha",
    "growth": "long_term_gain",
    "defensive": "capital_preservation",
    "tax_aware": "tax_loss_harvesting",
}


@pytest.fixture(scope="module")
def window():
    panels = simulated_panels(MARKETS, assets=60, years=5, first_seed=70, workers=1, trends_ann=(0.12,))
    blind = [np.zeros((len(p.dates), len(p.asset_ids), EMBEDDING_SIZE), np.float32) for p in panels]
    return join_windows(
        [
            make_windows(panel, nothing, groups=UNIVERSES, weeks=52, assets=30, seed=i)
            for i, (panel, nothing) in enumerate(zip(panels, blind, strict=True))
        ]
    )


@pytest.fixture(scope="module")
def uniform(window) -> Scores:
    return score(equal_weight_actor, window, PORTFOLIOS, SEED)


@pytest.mark.slow
@pytest.mark.parametrize("expert", OWN)
def test_each_expert_beats_uniform_on_its_own_reward(window, uniform, expert):
    own = OBJECTIVES.index(OWN[expert])
    found = score(single_expert_actor(expert), window, PORTFOLIOS, SEED)
    markets = np.repeat(np.arange(MARKETS), UNIVERSES)
    lead = paired(found.reward[own, own], uniform.reward[own, own], markets)
    assert lead.lower95 > 0, f"{expert}: {lead}"


@pytest.mark.slow
def test_the_fixed_router_tells_objectives_apart(window):
    """Preservation and harvesting are best served by their own mix, and the short horizon by more momentum."""
    table = score(expert_blend_actor, window, PORTFOLIOS, SEED).table
    for name in ("short_term_alpha", "capital_preservation", "tax_loss_harvesting"):
        assert table[:, OBJECTIVES.index(name)].argmax() == OBJECTIVES.index(name), name
