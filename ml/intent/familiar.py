"""Which words are familiar: plain English, money, and what the paraphrase grammar of statements uses.

What belongs here: telling a familiar word, or a slip of one, from a foreign one. What does not: what
foreign words prove (``evidence.py``), the lists (``plain_words.py``).
"""

import re
from functools import cache, lru_cache
from typing import Final

from ml.intent.paraphrases import ALL_LISTS, ALL_TEMPLATES, NONE_LABEL
from ml.intent.plain_words import COMMON_WORDS, MONEY_WORDS, PLAIN_WORDS

_MIN_LETTERS: Final = 3
_MIN_SLIP: Final = 5
WORD: Final = re.compile(r"[a-z][a-z&']*")


@cache
def _vocabulary() -> frozenset[str]:
    """Words of investors' statements: plain English, money, and those of the paraphrase grammar."""
    own = [
        *ALL_LISTS.values(),
        *(text for label, texts in ALL_TEMPLATES.items() if label != NONE_LABEL for text in texts),
    ]
    words = {word for text in own for word in WORD.findall(re.sub(r"<\w+>", " ", text))}
    return PLAIN_WORDS | COMMON_WORDS | MONEY_WORDS | words


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
    return {word for word in WORD.findall(lower) if len(word) >= _MIN_LETTERS and not _is_familiar(word)}


@lru_cache(maxsize=50_000)
def _is_familiar(word: str) -> bool:
    """Say whether a word is known, an adverb of manner, or one slip away from a known word."""
    known = _vocabulary()
    if word in known or word.endswith("ly"):
        return True
    if any(
        word.removesuffix(ending) in known
        for ending in ("s", "es", "ed", "d", "ing", "'s", "'ll", "'d", "'ve", "'re", "n't")
    ):
        return True
    if len(word) < _MIN_SLIP:
        return False
    swapped = (word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1))
    if word in _slips() or any(near in known for near in swapped):
        return True
    return len(word) > _MIN_SLIP and any(near in known or near in _slips() for near in _shortened(word)[:-1])


@cache
def _slips() -> frozenset[str]:
    """Known words short of one letter."""
    known = [word for word in _vocabulary() if len(word) > _MIN_SLIP]
    return frozenset(short for word in known for short in _shortened(word))


def _shortened(word: str) -> list[str]:
    """Give the word without one letter; the first letter is hardly ever mistyped."""
    return [word[:i] + word[i + 1 :] for i in range(1, len(word))]
