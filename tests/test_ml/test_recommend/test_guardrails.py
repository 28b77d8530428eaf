"""Every guardrail fires: a good night is broken in one place at a time."""

import dataclasses
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import polars as pl
import pytest

from ml.recommend import GuardrailError, NightResult, check_guardrails, recommend_night, require_guardrails

AS_OF = date(2022, 11, 30)
OLD, RECENT = date(2020, 1, 2), date(2022, 8, 1)


@pytest.fixture(scope="module")
def good(hand_night, wanting):
    """A night in which a0 sells A and buys B, a1 is empty; a2, of the same household, has cash."""
    lots = [
        ("a0", "A", "1", 60, 9000, OLD),
        ("a0", "A", "2", 40, 3000, RECENT),
        ("a2", "B", "3", 1, 100, OLD),
    ]
    accounts = [{}, {}, {"household_id": "h0", "user_id": "u2"}]
    night = hand_night(lots, {"a0": 1000.0, "a1": 0.0, "a2": 9000.0}, accounts)
    result = recommend_night(night, targets_of=wanting(a0={"A": 0.1, "B": 0.5}, a2={"B": 0.5}))
    assert check_guardrails(result, night) == []
    assert set(result.lot_orders["lot_id"]) >= {"1", "new"}
    return night, result


def _edit(frame: pl.DataFrame, where: dict, **values) -> pl.DataFrame:
    """Set columns in the rows that match; at least one must."""
    hit = pl.all_horizontal([pl.col(name) == value for name, value in where.items()])
    assert frame.filter(hit).height > 0
    return frame.with_columns(
        pl.when(hit).then(pl.lit(value).cast(frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def _weights(result: NightResult, where: dict, **values) -> NightResult:
    return dataclasses.replace(result, target_weights=_edit(result.target_weights, where, **values))


def _orders(result: NightResult, where: dict, **values) -> NightResult:
    return dataclasses.replace(result, lot_orders=_edit(result.lot_orders, where, **values))


def _portfolio(result: NightResult, where: dict, **values) -> NightResult:
    return dataclasses.replace(result, portfolios=_edit(result.portfolios, where, **values))


A0A, LOSS = {"account_id": "a0", "asset_id": "A"}, {"account_id": "a0", "lot_id": "1"}
CASH = {"account_id": "a0", "asset_id": "cash_usd"}

BREAKS: dict[str, Callable[[NightResult], NightResult]] = {
    "unique_key": lambda r: dataclasses.replace(r, portfolios=pl.concat([r.portfolios, r.portfolios[:1]])),
    "as_of_date": lambda r: _portfolio(r, {"account_id": "a0"}, as_of_date=date(2022, 11, 29)),
    "every_account": lambda r: dataclasses.replace(r, portfolios=r.portfolios[1:]),
    "status_without_rows": lambda r: _portfolio(r, {"account_id": "a0"}, status="restricted", reason="x"),
    "cash_row": lambda r: dataclasses.replace(
        r, target_weights=r.target_weights.filter(pl.col("asset_id") != "cash_usd")
    ),
    "vocabulary": lambda r: _weights(r, A0A, reason_code="because"),
    "reason": lambda r: _portfolio(r, {"account_id": "a1"}, reason=""),
    "weight_negative": lambda r: _weights(r, CASH, target_weight=Decimal("-0.1")),
    "weight_sum": lambda r: _weights(r, CASH, target_weight=Decimal("0.999999999")),
    "action_weight": lambda r: _weights(r, A0A, action="buy"),
    "action_quantity": lambda r: _weights(r, CASH, quantity=Decimal("1")),
    "action_orders": lambda r: _weights(r, A0A, quantity=Decimal("1")),
    "lot_unknown": lambda r: _orders(r, LOSS, lot_id="77"),
    "lot_exceeded": lambda r: _orders(r, LOSS, quantity=Decimal("60.000000001")),
    "lot_term": lambda r: _orders(r, LOSS, term="short"),
    "lot_gain": lambda r: _orders(r, LOSS, gain_usd=Decimal("5")),
    "portfolio_total": lambda r: _portfolio(r, {"account_id": "a0"}, harvested_loss_usd=Decimal("1")),
    "wash_tonight": lambda r: _orders(r, {"account_id": "a2", "asset_id": "B"}, asset_id="A"),
    "cash_negative": lambda r: _orders(r, {"account_id": "a2", "asset_id": "B"}, quantity=Decimal("200")),
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_broken_result_is_caught(good, rule: str) -> None:
    """The rule's name is among the violations, and the night refuses to be written."""
    night, result = good
    broken = BREAKS[rule](result)
    assert rule in {violation.rule for violation in check_guardrails(broken, night)}
    with pytest.raises(GuardrailError, match="nothing may be written"):
        require_guardrails(broken, night)


def _window(kind: str, asset: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "household_id": ["h0"],
            "asset_id": [asset],
            "account_id": ["a9"],
            "kind": [kind],
            "trade_date": [AS_OF - timedelta(days=30)],
            "is_tax_deferred": [False],
            "quantity": [1.0],
        }
    )


def test_what_the_result_was_made_without_is_caught(good) -> None:
    """Windows, goals, benchmarks, stale prices and masks that the orders disregard."""
    night, result = good
    goal = {
        "user_id": "u0",
        "excluded_asset_ids": ["B"],
        "liquidity_amount_usd": None,
        "liquidity_share": None,
        "liquidity_by": None,
        "avoid_short_term_gains": True,
        "horizon_to": None,
        "intent_changed_date": None,
    }
    cases = {
        "wash_back": {"wash_windows": _window("purchase", "A")},
        "wash_forward": {"wash_windows": _window("loss_sale", "B")},
        "excluded_bought": {"constraints": pl.DataFrame([goal], schema=night.constraints.schema)},
        "benchmark_bought": {"benchmark_asset_ids": ("B",)},
        "stale_traded": {"prices": night.prices.with_columns(pl.lit(True).alias("is_stale"))},
    }
    for rule, change in cases.items():
        found = {v.rule for v in check_guardrails(result, dataclasses.replace(night, **change))}
        assert rule in found, rule


def test_a_short_term_gain_under_the_mask_is_caught(hand_night, wanting) -> None:
    """The wish to avoid short-term gains appears after the orders were made."""
    night = hand_night([("a0", "A", "1", 50, 4900, RECENT)])
    result = recommend_night(night, targets_of=wanting(a0={}))
    masked = hand_night(
        [("a0", "A", "1", 50, 4900, RECENT)],
        constraints=[{"user_id": "u0", "avoid_short_term_gains": True}],
    )
    assert result.lot_orders["term"].to_list() == ["short"]
    assert {v.rule for v in check_guardrails(result, masked)} == {"short_term_gain"}
    # A cash need may take it, but not to buy something else with it.
    said = _portfolio(result, {"account_id": "a0"}, reason="involuntary sales, short-term gains last")
    assert check_guardrails(said, masked) == []
