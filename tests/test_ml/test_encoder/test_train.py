"""Training: it learns, repeats itself, continues, and stops when embeddings collapse."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.encoder.config import LossWeights, TrainConfig
from ml.encoder.dataset import build_cells, load_chronos
from ml.encoder.train import (
    CollapseError,
    ResumeError,
    _Run,
    batch_shape,
    check_collapse,
    train_encoder,
    train_on_cells,
)
from ml.encoder.views import make_view
from tests.test_ml.test_encoder.conftest import make_panel

COLUMNS = {"loss", "patch", "feature", "contrast", "volatility", "rank", "variance", "covariance"}


def test_a_short_run_lowers_the_loss(run):
    first, last = run.rows[0], run.rows[-1]
    assert last["loss"] < first["loss"] and last["feature"] < 0.95 * first["feature"]
    assert [row["step"] for row in run.rows] == [20, 40, 60]
    assert COLUMNS | {"steps", "mean_cosine", "effective_rank", "gate_mean"} <= set(last)
    assert run.rows == run.trained.history
    assert last["mean_cosine"] < 0.3 and last["effective_rank"] > 8 and 0 < last["gate_mean"] < 1


def test_the_same_seed_gives_the_same_bytes_broken_off_or_not(run, panel, small, chronos, tmp_path):
    state = tmp_path / "state"

    class StoppedError(Exception):
        pass

    def stop(row):
        if row["step"] == 40:
            raise StoppedError

    before = torch.get_rng_state()
    with pytest.raises(StoppedError):
        train_encoder([panel], small, seed=3, chronos=chronos, on_progress=stop, resume_folder=state)
    steps = []
    again = train_encoder(
        [panel],
        small,
        seed=3,
        chronos=chronos,
        resume_folder=state,
        on_progress=lambda row: steps.append(row["step"]),
    )
    assert steps == [40, 60]  # the state of step 20 was the last one written
    assert again.compatibility_id == run.trained.compatibility_id
    assert again.history == run.trained.history
    assert torch.equal(before, torch.get_rng_state())
    with pytest.raises(ResumeError, match="another seed"):
        train_encoder([panel], small, seed=4, chronos=chronos, resume_folder=state)


def test_a_state_is_kept_by_the_clock_too_and_decides_nothing(panel, small, chronos, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(_Run, "save", lambda self, folder: saved.append(self.step))
    rare = replace(small, save_every=1000, steps=6, check_from=6)
    table, normalizer = build_cells([panel], rare, chronos, torch.device("cpu"))
    found = {}
    for seconds in (0.0, 1e9):
        saved.clear()
        found[seconds] = train_on_cells(
            table, normalizer, rare, chronos.model_id, ("walk",), seed=3,
            resume_folder=tmp_path / "none", save_seconds=seconds,
        )  # fmt: skip
        assert saved == ([1, 2, 3, 4, 5, 6] if seconds == 0 else [6])
    assert found[0.0].compatibility_id == found[1e9].compatibility_id


def test_another_seed_gives_another_encoder(run, panel, small, chronos):
    short = replace(small, steps=2, check_from=3)
    one, other = (
        train_encoder([panel], replace(short, report_every=5), seed=seed, chronos=chronos) for seed in (0, 1)
    )
    assert one.compatibility_id != other.compatibility_id


def test_the_shipped_chronos_is_the_default(panel):
    config = TrainConfig(
        steps=1,
        dates_per_step=2,
        assets_per_date=8,
        fewest_assets_per_date=4,
        chronos_series=200,
        report_every=9,
        check_from=9,
    )
    # One step cannot collapse, and is checked at its end all the same.
    trained = train_encoder([panel], config, seed=0)
    assert trained.chronos_model_id == load_chronos().model_id
    assert trained.model.chronos_out.in_features == 128
    assert trained.history[-1]["gate_mean"] < 1


def test_collapse_stops_the_training(panel, small, chronos):
    # Agreement of views is all that is asked: alike embeddings satisfy it.
    nothing = LossWeights(0, 0, 0, 0, 0, 0, 50.0)
    with pytest.raises(CollapseError, match=r"below 0\.05: raise weights\.variance"):
        train_encoder([panel], replace(small, weights=nothing, peak_rate=0.02), seed=0, chronos=chronos)


def test_collapse_is_named():
    fine = {"loss": 1.0, "step": 9, "mean_cosine": 0.1, "raw_deviation": 1.0}
    check_collapse(fine)
    with pytest.raises(CollapseError, match=r"mean cosine 0\.60 at step 9"):
        check_collapse({**fine, "mean_cosine": 0.6})
    with pytest.raises(CollapseError, match="loss nan"):
        check_collapse({**fine, "loss": np.nan})


def test_steps_see_universes_of_all_sizes_and_about_as_many_cells(small):
    chooser = np.random.default_rng(0)
    shapes = [batch_shape(small, chooser) for _ in range(200)]
    assets = {n for _, n in shapes}
    assert min(assets) == 8 and max(assets) == 16
    cells = small.dates_per_step * small.assets_per_date
    assert all(abs(dates * n - cells) <= n for dates, n in shapes)


def test_selection_loss_is_of_the_panels_named(run, panel, small, chronos):
    other = make_panel(seed=5, source="other")
    found = {}
    for name, judged in (("same", panel), ("other", other)):
        found[name] = train_encoder([panel], small, seed=3, chronos=chronos, selection=[judged])
    assert found["same"].compatibility_id == run.trained.compatibility_id  # it decides nothing
    rows = [[row["selection"] for row in one.history] for one in found.values()]
    assert all(one[-1] < one[0] for one in rows) and rows[0] != rows[1]


def test_views_hide_all_flags_of_a_family_together(panel, small, chronos):
    table, _ = build_cells([panel], small, chronos, torch.device("cpu"))
    clean = table.inputs(table.date_cells(5))
    config = replace(small, hide_sectors=1.0, hide_classes=0.0)
    hidden = 0
    for seed in range(8):
        view = make_view(clean, config, torch.Generator().manual_seed(seed))
        sectors = view.is_hidden_feature[..., 8:19]
        assert (sectors.all(-1) | ~sectors.any(-1)).all()
        assert not view.is_hidden_feature[..., :8].any()
        assert (view.inputs.features[view.is_hidden_feature] == 0).all()
        hidden += int(sectors.all(-1).sum())
    assert 0 < hidden < 8 * clean.is_asset.sum()
