"""Cash needs: which amount, share and time a text states for money that is to be taken out.

What belongs here: telling a sum to be taken out from the size of an account, and which time is its
deadline. What does not: finding numbers and dates (``numbers.py``, ``dates.py``), horizons (``horizon.py``),
objectives (``grammar.py``).
"""

import re
from dataclasses import dataclass, field
from typing import Final

from ml.intent.grammar import clause_of
from ml.intent.numbers import Quantity
from ml.intent.schema import Liquidity
from ml.intent.text import CleanText, Piece
from ml.intent.timespan import TimeSpan
from ml.intent.wholes import part_score, pointed_at, whole_score

_NEED: Final = re.compile(
    r"\b(?:need(?:s|ed|ing)?|require[sd]?|withdraw\w*|(?:wire|send|move|transfer|pay)\s+out|tak(?:e|ing)\s+(?:\w+\s+){0,3}?out|tak(?:e|ing)\s+(?:about\s+|around\s+|roughly\s+)?(?=\$|\d)|pull(?:ing)?|cash(?:ing)?\s+out|get(?:ting)?\s+(?:\w+\s+){0,3}?out|c[ao]me?\s+out|coming\s+out|has\s+to\s+come|out\s+of\s+(?:it|this|the\s+account|here|my\s+account)|"
    r"free(?:ing)?\s+up|rais(?:e|ing)|set(?:ting)?\s+aside|liquid(?:ate|ity)?|in\s+cash|cash\s+(?:ready|available|by|for|next|on\s+hand)|have\s+(?:\w+\s+){0,2}?(?:ready|available)|(?:to\s+|must\s+|will\s+|have\s+to\s+|i'll\s+|gotta\s+)(?:pay|spend|cover|fund|send|give|gift|wire|use)\b|pay(?:ing)?\s+(?:for|off|the|my|our)|due\b|owe[sd]?|"
    r"down[\s-]?payment|downpayment|tuition|stamp\s+duty|completion|adopt\w+|in\s+vitro|ivf|braces|orthodontist|furnace|boiler|deck|lease|franchise|buy[\s-]?(?:out|in)|buying\s+(?:out|into)|lawyer|attorney|legal\s+fees|settlement|divorce|bail|loan|mortgage|rent\b|fees?\b|invoice|remit\w*|prepare|distribut\w+|withdrawals?|payout|leaving|liquid|grad\s+school|college|repay\w*|moving|relocat\w+|visa|dental|dentist|vet\b|hospital|treatment|care\s+home|nursing\s+home|equipment|camp|trip|cruise|ring\b|estimated|estimateds|wedding|closing\s+costs|roof|surgery|medical\s+bills?|tax\s+bill|(?:estimated|property)\s+tax(?:es)?|sabbatical|gift(?:ing|s)?\s+(?:to|for|of)|giv(?:e|ing)\s+(?:to|our|my|each|away)\b|donat\w+|tithe|c[ao]me?s?\s+from\s+(?:here|this|it)|vacation|holiday\s+trip|honeymoon|renovat\w+|remodel\w*|kitchen|funeral|outlay|expenses?|bills?\b|for\s+the\s+irs|deposit\s+on|buy(?:ing)?\s+(?:a|an|our|my)\s+(?:\w+\s+)?(?:house|home|car|condo|boat|apartment|place|truck|van|rv)|set\s+aside|earmark\w*|reserve|on\s+hand|accessible|available|to\s+my\s+account)\b"
)
_NOT_NEED_LEFT: Final = re.compile(
    r"(?:\b(?:have|has|had|got|hold|holding|own|worth|portfolio|account|balance|nest\s+egg|invest(?:ed|ing)?|inherit(?:ed|ing|ance)?|left\s+(?:me|us)|gave\s+(?:me|us)|received|won|sold|start(?:ed|ing)?(?:\s+with)?|began|original|initial|limit|cap|gain|gains|loss|losses|lost|lose|losing|made|make|making|earn(?:s|ed|ing)?|income|salary|paid|bonus|contribut\w+|add(?:ing)?|sav(?:e|ed|ing)|deposit(?:ed|ing)?\s+(?:another\s+)?|put(?:ting)?\s+in|grow|growing|turn(?:ing)?|double|from|profit|target|goal|reach|hit|offset|harvest\w*|reali[sz]\w+|deduct\w*|write\s+off|book|put|with|these|those|the\s+(?:first|original|initial)|over|above|past|down(?!\s*-?payment)|up|insurance|bought|paid|was|were|is|are|into|per|manag\w+|basis|finished|cleared|repaid|spent|refinanced|closed\s+on|settled|wiped\s+out|401\(?k\)?|iras?|roth|529|hsa)\b[\s\w'()]{0,18})\Z"
)
# "Take out, what did we say, five percent": what is said while thinking.
_PAUSE: Final = re.compile(r"[,-]\s(?:[\w']+\s?){1,6},\s\Z")
# "Apart from that 12,000 in May": the beginning says nothing of the sum.
_OPENER: Final = re.compile(
    r"\s*(?:oh\s+and\s+|and\s+|but\s+|also\s+)?(?:(?:apart|aside)\s+from|other\s+than|besides|beyond|on\s+top\s+of|in\s+addition\s+to|except\s+for)\s+(?:that|this|which|it|those|these)[\s,:-]+"
    r"|\s*(?:separately|additionally|one\s+(?:more|other|last)\s+thing|another\s+thing|lastly|finally|exception|one\s+exception)[\s,:-]+"
)
_NOT_NEED_RIGHT: Final = re.compile(
    r"^\s*(?:-\s*)?(?:\w+\s+){0,2}?(?:account|portfolio|gains?|loss(?:es)?|limit|deduction|profits?|salary|income|job|bonus|in\s+(?:loss|gains|stocks?|options|rsus|losses|profit|savings|the\s+account|my\s+account|this\s+account|here|total)|invested|inheritance|target|position|stake|worth\s+of|life\s+insurance|a\s+(?:month|year)\s+(?:in|into|from)|(?:tax\s+)?write[\s-]?offs?|each\s+month|monthly|per\s+month|every\s+month|basis|shares?|miles|people|words|times)\b"
)
_STRONG_NEED_LEFT: Final = re.compile(
    r"\b(?:need(?:s|ed|ing)?|withdraw(?:ing|al\s+of)?|take(?:\s+out)?|taking(?:\s+out)?|pull(?:ing)?(?:\s+out)?|cash\s+out|free\s+up|raise|set\s+aside|put\s+aside|pay|owe|hand|wire(?:\s+out)?|transfer(?:\s+out)?|send\s+out|move\s+out|promised|find|(?<='ll\s)want|get\s+my\s+hands\s+on|get|send|give|require|prepare|arrange|remit|release|earmark|reserve|budget|liquidate|cash\s+in|hold\s+back|keep\s+back|take\s+home|outlay\b[^.;!?\n]{0,40}|exception\b[^.;!?\n]{0,40}|due)\s+(?:me\s+|us\s+|you\s+to\s+\w+\s+|(?:a|an|the|my|our|his|her)\s+(?:\w+\s+){1,2}|to\s+(?:\w+\s+){0,3}?|about\s+|around\s+|roughly\s+|approximately\s+|exactly\s+|some\s+|another\s+|at\s+least\s+|up\s+to\s+|say\s+|maybe\s+|a\s+total\s+of\s+|him\s+|her\s+|them\s+|the\s+)*\Z"
)
_SHARE_OF: Final = re.compile(
    r"^\s*of\s+(?:aum|nav)\b|^\s*(?:distribution|withdrawal|payout|draw|leaving|going\s+out|comes?\s+out|comes?\s+due|to\s+(?:my|our|the)\s)|^\s*(?:of\s+)?(?:the\s+|my\s+|our\s+|this\s+|that\s+|what(?:'s|\s+is)?\s+|it\b|everything|all\s+of\s+)(?:\w+\s+){0,2}?(?:account|portfolio|money|holdings|balance|total|fund|investments?|value|shares?|savings|aum|nav|it|pot|whole|there|here|assets|stocks?|cash)?\b|^\s*(?:out|in\s+cash|cash|liquid|available|ready|withdrawn|needs|will|has|should|must|for\s+(?:a|my|our|the)\b)"
)
_NOT_SHARE: Final = re.compile(
    r"\b(?:max(?:imum)?|more\s+than|at\s+most|up\s+to|under|over|least|return|returns|yield|yields|gain|gains|gained|profit|make|earn|down|up|squeeze|wring|coax|settle\s+for|aim\s+for|after|looking\s+for|drop|drops|dropped|drawdown|lose|loss|lost|bracket|rate|rates|tax|beat|by|fell|rose|growth|inflation|apr|interest|allocation|target|weight|risk|fee|fees|chance|stocks|bonds|in\s+one|concentrat\w+)\s+(?:\w+\s+){0,2}?\Z"
)


