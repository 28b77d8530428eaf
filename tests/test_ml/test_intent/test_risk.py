"""Attitudes to risk: a fall beside its acceptance or refusal, and whose account it is."""

from datetime import date
from itertools import product

import pytest

from ml.intent.parse import parse_goal

DAY = date(2026, 5, 14)
FALLS = ("it drop by half", "a 40% drawdown", "big swings", "a bear market")


@pytest.mark.parametrize(
    ("bears", "fall"),
    list(product(("I can live with", "I could sit through", "I wouldn't mind", "I'm fine with"), FALLS)),
)
def test_bearing_a_fall_is_high(bears, fall):
    assert parse_goal(f"Grow my savings for 20 years. {bears} {fall}.", DAY).risk_tolerance == "high"


@pytest.mark.parametrize(
    "text",
    [
        "I would rather miss a rally than take a loss.",
        "I have no appetite for losses in this account.",
        "My capital should not be put at risk.",
        "I can't stomach big swings in my portfolio.",
    ],
)
def test_refusing_it_is_low(text):
    assert parse_goal(text, DAY).risk_tolerance == "low"


@pytest.mark.parametrize(
    "text",
    [
        "level 40 paladin, need two healers and a tank for the raid, high risk high reward, loot split 5 ways",
        "The patient should preserve mobility, avoid losses in bone density, and aim for recovery.",
        "The glacier hike is high risk, bring crampons, ropes and a guide.",
    ],
)
def test_a_games_or_a_sports_risk_is_none(text):
    assert parse_goal(text, DAY).risk_tolerance is None


def test_bearing_losses_is_no_wish_to_harvest_them():
    intent = parse_goal("Make a profit by Christmas. I can take big losses.", DAY)
    assert (intent.objective, intent.risk_tolerance) == ("short_term_gain", "high")
    assert not intent.tax.harvest_losses
