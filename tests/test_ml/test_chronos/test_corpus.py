"""The generated corpus: seeded, finite, with the features of daily returns."""

import numpy as np
import pytest
import torch

from ml.chronos.config import QUICK
from ml.chronos.corpus import Corpus, RealSeries, gaussian_process_rows, simulate_returns


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_simulated_returns_have_fat_tails_and_clustered_volatility():
    series = simulate_returns(generator(), 300, 576)
    returns = series.returns.double()
    assert returns.shape == (300, 576) and returns.isfinite().all() and series.log_volumes.isfinite().all()
    scaled = (returns - returns.mean(1, keepdim=True)) / returns.std(1, keepdim=True)
    assert float((scaled**4).mean(1).median()) > 4  # a normal has 3
    size = returns.abs()
    size = (size - size.mean(1, keepdim=True)) / size.std(1, keepdim=True)
    by_lag = [float((size[:, lag:] * size[:, :-lag]).mean(1).median()) for lag in (1, 5, 60)]
    assert by_lag[0] > 0.08 and by_lag[0] > by_lag[2] and by_lag[1] > by_lag[2]
    own = (scaled[:, 1:] * scaled[:, :-1]).mean(1).median()
    assert abs(float(own)) < 0.08
    change = series.log_volumes.double().diff(dim=1)
    move = returns.abs()[:, 1:]
    assert np.median([np.corrcoef(m, c)[0, 1] for m, c in zip(move, change, strict=True)]) > 0.1


def test_gaussian_process_rows_are_finite_and_of_unit_scale():
    rows = gaussian_process_rows(generator(), 128, 32, 4)
    assert rows.shape == (128, 128) and rows.isfinite().all()
    # The mean variance of a kernel is one, so the mean square over many kernels is near one.
    assert 0.6 < float(rows.square().mean()) < 1.6


def test_batches_depend_on_the_seed_alone():
    first, again, other = (Corpus(QUICK, generator(seed)).batch() for seed in (5, 5, 6))
    assert first.shape == (QUICK.batch, QUICK.window)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_mixtures_draw_from_the_given_series_only():
    marks = [np.full(50, 1.0) + np.arange(50) * 1e-3, np.full(80, 9.0) + np.arange(80) * 1e-3]
    real = RealSeries([*marks, np.ones(10)], [None, np.zeros(80), None], 40, "cpu")
    drawn = real.mixtures(generator(), 400)
    single = ~drawn.log_volumes.isnan().any(1)  # only the second series knows volumes, and mixtures none
    assert 0 < int(single.sum()) < 200
    # A row is a window less a part, drawn anew for each row, of the series' mean.
    rows, mean = drawn.returns[single].double().numpy(), marks[1].mean()
    taken = [min(marks[1][i] - row[0] for i in range(41) if marks[1][i] >= row[0] - 1e-5) for row in rows]
    assert -1e-4 <= min(taken) and max(taken) <= mean and np.std((9 - rows[:, 0]) / mean) > 0.2
    np.testing.assert_allclose(np.diff(rows), 1e-3, atol=1e-5)


def test_series_that_are_all_too_short_are_refused():
    with pytest.raises(ValueError, match="none of 1 real series has 40 returns"):
        RealSeries([np.ones(39)], [None], 40, "cpu")
