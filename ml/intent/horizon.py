"""Horizons: which of a text's times is the one over which its objective is to be reached.

What belongs here: choosing among the times that are no deadline of a cash need, and the way from one age
to another. What does not: finding dates and durations (``dates.py``, ``durations.py``), cash needs
(``needs.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from datetime import date
from typing import Final

from ml.intent.grammar import Mention
from ml.intent.needs import DEADLINE_LEAD
from ml.intent.text import CleanText, Piece
from ml.intent.timespan import DAYS_PER_MONTH, OPEN_HORIZON_MONTHS, TimeSpan

_HORIZON_NEAR: Final = 250
_BARE_WORDS: Final = 3
_NOT_AN_AGE: Final = r"(?!\s*(?:%|k\b|percent|months?|days?|weeks?|thousand|grand|dollars|bucks|,\d))"
_AGE_NOW: Final = re.compile(
    rf"(?<!until )(?<!till )(?<!when )(?<!before )(?<!once )(?<!by the time )\b(?:i'?m|i\s+am|we'?re|we\s+are|aged?:?|turn(?:ed|ing)|just\s+turned)\s+(?:both\s+)?(?:now\s+|about\s+|only\s+|just\s+|nearly\s+|almost\s+|age\s+)?(?P<age>[2-7]\d)\b{_NOT_AN_AGE}"
    r"|(?:^|[.;\n])\s*(?:[a-z]{2,15}[\s,]+){0,2}[a-z]{3,15},\s*(?P<job>[2-7]\d)\s*[,.;]|\b(?P<now>[2-7]\d)\s+now\b|[a-z]\s?\((?:both\s+|aged?\s+|now\s+)?(?P<bracket>[2-7]\d)\)|\A\s*(?P<first>[2-7]\d)\s?[,;](?=\s[a-z])|\b(?:here|hi|hello),?\s+(?P<here>[2-7]\d)\s*[,.;]|\b(?P<old>[2-7]\d)\s*(?:-|\s)?\s*(?:(?:years?|yrs?|yo)(?:[\s-]+old)|yo|yrs?/o|y/o|years?/o)\b|\b(?P<birthday>[2-7]\d)(?:st|nd|rd|th)\s+birthday"
    # A forum's "34F", and what is said of the present: "starting over at 51", "at 42 I have nothing".
    r"|(?:^|[\n(,;.]\s*)(?:[mf](?P<sex>[2-7]\d)|(?P<sex_after>[2-7]\d)\s?[mf](?=\s?[,.;)/(]|\s+here))\b"
    rf"|\b(?:start\w*|begin\w*|over|again|single|alone|divorced|widowed|laid\s+off|here)\s+at\s+(?:age\s+)?(?P<state>[2-7]\d)\b{_NOT_AN_AGE}|(?:^|[.;!?\n])\s*(?:so\s+|now\s+)?at\s+(?:age\s+)?(?P<opens>[2-7]\d)\b,?(?=\s+(?:i|we|with|and)\b)"
    # A child's: "my daughter is 6, college at 18".
    r"|\b(?:daughter|son|kid|child|grand\w+|baby|girl|boy|twins|niece|nephew|(?:s?he)(?=\s+is|'s))(?:'s|\s+is|\s+are|\s+just\s+turned|\s+turned|,)?\s+(?P<child>1?\d|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen)\b(?!\s*(?:months?|weeks?|%|k\b))"
    # "My son (7)", "we have a two-year-old".
    r"|\b(?:daughter|son|kid|child|grand\w+|baby|girl|boy|niece|nephew)\s?\((?:aged?\s+|is\s+|now\s+)?(?P<small>1?\d)\)|\b(?P<tot>1?\d|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen)[\s-]+(?:years?|yrs?|yo)[\s-]+olds?\b"
)
_LAST_DAY: Final = r"(?:retir\w*|semi-retir\w*|fire|stop(?:ping)?(?:\s+work(?:ing)?)?|hang\s+(?:(?:it|things)\s+up|up\s+my\s+\w+)|call\s+it\s+quits|leave\s+(?:work|my\s+job|the\s+workforce)|quit(?:ting)?(?:\s+work(?:ing)?)?|pension|(?:be\s+)?done(?:\s+working)?|finish(?:ed)?(?:\s+work(?:ing)?)?|out(?=\s+(?:at|by)\s+\d)|out\s+of\s+(?:the\s+rat\s+race|work|the\s+workforce|here)|financial(?:ly)?\s+(?:independen\w+|free(?:dom)?)|work(?:ing)?)"
_AGE_THEN: Final = re.compile(
    rf"\b{_LAST_DAY}\b[^.;!?\n]{{0,30}}?\b(?:at|by|to|until|till|when\s+i'?m|around|before)\s+(?:age\s+|about\s+|i'?m\s+|i\s+am\s+|i\s+turn\s+)?(?P<retire>[4-8]\d)\b"
    r"|\b(?:until|till|by\s+the\s+time|when|before|once)\s+(?:i'?m|i\s+am|i\s+turn|i\s+hit|i\s+reach|age|im)\s+(?:age\s+)?(?P<turn>[3-8]\d)\b|\b(?:at|by|target|goal|retirement)\s+age\s*(?:of|is|:|=)?\s*(?P<by>[3-8]\d)\b|\b(?:college|university|school|uni|campus)\s+(?:\w+\s+)?(?:at|by|when\s+s?he(?:'s|\s+is|\s+turns))\s+(?P<school>1[6-9]|2\d)\b|\b(?:turns?|(?:his|hers|theirs)\s+at|until\s+s?he(?:'s|\s+is)|when\s+s?he(?:'s|\s+is))\s+(?P<grown>1[6-9]|2[1-5])\b"
    r"|\btarget(?:ing)?\s+(?:of\s+|is\s+)?(?:age\s+)?(?P<target>[4-7]\d)\b(?!\s*(?:%|k\b|percent|thousand|grand|dollars|shares|months|,\d))|\b(?:for|in|by|until|till|into|through)\s+(?:my|our|his|her|their|the)\s+(?:early\s+|mid\s*-?\s*|late\s+)?(?P<decade>forties|fifties|sixties|seventies)\b|\b(?:till|until|at|by)\s+(?P<plain>[4-8][05])\b(?!\s*(?:%|k\b|percent|days|months|weeks|,|dollars))"
)


def _age_horizon(lower: str) -> tuple[float, float] | None:
    """Give the months from a stated age to a stated target age; an age in both roles is the present one."""
    now = _AGE_NOW.search(lower)
    if now is None:
        return None
    then = next((m for m in _AGE_THEN.finditer(lower) if not m.start() <= now.end() - 1 < m.end()), None)
    if then is None:
        return None
    ages = [_age(match) for match in (now, then)]
    years = ages[1] - ages[0]
    if not 1 <= years <= _MAX_YEARS:
        return None
    return 12.0 * years, 12.0 * (years + (_DECADE if then.group("decade") else 0))


def _age(match: re.Match[str]) -> int:
    word = next(group for group in match.groups() if group)
    return int(word) if word.isdigit() else _AGE_WORDS[word]


_MAX_YEARS: Final = 50
_DECADE: Final = 9
_AGE_WORDS: Final = {
    word: age
    for age, word in enumerate(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split(),
        1,
    )
} | {"forties": 40, "fifties": 50, "sixties": 60, "seventies": 70}


# A text that states a horizon and nothing else.
_HORIZON_ALONE: Final = re.compile(
    r"\W{0,4}(?:(?:my|our|the|investment|time|i\s+have|we\s+have|an?|with|is|about)\s+){0,4}(?:(?P<length>\w[\w+-]{0,15}(?:\s(?:or|to)\s\w[\w+-]{0,15})?[\s-](?:years?|yrs?|months?|mos?|decades?))[\s-]+)?(?:horizon|time[\s-]?(?:frame|line|horizon))\b(?:\s*(?:is|of|:|=|-|about|around|roughly|maybe|say|would\s+be|approximately|for\s+this(?:\s+\w+)?)\s*){0,3}(?:\w[\w+-]{0,15}(?:\s(?:or|to)\s\w[\w+-]{0,15})?[\s-]*(?:years?|yrs?|months?|mos?|decades?))?\W{0,4}"
)


def is_horizon_alone(lower: str) -> bool:
    """Say whether a text states how long and not what for.

    Parameters
    ----------
    lower : str
        Cleaned lower-case text.
    """
    return _HORIZON_ALONE.fullmatch(lower.strip(" \n\x01")) is not None


# "Moderate risk, 7 years, no oil stocks": an item of a list.
_ITEM: Final = re.compile(
    r"(?:^|[,;.\n])\s*(?:(?:for|over|about|roughly|around|approx\.?|horizon|time\s?(?:frame|horizon|line)|timing|term)\s*(?:is|of|:|=|-)?\s*){0,2}~?\s?(?:the\s+next\s+)?(?:\d{1,2}(?:\s?(?:-|to)\s?\d{1,2})?\+?|[a-z]{3,9})[\s-]?(?:years?|yrs?|decades?)(?:\s+(?:horizon|time\s?frame|out|or\s+so|minimum|maximum))?\s*(?=[,;.\n]|$)"
)


def find_horizon_item(
    text: CleanText, times: list[TimeSpan], used: list[tuple[int, int]]
) -> tuple[int, int] | None:
    """Find a horizon that stands by itself in a list of wishes without an objective.

    Parameters
    ----------
    text : CleanText
        The statement.
    times : list of TimeSpan
        All that it states.
    used : list of (start, end)
        Times of cash needs.
    """
    for match in _ITEM.finditer(text.lower):
        for time in times:
            if time.months is None or not match.start() <= time.start < match.end():
                continue
            if not any(start <= time.start < end for start, end in used):
                return _tolerant(time.months[0], OPEN_HORIZON_MONTHS if time.is_open else time.months[1])
    return None


def find_horizon(
    text: CleanText,
    times: list[TimeSpan],
    mentions: list[Mention],
    used: list[tuple[int, int]],
    stated_at: date,
    objective: str | None,
) -> tuple[int, int] | None:
    """Choose the time over which the objective is to be reached.

    A time counts if it stands in the sentence of a named objective or next to it and is neither the
    deadline of a cash need nor part of a tax rule (a year's holding, 30 days). A horizon that stands alone
    needs no objective.
    """
    if times and is_horizon_alone(text.lower):
        return _tolerant(*_months(times[0], stated_at))
    ages = _age_horizon(text.lower)
    if ages is not None and (not mentions or {m.objective for m in mentions} != {"short_term_gain"}):
        return _tolerant(*ages)
    # "Beat the market in two weeks; a profit inside a quarter comes second": the first one's time.
    if any(m.rank > 0 for m in mentions) and any(m.rank < 0 for m in mentions):
        used = used + _times_of_second(text, times, mentions, objective)
    best: tuple[float, TimeSpan] | None = None
    sentences = text.sentences()
    for time in times:
        if any(start <= time.start < end for start, end in used) or _is_rule(text.lower, time, mentions):
            continue
        if objective == "tax_loss_harvesting" and time.months is None and not DEADLINE_LEAD.match(time.lead):
            continue  # "this year", "in December": when losses are taken, not how long
        if (
            objective == "long_term_gain"
            and not time.is_open
            and _months(time, stated_at)[1] < _MIN_GROWTH_MONTHS
        ):
            continue  # "no gains this year": growth takes longer
        if time.lead == "now" and objective in ("capital_preservation", "long_term_gain"):
            continue  # "effective today"
        if time.months is None and _belongs_to_losses(time, mentions, objective):
            continue
        home = next((s for s in sentences if s.start <= time.start < s.end), None)
        if home is None:
            continue
        distance = _objective_distance(text.lower, time, mentions, home)
        if distance is not None and (best is None or distance < best[0]):
            best = (distance, time)
    if best is None:
        return None
    time = best[1]
    low, high = _months(time, stated_at)
    if time.months is not None and time.lead == "within" and low == high and high < 24:
        low = 0.8 * low
    return _tolerant(low, OPEN_HORIZON_MONTHS if time.is_open else high)


def _times_of_second(
    text: CleanText, times: list[TimeSpan], mentions: list[Mention], objective: str | None
) -> list[tuple[int, int]]:
    """Give the times whose sentence names only what comes second, where the first has a time of its own."""
    homes = [(s, [m for m in mentions if s.start <= m.start < s.end]) for s in text.sentences()]
    first = [s for s, named in homes if any(m.objective == objective for m in named)]
    if not any(s.start <= t.start < s.end for s in first for t in times):
        return []
    second = [s for s, named in homes if named and all(m.objective != objective for m in named)]
    return [(t.start, t.end) for t in times if any(s.start <= t.start < s.end for s in second)]


def horizon_of_purchase(by: tuple[date, date], stated_at: date) -> tuple[int, int]:
    """Give the horizon of a sum that is all meant for one purchase: until the money is needed.

    Parameters
    ----------
    by : tuple of datetime.date
        First and last day on which it is needed.
    stated_at : datetime.date
        The day it was written.
    """
    low, high = ((day - stated_at).days / DAYS_PER_MONTH for day in by)
    return _tolerant(low, high)


_MIN_GROWTH_MONTHS: Final = 9.0


def _months(time: TimeSpan, stated_at: date) -> tuple[float, float]:
    """Give the shortest and longest distance of a time in months."""
    if time.months is not None:
        return time.months
    return (time.first - stated_at).days / DAYS_PER_MONTH, (time.last - stated_at).days / DAYS_PER_MONTH


def _belongs_to_losses(time: TimeSpan, mentions: list[Mention], objective: str | None) -> bool:
    """Say whether a date says when losses are to be taken, beside another objective."""
    if objective == "tax_loss_harvesting" or not mentions:
        return False
    nearest = min(mentions, key=lambda m: max(0, time.start - m.end, m.start - time.end))
    return nearest.objective == "tax_loss_harvesting"


def _tolerant(low: float, high: float) -> tuple[int, int]:
    """Widen by a tenth and round outwards, within 0..600."""
    upper = min(OPEN_HORIZON_MONTHS, int(-(-high * 1.1 // 1)))
    return min(int(low * 0.9), upper), upper


_OR_LESS: Final = re.compile(r"\s+or\s+(?:less|fewer|under|younger|shorter)\b")


def _is_rule(lower: str, time: TimeSpan, mentions: list[Mention]) -> bool:
    words = lower[time.start : time.end]
    if re.search(r"\b(?:3[01]|thirty|thirty[\s-]one)[\s-]*days?\b|36[56]\s+days?", words):
        return True
    if time.months is not None and _OR_LESS.match(lower, time.end):
        return True
    if re.match(r"a day\b", words) and re.search(r"\b(?:year|months?)\s+and\s+\Z", lower[: time.start]):
        return True  # "a year and a day"
    holding = time.months is not None and 11.5 <= time.months[1] <= 14.5
    return holding and any(
        m.objective == "long_term_gains_only" and m.start - 25 <= time.start <= m.end + 25 for m in mentions
    )


def _objective_distance(lower: str, time: TimeSpan, mentions: list[Mention], home: Piece) -> float | None:
    """Distance to the nearest objective of the sentence, else a larger one to its neighbours."""
    if not mentions:
        return None
    near = [m for m in mentions if home.start <= m.start < home.end]
    gap = min((max(0, max(time.start - m.end, m.start - time.end)) for m in near), default=None)
    if gap is not None:
        return float(gap)
    if re.search(
        r"\b(?:last|past|previous|ago|since|used\s+to|was|were)\b",
        lower[max(home.start, time.start - 30) : time.start],
    ):
        return None
    plan = re.search(
        r"\b(?:horizon|want|be|look(?:ing)?\s+at|thinking|from\s+now|time|plan\w*|within|in|by|through|target|off|out|time\s*frame|timeline|park(?:ed|ing)?|stays?|staying|leav(?:e|ing)|work(?:ing)?|sits?|sitting|put(?:ting)?\s+(?:it|this)\s+away|tuck\w*|stash\w*|lock\w*|i\s+have|won'?t\s+(?:need|touch)|don'?t\s+need|hold|invest(?:ed|ing)?|retir\w+|stop\s+working|until|till|run\s*way|leave\s+it|there|away|over|for\s+(?:the|about|at))\b",
        lower[home.start : home.end],
    )
    distance = min(max(0, max(time.start - m.end, m.start - time.end)) for m in mentions)
    is_bare = len(lower[home.start : home.end].split()) <= _BARE_WORDS  # "Grow it. 25 years."
    return 1000.0 + distance if (plan or is_bare) and distance <= _HORIZON_NEAR else None
