"""From words to objectives: which phrases name one, which decline it, and which are called first or second.

What belongs here: the rules that decide what a phrase says. What does not: the phrases
(``lexicon.py``), which of several objectives is the primary (``ranking.py``), cash needs (``needs.py``),
exclusions (``exclusions.py``).
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from ml.intent.answers import is_answered_no, is_gained, refuses_short_gains, used_losses
from ml.intent.frames import FRAMES
from ml.intent.lexicon import (
    DECLINED_AFTER,
    MONEY_TOPIC,
    NEGATION,
    OBJECTIVE_PHRASES,
    PRIMARY_CUE,
    SECONDARY_CUE,
    UNAFRAID,
    WISH,
)
from ml.intent.speaker import AGREES, is_someone_elses
from ml.intent.text import LONG_TEXT, CleanText, Piece
from ml.intent.timespan import TimeSpan

SHORT_TEXT: Final = 160
NAMED_WEIGHT: Final = 1.0
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
                        if objective == "short_term_gain" and refuses_short_gains(text.lower, *match.span()):
                            mentions.append(Mention("long_term_gains_only", *match.span(), 1.0, 0))
                        declined.append(Mention(objective, match.start(), match.end(), 0.0, 0))
                        continue
                    clause = clause_of(clauses, match.start())
                    is_gain = objective == "short_term_gain" or match.group().endswith(("gains", "profits"))
                    if is_gain and is_gained(text.lower, match.start()):
                        declined.append(Mention(objective, match.start(), match.end(), 0.0, 0))
                        continue
                    if _is_fact(text.lower, objective, match) or (
                        not agrees and is_someone_elses(text.lower[clause.start : match.start()].lstrip(" ,"))
                    ):
                        continue
                    if objective == "short_term_gain" and _BEFORE.search(text.lower[: match.start()][-30:]):
                        continue
                    rank = -1 if is_second else _rank(text.lower, clause, match)
                    mentions.append(Mention(objective, match.start(), match.end(), phrase.weight, rank))
    mentions += [Mention("tax_loss_harvesting", s, e, 1.0, 0) for s, e in used_losses(text.lower)]
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
    r"\W*(?:(?:2|ii|b|two)\s?[).:]|(?:if|should)\s+(?:that|this|it|the\s+first)\b[^,\n]{0,30}?\b(?:fails?|(?:not|doesn't|won't|can't|cannot|isn't)\s+(?:to\s+)?(?:be\s+)?(?:work|possible|happen|done|feasible|realistic|pan\s+out)\w*)\b|failing\s+that|plan\s+b\b|(?:a\s+)?(?:distant\s+|close\s+|my\s+|the\s+)?second(?:ly|ary)?\b|if\s+(?:there(?:'s|\s+is)|you\s+(?:find|see|have))\s+(?:any\s+|some\s+)?(?:room|space|scope|slack)\b)"
)
_NUMBERED: Final = re.compile(r"(?:^|\n)\W*(?:2|ii|b)\W*\Z")


def _is_second(lower: str, sentence: Piece) -> bool:
    """Say whether a sentence states what comes second."""
    if _FALLBACK.match(lower, sentence.start, sentence.end):
        return True
    return _NUMBERED.search(lower[max(0, sentence.start - 6) : sentence.start]) is not None


def _is_fact(lower: str, objective: str, match: re.Match[str]) -> bool:
    """Say whether a phrase tells what a spouse does, or that losses could be borne: no wish either way."""
    before = lower[max(0, match.start() - 60) : match.start()]
    if objective == "capital_preservation" and (
        _OTHER_CAPITAL.match(lower, match.start()) or UNAFRAID.search(match.group())
    ):
        return True
    if match.group().startswith(("emergency", "rainy")) and (
        _HAVING.search(before) or _KEPT_ELSEWHERE.match(lower, match.end())
    ):
        return True
    if _HOUSEHOLD_FACT.search(before) and not _WANTS.match(lower, match.start()):
        return True
    if objective != "tax_loss_harvesting" or not _TAKES_LOSS.match(lower, match.start()):
        return False
    return _BEARING.search(before) is not None and _TAXED.search(lower) is None


def strengthen(text: CleanText, mentions: list[Mention], times: list[TimeSpan]) -> list[Mention]:
    """Take weak words for a name: of growth beside a year or more, of selling what fell beside tax.

    The day on which work ends ("we retire in 3 years") names growth only where nothing else is named.
    """
    long = [t.start for t in times if t.months is not None and t.months[0] >= 12]
    if long and len(text.lower.strip(" \n\x01")) <= SHORT_TEXT:
        long = [m.start for m in mentions]
    homes = [s for s in text.sentences() if any(s.start <= start < s.end for start in long)]
    is_taxed = _TAXED.search(text.lower) is not None
    is_named = any(m.weight >= NAMED_WEIGHT for m in mentions)

    def weigh(mention: Mention) -> float:
        if mention.objective == "long_term_gain":
            if text.lower.startswith("retir", mention.start) and mention.weight < NAMED_WEIGHT:
                is_when = _RETIRES_WHEN.match(text.lower, mention.start) is not None
                return NAMED_WEIGHT if is_when and not is_named else mention.weight
            return NAMED_WEIGHT if any(s.start <= mention.start < s.end for s in homes) else mention.weight
        if mention.objective == "tax_loss_harvesting" and mention.weight < NAMED_WEIGHT:
            return NAMED_WEIGHT if is_taxed else _UNTAXED_WEIGHT
        return mention.weight

    return [replace(mention, weight=weigh(mention)) for mention in mentions]


_RETIRES_WHEN: Final = re.compile(r"retir\w+\s+(?:\w+\s+){0,2}?(?:in|at|around|by|before)\b")


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
    if _ASKED_BEFORE.search(lower[start : match.start()]) and _CHANGED.search(lower, match.end()):
        return True
    if is_answered_no(lower, match.end()):
        return True
    # "From growth to preservation": what is left behind is no wish.
    if lower[start : match.start()].rstrip().endswith("from") and re.match(r"\s+to\b", lower[match.end() :]):
        return True
    return DECLINED_AFTER.match(lower[match.end() : match.end() + 60]) is not None


# "Last year I told you buy-and-hold. I've reconsidered": what was asked for before the mind was changed.
_ASKED_BEFORE: Final = re.compile(
    r"\b(?:told|asked|instructed|wrote(?:\s+to)?|said|wanted|thought|chose|went\s+for|went\s+with|signed\s+up\s+for)\s+(?:you\s+|them\s+|him\s+)?(?:[\w'-]+\s+){0,3}?\Z"
)
_CHANGED: Final = re.compile(
    r"\b(?:reconsidered|changed\s+my\s+mind|changed\s+our\s+minds?|scrap\s+that|no\s+longer|not\s+any\s*more|thought\s+again|second\s+thoughts|think\s+differently|things\s+(?:have\s+)?changed|instead|now\s+(?:i|we|it's)|from\s+now\s+on)\b"
)
# "Got burned last year from day trading", "lost a lot of money with day trading".
_PAST_DEED: Final = re.compile(
    r"\b(?:(?:got|was|were|been|i've|have)\s+(?:\w+\s+)?(?:burn(?:ed|t)|hurt|crushed|stung|hammered|wiped\s+out|cleaned\s+out)|(?:lost|blew|wasted)\s+(?:[\w$']+\s+){1,5}?(?:with|on|from|by|in|at)|a\s+(?:bad|terrible|awful|horrible|costly|painful)\s+\w+\s+(?:of|with))\b"
    r"(?:(?!\b(?:and|so|now|but|i|we|want|need|prefer|keep)\b)[^.,;!?\n]){0,50}\Z"
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
# "Our emergency fund sits at the bank", "I have an emergency fund": another account than this.
_HAVING: Final = re.compile(
    r"\b(?:have|has|got|had|built|besides?|apart\s+from|aside\s+from|outside|beyond|with|maintain|after)\s+(?:an?\s+|our\s+|my\s+|the\s+)?(?:[\w-]+\s+){0,2}\Z"
)
_KEPT_ELSEWHERE: Final = re.compile(
    r"\s*,?\s*(?:(?:is|are|was|has\s+been|it's|also|already)\s+)*(?:sits?|sitting|lives?|held|kept|parked|covered|funded|full|fully|separate\w*|set|done|in\s+place|in\s+(?:a|the|our|my)\s|at\s)(?!\s*(?:here|this))"
)
_OTHER_CAPITAL: Final = re.compile(
    r"[\w\s']{0,40}?\bcapital\s+(?:letters?|ships?|cit(?:y|ies)|punishment|crimes?|offen[cs]es?|of\s+(?!the\b|my\b|our\b|this\b|his\b|her\b|their\b))"
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
