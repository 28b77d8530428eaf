"""Point-in-time states: each equals a ledger of what was known at its close."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from ml.tax.ledger import LedgerInputs, LedgerResult, ledger_states, run_ledger

Build = Callable[..., LedgerInputs]
DAYS = [date(2022, 12, 20) + timedelta(days=n) for n in range(3)]
CLOSES = [datetime(d.year, d.month, d.day, 21, tzinfo=UTC) for d in DAYS]
STATES = pl.DataFrame({"state_date": DAYS, "close_at": CLOSES})


def many(build: Build) -> LedgerInputs:
    """Build five households, of which some trade, are corrected late or meet a split in the week."""
    rows: list[dict[str, Any]] = []
    for n in range(5):
        base = {"account_id": f"a{n}", "asset_id": "S" if n == 3 else "X"}
        rows.append(base | {"day": "2022-11-01", "kind": "buy", "quantity": 10, "amount_usd": -100 - n})
    rows += [
        {"account_id": "a1", "day": "2022-12-21", "kind": "sell", "quantity": 4, "amount_usd": 30},
        {"account_id": "a2", "day": "2022-11-01", "kind": "buy", "quantity": 10, "amount_usd": -90}
        | {"transaction_id": "t2", "known_at": CLOSES[1]},
    ]
    split = {"asset_id": "S", "kind": "split", "ex_date": DAYS[2], "ratio_new": 2, "ratio_old": 1}
    built = build(rows, accounts={f"a{n}": "taxable" for n in range(5)}, actions=[split])
    accounts = built.accounts.with_columns(household_id=pl.concat_str(pl.lit("h"), "account_id"))
    return replace(built, accounts=accounts)


def cut(built: LedgerInputs, close: datetime) -> LedgerInputs:
    return replace(
        built,
        transactions=built.transactions.filter(pl.col("known_at") <= close),
        corporate_actions=built.corporate_actions.filter(pl.col("known_at") <= close),
    )


def test_each_state_equals_a_ledger_of_its_own(inputs: Build) -> None:
    built = many(inputs)
    result = ledger_states(built, STATES)
    for day, close in zip(DAYS, CLOSES, strict=True):
        alone = run_ledger(cut(built, close), as_of_date=day)
        for name in ("open_lots", "account_cash"):
            got = getattr(result, name).filter(pl.col("state_date") == day).drop("as_of_date")
            assert got.equals(getattr(alone, name).drop("as_of_date")), (name, day)
    assert result.open_lots.get_column("as_of_date").unique().to_list() == [DAYS[-1]]
    last = run_ledger(cut(built, CLOSES[-1]), as_of_date=DAYS[-1])
    assert result.realized_gains.equals(last.realized_gains)
    assert result.tax_unit_years.equals(last.tax_unit_years)


def test_same_inputs_in_any_order_give_the_same_frames(inputs: Build) -> None:
    built = many(inputs)
    shuffled = replace(
        built,
        transactions=built.transactions.sample(fraction=1, shuffle=True, seed=3),
        accounts=built.accounts.reverse(),
    )
    first, second = ledger_states(built, STATES), ledger_states(shuffled, STATES)
    for name in LedgerResult.__slots__:
        assert getattr(first, name).equals(getattr(second, name)), name


def test_an_empty_night_and_a_stranger(inputs: Build) -> None:
    result = run_ledger(inputs([]), as_of_date=DAYS[0])
    assert result.open_lots.is_empty() and result.realized_gains.is_empty()
    assert result.account_cash.height == 1 and result.tax_unit_years.height == 1
    stray = inputs([{"day": "2022-01-03", "kind": "buy", "account_id": "Z", "quantity": 1}])
    issues = run_ledger(stray, as_of_date=DAYS[0]).issues
    assert issues.get_column("status").to_list() == ["unknown_account"]
    with pytest.raises(ValueError, match="state_dates is empty"):
        ledger_states(stray, STATES.head(0))
