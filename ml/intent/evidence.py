"""Whether a text gives positive evidence that its writer states a wish of his own about his money.

What belongs here: the evidence that a text must give before anything in it counts: whose voice it is,
whether it wishes, whether it speaks of money, and how much of it is foreign to investors' statements.
What does not: words of one other walk of life (``topic.py``), the trained classifier.

The rule names no other walk of life. A word is foreign if neither plain English nor the project's own
paraphrase grammar of investors' statements uses it: a violin, a glacier and a goalkeeper are foreign
alike, and so is whatever nobody has thought of yet. An objective's words ("growth", "protect", "long
term") belong to everybody, so they count only beside a wish and money, or where little else is said.
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re
from typing import Final

from ml.intent.familiar import WORD, foreign_words
from ml.intent.pursuits import pursues_something_else

# Nouns and phrases that only investing has: evidence of money by themselves.
_MONEY: Final = re.compile(
    r"[$€£]\s?\d|\b(?:thousand|million|\d[\d,.]*\s?(?:k|grand|dollars?|bucks|usd)\b|(?:my|our|the|this|these|some|more|make|save|lose|losing|earn|invest(?:ing)?|with|for|on)\s+(?:\w+\s+){0,2}?(?:money|cash|savings|funds?|capital|wealth|principal|assets)\b|"
    r"money|savings|wealth|invest(?!igat)\w*|portfolios?|brokerages?|(?:my|this|our|the|retirement|taxable|joint|trading|savings|client'?s?)\s+accounts?\b|dividends?|etfs?|index\s+funds?|mutual\s+funds?|ira|iras|401\(?k\)?|roth|529|"
    r"capital\s+(?:gains?|loss(?:es)?|preservation|intact|growth|appreciation)|(?:short|long)[\s-]*term\s+(?:capital\s+)?(?:gains|rates?|profits?|status|treatment)|(?:stock|bond|stocks'|equity)\s+(?:market|portfolio|position|fund|exposure|pick)s?|stocks|shares|equities|equity|bonds|holdings|"
    r"(?:harvest\w*|tax|paper|realis\w+|realiz\w+|book(?:ing)?|take|bank|deductible|unrealised|unrealized)\s+(?:\w+\s+){0,3}?loss(?:es)?|loss(?:es)?[\s-]+harvest\w*|tlh|tax(?:es|able|ed)?|deductions?|write[\s-]?offs?|irs|wash[\s-]sales?|cost\s+basis|"
    r"s\s?&\s?p(?:\s?500)?|nasdaq|dow|spy|qqq|vti|voo|russell|benchmark|(?:beat|beats|beating|outperform|ahead\s+of|than|versus|vs|over|on)\s+(?:the\s+)?(?:market|index|indices|averages)|the\s+market|alpha|trad(?:e|es|ing|er)|scalp\w*|turnover|"
    r"profits?|returns?|uncle\s+sam|proceeds|rsus?|bonus|payouts?|(?:my|our|the|account)\s+balance|cap(?:ital)?\s+gains?|at\s+a\s+loss|(?:off|against)\s+(?:my|our|the)\s+(?:\w+\s+){0,2}?(?:gains|income)|deduct\w*|holding|in\s+the\s+red|\d+\s+(?:thousand|million)|\d%\s+on\s+gains|(?:of\s+the|any|realis\w+|realiz\w+|taxable|on)\s+gains|"
    r"endowment|nest\s+egg|inheritance|retire(?:ment|es?|d)?|pension\b(?!\s+rights)|college\s+funds?|principal|volatility|drawdowns?|losers|winners|(?:tax|every|each|any)\s+lots?|lots\b|stcg|ltcg|crypto|clients?)\b"
)
_OWN: Final = re.compile(
    r"\b(?:i|i'm|im|i'd|i'll|i've|we|we're|we'd|we'll|we've|my|mine|our|ours|me|us|client|clients|client's)\b"
)
_WISH: Final = re.compile(
    r"\b(?:i|we|client|clients|he|she|they|wife|husband|partner)(?:'d|'m|'re)?\s+(?:\w+\s+){0,2}?(?:want|wants|wanna|need|needs|would|prefer|prefers|aim|hope|hoping|wish|wishes|love|like|likes|looking|trying|plan|planning|intend|care|expect|only|refuse|insist|seek|seeks|require|requires|should|could|can|can't|cannot|don't|do\s+not|accept|hate|worry|saving|investing|after|targeting)\b"
    r"|\bi'd\b|\bwe'd\b|\bplease\b|\bpls\b|\bplz\b|\b(?:my|our|main|client's)\s+(?:\w+\s+){0,2}?(?:goal|aim|objective|priority|plan|focus|wish|target|idea|intention|horizon|concern|strategy)\b|\b(?:goal|objective|priority|aim|horizon)\s?(?:is|:)"
    r"|\b(?:is|are)\s+(?:(?:our|my)\s+(?:\w+\s+)?(?:purpose|goal|aim|objective|priority|intention)|the\s+purpose)\b"
    r"|\bit\s+is\s+(?:the|our|my)\s+(?:[\w']+\s+)?(?:intention|wish|desire|aim|goal)\b|\b(?:partnership|trust|family|foundation|estate|client|couple)'s\s+(?:intention|wish|desire|aim|goal)\b"
    r"|\b(?:i|we)\s+ask\s+(?:for|of)\b|\ball\s+(?:i|we)\s+(?:ask|want|need)\b|\b(?:matters|counts)\s+(?:most|to\s+(?:me|us))\b|\blet's\b|\b(?:for|by|with|to|give|get|make)\s+(?:me|us)\b"
)
# A duty is the writer's where his affairs have it, or nobody is named: "must stay safe", "it should grow".
_DUTY: Final = re.compile(
    r"(?:^|[,:(]|\b(?:and|but|so)\b)\s*(?:most\s+)?(?:important|should|must|has\s+to|have\s+to|needs?\s+to|ought\s+to)\b"
    r"|\b(?:it|this|that|everything|nothing|all|money|cash|account|accounts|portfolio|capital|principal|savings|funds?|balance|holdings|positions?|lots?|shares|stocks|gains?|losses|profits?|sales?|rest|remainder|trustees?|trust|estate|endowment|foundation|pension|income|dividends|safety|growth|advisor|adviser|you)\s+(?:\w+\s+){0,2}?(?:important|should|must|has\s+to|have\s+to|needs?\s+to|ought\s+to)\b"
)
# A clause that begins so is told to the adviser.
_TOLD: Final = re.compile(
    r"\s*(?:(?:so|and|but|or|then|just|also|please|pls|ok|okay|hi|hello|basically|simply|kindly|now|could\s+you|can\s+you|would\s+you|will\s+you)[\s,]+){0,3}"
    r"(?:only|never|no|not|nothing|don't|dont|do\s+not|avoid|avoiding|exclude|excluding|keep|grow|sell|buy|hold|harvest|beat|protect|preserve|make|get|give|take|trade|find|generate|maximi[sz]e|minimi[sz]e|compound|let|stay|leave|skip|offset|"
    r"reali[sz]e|book|wait|withdraw|raise|set|use|go|aim|focus|invest|put|help|build|turn|double|triple|outperform|try|lock|bank|cut|reduce|lower|limit|prioriti[sz]e|look|treat|run|swing|day|flip|rotate|chase|seek|target|drop|steer|dump|want|wanna|need|looking|hoping|saving|investing|ensure|arrange|see\s+(?:to|that)|be\s+sure)\b"
)
_QUESTION: Final = re.compile(
    r"\s*(?:(?:so|and|but|hi|hello|hey|quick\s+question|question)[\s,:]+){0,2}(?:what(?:'s|\s+(?:is|are|does|do|did|was|would|happens|kind|counts))|how\s+(?:long|much|many|do|does|did|is|are|can|often|come)|why|is|are|does|did|do|when|who|which|where|should|has|have)\b"
)
_SENTENCE: Final = re.compile(r"(?<![0-9])[.](?=\s|$)|(?<=[0-9])[.](?=\s|$)|[!?\n]+|[.]{2,}|;\s")
_CLAUSE: Final = re.compile(r"[,:()]|\s{3,}|\s-{1,3}\s|\s(?:and|but|so|because|while|as|since|though)\s")
_FINITE: Final = re.compile(
    r"\b(?:is|are|was|were|has|had|will|would|keeps|holds|gets|says|said|reported|expects?|needs|wants|should|does|did)\b"
)
_SURE: Final = 0.93
_CASH: Final = re.compile(r"\bin\s+cash\b|\d\s?%|\bpercent\b")
# What a statement without a voice may be about.
_AFFAIRS: Final = frozenset(
    """objective objectives goal goals aim aims mandate priority requirement requirements concern purpose intention wish account accounts portfolio money capital principal fund funds savings
    trust trustees trustee estate client clients family beneficiary beneficiaries endowment foundation gains losses profits gain loss profit lot lots sale sales share shares position positions holdings
    stocks stock bonds it this that everything nothing all only no never not any every each rest remainder balance safety growth income tax taxes horizon risk target for to please need want wants keep
    sell buy hold harvest grow short long term year years months focus strategy plan return returns dividends interest rule horizon one first second without if you when unless until before after so and but then also just your minimum maximum benchmark""".split()
)
_OTHER_SUBJECT: Final = re.compile(
    r"\W*(?:the|an?|this|these|those|his|her|their)\s+(?:[\w'-]+\s+){1,3}?(?:should|must|shall|will|may|can|is|are|was|were|has|had|wants?|needs?)\b"
)
_DETERMINERS: Final = frozenset(
    "they he she the a an these those his her their our its some many most both every no all".split()
)
_ACTS: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|had|will|would|keeps?|holds?|gets?|says?|said|reported|expects?|needs?|wants?|should|must|may|does|did|hopes?|seeks?|aims?|prefers?|plans?|wish(?:es)?|requires?)\b"
)
_ASKED: Final = re.compile(r"\b(?:can|could|would|will)\s+you\b|\bplease\b")
# A comparison brings in what the text is not about.
_SIMILE: Final = re.compile(
    r"(?<!would )(?<!'d )(?<!i )(?<!we )\blike\s+(?!to\b|my\b|our\b|the\b)[\w'-]+\s+in\s+the\s+[\w'-]+"
)
# What is warded off: "protect it from moths".
_AGAINST: Final = re.compile(
    r"\b(?:protect|shield|guard|save|keep|preserve|defend)\w*\s+(?:[\w'-]+\s+){1,3}?(?:from|against)\s+(?:the\s+|any\s+)?(?P<object>[\w'-]+)"
)
_LINKS: Final = frozenset("of in for my our the a an his her their this".split())
# Who wishes goes before it: "our union wants".
_SUBJECT: Final = re.compile(
    r"\b(?:the|our|my|this|his|her|their)\s+(?P<object>(?:[\w'-]+\s+){1,3}?)(?:wants|needs|would|should|must|aims?|hopes?|keeps?|plans?)\b"
)
# A thing of the writer's that does something: "my long runs keep growing".
_SUBJECT_OWN: Final = re.compile(
    r"\b(?:my|our)\s+(?:[\w'-]+\s+){1,3}?(?:keeps?|grows?|holds?|gains?|los[et]s?)\b"
)
_YEARS: Final = re.compile(r"\d\s?(?:\+\s?)?(?:years?|yrs?|decades?)\b|\b20[2-9]\d\b")
_IT_MUST: Final = re.compile(
    r"\s*(?:this|it|everything\s+here)\s+(?:must|has\s+to|needs\s+to|should|cannot|can't|may\s+not)\b"
)
_FREE_WORDS: Final = 3
_FEW: Final = 2
_FOREIGN_SHARE: Final = 0.3
_NOTE_WORDS: Final = 8
# What is wished for follows its verb: "protect the old lighthouse".
_OBJECT: Final = re.compile(
    r"\b(?:protect|preserv\w+|keep|grow|growing|beat|hold|build|guard|save|secure|win|harvest|increase|want|need|like|see|avoid|improve|lose|losing|gain|store|put|raise)(?=(?P<object>(?:\s+[\w'-]+){1,4}))"
)


class Evidence:
    """What a text shows of its writer's wish, asked for one place at a time.

    Parameters
    ----------
    lower : str
        Cleaned lower-case text.
    named : list of (start, end)
        What names companies, industries and themes: a name is foreign to every vocabulary, so it does
        not count.
    is_elsewhere : bool
        Whether sentences about something else were set aside: the rest must then speak of money.
    """

    def __init__(self, lower: str, named: list[tuple[int, int]], is_elsewhere: bool = False) -> None:
        self._whole = lower
        letters = list(lower)
        for start, end in [*named, *(match.span() for match in _SIMILE.finditer(lower))]:
            letters[start:end] = " " * (end - start)
        self._lower = "".join(letters)
        self._sentences = [
            (s, e) for s, e in _cut(self._lower, 0, len(lower), _SENTENCE) if not self._asks_only(s, e)
        ]
        self._rest = " ".join(self._lower[s:e] for s, e in self._sentences)
        self._foreign = foreign_words(self._rest)
        self._has_pursuit = (is_elsewhere or bool(self._foreign)) and pursues_something_else(
            self._rest, is_elsewhere
        )
        self._has_voice = any(self._voice(s, e) for s, e in self._sentences)

    def supports_objective(self, start: int, end: int, is_weak: bool = False) -> bool:
        """Say whether an objective named here is the writer's wish about his money.

        Parameters
        ----------
        start, end : int
            Position of the phrase, or of the sentence that the classifier read.
        is_weak : bool
            Whether the phrase is a word that anybody uses ("growth", "long run"): its clause must then
            wish, speak of money or be no sentence.

        Returns
        -------
        bool
            Where a voice is heard (first person, a wish, an imperative): True if the phrase's clause has
            no foreign word and foreign words do not prevail in the text, or if money is named in its
            sentence or the next and the sentence is not mostly foreign. Where none is heard, True only
            for a text with hardly a foreign word.
        """
        at = self._index(start, end)
        if at is None or self._is_crop(start, end):
            return False
        if self._has_pursuit and not self._is_dated(*self._sentences[at]):
            return False
        words = len(self._rest.split())
        if not self._has_voice:
            if not self._is_about_investor(start, end):
                return False
            is_note = words <= _NOTE_WORDS or _FINITE.search(self._rest) is None
            has_money = _MONEY.search(self._rest) is not None
            if has_money and not self._is_subject_foreign(*self._sentences[at]):
                return len(self._foreign) <= max(_FEW, _FOREIGN_SHARE * words / 2)
            return len(self._foreign) <= (_FEW if is_note else 0)
        first, last = self._sentences[at]
        near = self._sentences[max(0, at - 1) : at + 2]
        clauses = [c for c in _cut(self._lower, first, last, _CLAUSE) if c[0] < end and start < c[1]]
        foreign_here = set().union(*(foreign_words(self._lower[s:e]) for s, e in clauses))
        if self._is_wish_foreign(start, end, [(first, last)]) and not _MONEY.search(self._lower, first, last):
            return False
        if not foreign_here and len(self._foreign) <= _FREE_WORDS + words * _FOREIGN_SHARE / 2:
            return self._is_own_clause(clauses, near) and not (is_weak and self._is_remark(clauses))
        if (
            len(foreign_here) <= 1
            and len(self._foreign) <= _FEW
            and not self._is_wish_foreign(start, end, clauses)
        ):
            return any(self._voice(s, e) for s, e in clauses)
        has_money = any(_MONEY.search(self._lower, s, e) for s, e in near)
        is_near = any(self._voice(s, e) for s, e in near)
        sentence = self._lower[first:last]
        is_native = len(foreign_words(sentence)) <= max(_FREE_WORDS, _FOREIGN_SHARE * len(sentence.split()))
        return has_money and is_near and is_native and len(foreign_here) <= _FREE_WORDS

    def _is_dated(self, start: int, end: int) -> bool:
        """Say whether a sentence without a foreign word counts in years or bids for "this", beside "I weld ships"."""
        text = self._lower[start:end]
        return (_YEARS.search(text) or _IT_MUST.match(text)) is not None and not foreign_words(text)

    def _is_crop(self, start: int, end: int) -> bool:
        """Say whether what is harvested is no loss: none is named, nor money, and the text has foreign words."""
        phrase = self._whole[start:end]
        if not phrase.startswith("harvest") or re.search(r"\b(?:loss|los(?:er|ing)|tax)", phrase):
            return False
        return bool(self._foreign) and _MONEY.search(self._rest) is None

    def supports_guess(self, start: int, end: int, certainty: float) -> bool:
        """Say whether the classifier's word may count: money is named, no word is foreign, or it is sure of itself."""
        has_money = _MONEY.search(self._rest) is not None or _CASH.search(self._rest) is not None
        is_sure = certainty >= _SURE and len(self._foreign) <= max(
            1, _FOREIGN_SHARE / 2 * len(self._rest.split())
        )
        return (has_money or not self._foreign or is_sure) and any(
            self.supports_objective(max(s, start), min(e, end))
            for s, e in self._sentences
            if s < end and start < e
        )

    def speaks_of_self(self) -> bool:
        """Say whether the writer says "I" or "my" of himself: beside orders to a machine less is no wish."""
        return _OWN.search(self._rest) is not None

    def supports_need(self) -> bool:
        """Say whether a cash need is the writer's: a voice is heard, or it is a note without a subject."""
        if not self._sentences:
            return False
        return self._has_voice or len(self._foreign) <= _FEW

    def supports_risk(self, start: int, end: int) -> bool:
        """Say whether an attitude to risk is the writer's and about money, not a game's or a sport's.

        Foreign words must not prevail in its sentence unless money is named there; where no voice is
        heard, hardly any may stand in the text.
        """
        at = self._index(start, end)
        if at is None or (self._has_pursuit and not self._is_dated(*self._sentences[at])):
            return False
        if not self._has_voice:
            return len(self._foreign) <= _FEW
        first, last = self._sentences[at]
        sentence = self._lower[first:last]
        allowed = max(_FEW, _FOREIGN_SHARE * len(sentence.split()))
        if len(foreign_words(sentence)) > allowed:
            return False
        return _MONEY.search(self._rest) is not None or len(self._foreign) <= _FREE_WORDS

    def supports_exclusion(self) -> bool:
        """Say whether an exclusion is about holdings: not in a text foreign to money."""
        words = max(1, len(self._rest.split()))
        count = len(self._foreign)
        if _MONEY.search(self._whole) or _HOLDING.search(self._whole):
            return self._has_voice or count <= _FREE_WORDS
        return count <= _FREE_WORDS or (self._has_voice and count <= _FOREIGN_SHARE * words)

    def _is_own_clause(self, clauses: list[tuple[int, int]], near: list[tuple[int, int]]) -> bool:
        """Say whether a clause without foreign words is a wish or a fragment, not a report on a third party."""
        texts = [self._lower[s:e] for s, e in clauses]
        is_wish = any(_WISH.search(text) or _TOLD.match(text) or _DUTY.match(text) for text in texts)
        if not self._foreign or is_wish:
            return True
        if _MONEY.search(self._rest) is None:
            return not any(_FINITE.search(text) or _SUBJECT_OWN.search(text) for text in texts)
        is_report = any(_FINITE.search(self._lower, s, e) for s, e in clauses)
        return not is_report or any(_MONEY.search(self._lower, s, e) for s, e in near)

    def _is_remark(self, clauses: list[tuple[int, int]]) -> bool:
        """Say whether clauses state something without a wish and without money: "in the long run we are all dead"."""
        texts = [self._lower[s:e] for s, e in clauses]
        if _MONEY.search(self._rest) or any(_WISH.search(text) or _TOLD.match(text) for text in texts):
            return False
        return any(_FINITE.search(text) for text in texts)

    def _is_wish_foreign(self, start: int, end: int, clauses: list[tuple[int, int]]) -> bool:
        """Say whether what is wished for, or the phrase's next word, is foreign."""
        first, last = min(s for s, _ in clauses), max(e for _, e in clauses)
        before = WORD.findall(self._lower[max(first, start - 30) : start])[-1:]
        after = WORD.findall(self._lower[end : min(last, end + 30)])
        after = [word for word in after if word not in _LINKS][:1]
        if foreign_words(" ".join((*before, *after))):
            return True
        return any(
            foreign_words(match.group("object"))
            for s, e in clauses
            for pattern in (_OBJECT, _SUBJECT, _AGAINST)
            for match in pattern.finditer(self._lower, s, e)
        )

    def _is_about_investor(self, start: int, end: int) -> bool:
        """Say whether what goes before a phrase in its clause is nothing, or names the investor's affairs.

        "The leaves take their profits" has a subject of its own; "the capital should be preserved" has not.
        """
        first, last = self._sentences[self._index(start, end) or 0]
        clause = next(
            (c for c in _cut(self._lower, first, last, _CLAUSE) if c[0] <= start < c[1]), (start, end)
        )
        before = WORD.findall(self._lower[clause[0] : start])
        return not before or before[0] not in _DETERMINERS or any(word in _AFFAIRS for word in before)

    def _is_subject_foreign(self, start: int, end: int) -> bool:
        """Say whether who acts in a sentence is foreign: "astronomers hope for long term growth"."""
        verb = _ACTS.search(self._lower, start, end)
        return verb is not None and bool(foreign_words(self._lower[start : verb.start()]))

    def _voice(self, start: int, end: int) -> bool:
        """Say whether a first person, a wish or an imperative stands in a sentence."""
        text = self._lower[start:end]
        if _OWN.search(text) or _WISH.search(text) or _DUTY.search(text):
            return True
        other = _OTHER_SUBJECT.match(text)
        if other is not None and not any(word in _AFFAIRS for word in WORD.findall(other.group())[1:-1]):
            return False  # "the patient should rest, avoid losses": what follows is told of him
        return any(_TOLD.match(text[s:e]) for s, e in _cut(text, 0, len(text), _CLAUSE))

    def _asks_only(self, start: int, end: int) -> bool:
        """Say whether a sentence asks for knowledge: it wishes nothing."""
        text = self._lower[start:end]
        return (
            self._lower[end : end + 1] == "?"
            and _QUESTION.match(text) is not None
            and not (_ASKED.search(text) or _WISH.search(text))
        )

    def _index(self, start: int, end: int) -> int | None:
        for i, (first, last) in enumerate(self._sentences):
            if first < end and start < last:
                return i
        return None


def _cut(text: str, start: int, end: int, separator: re.Pattern[str]) -> list[tuple[int, int]]:
    edges = [start]
    for match in separator.finditer(text, start, end):
        edges += [match.start(), match.end()]
    edges.append(end)
    return [
        (first, last)
        for first, last in zip(edges[::2], edges[1::2], strict=True)
        if text[first:last].strip(" \n\x01")
    ]


_HOLDING: Final = re.compile(
    r"\b(?:compan(?:y|ies)|sectors?|industr(?:y|ies|ials)|materials|own|hold|buy|sell|exclude|exclusions?|divest|exposure)\b"
)
