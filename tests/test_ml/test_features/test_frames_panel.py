"""Warehouse rows become arrays: each value in its place, what is missing stays missing."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.features.catalog import FEATURE_COLUMNS
from ml.features.frames_panel import panel_from_frames
from ml.features.panel import CHANNELS, PanelError

MON, TUE, WED = dt.date(2024, 1, 8), dt.date(2024, 1, 9), dt.date(2024, 1, 10)


def _prices() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "as_of_date": [MON, TUE, WED, TUE, WED, MON],
            "asset_id": ["B", "B", "B", "A", "A", "INDEX"],
            "total_return_log": [None, 0.02, None, None, -0.01, 0.5],
            "dollar_volume_usd": [1e6, 2e6, None, 0.0, 5.0, None],
            "is_stale": [False, False, True, False, False, False],
        }
    )


def _features() -> pl.DataFrame:
    keys = pl.DataFrame({"as_of_date": [TUE, WED], "asset_id": ["B", "A"]})
    return keys.with_columns(pl.lit(float(i)).alias(name) for i, name in enumerate(FEATURE_COLUMNS))


def _bars() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "as_of_date": [TUE, WED],
            "asset_id": ["B", "A"],
            "open": [10.0, None],
            "high": [11.0, 8.0],
            "low": [9.0, None],
            "close": [10.1, 7.0],
        }
    )


def _market() -> pl.DataFrame:
    return pl.DataFrame({"as_of_date": [TUE, WED], "market_return_log": [0.001, 0.002]})


def _panel(prices: pl.DataFrame | None = None):
    return panel_from_frames(
        _prices() if prices is None else prices,
        _features(),
        _bars(),
        _market(),
        exclude=("INDEX",),
        source="t",
    )


def test_each_value_in_its_place() -> None:
    panel = _panel()
    assert panel.asset_ids == ("A", "B")
    assert panel.dates.astype(object).tolist() == [MON, TUE, WED]
    channel = {name: panel.channels[:, :, i] for i, name in enumerate(CHANNELS)}
    np.testing.assert_allclose(
        channel["return"], [[np.nan, np.nan], [np.nan, 0.02], [-0.01, np.nan]], rtol=1e-6
    )
    np.testing.assert_allclose(channel["volume"][:, 1], np.log([1e6, 2e6, np.nan]), rtol=1e-6)
    assert np.isnan(channel["volume"][1, 0]), "no volume at all is unknown, not minus infinity"
    np.testing.assert_allclose(channel["range"][1, 1], np.log(11 / 9), rtol=1e-6)
    # gap + the day's own move = total return
    np.testing.assert_allclose(channel["gap"][1, 1] + np.log(10.1 / 10.0), 0.02, rtol=1e-5)
    np.testing.assert_allclose(channel["market"], [[np.nan] * 2, [0.001] * 2, [0.002] * 2], rtol=1e-6)
    assert panel.is_present.tolist() == [[False, False], [False, True], [True, False]]
    assert panel.is_stale.tolist() == [[True, False], [False, False], [False, True]]
    np.testing.assert_array_equal(panel.features[1, 1], np.arange(50))
    assert np.isnan(panel.features[1, 0]).all()


def test_a_row_twice_is_named() -> None:
    with pytest.raises(PanelError, match="prices holds B twice on 2024-01-08"):
        _panel(pl.concat([_prices(), _prices().head(1)]))


def test_no_rows_name_the_remedy() -> None:
    with pytest.raises(PanelError, match="taxloom nightly"):
        _panel(_prices().clear())


def test_choices_of_sessions_and_assets() -> None:
    panel = _panel().take(slice(1, None), np.array([1]))
    assert panel.asset_ids == ("B",)
    assert panel.channels.shape == (2, 1, len(CHANNELS))
