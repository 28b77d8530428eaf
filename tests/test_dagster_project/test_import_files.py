"""``taxloom import``: the report, the exit status, what is written, and that names cannot do harm."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dagster_project.cli import app
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "brokerage"
KEYS = [
    "file", "format", "accounts", "rows", "accepted", "duplicate", "quarantined", "not_a_transaction", "refused",
    "kinds", "first_date", "last_date", "positions",
]  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TAXLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    return tmp_path / "home"


def _import(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def test_json_is_one_object_and_its_counts_sum() -> None:
    paths = sorted(FIXTURES.iterdir())
    result = _import(*paths, "--json", "--dry-run")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert list(report) == ["files"]
    assert [list(entry) for entry in report["files"]] == [KEYS] * len(paths)
    for entry in report["files"]:
        assert entry["refused"] is None
        outcomes = [entry[name] for name in ("accepted", "duplicate", "quarantined", "not_a_transaction")]
        assert sum(outcomes) == entry["rows"] > 0


def test_an_import_is_one_transaction_and_repeats_add_nothing(home: Path) -> None:
    first = json.loads(_import(FIXTURES / "ibkr_flex.xml", "--json").stdout)["files"][0]
    assert (first["rows"], first["accounts"]) == (53, ["U7654321", "U7654322"])
    assert (first["first_date"], first["last_date"]) == ("2023-01-03", "2023-05-19")
    warehouse = Warehouse(Settings.from_env())
    before = warehouse.snapshot_id()
    again = json.loads(_import(FIXTURES / "ibkr_flex.xml", "--json").stdout)["files"][0]
    assert (again["accepted"], again["duplicate"]) == (0, first["accepted"])
    assert again["kinds"] == first["kinds"]
    assert warehouse.snapshot_id() == before + 1
    counts = warehouse.read(
        "select table_name, count(*) as n from raw.ingestion_counts group by all order by all"
    )
    assert dict(counts.iter_rows())["brokerage__transactions"] == 2
    stored = warehouse.read(
        "select count(*) as n, count(distinct source) as s from raw.brokerage__transactions"
    )
    cancelled = 1  # a further version of the trade that it takes back
    assert stored.row(0) == (sum(first["kinds"].values()) + cancelled, 1)


def test_a_dry_run_writes_nothing(home: Path) -> None:
    result = _import(FIXTURES / "schwab.csv", "--dry-run")
    assert result.exit_code == 0
    assert "nothing was written" in result.stdout
    assert not (home / "warehouse").exists()


def test_a_refused_file_makes_the_status_1_and_leaves_the_others(tmp_path: Path) -> None:
    cut = tmp_path / "cut.xml"
    cut.write_bytes((FIXTURES / "ibkr_flex.xml").read_bytes()[:3000])
    result = _import(cut, FIXTURES / "schwab.csv", "--json")
    assert result.exit_code == 1
    entries = json.loads(result.stdout)["files"]
    assert entries[0]["refused"]
    assert entries[0]["rows"] == 0
    assert entries[1]["accepted"] == 49
    files = Warehouse(Settings.from_env()).read(
        "select distinct source_file from raw.brokerage__transactions"
    )
    assert files["source_file"].to_list() == ["schwab.csv"]


def test_the_table_says_what_was_written_and_what_comes_next() -> None:
    result = _import(FIXTURES / "schwab.csv", FIXTURES / "ibkr_flex.xml", "--account-type", "roth_ira")
    assert result.exit_code == 0, result.output
    for words in (
        "quarantined: schwab.csv: 1 unknown_action",
        "written: raw.",
        "snapshot",
        "taxloom nightly",
        "2023-01-03",
    ):
        assert words in result.stdout
    assert "BRCH on 2023-05-31: the file states 99, the transactions imply 16.75 (differs)" in result.stdout
    types = Warehouse(Settings.from_env()).read("select distinct account_type from raw.brokerage__accounts")
    assert types["account_type"].to_list() == ["roth_ira"]


def test_a_name_can_neither_escape_nor_style_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "[bold red]a\x1b[31m;$(touch x).csv"
    path.write_bytes((FIXTURES / "schwab.csv").read_bytes())
    result = _import(path, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.stdout
    entry = json.loads(_import(path, "--json").stdout)["files"][0]
    assert entry["file"].endswith("[bold red]a_[31m;$(touch x).csv")
    assert not (Path.cwd() / "x").exists()


def test_an_unknown_format_is_a_usage_error() -> None:
    result = _import(FIXTURES / "schwab.csv", "--format", "quicken")
    assert result.exit_code == 2
    assert "schwab_awards" in result.output
    assert "Exit status 1 if a file was refused" in " ".join(
        CliRunner().invoke(app, ["import", "--help"]).output.split()
    )
