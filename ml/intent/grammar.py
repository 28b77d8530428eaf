"""From words to fields: objectives with negation and rank, risk and tax wishes.

What belongs here: the rules that decide what a phrase says. What does not: the phrases
(``lexicon.py``), cash needs and horizons (``needs.py``), exclusions (``exclusions.py``).
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from ml.intent.frames import FRAMES
from ml.intent.lexicon import (
    AVOID_REALISING,
    DECLINED_AFTER,
    MONEY_TOPIC,
    NEGATION,
    OBJECTIVE_PHRASES,
    PRIMARY_CUE,
    SECONDARY_CUE,
    UNDECIDED,
    VAGUE,
    WASH_SALE,
    WISH,
)
from ml.intent.schema import TaxWishes
from ml.intent.speaker import AGREES, is_someone_elses
from ml.intent.text import LONG_TEXT, CleanText, Piece
from ml.intent.timespan import TimeSpan
from ml.types import OBJECTIVES

SHORT_TEXT: Final = 160
_NAMED_WEIGHT: Final = 1.0
_UNTAXED_WEIGHT: Final = 0.25  # selling what fell, without a word about tax, may be anything


@dataclass(frozen=True, slots=True)
class Mention:
    """One objective named once."""

    objective: str
    start: int
    end: int
    weight: float
    rank: int  # 1 = called first, 0 = just named, -1 = called second


def find_mentions(text: CleanText) -> tuple[list[Mention], list[Mention]]:
    """Find every objective that the text names, in order, and those that it declines."""
    mentions: list[Mention] = []
    declined: list[Mention] = []
    agrees = AGREES.search(text.lower) is not None
    for sentence in text.sentences():
        clauses = text.clauses(sentence)
        is_on_topic = len(text.lower.strip(" \n\x01")) < LONG_TEXT or (
            WISH.search(text.lower, sentence.start, sentence.end) is not None
            and MONEY_TOPIC.search(text.lower, sentence.start, sentence.end) is not None
        )
        if not is_on_topic:
            continue
        is_second = _is_second(text.lower, sentence)
        for objective, named in OBJECTIVE_PHRASES.items():
            for phrase in named + FRAMES[objective]:
                for match in phrase.pattern.finditer(text.lower, sentence.start, sentence.end):
                    if not phrase.inherent and _is_declined(text.lower, match, clauses):
                        declined.append(Mention(objective, match.start(), match.end(), 0.0, 0))
                        continue
                    clause = clause_of(clauses, match.start())
                    if _is_fact(text.lower, objective, match) or (
                        not agrees and is_someone_elses(text.lower[clause.start : match.start()].lstrip(" ,"))
                    ):
                        continue
                    if objective == "short_term_gain" and _BEFORE.search(text.lower[: match.start()][-30:]):
                        continue
                    rank = -1 if is_second else _rank(text.lower, clause, match)
                    mentions.append(Mention(objective, match.start(), match.end(), phrase.weight, rank))
    refused = _refused_with_others(text.lower, mentions, declined)
    mentions = [m for m in mentions if not any(r.start < m.end and m.start < r.end for r in refused)]
    return _drop_covered(mentions), declined + refused


# "Not growth or dividends": a refusal holds for what "or" joins to it.
_OR: Final = re.compile(r"\s*,?\s+(?:or|nor)\s+(?:[\w'-]+\s+){0,2}")
_LISTED: Final = re.compile(r"\s*,\s+(?:[\w'-]+\s+){0,2}")
_OR_AFTER: Final = re.compile(r"\s*(?:,\s+(?:[\w'-]+\s+){0,3}?)?,?\s*\b(?:or|nor)\b")


def _refused_with_others(lower: str, mentions: list[Mention], declined: list[Mention]) -> list[Mention]:
    """Give the mentions that continue a list of declined ones."""
    ends = {mention.end for mention in declined}
    refused: list[Mention] = []
    for mention in sorted(mentions, key=lambda m: (m.start, m.end)) if ends else ():
        is_listed = _OR_AFTER.match(lower, mention.end) is not None
        for end in ends:
            gap = (end, mention.start)
            if _OR.fullmatch(lower, *gap) or (is_listed and _LISTED.fullmatch(lower, *gap)):
                refused.append(replace(mention, weight=0.0, rank=0))
                ends = ends | {mention.end}
                break
    return refused


# What is wished for if the first wish cannot be had, and what stands second in a list.
_FALLBACK: Final = re.compile(
    r"\W*(?:(?:2|ii|b|two)\s?[).:]|(?:if|should)\s+(?:that|this|it|the\s+first)\b[^,\n]{0,40}?\b(?:fails?|not|doesn't|won't|can't|cannot|isn't)\b|failing\s+that|plan\s+b\b|second(?:ly)?\b)"
)
_NUMBERED: Final = re.compile(r"(?:^|\n)\W*(?:2|ii|b)\W*\Z")


def _is_second(lower: str, sentence: Piece) -> bool:
    """Say whether a sentence states what comes second."""
    if _FALLBACK.match(lower, sentence.start, sentence.end):
        return True
    return _NUMBERED.search(lower[max(0, sentence.start - 6) : sentence.start]) is not None


def _is_fact(lower: str, objective: str, match: re.Match[str]) -> bool:
    """Say whether a phrase tells what a spouse does, or that losses could be borne: no wish either way."""
    before = lower[max(0, match.start() - 40) : match.start()]
    if match.group().endswith("capital") and _OTHER_CAPITAL.match(lower, match.end()):
        return True
    if _HOUSEHOLD_FACT.search(before) and not _WANTS.match(lower, match.start()):
        return True
    if objective != "tax_loss_harvesting" or not _TAKES_LOSS.match(lower, match.start()):
        return False
    return _BEARING.search(before) is not None and _TAXED.search(lower) is None


def strengthen(text: CleanText, mentions: list[Mention], times: list[TimeSpan]) -> list[Mention]:
    """Take weak words for a name: of growth beside a year or more, of selling what fell beside tax."""
    long = [t.start for t in times if t.months is not None and t.months[0] >= 12]
    if long and len(text.lower.strip(" \n\x01")) <= SHORT_TEXT:
        long = [m.start for m in mentions]
    homes = [s for s in text.sentences() if any(s.start <= start < s.end for start in long)]
    is_taxed = _TAXED.search(text.lower) is not None
    return [
        replace(m, weight=_NAMED_WEIGHT)
        if (
            m.objective == "long_term_gain"
            and not _is_retirement(text, m)
            and any(s.start <= m.start < s.end for s in homes)
        )
        or (m.objective == "tax_loss_harvesting" and is_taxed)
        else (
            replace(m, weight=_UNTAXED_WEIGHT)
            if m.objective == "tax_loss_harvesting" and m.weight < _NAMED_WEIGHT
            else m
        )
        for m in mentions
    ]


def _is_retirement(text: CleanText, mention: Mention) -> bool:
    """Say whether a mention is no more than the day on which work ends: a circumstance beside other wishes."""
    return text.lower.startswith("retir", mention.start)


def clause_of(clauses: list[Piece], position: int) -> Piece:
    """Give the clause that holds a position, the last one if none does."""
    for clause in clauses:
        if clause.start <= position < clause.end:
            return clause
    return clauses[-1]


def _is_declined(lower: str, match: re.Match[str], clauses: list[Piece]) -> bool:
    start = max(clause_of(clauses, match.start()).start, match.start() - 60)
    if NEGATION.search(lower[start : match.start()]) is not None:
        return True
    if _PAST_DEED.search(lower[start : match.start()]) is not None:
        return True
    # "From growth to preservation": what is left behind is no wish.
    if lower[start : match.start()].rstrip().endswith("from") and re.match(r"\s+to\b", lower[match.end() :]):
        return True
    return DECLINED_AFTER.match(lower[match.end() : match.end() + 60]) is not None


# "Got burned last year from day trading", "lost a lot of money with day trading".
_PAST_DEED: Final = re.compile(
    r"\b(?:(?:got|was|were|been|i've|have)\s+(?:\w+\s+)?(?:burn(?:ed|t)|hurt|crushed|stung|hammered|wiped\s+out|cleaned\s+out)|(?:lost|blew|wasted)\s+(?:[\w$']+\s+){1,5}?(?:with|on|from|by|in|at))\b"
    r"(?:(?!\b(?:and|so|now|but|want|need|prefer|keep)\b)[^.,;!?\n]){0,50}\Z"
)
_BEFORE: Final = re.compile(r"\bbefore\s+(?:\w+\s+){0,2}\Z")
_LEAD_IN: Final = 30
# "Safety > growth", "income over growth", "growth ahead of income".
_OUTRANKS: Final = re.compile(
    r"\s*(?:of\s+(?:\w+\s+){1,2})?(?:>|(?:comes?\s+)?(?:before|ahead\s+of|over|above)\s+(?!the\b|\w+ing\b|\d|next|many|several|time|a\b|years|\w+\s+(?:years|months|weeks|days)\b|decades|christmas|xmas|summer|spring|fall|winter|year|january|february|march|april|may|june|july|august|september|october|november|december)\w)"
)
_OUTRANKED: Final = re.compile(r"(?:>|\b(?:before|ahead\s+of|rather\s+than\s+just))\s+(?:\w+\s+)?\Z")
# What a spouse does is a fact, not a wish: "my husband day-trades the same stocks".
_HOUSEHOLD_FACT: Final = re.compile(
    r"\b(?:wife|husband|spouse|partner|fianc\w+|son|daughter|kids?|mother|father|mom|dad|mum)\s+(?:(?:also|already|usually|often|always|who)\s+)?\Z"
)
_OTHER_CAPITAL: Final = re.compile(
    r"\s+(?:letters?|cit(?:y|ies)|punishment|crimes?|offen[cs]es?|of\s+(?!the\b|my\b|our\b|this\b|his\b|her\b|their\b))"
)
_WANTS: Final = re.compile(r"\w*\s*(?:want|need|would|prefer|like|wish|hope|aim|seek|care)")
# Bearing losses is an attitude: "i am ready to take big losses".
_BEARING: Final = re.compile(
    r"\b(?:can|could|ready|able|willing|happy|prepared|fine|okay|ok|than|mind|afford|will|i'll|not|never|no|don't|can't|cannot|won't|without|rather|any|hate|afraid\s+of|scared\s+of|tired\s+of|of|having)\s+(?:to\s+)?(?:have\s+to\s+)?\Z"
)
_TAXED: Final = re.compile(
    r"\b(?:tax\w*|deduct\w*|offset\w*|write[\s-]?\w*offs?|harvest\w*|irs|against|gains?|return|wash|carry\w*|schedule|1040|accountant|cpa)\b"
)
_TAKES_LOSS: Final = re.compile(r"(?:tak\w+|incur\w*|book\w*|lock\w*|us\w+|hav\w+|mak\w+|see\w*)\b")


def _rank(lower: str, clause: Piece, match: re.Match[str]) -> int:
    """Rank of the clause: cues beside the phrase itself, or leading into the clause ("and a bit: ...")."""
    before = lower[max(0, clause.start - _LEAD_IN) : clause.start]
    lead_in = before if before.rstrip().endswith((":", ",", "also", "but")) else ""
    lead_in = re.split(r"[.;!?\n]", lead_in)[-1]
    around = f"{lead_in} {lower[clause.start : match.start()]} \n {lower[match.end() : clause.end]}"
    if _OUTRANKS.match(lower, match.end(), min(len(lower), match.end() + 24)):
        return 1
    if _OUTRANKED.search(lower[max(0, match.start() - 40) : match.start()]):
        return -1
    if SECONDARY_CUE.search(around):
        return -1
    return 1 if PRIMARY_CUE.search(around) else 0


# Of two readings of the same words the more specific objective stands.
_SPECIFIC: Final = (
    "tax_loss_harvesting",
    "long_term_gains_only",
    "short_term_alpha",
    "short_term_gain",
    "capital_preservation",
    "long_term_gain",
)


def _drop_covered(mentions: list[Mention]) -> list[Mention]:
    order = sorted(mentions, key=lambda m: (-m.weight, _SPECIFIC.index(m.objective), m.start - m.end))
    kept: list[Mention] = []
    for mention in order:
        if not any(
            k.start < mention.end and mention.start < k.end for k in kept if k.objective != mention.objective
        ):
            kept.append(mention)
    return sorted(kept, key=lambda m: (m.start, m.end))


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
        strong[mention.objective] |= mention.weight >= _NAMED_WEIGHT or mention.rank > 0
    is_short = len(text.lower.strip(" \n\x01")) <= SHORT_TEXT
    named = [
        name
        for name in OBJECTIVES
        if strong[name] or weight[name] >= _NAMED_WEIGHT or (is_short and weight[name] >= 0.5)
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
    torn_trade = "short_term_alpha" in named and is_short and _NEVER_SELLS.search(text.lower) is not None
    opposed = {"short_term_alpha", "short_term_gain"} & set(unranked)
    clash = len(unranked) >= 3 and len(text.lower.strip(" \n\x01")) <= 220 and len(set(rank.values())) == 1
    torn = {"low", "high"} <= risk and not any(strong[name] for name in named)
    torn |= "high" in risk and named == ["capital_preservation"] and is_short
    is_open = len(named) != 1 or _ANY_TERM.search(text.lower) is not None
    torn |= UNDECIDED.search(text.lower) is not None and is_open
    torn |= is_short and _MERE_MONEY.fullmatch(text.lower.strip(" \n\x01")) is not None
    vague = VAGUE.search(text.lower) is not None and (len(ordered) != 1 or bool(opposed))
    quick = any(
        _QUICK.search(text.lower, m.start, m.end) for m in mentions if m.objective == "short_term_gain"
    )
    torn |= quick and {"short_term_gain", "long_term_gains_only"} <= set(unranked)
    is_contradictory = clash or torn or vague or torn_trade or _BOTH_WAYS.search(text.lower) is not None
    if is_contradictory or not ordered:
        return Ranked(None, None, is_contradictory)
    second = next((name for name in ordered[1:]), None)
    return Ranked(ordered[0], second, False)


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
    named = {mention.objective for mention in mentions if mention.weight >= _NAMED_WEIGHT}
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
