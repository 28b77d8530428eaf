"""Amounts of money, shares of the portfolio and plain counts, in figures and in words.

What belongs here: finding numbers and their values. What does not: deciding whether an amount is a
cash need or the size of an account (``grammar.py``).
"""

import re
from dataclasses import dataclass
from typing import Final

_UNITS: Final = (
    {
        word: value
        for value, word in enumerate(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
            "sixteen seventeen eighteen nineteen".split()
        )
    }
    | {
        word: 20 + 10 * i
        for i, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())
    }
    | {"fourty": 40}
)
_SCALES: Final = {
    "hundred": 100,
    "thousand": 1_000,
    "grand": 1_000,
    "lakh": 100_000,
    "lakhs": 100_000,
    "crore": 10_000_000,
    "crores": 10_000_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
}
_SUFFIXES: Final = {
    "k": 1e3,
    "grand": 1e3,
    "thousand": 1e3,
    "thou": 1e3,
    "m": 1e6,
    "mm": 1e6,
    "mil": 1e6,
    "million": 1e6,
    "bn": 1e9,
    "billion": 1e9,
    "hundred": 1e2,
    "lakh": 1e5,
    "lakhs": 1e5,
    "crore": 1e7,
    "crores": 1e7,
}
_SMALL = "|".join(sorted(_UNITS, key=len, reverse=True))
_WORD = rf"(?:{_SMALL}|dozen|hundred|thousand|grand|lakhs?|crores?|million|billion)"
_FIGURE = r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,2})?|\d{1,12}(?:\.\d{1,6})?"
WORD_NUMBER = rf"(?:(?:half\s+)?an?\s+)?{_WORD}(?:(?:[\s-]|\sand\s){{1,2}}{_WORD}){{0,7}}"

