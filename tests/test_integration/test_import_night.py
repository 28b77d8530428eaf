"""Brokers' files through the command line, then a night: imported accounts are recommended to like any other."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "tests" / "fixtures" / "files_demo"
FLEX = """<FlexQueryResponse><FlexStatements count="1"><FlexStatement accountId="U1000001"><Trades>
<Trade accountId="U1000001" currency="USD" assetCategory="STK" symbol="AAPL" conid="1" tradeID="1" dateTime="20211203;103107" quantity="20" tradePrice="160" proceeds="-3200" netCash="-3201" ibCommission="-1" buySell="BUY" openCloseIndicator="O"/>
<Trade accountId="U1000001" currency="USD" assetCategory="STK" symbol="AAPL" conid="1" tradeID="2" dateTime="20220510;103107" quantity="-5" tradePrice="150" proceeds="750" netCash="749" ibCommission="-1" buySell="SELL" openCloseIndicator="C" cost="-800.25" fifoPnlRealized="-51.25"/>
<Trade accountId="U1000001" currency="USD" assetCategory="STK" symbol="AAPL" conid="1" tradeID="3" dateTime="20220610;103107" quantity="-5" tradePrice="140" proceeds="700" netCash="699" ibCommission="-1" buySell="SELL" openCloseIndicator="C" cost="-790" fifoPnlRealized="-91"/>
<Trade accountId="U1000001" currency="USD" assetCategory="STK" symbol="MSFT" conid="2" tradeID="4" dateTime="20220610;103107" quantity="-1" tradePrice="250" proceeds="250" netCash="249" ibCommission="-1" buySell="SELL" openCloseIndicator="C" cost="-200" fifoPnlRealized="49"/>
</Trades><CashTransactions>
<CashTransaction accountId="U1000001" currency="USD" dateTime="20211202" amount="8000" type="Deposits/Withdrawals" transactionID="9"/>
</CashTransactions><OpenPositions>
<OpenPosition accountId="U1000001" currency="USD" assetCategory="STK" symbol="AAPL" conid="1" reportDate="20220630" position="10" markPrice="140" levelOfDetail="SUMMARY"/>
</OpenPositions></FlexStatement></FlexStatements></FlexQueryResponse>
"""  # noqa: E501
SCHWAB = """Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount
12/02/2021,MoneyLink Deposit,,Tfr BANK,,,,$5000.00
12/03/2021,Buy,MSFT,MICROSOFT,5,$318.00,,-$1590.00
01/05/2022,Journaled Shares,AAPL,APPLE,10,,,
"""


def _taxloom(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAXLOOM_HOME": str(home)}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-m", "dagster_project.cli", *args]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def _rows(home: Path, query: str) -> list[dict[str, str]]:
    result = _taxloom(home, "sql", query, "--format", "csv")
    assert result.returncode == 0, result.stderr
    return list(csv.DictReader(io.StringIO(result.stdout)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home, data = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("in")
    flex, schwab, broken = data / "flex.xml", data / "Individual_XXX123_Transactions.csv", data / "cut.xml"
    flex.write_text(FLEX)
    schwab.write_text(SCHWAB)
    broken.write_text(FLEX[:500])
    dry = _taxloom(home, "import", str(flex), "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert not (home / "warehouse").exists(), "a dry run writes nothing"
    first = _taxloom(home, "import", str(flex), str(schwab), str(broken), "--json")
    assert first.returncode == 1, "a file was refused"
    report = json.loads(first.stdout)
    assert [entry["refused"] is None for entry in report["files"]] == [True, True, False]
    assert [entry["accepted"] for entry in report["files"]] == [5, 3, 0]
    night = _taxloom(home, "nightly", "--source", "files", "--data", str(DEMO))
    assert night.returncode == 0, night.stderr
    return home


def test_imported_accounts_take_part_in_the_night(home: Path) -> None:
    rows = _rows(home, "select account_id, status, n_orders from serving.rec_portfolios__current")
    status = {row["account_id"]: row["status"] for row in rows}
    assert {"a-ada-taxable", "U1000001", "schwab-123"} <= set(status)
    assert status["U1000001"] == "ok"
    assert status["schwab-123"] == "hold_unknown_basis", "journaled shares came without a basis"


def test_lots_of_the_imported_account(home: Path) -> None:
    lots = _rows(
        home,
        "select asset_id, quantity, is_basis_known from tax.tax_lots__daily where account_id = 'U1000001'",
    )
    assert [(lot["asset_id"], lot["quantity"], lot["is_basis_known"]) for lot in lots] == [
        ("AAPL", "10.000000000", "true")
    ]


def test_every_difference_to_the_broker_is_named(home: Path) -> None:
    rows = _rows(
        home,
        "select reported_gain_usd as theirs, our_gain_usd as ours, difference_reason as reason "
        "from tax.tax_gain_reconciliation order by sale_transaction_id",
    )
    assert [(float(row["theirs"]), row["ours"] and float(row["ours"]), row["reason"]) for row in rows] == [
        (-51.25, -51.25, "none"),
        (-91.0, -101.25, "lot_method"),
        (49.0, "", "unknown_basis"),
    ]
    positions = _rows(home, "select asset_id, state from tax.tax_position_reconciliation")
    assert positions == [{"asset_id": "AAPL", "state": "matched"}]
