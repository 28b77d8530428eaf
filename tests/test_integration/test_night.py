"""Whole nights through the command line on the ``files`` source: the promises of the README.

One warehouse lives through four nights: a first, its rerun, one after bad rows, a late correction
and a new symbol arrived, and the replay of an earlier session.
"""

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "tests" / "fixtures" / "files_demo"
KEYS = {
    "rec_portfolios": "account_id",
    "rec_target_weights": "account_id, asset_id",
    "rec_lot_orders": "account_id, asset_id, lot_id",
}
BAD_TRANSACTIONS = """\
b-01,a-ada-taxable,2022-12-01T15:00:00Z,buy,NOSUCH,1,10.00,-10.00,0,,,
b-02,a-ada-taxable,2022-12-01T15:00:00Z,sell,MSFT,100000,240.00,24000000.00,0,,,
b-03,a-ada-taxable,2022-12-01T15:00:00Z,buy,MSFT,ten,240.00,-2400.00,0,,,
b-04,a-ada-taxable,2099-12-01T15:00:00Z,buy,MSFT,1,240.00,-240.00,0,,,
b-05,a-nobody,2022-12-01T15:00:00Z,buy,MSFT,1,240.00,-240.00,0,,,
"""
BAD_BARS = """\
ACME,2022-12-21,30,31,29,-30.5,-30.5,1000
ACME,2022-12-22,30,29,31,30,30,1000
"""


def _taxloom(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAXLOOM_HOME": str(home)}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-m", "dagster_project.cli", *args]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _night(home: Path, data: Path, *args: str) -> str:
    result = _taxloom(home, "nightly", "--source", "files", "--data", str(data), *args)
    assert result.returncode == 0, result.stderr
    return result.stdout


def _rows(home: Path, query: str) -> list[dict[str, str]]:
    result = _taxloom(home, "sql", query, "--format", "csv")
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


def _serving(home: Path, night: str) -> dict[str, list[dict[str, str]]]:
    return {
        table: _rows(
            home, f"select * from serving.{table}__daily where as_of_date = '{night}' order by {key}"
        )
        for table, key in KEYS.items()
    }


def _add_rows(data: Path) -> None:
    """Bad rows, a late correction of one bar, and a symbol that nobody has seen."""
    bars = data / "bars.csv"
    lines = bars.read_text().splitlines()
    header = lines[0] + ",known_at"
    corrected = "ACME,2022-12-20,35,36,34,35.55,35.55,777,2022-12-27T12:00:00Z"
    acme = [line for line in lines[1:] if line.startswith("ACME")]
    new = [line.replace("ACME", "NEWCO") for line in acme[-90:]]
    bad = [line + "," for line in BAD_BARS.splitlines()]
    bars.write_text("\n".join([header, *(f"{line}," for line in [*lines[1:], *new]), corrected, *bad]) + "\n")
    with (data / "transactions.csv").open("a") as handle:
        handle.write(BAD_TRANSACTIONS)
    with (data / "goals.csv").open("a") as handle:
        handle.write(f'g-9,u-ben,2022-12-01,"{"growth " * 150_000}"\n')


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home, data = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("data") / "in"
    shutil.copytree(DEMO, data)
    first_output = _night(home, data)
    first = _serving(home, "2022-12-28")
    _night(home, data)
    second = _serving(home, "2022-12-28")
    price_before = _rows(
        home, "select * from core.fct_asset_prices__daily where asset_id = 'ACME' order by as_of_date"
    )
    _add_rows(data)
    _night(home, data)
    third = _serving(home, "2022-12-28")
    price_after = _rows(
        home, "select * from core.fct_asset_prices__daily where asset_id = 'ACME' order by as_of_date"
    )
    new_symbol = _rows(
        home,
        "select count(*) as n from features.feat_asset_metadata__daily "
        "where asset_id = 'NEWCO' and as_of_date = '2022-12-28'",
    )
    _night(home, data, "--as-of", "2022-12-22")
    return {
        "home": home,
        "output": first_output,
        "first": first,
        "second": second,
        "third": third,
        "price_before": price_before,
        "price_after": price_after,
        "new_symbol": new_symbol,
    }


def test_the_first_night_says_what_it_wrote_and_what_to_do_next(world: dict) -> None:
    assert "serving.rec_portfolios__daily" in world["output"]
    assert "Next:" in world["output"]
    assert "Not tax or investment advice" in world["output"]


def test_every_account_gets_a_recommendation(world: dict) -> None:
    accounts = {row["account_id"]: row["status"] for row in world["first"]["rec_portfolios"]}
    assert set(accounts) == {"a-ada-taxable", "a-ada-ira", "a-ben-taxable", "a-cleo-taxable"}
    assert set(accounts.values()) == {"ok"}


