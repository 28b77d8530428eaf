"""Series files: both kinds, the cut-off, refusals."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.chronos.series import SeriesError, load_series, save_series, series_of

DAYS = [date(2016, 12, 20) + timedelta(days=i) for i in range(20)]


def bars() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "asset_id": ["A"] * 20 + ["B"] * 20,
            "trade_date": DAYS * 2,
            "adjusted_close": [100.0 + i for i in range(40)],
            "volume": [None] * 20 + [1000.0] * 20,
        }
    )


def test_both_kinds_of_file_hold_the_same_and_end_at_the_cut_off(tmp_path):
    bars().sample(fraction=1, shuffle=True, seed=1).write_parquet(tmp_path / "bars.parquet")
    whole = load_series(tmp_path / "bars.parquet")
    save_series(tmp_path / "bars.npz", whole)
    for path in (tmp_path / "bars.parquet", tmp_path / "bars.npz"):
        first, second = load_series(path, last=date(2016, 12, 30))
        assert [one.asset_id for one in (first, second)] == ["A", "B"]
        assert first.dates[-1] == np.datetime64("2016-12-30") and len(first.prices) == 11
        assert first.volumes is None and second.log_volumes is not None
        np.testing.assert_allclose(first.log_returns, np.diff(np.log(100.0 + np.arange(11))))
    assert load_series(tmp_path / "bars.npz", last=date(2010, 1, 1)) == []


def test_bad_bars_and_files_are_named(tmp_path):
    days, prices = np.array(DAYS[:3], "datetime64[D]"), np.array([1.0, 0.0, 2.0])
    with pytest.raises(SeriesError, match=r"A has the adjusted close 0\.0 on 2016-12-21"):
        series_of("A", days, prices, prices)
    with pytest.raises(SeriesError, match="A are not in ascending order"):
        series_of("A", days[::-1], prices + 1, prices)
    with pytest.raises(SeriesError, match=r"neither \.npz nor \.parquet"):
        load_series(tmp_path / "bars.csv")
