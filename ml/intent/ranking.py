"""From objectives named to fields: the primary and the secondary, contradictions, tax wishes.

What belongs here: choosing among the mentions of a text, and saying that it is torn or says too little.
What does not: finding the mentions (``grammar.py``), the classifier's word (``combine.py``).
"""

import re
from dataclasses import dataclass
from typing import Final

from ml.intent.grammar import NAMED_WEIGHT, SHORT_TEXT, Mention
from ml.intent.lexicon import AVOID_REALISING, IMPOSSIBLE, UNDECIDED, VAGUE, WASH_SALE
from ml.intent.schema import TaxWishes
from ml.intent.text import LONG_TEXT, CleanText
from ml.types import OBJECTIVES


@dataclass(frozen=True, slots=True)
class Ranked:
    """Objectives in order of rank, and whether they contradict each other."""

    primary: str | None
    secondary: str | None
    is_contradictory: bool


def rank_objectives(text: CleanText, mentions: list[Mention], risk: set[str]) -> Ranked:
    """Choose primary and secondary objective.

    An objective counts if one phrase names it by itself or two weak ones do. The one called first
    is primary, else the first named; a second must be named by itself.
    """
    weight = {name: 0.0 for name in OBJECTIVES}
    strong = {name: False for name in OBJECTIVES}
    for mention in mentions:
        weight[mention.objective] += mention.weight
        strong[mention.objective] |= mention.weight >= NAMED_WEIGHT or mention.rank > 0
    is_short = len(text.lower.strip(" \n\x01")) <= SHORT_TEXT
    named = [
        name
        for name in OBJECTIVES
        if strong[name] or weight[name] >= NAMED_WEIGHT or (is_short and weight[name] >= 0.5)
    ]
    if any(strong[name] for name in named):
        # A weak word counts beside a named objective only where the text calls it second.
        named = [
            name for name in named if strong[name] or any(m.rank < 0 for m in mentions if m.objective == name)
        ]
    best = {name: max((m.rank for m in mentions if m.objective == name), default=0) for name in named}
    worst = {name: min((m.rank for m in mentions if m.objective == name), default=0) for name in named}
    rank = {name: 1 if best[name] > 0 else (-1 if worst[name] < 0 else 0) for name in named}
    first = {name: min(m.start for m in mentions if m.objective == name) for name in named}
    ordered = sorted(named, key=lambda name: (-rank[name], first[name]))
    unranked = [name for name in ordered if rank[name] == 0]
    is_torn = len(unranked) >= _CROWD and len(text.lower.strip(" \n\x01")) <= _CROWDED_TEXT
    is_torn &= len(set(rank.values())) == 1
    is_torn |= {"low", "high"} <= risk and not any(strong[name] for name in named)
    is_torn |= "high" in risk and named == ["capital_preservation"] and is_short
    is_torn |= _is_torn(text.lower, mentions, named, unranked)
    if is_torn or not ordered:
        return Ranked(None, None, is_torn)
    second = next((name for name in ordered[1:]), None)
    return Ranked(ordered[0], second, False)


_CROWD, _CROWDED_TEXT = 3, 220  # so many objectives in so short a text, none called first


def _is_torn(lower: str, mentions: list[Mention], named: list[str], unranked: list[str]) -> bool:
    """Say whether the words contradict each other, leave the choice to the reader or say too little."""
    stripped = lower.strip(" \n\x01")
    is_short = len(stripped) <= SHORT_TEXT
    if is_short and _MERE_MONEY.fullmatch(stripped) is not None:
        return True
    if "short_term_alpha" in named and is_short and _NEVER_SELLS.search(lower) is not None:
        return True
    is_one = len(named) == 1 and _ANY_TERM.search(lower) is None
    if UNDECIDED.search(lower) is not None and not is_one:
        return True
    if len(unranked) == len(named) and not is_one and _is_left_open(lower):
        return True
    opposed = {"short_term_alpha", "short_term_gain"} & set(unranked)
    if VAGUE.search(lower) is not None and (len(named) != 1 or opposed):
        return True
    quick = any(_QUICK.search(lower, m.start, m.end) for m in mentions if m.objective == "short_term_gain")
    if quick and {"short_term_gain", "long_term_gains_only"} <= set(unranked):
        return True
    if IMPOSSIBLE.search(lower) is not None:
        return True
    if _AT_ODDS.search(lower) is not None and _SETTLED.search(lower) is None:
        return True
    return _BOTH_WAYS.search(lower) is not None or _WAVERS.search(lower) is not None


