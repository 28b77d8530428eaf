"""Overlapping exports, files of two formats, cancellations, and files that come in another order or encoding."""

import datetime as dt
import json
from decimal import Decimal as D
from pathlib import Path

import polars as pl
import pytest

from dagster_project.sources.brokerage.load import Options
from dagster_project.sources.brokerage.reading import read_file
from tests.test_dagster_project.test_sources.test_brokerage.conftest import FIXTURES, Lake, counts

NAMES = sorted(path.name for path in FIXTURES.iterdir())
SCHWAB = "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount\n"
ROWS = (
    "01/03/2023,Wire Received,,WIRE,,,,$9000.00\n",
    "01/04/2023,Buy,ALDR,ALDER,10,$20.00,,-$200.00\n",
    "01/04/2023,Buy,ALDR,ALDER,10,$20.00,,-$200.00\n",
    "01/05/2023,Sell,ALDR,ALDER,5,$21.00,$1.00,$104.00\n",
    "01/06/2023,Buy,BRCH,BIRCH,1,$30.00,,-$30.00\n",
)


def _write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", NAMES)
def test_reading_a_file_again_adds_nothing(name: str, lake: Lake, put) -> None:
    first = put(name)
    stored = {table: frame.height for table, frame in lake.frames.items() if table != "quarantine"}
    again = put(name)
    assert {table: frame.height for table, frame in lake.frames.items() if table != "quarantine"} == stored
    expected = counts(first)
    expected["duplicate"] += expected.pop("accepted", 0)
    assert counts(again) == expected


def test_overlapping_exports_in_either_order_add_each_row_once(tmp_path: Path) -> None:
    early = _write(tmp_path / "a.csv", SCHWAB + "".join(ROWS[:4]))
    # The later export starts in the middle, lists the newest first, and writes its cells in another way.
    late_text = SCHWAB + "".join(reversed(ROWS[1:])).replace("$20.00", "20.00").replace(
        "-$200.00", '"($200.00)"'
    )
    late = _write(tmp_path / "b.csv", late_text)
    tables = []
    for order in ((early, late), (late, early)):
        lake = Lake({})
        for path in order:
            lake.put([read_file(path)])
        assert len(lake.rows()) == 5
        tables.append(
            sorted((r["transaction_id"], r["kind"], r["quantity"], r["amount_usd"]) for r in lake.rows())
        )
    assert tables[0] == tables[1]


def test_two_files_of_one_import_overlap_as_well(tmp_path: Path, lake: Lake) -> None:
    paths = [
        _write(tmp_path / "a.csv", SCHWAB + "".join(ROWS[:4])),
        _write(tmp_path / "b.csv", SCHWAB + "".join(ROWS[1:])),
    ]
    loaded = lake.put([read_file(path) for path in paths])
    assert counts(loaded, 0) == {"accepted": 4}
    assert counts(loaded, 1) == {"duplicate": 3, "accepted": 1}


def test_the_same_trade_in_two_formats_of_one_account_counts_once(tmp_path: Path, lake: Lake) -> None:
    csv = (
        "ClientAccountID,CurrencyPrimary,AssetClass,Symbol,ISIN,TradeID,DateTime,Quantity,TradePrice,NetCash,Buy/Sell,"
        "LevelOfDetail,IBCommission\n"
        "U1,USD,STK,ALDR,US1111111117,9,20230104;103000,10,20,-200,BUY,EXECUTION,0\n"
        "U1,USD,STK,ALDR,US1111111117,10,20230105;103000,10,20,-200,BUY,EXECUTION,0\n"
    )
    flex = (
        '<FlexQueryResponse><FlexStatements count="1"><FlexStatement accountId="U1"><Trades>'
        '<Trade accountId="U1" currency="USD" assetCategory="STK" symbol="ALDR" isin="US1111111117" tradeID="9" '
        'dateTime="20230104;103000" quantity="10" tradePrice="20" netCash="-200" buySell="BUY"/>'
        "</Trades></FlexStatement></FlexStatements></FlexQueryResponse>"
    )
    lake.put([read_file(_write(tmp_path / "a.xml", flex))])
    loaded = lake.put([read_file(_write(tmp_path / "b.csv", csv))])
    assert counts(loaded) == {"duplicate": 1, "accepted": 1}
    assert loaded.files[0].other_format == 1


def test_an_identifier_that_names_several_rows_names_none(tmp_path: Path, lake: Lake) -> None:
    rows = [
        {
            "id": "masked",
            "account_id": "a",
            "activity_type": "CSD",
            "date": "2023-01-03",
            "net_amount": amount,
        }
        for amount in ("1", "2", "2")
    ]
    path = _write(tmp_path / "x.json", json.dumps(rows))
    assert counts(lake.put([read_file(path)])) == {"accepted": 3}
    assert counts(lake.put([read_file(path)])) == {"duplicate": 3}


def test_an_identifier_that_says_something_else_later_is_quarantined(tmp_path: Path, lake: Lake) -> None:
    row = {"id": "one", "account_id": "a", "activity_type": "CSD", "date": "2023-01-03", "net_amount": "1"}
    lake.put([read_file(_write(tmp_path / "x.json", json.dumps([row])))])
    other = _write(tmp_path / "y.json", json.dumps([row | {"net_amount": "3"}]))
    assert counts(lake.put([read_file(other)])) == {"quarantined": 1}
    assert lake.frames["quarantine"]["reason"].to_list() == ["conflicting_duplicate"]


