"""Partitions: one per NYSE session. A leaf module; it imports no other module of the project.

The holidays are a small data file, so that loading the definitions needs no calendar library;
a test holds the file equal to ``exchange_calendars``.
"""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg

NEW_YORK = ZoneInfo("America/New_York")
FIRST_SESSION = "1990-01-02"
HOLIDAYS_FILE = Path(__file__).parent / "sources" / "data" / "nyse_holidays.txt"


def nyse_holidays() -> list[dt.date]:
    """Weekdays from 1989 to 2030 on which the New York Stock Exchange stays closed."""
    return [dt.date.fromisoformat(line) for line in HOLIDAYS_FILE.read_text().split()]


nyse_sessions = dg.TimeWindowPartitionsDefinition(
    start=FIRST_SESSION,
    fmt="%Y-%m-%d",
    cron_schedule="0 0 * * 1-5",
    timezone="America/New_York",
    end_offset=1,
    exclusions=[dt.datetime.combine(day, dt.time(), tzinfo=NEW_YORK) for day in nyse_holidays()],
)