# Two who want different things, and one who wants both by turns.
_PAIR: Final = (
    r"(?:wife|husband|spouse|partner|fianc\w+|brothers?|sisters?|siblings|trustees?|we|they|us|both)"
)
_AT_ODDS: Final = re.compile(
    rf"\b{_PAIR}\b[^.;!?\n]{{0,40}}?\b(?:disagree|(?:don't|can't|cannot|do\s+not|never|couldn't)\s+(?:\w+\s+)?agree|argue|fight|(?:are|is|'re)\s+(?:split|divided(?:\s+between)?|at\s+odds|at\s+loggerheads|of\s+two\s+minds|of\s+different\s+minds)|(?:see|want)\s+(?:it|different(?:ly)?|things\s+different\w*|opposite\w*|different\s+things|opposite\s+things))\b"
)
_SETTLED: Final = re.compile(
    r"\b(?:settled|agreed|compromise\w*|decided|go\s+with|in\s+the\s+end|wins|won|my\s+call|my\s+(?:account|money)|so\s+(?:please|let's|just)|do\s+(?:it|as)\s+(?:my|i))\b"
)
_WAVERS: Final = re.compile(
    r"\bmaybe\s+[^.;!?\n]{1,40}\bmaybe\b[^\n]{0,60}?\b(?:flip|change\s+my\s+mind|waver|go\s+back|can't\s+(?:decide|choose)|don't\s+know|who\s+knows|depends)\b|\b(?:i|we)\s+(?:honestly\s+|really\s+|just\s+|keep\s+)?(?:flip(?:ping|[\s-]flop)?|chang(?:e|ing)\s+(?:my|our)\s+minds?|waver(?:ing)?)\s+(?:every|each|all\s+the|daily|constantly|between)\b"
)


# The choice is left to the reader: "growth or income, you decide".
_WHICHEVER: Final = re.compile(
    r"\bwhichever\b(?!\s+(?:comes|is|happens|one\s+comes)\s+(?:first|sooner|later|earlier))|\b(?:doesn't|don't|does\s+not|do\s+not)\s+(?:matter|care|mind)\s+which\b"
)
_YOUR_CHOICE: Final = re.compile(
    r"\b(?:(?:whatever|wherever)\s+(?:you\s+(?:think|prefer|like|say|feel)|works|suits|is\s+best|pays)|(?:you|u)\s+(?:decide|choose|pick)|up\s+to\s+you|your\s+(?:call|choice|pick)|surprise\s+me)\b"
)
_ALTERNATIVES: Final = re.compile(r"\b(?:or|either|versus|vs)\b")


def _is_left_open(lower: str) -> bool:
    """Say whether alternatives are named and the choice is left to the reader."""
    if _WHICHEVER.search(lower) is not None:
        return True
    return _YOUR_CHOICE.search(lower) is not None and _ALTERNATIVES.search(lower) is not None


