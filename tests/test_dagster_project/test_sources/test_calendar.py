"""The session files agree with the calendar library."""

import datetime as dt

import exchange_calendars
import polars as pl
import pytest

from dagster_project.sources import calendar


@pytest.fixture(scope="module")
def library():
    return exchange_calendars.get_calendar("XNYS", start=calendar.FIRST_DAY, end=calendar.LAST_DAY)


def test_sessions_and_hours_are_the_librarys(library):
    frame = calendar.session_frame()
    assert frame["session_date"].to_list() == [day.date() for day in library.sessions]
    assert frame["open_at"].to_list() == [moment.to_pydatetime() for moment in library.opens]
    assert frame["close_at"].to_list() == [moment.to_pydatetime() for moment in library.closes]
    assert frame["session_no"].to_list() == list(range(1, frame.height + 1))


def test_data_files_are_what_the_command_writes(tmp_path, monkeypatch):
    written = {}
    for name in ("HOLIDAYS_FILE", "SPECIAL_HOURS_FILE"):
        path = getattr(calendar, name)
        written[path.read_text()] = tmp_path / path.name
        monkeypatch.setattr(calendar, name, tmp_path / path.name)
    calendar.write_data_files()
    assert all(path.read_text() == text for text, path in written.items())


def test_closes_of_sessions_weekends_holidays_and_nulls():
    days = [dt.date(2022, 12, 28), dt.date(2022, 11, 25), dt.date(2022, 12, 31), None, dt.date(2022, 7, 1)]
    closes = calendar.close_of("day", pl.DataFrame({"day": days}))
    assert closes.to_list() == [
        dt.datetime(2022, 12, 28, 21, tzinfo=dt.UTC),
        dt.datetime(2022, 11, 25, 18, tzinfo=dt.UTC),  # the day after Thanksgiving closes at 13:00
        dt.datetime(2023, 1, 3, 21, tzinfo=dt.UTC),  # a Saturday, then New Year's holiday on Monday
        None,
        dt.datetime(2022, 7, 1, 20, tzinfo=dt.UTC),  # summer time
    ]


def test_days_after_the_calendars_end():
    frame = pl.DataFrame({"day": [dt.date(2031, 3, 3)]})
    assert calendar.close_of("day", frame).item() == dt.datetime(2031, 3, 3, 21, tzinfo=dt.UTC)
    assert calendar.open_of("day", frame).item() == dt.datetime(2031, 3, 3, 14, 30, tzinfo=dt.UTC)
