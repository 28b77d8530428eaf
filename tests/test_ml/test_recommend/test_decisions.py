"""When a new target is taken."""

import dataclasses
from datetime import date, timedelta

import polars as pl
import pytest

from ml.recommend import RecommendSettings
from ml.recommend.decisions import find_target_dates

MONDAY, TUESDAY, WEDNESDAY = date(2022, 11, 28), date(2022, 11, 29), date(2022, 11, 30)
OLD = date(2020, 1, 2)


def decide(night, sessions=(MONDAY, TUESDAY, WEDNESDAY), account: str = "a0") -> tuple[date, str]:
    """Target date and trigger of one account."""
    accounts = night.accounts.with_columns(
        pl.col("account_type").is_in(["roth_ira"]).alias("is_tax_deferred")
    )
    found = find_target_dates(
        accounts, night.lots, night.cash, night.prices, night.constraints, list(sessions), RecommendSettings()
    )
    return found.filter(pl.col("account_id") == account).select("target_date", "trigger").row(0)


def test_the_weeks_first_session_is_the_default(hand_night) -> None:
    """Nothing happened: Monday's target stands all week."""
    assert decide(hand_night([("a0", "A", "1", 10, 1000, OLD)])) == (MONDAY, "week_first")


def test_an_account_without_earlier_state_takes_tonight(hand_night) -> None:
    """No cash and no lot on any session: as_of_date."""
    assert decide(hand_night(cash={})) == (WEDNESDAY, "no_earlier_state")


@pytest.mark.parametrize(("acquired", "expected"), [
    (date(2021, 11, 28), (TUESDAY, "long_term")),  # long-term from 2022-11-29
    (date(2021, 11, 29), (WEDNESDAY, "long_term")),
    (date(2021, 11, 27), (MONDAY, "week_first")),
    (date(2021, 11, 30), (MONDAY, "week_first")),  # tomorrow
])  # fmt: skip
def test_a_lot_that_turns_long_term(hand_night, acquired: date, expected) -> None:
    """The session on which a sale first is long-term takes a new target; not in an IRA."""
    lots = [("a0", "A", "1", 10, 1000, acquired), ("a1", "A", "1", 10, 1000, acquired)]
    night = hand_night(lots, {"a0": 0.0, "a1": 0.0}, [{}, {"account_type": "roth_ira"}])
    assert decide(night) == expected
    assert decide(night, account="a1") == (MONDAY, "week_first")


@pytest.mark.parametrize(
    ("quantity", "basis", "price", "fires"),
    [(100, 10_000, 94.9, True), (100, 10_000, 95.1, False), (9, 900, 94.9, False), (10, 1_000, 94.9, True)],
)
def test_a_loss_that_passes_its_threshold(hand_night, quantity, basis, price, fires) -> None:
    """5 % of the lot's cost and 50 USD; both."""
    night = hand_night([("a0", "A", "1", quantity, basis, OLD)])
    falls = (pl.col("as_of_date") >= TUESDAY) & (pl.col("asset_id") == "A")
    prices = night.prices.with_columns(
        pl.when(falls).then(price).otherwise(pl.col("price_usd")).alias("price_usd")
    )
    found = decide(dataclasses.replace(night, prices=prices))
    # It passes on Tuesday and stays passed on Wednesday: one event.
    assert found == ((TUESDAY, "loss") if fires else (MONDAY, "week_first"))


@pytest.mark.parametrize(("amount", "fires"), [(199.0, False), (260.0, True), (-260.0, True)])
def test_cash_that_moved(hand_night, amount: float, fires: bool) -> None:
    """More than 2 % of value between two sessions, in either direction."""
    night = hand_night([("a0", "A", "1", 100, 10_000, OLD)], {"a0": 1000.0})
    moved = pl.when(pl.col("state_date") >= TUESDAY).then(pl.lit(amount)).otherwise(0.0)
    cash = night.cash.with_columns((pl.col("cash_usd").cast(pl.Float64) + moved).cast(pl.Decimal(20, 6)))
    assert decide(dataclasses.replace(night, cash=cash)) == (
        (TUESDAY, "cash") if fires else (MONDAY, "week_first")
    )


def test_an_intent_that_changed(hand_night) -> None:
    """On the session itself, or on a day without session before it."""
    lots = [("a0", "A", "1", 10, 1000, OLD)]
    for day, expected in (
        (WEDNESDAY, (WEDNESDAY, "intent")),
        (MONDAY - timedelta(days=1), (MONDAY, "week_first")),
        (WEDNESDAY + timedelta(days=1), (MONDAY, "week_first")),
    ):
        night = hand_night(lots, constraints=[{"user_id": "u0", "intent_changed_date": day}])
        assert decide(night) == expected
    holiday = hand_night(lots, constraints=[{"user_id": "u0", "intent_changed_date": TUESDAY}])
    assert decide(holiday, (MONDAY, WEDNESDAY)) == (WEDNESDAY, "intent")


def test_the_target_of_an_earlier_session_knows_nothing_later(hand_night) -> None:
    """Seen on Tuesday, Wednesday's event does not exist."""
    night = hand_night(
        [("a0", "A", "1", 10, 1000, OLD)], constraints=[{"user_id": "u0", "intent_changed_date": WEDNESDAY}]
    )
    assert decide(night, (MONDAY, TUESDAY)) == (MONDAY, "week_first")
