"""Dates and periods of the calendar, relative to the day on which the text was written.

What belongs here: calendar expressions and the window of days that each means. What
does not: durations (``durations.py``), whether a time is a deadline for cash (``needs.py``) or a horizon
(``horizon.py``).

Conventions: "next month" is that calendar month, "by 15 April" the day itself, "Q3" the quarter,
"spring" 1 March to 21 June, "within two weeks" the day two weeks on. A month or day without a year is
the next one to come. A time in the past is not a plan and is left out.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import calendar
import re
from datetime import date, timedelta
from typing import Final

from ml.intent.almanac import EVENTS, MONTHS, SEASONS
from ml.intent.durations import find_durations
from ml.intent.timespan import TimeSpan

_MONTH = "(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_BEFORE = r"(?P<lead>(?:by|before|until|till|no later than|at|around|about|in|during|on|this|next|come|for|due|since|last|late|early|mid|end of|the end of|beginning of|start of|past|of|from)\s+(?:the\s+)?(?:(?:late|early|mid|next|this|coming|end of|the end of|very end of|beginning of|start of|middle of|last week of|first week of|first half of|second half of)[\s-]+(?:the\s+)?)*)?"
_ISO = re.compile(r"\b(?P<y>(?:19|20)\d\d)-(?P<m>\d\d?)-(?P<d>\d\d?)\b")
_SLASH = re.compile(r"(?<![\d/$])(?P<m>\d\d?)/(?P<d>\d\d?)(?:/(?P<y>(?:20)?\d\d))?(?![\d/%]|\s+of\s)")
_DAY_MONTH = re.compile(
    rf"{_BEFORE}(?<![\d.,$])(?P<d>\d\d?)(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{_MONTH})(?:,?\s+(?P<y>20\d\d))?\b"
)
_MONTH_DAY = re.compile(
    rf"{_BEFORE}\b(?P<month>{_MONTH})\s+(?:the\s+)?(?P<d>\d\d?)(?:st|nd|rd|th)?(?![\d%,.]?\d|k\b)(?:,?\s+(?P<y>20\d\d))?\b"
)
_NTH = re.compile(
    r"\b(?:by|on|before|until|due)\s+the\s+(?P<d>\d\d?)(?:st|nd|rd|th)\b(?!\s+(?:of|birthday|anniversary|floor))"
)
_MONTH_ONLY = re.compile(
    rf"{_BEFORE}(?P<part>(?:late|early|mid)[\s-]+)?\b(?P<month>{_MONTH})(?:,?\s+(?:of\s+)?(?P<y>20\d\d|next year)\b)?"
)
_QUARTER = re.compile(
    rf"{_BEFORE}\b(?:q(?P<q>[1-4])|(?P<word>first|second|third|fourth|last) quarter)(?:\s+(?:of\s+)?(?P<y>20\d\d|next year))?\b"
)
_SEASON = re.compile(
    rf"{_BEFORE}\b(?P<season>(?:(?<=next )|(?<=this )|(?<=in )|(?<=by )|(?<=the ))(?:spring|fall)|(?:spring|fall)(?!\s+(?:back|for|apart|off|into))|summer|autumn|winter)\b(?:\s+(?:of\s+)?(?P<y>20\d\d|next year))?"
)
_EVENT = re.compile(rf"{_BEFORE}\b(?P<event>" + "|".join(re.escape(e) for e in EVENTS) + r")\b")
_CALENDAR = re.compile(
    rf"{_BEFORE}\b(?P<which>next|this|coming|end of the|end of this|end of next|later this|early next|late this|late next|mid)[\s-]?\s?(?:coming\s)?(?P<unit>week|month|quarter|year|calendar year|tax year)\b(?P<end>[\s-]?end\b|'s end\b)?(?:\s+and the (?:year|one) after(?P<two>))?"
)
_YEAR_END = re.compile(
    r"\b(?:year[\s-]?end|end of (?:the |this |calendar )?year|the year is out|(?:when|once|before|as|by the time) the year (?:ends|closes|is over)|close of the year|month[\s-]?end)\b"
)
_YEAR = re.compile(rf"{_BEFORE}\b(?P<y>20[2-9]\d)\b(?![-/,]\d)")
_SOON = re.compile(
    r"\b(?P<word>tomorrow|tonight|today|right now|immediately|asap|this week|the day after tomorrow)\b"
)
_WEEKDAYS: Final = {name.lower(): i for i, name in enumerate(calendar.day_name)}
_WEEKDAY = re.compile(
    r"\b(?:by|before|until|till|due|no later than|on|this|come)\s+(?:on\s+|this\s+|(?:the\s+)?coming\s+)?(?P<next>next\s+)?(?P<day>"
    + "|".join(_WEEKDAYS)
    + r")\b(?!\s+week)"
)
_PAST_VERB: Final = re.compile(
    r"(?<!be )(?<!get )(?<!been )\b(?:took|bought|sold|made|got|had|was|were|lost|began|started|opened|inherited|invested|retired|moved|left|came|went|paid|received|got\s+in|cashed|died|passed(?:\s+away)?)\s+(?:\w+\s+){0,3}?\Z"
)

# "The gains from my share sale in May": when they were made, though the next May lies ahead.
_OF_A_GAIN: Final = re.compile(
    r"\b(?:gains?|profits?|proceeds|income|losses)\s+(?:from|on|of)\s+(?:[\w'-]+\s+){1,5}\Z"
)


def find_times(lower: str, stated_at: date) -> list[TimeSpan]:
    """Find all times that lie ahead of ``stated_at``, longest reading first where two overlap.

    Parameters
    ----------
    lower : str
        Cleaned text.
    stated_at : datetime.date
        Day on which it was written.

    Returns
    -------
    list of TimeSpan
        In order of position, not overlapping.
    """
    if not _FIRST_YEAR <= stated_at.year <= _LAST_YEAR:  # no plan; and dates ahead would leave the calendar
        return []
    found: list[TimeSpan] = []
    for reader in (_calendar_days, _calendar_periods, find_durations):
        for span in reader(lower, stated_at):
            if not any(span.start < other.end and other.start < span.end for other in found):
                found.append(span)
    return sorted(found, key=lambda span: span.start)


def _safe(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def _ahead(month: int, day: int, year: str | None, stated_at: date) -> date | None:
    """Give the day in the stated year, else the next one to come (today counts)."""
    if year:
        return _safe(int(year) if len(year) == 4 else 2000 + int(year), month, day)
    this = _safe(stated_at.year, month, day)
    if this is not None and this < stated_at:
        return _safe(stated_at.year + 1, month, day)
    return this


def _nth_ahead(day: int, stated_at: date) -> date | None:
    """Give the next day of a month with that number: "by the 20th"."""
    for ahead in range(3):
        month = stated_at.month - 1 + ahead
        found = _safe(stated_at.year + month // 12, month % 12 + 1, day)
        if found is not None and found >= stated_at:
            return found
    return None


# "This April I got killed by the IRS": gone by.
_THEN_PAST: Final = re.compile(
    r"\s+(?:i|we|he|she|it|they)\s+(?:got|was|were|had|lost|paid|made|sold|bought|took|owed|went|did|ended\s+up)\b"
)


def _is_past(lead: str | None) -> bool:
    return bool(lead) and bool(re.match(r"(?:since|last|past|from)\b", lead or ""))


def _calendar_days(lower: str, stated_at: date) -> list[TimeSpan]:
    """Single days: ISO, 4/15, 15 April, April 15."""
    found = []
    for pattern in (_ISO, _SLASH, _DAY_MONTH, _MONTH_DAY):
        for match in pattern.finditer(lower):
            parts = match.groupdict()
            month = MONTHS[parts["month"].rstrip(".")] if parts.get("month") else int(parts["m"])
            day = _ahead(month, int(parts["d"]), parts.get("y"), stated_at) if 1 <= month <= 12 else None
            if day is None or day < stated_at or _is_past(parts.get("lead")):
                continue
            found.append(TimeSpan(match.start(), match.end(), day, day, lead=parts.get("lead") or ""))
    for match in _NTH.finditer(lower):
        day = _nth_ahead(int(match.group("d")), stated_at)
        if day is not None:
            found.append(TimeSpan(match.start(), match.end(), day, day, lead="by "))
    for match in _WEEKDAY.finditer(lower):
        if _PAST_VERB.search(lower[max(0, match.start() - 24) : match.start()]):
            continue
        ahead = (_WEEKDAYS[match.group("day")] - stated_at.weekday()) % 7 or 7
        day = stated_at + timedelta(days=ahead)
        # "Next Friday" is the coming one to some and the one after to others.
        found.append(
            TimeSpan(
                match.start(),
                match.end(),
                day,
                day + timedelta(days=7 * bool(match.group("next"))),
                lead="by ",
            )
        )
    for match in _SOON.finditer(lower):
        ahead = {"tomorrow": 1, "the day after tomorrow": 2, "this week": 7, "asap": 7, "immediately": 7}
        last = stated_at + timedelta(days=ahead.get(match.group("word"), 0))
        found.append(TimeSpan(match.start(), match.end(), stated_at, last, lead="now"))
    return found


def _narrow(first: date, last: date, lead: str) -> tuple[date, date]:
    """Apply "end of", "early", "mid": the last week, the first third, the middle."""
    days = (last - first).days
    if "end of" in lead or re.search(r"\bbefore\b.*\bend\b", lead):
        return last, last
    if "beginning of" in lead or "start of" in lead or "first week" in lead:
        return first, first + timedelta(days=min(days, 10))
    if "early" in lead or "first half" in lead:
        return first, first + timedelta(days=days // 3)
    if re.search(r"\bmid|middle", lead):
        return first + timedelta(days=days // 3), first + timedelta(days=2 * days // 3)
    if "late" in lead or "last week" in lead or "second half" in lead:
        return first + timedelta(days=2 * days // 3), last
    return first, last


def _period(match: re.Match[str], first: date, last: date, stated_at: date) -> TimeSpan | None:
    lead = (match.groupdict().get("lead") or "") + (match.groupdict().get("part") or "")
    if last < stated_at or _is_past(lead) or re.search(r"\blast\s+\Z", lead):
        return None
    # "which I took in January": a memory, though the next January lies ahead.
    before = match.string[max(0, match.start() - 24) : match.start()]
    if not lead.startswith(("by", "before", "next", "this")) and _PAST_VERB.search(before):
        return None
    if _THEN_PAST.match(match.string, match.end()) and not lead.startswith(("by", "before")):
        return None
    is_told = lead.startswith("in ") and match.group("lead") is not None
    if is_told and _OF_A_GAIN.search(match.string[max(0, match.start() - 60) : match.start()]):
        return None
    first, last = _narrow(first, last, lead)
    # "before May" and "until summer" end where the period begins.
    if re.match(r"(?:before|until|till)\b", lead) and "end" not in lead and first > stated_at:
        last = first
    return TimeSpan(match.start(), match.end(), max(first, stated_at), max(last, stated_at), lead=lead)


def _calendar_periods(lower: str, stated_at: date) -> list[TimeSpan]:
    """Months, quarters, seasons, years, holidays and "next month"."""
    found: list[TimeSpan | None] = []
    for match in _QUARTER.finditer(lower):
        number = (
            match.group("q")
            or {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4}[match.group("word")]
        )
        first_month = 3 * int(number) - 2
        year = _year_of(match, stated_at) or stated_at.year
        if not match.group("y") and _month_end(year, first_month + 2) < stated_at:
            year += 1
        found.append(_period(match, date(year, first_month, 1), _month_end(year, first_month + 2), stated_at))
    for match in _EVENT.finditer(lower):
        found.append(_yearly(match, *EVENTS[match.group("event")], None, stated_at))
    for match in _SEASON.finditer(lower):
        # "the balance must not fall" is no season.
        if match.group("season") == "fall" and not re.search(
            r"\b(?:in|by|this|next|before|until|till|during|the|late|early|mid|come|for)\b",
            match.group("lead") or "",
        ):
            continue
        found.append(_yearly(match, *SEASONS[match.group("season")], _year_of(match, stated_at), stated_at))
    for match in _MONTH_ONLY.finditer(lower):
        found.append(_named_month(match, stated_at))
    for match in _YEAR_END.finditer(lower):
        is_month = match.group().startswith("month")
        end = _month_end(stated_at.year, stated_at.month) if is_month else date(stated_at.year, 12, 31)
        found.append(TimeSpan(match.start(), match.end(), end, end, lead="by"))
    found += [_relative_period(match, stated_at) for match in _CALENDAR.finditer(lower)]
    for match in _YEAR.finditer(lower):
        year = int(match.group("y"))
        found.append(_period(match, date(year, 1, 1), date(year, 12, 31), stated_at))
    return [span for span in found if span is not None]


def _year_of(match: re.Match[str], stated_at: date) -> int | None:
    """Give the year that stands beside a month, season or quarter: "2027", "next year"."""
    year = match.group("y")
    if year is None:
        return None
    return int(year) if year.isdigit() else stated_at.year + 1


def _yearly(
    match: re.Match[str], first: tuple[int, int], last: tuple[int, int], year: int | None, stated_at: date
) -> TimeSpan | None:
    """A season or holiday: this year's, or the next one if this year's is over."""
    start_year = year or stated_at.year
    wraps = last < first
    for candidate in (start_year - 1, start_year, start_year + 1) if not year else (start_year,):
        end = date(candidate + wraps, *last)
        if end >= stated_at or year:
            begin = date(candidate, *first)
            lead = match.groupdict().get("lead") or ""
            # "next summer", said in summer, is the coming year's.
            if re.search(r"\bnext\b", lead) and begin <= stated_at:
                begin, end = date(candidate + 1, *first), date(candidate + 1 + wraps, *last)
            return _period(match, begin, end, stated_at)
    return None


def _named_month(match: re.Match[str], stated_at: date) -> TimeSpan | None:
    name = match.group("month").rstrip(".")
    lead = match.group("lead") or ""
    # "may" and "march" are verbs unless a preposition or a year makes them months.
    if name in ("may", "march", "mar", "sep", "dec", "jan", "jun") and not (
        lead.strip() or match.group("y") or _is_item(match)
    ):
        return None
    if name == "may" and lead.strip() in ("for", "at", "about", "of", "from", "past"):
        return None
    month = MONTHS[name]
    year = _year_of(match, stated_at) or stated_at.year + (month < stated_at.month)
    if not match.group("y") and re.search(r"\bnext\b", lead) and month == stated_at.month:
        year += 1
    return _period(match, date(year, month, 1), _month_end(year, month), stated_at)


def _is_item(match: re.Match[str]) -> bool:
    """Say whether a month stands alone between stops, as notes write it: "8% of NAV, March, for the grant"."""
    text = match.string
    return (
        text[: match.start()].rstrip().endswith((",", ":", ";", "("))
        and re.match(r"\s*(?:[,;.)]|$)", text[match.end() :]) is not None
    )


def _relative_period(match: re.Match[str], stated_at: date) -> TimeSpan | None:
    """Next month, this quarter, end of next year ..."""
    which, unit = match.group("which"), match.group("unit").split()[-1]
    lead = f"{match.group('lead') or ''}{which} "
    step = 1 if "next" in lead or which == "coming" or re.search(r"\bnext\b|\bcoming\b", match.group()) else 0
    if unit == "week":
        monday = stated_at + timedelta(days=7 * step - stated_at.weekday())
        first, last = monday, monday + timedelta(days=6)
    elif unit == "year":
        first, last = date(stated_at.year + step, 1, 1), date(stated_at.year + step, 12, 31)
    else:
        size = 1 if unit == "month" else 3
        index = (stated_at.year * 12 + stated_at.month - 1) // size * size + step * size
        first = date(index // 12, index % 12 + 1, 1)
        closing = index + size - 1
        last = _month_end(closing // 12, closing % 12 + 1)
    if match.group("two") is not None:
        last = last.replace(year=last.year + 1)
    if match.group("end"):
        first = last
    return _period(match, first, last, stated_at)
