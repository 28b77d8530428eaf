"""The compiled ledger over plain columns: order of rows, tables that grow, order of results."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ml.tax.bulk import BulkLedger, run_bulk, run_bulk_batches
from ml.tax.bulk import columns as c
from ml.tax.bulk.ordering import name_words, sorted_rows
from ml.tax.bulk.prepare import tabulate
from ml.tax.bulk.streams import arrange, tie_groups
from ml.tax.settings import TaxSettings
from ml.tax.units import to_day
from tests.test_ml.test_tax.test_bulk import random_ledger, renamed

QUICK = settings(deadline=None, max_examples=30)
AS_OF = date(2030, 1, 2)


def columns_of(seed: int, count: int = 60) -> BulkLedger:
    inputs, _ = random_ledger(seed, count, types=("taxable",))
    return tabulate(inputs, to_day(AS_OF), TaxSettings()).ledger


@QUICK
@given(st.lists(st.tuples(*(st.integers(0, 3) for _ in range(4))), max_size=40))
def test_rows_are_arranged_by_household_security_day_and_time(rows: list[tuple[int, int, int, int]]) -> None:
    account, asset, day, time = (np.array([r[i] for r in rows], np.int64) for i in range(4))
    accounts = np.zeros((4, 5), np.int64)
    accounts[:, c.A_HOUSEHOLD] = [0, 0, 1, 2]
    assets = np.zeros((4, 3), np.int64)
    assets[:, c.X_SECURITY] = [0, 1, 0, 2]
    asset = np.where(asset == 3, c.NONE, asset)
    order, starts, households, is_tied = arrange(
        account.astype(np.int32), asset.astype(np.int32), day.astype(np.int32), time, accounts, assets
    )
    kept = [i for i in range(len(rows)) if asset[i] >= 0]

    def stream(i: int) -> tuple[int, int]:
        return int(accounts[account[i], c.A_HOUSEHOLD]), int(assets[asset[i], c.X_SECURITY])

    assert order.tolist() == sorted(kept, key=lambda i: (*stream(i), day[i], time[i], i))
    streams = sorted({stream(i) for i in kept})
    assert households.tolist() == [household for household, _ in streams]
    assert starts.tolist() == [
        *(sum(stream(i) < s for i in kept) for s in streams),
        len(kept),
    ]
    keys = [(*stream(i), day[i], time[i]) for i in kept]
    assert is_tied == (len(set(keys)) < len(keys))
    groups = tie_groups(order, starts, day.astype(np.int32), time)
    assert [bool(g) for g in groups] == [
        keys.count((*stream(i), day[i], time[i])) > 1 for i in order.tolist()
    ]


@pytest.mark.parametrize("seed", [3, 4, 8])
def test_the_order_of_input_rows_does_not_matter(seed: int) -> None:
    ledger = columns_of(seed)
    # times of their own: equal ones keep the order of the input
    ledger = replace(ledger, time=np.arange(len(ledger.kind)), reference=np.empty(0, np.int32))
    shuffled = np.random.default_rng(seed).permutation(len(ledger.kind))
    names = (
        "kind",
        "flags",
        "day",
        "time",
        "account",
        "asset",
        "order",
        "quantity",
        "price",
        "amount",
        "fees",
    )
    other = replace(ledger, **{name: getattr(ledger, name)[shuffled] for name in names})
    one, two = ledger.run(), other.run()
    assert np.array_equal(one.pieces_wide, two.pieces_wide)
    assert np.array_equal(one.lots_wide, two.lots_wide)
    assert np.array_equal(one.pieces[c.Q_SALE], shuffled[two.pieces[c.Q_SALE]])


def test_tables_that_are_full_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = columns_of(11, 120)
    expected = ledger.run()
    monkeypatch.setattr("ml.tax.bulk.ledger.ROOM", 1)
    found = ledger.run()
    for name in (
        "lots",
        "lots_wide",
        "pieces",
        "pieces_wide",
        "matches",
        "matches_wide",
        "entries",
        "issues",
    ):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_no_rows_give_empty_books() -> None:
    none, narrow = np.empty(0, np.int64), np.empty(0, np.int32)
    ledger = BulkLedger(
        none.astype(np.int8), none.astype(np.int8), narrow, none, narrow, narrow, narrow,
        none, none, none, none, np.zeros((1, 5), np.int64), np.zeros((0, 3), np.int64),
    )  # fmt: skip
    books = ledger.run()
    assert books.lots.shape[1] == books.pieces.shape[1] == books.matches.shape[1] == 0
    assert books.reasons.tolist() == [0]


NAMES = st.lists(st.text("ab !01é", max_size=12), min_size=1, max_size=12, unique=True)


@settings(deadline=None, max_examples=60)
@given(NAMES, st.data())
def test_rows_are_sorted_as_their_texts(names: list[str], data: st.DataObject) -> None:
    number = st.integers(0, len(names) - 1)
    lots = st.tuples(number, st.sampled_from([0, 0, 1, 2, 10, 11]))
    rows = data.draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), number, lots), max_size=30))
    bucket, head, sale, lot = (
        [r[0] for r in rows],
        [r[1] for r in rows],
        [r[2] for r in rows],
        [r[3] for r in rows],
    )
    bytes_ = pl.Series(names).to_arrow()
    starts = np.frombuffer(bytes_.buffers()[1], np.int64, len(names) + 1)
    found = np.frombuffer("".join(names).encode() or b"\0", np.uint8)

    def narrow(values: list[int]) -> np.ndarray:
        return np.array(values, np.int32)

    zero = np.zeros(len(rows), np.int64)
    order = sorted_rows(
        narrow(bucket), 2, narrow(head), narrow(sale), narrow([x[0] for x in lot]), narrow([x[1] for x in lot]),
        (zero, zero, zero), narrow([0] * len(rows)), name_words(found, starts), found, starts,
    )  # fmt: skip

    def text(i: int) -> str:
        source, sub = lot[i]
        return f"{names[source]}#{sub}" if sub else names[source]

    expected = sorted(range(len(rows)), key=lambda i: (bucket[i], head[i], names[sale[i]], text(i), i))
    assert order.tolist() == expected


def test_batches_hold_the_rows_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [renamed(random_ledger(seed, 50)[0], seed) for seed in range(4)]
    inputs = replace(
        parts[0],
        # rows of several households among each other
        transactions=pl.concat([p.transactions for p in parts]).sample(fraction=1.0, shuffle=True, seed=7),
        accounts=pl.concat([p.accounts for p in parts]),
        users=pl.concat([p.users for p in parts]),
    )
    whole, report = run_bulk(inputs, as_of_date=AS_OF)
    monkeypatch.setattr("ml.tax.bulk.run.BATCH_ROWS", 60)
    batches = list(run_bulk_batches(inputs, as_of_date=AS_OF))
    assert len(batches) > 1
    assert sum(r.compiled + r.reference for _, r in batches) == report.compiled + report.reference == 4
    for name in ("open_lots", "realized_gains", "wash_sales"):
        found = pl.concat([getattr(result, name) for result, _ in batches])
        keys = [
            k for k in ("account_id", "asset_id", "sale_transaction_id", "lot_id", "piece_no") if k in found
        ]
        assert_frame_equal(found.sort(keys), getattr(whole, name).sort(keys))
