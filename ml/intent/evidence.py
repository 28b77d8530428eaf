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
from functools import cache
from typing import Final

from ml.intent.paraphrase_templates import LISTS, TEMPLATES

_NONE: Final = "none"
# Words of any English text: they tell nothing about its subject.
_PLAIN_WORDS: Final = frozenset(
    """a an the this that these those it its it's he him his she her hers they them their theirs we us our ours i me my mine you your yours
    who whom whose which what when where why how whether if then else than as at by for from in into of off on onto out over per to toward towards
    under until till up upon via with within without about above across after against along among around before behind below beneath beside
    besides between beyond despite down during except inside near outside past since through throughout and or but nor so yet because while
    although though however also too very really quite just only even still already again always never ever often sometimes maybe perhaps
    is are was were be been being am do does did done doing have has had having will would shall should can could may might must ought
    i'm i'd i'll i've we're we'd we'll we've you're don't dont doesn't didn't won't wouldn't can't cannot isn't aren't wasn't that's there's let's
    not no yes none nothing something anything everything all any some each every both either neither other others another such same own few
    many much more most less least several enough lot lots bit little big small large good bad better best worse worst great fine ok okay well
    new old young first second third last next one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty
    hundred thousand million dozen half quarter whole part rest time times day days daily week weeks weekly month months monthly year years
    yearly annual annually today tomorrow yesterday now soon later early late ago once twice january february march april may june july august
    september october november december spring summer autumn fall winter monday tuesday wednesday thursday friday
    get gets got getting go goes going gone come comes came make makes made making take takes took taken give gives given want wants wanted need
    needs needed like likes love hate wish wishes hope hoping plan plans planning prefer try trying keep keeps kept keeping let stay leave left
    put set say says think know see look looking use used using work works help please pls plz thanks thank hi hello hey dear sir team sorry
    here there back away ahead together alone thing things way ways stuff people person everyone anyone someone nobody kind sort goal goals aim
    idea point matter matters important main mainly mostly most simple simply careful carefully patient patience slow slowly steady steadily fast
    quick quickly high higher highest low lower lowest medium moderate strong safe safely safety secure security sure certain possible free easy
    hard able willing happy ready comfortable nervous worried afraid sleep night nights age aged old retired retiree retirees life lifetime live
    living wife husband partner spouse kid kids child children son daughter daughters family grandkids grandchildren parents mother father future
    generation heirs home house job start started end ends begin beginning continue stop wait hold holds held long longer short shorter term
    run haul horizon mind minded okay cool man guys basically honestly decade decades centuries above all total totally percent
    everyday usual normal regular general particular especially instead rather almost nearly roughly approximately least worth""".split()
)
_MONEY_WORDS: Final = frozenset(
    """money cash savings account accounts portfolio portfolios capital wealth funds fund principal assets asset balance holdings holding position
    positions stock stocks share shares bond bonds etf etfs equity equities security index invest invests invested investing investment
    investments investor brokerage broker ira roth 401k retirement retire tax taxes taxable taxed deduction deductions irs income dividend
    dividends profit profits profitable return returns gain gains loss losses losers winners lot lots trade trades trader trading benchmark market
    markets s&p nasdaq dow spy qqq vti voo alpha outperform outperformance volatility volatile risk risks risky diversify diversified rebalance
    turnover crypto bitcoin gold dollar dollars bucks grand tuition endowment inheritance egg nest pension mortgage deposit withdraw withdrawal
    harvest harvesting tlh wash realise realize realised realized stcg ltcg bracket rate rates expense expenses payment
    appreciate appreciation compound compounding growth grow grows growing swing swings drawdown drawdowns scalp scalping liquidity liquid
    conservative aggressive speculative exclude excluding exclusion avoid avoiding sector sectors client clients reits reit options preserve
    preservation protect protected protecting protection maximise maximize minimise minimize offset sell selling sold buy buying""".split()
)
# Nouns and phrases that only investing has: evidence of money by themselves.
_MONEY: Final = re.compile(
    r"[$€£]\s?\d|\b(?:\d[\d,.]*\s?(?:k|grand|dollars?|bucks|usd)\b|(?:my|our|the|this|these|some|more|make|save|lose|losing|earn|invest(?:ing)?|with|for|on)\s+(?:\w+\s+){0,2}?(?:money|cash|savings|funds?|capital|wealth|principal|assets)\b|"
    r"money|savings|wealth|invest(?!igat)\w*|portfolios?|brokerages?|(?:my|this|our|the|retirement|taxable|joint|trading|savings|client'?s?)\s+accounts?\b|dividends?|etfs?|index\s+funds?|mutual\s+funds?|ira|iras|401\(?k\)?|roth|529|"
    r"capital\s+(?:gains?|loss(?:es)?|preservation|intact|growth|appreciation)|(?:short|long)[\s-]*term\s+(?:capital\s+)?(?:gains?|rates?|profits?|status|treatment)|(?:stock|bond|stocks'|equity)\s+(?:market|portfolio|position|fund|exposure|pick)s?|stocks|shares|equities|equity|bonds|holdings|"
    r"(?:harvest\w*|tax|paper|realis\w+|realiz\w+|book(?:ing)?|take|bank|deductible|unrealised|unrealized)\s+(?:\w+\s+){0,3}?loss(?:es)?|loss(?:es)?[\s-]+harvest\w*|tlh|tax(?:es|able|ed)?|deductions?|write[\s-]?offs?|irs|wash[\s-]sales?|cost\s+basis|"
    r"s\s?&\s?p(?:\s?500)?|nasdaq|dow|spy|qqq|vti|voo|russell|benchmark|(?:beat|beats|beating|outperform|ahead\s+of|than|versus|vs|over)\s+(?:the\s+)?(?:market|index|indices|averages)|the\s+market|alpha|trad(?:e|es|ing|er)|scalp\w*|turnover|"
    r"profits?|returns?|endowment|nest\s+egg|inheritance|retire(?:ment|es?|d)?|pension\b(?!\s+rights)|college\s+funds?|principal|volatility|drawdowns?|losers|winners|(?:tax|every|each|any)\s+lots?|lots\b|stcg|ltcg|crypto|clients?)\b"
)
_OWN: Final = re.compile(
    r"\b(?:i|i'm|im|i'd|i'll|i've|we|we're|we'd|we'll|we've|my|mine|our|ours|me|us|client|clients|client's)\b"
)
_WISH: Final = re.compile(
    r"\b(?:i|we|client|clients|he|she|they|wife|husband|partner)(?:'d|'m|'re)?\s+(?:\w+\s+){0,2}?(?:want|wants|wanna|need|needs|would|prefer|prefers|aim|hope|hoping|wish|wishes|love|like|likes|looking|trying|plan|planning|intend|care|expect|only|refuse|insist|seek|seeks|require|requires|should|could|can|can't|cannot|don't|do\s+not|accept|hate|worry|saving|investing|after|targeting)\b"
    r"|\bi'd\b|\bwe'd\b|\bplease\b|\bpls\b|\bplz\b|\b(?:my|our|the|main|client's)\s+(?:\w+\s+){0,2}?(?:goal|aim|objective|priority|plan|focus|wish|target|idea|intention|horizon|concern|strategy)\b|\b(?:goal|objective|priority|aim|horizon)\s?(?:is|:)"
    r"|\b(?:matters|counts)\s+(?:most|to\s+(?:me|us))\b|\blet's\b|\b(?:for|by|with|to|give|get|make)\s+(?:me|us)\b|\bimportant\b|\b(?:should|must|has\s+to|have\s+to|needs?\s+to|ought\s+to)\b"
)
# A clause that begins so is told to the adviser.
_TOLD: Final = re.compile(
    r"\s*(?:(?:so|and|but|or|then|just|also|please|pls|ok|okay|hi|hello|basically|simply|kindly|now|could\s+you|can\s+you|would\s+you|will\s+you)[\s,]+){0,3}"
    r"(?:only|never|no|not|nothing|don't|dont|do\s+not|avoid|avoiding|exclude|excluding|keep|grow|sell|buy|hold|harvest|beat|protect|preserve|make|get|give|take|trade|find|generate|maximi[sz]e|minimi[sz]e|compound|let|stay|leave|skip|offset|"
    r"reali[sz]e|book|wait|withdraw|raise|set|use|go|aim|focus|invest|put|help|build|turn|double|triple|outperform|try|lock|bank|cut|reduce|lower|limit|prioriti[sz]e|look|treat|run|swing|day|flip|rotate|chase|seek|target|drop|steer|dump|want|wanna|need|looking|hoping|saving|investing)\b"
)
_QUESTION: Final = re.compile(
    r"\s*(?:(?:so|and|but|hi|hello|hey|quick\s+question|question)[\s,:]+){0,2}(?:what(?:'s|\s+(?:is|are|does|do|did|was|would|happens|kind|counts))|how\s+(?:long|much|many|do|does|did|is|are|can|often|come)|why|is|are|does|did|do|when|who|which|where|should|has|have)\b"
)
_WORD: Final = re.compile(r"[a-z][a-z&']*")
_SENTENCE: Final = re.compile(r"(?<![0-9])[.](?=\s|$)|(?<=[0-9])[.](?=\s|$)|[!?\n]+|[.]{2,}|;\s")
_CLAUSE: Final = re.compile(r"[,:()]|\s-{1,3}\s|\s(?:and|but|so|because|while|as|since|though)\s")
_FINITE: Final = re.compile(
    r"\b(?:is|are|was|were|has|had|will|would|keeps|holds|gets|says|said|reported|expects?|needs|wants|should|does|did)\b"
)
_ASKED: Final = re.compile(r"\b(?:can|could|would|will)\s+you\b|\bplease\b")
_FREE_WORDS: Final = 3
_FOREIGN_SHARE: Final = 0.3
_NOTE_WORDS: Final = 8
_MIN_LETTERS: Final = 3


