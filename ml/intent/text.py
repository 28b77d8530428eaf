"""What of a text is the investor's own statement: cleaning, hostile parts, clauses.

What belongs here: character clean-up that keeps positions, setting aside markup, code, SQL,
instructions to a machine and quotations, and cutting into sentences and clauses. What does not: any
meaning (``lexicon.py``, ``grammar.py``).

Every pattern is free of nested repetition and every span is bounded, so that reading takes time
linear in the text; of a longer text only the first :data:`MAX_CHARS` characters are read.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from dataclasses import dataclass

from ml.intent.markup import BAIT, BLOCK, CHAT_MARK, FORM, HIDDEN, LIVE, ROLE, TAG, script_spans
from ml.intent.quotations import forwarded, quotations
from ml.intent.speaker import code_lines, not_the_investors
from ml.intent.spelling import position_before, write_out
from ml.intent.topic import is_about_something_else

MAX_CHARS = 8_000
# From here on a sentence must itself speak of a wish and of money to count.
LONG_TEXT = 900
# Patterns take optional blanks in several places: a long run of blanks would cost its length cubed.
_MAX_GAP = 12
_WALL = "\x01"
_FLOOD_WORDS, _FLOOD_VARIETY = 24, 0.08

_PLAIN = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201b": "'",
        "\u02bc": "'",
        "`": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "\u200b": " ",
        "\ufeff": " ",
        "\u00ad": " ",
        "\x00": " ",
        "\t": " ",
        "\r": "\n",
        "\f": "\n",
        "\v": "\n",
        "\u2028": "\n",
        "\u2029": "\n",
    }
)

_SQL = re.compile(
    r"(?:['\")\];]{1,4}\s{0,3})?\b(?:(?:drop|create|alter)\s+(?:table|database|schema|view|index|user|column|role)|delete\s+from|insert\s+into|update\s+\w{1,40}\s+set|"
    r"select\s[^\n;]{0,80}?\sfrom|union\s+(?:all\s+)?select|alter\s+table|truncate\s+table|grant\s+all|exec(?:ute)?\s+\w{1,40})\b"
    r"[^\n]{0,300}?(?:--|;\s{0,3}--|;|$)",
    re.MULTILINE,
)
_SQL_TAUTOLOGY = re.compile(
    r"['\"]?\s{0,3}\bor\s+['\"]?1['\"]?\s{0,3}=\s{0,3}['\"]?1['\"]?[^\n]{0,20}?(?:--|;|$)", re.MULTILINE
)
_FENCE = re.compile(r"```.{0,4000}?(?:```|\Z)|'''.{0,4000}?(?:'''|\Z)", re.DOTALL)
_TEMPLATE = re.compile(
    r"\{[^{}]{0,600}\}|\$\{[^{}]{0,200}\}|\[\[?[a-z]{1,8}:[^\[\]]{0,200}\]\]?|\[/?(?:inst|system|user|assistant)\]"
)
_INST = re.compile(r"\[inst\].{0,2000}?\[/inst\]", re.DOTALL)
_URL = re.compile(r"\b(?:https?://|www\.)\S{1,300}")
# "don't loose my money": the commonest slip, put right at the same length.
_LOOSE = re.compile(
    r"\bloos(?:e|ing)\b(?=\s+(?:my|our|the|any|money|it|this|that|what|everything|a|capital|savings|half|most|all)\b)"
)
_COMMAND = re.compile(
    r"\b(?:ignore|disregard|forget|bypass|override)\b[^.\n]{0,40}\b(?:instruction|prompt|rule|above|previous|prior|guideline|filter|schema|system|settings?)"
    r"|\b(?:system|developer|assistant|user|admin|root|ai|bot|model|parser|output|response|tool|note to \w+)\s{0,2}(?:prompt|message|note|mode|instruction)?s?\s{0,2}[:>]\s"
    r"|\b(?:you are|you're) (?:now|no longer|a|an|in)\b[^.\n]{0,40}\b(?:ai|assistant|bot|model|dan|mode|parser|admin|dba|unrestricted|language)"
    r"|\b(?:act|behave|respond|reply|answer|pretend)\s+(?:as|only|with|like you|in)\b[^.\n]{0,60}\b(?:ai|bot|model|json|parser|yes|true|admin|exactly|assistant)"
    r"|\b(?:output|return|emit|print|set|mark|classify|label|write|append|respond with|score)\b[^.\n]{0,50}\b(?:objective|json|field|schema|risk tolerance|actionable|label|prompt|true|null|secondary|flag|confidence|horizon_?months|intent|exclusions?)\b"
    r"|\b(?:jailbreak|developer mode|sudo|rm -rf|chmod|curl|wget|eval\(|exec\(|os\.system|import os|__import__|subprocess|console\.log|document\.cookie|alert\()"
    r"|\b(?:this (?:text|message|input) (?:was|is|has been) (?:already )?(?:parsed|verified|approved|classified|validated))"
    r"|\b(?:api[_ ]key|password|credentials|access token|environment variables?)\b"
    r"|\b(?:mark|classify|label|tag|score|rate|flag)\s+(?:\w+\s+){0,3}?(?:statement|text|message|input|user|goal|request|entry)s?\s+as\b|\b(?:repeat after me|store (?:this|that|it) as my|instruct the \w+|this is an? order to)\b"
    r"|\b(?:prior|earlier|above|previous)\s+(?:directives?|orders?|commands?)\b|\battention\s+(?:model|ai|system|machine|bot|parser)\b|\brecord\s+this\s+(?:investor|client|user|person)\b"
    r"|\byour\s+(?:next\s+|only\s+|first\s+)?(?:output|tokens?|completion|response|next\s+(?:word|reply|answer))\b"
    r"|\b(?:write|compose|tell)\s+(?:me\s+|us\s+)?(?:an?|the)\s+(?:\w+\s+)?(?:story|poem|essay|song|joke|script|novel|limerick|haiku|tale)\b"
    r"|\b(?:simulate|impersonate)\s+(?:an?|the)\b|\bmodel\s+card\b"
    r"|\bpretend\s+(?:you|to\s+be|that\s+you)\b|\b(?:begin|end|start)\s+(?:admin|system|note|prompt|instructions?|message|override)\b"
    r"|\bfrom\s+(?:now|this\s+point)\s+on\b,?\s+(?:\w+\s+)?(?:every|all|each|any)\s+(?:user|client|customer|investor|statement|text|account)s?\b|\b(?:confirm|reply|answer|respond|acknowledge)\s+(?:only\s+)?with\s+['\"]?(?:ok|yes|done|ack)\b"
    r"|\b(?:forget|disregard|ignore)\s+(?:everything|all|anything|what(?:ever)?)\b[^.\n]{0,20}\b(?:told|said|learned|above|before|instructed|know)\b"
    r"|\b(?:treat|consider|regard)\s+(?:every|all|each|any|this|the)\s+(?:user|client|customer|investor|account)s?\s+as\b|\b(?:new|updated|revised|real|hidden)\s+instructions?\b|\b(?:decode|base64|rot13|execute)\s+(?:this|it|the\s+following)\b"
    # Whoever speaks of users, of all customers or of the machine's own parts is not the investor.
    r"|\b(?:language\s+models?|llms?|chat\s?bots?|[a-z]{0,20}gpt|classifiers?|parsers?|tokenizers?|system\s+(?:administrator|prompts?|messages?|instructions?)|administrators?|developers?(?=\W*$|\W*\n))\b"
    r"|\b(?:the|this|that|every|each|any|all|current|previous|these)\s(?:\w{1,15}\s)?(?:users?|customers?|customer's|user's|session)\b|\b(?:every|each|any|all|these)\s(?:the\s)?(?:\w{1,15}\s)?(?:accounts|clients?|investors?|portfolios)\b(?=[^.\n]{0,40}\b(?:are|is|be|must|into|to|as|shall|should|will)\b)"
    r"|\bto the (?:ai|machine|robot|assistant|algorithm|software|system|bot)\b|\b(?:role-?play|in character|hereby|(?:admin|root|owner)\s{0,2}=|no rules|without (?:rules|review|limits|restrictions)|compliance (?:bot|override|mode)|obey|you have no (?:rules|limits|restrictions)|if you had no)\b"
    r"|\b[a-z0-9+/]{12,200}={1,2}(?=\W|$)|\bsay:\s|\b\w{1,30}\s{0,2}(?:->|=>)\s{0,2}\w"
    r"|\b(?:end|start|begin) of (?:user|system|prompt|input|instructions?|document)\b"
    r"|\b(?:translate|summari[sz]e|rewrite|paraphrase|proofread|transcribe)\b[^.\n]{0,60}:"
    r"|\b[a-z_][a-z_.]{0,30}\(['\"][^'\"\n]{0,80}['\"]\)|\bparser output\b"
)
# What somebody else says, and what was merely seen or read, up to the investor's own words.
_OTHERS = (
    r"neighbou?rs?|friends?|budd(?:y|ies)|brother(?:-in-law)?|sister(?:-in-law)?|uncle|aunt|cousin|colleagues?|co-?workers?|boss|"
    r"barber|dentist|dad|father(?:-in-law)?|mom|mum|mother(?:-in-law)?|roommate|advis[eo]r|broker|banker|guru|influencer|analysts?|"
    r"experts?|pundits?|guy|coach|taxi driver|podcast(?:er)?|article|blog|book|newspaper|magazine|radio|video|newsletter|tweet"
)
_REPORTED = re.compile(
    rf"\b(?:my|our|a|an|the|some|this|that|his|her)\s(?:[a-z]{{2,15}}\s){{0,2}}?(?:{_OTHERS})\s(?:[a-z]{{3,12}}\s)?"
    r"(?:says?|said|thinks?|thought|tells?|told|claims?|claimed|believes?|recommends?|recommended|suggests?|suggested|swears|insists|"
    r"argues|advises|advised|keeps? (?:saying|telling))\b[^.!?\n;]{0,300}?(?=,?\s(?:but|and|so)\s(?:i|we|please|let)\b|,\s(?:but|i|we|please)\b|[.!?\n;]|$)"
    r"|\bi(?:'ve| have)?\s(?:just\s|recently\s|once\s)?(?:saw|seen|read|watched|heard|attended)\s(?:a|an|the|some|this)\s(?:[a-z-]{2,15}\s){0,2}?"
    r"(?:movie|film|documentary|article|book|video|podcast|blog|post|talk|lecture|ad|show|episode|thread|webinar)\b"
    r"[^.!?\n;]{0,200}?(?=,?\s(?:but|and|so)\s(?:i|we|now|please|let)\b|[.!?\n;]|$)"
)
_ENDORSED = re.compile(
    r"\b(?:i agree|agreed|let's (?:do|go|try)|please do|do (?:it|that|so)\b|sounds? (?:good|right)|makes sense|go for it|count me in|"
    r"i(?:'d| would) like that|(?:he|she|they)(?:'s| is|'re| are) right|i want (?:that|it|to)|so (?:do|don't)(?=\W|$)|i'm convinced|follow (?:it|that|his|her|their))"
)
_IDENTIFIER = re.compile(
    r"\b(?:short_term|long_term|capital_|tax_loss|risk_|horizon_|amount_usd|share_of|not_understood|avoid_|harvest_|wash_sale_|parser_|stated_at|objective_any)"
    # Advisers write "objective = alpha over benchmark" in prose.
    r"|\b(?:objective|secondary|actionable|risk|horizon|liquidity|exclusions)(?!\s=\s[a-z-]+\s[a-z-]+(?:\s[a-z-]+){0,6}(?:\s?[.,;]|\s*\Z))(?:\"?\s{0,2}=\s{0,2}[\"'\[{\w]|\"\s{0,2}:|\s{0,2}:\s{0,2}(?:[\"'\[{]|true\b|false\b|null\b))"
    r"|\b(?:amount|by|share|goal|exclude|tax|symbol|user|client|months)\s?(?:=|:=|=>)\s?[\"'\[{\w.$]"
)
# A line of a transcript, a headed block and a persona speak for somebody else to their end. An
# assistant says "I" of itself; what a system says ends where an investor begins.
_TRANSCRIPT = re.compile(
    r"^[ \t>*#-]{0,6}(?:(?:assistant|ai|bot|model|chatbot)[ \t]{0,3}:[^\n]{0,2000}"
    r"|(?:system|developer|tool|parser|function)[ \t]{0,3}:(?:(?!\b(?:i|i'm|i'd|i'll|my|we|our)\b)[^\n]){0,2000})",
    re.MULTILINE,
)
_HEADED = re.compile(
    r"(?P<mark>#{2,6}|={3,10}|-{3,10}|\*{3,10})[ \t]{0,3}(?:\w{1,15}[ \t]){0,3}?(?:instructions?|system|prompt|override|admin|directive|policy)\b[^\n#=*]{0,40}(?P=mark)"
    r".{0,1500}?(?P=mark)[ \t]{0,3}end\b[^#=*\n]{0,40}(?P=mark)",
    re.DOTALL,
)
_PERSONA = re.compile(
    r"\b(?:you are now|you're now|you are(?=\s[a-z]{2,15},\s(?:an?|the|who|which)\b)|pretend to be|act as|call yourself|your name is)\s(?:a\s|an\s|called\s)?(?P<name>[a-z]{2,15})\b"
)
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i'd|i'll|my|me|we|our|us)\b")
_SENTENCE_END = re.compile(r"(?<![0-9])[.](?=\s|$)|(?<=[0-9])[.](?=\s|$)|[!?\n]+|[.]{2,}|;\s")
_LINE_END = re.compile(r"(?<![0-9])[.](?=\s|$)|(?<=\d\d)[.](?=\s+[a-z])|[!?\n]+")
_CLAUSE_END = re.compile(
    r",?\s(?:but|however|though|although|yet|except|whereas|while|because|since|so that|so|besides|plus|also|then|instead|otherwise|afterwards)\b"
    r"|\s-{1,3}\s|:\s|[()\u2022]|,\s(?:and|or)\s(?=i\b|i'|we\b|don't|do not|no\b|never|please|keep|avoid|leave|also)|,\s"
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Positions of a sentence or clause in the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CleanText:
    """A text made readable.

    Attributes
    ----------
    original : str
        What was read: at most :data:`MAX_CHARS` characters of what was given.
    lower : str
        Lower case, plain quotes and dashes, short forms written out, set-aside parts blanked.
    cased : str
        The same with the case kept, for tickers; as long as ``lower``.
    moves : tuple of (int, int)
        How positions in ``lower`` differ from those in ``original`` (``spelling.py``).
    set_aside : tuple of (start, end, reason)
        What is not the investor's statement, in order.
    is_truncated, is_flood : bool
        Whether text beyond the limit went unread; whether one phrase is repeated without end.
    """

    original: str
    lower: str
    cased: str
    moves: tuple[tuple[int, int], ...]
    set_aside: tuple[tuple[int, int, str], ...]
    is_truncated: bool
    is_flood: bool

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Give the positions in ``original`` of a part of ``lower``."""
        return position_before(start, self.moves), position_before(end, self.moves)

    def sentences(self) -> list[Piece]:
        """Cut at full stops, exclamation and question marks, semicolons and line ends."""
        return _cut(self.lower, Piece(0, len(self.lower)), _SENTENCE_END)

    def clauses(self, sentence: Piece) -> list[Piece]:
        """Cut a sentence at conjunctions, commas, dashes, colons and brackets."""
        return _cut(self.lower, sentence, _CLAUSE_END)


