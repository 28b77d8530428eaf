"""Gains and losses that are told rather than wished for, and topics that the next sentence answers.

What belongs here: gains already made; what a short question and the sentence after it say together ("Short-term gains? Not in
this account." "Any paper losses? Use them."). What does not: phrases
within one sentence (``lexicon.py``, ``frames.py``), attitudes to risk in that form (``risk.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from typing import Final

_SLACK: Final = r"(?:(?:well|oh|then|so|please|pls|just|and|yes|yeah|sure|ok|okay|by\s+all\s+means|go\s+ahead\s+and|i\s+say|i'd\s+say|i\s+want\s+you\s+to|you\s+(?:can|may|should)|do)[\s,.!]+){0,3}"
# After a topic: it is declined.
_REFUSAL: Final = re.compile(
    rf"[^.;!?\n]{{0,24}}\?[\s\"')]*{_SLACK}(?:no\b(?!\s+(?:problem|issue|worries|doubt|question))|not\b(?!\s+(?:a\s+problem|bad|only))|nope|nah|never|none\b|pass\b|no\s+thanks?|hard\s+pass|skip\b|forget\b|don't\b|do\s+not\b|absolutely\s+not|certainly\s+not|under\s+no\s+circumstances|over\s+my\s+dead|i'm\s+(?:done|out)\b|we'?(?:re|\s+are)\s+(?:done|out)\b|(?:i|we)\s+(?:don't|do\s+not|won't|will\s+not|hate|refuse|never)\b)"
)
_DOWN: Final = r"(?:(?:paper|tax|capital|unreali[sz]ed|open|realisable|usable)\s+loss(?:es)?|loss(?:es)?|losers?|losing\s+\w+|laggards?|(?:lots?|positions?|names?|stocks?|shares|holdings?|anything|something|things|stuff|money|one)\s+(?:\w+\s+){0,2}?(?:down|under\s?water|in\s+the\s+red|below\s+(?:cost|basis|what\s+\w+\s+paid)|at\s+a\s+loss|losing)|(?:red|under\s?water|minus)\s+(?:lots?|positions?|names?|numbers?|ink)|under\s?water\s+\w+)"
_USE: Final = r"(?:use|take|harvest|book|bank|reali[sz]e|sell|claim|deduct|write|put|offset|grab|lock|crystalli[sz]e|collect|set|net|count|apply)"
# "Got anything under water? Sell it": losses are to be taken.
_USED: Final = re.compile(
    rf"\b(?P<topic>(?:(?:any|some|got|have|see|find|spot|is|are|there|you|we|i|anything|a|the|my|our|new|big|more|with|left|of|what|about|how)\s+){{0,5}}{_DOWN}[^.;!?\n]{{0,30}})\?[\s\"')]*{_SLACK}(?P<verb>{_USE})\b(?!\s+(?:a\s+look|care|it\s+easy|your\s+time|my\s+word))[^.;!?\n]{{0,60}}"
)
_SHORT: Final = re.compile(r"short[\s-]*term|quick|under\s+a\s+year")


def is_answered_no(lower: str, end: int) -> bool:
    """Say whether what ends here is a topic that the next sentence declines.

    Parameters
    ----------
    lower : str
        Cleaned text.
    end : int
        Where the phrase ends.
    """
    return _REFUSAL.match(lower, end, min(len(lower), end + 120)) is not None


def refuses_short_gains(lower: str, start: int, end: int) -> bool:
    """Say whether gains declined in an answer are short-term ones: that is a wish for long-term ones alone."""
    return _SHORT.search(lower, max(0, start - 14), end) is not None and is_answered_no(lower, end)


def used_losses(lower: str) -> list[tuple[int, int]]:
    """Give the places where losses are asked after and then to be used.

    Parameters
    ----------
    lower : str
        Cleaned text.

    Returns
    -------
    list of (start, end)
        From the topic to the verb of the answer.
    """
    return [(match.start("topic"), match.end("verb")) for match in _USED.finditer(lower)]


# "I have $85,000 of short-term gains this year": made, and no wish for more.
_GAINED: Final = re.compile(
    r"(?:(?<!to )(?<!would )(?<!'d )\b(?:i|we|clients?|he|she)(?:'ve)?\s+(?:(?:already|also|just|recently|once|finally)\s+)?(?:have|has|had|got|made|took|booked|reali[sz]ed|locked\s+in|cashed\s+in|scored|banked)"
    r"|(?:^|[.!?;\n]\s*)(?:had|got|made|scored)|\bsitting\s+on|\bthere\s+(?:are|is|was|were)|\b(?:tax|taxed|taxes)\s+on|\b(?:owe|against|offset|cover|cancel\s+out|shelter|absorb|soak\s+up))\s+"
    r"(?:(?:about|around|roughly|some|an?|my|our|the|this|that|great|nice|big|decent|lot|good|huge|large|of|in|worth|up|plenty|\$?[\d,.]+k?|thousand|grand|hundred)\s+){0,6}(?:(?:short|long)[\s-]*term\s+)?\Z"
)


def is_gained(lower: str, start: int) -> bool:
    """Say whether gains named here were made before: "sitting on big short-term gains".

    Parameters
    ----------
    lower : str
        Cleaned text.
    start : int
        Where the phrase begins.
    """
    return _GAINED.search(lower[max(0, start - 60) : start]) is not None
