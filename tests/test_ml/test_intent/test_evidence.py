"""Evidence of a wish: the same words count or not by whose they are and what else is said."""

from datetime import date

import pytest

from ml.intent.familiar import foreign_words
from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)
NOUNS = ("lighthouse", "violin", "goalkeeper", "glacier", "wombat", "sourdough", "telescope")


@pytest.mark.parametrize("noun", NOUNS)
def test_a_wish_about_any_other_thing_is_none_about_money(noun):
    assert not parse_goal(
        f"We want to protect the old {noun} and preserve it for our children.", DAY
    ).actionable
    assert not parse_goal(
        f"The {noun} needs a short term gain, but long term growth is the goal.", DAY
    ).actionable


@pytest.mark.parametrize("noun", NOUNS)
def test_the_thing_beside_a_wish_about_money_does_no_harm(noun):
    intent = parse_goal(f"I look after a {noun} and want long-term growth for my savings.", DAY)
    assert intent.objective == "long_term_gain"


@pytest.mark.parametrize("text", ["growth", "keep it safe", "tlh", "Compound it. 30 years."])
def test_a_note_needs_no_more(text):
    assert parse_goal(text, DAY).actionable


@pytest.mark.parametrize(
    "text", ["What does capital preservation mean?", "Is tax loss harvesting the same as selling short?"]
)
def test_a_question_of_knowledge_wishes_nothing(text):
    assert not parse_goal(text, DAY).actionable


def test_slips_of_the_pen_and_inflections_are_not_foreign():
    assert foreign_words("grwoth apreciation retirment offsets quickly evry mony") == set()
    assert foreign_words("a violin and my savings") == {"violin"}