def test_a_cancellation_reaches_a_trade_of_an_earlier_import(tmp_path: Path, lake: Lake) -> None:
    lake.put([read_file(_write(tmp_path / "a.csv", SCHWAB + ROWS[4]))])
    cancel = _write(tmp_path / "b.csv", SCHWAB + "01/09/2023,Cancel Buy,BRCH,BIRCH,1,$30.00,,$30.00\n")
    assert counts(lake.put([read_file(cancel)])) == {"accepted": 1}
    assert counts(lake.put([read_file(cancel)])) == {"duplicate": 1}
    versions = lake.rows()
    assert [v["kind"] for v in versions if v["transaction_id"] == versions[0]["transaction_id"]] == [
        "buy",
        "journal",
    ]


def test_a_cancellation_of_nothing_is_quarantined(tmp_path: Path, lake: Lake) -> None:
    path = _write(tmp_path / "b.csv", SCHWAB + "01/09/2023,Cancel Buy,BRCH,BIRCH,1,$30.00,,$30.00\n")
    assert counts(lake.put([read_file(path)])) == {"quarantined": 1}
    assert lake.frames["quarantine"]["reason"].to_list() == ["cancel_without_original"]


def test_a_negative_capital_distribution_takes_the_positive_one_back(tmp_path: Path, lake: Lake) -> None:
    row = (
        '<CashTransaction accountId="U1" currency="USD" symbol="ALDR" dateTime="20230331" reportDate="{day}" '
        'amount="{amount}" '
        'type="Dividends" description="ALDR (Return of Capital)" transactionID="{n}"/>'
    )
    text = "".join(row.format(day=d, amount=a, n=n) for d, a, n in (("20230331", 3, 1), ("20230403", -3, 2)))
    path = _write(
        tmp_path / "a.xml",
        f'<FlexQueryResponse><FlexStatements><FlexStatement accountId="U1"><CashTransactions>{text}'
        "</CashTransactions></FlexStatement></FlexStatements></FlexQueryResponse>",
    )
    assert counts(lake.put([read_file(path)])) == {"accepted": 2}
    assert [r["kind"] for r in lake.rows()] == ["return_of_capital", "journal"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize(
    "name", ["schwab.csv", "ibkr_flex.xml", "ofx_investment.ofx", "alpaca.json", "vanguard.csv"]
)
def test_encodings_do_not_change_what_is_read(
    name: str, encoding: str, tmp_path: Path, lake: Lake, put
) -> None:
    put(name)
    path = _write(tmp_path / name, (FIXTURES / name).read_text(), encoding)
    again = lake.put([read_file(path)])
    assert "accepted" not in counts(again)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
@pytest.mark.parametrize("name", ["schwab.csv", "robinhood.csv", "fidelity_History_X12345678.csv"])
def test_line_ends_do_not_change_what_is_read(name: str, end: str, tmp_path: Path, lake: Lake, put) -> None:
    put(name)
    again = lake.put([read_file(_write(tmp_path / name, (FIXTURES / name).read_text().replace("\n", end)))])
    assert "accepted" not in counts(again)


def test_headers_may_come_in_another_order_and_case(tmp_path: Path, lake: Lake) -> None:
    lake.put([read_file(_write(tmp_path / "a.csv", SCHWAB + "".join(ROWS)))])
    frame = pl.read_csv((SCHWAB + "".join(ROWS)).encode(), infer_schema=False)
    frame = frame.select(reversed(frame.columns)).rename(str.upper)
    again = lake.put([read_file(_write(tmp_path / "b.csv", frame.write_csv(separator=";")))])
    assert counts(again) == {"duplicate": 5}


def test_a_sale_whose_purchase_is_in_no_file_is_kept(tmp_path: Path, lake: Lake) -> None:
    from dagster_project.sources.brokerage.reported import sales_without_history

    loaded = lake.put([read_file(_write(tmp_path / "a.csv", SCHWAB + ROWS[3]))])
    assert counts(loaded) == {"accepted": 1}
    assert sales_without_history(loaded, {}) == 1


def test_two_brokers_with_one_account_number_stay_apart(tmp_path: Path, lake: Lake) -> None:
    text = (FIXTURES / "ofx_investment.ofx").read_text()
    for broker in ("fidelity.com", "vanguard.com"):
        lake.put([read_file(_write(tmp_path / f"{broker}.ofx", text.replace("example.com", broker)))])
    assert sorted(lake.frames["brokerage__accounts"]["account_id"]) == ["INV-0001", "INV-0001-vanguard"]


def test_a_stated_account_type_corrects_the_stored_one(lake: Lake, put) -> None:
    put("schwab.csv")
    put("schwab.csv", options=Options(account_type="roth_ira"))
    rows = lake.frames["brokerage__accounts"].sort("known_at").select("account_type", "known_at").rows()
    assert [kind for kind, _ in rows] == ["taxable", "roth_ira"]
    assert rows[0][1] < rows[1][1] < dt.datetime(1990, 1, 1, tzinfo=dt.UTC)


def test_the_account_of_a_file_that_names_none_can_be_given(lake: Lake, put) -> None:
    put("robinhood.csv", options=Options(account="RH-1", user_id="u-1"))
    assert lake.frames["brokerage__accounts"].select("account_id", "user_id").row(0) == ("RH-1", "u-1")
    assert lake.frames["brokerage__users"].select("user_id", "source").row(0) == ("u-1", "import")


def test_cells_that_look_like_formulas_are_data(tmp_path: Path, lake: Lake) -> None:
    text = SCHWAB + "01/04/2023,Buy,=CMD(),=HYPERLINK(1),10,$20.00,,-$200.00\n"
    lake.put([read_file(_write(tmp_path / "a.csv", text))])
    assert lake.rows()[0]["asset_id"] == "=CMD()"
    assert lake.rows()[0]["quantity"] == D(10)
