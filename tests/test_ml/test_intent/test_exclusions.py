"""What "no", "avoid" and "keep out" govern, and what they do not."""

import pytest

from ml.intent.exclusions import find_exclusions
from ml.intent.text import clean


def names(text: str) -> list[str]:
    cleaned = clean(text)
    return [f"{item.kind}:{item.name}" for item in find_exclusions(cleaned.lower, cleaned.cased)[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no tobacco, guns or casinos", ["industry:Casinos & Gaming", "industry:Tobacco", "theme:weapons"]),
        ("please keep banks and airlines out", ["industry:Airlines", "industry:Banks"]),
        ("stay away from anything that makes weapons", ["theme:weapons"]),
        ("I never want to own Tesla again", ["symbol:TSLA"]),
        ("don't put my money in fossil fuels", ["theme:fossil_fuels"]),
        ("tobacco stocks are off limits", ["industry:Tobacco"]),
        ("a tobacco-free portfolio", ["industry:Tobacco"]),
        (
            "without crypto, REITs, junk bonds",
            ["asset_class:crypto", "asset_class:junk_bonds", "asset_class:reits"],
        ),
        ("avoid NVDA and $AMD", ["symbol:AMD", "symbol:NVDA"]),
        ("no health care, no utilities", ["sector:Health Care", "sector:Utilities"]),
        ("skip the consumer staples sector", ["sector:Consumer Staples"]),
        ("I don't want real estate in there", ["sector:Real Estate"]),
        ("I work for Boeing, so please don't buy any more of it", ["symbol:BA"]),
        ("nothing from China, no private prisons", ["theme:china", "theme:private_prisons"]),
    ],
)
def test_excluded(text, expected):
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I like banks and airlines",
        "never sell my Apple shares",
        "don't sell the bank stocks yet",
        "no day trading please",
        "my wife works at Microsoft",
        "no changes. Tesla did well last year",
        "I don't want to lose money. My energy is low.",
        "keep Apple and Microsoft",
        "not worried about a crash in tech",
        "I have no life insurance",
        "leave my options open",
        "PLEASE DO NOT SELL ANYTHING THIS YEAR",
    ],
)
def test_not_excluded(text):
    assert names(text) == []
