"""Quantile tables and window scales: monotone, finite, independent of the rest of the batch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.encoder.config import LEVELS
from ml.encoder.normalize import FeatureNormalizer, NormalizationError, normalize_channels
from ml.features.catalog import FEATURE_COLUMNS, FEATURES

FLAGS = [i for i, spec in enumerate(FEATURES) if spec.unit == "flag"]
MEASURES = [i for i, spec in enumerate(FEATURES) if spec.unit != "flag"]


@pytest.fixture(scope="module")
def rows():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2000, 50, generator=generator).exp()
    values[:, FLAGS] = (values[:, FLAGS] > 2).float()
    values[:, FEATURE_COLUMNS.index("income__dividend_yield_ttm_pct")][:1200] = 0.0
    values[::7, MEASURES[0]] = torch.nan
    values[:, MEASURES[1]] = 4.0
    return values


@pytest.fixture(scope="module")
def normalizer(rows):
    return FeatureNormalizer.fit(rows)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=20))
def test_scores_never_fall_when_values_rise(normalizer, values):
    column = torch.tensor(sorted(values))
    scores = normalizer(column[:, None].expand(-1, 50))
    assert (scores.diff(dim=0) >= 0).all()
    assert scores.abs().max() <= 3


def test_scores_are_roughly_normal(normalizer, rows):
    scores = normalizer(rows)[:, MEASURES[5]]
    assert abs(float(scores.mean())) < 0.05
    assert float(scores.std()) == pytest.approx(1, abs=0.1)
    assert float(scores.median()) == pytest.approx(0, abs=0.05)


def test_a_value_of_many_rows_gets_the_mean_score_of_its_quantiles(normalizer, rows):
    column = FEATURE_COLUMNS.index("income__dividend_yield_ttm_pct")
    zeros = normalizer(rows)[:1200, column]
    assert float(zeros[0]) == pytest.approx(float(zeros[-1]))
    assert float(zeros[0]) == pytest.approx(-0.64, abs=0.1)  # mean of a normal's lower 60 %


def test_flags_pass_through_and_missing_is_neutral(normalizer, rows):
    scores = normalizer(rows)
    assert torch.equal(scores[:, FLAGS], rows[:, FLAGS])
    assert (scores[::7, MEASURES[0]] == 0).all()
    assert torch.isfinite(normalizer(torch.full((3, 50), torch.nan))).all()
    assert (scores[:, MEASURES[1]] == 0).all()


def test_a_row_does_not_depend_on_the_batch(normalizer, rows):
    assert torch.equal(normalizer(rows[5:6]), normalizer(rows)[5:6])


def test_other_widths_are_refused(normalizer):
    with pytest.raises(NormalizationError, match="49"):
        normalizer(torch.zeros(3, 49))
    with pytest.raises(NormalizationError, match="at least one row"):
        FeatureNormalizer.fit(torch.zeros(0, 50))


def windows(seed=0):
    rng = np.random.default_rng(seed)
    raw = 0.02 * rng.standard_normal((3, 64, 5))
    raw[..., 3] += 15
    return torch.from_numpy(raw).float()


def test_the_scale_of_a_window_goes_into_its_level():
    raw = windows()
    louder = raw.clone()
    louder[..., :3] *= 3
    one, other = normalize_channels(raw), normalize_channels(louder)
    torch.testing.assert_close(one.values, other.values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other.levels[:, 0] - one.levels[:, 0], torch.full((3,), 3.0).log())
    torch.testing.assert_close(other.levels[:, 1], one.levels[:, 1])
    beta = LEVELS.index("beta_64d")
    torch.testing.assert_close(other.levels[:, beta], 3 * one.levels[:, beta], atol=1e-5, rtol=1e-5)
    ratios = [i for i, name in enumerate(LEVELS) if name.endswith("ratio") or name == "correlation_64d"]
    torch.testing.assert_close(other.levels[:, ratios], one.levels[:, ratios], atol=1e-5, rtol=1e-5)


def test_levels_are_those_of_a_plain_loop():
    raw = windows().double()
    raw[..., 1] = raw[..., 1].abs()
    raw[0, ::7, 0] = torch.nan
    raw[0, ::5, 1] = torch.nan
    found = dict(zip(LEVELS, normalize_channels(raw.float()).levels[0].tolist(), strict=True))
    day = raw[0].numpy()

    def rms(values):
        known = values[np.isfinite(values)]
        return np.sqrt((known**2).mean())

    own, wide = rms(day[:, 0]), rms(day[:, 4])
    for span in (21, 10, 5):
        assert found[f"volatility_{span}d_ratio"] == pytest.approx(
            np.log(rms(day[-span:, 0]) / own), abs=1e-4
        )
    for span in (64, 21, 5):
        with_range = day[-span:][np.isfinite(day[-span:, 1])]
        variance = (with_range[:, 1] ** 2 / (4 * np.log(2)) + with_range[:, 2] ** 2).mean()
        assert found[f"range_{span}d_ratio"] == pytest.approx(np.log(np.sqrt(variance) / own), abs=1e-4)
    for span in (21, 5):
        expected = np.log(rms(day[-span:, 4]) / wide)
        assert found[f"market_volatility_{span}d_ratio"] == pytest.approx(expected, abs=1e-4)
    both = np.isfinite(day[:, 0])
    r, m = day[both, 0], day[both, 4]
    assert found["beta_64d"] == pytest.approx(r @ m / (m @ m), abs=1e-4)
    assert found["correlation_64d"] == pytest.approx(r @ m / np.sqrt((m @ m) * (r @ r)), abs=1e-4)


def test_levels_of_short_histories_are_neutral():
    raw = windows()
    raw[:, :-9] = torch.nan
    levels = dict(zip(LEVELS, normalize_channels(raw).levels[0].tolist(), strict=True))
    assert levels["volatility_64d"] != 0 and levels["volatility_5d_ratio"] != 0
    assert levels["volatility_21d_ratio"] == levels["range_64d_ratio"] == levels["beta_64d"] == 0


def test_values_are_those_of_a_plain_loop():
    raw = windows()
    raw[0, :10] = torch.nan
    window = normalize_channels(raw)
    known = raw[0, 10:, 0].numpy()
    volatility = np.sqrt((known**2).mean())
    np.testing.assert_allclose(window.values[0, 10:, 0], np.clip(known / volatility, -6, 6), rtol=1e-4)
    np.testing.assert_allclose(float(window.levels[0, 0]), np.log(volatility / 0.01), rtol=1e-4)
    volume = raw[0, 10:, 3].numpy()
    np.testing.assert_allclose(window.values[0, 10:, 3], volume - volume.mean(), atol=1e-4)
    assert not window.is_known[0, :10].any()
    assert (window.values[0, :10] == 0).all()


def test_windows_without_returns_or_movement_are_finite():
    raw = torch.stack([torch.full((64, 5), torch.nan), torch.zeros(64, 5)])
    window = normalize_channels(raw)
    assert torch.isfinite(window.values).all() and torch.isfinite(window.levels).all()
    assert (window.levels[0] == 0).all()
