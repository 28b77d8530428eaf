"""Holding periods by the calendar, never by counting 365 days.

Source: TAX_RULES section 2; IRC 1222, 1223; Rev. Rul. 66-7.
"""

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache

from ml.tax.units import to_date, to_day


def first_long_term_date(start: date) -> date:
    """Return the first date on which a sale is long-term.

    Parameters
    ----------
    start : date
        The acquisition date, or the date that tacking puts in its place. The holding period begins
        the day after it.

    Returns
    -------
    date
        One year and one day after ``start``; for a start on the last day of a month, the first of
        the month after it, one year later (2011-02-28 gives 2012-03-01).

    Notes
    -----
    Source: Rev. Rul. 66-7. A purchase on 29 February is a last day of a month, so that no date is
    without an anniversary.
    """
    if start.day == monthrange(start.year, start.month)[1]:
        year, month = divmod(start.month, 12)
        return date(start.year + 1 + year, month + 1, 1)
    return start.replace(year=start.year + 1) + timedelta(days=1)


def is_long_term(start: date, sold: date) -> bool:
    """Say whether shares held from ``start`` are long-term when sold on ``sold``."""
    return sold >= first_long_term_date(start)


@lru_cache(maxsize=65_536)
def first_long_term_day(start_day: int) -> int:
    """Do what :func:`first_long_term_date` does, on day numbers."""
    return to_day(first_long_term_date(to_date(start_day)))


@lru_cache(maxsize=65_536)
def six_months_after(day: int) -> int:
    """Return the last day on which shares acquired on ``day`` are held six months or less."""
    start = to_date(day)
    year, month = divmod(start.month + 5, 12)
    year, month = start.year + year, month + 1
    return to_day(date(year, month, min(start.day, monthrange(year, month)[1])))


def tacked_start(replacement_day: int, sale_day: int, sold_start_day: int, method: str) -> int:
    """Return the holding period start of a replacement lot after a wash sale.

    Parameters
    ----------
    replacement_day : int
        Day number of the replacement's acquisition.
    sale_day, sold_start_day : int
        Day numbers of the loss sale and of the holding period start of the shares sold.
    method : {"add_days", "replacement", "no_overlap"}
        Setting A2: add the days that the sold shares were held (default), take over their start, or
        add only the days in which the two were not held together.

    Raises
    ------
    ValueError
        If the method is not one of the three.

    Notes
    -----
    Source: IRC 1223(3), TAX_RULES section 3.6 and A2.
    """
    if method == "add_days":
        return replacement_day - (sale_day - sold_start_day)
    if method == "replacement":
        return sold_start_day
    if method == "no_overlap":
        overlap = max(0, sale_day - max(replacement_day, sold_start_day))
        return replacement_day - (sale_day - sold_start_day - overlap)
    raise ValueError(f"A2 method {method!r} is unknown; use add_days, replacement or no_overlap")
