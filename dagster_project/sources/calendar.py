"""NYSE sessions, 1989 to 2030, with their opening and closing times in UTC.

The two data files hold what ``exchange_calendars`` (calendar XNYS) says: weekdays without a
session, and sessions with other hours than 09:30 to 16:00 New York time. Reading them takes
milliseconds where the library takes 2 seconds to import and compute; a test holds them equal to
the installed library, and ``python -m dagster_project.sources.calendar`` writes them anew.
"""

import datetime as dt
import functools
from pathlib import Path
from typing import Final

import polars as pl

from dagster_project.sources.contracts import RAW_TABLES

DATA_DIR: Final = Path(__file__).parent / "data"
HOLIDAYS_FILE: Final = DATA_DIR / "nyse_holidays.txt"
SPECIAL_HOURS_FILE: Final = DATA_DIR / "nyse_special_hours.csv"
FIRST_DAY: Final = dt.date(1989, 1, 1)
LAST_DAY: Final = dt.date(2030, 12, 31)
NEW_YORK: Final = "America/New_York"
_OPENS: Final = dt.time(9, 30)
_CLOSES: Final = dt.time(16, 0)


@functools.cache
def session_frame() -> pl.DataFrame:
    """Every session as a row of ``raw.market__sessions``.

    Returns
    -------
    polars.DataFrame
        ``session_no`` (running from 1), ``session_date``, ``open_at`` and ``close_at`` (UTC), by date.
    """
    holidays = pl.Series(
        [dt.date.fromisoformat(line) for line in HOLIDAYS_FILE.read_text().split()], dtype=pl.Date
    )
    special = pl.read_csv(
        SPECIAL_HOURS_FILE, schema={"session_date": pl.Date, "opens": pl.String, "closes": pl.String}
    ).with_columns(pl.col("opens", "closes").str.to_time("%H:%M"))
    days = pl.DataFrame({"session_date": pl.date_range(FIRST_DAY, LAST_DAY, "1d", eager=True)})
    sessions = days.filter(
        pl.col("session_date").dt.weekday() <= 5, ~pl.col("session_date").is_in(holidays.implode())
    ).join(special, on="session_date", how="left", maintain_order="left")
    return sessions.select(
        session_no=pl.int_range(1, pl.len() + 1, dtype=pl.Int32),
        session_date="session_date",
        open_at=_utc(pl.col("opens").fill_null(_OPENS)),
        close_at=_utc(pl.col("closes").fill_null(_CLOSES)),
    ).cast(RAW_TABLES["market__sessions"].polars_schema)


def _utc(time: pl.Expr) -> pl.Expr:
    """Turn a New York wall time on ``session_date`` into UTC."""
    return pl.col("session_date").dt.combine(time).dt.replace_time_zone(NEW_YORK).dt.convert_time_zone("UTC")


def close_of(column: str, frame: pl.DataFrame) -> pl.Series:
    """UTC close of the session of each date; a day without one takes the next session's.

    Parameters
    ----------
    column : str
        A date column of ``frame``.
    frame : polars.DataFrame
        Any rows.

    Returns
    -------
    polars.Series
        One timestamp per row, in order; null for null dates. Dates after the calendar's end count
        as closing at 21:00 UTC, the winter close.
    """
    return _session_time(column, frame, "close_at", dt.time(21, 0))


def open_of(column: str, frame: pl.DataFrame) -> pl.Series:
    """UTC open of the session of each date; a day without one takes the next session's. As ``close_of``."""
    return _session_time(column, frame, "open_at", dt.time(14, 30))


def _session_time(column: str, frame: pl.DataFrame, which: str, beyond: dt.time) -> pl.Series:
    sessions = session_frame().select("session_date", which)
    dates = frame.select(_date=pl.col(column)).with_row_index("_row").sort("_date", nulls_last=True)
    known = dates.filter(pl.col("_date").is_not_null()).join_asof(
        sessions, left_on="_date", right_on="session_date", strategy="forward", check_sortedness=False
    )
    fallback = pl.col("_date").dt.combine(beyond).dt.replace_time_zone("UTC")
    known = known.with_columns(pl.coalesce(which, fallback).dt.cast_time_unit("us"))
    return (
        dates.select("_row")
        .sort("_row")
        .join(known.select("_row", which), on="_row", how="left", maintain_order="left")
    )[which].alias(column)


def write_data_files() -> None:
    """Write both data files from the installed ``exchange_calendars``."""
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
    opens, closes = (series.dt.tz_convert(NEW_YORK).dt.time for series in (calendar.opens, calendar.closes))
    sessions = {day.date(): (opens[day], closes[day]) for day in calendar.sessions}
    days = (FIRST_DAY + dt.timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1))
    holidays = [day for day in days if day.weekday() < 5 and day not in sessions]
    HOLIDAYS_FILE.write_text("".join(f"{day}\n" for day in holidays))
    special = {day: hours for day, hours in sessions.items() if hours != (_OPENS, _CLOSES)}
    rows = (f"{day},{opens:%H:%M},{closes:%H:%M}\n" for day, (opens, closes) in special.items())
    SPECIAL_HOURS_FILE.write_text("session_date,opens,closes\n" + "".join(rows))


if __name__ == "__main__":
    write_data_files()