def clean(text: str) -> CleanText:
    """Prepare a text; never raises on any string.

    Parameters
    ----------
    text : str
        As typed.

    Returns
    -------
    CleanText
    """
    original = text[:MAX_CHARS]
    written, moves = write_out(original.translate(_PLAIN))
    cased = "".join(char if char.isprintable() or char == "\n" else " " for char in written)
    cased = re.sub(r" {13,}", lambda run: _filler(len(run.group())), cased)
    # lower() may lengthen a character (dotted capital I): such a one stays as it is.
    lower = "".join(small if len(small := char.lower()) == 1 else char for char in cased)
    lower = _LOOSE.sub(lambda m: m.group().replace("oo", "o") + " ", lower)
    aside: list[tuple[int, int, str]] = []
    for pattern, reason in ((_FENCE, "code"), (_SQL, "sql"), (_SQL_TAUTOLOGY, "sql")):
        lower = _blank(lower, [(m.start(), m.end()) for m in pattern.finditer(lower)], reason, aside)
    lower = _blank(lower, code_lines(lower), "code", aside)
    lower = _blank(lower, [(m.start(), m.end()) for m in HIDDEN.finditer(lower)], "markup", aside)
    if LIVE.search(lower):
        lower = _blank(lower, [(m.start(), m.end()) for m in BAIT.finditer(lower)], "markup", aside)
    lower = _blank(lower, script_spans(lower), "markup", aside)
    for pattern in (ROLE, CHAT_MARK, FORM):
        lower = _blank(lower, [(m.start(), m.end()) for m in pattern.finditer(lower)], "markup", aside)
    lower = _blank(lower, forwarded(lower), "quotation", aside)
    for pattern in (_INST, _HEADED, _TRANSCRIPT):
        lower = _blank(lower, [(m.start(), m.end()) for m in pattern.finditer(lower)], "instruction", aside)
    blocks = [(m.start(), m.end()) for m in BLOCK.finditer(lower)]
    lower = _blank(lower, blocks, "markup", aside)
    # A block element ends the sentence before it.
    breaks = {end - 1 for _, end in blocks}
    lower = "".join("\n" if i in breaks else char for i, char in enumerate(lower)) if breaks else lower
    for pattern, reason in ((TAG, "markup"), (_TEMPLATE, "markup"), (_URL, "link")):
        lower = _blank(lower, [(m.start(), m.end()) for m in pattern.finditer(lower)], reason, aside)
    lower = _blank(lower, quotations(lower), "quotation", aside)
    lower = _blank(lower, _commands(lower), "instruction", aside)
    spans = []
    if not _ENDORSED.search(lower):
        spans = [(match.start(), match.end()) for match in _REPORTED.finditer(lower)]
        lower = _blank(lower, spans, "someone else's words", aside)
    is_elsewhere = is_about_something_else(lower)  # before questions about it are set aside
    for start, end, reason in not_the_investors(lower, cased, [end for _, end in spans]):
        lower = _blank(lower, [(start, end)], reason, aside)
    lower = _blank(
        lower, [(0, len(lower))] if is_elsewhere else _off_topic(lower), "about something else", aside
    )
    cased = "".join(kept if kept in (" ", _WALL) else c for c, kept in zip(cased, lower, strict=True))
    words = re.findall(r"[a-z']{2,30}", lower)
    is_flood = len(words) >= _FLOOD_WORDS and len(set(words)) <= max(
        min(6, len(words) // 8), _FLOOD_VARIETY * len(words)
    )
    return CleanText(original, lower, cased, moves, tuple(sorted(aside)), len(text) > MAX_CHARS, is_flood)


def _blank(text: str, spans: list[tuple[int, int]], reason: str, aside: list[tuple[int, int, str]]) -> str:
    """Replace spans by spaces, keeping every position."""
    parts, at = [], 0
    for start, end in spans:
        if start < at or not text[start:end].strip(" \n" + _WALL):
            continue
        parts += [text[at:start], _filler(end - start)]
        aside.append((start, end, reason))
        at = end
    return "".join([*parts, text[at:]])


def _filler(length: int) -> str:
    """Give spaces for a short gap; for a long one a character that no pattern crosses."""
    return " " * length if length <= _MAX_GAP else f" {_WALL * (length - 2)} "


def _commands(lower: str) -> list[tuple[int, int]]:
    """Find sentences that address a machine, write its fields or say what its new persona does.

    Fields are written in one go: they take the rest of their line with them, over semicolons.
    """
    persona = _PERSONA.search(lower)
    name = re.compile(rf"\b{persona.group('name')}\b") if persona else None
    whole = Piece(0, len(lower))
    lines = [
        line for line in _cut(lower, whole, _LINE_END) if _IDENTIFIER.search(lower, line.start, line.end)
    ]
    found = [(line.start, line.end) for line in lines]
    for piece in _cut(lower, whole, _SENTENCE_END):
        if any(start <= piece.start < end for start, end in found):
            continue
        is_persona = name is not None and name.search(lower, piece.start, piece.end) is not None
        is_own = _FIRST_PERSON.search(lower, piece.start, piece.end) is not None
        if _COMMAND.search(lower, piece.start, piece.end) or (is_persona and not is_own):
            found.append((piece.start, piece.end))
    return sorted(found)


def _off_topic(lower: str) -> list[tuple[int, int]]:
    """Find sentences that speak of no money but of something else."""
    sentences = _cut(lower, Piece(0, len(lower)), _SENTENCE_END)
    return [(s.start, s.end) for s in sentences if is_about_something_else(lower[s.start : s.end])]


def _cut(lower: str, whole: Piece, separator: re.Pattern[str]) -> list[Piece]:
    pieces, start = [], whole.start
    for match in separator.finditer(lower, whole.start, whole.end):
        if lower[start : match.start()].strip(" \n" + _WALL):
            pieces.append(Piece(start, match.start()))
        start = match.start() if match.group().strip(" ,").isalpha() else match.end()
    if lower[start : whole.end].strip(" \n" + _WALL):
        pieces.append(Piece(start, whole.end))
    return pieces
