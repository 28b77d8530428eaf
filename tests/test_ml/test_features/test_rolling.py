"""Rolling windows against loops over slices."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.rolling import (
    lagged,
    max_since,
    rolling_count,
    rolling_max,
    rolling_mean,
    rolling_sd,
    rolling_sum,
)


def _sample(seed: int, sessions: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 0.02, (sessions, 3))
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    return values


def _by_slices(values: np.ndarray, length: int, function) -> np.ndarray:
    out = np.empty(values.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for t in range(len(values)):
            out[t] = function(values[max(0, t - length + 1) : t + 1])
    return out


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), sessions=st.integers(1, 70), length=st.integers(1, 30))
def test_windows_equal_loops(seed, sessions, length):
    x = _sample(seed, sessions)

    def close(found, function):
        np.testing.assert_allclose(found, _by_slices(x, length, function), rtol=1e-9, atol=1e-12)

    close(rolling_count(~np.isnan(x), length), lambda w: (~np.isnan(w)).sum(axis=0))
    close(rolling_sum(x, length), lambda w: np.nansum(w, axis=0))
    close(rolling_max(x, length), lambda w: np.nanmax(w, axis=0))
    close(rolling_mean(x, length, 1), lambda w: np.nanmean(w, axis=0))
    close(rolling_sd(x, length, 2), lambda w: np.nanstd(w, axis=0, ddof=1))
    first = np.maximum(np.arange(sessions) - length + 1, 0)
    close(max_since(x, first), lambda w: np.nanmax(w, axis=0))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), length=st.integers(1, 30), more=st.integers(1, 40))
def test_appended_rows_change_no_bit(seed, length, more):
    x = _sample(seed, 50 + more)
    for window in (rolling_sum, rolling_max):
        np.testing.assert_array_equal(window(x[:50], length), window(x, length)[:50])


def test_a_large_value_leaves_no_rounding_behind():
    x = np.full((40, 1), 1e-8)
    x[3] = 1e12
    assert rolling_sum(x, 5)[8:, 0] == pytest.approx(5e-8, rel=1e-14)


def test_too_few_values_are_missing():
    x = np.array([[1.0], [np.nan], [2.0], [4.0]])
    np.testing.assert_array_equal(rolling_mean(x, 3, 2)[:, 0], [np.nan, np.nan, 1.5, 3.0])
    np.testing.assert_array_equal(lagged(x, 2)[:, 0], [np.nan, np.nan, 1.0, np.nan])
    assert np.isnan(lagged(x, 9)).all()
