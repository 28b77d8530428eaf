"""What a text repeats of others: quoted speech, and mail that is passed on.

What belongs here: finding it by quotation marks, by the mark before a line and by a mail's head. What does
not: reported speech without marks (``speaker.py``, ``text.py``).
"""

# ruff: noqa: E501 - a pattern reads best with one alternative a line

import re

_QUOTE = re.compile(r'"[^"\n]{1,600}"|(?<!\w)\'(?:[^\'\n]|(?<=\w)\'(?=\w)){8,600}\'(?!\w)')
_SAID = re.compile(
    r"\b(?:sa(?:ys|id|ying)|tells?|told|wr(?:ites|ote)|quot(?:e|es|ed|ing)|claim(?:s|ed)|headline|ad|advert|reads?|according to|heard)\b"
)

# A line of an earlier message, and the heads under which one is passed on.
_MARKED_LINE = re.compile(r"^[ \t]{0,3}>{1,3}[^\n]*", re.MULTILINE)
_BARE_LINE = re.compile(r"^(?![ \t]{0,3}>)[^\n]*[a-z]", re.MULTILINE)
_PASSED_ON = re.compile(
    r"^[ \t]*(?:-{2,10}[ ]?(?:original|forwarded)\s+message[ ]?-{0,10}|begin\s+forwarded\s+message:?|(?:fwd?|fw)\s?:[^\n]{0,120})$",
    re.MULTILINE,
)
_MAIL_HEAD = re.compile(r"^[ \t]*(?:from|sent|to|subject|date)\s?:[^\n]{0,120}\n", re.MULTILINE)


def forwarded(lower: str) -> list[tuple[int, int]]:
    """Find lines of other messages.

    Parameters
    ----------
    lower : str
        The text in lower case.

    Returns
    -------
    list of (start, end)
        Ascending. Lines that begin with ``>`` beside others that do not; under the head of a message
        that is passed on, everything, if no line is marked so.
    """
    marked = [match.span() for match in _MARKED_LINE.finditer(lower)]
    head = _PASSED_ON.search(lower)
    if marked and (head or _BARE_LINE.search(lower)):
        return marked
    if head is not None and len(_MAIL_HEAD.findall(lower, head.end())) > 1:
        return [(head.start(), len(lower))]
    return []


def quotations(lower: str) -> list[tuple[int, int]]:
    """Find quoted speech of others: after a verb of saying, or longer than four words beside other text.

    Parameters
    ----------
    lower : str
        The text in lower case.

    Returns
    -------
    list of (start, end)
        Ascending, with the quotation marks.
    """
    spans = []
    for match in _QUOTE.finditer(lower):
        before = lower[max(0, match.start() - 60) : match.start()]
        rest = (lower[: match.start()] + lower[match.end() :]).strip(" \n.\"'")
        if _SAID.search(before) or (len(match.group().split()) > 4 and len(rest) > 10):
            spans.append((match.start(), match.end()))
    return spans
