"""Sums that are stated as a part, or as all, of what is there, and the day that a word points back to.

What belongs here: "the whole account goes into it", "half the portfolio, cash", "a tenth of it leaves",
"that same day". What does not: sums in figures and their deadlines (``needs.py``), finding the numbers
(``numbers.py``).
"""

import re
from typing import Final

from ml.intent.timespan import TimeSpan

# Who takes it: "taking ... out", "I need ... in cash".
_TAKEN: Final = re.compile(
    r"\b(?:tak(?:e|ing)|pull(?:ing)?|withdraw(?:ing)?|cash(?:ing)?(?:\s+(?:in|out))?|get(?:ting)?|need(?:ing)?|want|mov(?:e|ing)|transfer(?:ring)?|send(?:ing)?|wir(?:e|ing)|liquidat(?:e|ing)|have)\s+(?:out\s+)?(?:me\s+|us\s+)?\Z"
)
_OUT: Final = re.compile(
    r"\s*(?:back\s+)?(?:out\b(?!\s+of\s+(?!it\b|here\b|this\b|(?:the|my|our)\s+account\b))|in(?:to)?\s+(?:cash|my\s+(?:bank|checking))\b|(?:withdrawn|wired|transferred|paid\s+out)\b)"
)
# "Liquidate the entire account by June."
_CASHED: Final = re.compile(r"\b(?:cash(?:ing)?\s+out|liquidat(?:e|ing)|withdraw(?:ing)?|empty(?:ing)?)\s+\Z")
_NOT_ALL: Final = re.compile(
    r"\s*(?:except|but|that|which|above|below|under|over|short[\s-]*term|long[\s-]*term|if|when(?:ever)?)\b"
)
_MUST: Final = (
    r"(?:(?:has|have|needs?|must|should|will|shall|is|are|gets?|going|'ll)\s+(?:to\s+|be\s+|going\s+)*)"
)
# Where it goes; what it is invested in is no purpose of its own.
_GOES: Final = re.compile(
    rf"\s*(?:{_MUST}?(?:goes|go|going)\s+(?:straight\s+|right\s+)?(?:in(?:to)?|toward\w*)\s+(?!(?:\w+\s+)?(?:index|stocks?|shares|the\s+(?:market|s&p)|bonds?|etfs?|growth|equit\w+|funds?|cash|treasur\w+)\b)"
    rf"|{_MUST}?(?:comes?|coming|goes|going)\s+out\b|{_MUST}?(?:leaves?|leaving)\s+(?:the\s+account|here|in|by|on|for|next)\b|{_MUST}(?:needed|due|withdrawn|paid\s+out|cashed\s+out|out|in\s+cash|spent\s+on|wired|transferred)\b"
    r"|\s*out\s+(?:by|before|in|on|next|this|no\s+later)\b|\s*in\s+cash\s+(?:by|before|in|on|next|this)\b|\s*(?:is|will\s+be)\s+(?:the\s+|my\s+|our\s+)(?:\w+\s+)?(?:down[\s-]?payment|deposit|tuition|buy[\s-]?out)\b)"
)
_KEPT: Final = re.compile(r"\b(?:don't|do\s+not|never|not|won't|if|unless|before)\s+(?:\w+\s+){0,4}?\Z")
# A note's order of words: "half the portfolio, cash, next month".
_NOTED: Final = re.compile(
    r"\s*(?:of\s+)?(?:(?:the|my|our|this)\s+)?(?:aum|nav|it|portfolio|account|balance|pot|total|holdings|assets)?[\s,:-]+(?:(?:in\s+)?cash|out|liquid|withdrawn|distribution|withdrawal)\b(?=[\s,.;:-]+(?:by|in|on|next|this|before|for|within|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*|q[1-4]|\d)|[\s.]*\Z)"
)
_LEAVES: Final = re.compile(
    r"\s*(?:of\s+)?(?:(?:it|this|that|the\s+\w+|my\s+\w+|our\s+\w+|what(?:ever)?(?:\s+is|'s)\s+(?:in\s+)?(?:there|here))\s+)?(?:is\s+|will\s+be\s+|will\s+)?(?:leaves?\b|leaving\b|departs?\b|walks?\s+out\b|comes?\s+out\b|comes?\s+due\b|goes\s+(?:out\b|to\s+(?:the|my|our|a)\s+(?!(?:\w+\s+)?(?:market|stocks?|bonds?|index|funds?|etfs?|portfolio)\b)|for\s+(?:the|my|our|a)\s))"
)
# "Put 25% aside for the lawyer."
_PUT: Final = re.compile(r"\b(?:put|set|lay|keep)\s+(?:about\s+)?\Z")
_ASIDE: Final = re.compile(
    r"\s*(?:of\s+(?:it|this|(?:the|my|our)\s+\w+)\s+)?(?:aside|to\s+one\s+side|by\s+for|back\s+for)\b"
)
_HEADED: Final = re.compile(
    r"\b(?:distributions?|withdrawals?|payouts?|draw|redemption|cash\s+need|cash\s+needs|liquidity(?:\s+need)?|liquidity\s+needs|spending)\s*(?::|-|=)\s*(?:about\s+|approx\.?\s+|up\s+to\s+)?\Z"
)


def whole_score(lower: str, start: int, end: int) -> float:
    """Say how clearly all that is there is to be taken out.

    Parameters
    ----------
    lower : str
        Cleaned text.
    start, end : int
        Where it says "everything", "the whole account".
    """
    left, right = lower[max(0, start - 50) : start], lower[end : end + 70]
    if _KEPT.search(left):
        return 0.0
    if _CASHED.search(left) and not _NOT_ALL.match(right):
        return 3.0
    if _GOES.match(right) or (_TAKEN.search(left) and _OUT.match(right)):
        return 3.0
    return 0.0


def part_score(left: str, right: str) -> float:
    """Say how clearly a note's order of words, or its heading, takes a share out.

    Parameters
    ----------
    left, right : str
        What stands before and after the share in its sentence.
    """
    if (_PUT.search(left) and _ASIDE.match(right)) or _HEADED.search(left) or _LEAVES.match(right):
        return 4.0
    return 2.5 * (_NOTED.match(right) is not None)


# "It comes out that same day."
_BACK: Final = re.compile(
    r"\b(?:that|the)\s+(?:same\s+|very\s+)?(?:day|date|week|month)\b(?!\s+(?:before|after|of\b))|\b(?:right|by|just|due)\s+then\b|\bat\s+that\s+(?:point|time)\b|\bon\s+(?:closing|that)\b"
)


def pointed_at(lower: str, start: int, end: int, times: list[TimeSpan]) -> TimeSpan | None:
    """Give the time stated before a sentence to which a word in it points back.

    Parameters
    ----------
    lower : str
        Cleaned text.
    start, end : int
        The sentence.
    times : list of TimeSpan
        All that the text states, in order.
    """
    if _BACK.search(lower, start, end) is None:
        return None
    before = [time for time in times if time.end <= start]
    return before[-1] if before else None
