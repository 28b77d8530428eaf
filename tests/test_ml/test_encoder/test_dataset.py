"""Cells, targets and Chronos embeddings against plain loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.chronos.embed import embed_prices
from ml.encoder.dataset import (
    EncoderDataError,
    build_cells,
    chronos_for,
    forward_targets,
    ranks,
    training_sessions,
)
from ml.encoder.normalize import normalize_channels
from tests.test_ml.test_encoder.conftest import make_panel


def test_chronos_reads_the_last_known_returns(panel, chronos):
    sessions = np.array([50, 200, 399])
    embeddings, has = chronos_for(panel, sessions, chronos)
    assert not has[0].any() and (embeddings[0] == 0).all()  # 51 sessions are too few
    assert not has[2, -1]  # listed 30 days
    returns = panel.total_return_log[:201, 3].astype(float)
    known = returns[np.isfinite(returns)][-128:]
    prices = np.exp(np.concatenate([[0], np.cumsum(known)]))[None]
    expected = embed_prices(chronos.pipeline, chronos.whitening, prices)[0]
    np.testing.assert_allclose(embeddings[1, 3], expected, atol=1e-5)


def test_targets_are_those_of_loops(panel):
    sessions = np.array([100, 385, 395])
    volatility, total = forward_targets(panel, sessions)
    ahead = panel.total_return_log[101:122, 2].astype(float)
    ahead = ahead[np.isfinite(ahead)]
    assert volatility[0, 2] == pytest.approx(np.log(np.sqrt((ahead**2).mean()) / 0.01))
    assert total[0, 2] == pytest.approx(ahead.sum())
    assert np.isnan(total[1:]).all()  # fewer than 15 sessions are left


def test_targets_do_not_read_the_past(panel):
    changed = panel.channels.copy()
    changed[:101] = 9.0
    other = replace(panel, channels=changed)
    for one, two in zip(
        forward_targets(panel, np.array([100])), forward_targets(other, np.array([100])), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_ranks_run_from_minus_one_to_one_and_leave_out_the_unknown():
    found = ranks(np.array([[3.0, np.nan, 1.0, 2.0], [np.nan, 5.0, np.nan, np.nan]]))
    np.testing.assert_array_equal(found, [[1, np.nan, -1, 0], [np.nan, -1, np.nan, np.nan]])


def test_cells_hold_the_windows_of_their_assets(panel, small, chronos):
    other = make_panel(sessions=300, assets=9, seed=4, source="other")
    table, normalizer = build_cells([panel, other], small, chronos, torch.device("cpu"))
    sessions = training_sessions(panel, small.chronos_series // 2)
    first_of_other = len(sessions)
    for date, source, session in (
        (3, panel, sessions[3]),
        (first_of_other, other, training_sessions(other, small.chronos_series // 2)[0]),
    ):
        cells = table.date_cells(date)
        assets = np.flatnonzero(source.is_present[session])
        inputs = table.inputs(cells)
        raw = np.full((len(assets), 64, 5), np.nan, np.float32)
        days = source.channels[max(0, session - 63) : session + 1][:, assets].swapaxes(0, 1)
        raw[:, 64 - days.shape[1] :] = days
        torch.testing.assert_close(
            inputs.channels.values[0], normalize_channels(torch.from_numpy(raw)).values
        )
        scores = normalizer(torch.from_numpy(source.features[session, assets]))
        torch.testing.assert_close(inputs.features[0], scores)
        volatility, _ = forward_targets(source, np.array([session]))
        np.testing.assert_allclose(table.targets(cells)[0][0], volatility[0, assets], rtol=1e-5)


def test_choices_are_distinct_padded_and_seeded(panel, small, chronos):
    table, _ = build_cells([panel], small, chronos, torch.device("cpu"))
    chosen = table.choose(np.random.default_rng(1), 5, 40)
    assert np.array_equal(chosen, table.choose(np.random.default_rng(1), 5, 40))
    for row in chosen:
        real = row[row >= 0]
        assert len(set(real.tolist())) == len(real) <= 24
    inputs = table.inputs(chosen)
    assert not inputs.is_asset[:, 24:].any()
    assert (inputs.features[:, 24:] == 0).all() and not inputs.channels.is_known[:, 24:].any()
    assert torch.isnan(table.targets(chosen)[0][:, 24:]).all()


def test_unusable_panels_are_named(panel, small, chronos):
    with pytest.raises(EncoderDataError, match="no panels"):
        build_cells([], small, chronos, torch.device("cpu"))
    with pytest.raises(EncoderDataError, match="'walk' has no session with 4 assets"):
        training_sessions(panel.take(assets=np.arange(3)), 100)
