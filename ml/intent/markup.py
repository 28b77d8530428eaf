"""Markup that an investor does not type: elements, chat marks, scripts and forms.

What belongs here: their patterns. What does not: blanking them (``text.py``), code (``speaker.py``).
"""

import re

TAG = re.compile(r"<!--.{0,2000}?-->|</?[a-z!][^<>]{0,400}>", re.DOTALL)
# Elements that pose as a speaker, with their contents.
ROLE = re.compile(
    r"<(system|assistant|admin|developer|tool|instructions?|prompt)\b[^<>]{0,80}>[^<]{0,2000}(?:</\1>|\Z)"
)
CHAT_MARK = re.compile(
    r"<\|[^|<>]{1,40}\|>[^<\n]{0,400}?<\|[^|<>]{1,40}\|>|<\|[^|<>]{1,40}\|>|\[\[?system\]?\][^\[\n]{0,400}\[\[?/system\]?\]"
)
BLOCK = re.compile(r"</?(?!b>|i>|em>|strong>|span|a\b|u>|font|/b>|/i>|/em>|/strong>)[a-z][^<>]{0,200}>")
# Bold bait beside an element that runs code; an investor types neither.
HIDDEN = re.compile(
    r"<(\w{1,12})\b[^<>]{0,200}(?:display:\s?none|visibility:\s?hidden|font-size:\s?0|\bhidden\b|opacity:\s?0)[^<>]{0,100}>[^<]{0,600}(?:</\1>|\Z)"
)
LIVE = re.compile(
    r"<(?:img|iframe|svg|object|embed|video|audio|body|input)\b[^<>]{0,300}(?:\bon[a-z]{3,15}\s{0,3}=|javascript:)"
)
BAIT = re.compile(r"<(b|i|u|em|strong|span|font|a|h\d|p)\b[^<>]{0,200}>[^<]{0,600}(?:</\1>|\Z)")
# What a page offers to choose or to press is nobody's statement.
FORM = re.compile(
    r"<form\b[^<>]{0,300}>.{0,3000}?(?:</form>|\Z)|<(select|textarea|button|datalist|option|legend|nav|menu)\b[^<>]{0,200}>.{0,1500}?(?:</\1>|\Z)",
    re.DOTALL,
)


def script_spans(lower: str) -> list[tuple[int, int]]:
    """Give the contents of script and style elements; an unclosed one runs to the end.

    Parameters
    ----------
    lower : str
        The text in lower case.

    Returns
    -------
    list of (start, end)
        Ascending, not overlapping.
    """
    spans, at = [], 0
    for match in re.finditer(r"<(script|style|iframe|svg)\b", lower):
        if match.start() < at:
            continue
        close = lower.find(f"</{match.group(1)}", match.end())
        end = len(lower) if close < 0 else (lower.find(">", close) + 1 or len(lower))
        spans.append((match.start(), end))
        at = end
    return spans
