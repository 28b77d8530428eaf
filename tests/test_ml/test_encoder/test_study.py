"""A study on two tiny markets with a made-up Chronos: runs, choice, resumption, the card it ends in."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.checkpoint import load_checkpoint
from ml.chronos.embed import DEFAULT_MODEL, embed_prices
from ml.encoder import card, study, study_data, whiten
from ml.encoder.controls import random_chronos
from ml.encoder.dataset import CellTable, build_cells, load_chronos
from ml.encoder.study import (
    Run,
    choose,
    collect,
    is_held_out,
    prepare,
    runs,
    splits,
    train_one,
    training_panels,
)
from ml.encoder.train import ResumeError
from ml.encoder.trained import load_encoder
from ml.features.catalog import FEATURE_COLUMNS
from ml.features.compact_panels import load_compact, save_compact
from tests.test_ml.test_encoder.conftest import make_panel


def shared_market(panel):
    panel.channels[:, :, -1] = np.nanmean(panel.channels[:, :, -1], axis=1)[:, None]
    return panel


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for i, name in enumerate(("m0", "select", "heldout", "panel-stocks", "n0")):
        save_compact(
            [shared_market(make_panel(assets=16, seed=i, source=f"simulated:{i}"))], folder / f"{name}.npz"
        )
    real = shared_market(make_panel(assets=18, seed=8, source="packaged"))
    dates = np.datetime64("2016-12-30") + np.arange(-239, 161)
    save_compact([replace(real, dates=dates)], folder / "packaged.npz")
    return folder


@pytest.fixture(scope="module")
def ended(data, chronos, small, tmp_path_factory):
    """Three runs of the main set: two seeds of the fused encoder and one of the shuffled control."""
    work, output = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("output")
    config, cpu = replace(small, steps=20, check_from=20, profile="quick"), torch.device("cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "load_chronos", lambda model, device: chronos)
        prepare(data, work, "main", config, cpu)
    for run in (Run("main", "fused", 0), Run("main", "fused", 1), Run("main", "shuffled_chronos", 0)):
        train_one(data, work, output, run, config, cpu)
    return work, output


def test_a_short_budget_costs_seeds_and_no_variant():
    found = runs()
    assert len(found) == len(set(found)) == 5 * 5 + 3
    assert {one.variant for one in found[:5]} == set(study.VARIANTS)
    assert found[5] == Run("simulated", "fused", 0)
    assert [one.seed for one in found if one.set_name == "main"] == sorted([0, 1, 2, 3, 4] * 5)


def test_held_out_tickers_and_later_years_are_in_no_training(data):
    panels = training_panels(data, "main")
    real = panels[-1]
    assert real.source == "packaged" and real.dates[-1] <= np.datetime64("2016-12-30")
    judged = next(one for one in splits(data, 128) if one.name.startswith("packaged"))
    ((_, scored),) = judged.folds
    assert scored.sum() == 6
    assert not {judged.panel.asset_ids[i] for i in np.flatnonzero(scored)} & set(real.asset_ids)
    assert (judged.panel.dates[judged.later] > real.dates[-1]).all()
    assert [one.source for one in training_panels(data, "simulated")] == ["simulated:0"]
    shuffled = replace(real, asset_ids=tuple(reversed(real.asset_ids)))
    assert is_held_out(shuffled)[::-1].tolist() == is_held_out(real).tolist()  # by name, not by place


def test_the_lowest_selection_loss_is_chosen(ended):
    _, output = ended
    losses = {
        name: json.loads((output / name / "metrics.json").read_text())["history"][-1]["selection"]
        for name in ("main-fused-0", "main-fused-1")
    }
    assert choose(output) == {"main": min(losses, key=losses.__getitem__)}
    found = collect(output)
    assert [(one["variant"], one["seed"]) for one in found["runs"]] == [
        ("fused", 0),
        ("shuffled_chronos", 0),
        ("fused", 1),
    ]
    assert [one["name"] for one in found["runs"][0]["held_out"]] == [
        "simulated market",
        "packaged, held-out tickers",
        "stocks",
    ]


def test_a_run_broken_off_before_its_end_is_the_same_run(ended, data, small, tmp_path):
    work, output = ended
    config = replace(small, steps=20, check_from=20, profile="quick")
    # Its training state is there: nothing is trained again, statistics and scores are.
    train_one(data, work, tmp_path, Run("main", "fused", 1), config, torch.device("cpu"))
    first, again = (load_encoder(one / "main-fused-1") for one in (output, tmp_path))
    assert first.compatibility_id == again.compatibility_id
    reports = [
        json.loads((one / "main-fused-1" / "metrics.json").read_text())["held_out"]
        for one in (output, tmp_path)
    ]
    assert reports[0] == reports[1]
    with pytest.raises(ResumeError, match="another train"):
        train_one(
            data, work, tmp_path, Run("main", "fused", 1), replace(config, steps=30), torch.device("cpu")
        )


def test_random_weights_are_another_chronos(monkeypatch):
    monkeypatch.setattr("ml.encoder.controls._WINDOWS", 300)
    shipped = load_chronos()
    one, same, other = (random_chronos(shipped, DEFAULT_MODEL, seed=seed) for seed in (0, 0, 1))
    prices = np.exp(np.cumsum(0.01 * np.random.default_rng(0).standard_normal((4, 129)), axis=1))
    found = [embed_prices(b.pipeline, b.whitening, prices) for b in (one, same, other, shipped)]
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].shape == found[3].shape and np.isfinite(found[0]).all()
    assert all(np.abs(found[0] - f).max() > 0.1 for f in found[2:])
    assert len({one.model_id, other.model_id, shipped.model_id}) == 3


def test_shuffling_deals_out_a_dates_embeddings(panel, small, chronos, tmp_path):
    table, normalizer = build_cells([panel], small, chronos, torch.device("cpu"))
    dealt = table.shuffled(0)
    assert not torch.equal(dealt.chronos, table.chronos)
    for date in range(0, table.n_dates, 7):
        cells = table.date_cells(date)[0]
        has = table.has_chronos[cells]
        assert (dealt.chronos[cells][~has] == table.chronos[cells][~has]).all()
        before, after = (one.chronos[cells][has].sort(0).values for one in (table, dealt))
        assert torch.equal(before, after)
    table.save(tmp_path / "cells.npz", normalizer)
    again, tables = CellTable.load(tmp_path / "cells.npz", torch.device("cpu"))
    assert torch.equal(again.chronos, table.chronos) and torch.equal(tables.knots, normalizer.knots)
    cells = table.date_cells(3)
    assert torch.equal(again.inputs(cells).channels.values, table.inputs(cells).channels.values)


def test_the_card_shows_seeds_and_controls(ended, tmp_path, capsys):
    _, output = ended
    (output / "results.json").write_text(json.dumps(collect(output)))
    assert card.main(["--study", str(output), "--folder", str(tmp_path / "encoder")]) == 0
    text = (tmp_path / "encoder" / "README.md").read_text()
    assert "shuffled Chronos, retrained" in text and " ± " in text and "| chosen |" in text
    assert "## packaged, held-out tickers" in text
    rows = json.loads((tmp_path / "encoder" / "study.json").read_text())
    seeds = {row["representation"]: len(row["scores"]) for row in rows if row["target"] == "sector"}
    assert seeds["embedding"] == 2 and seeds["shuffled_chronos"] == 1
    assert load_encoder(tmp_path / "encoder").compatibility_id[:16] in text
    assert "wrote" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no run of the set 'simulated'"):
        card.main(["--study", str(output), "--set", "simulated", "--folder", str(tmp_path / "other")])


def test_statistics_fitted_anew_keep_the_weights_and_stand_in_the_card(
    ended, data, chronos, tmp_path, monkeypatch, capsys
):
    _, output = ended
    monkeypatch.setattr(whiten, "load_chronos", lambda model, device: chronos)
    chosen, refitted = output / choose(output)["main"], tmp_path / "refitted"
    given = ["--data", str(data), "--checkpoint", str(chosen), "--output", str(refitted)]
    assert whiten.main(given) == 0
    before, after = load_checkpoint(chosen), load_checkpoint(refitted)
    changed = [one for one in before.tensors if not np.array_equal(before.tensors[one], after.tensors[one])]
    assert changed == ["statistics.matrix", "statistics.mean"]
    assert load_encoder(refitted).compatibility_id != load_encoder(chosen).compatibility_id
    assert [one["name"] for one in after.metrics["held_out"]] == [one.name for one in splits(data, 128)]
    assert after.metrics["history"] == before.metrics["history"]

    (output / "results.json").write_text(json.dumps(collect(output)))
    arguments = ["--study", str(output), "--folder", str(tmp_path / "encoder"), "--refitted"]
    assert card.main([*arguments, str(refitted)]) == 0
    assert "fused, chosen seed as served" in (tmp_path / "encoder" / "README.md").read_text()
    capsys.readouterr()
    other = next(one for one in ("main-fused-0", "main-fused-1") if output / one != chosen)
    with pytest.raises(SystemExit, match="refit the chosen run"):
        card.main([*arguments, str(output / other)])


def test_the_data_of_a_study_is_written_by_one_command(tmp_path, monkeypatch, capsys):
    markets = {
        "m0": study_data.Market(12, 2, 5, 40),
        "n0": study_data.Market(12, 2, 5, 40, is_bare=True),
    }
    monkeypatch.setattr(study_data, "MARKETS", markets)
    assert study_data.main(["--output", str(tmp_path)]) == 0
    (known,), (bare,) = (load_compact(tmp_path / f"{name}.npz") for name in markets)
    assert known.source == bare.source == "simulated:5"
    assert len(known.dates) == len(bare.dates) == 504
    assert "m0.npz" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        study_data.main(["--output", str(tmp_path), "--panel", "stocks"])
    cap = FEATURE_COLUMNS.index("liquidity__market_cap_log_usd")
    spread = [float(np.nanstd(one.features[..., cap])) for one in (known, bare)]
    assert spread[0] > 0.5 and spread[1] == 0
