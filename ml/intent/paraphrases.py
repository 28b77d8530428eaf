"""Training texts for the objective classifier, expanded from templates with a seed.

What belongs here: expansion, typing noise and company (a second clause that names no objective). What
does not: the templates and cues (``paraphrase_templates.py``, ``paraphrase_registers.py``,
``paraphrase_cues.py``), fitting (``train.py``). No text of any case file is among them.
"""

import random
import re
from typing import Final

from ml.intent.paraphrase_cues import CUE_TEMPLATES, CUES
from ml.intent.paraphrase_registers import REGISTER_LISTS, REGISTER_TEMPLATES
from ml.intent.paraphrase_templates import LISTS, TEMPLATES

ALL_LISTS: Final = LISTS | REGISTER_LISTS
ALL_TEMPLATES: Final = {
    label: texts
    + REGISTER_TEMPLATES[label]
    + tuple(template.format(f"[{CUES[label]}]") for template in CUE_TEMPLATES)
    for label, texts in TEMPLATES.items()
}
_INNERMOST: Final = re.compile(r"\[([^\[\]]*)\]")
_LIST: Final = re.compile(r"<(\w+)>")
_TYPO_SHARE: Final = 0.25
_COMPANY_SHARE: Final = 0.35
NONE_LABEL: Final = "none"


def expand(template: str, generator: random.Random) -> str:
    """Choose one text of a template.

    >>> expand("[a|a] b", random.Random(0))
    'a b'
    """
    text = template
    while True:
        # Lists are put in only where a choice has settled that they are needed.
        choice = _INNERMOST.search(text)
        if choice is not None:
            picked = generator.choice(choice.group(1).split("|"))
            text = text[: choice.start()] + picked + text[choice.end() :]
            continue
        named = _LIST.search(text)
        if named is None:
            return re.sub(r"\s+([,.?])", r"\1", " ".join(text.split()))
        text = text[: named.start()] + ALL_LISTS[named.group(1)] + text[named.end() :]


def mistype(text: str, generator: random.Random) -> str:
    """Swap, drop or double one letter of a word of five letters or more; the text if it has none."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) >= 5 and word.isalpha()]
    if not long:
        return text
    chosen = generator.choice(long)
    word, at = words[chosen], generator.randrange(1, len(words[chosen]) - 1)
    words[chosen] = generator.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
    )
    return " ".join(words)


def training_texts(per_label: int, seed: int) -> tuple[list[str], list[str]]:
    """Draw texts and their labels.

    Parameters
    ----------
    per_label : int
        Texts per objective; ``none`` gets twice as many, for it is the widest.
    seed : int
        The same seed gives the same texts.

    Returns
    -------
    texts, labels : list of str
        Labels are objectives or ``none``; texts are lower case.
    """
    generator = random.Random(seed)
    texts, labels = [], []
    for label, templates in ALL_TEMPLATES.items():
        for i in range(2 * per_label if label == NONE_LABEL else per_label):
            # Templates take turns, so that none is drawn by chance far more often than another.
            text = expand(f"<opening> {templates[i % len(templates)]} <closing>", generator)
            if generator.random() < _COMPANY_SHARE:
                other = expand(
                    generator.choice((*ALL_TEMPLATES[NONE_LABEL][:5], "<about>", "<about>")), generator
                )
                text = generator.choice((f"{text}, {other}", f"{other}, {text}", f"{text} and {other}"))
            if generator.random() < _TYPO_SHARE:
                text = mistype(text, generator)
            texts.append(text)
            labels.append(label)
    return texts, labels
