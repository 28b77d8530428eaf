"""Each suite passes sound rows and names the column of each kind of bad row."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest

from expectations.runner import run_suite
from expectations.suites import SUITES
from expectations.suites.features import BOUNDS, FLAG_FAMILIES, UNUSUAL
from ml.features.catalog import FEATURE_COLUMNS, FEATURES
from ml.types import EXPERTS, OBJECTIVES

NIGHT = date(2022, 1, 3)
CLOSE = datetime(2022, 1, 3, 21, tzinfo=UTC)
LATER = datetime(2022, 1, 4, 21, tzinfo=UTC)

Change = Callable[[pl.DataFrame], pl.DataFrame]


def put(column: str, *values) -> Change:
    """Replace a column by the values, one per row."""
    return lambda frame: frame.with_columns(pl.Series(column, values, dtype=frame.schema[column]))


def repeat_first_row(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, frame.head(1)])


def prices() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "as_of_date": [NIGHT] * 3,
            "asset_id": ["a1", "a2", "a3"],
            "price_usd": [10.0, 20.0, 30.0],
            "price_date": [NIGHT, NIGHT, date(2021, 12, 20)],
            "total_return_log": [0.01, None, None],
            "dollar_volume_usd": [1e6, None, None],
            "sessions_since_bar": [0, 0, 9],
            "is_stale": [False, False, True],
            "price_basis": ["as_traded", "accumulating", "as_traded"],
            "known_at": [CLOSE] * 3,
        }
    )


def daily_bars() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "asset_id": ["a1", "a2"],
            "trade_date": [NIGHT] * 2,
            "source": ["files"] * 2,
            "open": [10.0, None],
            "high": [11.0, None],
            "low": [9.0, None],
            "close": [10.5, None],
            "adjusted_close": [10.4, 5.0],
            "volume": [100.0, None],
            "known_at": [CLOSE] * 2,
        }
    )


def transactions() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "transaction_id": ["t1", "t2", "t3"],
            "account_id": ["acc"] * 3,
            "user_id": ["u"] * 3,
            "household_id": ["h"] * 3,
            "tax_unit_id": ["user:u"] * 3,
            "account_type": ["taxable"] * 3,
            "traded_at": [CLOSE] * 3,
            "trade_date": [NIGHT] * 3,
            "kind": ["deposit", "buy", "sell"],
            "asset_id": [None, "a1", "a1"],
            "quantity": [None, 10.0, 4.0],
            "price_usd": [None, 10.0, 11.0],
            "amount_usd": [1000.0, -101.0, 43.0],
            "fees_usd": [0.0, 1.0, 1.0],
            "known_at": [CLOSE] * 3,
        }
    )


def features() -> pl.DataFrame:
    def neutral(column: str) -> float:
        if column.startswith(FLAG_FAMILIES):
            return 0.0
        low, high = BOUNDS[column]
        return (
            0.0 if (low is None or low <= 0.0) and (high is None or high >= 0.0) else float(low or high or 0)
        )

    vector = {column: [neutral(column)] * 2 for column in FEATURE_COLUMNS}
    vector["class__equity"] = [1.0, 1.0]
    return pl.DataFrame(
        {"as_of_date": [NIGHT] * 2, "asset_id": ["a1", "a2"], "known_at": [CLOSE] * 2, **vector}
    )


def rec_portfolios() -> pl.DataFrame:
    def share(column: str, ok: float) -> dict:
        return {column: [ok, None]}

    mix = dict(zip(OBJECTIVES, (0.5, 0.1, 0.1, 0.1, 0.1, 0.1), strict=True))
    columns = {
        "as_of_date": [NIGHT] * 2,
        "account_id": ["acc", "none:u2"],
        "recommendation_id": ["r1", "r2"],
        "user_id": ["u1", "u2"],
        "household_id": ["h1", "h2"],
        "status": ["ok", "no_account"],
        "reason": [None, "the user has no account"],
    }
    for objective in OBJECTIVES:
        columns |= share(f"p_{objective}", mix[objective]) | share(f"revealed_{objective}", mix[objective])
    columns |= {"identified": [True, False], "confidence": [0.5, None], "stated_objective": [None, None]}
    for expert in EXPERTS:
        columns |= share(f"e_{expert}", 0.25)
    columns |= {"turnover_ratio": [0.1, None], "harvested_loss_usd": [10.0, None], "n_orders": [2, 0]}
    return pl.DataFrame(columns, schema_overrides={"stated_objective": pl.String})


def rec_target_weights() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "as_of_date": [NIGHT] * 4,
            "account_id": ["acc"] * 4,
            "asset_id": ["a1", "a2", "a3", "cash_usd"],
            "current_weight": [0.2, 0.5, 0.2, 0.1],
            "target_weight": [0.4, 0.3, 0.21, 0.09],
            "action": ["buy", "sell", "hold", "hold"],
            "quantity": [2.0, 3.0, 0.0, 0.0],
            "notional_usd": [20.0, 20.0, 0.0, 0.0],
            "reason_code": ["drift"] * 4,
        }
    )


def rec_lot_orders() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "as_of_date": [NIGHT] * 3,
            "account_id": ["acc"] * 3,
            "asset_id": ["a1", "a2", "a2"],
            "lot_id": ["new", "l1", "l2"],
            "quantity": [2.0, 1.0, 2.0],
            "term": ["none", "short", "long"],
            "gain_usd": [None, -5.0, 7.0],
            "tax_usd": [None, -1.0, 1.0],
            "wash_sale_state": ["clear", "clear", "clear"],
        }
    )


FRAMES = {
    f.__name__: f
    for f in (prices, daily_bars, transactions, features, rec_portfolios, rec_target_weights, rec_lot_orders)
}

# suite, what is done to the sound frame, column(s) that must be named, severity
BAD = [
    ("prices", put("price_usd", 10.0, 0.0, 30.0), "price_usd", "critical"),
    ("prices", put("price_usd", 10.0, None, 30.0), "price_usd", "critical"),
    ("prices", put("total_return_log", 3.5, None, None), "total_return_log", "critical"),
    ("prices", put("total_return_log", -0.8, None, None), "total_return_log", "warning"),
    ("prices", put("known_at", CLOSE, LATER, CLOSE), "is_known_by_cutoff", "critical"),
    ("prices", put("price_date", LATER.date(), NIGHT, NIGHT), "is_bar_not_later", "critical"),
    ("prices", put("is_stale", True, False, True), "is_stale_by_age", "critical"),
    ("prices", put("price_basis", "as_traded", "adjusted", "as_traded"), "price_basis", "critical"),
    ("prices", repeat_first_row, "as_of_date, asset_id", "critical"),
    ("prices", pl.DataFrame.clear, "", "critical"),
    ("daily_bars", put("high", 8.0, None), "is_high_not_below_low", "critical"),
    ("daily_bars", put("close", 12.0, None), "is_inside_range", "warning"),
    ("daily_bars", put("adjusted_close", 10.4, None), "has_a_price", "critical"),
    ("daily_bars", put("low", -1.0, None), "low", "critical"),
    ("daily_bars", put("volume", -1.0, None), "volume", "critical"),
    ("daily_bars", put("close", float("inf"), None), "is_finite", "critical"),
    (
        "daily_bars",
        put("known_at", CLOSE, datetime(2022, 1, 2, tzinfo=UTC)),
        "is_known_after_date",
        "critical",
    ),
    ("transactions", put("kind", "deposit", "buy", "swap"), "kind", "critical"),
    ("transactions", put("quantity", None, -10.0, 4.0), "quantity", "critical"),
    ("transactions", put("quantity", None, None, 4.0), "has_asset_and_quantity", "critical"),
    ("transactions", put("amount_usd", 1000.0, 101.0, 43.0), "is_cash_out", "warning"),
    ("transactions", put("amount_usd", 1000.0, -101.0, -43.0), "is_cash_in", "warning"),
    ("transactions", put("amount_usd", 1000.0, -10100.0, 43.0), "is_amount_explained", "warning"),
    ("transactions", put("fees_usd", 0.0, -1.0, 1.0), "fees_usd", "critical"),
    ("transactions", put("tax_unit_id", "user:u", None, "user:u"), "tax_unit_id", "critical"),
    ("transactions", put("known_at", CLOSE, LATER, CLOSE), "is_known_in_time", "critical"),
    ("transactions", repeat_first_row, "transaction_id, known_at", "critical"),
    ("transactions", pl.DataFrame.clear, "", "warning"),
    ("features", lambda f: f.drop("risk__skewness_126d"), "risk__skewness_126d", "errored"),
    ("features", lambda f: f.with_columns(extra__column=pl.lit(1.0)), None, "critical"),
    ("features", lambda f: f.select(*f.columns[:-2], f.columns[-1], f.columns[-2]), None, "critical"),
    ("features", put("class__equity", 1.0, 0.5), "class__equity", "critical"),
    ("features", put("class__equity", 1.0, 0.0), "class_flags", "critical"),
    ("features", put("class__reit", 1.0, 0.0), "class_flags", "critical"),
    ("features", put("risk__volatility_63d_ann", 0.2, None), "missing_features", "critical"),
    ("features", put("risk__volatility_63d_ann", 0.2, float("nan")), "missing_features", "critical"),
    ("features", put("risk__volatility_63d_ann", 0.2, float("inf")), "risk__volatility_63d_ann", "critical"),
    ("features", put("risk__volatility_63d_ann", 0.2, 4.0), "risk__volatility_63d_ann", "warning"),
    (
        "features",
        put("comovement__market_correlation_252d", 0.2, 1.01),
        "comovement__market_correlation_252d",
        "critical",
    ),
    (
        "features",
        put("lifecycle__imputed_share_ratio", 0.2, 1.5),
        "lifecycle__imputed_share_ratio",
        "critical",
    ),
    ("features", put("known_at", CLOSE, LATER), "is_known_by_cutoff", "critical"),
    ("features", repeat_first_row, "as_of_date, asset_id", "critical"),
    ("features", pl.DataFrame.clear, "", "critical"),
    ("rec_portfolios", put("status", "fine", "no_account"), "status", "critical"),
    ("rec_portfolios", put("p_long_term_gain", 0.2, None), "mix_sum", "critical"),
    ("rec_portfolios", put("p_long_term_gain", -0.1, None), "p_long_term_gain", "critical"),
    ("rec_portfolios", put("p_long_term_gain", None, None), "is_ok_complete", "critical"),
    ("rec_portfolios", put("revealed_long_term_gain", 0.2, None), "revealed_sum", "critical"),
    ("rec_portfolios", put("e_momentum", 0.3, None), "expert_sum", "critical"),
    ("rec_portfolios", put("confidence", 0.4, None), "is_confidence_largest", "critical"),
    ("rec_portfolios", put("reason", None, ""), "has_reason", "critical"),
    ("rec_portfolios", put("n_orders", 2, 1), "has_no_orders", "critical"),
    ("rec_portfolios", put("account_id", "acc", "acc2"), "is_status_of_account", "critical"),
    ("rec_portfolios", put("stated_objective", "get_rich", None), "stated_objective", "critical"),
    ("rec_portfolios", put("recommendation_id", "r1", "r1"), "recommendation_id", "critical"),
    ("rec_portfolios", put("turnover_ratio", 2.1, None), "turnover_ratio", "critical"),
    ("rec_portfolios", repeat_first_row, "as_of_date, account_id", "critical"),
    ("rec_target_weights", put("target_weight", 0.5, 0.3, 0.21, 0.09), "target_sum", "critical"),
    ("rec_target_weights", put("target_weight", 0.4, 0.3, 0.31, -0.01), "target_weight", "critical"),
    ("rec_target_weights", put("asset_id", "a1", "a2", "a3", "a4"), "cash_rows", "critical"),
    (
        "rec_target_weights",
        put("action", "sell", "sell", "hold", "hold"),
        "is_action_as_weights",
        "critical",
    ),
    ("rec_target_weights", put("action", "buy", "sell", "keep", "hold"), "action", "critical"),
    ("rec_target_weights", put("quantity", 0.0, 3.0, 0.0, 0.0), "is_trade_sized", "critical"),
    ("rec_target_weights", put("notional_usd", 20.0, 20.0, 5.0, 0.0), "is_hold_unsized", "critical"),
    ("rec_target_weights", put("reason_code", "drift", None, "drift", "drift"), "reason_code", "critical"),
    ("rec_lot_orders", put("quantity", 2.0, 0.0, 2.0), "quantity", "critical"),
    ("rec_lot_orders", put("term", "none", "medium", "long"), "term", "critical"),
    ("rec_lot_orders", put("term", "long", "short", "long"), "is_purchase_termless", "critical"),
    ("rec_lot_orders", put("wash_sale_state", "clear", "would_wash", "clear"), "is_loss_kept", "critical"),
    ("rec_lot_orders", put("wash_sale_state", "clear", "washed", "clear"), "wash_sale_state", "critical"),
    ("rec_lot_orders", repeat_first_row, "as_of_date, account_id, asset_id, lot_id", "critical"),
    ("rec_lot_orders", pl.DataFrame.clear, "", "warning"),
]


@pytest.mark.parametrize("name", list(FRAMES))
def test_sound_rows_pass(name):
    outcome = run_suite(name, FRAMES[name](), as_of_at=CLOSE)
    assert (outcome.failures, outcome.exceptions) == ((), ())
    assert outcome.status == "passed"


@pytest.mark.parametrize(
    ("name", "change", "column", "severity"), BAD, ids=[f"{b[0]}-{b[2]}-{i}" for i, b in enumerate(BAD)]
)
def test_bad_rows_are_named(name, change, column, severity, monkeypatch):
    judged = [e for e in SUITES[name].expectations if column is None or ", ".join(e.columns) == column]
    if severity != "errored":  # only what concerns the column: all of them together take minutes
        monkeypatch.setitem(SUITES, name, replace(SUITES[name], expectations=tuple(judged)))
    outcome = run_suite(name, change(FRAMES[name]()), as_of_at=CLOSE)
    if severity == "errored":
        assert outcome.status == "errored"
        assert any(column in error.column or column in error.message for error in outcome.exceptions)
        return
    assert outcome.status == "failed", outcome
    named = {(failure.column, failure.severity) for failure in outcome.failures}
    if column is None:  # a rule about the table's columns as a whole
        assert {f.expectation for f in outcome.failures} == {"expect_table_columns_to_match_ordered_list"}
    else:
        assert (column, severity) in named
    assert outcome.is_blocking == any(s == "critical" for _, s in named)


def test_without_a_cutoff_the_end_of_the_date_is_the_limit():
    assert run_suite("prices", prices()).status == "passed"
    late_evening = datetime(2022, 1, 3, 23, 59, tzinfo=UTC)
    assert run_suite("prices", put("known_at", CLOSE, late_evening, CLOSE)(prices())).status == "passed"
    assert run_suite("prices", put("known_at", CLOSE, LATER, CLOSE)(prices())).status == "failed"


def test_weights_rounded_to_nine_decimals_still_sum_to_one():
    n = 61
    names = [f"a{i:02d}" for i in range(n - 1)] + ["cash_usd"]
    weight = round(1 / n, 9)
    frame = pl.DataFrame(
        {
            "as_of_date": [NIGHT] * n,
            "account_id": ["acc"] * n,
            "asset_id": names,
            "current_weight": [weight] * n,
            "target_weight": [weight] * n,
            "action": ["hold"] * n,
            "quantity": [0.0] * n,
            "notional_usd": [0.0] * n,
            "reason_code": ["in_band"] * n,
        },
        schema_overrides={"target_weight": pl.Decimal(12, 9), "current_weight": pl.Decimal(12, 9)},
    )
    assert run_suite("rec_target_weights", frame).status == "passed"


def test_every_feature_column_has_bounds_and_no_bound_is_left_over():
    measures = {c for c in FEATURE_COLUMNS if not c.startswith(FLAG_FAMILIES)}
    assert set(BOUNDS) == measures
    assert set(UNUSUAL) <= measures


def test_the_catalogs_neutral_values_pass():
    neutral = {spec.column: [spec.neutral] * 2 for spec in FEATURES}
    frame = features().with_columns(**{c: pl.Series(v, dtype=pl.Float64) for c, v in neutral.items()})
    assert run_suite("features", frame, as_of_at=CLOSE).status == "passed"


def test_missing_features_are_named_row_by_row():
    frame = put("momentum__return_5d_log", None, 0.0)(put("risk__skewness_126d", None, None)(features()))
    (failure,) = run_suite("features", frame, as_of_at=CLOSE).failures
    assert failure.unexpected_count == 2
    named = {example["asset_id"]: example["missing_features"] for example in failure.examples}
    assert set(named["a1"].split(", ")) == {"risk__skewness_126d", "momentum__return_5d_log"}
    assert named["a2"] == "risk__skewness_126d"
