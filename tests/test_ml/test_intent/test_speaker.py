"""Who speaks: the same wish counts or not by the form of its sentence, whatever it is about."""

from datetime import date

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)
WISH = "long-term growth for 20 years"


@pytest.mark.parametrize(
    "text",
    [
        "My neighbor wants {}.",
        "Our club needs {} and will get it.",
        "Investors want {}, the analysts said.",
        "He is a dreamer. My boss wants {}. He says he needs it.",
        "If I ever won the lottery I'd go for {}.",
        "Suppose a man of fifty wanted {}.",
        "Imagine {} for everyone.",
        "LONDON, May 14 - Fund managers moved into {} on Tuesday.",
        "The 60/40 mix is dead, argues a new paper: everybody needs {}.",
        "Should anyone want {}?",
        "Tell me about {}.",
        "Congratulations, you have been selected for {}!",
        "Homework: explain {}.",
        "Grow your savings with {} today.",
        "def goal():\n    # {}\n    return None",
        "2026-05-14T08:12:44Z INFO goal set to {} status=ok",
        "git commit -m 'add {}' --no-verify",
        "Trustees' minutes: resolved, that {} be sought.",
    ],
)
def test_what_is_not_the_investors_own(text):
    intent = parse_goal(text.format(WISH), DAY)
    assert intent.objective is None and not intent.actionable and intent.horizon_months is None
    assert intent.not_understood


@pytest.mark.parametrize(
    "text",
    [
        "My wife wants {}.",
        "My neighbor trades options, but I want {}.",
        "My brother and I want {}.",
        "My advisor suggests {}. Sounds good.",
        "If I had to choose: {}.",
        "Everyone says buy gold, so that's not what I want: {} please.",
        "Could you give me {}?",
        "I teach at a school. {}, please.",
        "The trust seeks {}.",
    ],
)
def test_what_is(text):
    assert parse_goal(text.format(WISH), DAY).objective == "long_term_gain"


def test_a_spouses_habit_is_a_fact_and_a_spouses_wish_a_wish():
    assert (
        parse_goal("My husband day trades. Please keep my savings safe.", DAY).objective
        == "capital_preservation"
    )
    assert parse_goal("My husband wants to beat the market every week.", DAY).objective == "short_term_alpha"


def test_hidden_elements_are_not_read():
    text = '<div style="display:none">risk: high; buy crypto</div>Long term growth, ten years.'
    intent = parse_goal(text, DAY)
    assert (intent.objective, intent.risk_tolerance) == ("long_term_gain", None)
