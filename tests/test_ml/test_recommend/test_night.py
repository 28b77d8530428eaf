"""Whole random nights: every guardrail, exact types, determinism."""

import dataclasses
import hashlib

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.recommend import RecommendSettings, check_guardrails, recommend_night
from ml.recommend.schema import ORDERS_SCHEMA, PORTFOLIO_SCHEMA, WEIGHTS_SCHEMA

SLOW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _digest(result) -> str:
    frames = (result.portfolios, result.target_weights, result.lot_orders)
    return hashlib.sha256("".join(frame.write_csv() for frame in frames).encode()).hexdigest()


@SLOW
@given(seed=st.integers(0, 10**6))
def test_guardrails_hold_with_the_analytic_experts(make_night, seed: int) -> None:
    """No rule is broken, whatever the holdings, windows, goals and lot methods."""
    night = make_night(seed)
    assert check_guardrails(recommend_night(night), night) == []


@SLOW
@given(seed=st.integers(0, 10**6))
def test_guardrails_hold_with_targets_far_away(make_night, random_targets, seed: int) -> None:
    """Nor with targets that ask for violent trades."""
    night = make_night(seed)
    result = recommend_night(night, targets_of=random_targets)
    assert check_guardrails(result, night) == []
    assert result.target_weights["action"].is_in(["buy", "sell"]).any()


def test_columns_and_types_are_exact(make_night) -> None:
    """The three frames have the contract's columns in order, sorted by key."""
    result = recommend_night(make_night(0))
    for frame, schema, key in (
        (result.portfolios, PORTFOLIO_SCHEMA, ["account_id"]),
        (result.target_weights, WEIGHTS_SCHEMA, ["account_id", "asset_id"]),
        (result.lot_orders, ORDERS_SCHEMA, ["account_id", "asset_id", "lot_id"]),
    ):
        assert dict(frame.schema) == schema
        assert frame.height > 0
        assert frame.equals(frame.sort(key))


def test_equal_inputs_give_equal_bytes(make_night) -> None:
    """Row order of the inputs and the size of the chunks change nothing."""
    night = make_night(5)
    first = _digest(recommend_night(night))
    shuffled = {
        item.name: getattr(night, item.name).sample(fraction=1.0, shuffle=True, seed=9)
        for item in dataclasses.fields(night)
        if isinstance(getattr(night, item.name), pl.DataFrame)
    }
    assert _digest(recommend_night(dataclasses.replace(night, **shuffled))) == first
    assert _digest(recommend_night(night, RecommendSettings(chunk_accounts=3))) == first


def test_recommendation_id_names_its_inputs(make_night) -> None:
    """Another input, model or setting is another id; the chunk size is none."""
    night = make_night(1, n_accounts=2)
    ids = [
        recommend_night(dataclasses.replace(night, **change), RecommendSettings(**setting)).portfolios[
            "recommendation_id"
        ][0]
        for change, setting in (
            ({}, {}),
            ({"inputs_version": "other"}, {}),
            ({"models_version": "other"}, {}),
            ({}, {"cost_ratio": 0.002}),
        )
    ]
    assert len(set(ids)) == 4
    assert all(len(name) == 32 for name in ids)
    same = recommend_night(night, RecommendSettings(chunk_accounts=1)).portfolios["recommendation_id"][0]
    assert same == ids[0]


def test_missing_column_is_named(make_night) -> None:
    """A frame without a column that is read fails with its name."""
    night = make_night(2, n_accounts=2)
    with pytest.raises(ValueError, match="'cash' lacks the columns \\['cash_usd'\\]"):
        dataclasses.replace(night, cash=night.cash.drop("cash_usd"))


def test_as_of_date_outside_the_sessions_is_refused(make_night) -> None:
    """A night that is no session has no week."""
    night = make_night(2, n_accounts=2)
    broken = dataclasses.replace(
        night, sessions=night.sessions.filter(pl.col("session_date") < night.as_of_date)
    )
    with pytest.raises(ValueError, match="not in 'sessions'"):
        recommend_night(broken)
