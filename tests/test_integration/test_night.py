"""Whole nights through the command line on the ``files`` source: the promises of the README.

One warehouse lives through four nights: a first, its rerun, one after bad rows, a late correction
and a new symbol arrived, and the replay of an earlier session.
"""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from ml.models import KINDS, packaged_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "tests" / "fixtures" / "files_demo"
KEYS = {
    "rec_portfolios": "account_id",
    "rec_target_weights": "account_id, asset_id",
    "rec_lot_orders": "account_id, asset_id, lot_id",
}
# Eighteen days after Ada's taxable account sold AAPL at a loss.
IRA_PURCHASE = "t-026,a-ada-ira,2022-07-05T15:00:00Z,buy,AAPL,3,141.50,-424.50,0,,,\n"
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


# The command as a user types it, with every phase cut down to seconds.
SMALL_TRAINING = """
import dataclasses, sys
import dagster_project.training
from ml.encoder import config as encoder
from ml.policy import config as policy
from ml.personalization import train as personalization
from dagster_project.cli import main

dagster_project.training.SIMULATED_MARKETS["quick"] = (1, 20, 3)
encoder.PROFILES["quick"] = dataclasses.replace(
    encoder.PROFILES["quick"], steps=30, warmup_steps=5, chronos_series=400, report_every=10, check_from=1000
)
policy.PROFILES["quick"] = dataclasses.replace(
    policy.PROFILES["quick"], ranges=2, universes_per_range=1, assets=8, weeks=8, universes=2, per_universe=6,
    warm_rounds=1, warm_steps=20, iterations=1, policy=policy.PolicyConfig(hidden=32, head_hidden=16),
)
personalization.PROFILES["quick"] = dataclasses.replace(
    personalization.PROFILES["quick"], users=60, held_out_users=40, assets=20, years=3
)
sys.argv = ["taxloom", *sys.argv[1:]]
main()
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    home, data = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("data") / "in"
    shutil.copytree(DEMO, data)
    with (data / "transactions.csv").open("a") as handle:
        handle.write(IRA_PURCHASE)
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


def test_the_tax_tables_agree_with_each_other(world: dict) -> None:
    """Form 8949 by box = Schedule D = year summary; gains = proceeds - basis + disallowed, per tax unit."""
    form = _rows(
        world["home"],
        "select tax_unit_id, tax_year, sum(gain_usd) as gain, sum(proceeds_usd - cost_basis_usd) "
        "+ sum(coalesce(adjustment_usd, 0)) as parts from tax.tax_form_8949 "
        "where as_of_date = '2022-12-28' group by all order by 1, 2",
    )
    assert {row["tax_unit_id"] for row in form} == {"household:h-lovelace", "user:u-cleo"}
    for row in form:
        where = (
            f"where as_of_date = '2022-12-28' and tax_unit_id = '{row['tax_unit_id']}' "
            f"and tax_year = {row['tax_year']}"
        )
        lines = _rows(world["home"], f"select line, gain_usd from tax.tax_schedule_d {where}")
        amount = {line["line"]: Decimal(line["gain_usd"]) for line in lines}
        boxes = sum(amount.get(line, Decimal(0)) for line in ("1b", "2", "3", "8b", "9", "10"))
        assert Decimal(row["gain"]) == Decimal(row["parts"]) == boxes
        (year,) = _rows(world["home"], f"select * from tax.tax_year_summary {where}")
        assert amount["7"] == Decimal(year["st_net_usd"])
        assert amount["15"] == Decimal(year["lt_net_usd"])
        assert amount["16"] == amount["7"] + amount["15"] == Decimal(year["net_usd"])
    assert amount["14"] == 0
    (joint,) = _rows(
        world["home"],
        "select lt_carryover_in_usd from tax.tax_year_summary where as_of_date = '2022-12-28' "
        "and tax_unit_id = 'household:h-lovelace' and tax_year = 2022",
    )
    assert Decimal(joint["lt_carryover_in_usd"]) == 1500


def test_an_ira_purchase_washes_a_taxable_loss_and_the_broker_does_not_see_it(world: dict) -> None:
    """25 shares sold at a loss: 10 replaced in the account, 3 in the IRA, 12 recognised."""
    washes = _rows(
        world["home"],
        "select replacement_account_id, quantity::integer as shares, permanently_disallowed_usd, basis_moved_usd "
        "from tax.tax_wash_sales where as_of_date = '2022-12-28' and sale_transaction_id like '%t-019%' order by 1",
    )
    assert [(row["replacement_account_id"], row["shares"]) for row in washes] == [
        ("a-ada-ira", "3"),
        ("a-ada-taxable", "10"),
    ]
    # (160.44 - 130.78) a share
    assert [row["permanently_disallowed_usd"] for row in washes] == ["88.980000", "0.000000"]
    assert [row["basis_moved_usd"] for row in washes] == ["0.000000", "296.600000"]
    (difference,) = _rows(
        world["home"], "select * from tax.tax_broker_differences where as_of_date = '2022-12-28'"
    )
    assert difference["difference_usd"] == "88.980000"
    assert "in a-ada-ira (roth ira) washed 88.98 USD" in difference["explanation"]


def test_show_tax_prints_the_whole_return(world: dict) -> None:
    shown = _taxloom(world["home"], "show", "u-ada", "--tax")
    assert shown.returncode == 0, shown.stderr
    for part in (
        "open lots of a-ada-ira (roth ira)",
        "Schedule D 2022 of household:h-lovelace",
        "year summary of household:h-lovelace",
        "wash sales: 2 pieces, 385.58 USD disallowed; 1 across accounts",
        "where the broker's form differs from the return: 1 lines",
        "Not tax or investment advice",
    ):
        assert part in shown.stdout, part
    assert max(map(len, shown.stdout.splitlines())) <= 120
    assert "…" not in shown.stdout
    unknown = _taxloom(world["home"], "show", "u-nobody", "--tax")
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


def test_every_dbt_model_shows_its_columns_their_lineage_and_its_rows(world: dict) -> None:
    import dagster as dg

    nodes = json.loads((ROOT / "dbt" / "target" / "manifest.json").read_text())["nodes"].values()
    with dg.DagsterInstance.from_config(str(Path(world["home"]) / "dagster")) as instance:
        for node in nodes:
            if node["resource_type"] != "model":
                continue
            event = instance.get_latest_materialization_event(dg.AssetKey([node["schema"], node["name"]]))
            assert event is not None, node["name"]
            assert event.asset_materialization is not None
            metadata = event.asset_materialization.metadata
            assert "dagster/column_schema" in metadata, node["name"]
            assert "column_lineage_error" not in metadata, (node["name"], metadata["column_lineage_error"])
            assert "dagster/column_lineage" in metadata, node["name"]
            is_view = node["config"]["materialized"] == "view"
            assert is_view or "dagster/row_count" in metadata, node["name"]


def test_every_table_that_python_writes_shows_its_columns_and_their_lineage(world: dict) -> None:
    import dagster as dg

    from dagster_project.python_lineage import python_lineage

    not_nightly = {"chronos_embeddings", "model_registry", "training_metrics", "trials", "backtest_results"}
    with dg.DagsterInstance.from_config(str(Path(world["home"]) / "dagster")) as instance:
        for table, columns in python_lineage().items():
            if table in not_nightly:
                continue
            event = instance.get_latest_materialization_event(dg.AssetKey(["ml", table]))
            assert event is not None, table
            assert event.asset_materialization is not None
            metadata = event.asset_materialization.metadata
            assert "dagster/column_schema" in metadata, table
            shown = metadata["dagster/column_lineage"].value
            assert set(shown.deps_by_column) == set(columns), table


def test_the_lineage_of_a_recommended_weight_reaches_raw_columns_without_a_gap(world: dict) -> None:
    """Along every way from the weight, step by step: a way ends in schema raw or at a named origin."""
    steps = _rows(
        world["home"],
        "select downstream_depth, downstream, upstream, kind, via, origin from audit.audit_column_ancestry "
        "where table_name = 'rec_target_weights__daily' and column_name = 'target_weight'",
    )
    sources: dict[str, set[str]] = {}
    depth: dict[str, int] = {}
    for step in steps:
        depth[step["downstream"]] = int(step["downstream_depth"])
        sources.setdefault(step["downstream"], set())
        if step["upstream"]:
            sources[step["downstream"]].add(step["upstream"])
        else:
            assert step["origin"], step
    weight = "serving.rec_target_weights__daily.target_weight"
    assert sources[weight] == {"staging.stg_ml__rec_target_weights.target_weight"}
    reached, waiting, ends = {weight}, [weight], set()
    while waiting:
        column = waiting.pop()
        if column.startswith("raw."):
            ends.add(column)
            continue
        assert column in sources, f"{column} is a source and is not explained"
        for source in sources[column] - reached:
            assert depth.get(source, 0) < depth[column], (column, source)
            reached.add(source)
            waiting.append(source)
    assert reached >= set(sources), "the view holds columns that no way leads to"
    for column in (
        "features.feat_asset_metadata__daily.momentum__return_21d_log",
        "ml.user_mixes.p_tax_loss_harvesting",
        "ml.tax_lots.cost_basis_usd",
    ):
        assert column in reached
    assert {
        "raw.market__daily_bars.adjusted_close",
        "raw.market__assets.asset_class",
        "raw.brokerage__transactions.quantity",
        "raw.brokerage__users.ordinary_taxable_income_usd",
        "raw.goals__statements.text",
    } <= ends


def test_lineage_is_whole_and_is_written_only_when_it_changes(world: dict) -> None:
    """Every column of every view and table that is served or computed has its rows; a rerun adds no commit."""
    unexplained = _rows(
        world["home"],
        "select table_schema || '.' || table_name || '.' || column_name as name from information_schema.columns "
        "where table_catalog = 'lake' and table_schema <> 'raw' and table_schema || '.' || table_name || '.' || "
        "column_name not in (select downstream_schema || '.' || downstream_table || '.' || downstream_column "
        "from audit.audit_column_lineage) "
        "and table_name not in ('federal_ordinary', 'federal_long_term', 'federal_limits', 'state_rates') order by 1",
    )
    assert unexplained == []
    commits = _rows(
        world["home"],
        "select count(*) as n from lake.snapshots() where commit_message like '%: column lineage'",
    )
    assert commits == [{"n": "1"}]


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


def test_models_are_trained_recorded_and_used_by_the_next_night(world: dict, tmp_path: Path) -> None:
    home = world["home"]
    assert {row["policy_id"] for row in world["first"]["rec_portfolios"] if row["status"] == "ok"} == {
        packaged_model("policy").model_id
    }, "the packaged policy decides until another is promoted"
    environment = {**os.environ, "TAXLOOM_HOME": str(home)}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-c", SMALL_TRAINING, "train"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "warm_start" in result.stderr, "no progress was shown"
    events = _rows(home, "select kind, event, model_id, location from ml.model_registry")
    assert {(row["kind"], row["event"]) for row in events} == {
        (kind, event) for kind in KINDS for event in ("trained", "promoted")
    }
    for row in events:
        assert (home / "artifacts" / row["location"] / "model.safetensors").exists()
    measured = _rows(home, "select kind, count(*) as n from ml.training_metrics group by kind")
    assert {row["kind"]: int(row["n"]) > 0 for row in measured} == dict.fromkeys(KINDS, True)
    listed = _taxloom(home, "models")
    trained = {row["kind"]: row["model_id"] for row in events}
    assert all(model_id[:12] in listed.stdout for model_id in trained.values()), listed.stdout

    demo = tmp_path / "in"
    shutil.copytree(DEMO, demo)
    _night(home, demo)
    night = _serving(home, "2022-12-28")
    assert {row["policy_id"] for row in night["rec_portfolios"] if row["status"] == "ok"} == {
        trained["policy"]
    }
    refused = _taxloom(home, "models", "--promote", packaged_model("encoder").model_id)
    assert refused.returncode == 1
    assert "taxloom train --phase policy" in refused.stderr
    adapter = _taxloom(home, "export-adapter", "u-ada", "--output", str(tmp_path / "adapter"))
    assert adapter.returncode == 0, adapter.stderr
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()


def test_a_bad_source_names_the_remedy(tmp_path: Path) -> None:
    result = _taxloom(tmp_path / "home", "nightly", "--source", "files", "--data", str(tmp_path))
    assert result.returncode == 1
    assert "accounts" in result.stderr


def test_a_day_without_a_session_names_the_nearest(tmp_path: Path) -> None:
    result = _taxloom(tmp_path / "home", "nightly", "--as-of", "2022-12-25")
    assert result.returncode == 1
    assert "2022-12-23" in result.stderr