_ANY_TERM: Final = re.compile(
    r"\blong[\s-]*term\s*(?:,|/|or|vs)+\s*short[\s-]*term\b|\bshort[\s-]*term\s*(?:,|/|or|vs)+\s*long[\s-]*term\b"
)
# Who wants money says nothing of how.
_MERE_MONEY: Final = re.compile(
    r"\W*(?:(?:i|we|just|please|help|me|us|want|wants|need|would|like|to|wanna|hi|hello|so|my|goal|aim|is|the|only|simply)\W+){0,9}(?:(?:make|earn|get|have|see|become|be|some|more|lots|a\s+lot|of|good|big|great|nice|lots|as\s+much|max\w*|good|very|really)\W+){0,5}(?:money|cash|dough|rich|wealthy|returns?|gains|riches)(?:\W+(?:please|pls|thanks|as\s+possible|lol))?\W*"
)
# Trading without selling, selling and holding everything: no wish can be read from it.
_NEVER_SELLS: Final = re.compile(
    r"\b(?:never|don't|without|no)\s+(?:ever\s+)?sell(?:ing)?\s+(?:anything|it)?\b|\bhold\s+(?:everything|all|it|them)\s+(?:\w+\s+){0,3}?(?:\w+\s+)?(?:years|forever|long)|\blong[\s-]*term\s+only\b|\bnever\s+pay\s+(?:any\s+)?tax|\bzero\s+losses\b"
)
_BOTH_WAYS: Final = re.compile(
    r"\bsell\s+(?:everything|it\s+all|all\s+of\s+it)\b[^\n]{0,60}?\b(?:hold|keep|buy)\s+(?:everything|it\s+all|all\s+of\s+it|more)\b|\bneed\s+(?:all\s+)?(?:the|my)\s+(?:cash|money)\s+(?:back\s+)?(?:out\s+)?(?:today|tomorrow|next\s+week|now)\b[^\n]{0,60}?\b(?:invest\w*|years|long[\s-]*term|grow\w*)\b"
    r"|\bharvest\b[^.;!?\n]{0,40}?\bnever\s+(?:reali[sz]e|take|book)\s+(?:a\s+|any\s+)?loss|\b(\w{4,})\s+and\s+no\s+\1\b|\b100\s?%[^.;!?\n]{0,20}?\band\s+100\s?%|\b(?:big|huge|high|max\w*|all\s+the)\s+(?:upside|returns?|gains?|profits?)\b[^.;!?\n]{0,20}\b(?:no|zero|without(?:\s+any)?)\s+(?:downside|risks?|loss\w*)\b"
)
_QUICK: Final = re.compile(r"\b(?:short|near)[\s-]*term|\b(?:quick|fast|rapid)\b")
_ACTIVE: Final = re.compile(
    r"\b(?:trad(?:e|es|ing)|swing|scalp\w*|daily|weekly|days|weeks?|short[\s-]|month|quick|rotat\w+|alpha)\b"
)


def settle_alpha(text: CleanText, ranked: Ranked, horizon: tuple[int, int] | None) -> Ranked:
    """Read "beat the market" over years, without any trading, as growth over years."""
    is_patient = (horizon is not None and horizon[0] >= 12) or re.search(
        r"\blong[\s-]?(?:term|run|haul)\b", text.lower
    )
    if ranked.primary != "short_term_alpha" or not is_patient or _ACTIVE.search(text.lower):
        return ranked
    second = ranked.secondary if ranked.secondary != "long_term_gain" else None
    return Ranked("long_term_gain", second, False)


# "never realise a gain on a lot younger than a year" asks for age, not for no gains.
_IS_YOUNG: Final = re.compile(
    r"[^.;!?\n]{0,30}?\b(?:younger|under|less\s+than|before|until|unless|newer|within|short)\b[^.;!?\n]{0,20}?\b(?:year|months|days|term)\b"
)


def tax_spans(text: CleanText) -> list[tuple[int, int]]:
    """Give the places that ask for no realised gains, which name no objective."""
    return [match.span() for match in AVOID_REALISING.finditer(text.lower) if "short" not in match.group()]


def find_tax(text: CleanText, mentions: list[Mention], ranked: Ranked) -> TaxWishes:
    """Set the flag of every tax wish, wherever it stands."""
    named = {mention.objective for mention in mentions if mention.weight >= NAMED_WEIGHT}
    named |= {ranked.primary, ranked.secondary} - {None}
    avoid = any(
        not re.search(r"short[\s-]*term|stcg", match.group()) and not _IS_YOUNG.match(text.lower, match.end())
        for match in AVOID_REALISING.finditer(text.lower)
    )
    return TaxWishes(
        avoid_short_term_gains="long_term_gains_only" in named,
        harvest_losses="tax_loss_harvesting" in named,
        avoid_realising_gains=avoid and len(text.lower.strip(" \n\x01")) < 4 * LONG_TEXT,
        wash_sale_concern=WASH_SALE.search(text.lower) is not None,
    )
