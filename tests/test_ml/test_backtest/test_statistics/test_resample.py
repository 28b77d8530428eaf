import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from arch.covariance.kernel import QuadraticSpectral
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.backtest.statistics.resample import (
    automatic_block_length,
    long_run_variance,
    resampled_moments,
    stationary_indices,
)


def autoregressive(n: int, rho: float, seed: int) -> np.ndarray:
    shocks = np.random.default_rng(seed).standard_normal(n)
    out = np.empty(n)
    out[0] = shocks[0]
    for t in range(1, n):
        out[t] = rho * out[t - 1] + shocks[t]
    return out


@given(st.integers(20, 900), st.floats(-0.95, 0.95), st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_block_length_is_that_of_arch(n, rho, seed):
    series = autoregressive(n, rho, seed)
    expected = max(1.0, float(optimal_block_length(series)["stationary"].iloc[0]))
    assert automatic_block_length(series) == pytest.approx(expected, rel=1e-9)


def test_block_length_of_columns_is_the_longest():
    columns = np.column_stack([autoregressive(300, rho, 1) for rho in (0.0, 0.9)])
    assert automatic_block_length(columns) == automatic_block_length(columns[:, 1])
    assert automatic_block_length(columns[:, 1]) > automatic_block_length(columns[:, 0])


def test_constant_series_needs_no_blocks():
    assert automatic_block_length(np.zeros(50)) == 1.0


@pytest.mark.parametrize("bandwidth", [1.0, 3.5, 8.0])
def test_long_run_variance_is_that_of_arch(bandwidth):
    series = autoregressive(400, 0.4, 3)
    peer = QuadraticSpectral(series - series.mean(), bandwidth=bandwidth, center=False)
    found = long_run_variance(series, bandwidth=bandwidth, prewhiten=False)
    # The peer sums every lag; ours stops where the kernel's weight is below 0.0005.
    assert found == pytest.approx(float(np.squeeze(peer.cov.long_run)), rel=2e-2)


def test_automatic_long_run_variance_finds_the_truth():
    rho = 0.5
    found = [long_run_variance(autoregressive(4000, rho, seed)) for seed in range(30)]
    assert np.mean(found) == pytest.approx(1 / (1 - rho) ** 2, rel=0.04)


def test_indices_are_distributed_as_arch_draws_them():
    n, block, draws = 60, 4.0, 4000
    ours = stationary_indices(n, block, draws, seed=5)
    peer = StationaryBootstrap(block, np.arange(n), seed=5)
    theirs = np.array([data[0][0] for data in peer.bootstrap(draws)])
    for found in (ours, theirs):
        assert found.shape == (draws, n) and found.min() == 0 and found.max() == n - 1
        counts = np.bincount(found.ravel(), minlength=n) / found.size
        assert np.abs(counts * n - 1).max() < 0.05
        goes_on = (found[:, 1:] - found[:, :-1]) % n == 1
        # A new block may start at the next row by chance.
        assert goes_on.mean() == pytest.approx(1 - 1 / block + 1 / (block * n), abs=0.004)
    lengths = [run_lengths(found) for found in (ours, theirs)]
    assert lengths[0] == pytest.approx(lengths[1], abs=0.01)


def run_lengths(indices: np.ndarray) -> np.ndarray:
    """Shares of first blocks that are longer than 1, 2, 4, 8 and 16 rows."""
    goes_on = (indices[:, 1:] - indices[:, :-1]) % indices.shape[1] == 1
    first = np.where(goes_on.all(axis=1), indices.shape[1], np.argmin(goes_on, axis=1) + 1)
    return np.array([(first > length).mean() for length in (1, 2, 4, 8, 16)])


def test_single_row_blocks_are_independent_draws():
    found = stationary_indices(50, 1.0, 2000, seed=1)
    goes_on = (found[:, 1:] - found[:, :-1]) % 50 == 1
    assert goes_on.mean() == pytest.approx(1 / 50, abs=0.002)


@given(st.integers(8, 80), st.floats(1.0, 12.0), st.integers(1, 3), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_moments_are_those_of_the_indexed_rows(n, block, columns, seed):
    values = np.random.default_rng(seed).standard_normal((n, columns)) + 3.0
    draws = 20
    fast = resampled_moments(values, block, draws=draws, seed=seed)
    indices = stationary_indices(n, block, draws, seed)
    slow = values[indices].mean(axis=1) - values.mean(axis=0)
    np.testing.assert_allclose(fast.means, slow, atol=1e-12)
    assert (np.linalg.eigvalsh(fast.covariances) > -1e-10).all()


def test_covariances_are_sums_over_blocks():
    n, block, seed = 40, 5.0, 9
    values = np.random.default_rng(2).standard_normal((n, 2))
    found = resampled_moments(values, block, draws=200, seed=seed)
    indices = stationary_indices(n, block, 200, seed)
    # Two blocks that happen to join look like one here: with 40 rows about one draw in six.
    agrees = [np.allclose(found.covariances[d], block_square(values, indices[d])) for d in range(200)]
    assert np.mean(agrees) > 0.7


def block_square(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    n = len(values)
    breaks = np.flatnonzero((index[1:] - index[:-1]) % n != 1) + 1
    rows = values[index] - values[index].mean(axis=0)
    sums = np.array([part.sum(axis=0) for part in np.split(rows, breaks)])
    return sums.T @ sums / n


def test_variance_of_resampled_means_is_the_long_run_one():
    series = autoregressive(2000, 0.5, 11)
    block = automatic_block_length(series)
    found = resampled_moments(series[:, None], block, draws=3000, seed=0)
    assert found.means.var() * 2000 == pytest.approx(long_run_variance(series), rel=0.15)
    assert found.covariances.mean() == pytest.approx(found.means.var() * 2000, rel=0.1)


def test_more_draws_leave_the_first_ones():
    few, many = stationary_indices(30, 3.0, 5, 7), stationary_indices(30, 3.0, 50, 7)
    np.testing.assert_array_equal(few, many[:5])
    assert (stationary_indices(30, 3.0, 5, 8) != few).any()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.ones(5), "at least 8"),
        (np.append(np.ones(20), np.nan), r"nan at \[20\]"),
        (np.ones((2, 2, 2)), "shape"),
    ],
)
def test_what_cannot_be_resampled_is_named(values, told):
    with pytest.raises(ValueError, match=told):
        automatic_block_length(values)
    with pytest.raises(ValueError, match=r"block length 0\.5"):
        stationary_indices(20, 0.5, 3, 0)
