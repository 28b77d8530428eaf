"""Durations: "3-4 months", "a year and a half", "20+ years", "the next few weeks".

What belongs here: durations ahead and the range of months that each means. What does not: the calendar
(``dates.py``), whether a duration is a horizon (``horizon.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from datetime import date, timedelta
from typing import Final

from ml.intent.numbers import WORD_NUMBER, word_value
from ml.intent.timespan import DAYS_PER_MONTH, OPEN_HORIZON_MONTHS, TimeSpan

_UNIT_MONTHS: Final = {
    "day": 1 / DAYS_PER_MONTH,
    "week": 7 / DAYS_PER_MONTH,
    "fortnight": 14 / DAYS_PER_MONTH,
    "month": 1.0,
    "quarter": 3.0,
    "year": 12.0,
    "decade": 120.0,
}
_NUMBER = rf"(?:\d{{1,3}}(?:\.\d)?|{WORD_NUMBER}|an?|a\s+couple(?:\s+of)?|a\s+few|several|half\s+an?|half|couple(?:\s+of)?|few)"
# Common slips of the keyboard are read too: a horizon of "20 yeers" is stated.
_UNIT = r"(?:days?|weeks?|fortnights?|wks?|weeeks|weks|months?|mos?|mths?|mnths?|monhts|motnhs|quarters?(?!\s+of\b)|years?|yrs?|yeers?|yers|yeras|yeasr|yaers|eyars|decades?)"
_DURATION = re.compile(
    rf"(?<![\w.$])(?P<low>{_NUMBER})(?P<plus>\s?\+|[\s-]plus\b)?(?:\s?(?:-|to|or|and)\s?(?P<high>{_NUMBER}))?(?P<plus2>\s?\+)?(?P<half>\s+and\s+a\s+half|\s?1/2|\s?½)?[\s-]?(?:(?:trading|business|working|calendar|full|more|odd)\s)?(?P<unit>{_UNIT})\b(?P<half2>\s+and\s+a\s+half\b)?(?P<more>\s(?:or|and)\s(?:more|longer|beyond))?"
)
_BARE = re.compile(
    r"\b(?:the\s+)?(?:next|coming|following)\s+(?P<unit>days|weeks|months|years|decade|year or so|year or two)\b"
    r"|\b(?:over|in|within|for|matter of|out)\s+(?:the\s+)?(?P<unit2>days|weeks|months|decades)\b"
    r"|(?:^|[,;.(]\s?|\bsome\s|\bonly\s|\bjust\s)(?P<most>days|weeks|months)(?=,?\s(?:at (?:the )?(?:very )?most|max(?:imum)?|tops|only)\b)"
    r"|\b(?P<daily>(?:a |within |over |in )(?:matter of |few )?(?:days|weeks))\b"
)
_WITHIN = re.compile(
    r"(?:within|inside|in|less than|under|at most|no more than|before)\s+(?:the\s+next\s+|about\s+|around\s+|roughly\s+|just\s+|like\s+|maybe\s+)*\Z"
)


def _number(text: str) -> tuple[float, float]:
    """Lower and upper value of a count: digits, words, "a few" (2 to 6), "several" (3 to 8)."""
    text = re.sub(r"\s+", " ", text.strip())
    if text in ("a", "an"):
        return 1.0, 1.0
    if "couple" in text:
        return 2.0, 2.0
    if "few" in text:
        return 2.0, 6.0
    if text == "several":
        return 3.0, 8.0
    if text.startswith("half"):
        return 0.5, 0.5
    value = word_value(text)
    value = float(text) if value is None else value
    return value, value


def find_durations(lower: str, stated_at: date) -> list[TimeSpan]:
    """Find durations ahead: "3-4 months", "20+ years", "within two weeks", "the next few years".

    Parameters
    ----------
    lower : str
        Cleaned text.
    stated_at : datetime.date
        Day on which it was written.

    Returns
    -------
    list of TimeSpan
        In order of position; what looks back, or is an age, is left out.
    """
    found = []
    for match in _DURATION.finditer(lower):
        unit = _unit_name(match.group("unit"))
        low, upper = _number(match.group("low"))
        if match.group("high"):
            upper = max(_number(match.group("high")))
        if match.group("half") or match.group("half2"):  # "two and a half years", "a year and a half"
            low, upper = (0.5 + low, upper) if low == upper and not match.group("high") else (low, upper)
            upper = upper + 0.5
        before, after = (
            lower[max(0, match.start() - 40) : match.start()],
            lower[match.end() : match.end() + 24],
        )
        if _is_memory(before, after):
            continue
        months = (low * _UNIT_MONTHS[unit], max(low, upper) * _UNIT_MONTHS[unit])
        is_open = bool(match.group("plus") or match.group("plus2") or match.group("more")) or bool(
            re.search(
                r"\b(?:at least|more than|for over|well over|beyond|minimum of|longer than)\s+(?:the next\s+)?\Z",
                before,
            )
            and unit in ("year", "decade")
        )
        found.append(_ahead_by(match, months, is_open, stated_at, "within" if _WITHIN.search(before) else ""))
    found += _without_unit(lower, stated_at)
    for match in _BARE.finditer(lower):
        word = (
            match.group("unit")
            or match.group("unit2")
            or match.group("most")
            or match.group("daily").split()[-1]
        )
        low, upper = _BARE_MONTHS.get(word, (0.0, 0.0))
        if upper and not _is_memory(
            lower[max(0, match.start() - 40) : match.start()], lower[match.end() : match.end() + 24]
        ):
            found.append(_ahead_by(match, (low, upper), False, stated_at, "within"))
    return [span for span in found if span is not None]


# "Want to retire, have 10 left": years, where a working life is spoken of.
_LEFT: Final = re.compile(
    r"\b(?:have|has|got|with|maybe|perhaps|about|roughly|around|only|another|say|still)\s+(?P<count>\d{1,2})\s+(?:(?:or\s+so\s+)?(?:left|to\s+go)|more\s+to\s+go)\b(?!\s+(?:to\s+(?:sell|buy)|in\s+the\s+(?:lot|account)))"
)
_LIFE: Final = re.compile(
    r"\b(?:retir\w+|work(?:ing)?\s+(?:life|years|until|till)|career|pension|semi-retir\w+|before\s+i\s+(?:stop|quit)|till\s+i\s+(?:stop|quit)|grow(?:th|ing)?|compound\w*)\b"
)


def _without_unit(lower: str, stated_at: date) -> list[TimeSpan | None]:
    if _LIFE.search(lower) is None:
        return []
    found = []
    for match in _LEFT.finditer(lower):
        months = 12.0 * int(match.group("count"))
        found.append(_ahead_by(match, (months, months), False, stated_at, ""))
    return found


_BARE_MONTHS: Final = {
    "days": (0.0, 0.5),
    "weeks": (0.25, 2.0),
    "months": (1.0, 9.0),
    "decade": (120.0, 120.0),
    "year or so": (10.0, 15.0),
    "year or two": (12.0, 24.0),
}


def _unit_name(unit: str) -> str:
    unit = unit.rstrip("s")
    if unit.startswith(("y", "ey")):
        return "year"
    return {"wk": "week", "weeek": "week", "wek": "week", "mo": "month", "mth": "month"}.get(
        unit, "month" if unit.startswith("m") else unit
    )


# "I worked for one for 30 years", "I've been a nurse for 20 years".
_BEHIND = re.compile(
    r"\b(?:worked|served|taught|lived|ran|owned|spent|drove|managed|built|practi[cs]ed|married|in\s+the\s+(?:navy|army|military|service|marines|air\s+force|business)|widowed|(?:was|were)(?!\s+(?:hoping|thinking|planning|looking|going|told|wondering))|"
    r"been(?!\s+(?:hoping|thinking|planning|looking|wanting|considering|told|advised|meaning)))\b[^.,;:!?\n]{0,30}?\b(?:for\s+)?(?:over\s+|about\s+|almost\s+|nearly\s+|more\s+than\s+|some\s+|the\s+\w+\s+)?\Z"
)


def _is_memory(before: str, after: str) -> bool:
    """Say whether a duration looks back, or is an age."""
    if _BEHIND.search(before) and not re.search(r"\bin\s+(?:the\s+)?(?:next\s+)?\Z", before):
        return True
    # "it should be big after 18 years" looks ahead.
    if re.search(r"\b(?:should|shall|will|must|be|want\w*|need\w*)\b[^.;!?\n]{0,24}\bafter\s+\Z", before):
        return False
    return bool(
        re.search(
            r"\b(?:last|past|previous|prior|after|age(?:d)?|for over the past|since|every|each|held(?: for)?|been \w+ for)\s+(?:the\s+)?\Z",
            before,
        )
        or re.search(
            r"\b(?:i'm|i am|im|he's|she's|aged?|turning|just turned|am)\s+(?:now\s+|nearly\s+|almost\s+|about\s+|only\s+)?\Z",
            before,
        )
        or re.match(
            r"\s?(?:ago|old\b|(?:at|of|in|doing) (?:it|this|that|the (?:business|game|trade|market|markets|desk))\b(?=\s*(?:$|[.,;!?)]))|of age|-old|of (?:work|service|marriage|experience|saving|age)|back\b|earlier|younger|older)",
            after,
        )
    )


def _ahead_by(
    match: re.Match[str], months: tuple[float, float], is_open: bool, stated_at: date, lead: str
) -> TimeSpan | None:
    if months[1] > OPEN_HORIZON_MONTHS:
        return None
    day = [stated_at + timedelta(days=round(m * DAYS_PER_MONTH)) for m in months]
    return TimeSpan(match.start(), match.end(), day[0], day[1], months, is_open, lead)
