"""Amounts, shares and times, one expression at a time."""

import itertools
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.intent.dates import find_times
from ml.intent.numbers import find_amounts, find_shares, word_value

DAY = date(2026, 3, 10)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$30,000", 30_000),
        ("30k", 30_000),
        ("$1.2 million", 1_200_000),
        ("1.5m usd", 1_500_000),
        ("thirty thousand", 30_000),
        ("nine thousand five hundred dollars", 9_500),
        ("half a million", 500_000),
        ("a couple of thousand", 2_000),
        ("twenty-five grand", 25_000),
        ("45,000", 45_000),
        ("us$ 750", 750),
        ("two hundred fifty thousand", 250_000),
        ("a hundred thousand dollars", 100_000),
        ("600 bucks", 600),
        ("i must pay 500 in tuition", 500),
    ],
)
def test_amounts(text, value):
    (amount,) = find_amounts(text)
    assert amount.value == pytest.approx(value)
    assert not amount.is_foreign


@pytest.mark.parametrize(
    "text", ["in 2031", "30 days", "15%", "section 1256", "two of them", "a 3 m gap", "age 62", "q3 2027"]
)
def test_not_amounts(text):
    assert find_amounts(text) == []


@pytest.mark.parametrize("text", ["€20,000", "20,000 euros", "£5k", "thirty thousand pounds", "eur 700"])
def test_foreign_amounts_are_marked(text):
    (amount,) = find_amounts(text)
    assert amount.is_foreign


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("15% of it", 0.15),
        ("a third of the account", 1 / 3),
        ("half my portfolio", 0.5),
        ("two thirds of this", 2 / 3),
        ("ten percent", 0.1),
    ],
)
def test_shares(text, share):
    (found,) = find_shares(text)
    assert found.value == pytest.approx(share)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 999_999))
def test_words_of_any_number_read_back(number):
    assert word_value(_in_words(number)) == number


def _in_words(number: int) -> str:
    small = "zero one two three four five six seven eight nine ten eleven twelve".split()
    small += [f"{stem}teen" for stem in "thir four fif six seven eigh nine".split()]
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if number < 20:
        return small[number]
    if number < 100:
        rest = number % 10
        return tens[number // 10 - 2] + (f"-{small[rest]}" if rest else "")
    unit, name = (100, "hundred") if number < 1_000 else (1_000, "thousand")
    head, rest = divmod(number, unit)
    return f"{_in_words(head)} {name}" + (f" and {_in_words(rest)}" if rest else "")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("next month", date(2026, 4, 1), date(2026, 4, 30)),
        ("by 15 april", date(2026, 4, 15), date(2026, 4, 15)),
        ("by april 15th", date(2026, 4, 15), date(2026, 4, 15)),
        ("on january 3", date(2027, 1, 3), date(2027, 1, 3)),
        ("by 4/15", date(2026, 4, 15), date(2026, 4, 15)),
        ("due 2027-01-10", date(2027, 1, 10), date(2027, 1, 10)),
        ("in q1", date(2026, 3, 10), date(2026, 3, 31)),
        ("in q3", date(2026, 7, 1), date(2026, 9, 30)),
        ("next quarter", date(2026, 4, 1), date(2026, 6, 30)),
        ("in two weeks", date(2026, 3, 24), date(2026, 3, 24)),
        ("within two weeks", date(2026, 3, 24), date(2026, 3, 24)),
        ("in the spring", date(2026, 3, 10), date(2026, 6, 21)),
        ("next spring", date(2027, 3, 1), date(2027, 6, 21)),
        ("this winter", date(2026, 3, 10), date(2026, 3, 20)),
        ("by the end of june", date(2026, 6, 30), date(2026, 6, 30)),
        ("before the end of next year", date(2027, 12, 31), date(2027, 12, 31)),
        ("in february", date(2027, 2, 1), date(2027, 2, 28)),
        ("before summer", date(2026, 6, 1), date(2026, 6, 1)),
        ("by year-end", date(2026, 12, 31), date(2026, 12, 31)),
        ("next week", date(2026, 3, 16), date(2026, 3, 22)),
        ("tomorrow", date(2026, 3, 10), date(2026, 3, 11)),
        ("by christmas", date(2026, 12, 24), date(2026, 12, 25)),
        ("in 2030", date(2030, 1, 1), date(2030, 12, 31)),
        ("feb 28, 2028", date(2028, 2, 28), date(2028, 2, 28)),
        ("in early may", date(2026, 5, 1), date(2026, 5, 11)),
    ],
)
def test_windows(text, first, last):
    (time,) = find_times(text, DAY)
    assert (time.first, time.last) == (first, last)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("for 20 years", 240, 240),
        ("over the next 3-4 months", 3, 4),
        ("in 10 or 12 yrs", 120, 144),
        ("two decades", 240, 240),
        ("a couple of years", 24, 24),
        ("six months", 6, 6),
        ("twenty-five to thirty years", 300, 360),
        ("half a year", 6, 6),
        ("1.5 years", 18, 18),
    ],
)
def test_durations(text, low, high):
    (time,) = find_times(text, DAY)
    assert time.months == pytest.approx((low, high))
    assert not time.is_open


@pytest.mark.parametrize("text", ["20+ years", "at least 10 years", "15 years or more"])
def test_open_durations(text):
    (time,) = find_times(text, DAY)
    assert time.is_open


@pytest.mark.parametrize(
    "text",
    ["last spring", "two years ago", "since march", "for the past 10 years", "i'm 45 years old",
     "i bought it in november",
     "in 1999", "on 2025-01-01", "you may sell", "13/45", "held for less than"],
)  # fmt: skip
def test_the_past_ages_and_non_dates_are_not_times(text):
    assert find_times(text, DAY) == []


@settings(max_examples=80, deadline=None)
@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789 ,.-/%$", max_size=120),
    st.dates(date(1990, 1, 1), date(2090, 12, 31)),
)
def test_times_lie_ahead_and_do_not_overlap(text, day):
    times = find_times(text, day)
    for time in times:
        assert day <= time.first <= time.last
    for one, two in itertools.pairwise(times):
        assert one.end <= two.start
