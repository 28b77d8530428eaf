"""The compiled tax ledger against coinbasis (FIFO, no wash sales), and its growth to 20 million rows.

Ours is timed warm on one thread, from warehouse frames in memory to all result frames, wash sales on. The
peer's transactions are built before its clock starts; it is timed for validation and realised gains alone.
Where no wash sale has touched a symbol yet, both sides' gains must agree, or the run fails.
"""

import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

PAIR_ROWS, SYMBOLS, ACCOUNTS, YEARS = 100, 500, 4, 10
ROWS = PAIR_ROWS * SYMBOLS * ACCOUNTS
HOUSEHOLDS = 100
RISING = 50  # symbols that only rise: no loss, so no wash sale
FIRST_DAY, AS_OF = date(2012, 1, 2), date(2022, 2, 1)
REPEATS = 5
TARGET, GROWTH_TARGET = 50.0, 120.0
DAY_US = 86_400_000_000
# a piece's cost is rounded to 1e-6 USD where a lot is divided, at most once per sale of the lot
TOLERANCE_USD = PAIR_ROWS * 1e-6


def synthetic(households: int, seed: int) -> dict[str, pl.DataFrame]:
    """Build transactions (never beyond the holding, whole shares, cents) and what else the ledger reads."""
    rng = np.random.default_rng(seed)
    pairs = households * ACCOUNTS * SYMBOLS
    symbol = np.tile(np.arange(SYMBOLS), households * ACCOUNTS)
    account = np.repeat(np.arange(households * ACCOUNTS), SYMBOLS)
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
    return _frames(account, symbol, at, price, quantity, households)


def _frames(
    account: np.ndarray,
    symbol: np.ndarray,
    at: np.ndarray,
    price: np.ndarray,
    quantity: np.ndarray,
    households: int,
) -> dict[str, pl.DataFrame]:
    count = quantity.size
    cents = np.round(price * 100).astype(np.int64).ravel()
    shares = quantity.ravel()
    start = int(datetime.combine(FIRST_DAY, datetime.min.time(), UTC).timestamp() * 1e6)
    names = pl.Series([f"S{i:03d}" for i in range(SYMBOLS)])
    accounts = [f"H{i // ACCOUNTS:04d}-{i % ACCOUNTS}" for i in range(households * ACCOUNTS)]
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
        .with_row_index("n")
    )
    hundredth = pl.lit("0.01").cast(pl.Decimal(20, 6))
    transactions = rows.select(
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
    assert transactions.height == count
    types = ("taxable", "taxable", "taxable", "roth_ira")
    dim = pl.DataFrame(
        {
            "account_id": accounts,
            "user_id": [f"u{i // ACCOUNTS}" for i in range(len(accounts))],
            "household_id": [a[:5] for a in accounts],
            "tax_unit_id": [f"user:u{i // ACCOUNTS}" for i in range(len(accounts))],
            "account_type": [types[i % ACCOUNTS] for i in range(len(accounts))],
            "lot_method": ["fifo"] * len(accounts),
        }
    )
    assets = pl.DataFrame({"asset_id": names, "asset_class": "equity", "tax_treatment": "security"})
    return {"transactions": transactions, "accounts": dim, "assets": assets}


def _inputs(frames: dict[str, pl.DataFrame]) -> Any:
    from ml.tax.ledger import LedgerInputs

    empty = pl.DataFrame()
    return LedgerInputs(
        frames["transactions"], empty, frames["accounts"], empty, frames["assets"], pl.DataFrame()
    )


def _ours(households: int, repeats: int) -> tuple[Any, pl.DataFrame, dict[str, float]]:
    """Run the compiled ledger warm; return its result, the transactions and the figures."""
    from ml.tax.bulk import run_bulk

    run_bulk(_inputs(synthetic(1, 0)), as_of_date=AS_OF)  # compiles or loads
    inputs = _inputs(synthetic(households, 1))
    best, result = float("inf"), None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(repeats):
        result = None
        started = time.process_time()
        result, report = run_bulk(inputs, as_of_date=AS_OF)
        best = min(best, time.process_time() - started)
        if report.reference:
            raise RuntimeError(f"households left to the reference engine: {report.reasons}")
    assert result is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "seconds": best,
        "rows": float(inputs.transactions.height),
        "washes": float(result.wash_sales.height),
        "peak_gib": peak / 2**20,
        "inputs_gib": before / 2**20,
    }
    return result, inputs.transactions, figures


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
    if task == "growth":
        _, _, figures = _ours(HOUSEHOLDS, 1)
    else:
        result, transactions, figures = _ours(1, REPEATS)
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
    """Return a row against the peer and a row of the growth from 200 thousand to 20 million rows."""
    has_peer = importlib.util.find_spec("coinbasis") is not None
    small = _run_child("peer" if has_peer else "alone")
    large = _run_child("growth")
    rate = small["rows"] / small["seconds"]
    row = {
        "name": "ledger",
        "work": (
            f"tax ledger, {ROWS:,} transactions, {SYMBOLS} symbols, {ACCOUNTS} accounts, {YEARS} years, one"
            f" thread, CPU time, frames in memory to frames, {small['washes']:,.0f} wash sales"
        ),
        "unit": "transactions/s",
    }
    if has_peer:
        peer_rate = small["rows"] / small["peer_seconds"]
        row["work"] += f"; gains of {small['compared']:,.0f} sales compared"
        row |= {"ours": rate, "peer": "coinbasis", "peer_value": peer_rate, "ratio": rate / peer_rate}
    else:
        row["skipped"] = "coinbasis is not installed: uv run --group peers python -m tests.benchmarks ledger"
    growth = large["seconds"] / small["seconds"]
    return [
        row,
        {
            "name": "ledger",
            "work": (
                f"tax ledger, time for {large['rows'] / 1e6:.0f} million transactions over that for {ROWS:,}"
                f" (target at most {GROWTH_TARGET:.0f}); peak memory {large['peak_gib']:.1f} GiB, of which"
                f" before the run (frames and making them) {large['inputs_gib']:.1f} GiB"
            ),
            "ours": growth,
            "ratio": GROWTH_TARGET / growth,
            "unit": "times as long",
        },
    ]


if __name__ == "__main__":
    _child(sys.argv[1])
