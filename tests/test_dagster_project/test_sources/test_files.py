"""The folder: which files, which headers, which formats; and the example of the README."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from dagster_project.sources.batches import SourceError
from dagster_project.sources.files import brokerage_file_batches, read_file
from dagster_project.sources.selection import brokerage_batches, market_batches
from dagster_project.sources.textfile import read_text_table

DEMO = Path(__file__).parents[2] / "fixtures" / "files_demo"
KNOWN = {"statement_id", "user_id", "stated_at", "text"}


def text_of(tmp_path, content):
    path = tmp_path / "goals.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_text_table(path, KNOWN)


class TestLines:
    def test_line_numbers_survive_quotes_blanks_and_carriage_returns(self, tmp_path):
        content = (
            '\r\nuser_id,stated_at,text\r\n\r\nu1,x,"two\r\nlines"\r\n,,\r\nu2,y,"a ""quoted"" word"\r\n'
        )
        frame = text_of(tmp_path, content).frame
        assert frame.select("source_line", "user_id", "text").rows() == [
            (4, "u1", "two\r\nlines"),
            (7, "u2", 'a "quoted" word'),
        ]

    def test_byte_order_mark_and_loose_headers(self, tmp_path):
        table = text_of(tmp_path, b"\xef\xbb\xbf User ID , STATED-AT,Text\nu1, 2022-01-01 ,hi\n")
        assert table.headers == ("user_id", "stated_at", "text")
        assert table.frame.select(table.headers).rows() == [("u1", "2022-01-01", "hi")]

    @pytest.mark.parametrize("delimiter", [";", "\t", "|"])
    def test_other_delimiters(self, tmp_path, delimiter):
        rows = [["user_id", "stated_at", "text"], ["u1", "2022-01-01", "a, b"]]
        table = text_of(tmp_path, "\n".join(delimiter.join(row) for row in rows))
        assert table.frame["text"].to_list() == ["a, b"]

    def test_short_rows_are_padded_and_trailing_blanks_dropped(self, tmp_path):
        frame = text_of(tmp_path, "user_id,stated_at,text\nu1\nu2,x,y,,\n").frame
        assert frame.select("user_id", "stated_at", "text").rows() == [("u1", None, None), ("u2", "x", "y")]

    def test_repeated_header_is_a_problem_of_the_file(self, tmp_path):
        table = text_of(tmp_path, "user_id,stated_at,user_id\nu1,x,u2\n")
        assert table.problem is not None
        assert (table.problem.reason, table.problem.column) == ("duplicate_column", "user_id")

    def test_many_broken_quotes_stay_linear(self, tmp_path):
        rows = [f'u{n},x,"never closed {n}' for n in range(3_000)]
        frame = text_of(tmp_path, "\n".join(["user_id,stated_at,text", *rows])).frame
        assert frame["source_line"].to_list() == list(range(2, 3_002))


class TestFolder:
    def test_missing_folder_and_files_name_the_remedy(self, tmp_path):
        with pytest.raises(SourceError, match="is not a folder"):
            brokerage_file_batches(tmp_path / "nowhere")
        with pytest.raises(SourceError, match=r"has no accounts\.csv or accounts\.parquet"):
            brokerage_file_batches(tmp_path)
        (tmp_path / "accounts.csv").write_text("account_id,user_id,account_type\n")
        with pytest.raises(SourceError, match=r"has no transactions\.csv .* account_id, traded_at, kind"):
            brokerage_file_batches(tmp_path)

    def test_two_files_of_one_name(self, folder):
        folder.write("users.parquet", b"")
        with pytest.raises(SourceError, match=r"has users\.csv and users\.parquet: keep one of them"):
            brokerage_file_batches(folder.path)

    def test_ignored_columns_are_named(self, folder):
        folder.write("users.csv", "user_id,filing_status,shoe_size\nu1,single,44\n")
        result = folder.ingest()
        assert "users.csv: columns not in the contract are ignored: shoe_size" in result.warnings

    def test_parquet_gives_the_rows_of_csv(self, folder):
        expected = folder.ingest().accepted
        for stem in ("bars", "transactions", "users", "goals"):
            path = folder.path / f"{stem}.csv"
            frame = pl.read_csv(path, try_parse_dates=stem != "transactions")
            if stem == "users":
                frame = frame.with_columns(pl.col("taxable_income_usd").str.replace(",", "").cast(pl.Int64))
            frame.write_parquet(path.with_suffix(".parquet"))
            path.unlink()
        result = folder.ingest()
        assert result.quarantine.is_empty()
        for table, frame in expected.items():
            assert frame["content_key"].sort().equals(result.accepted[table]["content_key"].sort()), table

    def test_parquet_rows_are_numbered_and_nan_is_quarantined(self, folder):
        (folder.path / "bars.csv").unlink()
        pl.DataFrame(
            {
                "symbol": ["ACME"] * 3,
                "trade_date": [dt.date(2022, 1, day) for day in (3, 4, 5)],
                "close": [1.0, float("nan"), 2.0],
            }
        ).write_parquet(folder.path / "bars.parquet")
        result = folder.ingest()
        bad = result.quarantine.filter(pl.col("source_file") == "bars.parquet")
        assert bad.select("source_line", "reason", "column_name").rows() == [
            (2, "unparsable_number", "close")
        ]


class TestSelection:
    def test_files_need_a_folder(self):
        with pytest.raises(SourceError, match="needs --data DIR"):
            market_batches("files")

    def test_prices_files_needs_bars(self, folder):
        (folder.path / "bars.csv").unlink()
        with pytest.raises(SourceError, match=r"--prices files needs .*bars\.csv"):
            market_batches("files", data_dir=folder.path, prices="files")
        sources = {batch.source for batch in market_batches("files", data_dir=folder.path)}
        assert sources == {"packaged", "files"}

    def test_prices_files_takes_the_folder_alone(self, folder):
        market = market_batches("files", data_dir=folder.path, prices="files")
        assert {batch.source for batch in market} == {"files"}
        assert [batch.table for batch in brokerage_batches("files", market, data_dir=folder.path)] == [
            "brokerage__users",
            "brokerage__accounts",
            "brokerage__transactions",
            "goals__statements",
        ]


def test_the_readmes_example_folder_loads_whole(folder):
    folder.path = DEMO
    result = folder.ingest(packaged=True)
    assert result.quarantine.is_empty()
    assert result.warnings == []
    files = result.counts.filter(pl.col("source") == "files")
    accepted = dict(files.select("source_file", "accepted").iter_rows())
    assert accepted == {
        "accounts.csv": 4,
        "assets.csv": 1,
        "bars.csv": 271,
        "goals.csv": 3,
        "transactions.csv": 25,
        "users.csv": 3,
    }
    assert read_file(DEMO / "goals.csv", "goals").frame["text"][2].endswith("\nNo oil companies.")
