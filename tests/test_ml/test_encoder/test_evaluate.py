"""Probes and collapse measures on an encoder of a few seconds."""

import numpy as np
import pytest

from ml.encoder.embed import EncoderServer
from ml.encoder.evaluate import (
    REPRESENTATIONS,
    collapse_measures,
    gate_table,
    join_samples,
    probe_table,
    sample_panel,
)
from tests.test_ml.test_encoder.conftest import make_panel


@pytest.fixture(scope="module")
def samples(run, panel, chronos):
    server = EncoderServer.of(run.trained)
    held_out = make_panel(seed=9, source="held out")
    sessions = np.arange(140, 330, 10)
    return [sample_panel(server, one, chronos, sessions, seed=0) for one in (panel, held_out)]


def test_samples_hold_only_assets_with_chronos(samples):
    fit, _ = samples
    assert len(fit.date) == 19 * 23  # the young asset is left out
    assert all(len(fit.representations[name]) == len(fit.date) for name in REPRESENTATIONS)
    assert all(np.isfinite(one).all() for one in fit.representations.values())
    assert (fit.asset_class == 0).all()


def test_probes_find_what_the_walks_are_made_of(samples):
    table = probe_table(*samples)
    score = {(row["target"], row["representation"]): row["score"] for row in table.iter_rows(named=True)}
    assert set(table["representation"]) == set(REPRESENTATIONS)
    assert 0.9 < score["volatility_63d_now", "raw_features"] <= 1
    assert score["volatility_next_21d", "raw_features"] > 0.7
    assert score["volatility_next_21d", "embedding"] > 0.5
    assert score["beta_next_63d", "embedding"] > 0.2
    assert score["sector", "raw_features"] == 1
    assert score["sector", "embedding"] > score["sector", "chronos"]


def test_joined_samples_keep_their_dates_apart(samples):
    joined = join_samples(samples)
    assert len(np.unique(joined.date)) == 2 * 19
    measures = collapse_measures(joined)
    assert measures["dates"] == 38 and measures["assets_per_date"] == 23
    assert measures["mean_cosine"] < 0.5


def test_gates_are_told_by_class(samples):
    table = gate_table(samples[0])
    assert table["asset_class"].to_list() == ["equity"]
    assert 0 < table["gate_mean"][0] < 1
    assert table["cells"][0] == len(samples[0].date)