def test_a_rerun_is_byte_identical(world: dict) -> None:
    assert world["first"] == world["second"]


def test_weights_sum_to_one_exactly(world: dict) -> None:
    sums = _rows(
        world["home"],
        "select account_id, sum(target_weight) as total from serving.rec_target_weights__current group by account_id",
    )
    assert {row["total"] for row in sums} == {"1.000000000"}


def test_bad_rows_are_named_and_the_good_ones_load(world: dict) -> None:
    found = {
        (row["table_name"], row["reason"]): row
        for row in _rows(world["home"], "select * from raw.quarantine order by source_file, source_line")
    }
    for key in [
        ("brokerage__transactions", "unknown_symbol"),
        ("brokerage__transactions", "sell_beyond_holdings"),
        ("brokerage__transactions", "unparsable_number"),
        ("brokerage__transactions", "future_date"),
        ("brokerage__transactions", "unknown_account"),
        ("market__daily_bars", "negative_price"),
        ("market__daily_bars", "high_below_low"),
        ("goals__statements", "text_too_long"),
    ]:
        assert key in found, (key, sorted(found))
        assert found[key]["source_file"].endswith(".csv")
        assert int(found[key]["source_line"]) > 1
    assert len(world["third"]["rec_portfolios"]) == 4


def test_the_four_counts_sum_to_the_rows_read(world: dict) -> None:
    rows = _rows(
        world["home"],
        "select rows_read - accepted - duplicate - quarantined - not_a_transaction as rest from raw.ingestion_counts",
    )
    assert rows
    assert {row["rest"] for row in rows} == {"0"}


def test_a_new_symbol_is_in_features_and_recommendations_the_same_night(world: dict) -> None:
    assert world["new_symbol"] == [{"n": "1"}]
    assert "NEWCO" in {row["asset_id"] for row in world["third"]["rec_target_weights"]}


def test_a_late_correction_changes_no_earlier_session(world: dict) -> None:
    before = {row["as_of_date"]: row["price_usd"] for row in world["price_before"]}
    after = {row["as_of_date"]: row["price_usd"] for row in world["price_after"]}
    assert after["2022-12-20"] == before["2022-12-20"]
    versions = _rows(
        world["home"],
        "select close from raw.market__daily_bars "
        "where asset_id = 'ACME' and trade_date = '2022-12-20' order by known_at",
    )
    assert versions[-1]["close"] == "35.55"
    assert len(versions) == 2


def test_a_replay_sees_no_later_row(world: dict) -> None:
    replay = _serving(world["home"], "2022-12-22")
    assert len(replay["rec_portfolios"]) == 4
    lots = _rows(
        world["home"], "select max(acquired_date) as latest from ml.tax_lots where as_of_date = '2022-12-22'"
    )
    assert lots[0]["latest"] <= "2022-12-22"
    assert _serving(world["home"], "2022-12-28") == world["third"]


def test_show_explains_a_user_and_names_the_known_ones_otherwise(world: dict) -> None:
    shown = _taxloom(world["home"], "show", "u-ada")
    assert shown.returncode == 0, shown.stderr
    assert "a-ada-taxable" in shown.stdout
    unknown = _taxloom(world["home"], "show", "u-nobody")
    assert unknown.returncode == 1
    assert "u-ada" in unknown.stderr


def test_doctor_finds_the_home_in_order(world: dict) -> None:
    result = _taxloom(world["home"], "doctor")
    assert result.returncode == 0, result.stdout


def test_the_run_is_in_the_instance_that_the_ui_shows(world: dict) -> None:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(Path(world["home"]) / "dagster")) as instance:
        runs = instance.get_runs()
    assert {run.job_name for run in runs} == {"nightly_recommendations"}
    assert all(run.is_success for run in runs)


def test_commits_of_python_and_dbt_carry_run_ids(world: dict) -> None:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(Path(world["home"]) / "dagster")) as instance:
        run_ids = [run.run_id for run in instance.get_runs()]
    for author in ("taxloom", "dbt"):
        messages = _rows(
            world["home"],
            f"select commit_message from lake.snapshots() where author = '{author}' and commit_message <> 'bootstrap'",
        )
        assert messages
        for row in messages:
            assert any(run_id in row["commit_message"] for run_id in run_ids), (author, row)


def test_a_bad_source_names_the_remedy(tmp_path: Path) -> None:
    result = _taxloom(tmp_path / "home", "nightly", "--source", "files", "--data", str(tmp_path))
    assert result.returncode == 1
    assert "accounts" in result.stderr


def test_a_day_without_a_session_names_the_nearest(tmp_path: Path) -> None:
    result = _taxloom(tmp_path / "home", "nightly", "--as-of", "2022-12-25")
    assert result.returncode == 1
    assert "2022-12-23" in result.stderr
