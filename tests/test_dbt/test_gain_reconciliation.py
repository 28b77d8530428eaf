"""Every difference between a broker's realised gains and ours is named; the model's own SQL on small tables."""

import re
from pathlib import Path

import duckdb
import pytest

MODEL = Path(__file__).parents[2] / "dbt" / "models" / "marts" / "tax" / "tax_gain_reconciliation.sql"
# reported (level, quantity, proceeds, cost, gain); ours (quantity, proceeds, cost, gain, disallowed); fees; reason
CASES = {
    "equal": ([("sale", 10, 200, 150, 50)], [(10, 200, 150, 50, 0)], 1, "none"),
    "a_cent": ([("sale", 10, 200, 150, 50.01)], [(10, 200, 150, 50, 0)], 1, "rounding"),
    "cents_per_lot": (
        [("lot", 5, None, 75, 25.01), ("lot", 5, None, 75, 25.01)],
        [(5, 100, 75, 25, 0), (5, 100, 75, 25, 0)],
        1,
        "rounding",
    ),
    "wash_not_seen": ([("sale", 10, 100, 150, -50)], [(10, 100, 150, -50, 50)], 1, "wash_sale"),
    "wash_seen": ([("sale", 10, 100, 150, 0)], [(10, 100, 150, -50, 50)], 1, "wash_sale"),
    "unknown": ([("sale", 10, 200, 150, 50)], [(10, 200, None, None, 0)], 1, "unknown_basis"),
    "other_lot": ([("sale", 10, 200, 150, 50)], [(10, 200, 120, 80, 0)], 1, "lot_method"),
    "before_fees": ([("sale", 10, 207, 150, 57)], [(10, 200, 150, 50, 0)], 7, "fees"),
    "other_proceeds": ([("sale", 10, 220, 150, 70)], [(10, 200, 150, 50, 0)], 1, "proceeds"),
    "other_shares": ([("sale", 12, 240, 180, 60)], [(10, 200, 150, 50, 0)], 1, "quantity"),
    "not_ours": ([("sale", 10, 200, 150, 50)], [], 1, "not_in_ledger"),
    "whole_before_lots": (
        [("sale", 10, 200, 150, 50), ("lot", 10, None, 150, 99)],
        [(10, 200, 150, 50, 0)],
        1,
        "none",
    ),
    "no_reason": ([("sale", 10, 200, 150, 33)], [(10, 200, 150, 50, 0)], 1, "unexplained"),
}


@pytest.fixture(scope="module")
def reasons() -> dict[str, tuple[str, int]]:
    con = duckdb.connect()
    con.execute(
        "create table stg_brokerage__reported_gains (gain_id varchar, account_id varchar, asset_id varchar, "
        "trade_date date, level varchar, sale_transaction_id varchar, quantity decimal(24,9), "
        "proceeds_usd decimal(20,6), "
        "cost_basis_usd decimal(20,6), gain_usd decimal(20,6), source_file varchar, ingested_at timestamptz)"
    )
    con.execute(
        "create table stg_ml__realized_gains (as_of_date date, account_id varchar, sale_transaction_id varchar, "
        "quantity decimal(24,9), proceeds_usd decimal(20,6), cost_basis_usd decimal(20,6), gain_usd decimal(20,6), "
        "disallowed_usd decimal(20,6), recognized_usd decimal(20,6))"
    )
    con.execute("create table stg_brokerage__transactions (transaction_id varchar, fees_usd decimal(20,6))")
    for name, (reported, ours, fees, _) in CASES.items():
        for number, row in enumerate(reported):
            # the same gains in two files count once
            for file in ("a.xml", "b.xml"):
                cells = (f"{name}-{number}-{file}", "acct", "X", "2023-02-01", row[0], name, *row[1:], file)
                con.execute(
                    "insert into stg_brokerage__reported_gains values (?,?,?,?,?,?,?,?,?,?,?,'2024-01-01')",
                    cells,
                )
        for quantity, proceeds, cost, gain, disallowed in ours:
            recognized = None if gain is None else gain + disallowed
            for night in ("2023-06-01", "2023-06-02"):  # the newest night counts
                cells = (night, "acct", name, quantity, proceeds, cost, gain, disallowed, recognized)
                con.execute("insert into stg_ml__realized_gains values (?,?,?,?,?,?,?,?,?)", cells)
        con.execute("insert into stg_brokerage__transactions values (?, ?)", (name, fees))
    query = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", MODEL.read_text())
    rows = con.execute(f"select sale_transaction_id, difference_reason from ({query})").fetchall()
    return {name: (reason, sum(r[0] == name for r in rows)) for name, reason in rows}


@pytest.mark.parametrize("name", CASES)
def test_the_difference_is_named(name: str, reasons: dict[str, tuple[str, int]]) -> None:
    assert reasons[name] == (CASES[name][3], 1)
