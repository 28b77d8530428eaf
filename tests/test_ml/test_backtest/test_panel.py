"""Panels and windows: what is held at which price, what is refused and how."""

import datetime as dt
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from dagster_project.backtest_data import backtest_panel
from dagster_project.sources.batches import SourceError
from ml.backtest.panel import BacktestPanelError
from ml.backtest.walk_forward import (
    PURGE_SESSIONS,
    Window,
    decision_sessions,
    make_windows,
    week_ends,
)
from tests.test_ml.test_backtest.backtest_helpers import price_panel, simulated_panel

COUNT = 60


def test_prices_follow_total_return_and_are_carried_over_gaps() -> None:
    closes = [10.0 * 1.01**t for t in range(COUNT)]
    gap: list[float | None] = [*closes[:20], None, None, *closes[22:]]
    panel = price_panel({"A": closes, "B": gap})
    np.testing.assert_allclose(panel.price[1:, 0] / panel.price[:-1, 0], 1.01)
    assert panel.price[20, 1] == panel.price[19, 1]
    assert not panel.has_bar[20, 1]
    assert np.isnan(panel.return_log[20, 1])
    assert not panel.is_gone.any()


def test_an_asset_is_gone_once_it_is_stale_for_good_and_closed_before_it_is_listed() -> None:
    panel = price_panel({"A": [1.0] * COUNT, "B": [None] * 10 + [2.0] * 20 + [None] * 30})
    assert not panel.is_tradeable[:10, 1].any()
    assert panel.is_tradeable[10:30, 1].all()
    assert not panel.is_gone[33, 1]
    assert panel.is_gone[34:, 1].all()
    assert not panel.is_tradeable[34:, 1].any()


def test_moves_beyond_a_doubling_are_named() -> None:
    panel = price_panel({"A": [1.0] * 30 + [3.5] * 30, "B": [1.0] * COUNT})
    assert any("A 2010-02-17 +250%" in note for note in panel.notes)
    assert any(note.startswith("Survivorship") for note in panel.notes)


@pytest.mark.parametrize(
    ("closes", "message"),
    [({"A": [1.0] * 10}, "spans 10 NYSE sessions"), ({"A": [None] * 50}, "has no bars")],
)
def test_panels_that_cannot_be_used_are_refused(closes, message: str) -> None:
    with pytest.raises(BacktestPanelError, match=message):
        price_panel(closes)


def test_digests_tell_panels_apart() -> None:
    first, again, other = (
        simulated_panel(sessions=80),
        simulated_panel(sessions=80),
        simulated_panel(sessions=80, seed=4),
    )
    assert first.digest == again.digest != other.digest


def _write(folder, name: str, rows: list[dict]) -> None:
    pl.DataFrame(rows).write_csv(folder / f"{name}.csv")


def _bars(days: int, **columns) -> list[dict]:
    from dagster_project.sources.calendar import session_frame

    sessions = (
        session_frame().filter(pl.col("session_date") >= dt.date(2015, 1, 2)).head(days)["session_date"]
    )
    return [
        {"symbol": name, "trade_date": day.isoformat(), "open": 10.0, "close": 10.0 + t / 100} | columns
        for name in ("AAA", "BBB")
        for t, day in enumerate(sessions)
    ]


def test_a_folder_of_bars_is_enough(tmp_path) -> None:
    _write(tmp_path, "bars", _bars(90))
    panel = backtest_panel("files", tmp_path)
    assert panel.asset_ids == ("AAA", "BBB")
    assert panel.price[-1, 0] == pytest.approx(10.89)
    assert panel.open[50, 0] == pytest.approx(10.0)
    assert [w.name for w in make_windows(panel)] == ["whole_panel", "paper_14_days"]
    cut = backtest_panel("files", tmp_path, dt.date(2015, 4, 1))
    assert cut.dates[-1] == np.datetime64("2015-04-01")


def test_bad_rows_are_counted_and_bad_folders_say_what_they_lack(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"has no bars\.csv"):
        backtest_panel("files", tmp_path)
    rows = _bars(90)
    rows[3]["close"] = -4.0
    _write(tmp_path, "bars", rows)
    panel = backtest_panel("files", tmp_path)
    assert any("Rows refused: 1 of market__daily_bars" in note for note in panel.notes)
    _write(tmp_path, "bars", [row | {"close": "n/a", "open": None} for row in _bars(50)])
    with pytest.raises(SourceError, match="no usable bars"):
        backtest_panel("files", tmp_path)
    with pytest.raises(SourceError, match="--source files needs --data"):
        backtest_panel("files", None)


def test_schedules_decide_on_the_right_sessions() -> None:
    panel = price_panel({"A": [1.0] * 130})
    window = Window("w", 3, 129, 0)
    dates = panel.dates.astype("datetime64[D]")
    monthly = decision_sessions(dates, window, "monthly")
    assert monthly[0] == 3
    assert all(dates[t].astype("M8[M]") != dates[t + 1].astype("M8[M]") for t in monthly[1:])
    weekly = decision_sessions(dates, window, "weekly")
    assert all((dates[t].astype(int) + 3) // 7 != (dates[t - 1].astype(int) + 3) // 7 for t in weekly[1:])
    assert decision_sessions(dates, window, "quarterly").tolist() == [3, 66]
    assert decision_sessions(dates, window, "once").tolist() == [3]
    assert decision_sessions(dates, window, "daily").tolist() == list(range(3, 129))
    ends = week_ends(dates, window)
    assert ends[0] == 3
    assert ends[-1] == 129
    with pytest.raises(ValueError, match="schedule 'hourly' is unknown"):
        decision_sessions(dates, window, "hourly")


def test_development_windows_are_purged_and_do_not_overlap() -> None:
    from dagster_project.sources.packaged import packaged_market_batches

    assert packaged_market_batches()
    panel = backtest_panel("packaged", None)
    windows = {w.name: w for w in make_windows(panel)}
    blocks = [w for name, w in windows.items() if name.startswith("development")]
    assert len(blocks) == 5
    for window in (*blocks, windows["test_2017_2022"]):
        assert window.start - window.train_until == PURGE_SESSIONS
    assert all(a.end == b.start for a, b in pairwise(blocks))
    assert str(panel.dates[blocks[0].start + 1]) == "2002-01-02"
    assert str(panel.dates[blocks[-1].end]) == "2016-12-30"
    assert windows["test_2017_2022"].is_test
    assert windows["paper_14_days"].end == blocks[-1].end
    assert str(panel.dates[windows["thirty_years"].start]) == "1991-12-30"
    earlier = make_windows(panel, until=dt.date(2010, 12, 31))
    assert "development_2011_2013" not in {w.name for w in earlier}
