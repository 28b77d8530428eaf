"""Thinned panels in half precision come back as what they were, to eleven bits."""

from dataclasses import replace

import numpy as np
import pytest

from ml.features.compact_panels import load_compact, save_compact, thin_panel
from ml.features.panel import PanelError
from tests.test_ml.test_encoder.conftest import make_panel


@pytest.fixture(scope="module")
def panels():
    made = [make_panel(sessions=90, assets=7, seed=i, source=f"walk:{i}") for i in range(2)]
    for one in made:  # a real panel's assets share their market's returns
        one.channels[:, :, -1] = np.nanmean(one.channels[:, :, -1], axis=1)[:, None]
    return made


def test_panels_come_back_to_half_precision(panels, tmp_path):
    thin = [thin_panel(one, 4) for one in panels]
    save_compact(thin, tmp_path / "panels.npz")
    for found, panel in zip(load_compact(tmp_path / "panels.npz"), thin, strict=True):
        assert found.asset_ids == panel.asset_ids and found.source == panel.source
        for name in ("dates", "is_present", "is_stale"):
            np.testing.assert_array_equal(getattr(found, name), getattr(panel, name))
        np.testing.assert_allclose(found.channels, panel.channels, rtol=2**-11, atol=1e-7)
        np.testing.assert_allclose(found.features, panel.features, rtol=2**-11, atol=1e-7)
        assert found.features.dtype == found.channels.dtype == np.float32


def test_thinning_leaves_channels_and_every_kth_session(panels):
    thin = thin_panel(panels[0], 4)
    np.testing.assert_array_equal(thin.channels, panels[0].channels)
    assert np.flatnonzero(thin.is_present.any(1)).tolist() == list(range(0, 90, 4))
    assert np.isnan(thin.features[1]).all()
    np.testing.assert_array_equal(thin.features[4], panels[0].features[4])
    np.testing.assert_array_equal(thin_panel(panels[0], 1).is_present, panels[0].is_present)


def test_files_are_small(panels, tmp_path):
    save_compact([thin_panel(panels[0], 5)], tmp_path / "small.npz")
    np.savez_compressed(tmp_path / "whole.npz", a=panels[0].features, b=panels[0].channels)
    assert (tmp_path / "small.npz").stat().st_size < (tmp_path / "whole.npz").stat().st_size / 2


def test_what_is_no_panel_is_refused(panels, tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(PanelError, match="holds no compact panels"):
        load_compact(tmp_path / "other.npz")
    apart = panels[0].channels.copy()
    apart[3, 2, -1] = 9
    with pytest.raises(PanelError, match="different market channels"):
        save_compact([replace(panels[0], channels=apart)], tmp_path / "bad.npz")
