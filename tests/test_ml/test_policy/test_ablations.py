"""The ablations' table: every remedy is really removed, collapse is reported, differences are paired."""

from dataclasses import replace

import numpy as np
import pytest

from ml.policy.ablations import REMEDIES, WHOLE, compare, run_variant, table, variants, without_all
from ml.policy.config import PolicyConfig, TrainConfig
from ml.policy.evaluate import Scores
from ml.types import OBJECTIVES
from tests.test_ml.test_policy.test_planted_edge import planted

SMALL = TrainConfig(
    policy=PolicyConfig(hidden=16, head_hidden=8),
    universes_per_range=2,
    universes=4,
    per_universe=12,
    warm_rounds=1,
    warm_steps=4,
    iterations=1,
    epochs=1,
    warm_batch=64,
    batch=256,
)


def test_every_remedy_changes_the_configuration_and_none_is_left_without_all():
    bare = without_all(SMALL)
    for name, change in REMEDIES.items():
        assert change(SMALL) != SMALL, name
        assert change(bare) == bare, name
    assert set(variants()) == {WHOLE, "without any", *(f"without {name}" for name in REMEDIES)}


@pytest.mark.parametrize("name", [WHOLE, "without warm start", "without any"])
def test_a_variant_trains_and_is_judged(name):
    # The alarm is for trained networks: a hundred steps say nothing of collapse, so both outcomes are rows.
    row, scores = run_variant(variants()[name](SMALL), planted(8, 0), planted(4, 1), 6, 0)
    assert (scores is None) == bool(row["collapse"])
    if scores is not None:
        assert scores.reward.shape == (6, 6, 4) and 0 <= row["load"][0] <= row["load"][1] <= 1


def test_the_table_pairs_differences_and_reports_collapse():
    rng = np.random.default_rng(0)
    reward = rng.normal(0, 1, (6, 6, 8))
    whole = Scores(reward, np.ones(6), np.zeros(6), np.zeros(6))
    better = reward.copy()
    better[np.arange(6), np.arange(6)] += 2.0
    seen = {
        "collapse": "",
        "active_share": 0.5,
        "turnover": 0.01,
        "load": [0.1, 0.4],
        "mutual_information_nats": 0.2,
    }
    found = {
        WHOLE: (seen, whole),
        "without a": (seen, replace(whole, reward=better)),
        "without b": ({"collapse": "holds equal weight"}, None),
    }
    rows = compare(found, np.arange(8))
    gap = rows[1]["difference"][OBJECTIVES[0]]
    assert gap["mean"] == pytest.approx(2.0) and gap["lower95"] == pytest.approx(2.0)
    text = table(rows)
    assert "**+2.0 (+2.0 to +2.0)**" in text and "collapsed: holds equal weight" in text
