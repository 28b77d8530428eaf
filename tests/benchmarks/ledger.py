"""The compiled tax ledger against coinbasis (FIFO, no wash sales), and its growth to 20 million rows.

Ours is timed warm on one thread with wash sales on, twice: the engine over columns (typed arrays to typed
arrays, putting the rows in order included), and from warehouse frames in memory to all result frames. The
peer's transactions are built before its clock starts; it is timed for validation and realised gains alone.
Where no wash sale has touched a symbol yet, both sides' gains must agree, or the run fails.

Growth is measured on the same work at both sizes: frames in memory, batches of whole households, each
batch's frames written to files before the next. All times are CPU time.
"""

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

PAIR_ROWS, SYMBOLS, ACCOUNTS, YEARS = 100, 500, 4, 10
ROWS = PAIR_ROWS * SYMBOLS * ACCOUNTS
HOUSEHOLDS = 100
RISING = 50  # symbols that only rise: no loss, so no wash sale
FIRST_DAY, AS_OF = date(2012, 1, 2), date(2022, 2, 1)
REPEATS = 5
SMALL_REPEATS = 9  # their median stands against the one long run, which no lucky moment shortens
GROWTH_TARGET = 120.0
DAY_US = 86_400_000_000
# a piece's cost is rounded to 1e-6 USD where a lot is divided, at most once per sale of the lot
TOLERANCE_USD = PAIR_ROWS * 1e-6


def synthetic(households: int, seed: int) -> dict[str, pl.DataFrame]:
    """Build transactions (never beyond the holding, whole shares, cents) and what else the ledger reads."""
    rng = np.random.default_rng(seed)
    transactions = pl.concat([_household(rng, i) for i in range(households)], rechunk=False)
    count = households * ACCOUNTS
    types = ("taxable", "taxable", "taxable", "roth_ira")
    accounts = pl.DataFrame(
        {
            "account_id": [f"H{i // ACCOUNTS:04d}-{i % ACCOUNTS}" for i in range(count)],
            "user_id": [f"u{i // ACCOUNTS}" for i in range(count)],
            "household_id": [f"H{i // ACCOUNTS:04d}" for i in range(count)],
            "tax_unit_id": [f"user:u{i // ACCOUNTS}" for i in range(count)],
            "account_type": [types[i % ACCOUNTS] for i in range(count)],
            "lot_method": ["fifo"] * count,
        }
    )
    names = [f"S{i:03d}" for i in range(SYMBOLS)]
    assets = pl.DataFrame({"asset_id": names, "asset_class": "equity", "tax_treatment": "security"})
    return {"transactions": transactions, "accounts": accounts, "assets": assets}


