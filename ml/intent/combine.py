"""Grammar and classifier together: when the trained classifier's word counts.

What belongs here: the rule and its cut-offs. What does not: phrases (``grammar.py``), the model
(``classifier.py``).

The grammar explains itself and knows negation and rank, so what it names stands; what it only infers
from a weak word ("I preserve fruit") does not stand against the classifier. The classifier is asked
where the grammar names nothing, and where it is almost certain of one of the two tax objectives that
the grammar did not see ("profits taxed at the favourable rate").
"""

import re
from dataclasses import dataclass
from typing import Final

from ml.intent.classifier import shipped_classifier
from ml.intent.grammar import Mention
from ml.intent.lexicon import AVOID_REALISING, MONEY_TOPIC, UNDECIDED, WISH
from ml.intent.paraphrases import NONE_LABEL
from ml.intent.ranking import Ranked
from ml.intent.text import LONG_TEXT, CleanText

# Set on statements of the project's own (tests), not on the training texts, where nearly all is certain.
WHOLE_CUT_OFF: Final = 0.80
SENTENCE_CUT_OFF: Final = 0.90
REST_CUT_OFF: Final = 0.90
REST_SENTENCE_CUT_OFF: Final = 0.95
OVERRULE_CUT_OFF: Final = 0.97
VETO_CUT_OFF: Final = 0.85
NAMED_VETO_CUT_OFF: Final = 0.995
LEANING_CUT_OFF: Final = 0.25
_OVERRULING: Final = ("long_term_gains_only", "tax_loss_harvesting")
_MIN_LETTERS: Final = 8
_MIN_WORDS: Final = 4  # "From: security desk." says nothing
_NOTE_WORDS: Final = 8


@dataclass(frozen=True, slots=True)
class Guess:
    """What the classifier read, and how certain it is."""

    start: int
    end: int
    certainty: float


def combine(
    text: CleanText,
    ranked: Ranked,
    other_spans: list[tuple[int, int]],
    mentions: list[Mention],
    declined: frozenset[str],
) -> tuple[Ranked, Guess | None]:
    """Let the classifier complete what the grammar found.

    Parameters
    ----------
    text : CleanText
        The statement.
    ranked : Ranked
        The grammar's reading.
    other_spans : list of (start, end)
        What states cash needs and exclusions or declines: the classifier does not see it.
    mentions : list of Mention
        What the grammar saw.
    declined : frozenset of str
        Objectives that the text declines: never taken from the classifier.

    Returns
    -------
    ranked : Ranked
        Completed.
    guess : Guess or None
        The classifier's word, if it was used.
    """
    if ranked.is_contradictory or UNDECIDED.search(text.lower):
        return ranked, None
    pieces = _pieces(text, other_spans)
    if not pieces:
        return ranked, None
    model = shipped_classifier()
    probabilities = model.probabilities([piece for _, _, piece in pieces])
    is_long = len(text.lower.strip(" \n\x01")) >= LONG_TEXT
    is_weak = ranked.primary is not None and not any(m.weight >= 1.0 or m.rank > 0 for m in mentions)
    # Nothing but the objective's own words speaks of money: they may belong to another walk of life.
    is_alone = ranked.primary is not None and not is_long and _is_about_something_else(text, mentions)
    if (is_weak and not is_long and not other_spans) or is_alone:
        cut_off = NAMED_VETO_CUT_OFF
        if is_weak:
            cut_off = LEANING_CUT_OFF if is_alone else VETO_CUT_OFF
        if float(probabilities[0][model.labels.index(NONE_LABEL)]) >= cut_off:
            return Ranked(None, None, False), None
    # What is left beside a cash need or an exclusion is often mere manners.
    whole_cut_off = REST_CUT_OFF if other_spans else WHOLE_CUT_OFF
    sentence_cut_off = REST_SENTENCE_CUT_OFF if other_spans else SENTENCE_CUT_OFF
    best: tuple[float, str, tuple[int, int]] | None = None
    for i, (start, end, _) in enumerate(pieces):
        label, certainty = model.labels[int(probabilities[i].argmax())], float(probabilities[i].max())
        is_whole = i == 0 and not is_long
        if label == NONE_LABEL or certainty < (whole_cut_off if is_whole else sentence_cut_off):
            continue
        if best is None or (certainty > best[0] and best[0] < OVERRULE_CUT_OFF):
            best = (certainty, label, (start, end))
        if is_whole:
            break
    if best is None:
        return ranked, None
    certainty, label, span = best
    if label in declined or not _may_be(label, text.lower):
        return ranked, None
    if ranked.primary is None:
        return Ranked(label, None, False), Guess(*span, certainty)
    if label not in _OVERRULING or certainty < OVERRULE_CUT_OFF or label == ranked.primary:
        return ranked, None
    if not any(m.objective == label for m in mentions) or _is_one_sentence(text, mentions):
        return Ranked(label, None, False), Guess(*span, certainty)
    return ranked, None


