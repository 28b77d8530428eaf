"""Spans of time: packed for another machine, they give the universes that were drawn here."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.features.compact_panels import save_compact
from ml.features.panel import PanelError
from ml.features.simulated_panel import simulated_panels
from ml.policy.config import PROFILES, TrainConfig, is_left_out
from ml.policy.spans import _starts, cut_windows, draw_spans, draw_windows, load_spans, save_spans
from tests.test_ml.test_policy.policy_helpers import FeatureEmbedder, make_panel

CONFIG = replace(PROFILES["quick"], ranges=3, universes_per_range=2, weeks=10, assets=6)


@pytest.fixture(scope="module")
def panels():
    return simulated_panels(2, assets=9, years=3, first_seed=41)


@pytest.fixture(scope="module")
def spans(panels):
    return draw_spans(panels, FeatureEmbedder(), CONFIG, seed=4)


def test_cut_spans_are_the_drawn_windows(panels, spans) -> None:
    ours = cut_windows(spans, CONFIG)
    theirs = draw_windows(panels, FeatureEmbedder(), CONFIG, seed=4)
    assert ours.sizes == theirs.sizes == (6, 10, 6)
    assert torch.equal(ours.decision_price, theirs.decision_price)
    assert torch.equal(ours.embedding, theirs.embedding)


def test_packed_spans_give_the_same_universes_within_half_precision(spans, tmp_path) -> None:
    save_spans(spans, tmp_path / "spans.npz", "e" * 64)
    found, encoder = load_spans(tmp_path / "spans.npz")
    assert encoder == "e" * 64 and [one.seed for one in found] == [one.seed for one in spans]
    ours, theirs = cut_windows(found, CONFIG), cut_windows(spans, CONFIG)
    assert ours.sizes == theirs.sizes
    # Eleven bits of every daily return add up over a span; a universe of other assets would differ by far more.
    np.testing.assert_allclose(ours.decision_price, theirs.decision_price, rtol=5e-3)
    np.testing.assert_allclose(ours.embedding, theirs.embedding, rtol=1e-3, atol=1e-3)
    assert torch.equal(ours.is_tradeable, theirs.is_tradeable)


def test_other_files_are_refused(panels, tmp_path) -> None:
    save_compact(panels[:1], tmp_path / "panels.npz")
    with pytest.raises(PanelError, match="--write-spans"):
        load_spans(tmp_path / "panels.npz")


def test_spans_left_out_share_no_week_with_others_of_their_panel():
    panels = [make_panel(seed, sessions=2600, assets=3) for seed in range(3)]
    config = TrainConfig(ranges=24, weeks=20)
    is_out = is_left_out(config.ranges)
    assert sum(is_out) == 3
    starts = _starts(panels, config, np.random.default_rng(0))
    for n in np.flatnonzero(is_out):
        rivals = [m for m in range(24) if m != n and (m - n) % 3 == 0 and not is_out[m]]
        assert rivals and all(abs(starts[m] - starts[n]) > config.weeks for m in rivals)
    assert [is_left_out(count) for count in (1, 2, 3)] == [[False], [False, True], [False, False, True]]
