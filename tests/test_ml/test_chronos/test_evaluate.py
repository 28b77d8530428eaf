"""Scores against slow oracles: pinball by definition, windows that never look ahead, known forecasts."""

from datetime import date

import numpy as np
import pytest

from ml.chronos.config import QUANTILES
from ml.chronos.evaluate import HORIZON, TRAILING, loss_ratio, pinball, random_walk_quantiles, windows_of
from ml.chronos.series import series_of


def walk(n: int = 400, seed: int = 0):
    rng = np.random.default_rng(seed)
    days = np.datetime64("2016-01-04") + np.arange(n)
    return series_of("A", days, 50 * np.exp(np.cumsum(rng.normal(0, 0.02, n))), np.full(n, np.nan))


def test_pinball_is_the_definition():
    rng = np.random.default_rng(1)
    targets, quantiles = rng.normal(size=(4, HORIZON)), rng.normal(size=(4, 9, HORIZON))
    for row in range(4):
        total = 0.0
        for k, level in enumerate(QUANTILES):
            for day in range(HORIZON):
                gap = targets[row, day] - quantiles[row, k, day]
                total += 2 * (level * gap if gap >= 0 else (level - 1) * gap) / 9
        assert pinball(targets, quantiles)[row] == pytest.approx(total)


@pytest.mark.parametrize("target", ["price", "absolute_return"])
def test_windows_see_the_past_alone_and_target_the_days_after(target):
    one, since = walk(), date(2016, 9, 1)
    windows = windows_of([one], target, since)
    moves = np.diff(np.log(one.prices))
    for context, wanted, origin in zip(windows.contexts, windows.targets, windows.origins, strict=True):
        at = int(np.searchsorted(one.dates, origin))
        assert one.dates[at + 1] >= np.datetime64(since)
        if target == "price":
            np.testing.assert_allclose(context, np.log(one.prices[: at + 1]))
            np.testing.assert_allclose(wanted, one.prices[at + 1 : at + 1 + HORIZON] / one.prices[at])
        else:
            np.testing.assert_allclose(context, np.abs(moves[:at]))
            np.testing.assert_allclose(wanted, np.abs(moves[at : at + HORIZON]))
    assert (np.diff(windows.origins).astype(int) == HORIZON).all()


def test_the_random_walk_covers_its_own_paths():
    rng = np.random.default_rng(2)
    trailing = rng.normal(0, 0.02, TRAILING)
    paths = np.exp(np.cumsum(rng.normal(0, trailing.std(ddof=1), (20_000, HORIZON)), axis=1))
    below = (paths[:, None] <= random_walk_quantiles(trailing)).mean(0)
    np.testing.assert_allclose(below, np.repeat(np.array(QUANTILES)[:, None], HORIZON, 1), atol=0.015)


def test_the_ratio_of_equal_forecasts_is_one_and_half_the_loss_is_half():
    loss = np.random.default_rng(3).exponential(size=60)
    origins = np.datetime64("2017-01-02") + np.repeat(np.arange(20), 3)
    same, half = loss_ratio(loss, loss, origins), loss_ratio(loss / 2, loss, origins)
    assert (same.ratio, same.low, same.high) == pytest.approx((1, 1, 1))
    assert (half.ratio, half.low, half.high) == pytest.approx((0.5, 0.5, 0.5))
    assert same.windows == 60 and same.origins == 20


def test_the_interval_covers_the_truth_where_origins_share_a_shock():
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(60):
        origins = np.datetime64("2017-01-02") + np.repeat(np.arange(40), 5)
        naive = np.ones(200)
        ours = 1 + np.repeat(rng.normal(0, 0.3, 40), 5)
        ratio = loss_ratio(ours, naive, origins)
        covered += ratio.low <= 1 <= ratio.high
    assert covered >= 50


def test_too_little_data_and_unknown_targets_are_named():
    with pytest.raises(ValueError, match="none of 1 series has 128 days before"):
        windows_of([walk(100)], "price", date(2016, 1, 1))
    with pytest.raises(ValueError, match="'volume' is unknown"):
        windows_of([walk()], "volume", date(2016, 1, 1))