@cache
def _vocabulary() -> frozenset[str]:
    """Words of investors' statements: plain English, money, and those of the paraphrase grammar."""
    own = [*LISTS.values(), *(text for label, texts in TEMPLATES.items() if label != _NONE for text in texts)]
    words = {word for text in own for word in _WORD.findall(re.sub(r"<\w+>", " ", text))}
    return _PLAIN_WORDS | _MONEY_WORDS | words


def foreign_words(lower: str) -> set[str]:
    """Give the different words of a text that investors' statements and plain English do not use.

    Parameters
    ----------
    lower : str
        Cleaned lower-case text, or a part of one.

    Returns
    -------
    set of str
        Words of three letters or more.
    """
    known = _vocabulary()
    return {word for word in _WORD.findall(lower) if len(word) >= _MIN_LETTERS and word not in known}


class Evidence:
    """What a text shows of its writer's wish, asked for one place at a time.

    Parameters
    ----------
    lower : str
        Cleaned lower-case text.
    named : list of (start, end)
        What names companies, industries and themes: a name is foreign to every vocabulary, so it does
        not count.
    """

    def __init__(self, lower: str, named: list[tuple[int, int]]) -> None:
        letters = list(lower)
        for start, end in named:
            letters[start:end] = " " * (end - start)
        self._lower = "".join(letters)
        self._sentences = [
            (s, e) for s, e in _cut(self._lower, 0, len(lower), _SENTENCE) if not self._asks_only(s, e)
        ]
        self._rest = " ".join(self._lower[s:e] for s, e in self._sentences)
        self._foreign = foreign_words(self._rest)
        self._has_voice = any(self._voice(s, e) for s, e in self._sentences)

    def supports_objective(self, start: int, end: int) -> bool:
        """Say whether an objective named here is the writer's wish about his money.

        Parameters
        ----------
        start, end : int
            Position of the phrase, or of the sentence that the classifier read.

        Returns
        -------
        bool
            Where a voice is heard (first person, a wish, an imperative): True if the phrase's clause has
            no foreign word and foreign words do not prevail in the text, or if money is named in its
            sentence or the next and the sentence is not mostly foreign. Where none is heard, True only
            for a text with hardly a foreign word.
        """
        at = self._index(start, end)
        if at is None:
            return False
        words = len(self._rest.split())
        if not self._has_voice:
            is_note = words <= _NOTE_WORDS or _FINITE.search(self._rest) is None
            return len(self._foreign) <= (2 if is_note else 1)
        first, last = self._sentences[at]
        near = self._sentences[max(0, at - 1) : at + 2]
        clauses = [c for c in _cut(self._lower, first, last, _CLAUSE) if c[0] < end and start < c[1]]
        foreign_here = set().union(*(foreign_words(self._lower[s:e]) for s, e in clauses))
        if not foreign_here and len(self._foreign) <= _FREE_WORDS + words * _FOREIGN_SHARE / 2:
            return self._is_own_clause(clauses, near)
        has_money = any(_MONEY.search(self._lower, s, e) for s, e in near)
        is_near = any(self._voice(s, e) for s, e in near)
        sentence = self._lower[first:last]
        is_native = len(foreign_words(sentence)) <= max(
            _FREE_WORDS, _FOREIGN_SHARE * len(sentence.split())
        )
        return has_money and is_near and is_native and len(foreign_here) <= _FREE_WORDS

    def supports_need(self) -> bool:
        """Say whether a cash need is the writer's: a voice is heard, or it is a note without a subject."""
        if not self._sentences:
            return False
        return self._has_voice or len(self._foreign) <= 1 or _FINITE.search(self._rest) is None

    def supports_exclusion(self) -> bool:
        """Say whether an exclusion is about holdings: not in a text foreign to money."""
        words = max(1, len(self._rest.split()))
        if _MONEY.search(self._lower) or _HOLDING.search(self._lower):
            return self._has_voice or len(self._foreign) <= _FREE_WORDS
        return len(self._foreign) <= _FREE_WORDS or len(self._foreign) <= _FOREIGN_SHARE * words / 2

    def _is_own_clause(self, clauses: list[tuple[int, int]], near: list[tuple[int, int]]) -> bool:
        """Say whether a clause without foreign words is a wish or a fragment, not a report on a third party."""
        if len(self._foreign) <= 1 or any(self._voice(s, e) for s, e in clauses):
            return True
        is_report = any(_FINITE.search(self._lower, s, e) for s, e in clauses)
        return not is_report or any(_MONEY.search(self._lower, s, e) for s, e in near)

    def _voice(self, start: int, end: int) -> bool:
        """Say whether a first person, a wish or an imperative stands in a sentence."""
        text = self._lower[start:end]
        if _OWN.search(text) or _WISH.search(text):
            return True
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
