"""Attitudes to risk: what a text says of bearing or refusing losses.

What belongs here: reading low, medium and high from phrases (``lexicon.py``) and from frames: a fall of
the account beside its acceptance or refusal. What does not: objectives (``grammar.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from collections.abc import Callable, Iterator
from typing import Final

from ml.intent.lexicon import MONEY_TOPIC, RISK, UNAFRAID, WISH
from ml.intent.text import LONG_TEXT, CleanText

_FALL: Final = (
    r"(?:(?:fall|falls|falling|drop|drops|dropping|dip|dips|go|goes|going|be|get|gets|getting|cut|tank|tanks|tanking|crash|crashes|plunge|plunges|slide|slides|sink|sinks|los(?:e|es|ing)|down|shrink|shrinks)\s+(?:\w+\s+){0,3}?(?:(?:by\s+)?(?:a\s+)?(?:half|third|quarter|lot)|in\s+half|\d\d\s?(?:%|percent)|(?:twenty|thirty|forty|fifty|sixty|seventy)(?:\s+percent)?|through\s+the\s+floor|off\s+a\s+cliff|everything|hard|big)|"
    r"halv(?:e|es|ing)|(?:big|bad|wild|large|deep|nasty|huge|steep|sharp|ugly|rough|violent|temporary|(?:\d\d|twenty|thirty|forty|fifty|sixty)\s?(?:%|percent))\s+(?:swings?|fluctuations?|drops?|falls?|loss(?:es)?|drawdowns?|dips?|patch(?:es)?|rides?|years?|markets?|moves?|hits?|declines?|crash(?:es)?)|bear\s+markets?|rough\s+(?:patch(?:es)?|seas|waters?|ride)|ups\s+and\s+downs|crash(?:es)?|turbulence|volatility|bumps|roller\s?coaster)"
)
_BEARS: Final = (
    r"(?:(?:i|we)\s+(?:laugh|shrug|yawn|smile)\s+(?:at|off)|(?:i'm|we're|i\s+am|we\s+are)\s+(?:\w+\s+)?(?:accepting|tolerating|embracing)|(?:can|could|i'll|we'll|will|i'd|would|happy\s+to|able\s+to|willing\s+to|prepared\s+to|ready\s+to|okay\s+to|fine\s+to)\s+(?:\w+\s+){0,2}?(?:live\s+with|stomach|ride\s+(?:out|through)|sit\s+(?:out|through)|handle|take|cope\s+with|put\s+up\s+with|tolerate|accept|bear|absorb|weather|survive|shrug\s+off|hold\s+through|watch|stand|afford\s+to\s+(?:see|lose|wait\s+out))|"
    r"(?:don't|do\s+not|doesn't|wouldn't|won't)\s+(?:\w+\s+){0,2}?(?:mind|care|bother|worry|scare|faze|upset|frighten|keep)|(?:fine|ok|okay|cool|happy|comfortable|relaxed|at\s+peace|at\s+ease)\s+(?:with|about|riding|sitting|watching|seeing|if)|not\s+(?:bothered|fazed|worried|scared|afraid)\s+(?:by|of|about)|prepared\s+for|ready\s+for|unfazed\s+by|ride\s+out)"
)
_CALM: Final = r"(?:(?:i|we)(?:'d|'ll|\s+would|\s+will|'m|\s+am|\s+could)?\s+(?:\w+\s+){0,2}?(?:sleep|buy\s+more|be\s+(?:fine|ok|okay|calm)|shrug|laugh|hold\s+on|hang\s+on|stay\s+(?:put|calm|in)|ride\s+it\s+out|sit\s+tight|keep\s+(?:buying|going))|(?:i|we)\s+(?:would\s+not|wouldn't|won't|will\s+not|don't|never|didn't)\s+(?:\w+\s+)?(?:blink|panic|care|flinch|lose\s+(?:any\s+)?sleep|worry|sell|mind|even|log\s+(?:in|on)|look|open\s+the\s+app|notice)|felt\s+nothing|(?:do|does|did|would|will)(?:n't|\s+not)\s+(?:\w+\s+)?(?:bother|scare|faze|worry|trouble|frighten|upset|concern|matter)|not\s+a\s+problem|no\s+problem|no\s+big\s+deal|so\s+be\s+it|that's\s+(?:fine|ok|okay|life)|(?:is|are)\s+(?:fine|ok|okay|acceptable|no\s+problem|part\s+of\s+it))"
_HIGH: Final = re.compile(
    rf"\b{_BEARS}\s+(?:[\w']+\s+){{0,6}}?{_FALL}"
    rf"|\b{_FALL}(?!\w)[^.;!?\n]{{0,40}}?\b{_CALM}\b"
    r"|\b(?:accept(?:ing)?|fine|okay?|prepared|comfortable|at\s+peace|live\s+with)\s+(?:with\s+)?(?:the\s+(?:fact|idea|possibility|chance)\s+)?(?:that\s+)?(?:i|we|it|this|the\s+\w+)\s+(?:may|might|could|can)\s+(?:\w+\s+)?(?:lose|go\s+down|drop|fall|shrink)\s+(?:by\s+)?(?:an?\s+(?:big|large|good|great|huge|fair|sizeable|substantial|considerable|lot)\b|most|much|half|everything|all|it\s+all|\d\d\s?%)"
    r"|\b(?:not|never|no\s+longer|n't)\s+(?:\w+\s+)?(?:afraid|scared|worried|frightened|terrified)\s+(?:to|of|about)\s+(?:los(?:e|ing)|see(?:ing)?|a\s+loss|losses|drops?|swings)\b"
    r"|\b(?:big|wild|huge|large|violent)\s+(?:swings?|drops?|moves?|losses)\s+(?:are|is)\s+(?:\w+\s+)?(?:fine|ok|okay|acceptable|no\s+problem|welcome)\s+(?:with|by|for)\s+(?:me|us)\b"
    rf"|\b(?:don't|won't|never|not|wouldn't)\s+los(?:e|ing)\s+(?:any\s+)?sleep\b"
    rf"|\b(?:don't|never|won't)\s+(?:even\s+)?flinch\b|\bbring\s+(?:it\s+|them\s+)?on\b|\b(?:fairly|very|quite|pretty|really|an?|be|feeling|more)\s+adventurous\b|\b(?:pedal|foot)\s+to\s+the\s+(?:floor|metal)\b|\bfull\s+(?:throttle|risk)\b|\bswing\s+for\s+(?:it|the\s+fences)\b"
    rf"|\b(?:drawdowns?|swings?|vol|volatility|drops?|losses|risks?)\s+(?:of\s+\d\d\s?%\s+)?(?:ok|okay|fine|acceptable|tolerated|welcome|no\s+(?:problem|issue|object)|(?:is|are)\s+no\s+(?:object|issue|problem|concern))\b|\b(?:drawdown|loss|volatility)\s+tolerance\s*(?:is\s+|:\s?)?(?:very\s+)?high\b"
    rf"|\b(?:risk|risks)\b[^.;!?\n]{{0,20}}?\b(?:is\s+my\s+(?:middle\s+name|friend)|don't\s+(?:scare|bother|worry)|doesn't\s+(?:scare|bother|worry)|welcome)"
)
_LOW: Final = re.compile(
    r"\b(?:rather|sooner|prefer(?:\s+to)?)\s+(?:\w+\s+){0,2}?(?:miss|forgo|forego|give\s+up|earn|make|have|get|accept|settle\s+for)\s+[^.;!?\n]{0,50}?\bthan\s+(?:\w+\s+){0,2}?(?:tak(?:e|ing)|los(?:e|ing)|risk(?:ing)?|see(?:ing)?|suffer(?:ing)?|a\s+loss|watch(?:ing)?)"
    r"|\b(?:no|little|zero|not\s+much|without)\s+(?:appetite|stomach|taste|tolerance|desire|wish|room)\s+for\s+(?:\w+\s+){0,2}?(?:loss(?:es)?|risks?|swings|volatility|surprises|adventures?|excitement)"
    r"|\b(?:don't|do\s+not|no|not)\s+(?:\w+\s+)?(?:require|need|want|like|seek|crave|for)\s+(?:\w+\s+)?(?:excitement|thrills?|adventures?|surprises|drama|gambles?)\b|\bno\s+(?:excitement|thrills|adventures|gambl(?:es|ing)|surprises)\b(?!\s+(?:compan|stocks|shares|firms|names|industr|sector|or\b|and\b|,))"
    r"|\b(?:not|never|mustn't|shouldn't|without)\s+(?:\w+\s+){0,3}?(?:be\s+)?(?:put|placed|putting)?\s*(?:at|to)\s+(?:any\s+)?risk\b"
    r"|\b(?:never|don't|not)\s+(?:\w+\s+){0,2}?(?:want|wish|going)\s+to\s+(?:go|live)\s+through\s+(?:that|this|it|another)\b"
    r"|\b(?:no|any|not\s+take|avoid)\s+(?:\w+\s+)?risks?\s+(?:at\s+all|whatsoever|of\s+any\s+kind)\b|\b(?:not|never|don't)\s+(?:\w+\s+){0,2}?(?:take|taking|run|running)\s+(?:\w+\s+){0,2}?(?:risks?|chances)\b"
    r"|\b(?:risk[\s-]*(?:tolerance|appetite|level|profile|capacity|budget)?|tolerance(?:\s+for\s+(?:risk|loss(?:es)?))?|appetite(?:\s+for\s+risk)?)\s*(?:is|:|=|-|would\s+be|should\s+be)\s*(?:very\s+|quite\s+|rather\s+|pretty\s+|extremely\s+)?(?:low|minimal|none|nil|zero|conservative|cautious|small|limited)\b(?!\s+(?:hanging|cost|fee))"
    r"|\b(?:can't|cannot|couldn't|don't|never|unable\s+to)\s+sleep\s+(?:\w+\s+){0,2}?(?:when|if|whenever|because|with)\b|\b(?:fall|drop|loss|dip|decline|drawdown)s?\s+(?:of\s+)?[^.;!?\n]{0,30}?\b(?:is|are|would\s+be)\s+(?:more\s+than|too\s+much|beyond\s+what|unbearable|not\s+(?:acceptable|something))\b|\bneither\s+of\s+us\s+slept\b|\b(?:despise|detest|loathe|dread)\s+(?:\w+\s+)?(?:volatility|swings?|drawdowns?|loss(?:es)?|risks?|losing)\b|(?<!not )\b(?:awake|up)\s+(?:all|at)\s+night\b"
    r"|\b(?:i'm|i\s+am|we're|we\s+are|am)\s+(?:a\s+)?(?:\w+\s+)?(?:worrier|nervous|timid|anxious|scaredy\s?cat)\b|(?<!don't\s)(?<!won't\s)(?<!not\s)(?<!never\s)(?<!wouldn't\s)\b(?:lose|losing|lost)\s+sleep\s+over\b|\bstomach\s+(?:turns|drops|churns)\b"
)
# What is refused.
_REFUSED: Final = re.compile(
    r"\b(?:not|no|don'?t|never|isn'?t|nothing|without|avoid|too|less|can'?t|cannot|won'?t)\s+(?:\w+\s+){0,3}?\Z"
)
# "High risk is not for me", and a risk of the world's rather than an attitude: "inflation risk is high".
_REFUSED_AFTER: Final = re.compile(
    r"\s*(?:is|are|was|were|would\s+be|does|do)(?:n't|\s+not|\s+never)\s+(?:\w+\s+)?(?:for|my|our|what|ok|okay|fine|acceptable|an?|wanted|suit|welcome|with)\b|\s*(?:no|never)\s*(?:thanks|please|way)?\s*(?:$|[.,!;])"
)
# "A high risk of losing my job" is feared, not taken.
_OF_AN_EVENT: Final = re.compile(r"\s+of\s+(?!(?:loss|losses|volatility|swings|drawdowns?|ruin|drops?)\b)")
_OF_THE_WORLD: Final = re.compile(
    r"\b(?:inflation|market|political|geopolitical|credit|currency|rate|default|recession|tail|sequence|longevity|fire|flood|flight|health|legal|business|job|audit|the|this)\s+\Z"
)
# Harvesting "aggressively" is a manner rather than an attitude.
_MANNER: Final = re.compile(
    r"(?:harvest\w*|loss(?:es)?|tax(?:es)?|trad\w+|sell\w*|rebalanc\w+|rotat\w+|switch\w*|turn\w*|scalp\w*|flip\w*|churn\w*|time|timing|manag\w+|work\w*|pursu\w+|sav\w+)\s+(?:\w+\s+){0,3}?aggressive(?:ly)?\b[^.;!?\n]{0,12}\Z"
    r"|aggressive(?:ly)?\s+(?:about\s+|with\s+)?(?:harvest|tax|loss|trad|sell|rebal)\w*[^.;!?\n]{0,12}\Z"
)


def find_risk(text: CleanText, supports: Callable[[int, int], bool]) -> set[str]:
    """Collect the attitudes to risk that the text states.

    Parameters
    ----------
    text : CleanText
        The statement.
    supports : callable
        Says of a position whether what stands there is the writer's own attitude to his money
        (``Evidence.supports_risk``).

    Returns
    -------
    set of str
        Of low, medium and high; medium stands alone.
    """
    found: set[str] = set()
    for match in _ANSWERED.finditer(text.lower):
        if supports(match.start(), match.end()):
            found.add("low" if match.group("no") else "high")
    is_long = len(text.lower.strip(" \n\x01")) >= LONG_TEXT
    for sentence in text.sentences():
        piece = text.lower[sentence.start : sentence.end]
        if is_long and not (WISH.search(piece) and MONEY_TOPIC.search(piece)) and not _HIGH.search(piece):
            continue
        for match, level in _graded(piece):
            if supports(sentence.start + match.start(), sentence.start + match.end()):
                found.add(level)
        for level, pattern in (*RISK.items(), ("low", _LOW), ("high", _HIGH)):
            for match in pattern.finditer(piece):
                if level == "low" and UNAFRAID.search(match.group()):
                    continue
                if level == "high" and _is_refused(piece, match):
                    continue
                # Harvesting or trading "aggressively" is a manner, not an attitude to risk.
                if match.group().startswith("aggressive") and _MANNER.search(piece[: match.end() + 12]):
                    continue
                if supports(sentence.start + match.start(), sentence.start + match.end()):
                    found.add(level)
    return {"medium"} if "medium" in found else found


# "Volatility? Love it." "Risk? No thanks."
_ANSWERED: Final = re.compile(
    r"\b(?:risks?|volatility|swings|drawdowns?|drops?|crash(?:es)?|losses|bear\s+markets?|ups\s+and\s+downs)\s?\?+\s*(?:(?P<no>no\b(?!\s+(?:problem|issue|worries|big|sweat))|none\b|hate|not\s+for|never|nope|zero)|(?:i\s+)?(?:love|bring|fine|okay?|no\s+(?:problem|issue|worries|big|sweat)|don't\s+(?:care|mind)|doesn't\s+(?:matter|bother|scare)|whatever|welcome|so\s+what|sure|yes|all\s+day)\b)"
)
_GRADES: Final = {
    word: i for i, word in enumerate("one two three four five six seven eight nine ten".split(), 1)
}
_GRADE: Final = rf"(?P<%s>\d{{1,2}}|{'|'.join(_GRADES)})"
# "Risk level 5 out of 5", "on a scale from one to ten my risk is a nine".
_OUT_OF: Final = re.compile(
    rf"\brisk\b[^.;!?\n]{{0,30}}?\b{_GRADE % 'grade'}\s*(?:/|out\s+of|of|on\s+a\s+scale\s+(?:of|from)\s+(?:1|one|0|zero)\s+(?:to|-))\s*(?P<top>5|five|7|seven|10|ten)\b"
)
_SCALE: Final = re.compile(
    rf"\bscale\s+(?:of|from)?\s*(?:0|1|zero|one)\s*(?:to|-)\s*(?P<top>5|five|7|seven|10|ten)\b[^.;!?\n]{{0,30}}?\brisk\b[^.;!?\n]{{0,25}}?\b{_GRADE % 'grade'}\b"
)


def _graded(piece: str) -> Iterator[tuple[re.Match[str], str]]:
    """Give the attitudes that are stated as a grade on a scale: the upper third is high, the lower low."""
    for match in (*_OUT_OF.finditer(piece), *_SCALE.finditer(piece)):
        grade, top = (
            float(word) if word.isdigit() else float(_GRADES[word]) for word in match.group("grade", "top")
        )
        if 0 < grade <= top:
            share = (grade - 1) / (top - 1)
            yield match, "high" if share >= 2 / 3 else ("low" if share <= 1 / 3 else "medium")


def _is_refused(piece: str, match: re.Match[str]) -> bool:
    """Say whether a high risk is refused, or is none that the writer takes."""
    before = piece[: match.start()]
    if match.group().endswith(("risk", "risks")) and _OF_AN_EVENT.match(piece, match.end()):
        return True
    if _REFUSED.search(before) or _REFUSED_AFTER.match(piece, match.end()):
        return True
    is_stated = re.match(r"risks?\s*(?:is|are|:|=|would)", match.group()) is not None
    return is_stated and _OF_THE_WORLD.search(before) is not None