_MONEY = re.compile(
    rf"(?P<foreign>[€£¥₹]|\b(?:eur|gbp|chf|jpy|cad|aud|inr)\s)?(?P<sign>us\$|\$|usd\s?)?\s?(?<![\w.])(?P<figure>{_FIGURE})"
    r"(?:[\s-]?(?P<suffix>thousand|thou|grand|lakhs?|crores?|million|mil|billion|hundred|bn|mm|[km])\b)?(?:\s?(?:to|-)\s?\$?(?P<second>\d{1,6})(?P<suffix2>k)\b)?"
    r"(?:\s?(?P<unit>dollars?|bucks|usd|euros?|eur|pounds?|gbp|francs?|chf|yen|rupees?|quid|[€£¥₹]))?"
)
_MONEY_WORDS = re.compile(
    rf"\b(?P<words>(?:half\s+a\s+million|a\s+couple\s+(?:of\s+)?(?:thousand|grand|hundred)|(?:a\s+(?=hundred|thousand|million|grand|billion))?{_WORD}(?:(?:\s+and\s+|[\s-]+){_WORD}){{0,7}}))"
    r"(?:\s+(?P<unit>dollars?|bucks|usd|euros?|pounds?|francs?|yen|quid))?\b"
)
_PERCENT = re.compile(
    rf"(?<![\w.$])(?P<figure>\d{{1,3}}(?:\.\d{{1,3}})?)\s?(?:%|percent\b|per\s?cent\b|pct\b)|\b(?P<words>(?:{_SMALL})(?:[\s-](?:{_SMALL}))?)\s(?:percent|per\s?cent)\b"
)
_FRACTIONS: Final = {
    "half": 0.5,
    "third": 1 / 3,
    "quarter": 0.25,
    "fourth": 0.25,
    "fifth": 0.2,
    "sixth": 1 / 6,
    "eighth": 0.125,
    "tenth": 0.1,
}
_TOPS: Final = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_WHOLE = r"(?:of\s+)?(?:(?:the|my|our|this|that|what(?:ever)?(?:'s| is)?|it|everything|all)\b)"
# "Everything", "the whole thing": what is to be done with it is read elsewhere.
_ALL = re.compile(
    r"\b(?:(?:the|my|our|this)\s+(?:whole|entire|full)\s+(?:thing|account|lot|amount|balance|pot|portfolio|sum|fund|position|stash|pile)|(?:absolutely\s+)?everything|(?:the\s+)?whole\s+lot|the\s+lot|all\s+of\s+(?:it|this|the\s+money)|it\s+all|all\s+(?:the|my|our|this)\s+money)(?=[\s.,;!?-]|\Z)"
)
_FRACTION = re.compile(
    rf"\b(?:(?P<top>a|one|two|three|four)[\s-]+)?(?P<name>half|thirds?|quarters?|fourths?|fifths?|sixths?|eighths?|tenths?)\s+(?:{_WHOLE}|(?=out\b|in\s+cash\b|(?:goes|leaves)\b|(?:has|must|should|needs|will)\s+(?:to\s+)?(?:be\s+)?(?:come|out|in\s+cash|liquid|ready|available|go)\b))"
)
# "1/3 of the account"; a date has no "of the" behind it.
_RATIO = re.compile(rf"(?<![\d/])(?P<top>[1-4])/(?P<bottom>[2-9])(?![\d/])\s+{_WHOLE}")
# "401k maxed out": a kind of account, not a sum.
_ACCOUNT_KINDS: Final = frozenset(("401", "403", "457", "529"))
_FOREIGN_UNITS = re.compile(r"^(?:euro|eur|pound|gbp|franc|chf|yen|rupee|quid|[€£¥₹])")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number found in the text.

    Attributes
    ----------
    start, end : int
        Position.
    value : float
        Dollars, or a share of 1.
    is_explicit : bool
        Whether a currency sign, unit or magnitude marks it as money; a bare number is not explicit.
    is_foreign : bool
        Whether it is in another currency: its value must not be used.
    """

    start: int
    end: int
    value: float
    is_explicit: bool = True
    is_foreign: bool = False


def word_value(words: str) -> float | None:
    """Value of a number in words; None if it is not one.

    >>> word_value("nine thousand five hundred")
    9500.0
    >>> word_value("half a million")
    500000.0
    """
    words = words.strip()
    if words.startswith("half a "):
        scale = _SCALES.get(words.removeprefix("half a ").strip())
        return None if scale is None else 0.5 * scale
    total, group, seen = 0.0, 0.0, False
    tokens = [t for t in re.split(r"[\s-]+", words) if t not in ("and", "of")]
    for token in tokens:
        if token in ("a", "an"):
            group, seen = 1.0, True
        elif token == "dozen":
            group, seen = 12.0 * (group or 1.0), True
        elif token == "couple":
            group, seen = 2.0, True
        elif token in _UNITS:
            group, seen = group + _UNITS[token], True
        elif token == "hundred":
            group, seen = (group or 1.0) * 100.0, True
        elif token in _SCALES:
            total, group, seen = total + (group or 1.0) * _SCALES[token], 0.0, True
        else:
            return None
    return total + group if seen else None


def find_amounts(lower: str) -> list[Quantity]:
    """Find amounts of money, in figures and words, in order.

    Parameters
    ----------
    lower : str
        Cleaned text.

    Returns
    -------
    list of Quantity
        Percentages are not among them; bare figures below 1,000 and years are left out.
    """
    found = []
    for match in _MONEY.finditer(lower):
        quantity = _figure_amount(lower, match)
        if quantity is not None:
            found.append(quantity)
    for match in _MONEY_WORDS.finditer(lower):
        value = word_value(match.group("words"))
        is_large = (
            re.search(r"hundred|thousand|grand|lakh|crore|million|billion", match.group("words")) is not None
        )
        taken = any(q.start < match.end() and match.start() < q.end for q in found)
        if value is None or value <= 0 or taken or not (is_large or match.group("unit")):
            continue
        unit = match.group("unit") or ""
        found.append(Quantity(match.start(), match.end(), value, True, bool(_FOREIGN_UNITS.match(unit))))
    return sorted(found, key=lambda q: q.start)


def _figure_amount(lower: str, match: re.Match[str]) -> Quantity | None:
    figure, suffix = match.group("figure"), match.group("suffix")
    following = lower[match.end() : match.end() + 8].lstrip()
    if following.startswith(("%", "percent", "per cent", "pct")):
        return None
    # "3 m" is months as often as millions: without a sign, a lone m after a space is not money.
    if suffix == "m" and not match.group("sign") and lower[match.end("figure")].isspace():
        suffix = None
    if figure in _ACCOUNT_KINDS and not match.group("sign") and not match.group("unit"):
        return None
    value = float(figure.replace(",", "")) * _SUFFIXES.get(suffix or "", 1.0)
    unit = match.group("unit") or ""
    is_foreign = bool(match.group("foreign")) or bool(_FOREIGN_UNITS.match(unit))
    is_explicit = bool(match.group("sign") or suffix or unit or is_foreign)
    is_plain = "," not in figure and not 2_101 <= value < 1e9
    if not is_explicit and is_plain and not (value >= 100 and _asked_for(lower, match)):
        return None
    if value <= 0 or not value < 1e12:
        return None
    start = next(match.start(name) for name in ("foreign", "sign", "figure") if match.group(name))
    return Quantity(start, match.end(), value, is_explicit, is_foreign)


def _asked_for(lower: str, match: re.Match[str]) -> bool:
    """Say whether a small bare figure is money by its company: "pay 500 in tuition"."""
    before, after = lower[max(0, match.start() - 30) : match.start()], lower[match.end() : match.end() + 12]
    asks = re.search(
        r"\b(?:need|pay|withdraw|take out|send|give|owe|raise|"
        r"take|pull|get|pull out|free up|set aside|wire|transfer|spare|hand)\s+(?:(?:about|around|out|up)\s+)?\Z",
        before + " " * (not before.endswith(" ")),
    )
    return asks is not None and re.match(r"\s*(?:for|in|by|to|from|next|this|out|$|[.,;])", after) is not None


def find_shares(lower: str) -> list[Quantity]:
    """Find percentages and fractions of a whole, as shares of 1, in order."""
    found = []
    for match in _PERCENT.finditer(lower):
        value = float(match.group("figure")) if match.group("figure") else word_value(match.group("words"))
        if value is not None and 0.0 < value <= 100.0:
            found.append(Quantity(match.start(), match.end(), value / 100.0))
    for match in _RATIO.finditer(lower):
        value = int(match.group("top")) / int(match.group("bottom"))
        if 0.0 < value < 1.0:
            found.append(Quantity(match.start(), match.end("bottom"), value))
    for match in _FRACTION.finditer(lower):
        name = match.group("name").rstrip("s") if match.group("name") != "half" else "half"
        value = _TOPS[match.group("top") or "a"] * _FRACTIONS[name]
        if 0.0 < value < 1.0:
            found.append(Quantity(match.start(), match.end("name"), value))
    for match in _ALL.finditer(lower):
        if not any(q.start < match.end() and match.start() < q.end for q in found):
            found.append(Quantity(match.start(), match.end(), 1.0, is_explicit=False))
    return sorted(found, key=lambda q: q.start)
