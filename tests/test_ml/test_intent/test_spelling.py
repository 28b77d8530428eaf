"""Short forms and slips are written out, other words stay, and every position finds its way back."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.intent.parse import parse_goal
from ml.intent.spelling import position_before, write_out

DAY = date(2026, 5, 14)
WORDS = (
    "b4",
    "u",
    "groth",
    "mkt",
    "savings",
    "honey",
    "ABT",
    "w/",
    "2 make",
    "10y",
    "Retirment",
    "$5k",
    "ok.",
    "\n",
)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("lng term groth plz", "long term growth please"),
        ("sell b4 may", "sell before may"),
        ("want 2 make money w/ it", "want to make money with it"),
        ("obj: LT growth, hrzn 15y", "objective: long term growth, horizon 15 years"),
        ("keep the principle safe", "keep the principal safe"),
        ("retirment acct", "retirement account"),
    ],
)
def test_short_forms_and_slips(typed, read):
    assert write_out(typed)[0].lower() == read


@pytest.mark.parametrize(
    "text", ["my honey sells grains and bands", "no ABT, no PF", "a matter of principle", "ye olde shop"]
)
def test_other_words_and_tickers_stay(text):
    assert write_out(text) == (text, ())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join))
def test_positions_find_their_way_back(text):
    written, moves = write_out(text)
    back = [position_before(i, moves) for i in range(len(written) + 1)]
    assert back == sorted(back) and back[0] >= 0 and back[-1] == len(text)
    # What was not rewritten is found at its place, letter by letter.
    ends = [0, *(new for new, _ in moves)]
    for end in ends:
        at = position_before(end, moves)
        assert written[end : end + 1] in (text[at : at + 1], "") or any(end < new for new in ends)


def test_parts_not_understood_are_shown_as_typed():
    first, *_ = parse_goal("my neighbour says u shd sell b4 xmas. groth over 20 yrs plz", DAY).not_understood
    assert first.text == "my neighbour says u shd sell b4 xmas"
