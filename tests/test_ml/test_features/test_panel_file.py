"""Panels in files, and markets simulated in several processes."""

import numpy as np
import pytest

from ml.features.panel_file import PanelFileError, load_panel, save_panel
from ml.features.simulated_panel import simulated_panel, simulated_panels


@pytest.fixture(scope="module")
def panel():
    return simulated_panel(assets=5, years=1, seed=3, warmup_sessions=30)


def same(left, right) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=name in ("features", "channels"))
        for name in ("dates", "features", "channels", "is_present", "is_stale")
    )


def test_a_panel_comes_back_as_it_was(panel, tmp_path):
    save_panel(panel, tmp_path / "panel.npz")
    back = load_panel(tmp_path / "panel.npz", panel.source)
    assert back.asset_ids == panel.asset_ids and back.source == panel.source
    assert same(back, panel)


def test_a_file_that_lacks_an_array_is_refused_by_name(panel, tmp_path):
    np.savez(tmp_path / "thin.npz", dates=panel.dates, features=panel.features)
    with pytest.raises(PanelFileError, match=r"thin.npz lacks .*channels.*is_stale"):
        load_panel(tmp_path / "thin.npz", "x")


def test_markets_do_not_depend_on_the_number_of_processes():
    alone = simulated_panels(2, assets=4, years=1, first_seed=11, workers=1)
    spread = simulated_panels(2, assets=4, years=1, first_seed=11, workers=2)
    assert [one.source for one in spread] == ["simulated:11", "simulated:12"]
    assert all(same(a, b) for a, b in zip(alone, spread, strict=True))
