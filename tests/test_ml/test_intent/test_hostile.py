"""Adversarial repeats: no pattern may take more than linear time, whatever is repeated."""

import random
import time
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.intent.cases import predict, score
from ml.intent.parse import parse_goal
from ml.intent.schema import InvestmentIntent
from ml.intent.text import MAX_CHARS

DAY = date(2026, 1, 1)
UNITS = (
    "a", "no ", "don't ", "short term ", "1,", "$1", "'", '"', "(", "<", "<a ", "{", "[[a:", "```", "--", "need ",
    "2026-", "by the end of the ", "next ", "a few ", "half ", "one hundred ", "hundred and ", "growth ", "loss ",
    "never sell ", "until ", "tobacco, ", "and ", "avoid ", "i'm 4", "\u202e", "\u0301", "👍", "\x00", "\n", ". ", "; ",
    "my friend says ", "i saw a movie ", "f('", "translate ",
    "<system>", "select a from ", "' or 1=1 ", "harvest the ", "beat the ", "more than ", "50% of ", "10 years ",
    "quick profit ", "not one ", "by january ", "e\u0301", "<svg>", "</", "http://a", "isn't important ", "at age 5",
)  # fmt: skip
SECONDS = 1.0


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("length", [MAX_CHARS, 1_000_000])
def test_one_phrase_repeated(unit, length):
    text = (unit * (length // len(unit) + 1))[:length]
    started = time.process_time()
    parse_goal(text, DAY)
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("seed", range(20))
def test_four_phrases_shuffled(seed):
    generator = random.Random(seed)
    chosen = generator.sample(UNITS, 4)
    text = "".join(generator.choice(chosen) for _ in range(4_000))[:MAX_CHARS]
    started = time.process_time()
    parse_goal(text, DAY)
    assert time.process_time() - started < SECONDS


def test_a_text_twice_as_long_takes_about_twice_as_long():
    """Prose, not repeats: the ratio of two lengths, best of three each."""
    sentence = "On day {} I thought about my savings, the {} dollars in the bank and what to do in {} years. "
    prose = "".join(sentence.format(i, 7 * i, i % 40) for i in range(100))

    def seconds(length):
        best = 9.0
        for _ in range(3):
            started = time.process_time()
            parse_goal(prose[:length], DAY)
            best = min(best, time.process_time() - started)
        return best

    seconds(500)
    assert seconds(6_000) < 4.0 * seconds(3_000) + 0.02


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(UNITS), max_size=60).map("".join), st.dates(date(1970, 1, 1), date(2150, 1, 1))
)
def test_any_soup_is_valid_and_repeatable(text, day):
    intent = parse_goal(text, day)
    assert InvestmentIntent.model_validate_json(intent.model_dump_json()) == intent
    assert parse_goal(text, day) == intent


@pytest.mark.parametrize("day", [date(1, 1, 1), date(9999, 12, 31)])
def test_the_ends_of_the_calendar(day):
    parse_goal(
        "growth for 20 years, $5,000 next month, by 2 May, by 2030-02-30, in two weeks, next year, q3", day
    )


@pytest.mark.parametrize(
    "text",
    [
        "My neighbour says I should day trade crypto, but that's his thing.",
        "I saw a movie about tax-loss harvesting last night. It was three hours long.",
        "Translate the following into French: preserve my capital",
        "print('sell all') # harvest losses",
    ],
)
def test_what_others_say_and_what_is_code_is_no_wish(text):
    intent = parse_goal(text, DAY)
    assert intent.objective is None
    assert not intent.actionable
    assert not any(intent.tax.model_dump().values())
    assert intent.not_understood


@pytest.mark.parametrize(
    "text",
    [
        "My neighbour says I should day trade, but I want steady growth for 20 years.",
        "My advisor suggested long term growth over 20 years. I agree.",
        "I read an article about bonds and now I want growth over 20 years.",
    ],
)
def test_the_own_wish_beside_it_is_kept(text):
    assert parse_goal(text, DAY).objective == "long_term_gain"


DISGUISED = yaml.safe_load(Path(__file__).with_name("statements_hostile.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", DISGUISED["cases"], ids=lambda case: case["id"])
def test_disguised_texts_set_nothing_but_the_wish_beside_them(case):
    scores = score([case], [predict(case)], DISGUISED["meta"]["exclusion_equivalents"])
    assert scores["hostile"] == [1, 1], scores["wrong"]


@pytest.mark.parametrize(
    "text",
    [
        "My gains at the gym are long term",
        "<b>long term growth</b> <img src=x onerror=alert(1)>",
        "EXCLUDE tobacco; amount=50000; by=2026-08-01 -- parser output",
        "For the long-term freezer: growth medium with 10% glycerol, keep safe at -80 C for 12 months",
    ],
)
def test_an_investors_words_in_other_company_say_nothing(text):
    intent = parse_goal(text, DAY)
    assert intent.objective is None
    assert not intent.actionable
    assert not intent.exclusions and intent.horizon_months is None and intent.liquidity is None


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("I run a bakery and want growth over 20 years.", "long_term_gain"),
        ("Let it grow like tomatoes in the sun for 20 years.", "long_term_gain"),
        ("I teach chess. Protect my savings, please.", "capital_preservation"),
        ("Objective: growth. Risk: medium. Horizon: 10 years.", "long_term_gain"),
    ],
)
def test_an_investor_may_have_another_life(text, objective):
    assert parse_goal(text, DAY).objective == objective
