"""Which session a night is of: the last one of the data, or one that a person names."""

import bisect
import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from dagster_project.sources.batches import SourceError
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.selection import PricesName, SourceName, market_batches


def sessions_until(day: dt.date) -> list[dt.date]:
    """Every NYSE session up to a day."""
    return session_frame().filter(pl.col("session_date") <= day)["session_date"].to_list()


def last_session(
    source: SourceName, data: str | None, prices: PricesName, *, seed: int = 7, today: dt.date | None = None
) -> dt.date:
    """The last session of the night's bars.

    Parameters
    ----------
    source, data, prices, seed
        The night's choices (``NightConfig``).
    today : datetime.date, optional
        Bars that claim to be later are bad rows and move nothing; default: the clock's date.

    Raises
    ------
    SourceError
        The source has no usable bar.
    """
    limit = today or dt.datetime.now(dt.UTC).date()
    folder = Path(data) if data else None
    dates = [
        _last_date(batch.frame["trade_date"], limit)
        for batch in market_batches(source, data_dir=folder, prices=prices, seed=seed)
        if batch.table == "market__daily_bars" and "trade_date" in batch.frame.columns
    ]
    found = [date for date in dates if date is not None]
    if not found:
        raise SourceError(
            f"source '{source}' has no bar with a readable trade_date up to {limit}: check its bars file"
        )
    return sessions_until(max(found))[-1]


def resolve_session(day: dt.date, today: dt.date | None = None) -> dt.date:
    """Check that a named day can be a night.

    Raises
    ------
    SourceError
        It is no NYSE session, or not over yet; the message names the nearest ones.
    """
    limit = today or dt.datetime.now(dt.UTC).date()
    sessions = session_frame()["session_date"].to_list()
    place = bisect.bisect_left(sessions, day)
    if place == len(sessions) or sessions[place] != day:
        near = ", ".join(str(session) for session in sessions[max(place - 1, 0) : place + 1])
        raise SourceError(f"{day} is not an NYSE session: use one, the nearest are {near}")
    if day > limit:
        raise SourceError(f"{day} is later than today ({limit}): a night needs its session's bars")
    return day


def _last_date(values: pl.Series, limit: dt.date) -> dt.date | None:
    dates = values if values.dtype == pl.Date else values.str.head(10).str.to_date("%Y-%m-%d", strict=False)
    latest: Any = dates.filter(dates <= limit).max()
    return latest
