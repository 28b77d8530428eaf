"""``taxloom goal``: how a statement reaches the warehouse, and what a person is told."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.goal import SOURCE_FILE
from dagster_project.ml_tables import ml_ddl
from dagster_project.resources.warehouse import TableWrite, Warehouse
from dagster_project.settings import Settings
from dagster_project.sources.batches import Batch
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.ingest import ingest
from ml.intent.parse import parse_goals

TEXT = "Long-term growth over 10 years, but I need $5,000 by 15 March 2026. No tobacco."
AT = "2026-01-05"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A warehouse that knows one user, u1."""
    folder = tmp_path_factory.mktemp("home")
    warehouse = Warehouse(Settings(folder, None, folder / "warehouse" / "data", "1GB"))
    warehouse.bootstrap([*(contract.ddl() for contract in RAW_TABLES.values()), *ml_ddl()])
    users = pl.DataFrame({"source_line": [2], "user_id": ["u1"], "filing_status": ["single"]})
    now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    batch = Batch("brokerage__users", "files", "users.csv", users, is_text=True)
    found = ingest([batch], run_id="r", as_of_date=now.date(), ingested_at=now, today=now.date())
    assert found.accepted["brokerage__users"].height == 1
    warehouse.write("r", [TableWrite("raw.brokerage__users", found.accepted["brokerage__users"])], "users")
    return folder


@pytest.fixture
def run(home, monkeypatch):
    monkeypatch.setenv("TAXLOOM_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("TAXLOOM_INTENT_URL", "TAXLOOM_INTENT_KEY", "TAXLOOM_CATALOG", "TAXLOOM_DATA_PATH"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["goal", *arguments])


def stored(home, table="goals__statements"):
    return Warehouse(Settings(home, None, home / "warehouse" / "data", "1GB")).read(
        f"select * from raw.{table} where source_file = ? order by all", [SOURCE_FILE]
    )


def test_a_dry_run_prints_and_records_nothing(run, home):
    before = stored(home).height
    result = run("u1", TEXT, "--stated-at", AT, "--dry-run")
    assert result.exit_code == 0, result.output
    for word in (
        "long_term_gain",
        "108 to 132 months",
        "5,000.00 USD",
        "2026-03-15",
        "Tobacco",
        "Nothing was recorded",
    ):
        assert word in result.output
    assert stored(home).height == before


def test_a_statement_is_recorded_as_the_commands_and_read_as_printed(run, home):
    result = run("u1", TEXT, "--stated-at", AT)
    assert result.exit_code == 0, result.output
    row = stored(home).row(0, named=True)
    assert (row["user_id"], row["text"], row["source_file"], row["source_line"]) == (
        "u1",
        TEXT,
        SOURCE_FILE,
        1,
    )
    assert row["statement_id"] in result.output
    assert row["known_at"] == row["stated_at"]
    assert row["stated_at"].date() == dt.date(2026, 1, 5)  # that session's close
    parsed = parse_goals(stored(home).select("statement_id", "user_id", "stated_at", "text")).row(
        0, named=True
    )
    assert (parsed["objective"], str(parsed["liquidity_to"])) == ("long_term_gain", "2026-03-15")
    counts = stored(home, "ingestion_counts")
    assert counts["accepted"].sum() == 1

    again = run("u1", TEXT, "--stated-at", AT)
    assert again.exit_code == 1
    assert "recorded already" in again.stderr
    assert stored(home).height == 1

    other = run("u1", "Keep it safe.", "--stated-at", "2026-01-06T15:30:00Z")
    assert other.exit_code == 0, other.output
    assert sorted(stored(home)["source_line"].to_list()) == [1, 2]


def test_an_unknown_user_is_an_error_that_names_known_ones(run, home):
    before = stored(home).height
    result = run("nobody[/]", "grow")
    assert result.exit_code == 1
    assert "'nobody[/]'" in result.stderr and "u1" in result.stderr
    assert stored(home).height == before


@pytest.mark.parametrize(
    ("text", "stated_at", "reason"),
    [
        ("grow", "2044-01-01", "future_date"),
        ("x" * 10_001, AT, "text_too_long"),
        ("", AT, "raw.quarantine"),
    ],
)
def test_what_the_contract_refuses_lies_in_the_quarantine(run, home, text, stated_at, reason):
    kept, aside = stored(home).height, stored(home, "quarantine").height
    result = run("u1", text, "--stated-at", stated_at)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert (stored(home).height, stored(home, "quarantine").height) == (kept, aside + 1)


@pytest.mark.parametrize("stated_at", ["yesterday", "2026-02-30", "20260-1-1", ""])
def test_a_time_that_is_none_is_named(run, stated_at):
    result = run("u1", "grow", "--stated-at", stated_at)
    assert result.exit_code == 1
    assert "--stated-at" in result.stderr


def test_text_is_data_on_the_screen_and_in_the_table(run, home):
    hostile = "[bold red]x[/] '); drop table raw.goals__statements; -- keep my money safe"
    result = run("u1", hostile, "--stated-at", "2026-01-07")
    assert result.exit_code == 0, result.output
    assert "[bold red]x[/]" in result.output
    assert hostile in stored(home)["text"].to_list()
