"""From a user's words to the orders: cash needs, horizons and exclusions bind."""

import datetime as dt

import polars as pl
import pytest

from ml.intent.parse import active_constraints, parse_goals
from ml.recommend.guardrails import check_guardrails
from ml.recommend.inputs import RecommendSettings
from ml.recommend.night import recommend_night

AS_OF = dt.date(2022, 12, 28)
ASSETS = pl.DataFrame(
    {
        "asset_id": ["A", "B", "BOND"],
        "symbol": ["A", "B", "BOND"],
        "name": ["A Corp", "B Corp", "A bond fund"],
        "asset_class": ["equity", "equity", "bond_etf"],
        "sector": ["Consumer Staples", "Industrials", None],
        "industry": ["Tobacco", "Aerospace & Defense", None],
        "country": ["US", "US", "US"],
    }
)


@pytest.fixture
def weights_after(hand_night, wanting):
    """Target weights of an account of 100,000 USD in cash that wants 50 % A, 30 % B, 10 % BOND."""

    def run(*texts: str) -> dict[str, float]:
        statements = pl.DataFrame(
            {
                "statement_id": [f"s{i}" for i in range(len(texts))],
                "user_id": ["u0"] * len(texts),
                "stated_at": [dt.datetime(2022, 12, 1 + i, 15, tzinfo=dt.UTC) for i in range(len(texts))],
                "text": list(texts),
            },
            schema_overrides={
                "stated_at": pl.Datetime("us", "UTC"),
                "statement_id": pl.String,
                "user_id": pl.String,
                "text": pl.String,
            },
        )
        stated = active_constraints(parse_goals(statements), ASSETS, AS_OF).to_dicts()
        night = hand_night(
            cash={"a0": 100_000.0}, prices={"A": 100.0, "B": 50.0, "BOND": 20.0}, constraints=stated
        )
        settings = RecommendSettings(turnover_cap=1.0)
        result = recommend_night(night, settings, wanting(a0={"A": 0.5, "B": 0.3, "BOND": 0.1}))
        assert check_guardrails(result, night, settings) == []
        return dict(
            result.target_weights.select("asset_id", pl.col("target_weight").cast(pl.Float64)).iter_rows()
        )

    return run


def test_nothing_stated_leaves_the_target(weights_after):
    assert weights_after("hello there")["A"] == pytest.approx(0.5, abs=0.03)


def test_what_is_excluded_is_not_bought(weights_after):
    weights = weights_after("Long-term growth. No tobacco and no weapons.")
    assert "A" not in weights and "B" not in weights


def test_a_sized_need_is_kept_in_cash_until_its_day(weights_after):
    assert weights_after("I need $40,000 by 31 January 2023 for a roof.")["cash_usd"] >= 0.40
    assert weights_after("40% of the account has to be in cash by 31 January 2023.")["cash_usd"] >= 0.40
    assert weights_after("I need $40,000 by 15 December 2022 for a roof.")["cash_usd"] < 0.2  # over


def test_a_near_horizon_caps_what_is_outside_bonds_and_cash(weights_after):
    weights = weights_after("Grow this over the next two years.")
    assert weights["A"] + weights["B"] < 0.70
    far = weights_after("Grow this over the next twenty years.")
    assert far["A"] + far["B"] == pytest.approx(0.8, abs=0.05)


def test_a_traders_horizon_is_no_reason_to_hold_cash(weights_after):
    weights = weights_after("Beat the S&P 500 over the next two weeks with swing trades.")
    assert weights["A"] + weights["B"] == pytest.approx(0.8, abs=0.05)


def test_a_later_note_keeps_earlier_limits(weights_after):
    weights = weights_after("No tobacco please.", "I need $40,000 by 31 January 2023.")
    assert "A" not in weights and weights["cash_usd"] >= 0.40
