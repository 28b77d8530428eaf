"""Running positions: what ingestion quarantines as a sell beyond holdings."""

import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.tax.positions import sells_beyond_holdings

START = datetime(2020, 1, 2, 20, tzinfo=UTC)


def frame(rows: list[dict]) -> pl.DataFrame:
    """Build transactions in the raw contract's types; each row a day after the one before."""
    filled = []
    for number, row in enumerate(rows):
        at = row.pop("at", START + timedelta(days=number))
        base = {
            "transaction_id": f"t{number}",
            "account_id": "a1",
            "asset_id": "X",
            "ratio_new": None,
            "ratio_old": None,
            "related_asset_id": None,
            "source_file": "f.csv",
            "source_line": number,
        }
        filled.append(base | {"traded_at": at, "trade_date": at.date()} | row)
    schema = {
        "transaction_id": pl.String,
        "account_id": pl.String,
        "asset_id": pl.String,
        "kind": pl.String,
        "quantity": pl.Decimal(24, 9),
        "trade_date": pl.Date,
        "traded_at": pl.Datetime("us", "UTC"),
        "source_file": pl.String,
        "source_line": pl.Int64,
        "ratio_new": pl.Decimal(24, 9),
        "ratio_old": pl.Decimal(24, 9),
        "related_asset_id": pl.String,
    }
    return pl.DataFrame(filled, schema=schema)


def actions(*rows: dict) -> pl.DataFrame:
    """Build market corporate actions."""
    schema = {
        "asset_id": pl.String,
        "ex_date": pl.Date,
        "kind": pl.String,
        "ratio_new": pl.Decimal(24, 9),
        "ratio_old": pl.Decimal(24, 9),
        "new_asset_id": pl.String,
    }
    return pl.DataFrame(list(rows), schema=schema)


def test_a_quarantined_sell_does_not_count_later() -> None:
    rows = [
        {"kind": "buy", "quantity": Decimal(10)},
        {"kind": "sell", "quantity": Decimal("10.5")},
        {"kind": "sell", "quantity": Decimal(10)},
        {"kind": "sell", "quantity": Decimal("0.5")},
    ]
    result = sells_beyond_holdings(frame(rows), actions())
    assert result.rows() == [("t1", Decimal(10)), ("t3", Decimal(0))]
    assert result.schema["held_quantity"] == pl.Decimal(24, 9)


def test_order_is_time_then_file_order_not_row_order() -> None:
    rows = [
        {"kind": "sell", "quantity": Decimal(5), "at": START, "source_line": 2},
        {"kind": "buy", "quantity": Decimal(5), "at": START, "source_line": 1},
    ]
    assert sells_beyond_holdings(frame(rows), actions()).is_empty()


def test_market_split_counts_unless_the_account_has_its_own_row() -> None:
    split = {"asset_id": "X", "ex_date": date(2020, 1, 3), "kind": "split", "ratio_new": 2, "ratio_old": 1}
    rows = [{"kind": "buy", "quantity": Decimal(10)}, {"kind": "sell", "quantity": Decimal(20)}]
    assert sells_beyond_holdings(frame([dict(r) for r in rows]), actions(split)).is_empty()
    own = [rows[0], {"kind": "split", "quantity": Decimal(10)}, {"kind": "sell", "quantity": Decimal(21)}]
    result = sells_beyond_holdings(frame(own), actions(split))
    assert result.rows() == [("t2", Decimal(20))]


def test_reverse_split_merger_spin_off_and_renaming_move_positions() -> None:
    rows = [
        {"kind": "buy", "quantity": Decimal(100)},
        {"kind": "split", "quantity": None, "ratio_new": Decimal(1), "ratio_old": Decimal(10)},
        {"kind": "spin_off", "quantity": Decimal(4), "related_asset_id": "S"},
        {"kind": "sell", "asset_id": "S", "quantity": Decimal(4)},
        {"kind": "symbol_change", "quantity": None, "related_asset_id": "Y"},
        {"kind": "sell", "asset_id": "X", "quantity": Decimal(1)},
        {"kind": "merger", "asset_id": "Y", "quantity": Decimal(5), "related_asset_id": "Z"},
        {"kind": "sell", "asset_id": "Z", "quantity": Decimal(6)},
        {"kind": "transfer_out", "asset_id": "Z", "quantity": Decimal(5)},
    ]
    result = sells_beyond_holdings(frame(rows), actions())
    assert result.rows() == [("t5", Decimal(0)), ("t7", Decimal(5))]


def test_option_delivery_is_not_judged_and_a_late_correction_replaces_its_row() -> None:
    rows = [
        {"kind": "option_assignment", "quantity": Decimal(1)},
        {"kind": "sell", "quantity": Decimal(100)},
        {"kind": "buy", "asset_id": "Y", "quantity": Decimal(1), "transaction_id": "c"},
        {"kind": "buy", "asset_id": "Y", "quantity": Decimal(3), "transaction_id": "c"},
        {"kind": "sell", "asset_id": "Y", "quantity": Decimal(3)},
    ]
    data = frame(rows).with_columns(known_at=pl.Series([START + timedelta(days=i) for i in range(5)]))
    assert sells_beyond_holdings(data, actions()).is_empty()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("XY"), st.sampled_from(["buy", "sell"]), st.integers(1, 9)),
        max_size=25,
    )
)
def test_equals_a_row_by_row_oracle(trades: list[tuple[str, str, int]]) -> None:
    held = {"X": 0, "Y": 0}
    expected = []
    for number, (asset, kind, quantity) in enumerate(trades):
        if kind == "sell" and quantity > held[asset]:
            expected.append((f"t{number}", Decimal(held[asset])))
        else:
            held[asset] += quantity if kind == "buy" else -quantity
    rows = [{"asset_id": a, "kind": k, "quantity": Decimal(q)} for a, k, q in trades]
    assert sells_beyond_holdings(frame(rows), actions()).rows() == expected


def test_the_common_case_is_vectorised() -> None:
    count = 200_000
    half = count // 2
    numbers = pl.int_range(count, eager=True)
    data = pl.DataFrame({"n": numbers}).select(
        transaction_id=pl.format("t{}", "n"),
        account_id=pl.format("a{}", pl.col("n") % 500),
        asset_id=pl.format("s{}", pl.col("n") % 40),
        kind=pl.when(pl.col("n") < half).then(pl.lit("buy")).otherwise(pl.lit("sell")),
        quantity=pl.lit(Decimal(3)).cast(pl.Decimal(24, 9)),
        trade_date=pl.lit(date(2020, 1, 2)),
        traded_at=pl.lit(START),
        source_file=pl.lit("f"),
        source_line="n",
    )
    began = time.perf_counter()
    assert sells_beyond_holdings(data, actions()).is_empty()
    assert time.perf_counter() - began < 5  # measured well under 1 s; the margin is for busy machines
