"""Whether a text tells of another pursuit of its writer's: "I coach swimmers; we aim to beat the benchmark".

What belongs here: the frames in which a first person does, owns or is in something that investors'
statements do not speak of. What does not: a list of pursuits; whose voice is heard, and whether money is
spoken of near a wish (``evidence.py``).

A pursuit is told by grammar and by a word foreign to investors' statements, whichever it is: the verb of
"I", its object, the subject after "my", or the place after "in my". It counts against an objective only
where the text has no word that nothing but money has: an objective needs evidence of the writer's own
money, and "benchmark", "returns" and "capital" are none.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from typing import Final

from ml.intent.familiar import foreign_words
from ml.intent.topic import ELSEWHERE

_MONEY_ALONE: Final = re.compile(
    r"[$€£]\s?\d|\d\s?%|\b(?:\d[\d,.]*\s?(?:k|grand|dollars?|usd)\b|money|accounts?|portfolios?|savings|invest(?!igat)\w*|dividends?|etfs?|funds?|iras?|401\(?k\)?|roth|stocks?|shares|equit(?:y|ies)|bonds|tax(?:es|able|ed)?|irs|deduct\w*|write[\s-]?offs?|tlh|harvest\w*\s+(?:\w+\s+){0,3}?loss\w*|loss\w*[\s-]+harvest\w*|capital\s+(?:gains|losses)|principal|retire\w*|pension|nest\s+egg|inherit\w*|holdings|positions|lots|s\s?&\s?p(?:\s?500)?|nasdaq|dow|russell|spy|qqq|vti|voo|spx|msci|ftse|stock\s+market|brokerages?|(?:my|our)\s+business|for\s+a\s+living|for\s+an?\s+(?:\w+\s+)?(?:firm|company|business|charity|hospital|agency|city|bank)|crypto|rsus?|clients?|trust(?:ees?)?|estate|endowment|income|wealth|cash|wash\s+sales?|cost\s+basis|drawdowns?|volatility|tuition|mortgage|down\s+payment|advis[eo]r)\b"
)
_LINKS: Final = r"(?:\s+(?:my|our|the|a|an|some|for|at|in|on|with|to|of|and|this|these|those|two|three|all|his|her|their)\b)*"
# "I coach swimmers", "we're training for a triathlon", "I've been baking".
_DOES: Final = re.compile(
    rf"(?:(?<!when )(?<!if )(?<!until )(?<!till )(?<!before )(?<!once )(?<!after )(?<!could )(?<!can )(?<!should )(?<!would )(?<!shall )\b(?:(?:i|we)(?:'ve\s+been|\s+have\s+been)?|i'm|we're|i\s+am|we\s+are)\s+(?:(?:also|just|still|love|like|enjoy|mostly|usually|often|always|mainly|really|only|currently|now|\w{{3,}}ly)\s+){{0,2}}|(?:^|[.!?;\n]\s*)(?:(?:so|well|ok|hi|been|also)[\s,]+)?(?=[a-z]{{3,}}ing\s))(?P<words>[a-z']{{3,}}{_LINKS}(?:\s+[a-z']{{3,}})?)"
)
_NO_DEED: Final = re.compile(
    r"(?:want|need|would|will|can|can't|cannot|don't|won't|should|could|hope|wish|prefer|keep|sell|sold|buy|bought|own|owned|hold|have|had|has|got|inherited|retired?|know|think|believe|guess|suppose|understand|feel|find|found|tell|told|say|said|ask|asked|not|never|worr\w+|afraid|scared|nervous|the|from|at|in|after|about|was|were|am|are|is|be|an?|also|both|all|married|single|divorced|widowed|expecting|paying|pay|owe|might|may|must|do|did|didn't|received|earn|earned|work|worked|hate|dislike|refuse|object|crave|dread|despise|foresee|detest|fear|adore|anticipate|favou?r|welcome|loathe|avoid|(?:run|manage|operate)\s+(?:an?|the|my|our)\b|tolerat\w+|accept|stomach|handle|bear|mind|sleep|look\w*|hop\w+|sav(?:e|ing)|retiring|try\w*|wanting|thinking|plan\w*|getting|going|being|having|selling|buying|keeping|nothing|anything|everything|something|lost|left|made|took|went|came|gave|ran|taught|spent|built|grew|rather|love|like|just|\w+ed)(?:\s|$)"
)
_ACTS: Final = r"(?:gives?|wants?|needs?|is|are|has|have|keeps?|grows?|makes?|gains?|los[et]s?|should|must|will|would|can|gets?|aims?|hopes?|beats?|produces?|trades?|plays?|runs?|yields?|does|do|holds?)"
_THING: Final = re.compile(
    rf"\b(?:my|our)\s+(?P<words>(?:[a-z']+\s+){{0,3}}?[a-z']{{3,}})\s*(?::|\s{_ACTS}\b)"
)
_PLACE: Final = re.compile(
    r"(?:^|[.!?;\n]\s*)(?:in|at|on|for|with|during)\s+(?:my\s+|our\s+|the\s+)?(?P<words>[a-z']{3,}(?:\s+[a-z']{3,})?)\s+(?:i|we|my|our)\b"
)


def pursues_something_else(lower: str, is_elsewhere: bool = False) -> bool:
    """Say whether a first person tells of another pursuit, in a text without a word of money's own.

    Parameters
    ----------
    lower : str
        Cleaned lower-case text, companies' names blanked.
    is_elsewhere : bool
        Whether sentences about another pursuit were set aside already.
    """
    if _MONEY_ALONE.search(lower) is not None:
        return False
    if is_elsewhere:
        return True
    for pattern in (_DOES, _THING, _PLACE):
        for match in pattern.finditer(lower):
            words = match.group("words")
            if pattern is _DOES:
                is_pursuit = not _NO_DEED.match(words) and _is_deed(words)
            else:
                is_pursuit = _is_strange(words)
            if is_pursuit:
                return True
    return False


_JOINS: Final = frozenset("but and so because when if while though until that than then as for".split())


def _is_deed(words: str) -> bool:
    """Say whether a verb and what follows it are foreign; a verb without an object is no pursuit."""
    verb, *rest = words.split()
    if rest and rest[0] in ("this", "it", "everything", "these", "all"):
        return False  # "I'm leaving this alone": the account
    if _is_strange(" ".join(rest)):
        return True
    return (not rest or rest[-1] not in _JOINS) and _is_strange(verb)


def _is_strange(words: str) -> bool:
    """Say whether words are foreign to investors' statements, or belong to another walk of life."""
    return bool(foreign_words(words)) or ELSEWHERE.search(words) is not None
