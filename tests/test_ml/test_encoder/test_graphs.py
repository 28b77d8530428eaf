"""Steps as CUDA graphs: the shapes on any machine, the steps themselves where there is a GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ml.encoder import train
from ml.encoder.config import PROFILES
from ml.encoder.dataset import build_cells
from ml.encoder.graphs import N_WIDTHS, padded_shape
from tests.test_ml.test_encoder.conftest import SMALL, make_panel

FULL = PROFILES["full"]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="captures CUDA graphs")


@given(st.integers(FULL.fewest_assets_per_date, FULL.assets_per_date))
def test_any_number_of_assets_fits_one_of_a_few_shapes(assets):
    dates, width = padded_shape(FULL, assets)
    assert assets <= width <= 1.55 * assets and width % 8 == 0
    places = FULL.dates_per_step * FULL.assets_per_date
    assert abs(dates * width - places) <= width
    assert (dates, width) in {padded_shape(FULL, n) for n in (16, 23, 32, 45, 64, 90, 128)}


def test_shapes_are_few():
    assert len({padded_shape(FULL, n) for n in range(16, 129)}) <= N_WIDTHS
    assert len({padded_shape(SMALL, n) for n in range(8, 17)}) <= N_WIDTHS


@needs_gpu
def test_replayed_steps_are_those_of_python(monkeypatch):
    """The same seeds, shapes and rates, with every step run from Python: equal up to rounding."""
    config = replace(SMALL, steps=30, encoder=replace(SMALL.encoder, chronos_size=128), report_every=10)
    table, normalizer = build_cells([make_panel()], config, None, torch.device("cuda"))

    def losses():
        trained = train.train_on_cells(table, normalizer, config, "none", ("walk",), seed=0)
        return np.array([row["loss"] for row in trained.history])

    def from_python(self, cells, seed):
        return self.step(torch.from_numpy(cells).to(self.device), self._generator.manual_seed(seed))

    graphed = losses()
    np.testing.assert_allclose(graphed, losses(), rtol=2e-3)
    monkeypatch.setattr(train.GraphedSteps, "__call__", from_python)
    np.testing.assert_allclose(graphed, losses(), rtol=2e-3)