@dataclass(frozen=True, slots=True)
class Need:
    """A cash need as found.

    Attributes
    ----------
    liquidity : Liquidity or None
        None if the text states none.
    deadlines : list of (start, end)
        Times it used, which are then no horizon; the whole sentence where it has no date.
    spans : list of (start, end)
        Clauses that state it.
    is_sized : bool
        Whether an amount or a share is stated.
    """

    liquidity: Liquidity | None = None
    deadlines: list[tuple[int, int]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    is_sized: bool = False


def find_liquidity(
    text: CleanText, amounts: list[Quantity], shares: list[Quantity], times: list[TimeSpan]
) -> Need:
    """Find money that is to be taken out; of several needs the most clearly stated, then the first."""
    lower = text.lower
    sentences = text.sentences()
    candidates: list[tuple[float, int, Quantity, Piece, bool]] = []
    for sentence in sentences:
        for quantity, is_share in [(q, False) for q in amounts] + [(q, True) for q in shares]:
            if sentence.start <= quantity.start < sentence.end:
                judge = _share_score if is_share else _amount_score
                score = judge(lower, quantity, sentence, times)
                if score >= _NEEDED:
                    candidates.append((-score, quantity.start, quantity, sentence, is_share))
    for _, _, quantity, sentence, is_share in sorted(candidates, key=lambda c: c[:2]):
        time = _deadline(lower, times, sentence, text.clauses(sentence), quantity)
        if quantity.is_foreign and time is None:
            continue
        return _need(text, sentence, quantity, is_share, time)
    for sentence in sentences:
        if _DATED_NEED.search(lower, sentence.start, sentence.end) is None:
            continue
        time = _deadline(lower, times, sentence, text.clauses(sentence), None)
        refused = _NO_NEED.search(lower, sentence.start, sentence.end)
        sold = _SOLD.search(lower, sentence.start, sentence.end)
        if time is not None and time.lead != "now" and refused is None and sold is None:
            return _need(text, sentence, None, False, time)
    return Need()


def _need(
    text: CleanText, sentence: Piece, quantity: Quantity | None, is_share: bool, time: TimeSpan | None
) -> Need:
    clauses = text.clauses(sentence)
    at = [quantity.start] if quantity else []
    at += [time.start] if time and sentence.start <= time.start < sentence.end else []
    parts = [clause_of(clauses, position) for position in at]
    is_usable = quantity is not None and not quantity.is_foreign
    is_whole = is_share and quantity is not None and quantity.value == 1.0
    return Need(
        liquidity=Liquidity(
            amount_usd=round(quantity.value, 2) if quantity and is_usable and not is_share else None,
            share_of_portfolio=round(quantity.value, 6) if quantity and is_share else None,
            by=None if time is None else (time.first, time.last),
        ),
        deadlines=_deadlines(sentence, time, is_whole),
        spans=[(part.start, part.end) for part in parts],
        is_sized=is_usable,
    )


def _deadlines(sentence: Piece, time: TimeSpan | None, is_whole: bool) -> list[tuple[int, int]]:
    """Give the places of times that are no horizon: not where all that is there is for the purchase."""
    if is_whole:
        return []
    return [(sentence.start, sentence.end)] if time is None else [(time.start, time.end)]


_NEEDED: Final = 2.0
_SMALL_USD: Final = 100.0  # below it an amount counts only if it is plainly asked for: prices are everywhere
_DATED_NEED: Final = re.compile(
    r"\b(?:need|needs|needed|sell|withdraw|take|pull|raise|free\s+up|cash|money|pay|due|liquid)\b[^.;!?\n]{0,120}\b(?:down[\s-]?payment|tuition|wedding|closing|roof|surgery|bills?|taxes|house|home|car|renovat\w+|remodel\w*|sabbatical|gift|expenses?|cash|money|out)\b"
    r"|\b(?:have|need|got|ought)\s+to\s+(?:sell|pull|take|raise|free|cash|withdraw)\b[^.;!?\n]{0,60}\b(?:to\s+(?:pay|cover|fund|buy|settle|fix|replace|repair)|for)\s+(?:for\s+)?(?:the|a|an|my|our|his|her)\b"
    r"|\b(?:down[\s-]?payment|tuition|wedding|tax\s+bill|closing)\b[^.;!?\n]{0,80}\b(?:due|needed|coming\s+up|in|by|next)\b"
)
_NO_NEED: Final = re.compile(
    r"\b(?:don'?t|do\s+not|won'?t|will\s+not|not|never|no)\s+(?:\w+\s+){0,2}?(?:need|touch|take|withdraw|pull)\w*\b|\bno\s+(?:cash\s+)?needs?\b|\b(?:pull|get|cash)\s+out\s+of\s+the\s+(?:market|stocks?|trade)s?\b|\bmight\b|\bmay\s+(?:possibly\s+)?(?:need|have)\b|\b(?:could|possibly|perhaps|maybe)\b"
)
# "the gain on my house sale": the house brought money in.
_SOLD: Final = re.compile(
    r"\b(?:turn\s+\S+\s+into|flip|double|profit)\b[^.;!?\n]{0,60}\bcash\s+out\b|\b(?:gains?|loss(?:es)?|profits?|proceeds|offset\w*|deduct\w*)\b[^.;!?\n]{0,60}\b(?:house|home|car|business|condo|land|property)\b(?:\s+sale)?|\b(?:house|home|property|business)\s+sale\b"
)
_PURPOSE_RIGHT: Final = re.compile(
    r"^\s*(?:(?:dollars?|bucks|usd|in\s+cash|cash)\s+)?(?:(?:out\s+)?(?:of|from)\s+(?:it|this|here|the\s+account|this\s+account|my\s+account|the\s+portfolio)\s+)?(?:(?:on|in|by|next)\s+(?:\w+\s+){1,3})?(?:for|toward|towards|to\s+(?:pay|buy|cover|fund|help|give|send|put|replace|fix|repair|settle|clear|close)|of\s+(?:tuition|rent|taxes))\b"
)
_OUT_RIGHT: Final = re.compile(
    r"^\s*(?:(?:of\s+(?:it|this|that|the\s+\w+|my\s+\w+|our\s+\w+|everything|what\s+i\s+have)|dollars?|bucks|usd|please|thanks?)[\s,]+){0,2}?"
    r"(?:(?:in\s+cash|out|ready|liquid|available|withdrawable)\b|to\s+(?:leave|go\s+out|exit|be\s+gone)\b|(?:which\s+(?:is|are)\s+)?to\s+be\s+(?:remitted|paid|released|available|withdrawn|sent|transferred|wired|ready|set\s+aside|taken\s+out|kept\s+(?:ready|aside)|disbursed|distributed|held\s+back)\b|is\s+what\b[^.;!?\n]{0,40}\b(?:charges?|costs?|wants?|owe)\b|(?:is|are|was|gets?|will\s+be|has\s+to|have\s+to|must|should|needs?\s+to|ought\s+to|goes|go|going|comes?)\s+(?:be\s+|come\s+|go\s+|get\s+|leave\s+)*(?:in\s+(?:cash|my|our)|out|due|needed|available|withdraw\w*|withdrawable|ready|liquid|paid|sent|wired|transferred|spent|leave|to\s+(?:my|our|the|a|him|her|them)|set\s+aside|there|freed|raised|released|my|on\s+hand|remitted|taken\s+out|handed|transferred|disbursed|distributed|into\s+(?:that|it|this)|toward\w*)\b|\s*,?\s*-?\s*(?:the\s+first\s+(?:one\s+)?)?(?:is\s+)?(?:due|needed|payable)\b)"
)
_BY_RIGHT: Final = re.compile(
    r"^[\s,]*(?:(?:of\s+(?:it|this|the\s+\w+|my\s+\w+)|dollars?|bucks|usd|in\s+cash|please|ready|available|out)[\s,]+){0,3}?(?:by|before|within|no\s+later\s+than|due|on|this|next|in|come|at\s+the\s+(?:end|start)|tomorrow|the\s+day\s+after)\b"
)
_FROM_HERE: Final = re.compile(
    r"^\s*(?:dollars?\s+)?(?:out\s+)?(?:of|from)\s+(?:it|this|here|the\s+account|(?:this|my|our|the)\s+(?:account|portfolio))\b"
)
_PROFIT: Final = re.compile(
    r"\b(?:make|making|profit|gains?|earn|grow|turn|double|target|win|reach|worth)\b[^.;!?\n]{0,30}\Z"
)


def _amount_score(lower: str, amount: Quantity, sentence: Piece, times: list[TimeSpan]) -> float:
    """Say how clearly an amount is to be taken out; :data:`_NEEDED` is enough."""
    opener = _OPENER.match(lower, sentence.start, amount.start)
    start = sentence.start if opener is None else opener.end()
    left = _PAUSE.sub(" ", lower[max(start, amount.start - 60) : amount.start])
    right = lower[amount.end : amount.end + 60]
    if re.match(r"\s*(?:%|percent)", right):
        return 0.0
    is_out = _OUT_RIGHT.match(right) is not None
    is_asked = _STRONG_NEED_LEFT.search(left) is not None
    if amount.value < _SMALL_USD and not is_asked:
        return 0.0
    if is_asked:
        is_refused = re.search(
            r"\b(?:don'?t|do\s+not|never|no)\s+(?:\w+\s+){0,2}?need\w*\s+(?:the\s+)?\Z", left
        )
        is_other = _NOT_NEED_RIGHT.match(right) and not _FROM_HERE.match(right) and not is_out
        return 0.0 if is_refused or is_other else 4.0
    is_other = _NOT_NEED_RIGHT.match(right) or _RECURS.match(right)
    if _TO_INVEST.match(right) or (is_other and not is_out and not _FROM_HERE.match(right)):
        return 0.0
    is_held = _HELD_LEFT.search(left) is not None and _HELD_RIGHT.match(right) is not None
    is_billed = _BILL_LEFT.search(left) is not None or _WANTED_RIGHT.match(right) is not None
    if is_held or (_NOT_NEED_LEFT.search(left) and not is_out and not is_billed):
        return 0.0
    window = lower[max(sentence.start, amount.start - 110) : min(sentence.end, amount.end + 90)]
    is_dated = any(sentence.start <= t.start < sentence.end for t in times)
    score = 2.0 * (_NEED.search(window) is not None) + 2.5 * is_out
    score += _NEEDED * (is_billed and is_dated)
    opens = _NOTE_LEFT.fullmatch(lower, start, amount.start) is not None
    if opens and _NOTE_RIGHT.match(right) and not _INVESTED.search(lower, sentence.start, sentence.end):
        score += _NEEDED
    # "We break ground in March: $150,000."
    if left.rstrip().endswith(":") and is_dated and not _INVESTED.search(lower, sentence.start, sentence.end):
        score += _NEEDED
    score += 1.25 * (_PURPOSE_RIGHT.match(right) is not None) * amount.is_explicit
    if is_dated and not _PROFIT.search(left):
        score += 0.5 + 1.5 * (_BY_RIGHT.match(right) is not None) * amount.is_explicit
    return score


_TAKEN_LEFT: Final = re.compile(
    r"\b(?:take\s+out|pull\s+out|withdraw|move|convert|turn|set\s+aside|put\s+aside|cash\s+out|free\s+up|liquidate|release|get\s+out|raise|hold\s+back)\s+(?:about\s+|around\s+|roughly\s+|some\s+|me\s+|us\s+|the\s+|a\s+)*\Z"
)
# "I've got 65k in VTI and 20k in cash": what is held, not what is needed.
_HELD_LEFT: Final = re.compile(
    r"\b(?:have|has|had|got|hold|holding|own|with|there's|sitting\s+on)\b[^.;:!?\n]{0,45}(?:,|\band|\bplus)\s+(?:about\s+|around\s+|another\s+|some\s+)?\Z"
)
_HELD_RIGHT: Final = re.compile(
    r"\s*(?:dollars\s+)?(?:in|of)\s+(?!cash\s+(?:by|before|next|ready|for|in|this)\b|(?:january|february|march|april|may|june|july|august|september|october|november|december|the\s+(?:spring|summer|fall|winter)|q\d)\b)"
)
# "The roof quote is $23,400, wanted by November."
_BILL_LEFT: Final = re.compile(
    r"\b(?:quotes?|bills?|invoice|estimate|balance\s+due|costs?|fees?|tuition|deposit|down[\s-]?payment|premium|tab)\s+(?:(?:is|was|of|for|at|are|will\s+be|comes?\s+to|runs?(?:\s+to)?|came\s+(?:in\s+)?(?:at|to))|[:=-])\s*(?:about\s+|around\s+|roughly\s+)?\Z"
)
_RECURS: Final = re.compile(r"\s*(?:dollars\s+)?(?:a|per|each|every)\s+(?:month|week|year|quarter)\b")
_TO_INVEST: Final = re.compile(r"[^.,;!?\n]{0,30}\bto\s+(?:invest|work\s+with|put\s+to\s+work)\b")
_WANTED_RIGHT: Final = re.compile(
    r"\s*,?\s*(?:and\s+)?(?:(?:the|our|my|his|her)\s+)?[\w'-]+\s+(?:wants?|needs?|expects?|charges?|asks?\s+for)\s+(?:it|that|them|this|payment|the\s+money)\s+(?:\w+\s+)?(?:by|before|in|on)\b"
)
# A note that begins with its sum: "eighteen grand, september, for the furnace".
_NOTE_LEFT: Final = re.compile(
    r"\s*(?:(?:so|ok|okay|hi|hello|hey|please|basically|also|plus|and|then|note|reminder|oh)[\s,:]+){0,3}(?:a\s+|an\s+)?\Z"
)
_NOTE_RIGHT: Final = re.compile(
    r"^[\s,]*(?:dollars?[\s,]+|bucks[\s,]+|please[\s,]+|in\s+cash[\s,]+|out[\s,]+|cash[\s,]+|of\s+(?:it|this|the\s+\w+)[\s,]+)?(?:by|before|in|next|this|due|for\s+(?:the|my|our|a|an|his|her)\b(?!\s+(?:next|coming|long|rest))|january|february|march|april|may|june|july|august|september|october|november|december|\d{1,2}/)"
)
_INVESTED: Final = re.compile(
    r"\b(?:grow\w*|invest\w*|safe\w*|profit\w*|gains?|loss\w*|compound\w*|trad(?:e|ing)|portfolio\s+of|account\s+of|risk)\b"
)


def _share_score(lower: str, share: Quantity, sentence: Piece, times: list[TimeSpan]) -> float:
    """Say how clearly a share of the portfolio is to be taken out."""
    if share.value == 1.0 and not share.is_explicit:
        return whole_score(lower, share.start, share.end)
    left = _PAUSE.sub(" ", lower[max(sentence.start, share.start - 50) : share.start])
    right = lower[share.end : share.end + 70]
    if re.match(
        r"\s*(?:a|per|every|each)\s+(?:year|annum|month)|\s*(?:\w+\s+)?(?:return|gain|yield|loss|drop|profit|hit|cut|haircut|drawdown|swing|fall|decline|position|stake|pop|stock|bond|risk)",
        right,
    ):
        return 0.0
    if _TAKEN_LEFT.search(left) and re.match(
        r"\s*(?:out|for|from|by|in|(?:of\s+[\w\s]{2,20})?\s*(?:to|into)\s+cash|of|this|next|sometime|within|before|$|[.,;!])",
        right,
    ):
        return 4.0
    noted = part_score(left, right)
    if noted >= _STATED_PART:
        return noted
    if not noted and not _SHARE_OF.match(right) and not re.match(r"\s*(?:by|in|within|next|before)\b", right):
        return 0.0
    if _STRONG_NEED_LEFT.search(left):
        return 4.0
    if _NOT_SHARE.search(left) and not _OUT_RIGHT.match(right):
        return 0.0
    is_dated = any(sentence.start <= t.start < sentence.end for t in times)
    window = lower[max(sentence.start, share.start - 80) : min(sentence.end, share.end + 80)]
    score = 2.0 * (_NEED.search(window) is not None) + 2.5 * (_OUT_RIGHT.match(right) is not None)
    return (
        score
        + noted
        + 1.5 * (re.match(r"[\w\s]{0,24}?\bfor\s+(?:a|an|my|our|the)\b", right) is not None)
        + 0.5 * is_dated
    )


_STATED_PART: Final = 4.0
DEADLINE_LEAD: Final = re.compile(r"(?:by|before|until|till|through|no\s+later)\b")


def _deadline(
    lower: str, times: list[TimeSpan], sentence: Piece, clauses: list[Piece], anchor: Quantity | None
) -> TimeSpan | None:
    """Choose the time of a need: in its sentence, the nearest to the amount; else opening the next one."""
    inside = [t for t in times if sentence.start <= t.start < sentence.end]
    if not inside:
        back = pointed_at(lower, sentence.start, sentence.end, times)
        if back is not None:
            return back
    if inside and anchor is not None:
        clause = clause_of(clauses, anchor.start)

        def order(time: TimeSpan) -> tuple[bool, bool, bool, bool, int]:
            is_before = time.start < anchor.start
            gap = anchor.start - time.end if is_before else time.start - anchor.end
            is_deadline = time.lead == "within" or DEADLINE_LEAD.match(time.lead) is not None
            return (
                time.lead == "now",
                not clause.start <= time.start < clause.end,
                not is_deadline,
                is_before,
                gap,
            )

        return min(inside, key=order)
    if inside:
        return inside[0]
    if anchor is None:
        return None
    following = [t for t in times if sentence.end <= t.start <= sentence.end + 30]
    return (
        following[0]
        if following
        and re.search(r"\b(?:by|before|due|needed|need)\b", lower[sentence.end : following[0].end])
        else None
    )