def _household(rng: np.random.Generator, number: int) -> pl.DataFrame:
    """Build the transactions of one household, by account and time."""
    pairs = ACCOUNTS * SYMBOLS
    symbol = np.tile(np.arange(SYMBOLS), ACCOUNTS)
    seconds = np.sort(rng.integers(0, YEARS * 365 * 23_400, (pairs, PAIR_ROWS)), axis=1)
    at = (seconds // 23_400) * 86_400 + 52_200 + seconds % 23_400
    trend = np.linspace(20.0, 60.0, PAIR_ROWS)
    noise = np.exp(0.1 * rng.standard_normal((pairs, PAIR_ROWS)))
    noise[symbol < RISING] = 1.0
    price = np.round(20.0 + (trend - 20.0) * noise, 2)
    # rising symbols rise with the clock, whichever account trades
    price[symbol < RISING] = np.round(20.0 + seconds[symbol < RISING] / (YEARS * 365 * 23_400) * 40.0, 2)
    held = np.zeros(pairs, np.int64)
    quantity = np.empty((pairs, PAIR_ROWS), np.int64)
    for step in range(PAIR_ROWS):
        bought = rng.integers(1, 100, pairs)
        sells = (rng.random(pairs) < 0.5) & (held > 0)
        quantity[:, step] = np.where(sells, -np.minimum(bought, held), bought)
        held += quantity[:, step]
    return _transactions(np.repeat(np.arange(ACCOUNTS), SYMBOLS), symbol, at, price, quantity, number)


def _transactions(
    account: np.ndarray,
    symbol: np.ndarray,
    at: np.ndarray,
    price: np.ndarray,
    quantity: np.ndarray,
    household: int,
) -> pl.DataFrame:
    cents = np.round(price * 100).astype(np.int64).ravel()
    shares = quantity.ravel()
    start = int(datetime.combine(FIRST_DAY, datetime.min.time(), UTC).timestamp() * 1e6)
    names = pl.Series([f"S{i:03d}" for i in range(SYMBOLS)])
    accounts = [f"H{household:04d}-{i}" for i in range(ACCOUNTS)]
    owner = np.repeat(account, PAIR_ROWS)
    rows = (
        pl.DataFrame(
            {
                "account_id": pl.Series(accounts).gather(owner),
                "asset_id": names.gather(np.repeat(symbol, PAIR_ROWS)),
                "kind": pl.Series(["buy", "sell"]).gather((shares < 0).astype(np.int64)),
                "traded_at": pl.Series(start + at.ravel() * 1_000_000).cast(pl.Datetime("us", "UTC")),
                "quantity": pl.Series(np.abs(shares)).cast(pl.Decimal(24, 9)),
                "cents": cents,
                "amount": -cents * shares,
                "owner": owner,
            }
        )
        .sort("owner", "traded_at", maintain_order=True)
        .with_row_index("n", offset=household * ROWS)
    )
    hundredth = pl.lit("0.01").cast(pl.Decimal(20, 6))
    return rows.select(
        pl.format("t{}", "n").alias("transaction_id"),
        "account_id",
        "kind",
        "asset_id",
        "quantity",
        (pl.col("cents").cast(pl.Decimal(20, 6)) * hundredth).cast(pl.Decimal(20, 6)).alias("price_usd"),
        (pl.col("amount").cast(pl.Decimal(20, 6)) * hundredth).cast(pl.Decimal(20, 6)).alias("amount_usd"),
        pl.lit(0).cast(pl.Decimal(20, 6)).alias("fees_usd"),
        pl.col("traded_at").dt.date().alias("trade_date"),
        "traded_at",
        pl.lit("synthetic").alias("source_file"),
        pl.col("n").cast(pl.Int64).alias("source_line"),
    )


def _inputs(frames: dict[str, pl.DataFrame]) -> Any:
    from ml.tax.ledger import LedgerInputs

    empty = pl.DataFrame()
    return LedgerInputs(
        frames["transactions"], empty, frames["accounts"], empty, frames["assets"], pl.DataFrame()
    )


def _ours(repeats: int) -> tuple[Any, pl.DataFrame, dict[str, float]]:
    """Run the compiled ledger warm on columns and on frames; return its result, rows and figures."""
    from ml.tax.bulk import run_bulk
    from ml.tax.bulk.prepare import tabulate
    from ml.tax.settings import TaxSettings
    from ml.tax.units import to_day

    run_bulk(_inputs(synthetic(1, 0)), as_of_date=AS_OF)  # compiles or loads
    inputs = _inputs(synthetic(1, 1))
    columns = tabulate(inputs, to_day(AS_OF), TaxSettings()).ledger
    engine, seconds, result = float("inf"), float("inf"), None
    for _ in range(repeats):
        started = time.process_time()
        books = columns.run()
        engine = min(engine, time.process_time() - started)
        if books.reasons.any():
            raise RuntimeError(f"households left to the reference engine: codes {books.reasons}")
        del books
        result = None
        started = time.process_time()
        result, report = run_bulk(inputs, as_of_date=AS_OF)
        seconds = min(seconds, time.process_time() - started)
        if report.reference:
            raise RuntimeError(f"households left to the reference engine: {report.reasons}")
    assert result is not None
    figures = {
        "engine_seconds": engine,
        "seconds": seconds,
        "rows": float(inputs.transactions.height),
        "washes": float(result.wash_sales.height),
    }
    return result, inputs.transactions, figures


def _growth(households: int) -> dict[str, float]:
    """Run batches of households, each batch's frames written before the next; return the figures."""
    from ml.tax.bulk import run_bulk, run_bulk_batches

    run_bulk(_inputs(synthetic(1, 0)), as_of_date=AS_OF)  # compiles or loads
    inputs = _inputs(synthetic(households, 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(SMALL_REPEATS if households == 1 else 1):
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            for number, (result, report) in enumerate(run_bulk_batches(inputs, as_of_date=AS_OF)):
                if report.reference:
                    raise RuntimeError(f"households left to the reference engine: {report.reasons}")
                for name in (f.name for f in fields(result)):
                    getattr(result, name).write_parquet(Path(folder, f"{name}-{number}"), compression="lz4")
                del result
            times.append(time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": statistics.median(times),
        "rows": float(inputs.transactions.height),
        "peak_gib": peak / 2**20,
        "inputs_gib": before / 2**20,
    }


def _peer(transactions: pl.DataFrame) -> tuple[list[Any], float]:
    """Run coinbasis on the same rows, oldest first; return its gains and seconds."""
    peer = importlib.import_module("coinbasis")
    zero = transactions.item(0, "fees_usd")
    rows = transactions.sort("traded_at", "source_line").select(
        "kind", "traded_at", "account_id", "asset_id", "quantity", "price_usd"
    )
    trades = [
        (peer.Buy if kind == "buy" else peer.Sell)(at, account, asset, quantity, price, zero)
        for kind, at, account, asset, quantity, price in rows.iter_rows()
    ]
    started = time.process_time()
    gains = peer.Portfolio.from_transactions(trades).realized_gains(peer.CostBasisMethod.FIFO)
    return gains, time.process_time() - started


def _compare(result: Any, transactions: pl.DataFrame, gains: list[Any]) -> int:
    """Compare gains sale by sale before the first wash sale of each symbol; return how many sales."""
    sold = transactions.select("transaction_id", "traded_at", "account_id", "asset_id")
    ours = (
        result.realized_gains.join(
            sold.select(pl.col("transaction_id").alias("sale_transaction_id"), "traded_at"),
            on="sale_transaction_id",
        )
        .group_by("account_id", "asset_id", "traded_at")
        .agg(pl.col("gain_usd").sum().cast(pl.Float64), pl.col("quantity").sum().cast(pl.Float64))
    )
    theirs = (
        pl.DataFrame(
            {
                "account_id": [g.wallet for g in gains],
                "asset_id": [g.asset for g in gains],
                "traded_at": pl.Series([g.disposed_at for g in gains]).cast(pl.Datetime("us", "UTC")),
                "peer_gain": [float(g.gain) for g in gains],
                "peer_quantity": [float(g.quantity) for g in gains],
            }
        )
        .group_by("account_id", "asset_id", "traded_at")
        .sum()
    )
    first_wash = result.wash_sales.group_by("asset_id").agg(pl.col("trade_date").min().alias("washed"))
    both = (
        ours.join(theirs, on=["account_id", "asset_id", "traded_at"], how="full", coalesce=True)
        .join(first_wash, on="asset_id", how="left")
        .filter(pl.col("washed").is_null() | (pl.col("traded_at").dt.date() < pl.col("washed")))
        # the peer has no notion of an account in which gains are not taxed
        .filter(~pl.col("account_id").str.ends_with(f"-{ACCOUNTS - 1}"))
    )
    wrong = both.filter(
        ~((pl.col("gain_usd") - pl.col("peer_gain")).abs() <= TOLERANCE_USD)
        | (pl.col("quantity") != pl.col("peer_quantity"))
        | pl.col("gain_usd").is_null()
        | pl.col("peer_gain").is_null()
    )
    if wrong.height or not both.height:
        raise RuntimeError(
            f"{wrong.height} of {both.height} sales differ from coinbasis before the first wash:"
            f" {wrong.head(3).to_dicts()}"
        )
    return both.height


def _child(task: str) -> None:
    if task.startswith("growth"):
        figures = _growth(HOUSEHOLDS if task == "growth-large" else 1)
    else:
        result, transactions, figures = _ours(REPEATS)
        if task == "peer":
            gains, seconds = _peer(transactions)
            figures |= {"peer_seconds": seconds, "compared": float(_compare(result, transactions, gains))}
    print(json.dumps(figures))


def _run_child(task: str) -> dict[str, float]:
    """Run a task in a process of its own with one thread; return its figures."""
    environment = os.environ | {"POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.benchmarks.ledger", task]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"benchmark ledger, task {task}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def run() -> list[dict[str, Any]]:
    """Return two rows against the peer and a row of the growth from 200 thousand to 20 million rows."""
    has_peer = importlib.util.find_spec("coinbasis") is not None
    found = _run_child("peer" if has_peer else "alone")
    what = (
        f"{ROWS:,} transactions, {SYMBOLS} symbols, {ACCOUNTS} accounts, {YEARS} years, one thread, CPU time"
    )
    forms = {
        "engine_seconds": "warm bulk engine, columns to columns",
        "seconds": "the same with frames in memory to all result frames",
    }
    rows = []
    for key, form in forms.items():
        row = {
            "name": "ledger",
            "work": f"tax ledger, {what}, {form}, {found['washes']:,.0f} wash sales",
            "unit": "transactions/s",
        }
        if has_peer:
            row["work"] += f"; gains of {found['compared']:,.0f} sales compared"
            ours, theirs = found["rows"] / found[key], found["rows"] / found["peer_seconds"]
            row |= {"ours": ours, "peer": "coinbasis", "peer_value": theirs, "ratio": ours / theirs}
        else:
            row["skipped"] = (
                "coinbasis is not installed: uv run --group peers python -m tests.benchmarks ledger"
            )
        rows.append(row)
    small, large = _run_child("growth-small"), _run_child("growth-large")
    growth = large["seconds"] / small["seconds"]
    rows.append(
        {
            "name": "ledger",
            "work": (
                f"tax ledger, CPU time for {large['rows'] / 1e6:.0f} million transactions over that for {ROWS:,}"
                f" (target at most {GROWTH_TARGET:.0f}), frames in memory to files by batches of households:"
                f" {large['seconds']:.1f} s over {small['seconds']:.2f} s; peak memory"
                f" {large['peak_gib']:.1f} GiB, of which before the run (frames and making them)"
                f" {large['inputs_gib']:.1f} GiB"
            ),
            "ours": growth,
            "ratio": GROWTH_TARGET / growth,
            "unit": "times as long",
        }
    )
    return rows


if __name__ == "__main__":
    _child(sys.argv[1])
