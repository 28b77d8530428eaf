"""Policies of the development windows: what each may see, and that a run goes on."""

from dataclasses import replace

import numpy as np
import pytest

from ml.backtest import retrain
from ml.backtest.policy_strategy import trained_until
from ml.features.panel_file import save_panel
from ml.features.simulated_panel import simulated_panels
from ml.policy.config import PROFILES, VALIDATED_ONE_IN, PolicyConfig

SMALL = replace(
    PROFILES["walkforward"], policy=PolicyConfig(hidden=16, head_hidden=8), ranges=8, universes_per_range=1, weeks=6,
    universes=4, per_universe=12, warm_rounds=1, warm_steps=30, iterations=1, epochs=1, warm_batch=64, batch=128,
    assets=10,
)  # fmt: skip


def test_the_last_session_seen_lies_63_before_the_first_decision(panel):
    year = int(str(panel.dates[600])[:4])
    last = retrain.train_until(panel, year)
    first = int(np.flatnonzero(panel.dates >= np.datetime64(f"{year}-01-01"))[0])
    assert last == first - 1 - 63
    assert retrain.train_until(panel, int(str(panel.dates[0])[:4])) is None
    assert retrain.train_until(panel, 2200) is None


@pytest.mark.parametrize(("real", "simulated"), [(2, 6), (4, 12), (1, 0), (0, 5), (6, 2)])
def test_spans_are_mixed_and_none_is_lost(real, simulated):
    names = [f"r{i}" for i in range(real)], [f"s{i}" for i in range(simulated)]
    found = retrain._interleaved(*names)
    assert sorted(found) == sorted(names[0] + names[1])
    if simulated >= real:
        assert all(name.startswith("s") for name in found[VALIDATED_ONE_IN - 1 :: VALIDATED_ONE_IN])


@pytest.fixture(scope="module")
def panel():
    (made,) = simulated_panels(1, assets=12, years=5, first_seed=3, workers=1)
    return made


@pytest.mark.slow
def test_every_window_gets_its_policies_and_a_second_run_trains_nothing(panel, tmp_path, monkeypatch, capsys):
    years = sorted({int(str(day)[:4]) for day in panel.dates})
    monkeypatch.setattr(retrain, "DEVELOPMENT_BLOCKS", ((years[2], years[2]), (years[3], years[3])))
    monkeypatch.setitem(PROFILES, "walkforward", SMALL)
    monkeypatch.setattr(retrain, "MARKETS", (2, 12, 2))
    monkeypatch.setattr(
        "ml.policy.train.check_collapse", lambda row, load: None
    )  # thirty steps say nothing of it
    save_panel(panel, tmp_path / "packaged.npz")
    command = [
        "--packaged",
        str(tmp_path / "packaged.npz"),
        "--output",
        str(tmp_path / "out"),
        "--seeds",
        "1",
    ]
    assert retrain.main(command) == 0
    said = capsys.readouterr().out
    folders = [tmp_path / "out" / f"development_{y}_{y}" / "seed-0" for y in years[2:4]]
    for year, folder in zip(years[2:4], folders, strict=True):
        last = retrain.train_until(panel, year)
        assert last is not None
        until = trained_until(folder)
        assert until is not None and until <= panel.dates[last].astype(object)
        assert f"--policy development_{year}_{year}={folder}" in said
    before = [
        (f / "model.safetensors").stat().st_mtime_ns for f in folders if (f / "model.safetensors").exists()
    ]
    assert retrain.main(command) == 0
    assert "trained before" in capsys.readouterr().out
    assert before == [
        (f / "model.safetensors").stat().st_mtime_ns for f in folders if (f / "model.safetensors").exists()
    ]
