"""A time that a text states.

What belongs here: its shape. What does not: reading it (``dates.py``, ``durations.py``).
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

DAYS_PER_MONTH: Final = 365.25 / 12
OPEN_HORIZON_MONTHS: Final = 600


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A time found in the text.

    Attributes
    ----------
    start, end : int
        Position.
    first, last : datetime.date or None
        The window as a calendar date; for a duration, the day that lies that far ahead.
    months : tuple of float or None
        Shortest and longest, of a duration; None of a calendar date.
    is_open : bool
        "20+ years": no upper end.
    lead : str
        The preposition before it, for telling plans from memories.
    """

    start: int
    end: int
    first: date
    last: date
    months: tuple[float, float] | None = None
    is_open: bool = False
    lead: str = ""
