"""Slips of the keyboard and short forms of chat, written out before anything is read.

What belongs here: one word for another of the same meaning ("mkt", "b4", "groth"), and the way back to
the positions of the text as given. What does not: any meaning (``lexicon.py``), hostile parts
(``text.py``).

A slip is put right only towards a word of investors' statements, and only one that cannot be another
English word: two neighbouring letters swapped, one letter missing (never the first) or one doubled.
"Honey" stays honey, "grains" stay grains.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_SHORT: Final[dict[str, str]] = {
    "u": "you", "ur": "your", "urs": "yours", "abt": "about", "acct": "account", "accts": "accounts", "b4": "before", "bc": "because",
    "cuz": "because", "coz": "because", "cos": "because", "til": "till", "tho": "though", "thru": "through", "mkt": "market", "mkts": "markets",
    "lng": "long", "shrt": "short", "hubby": "husband", "wifey": "wife", "plz": "please", "pls": "please", "plse": "please", "thx": "thanks",
    "tryna": "trying to", "gotta": "have to", "np": "no problem", "idc": "i don't care", "dunno": "don't know", "evry": "every", "evrything": "everything",
    "companys": "companies", "taxs": "taxes", "loosing": "losing", "loses": "losses", "rite": "write", "preform": "perform", "numero uno": "number one",
    "sum1": "someone", "sumthing": "something", "smth": "something", "wk": "week", "wks": "weeks", "qtr": "quarter", "qtrs": "quarters",
    "pct": "percent", "divs": "dividends", "divvies": "dividends", "divi": "dividend", "divis": "dividends", "invst": "invest",
    "retirment": "retirement", "lumpsum": "lump sum", "stonks": "stocks", "w/o": "without", "w/out": "without", "moar": "more", "bday": "birthday",
    "xmas": "christmas", "alot": "a lot", "tmrw": "tomorrow", "nxt": "next", "mth": "month", "mths": "months", "bros": "brothers", "ppl": "people",
    "shd": "should", "prtfolio": "portfolio", "pf": "portfolio", "pfolio": "portfolio", "portf": "portfolio",
    "cheque": "check", "cheques": "checks", "dont": "don't", "doesnt": "doesn't", "didnt": "didn't", "wont": "won't", "cant": "can't", "couldnt": "couldn't",
    "wouldnt": "wouldn't", "shouldnt": "shouldn't", "isnt": "isn't", "arent": "aren't", "wasnt": "wasn't", "im": "i'm", "ive": "i've", "thats": "that's",
    "whats": "what's", "hes": "he's", "shes": "she's", "theyre": "they're", "youre": "you're", "shan't": "won't", "shant": "won't", "sel": "sell", "sth": "something",
    # An adviser's notes.
    "obj": "objective", "objv": "objective", "hrzn": "horizon", "horiz": "horizon", "bmk": "benchmark", "bmark": "benchmark", "w/d": "withdraw", "wd": "withdraw",
    "t/o": "turnover", "dd": "drawdown", "dds": "drawdowns", "eoy": "year end", "ye": "year end", "y/e": "year end", "eom": "month end", "eoq": "end of the quarter",
    "rt": "risk tolerance", "excl": "exclude", "exc": "exclude", "distr": "distribution", "dist": "distribution", "distrib": "distribution", "outperf": "outperform",
    "agg": "aggressive", "aggr": "aggressive", "consv": "conservative", "cons": "conservative", "pres": "preservation", "presv": "preservation", "apprec": "appreciation",
    "vol": "volatility", "corpus": "principal", "perf": "performance", "prin": "principal", "div": "dividend", "inc": "income", "hy": "high yield", "lqd": "liquid", "reqd": "required",
    "max": "maximum", "min": "minimum", "tol": "tolerance", "ltg": "long term growth", "ltcgs": "long term gains", "stcgs": "short term gains", "liq": "liquid",
}  # fmt: skip
# Written in capitals by advisers too, and no common ticker.
_NOTES: Final = frozenset(
    "u obj hrzn bmk w/d t/o dd dds eoy ye y/e eom eoq rt excl ltcgs stcgs ltg hy liq tol pls plz thx xmas".split()
)
# "Excl. REITs": a short form's full stop ends no sentence.
_DOTTED: Final = frozenset("excl exc obj objv horiz hrzn distr distrib bmk bmark".split())
_DOT: Final = re.compile(r"\.(?=:|\s\S)")
# Short forms that are words too, told by their neighbours.
_BESIDE: Final[tuple[tuple[str, str], ...]] = (
    (r"\b2(?= (?:take|get|put|make|be|do|sell|buy|keep|grow|lose|see|go|have|trade|beat|hold|save|retire|stay)\b)", "to"),
    (r"\b4(?= (?:me|us|my|our|the|a|ages|now|ever|sure|long|taxes|real|growth|retirement|college|life|good|that|this|it|safety)\b)", "for"),
    (r"(?<= )n(?= [a-z])", "and"),
    (r"(?<= )w(?= (?:me|us|my|the|it|this|that|a|you|u|whatever|some|no)\b)", "with"),
    (r"(?<= )w/(?= ?[a-z])", "with"),
    (r"(?<=some )\$(?= )", "money"),
    (r"\bout[ -]?(?:preform|perform)", "outperform"),
    (r"\b(?:lt|l-t|l/t)(?= (?:cap(?:ital)? )?(?:gains?|growth|rates?|hold\w*|appreciation|treatment)\b)", "long term"),
    (r"\b(?:st|s-t|s/t)(?= (?:cap(?:ital)? )?(?:gains?|rates?|profits?|trad\w+)\b)", "short term"),
    (r"(?<=the )principle\b(?! (?:of|that|is that|behind)\b)|(?<=my )principle\b", "principal"),
    (r"\bid(?= (?:like|rather|love|prefer|want|be|sooner|hate|say|just|settle|take|welcome)\b)", "i'd"),
    (r"\bill(?= (?:be|just|need|have|take|want|never|retire|keep|hold|buy|not|probably|still|wait)\b)", "i'll"),
    (r"\bbeet(?= the\b)", "beat"),
    (r"\bcap(?=\.? (?:app|pres|appreciation|preservation|growth)\b)", "capital"),
    (r"(?<=\bcap )app\b|(?<=\bcap\. )app\b|(?<=\bcapital )app\b", "appreciation"),
    (r"\bcp(?= (?:mandate|objective|account|only|first|portfolio)\b)", "capital preservation"),
    (r"\bmod\.?(?= (?:risk|growth|tolerance|aggressive|conservative))|(?<=risk )mod\b|(?<=risk: )mod\b|(?<=tolerance )mod\b", "moderate"),
    (r"\bmed(?= (?:risk|tolerance|term))|(?<=risk )med\b|(?<=risk: )med\b|(?<=tolerance )med\b", "medium"),
    (r"(?<=\d)\s?y(?=\b|\+)", " years"),
    (r"(?<=[a-z1-4] )'(?=2\d\b)", "20"),
    (r"(?<=wash )w/?(?= )", "with"),
    (r"\bto(?= (?:much|risky|many|late)\b)", "too"),
    (r"(?<=more )then(?= (?:\d|a |one|twelve|the ))", "than"),
)  # fmt: skip
# Words that carry a wish; slips of others do no harm.
_KEYS: Final[
    Sequence[str]
] = """money market markets account portfolio growth growing grown profit profits income dividend dividends losses
capital principal savings retire retirement retiring retired invest investing investment investments stocks shares years months weeks harvest harvesting
offset deduct deduction write-off taxes preserve protect protection preservation safety secure conservative aggressive moderate volatility
benchmark beat outperform trading trade quick quickly short-term long-term gains realize realise realized avoid exclude excluding crypto
tobacco weapons alcohol gambling withdraw withdrawal tuition wedding january february april august september october november december
christmas quarter decade decades swings appreciation compound compounding everything anything thousand hundred million college positions winners losers""".split()

_TOKEN: Final = re.compile(r"(?<![\w$#@.-])[A-Za-z][A-Za-z0-9'/]*(?![\w@])|(?<![\w$])numero uno\b")
_MIN_SLIP: Final = 5
_VOWELS: Final = frozenset("aeiou")


def _swapped(word: str) -> set[str]:
    return {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}


def _slips_of(word: str) -> set[str]:
    """Forms of a word with one slip: neighbours swapped, a letter missing, doubled, or a wrong vowel in a long word."""
    at = range(1, len(word))
    slips = (
        _swapped(word) | {word[:i] + word[i + 1 :] for i in at} | {word[:i] + word[i] + word[i:] for i in at}
    )
    if len(word) > _MIN_SLIP + 1:
        slips |= {word[:i] + vowel + word[i + 1 :] for i in at if word[i] in _VOWELS for vowel in _VOWELS}
        slips |= {word[:i] + "e" + word[i:] for i in at}
    return slips


@lru_cache(maxsize=1)
def _corrections() -> dict[str, str]:
    """Slips that lead to one key alone and are no key themselves."""
    found: dict[str, str] = {}
    clash: set[str] = set(_KEYS)
    for key in _KEYS:
        for slip in _slips_of(key):
            if slip in found and found[slip] != key:
                clash.add(slip)
            found[slip] = key
    # Words of their own that look like slips.
    real = "retires invests invest traded trader trades saving stock share loser winner profited gain grow year month week marked shred".split()
    real += "divided tuitions positons offsets avoids excludes excluded protected preserved preserver realist realised quarters harvests harvested deducts deducted compounds weeding".split()
    return {
        slip: key
        for slip, key in found.items()
        if slip not in clash and slip not in real and len(slip) >= _MIN_SLIP
    }


def write_out(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Write short forms and slips out.

    Parameters
    ----------
    text : str
        As typed, with plain quotes.

    Returns
    -------
    text : str
        Words put right; case is kept where nothing was changed.
    moves : tuple of (int, int)
        Positions in the new text from which on a position of the old one differs, each with the old
        position that stands there; ascending. Empty if nothing was changed.
    """
    if not text.strip():
        return text, ()
    low = text.lower()
    if len(low) != len(text):  # a letter that grows in lower case: positions would shift
        return text, ()
    is_loud = sum(char.isupper() for char in text) > 0.6 * max(1, sum(char.isalpha() for char in text))
    edits: list[tuple[int, int, str]] = []
    known = _corrections()
    for match in _TOKEN.finditer(low):
        word = match.group()
        right = _SHORT.get(word) or known.get(word)
        # Capitals are a ticker: ABT, PF and U are companies.
        if (
            right is None
            or right == word
            or (text[match.start() : match.end()].isupper() and not is_loud and word not in _NOTES)
        ):
            continue
        if word == "ye" and not text[match.start() : match.end()].isupper():  # "ye olde", "hear ye"
            continue
        end = match.end()
        if word in _DOTTED and _DOT.match(low, end):
            end += 1
        edits.append((match.start(), end, right))
    for pattern, right in _BESIDE_PATTERNS:
        edits += [(match.start(), match.end(), right) for match in pattern.finditer(low)]
    if not edits:
        return text, ()
    parts, moves, at, length = [], [], 0, 0
    for start, end, right in sorted(edits):
        if start < at:
            continue
        parts += [text[at:start], right]
        length += start - at + len(right)
        moves.append((length, end))
        at = end
    parts.append(text[at:])
    return "".join(parts), tuple(moves)


_BESIDE_PATTERNS: Final = tuple((re.compile(pattern), right) for pattern, right in _BESIDE)


def position_before(position: int, moves: tuple[tuple[int, int], ...]) -> int:
    """Give the position in the text as typed of a position in the text written out.

    Within a word that was changed it is the word's end at most.

    >>> text, moves = write_out("sell b4 may")
    >>> text, position_before(text.index("may"), moves)
    ('sell before may', 8)
    """
    i = bisect_right(moves, position, key=lambda move: move[0]) - 1
    new, old = moves[i] if i >= 0 else (0, 0)
    at = old + position - new
    if i + 1 < len(moves):  # the next change's new text may be longer than the old
        at = min(at, moves[i + 1][1])
    return at