# The two tax objectives are named in words of their own: without any the classifier is mistaken.
_NEEDED_WORDS: Final = {
    "tax_loss_harvesting": re.compile(
        r"\b(?:tax\w*|harvest\w*|offset\w*|deduct\w*|write[\s-]?\w*off\w*|sell\w*|reali[sz]\w+|irs|gains?|against|carry\w*|schedule|red\s+ink|bank|book)\b"
    ),
    "long_term_gains_only": re.compile(
        r"\b(?:short|long|year\w*|twelve|12|18|months?|rates?|held|birthday|anniversary|qualif\w+|season\w*|older|younger|age|aged|bracket|clock|36\d|stcg|ltcg|ordinary)\b"
    ),
}


def _may_be(label: str, lower: str) -> bool:
    """Say whether a text has a word without which an objective is not named."""
    if label == "long_term_gains_only" and AVOID_REALISING.search(lower) and not _HOLDING.search(lower):
        return False  # "don't sell the winners, I won't pay tax on gains" asks for no gains at all
    return label not in _NEEDED_WORDS or _NEEDED_WORDS[label].search(lower) is not None


_HOLDING: Final = re.compile(
    r"\b(?:short|long)[\s-]*term|\b(?:year|years|months|12|twelve|days|stcg|ltcg|ordinary|held|anniversary|birthday)\b"
)


def _is_about_something_else(text: CleanText, mentions: list[Mention]) -> bool:
    """Say whether a text longer than a note has neither a wish nor, beside the weak words, one about money."""
    letters = list(text.lower)
    for mention in mentions:
        letters[mention.start : mention.end] = " " * (mention.end - mention.start)
    lower = "".join(letters)
    return len(text.lower.split()) > _NOTE_WORDS and not (WISH.search(lower) or MONEY_TOPIC.search(lower))


def _is_one_sentence(text: CleanText, mentions: list[Mention]) -> bool:
    """Say whether all that was named stands in one clause: then it is one wish, not two."""
    return any(
        all(clause.start <= m.start < clause.end for m in mentions)
        for sentence in text.sentences()
        for clause in text.clauses(sentence)
    )


def _pieces(text: CleanText, other_spans: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
    """Give the whole text, unless it is long, then its sentences, without what says something else."""
    letters = list(text.lower)
    for start, end in other_spans:
        letters[start:end] = " " * (end - start)
    rest = "".join(letters).replace("\x01", " ")
    is_long = len(rest.strip()) >= LONG_TEXT
    sentences = text.sentences()
    spans = [] if is_long else [(0, len(rest))]
    if len(sentences) > 1 or is_long:
        spans += [(s.start, s.end) for s in sentences if len(rest[s.start : s.end].split()) >= _MIN_WORDS]
    pieces = []
    for start, end in spans:
        piece = " ".join(rest[start:end].split())
        if sum(char.isalpha() for char in piece) < _MIN_LETTERS:
            continue
        if is_long and not (WISH.search(piece) and MONEY_TOPIC.search(piece)):
            continue
        pieces.append((start, end, piece))
    return pieces
