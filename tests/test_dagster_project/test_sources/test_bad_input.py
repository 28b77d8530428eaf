"""Each kind of bad input: the bad row lands in quarantine with file, line and reason, the rest loads."""

import datetime as dt
import hashlib
import json

import polars as pl
import pytest

GOOD_ROWS = {
    "market__assets": 2,
    "market__daily_bars": 3,
    "brokerage__users": 1,
    "brokerage__accounts": 1,
    "brokerage__transactions": 3,
    "goals__statements": 1,
}

BAD_ROWS = [
    ("bars.csv", "ACME,2022-01-05,10,11,9,-10.5,1000", "negative_price", "close"),
    ("bars.csv", "ACME,2022-01-05,0,11,9,10.5,1000", "negative_price", "open"),
    ("bars.csv", "ACME,2022-01-05,10,9,11,10,1000", "high_below_low", "high"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,12,1000", "price_outside_range", "close"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,,1000", "missing_value", "close"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,10,-5", "negative_volume", "volume"),
    ("bars.csv", "ACME,2022-01-04,10.5,11,10,10.9,1200", "duplicate_bar", "asset_id"),
    ("bars.csv", "ACME,2032-01-05,10,11,9,10.5,1000", "future_date", "trade_date"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,ten,1000", "unparsable_number", "close"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,nan,1000", "unparsable_number", "close"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,inf,1000", "unparsable_number", "close"),
    ("bars.csv", "ACME,05.01.2022,10,11,9,10,1000", "unparsable_date", "trade_date"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,€10,1000", "other_currency", "close"),
    ("bars.csv", "ACME,2022-01-05,10,11,9,1,050,1000", "wrong_column_count", None),
    ("bars.csv", 'ACME,2022-01-05,"10"x,11,9,10,1000', "malformed_row", None),
    ("transactions.csv", "t4,a1,2022-01-04,sell,ACME,100,10.8,1080,0", "sell_beyond_holdings", "quantity"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,NOPE,1,10,-10,0", "unknown_symbol", "asset_id"),
    ("transactions.csv", "t4,a9,2022-01-04,buy,ACME,1,10,-10,0", "unknown_account", "account_id"),
    ("transactions.csv", "t4,a1,2022-01-04,purchase,ACME,1,10,-10,0", "unknown_kind", "kind"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,0,10,-10,0", "quantity_not_positive", "quantity"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,-1,10,-10,0", "quantity_not_positive", "quantity"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,,10,-10,0", "missing_value", "quantity"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,,1,10,-10,0", "missing_value", "asset_id"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,1,10,,0", "missing_value", "amount_usd"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,1,-10,-10,0", "negative_price", "price_usd"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,1,0,-10,0", "negative_price", "price_usd"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,1,10,-10,-1", "negative_fees", "fees_usd"),
    ("transactions.csv", "t4,a1,2022-01-04,buy,ACME,1,10,10,0", "amount_sign", "amount_usd"),
    ("transactions.csv", "t4,a1,2022-01-04,sell,ACME,1,10,-10,0", "amount_sign", "amount_usd"),
    ("transactions.csv", "t4,a1,2024-01-03T05:00:01Z,deposit,,,,10,0", "future_date", "trade_date"),
    ("transactions.csv", "t4,a1,not a date,deposit,,,,10,0", "unparsable_date", "traded_at"),
    ("transactions.csv", "t4,a1,2022-01-04,deposit,,,,10 EUR,0", "other_currency", "amount_usd"),
    (
        "transactions.csv",
        "t4,a1,2022-01-04,deposit,,,,99999999999999999999,0",
        "number_out_of_range",
        "amount_usd",
    ),
    ("transactions.csv", "t4,a\x01,2022-01-04,deposit,,,,1,0", "control_character", "account_id"),
    (
        "transactions.csv",
        "t2,a1,2022-01-03T15:01:00Z,buy,ACME,21,10.2,-204,0",
        "conflicting_duplicate",
        "transaction_id",
    ),
    ("users.csv", "u2,divorced,1", "unknown_filing_status", "filing_status"),
    ("users.csv", "u2,single,12,50", "wrong_column_count", None),
    ("accounts.csv", "a2,u1,savings,", "unknown_account_type", "account_type"),
    ("goals.csv", "g2,u9,2022-01-03,hello", "unknown_user", "user_id"),
    ("goals.csv", "g2,u1,2022-01-03,", "missing_value", "text"),
    ("assets.csv", "EURO,Euro stock,stock,", "unknown_asset_class", "asset_class"),
    ("assets.csv", "EURO,Euro stock,equity,Bakeries", "unknown_sector", "sector"),
]


@pytest.mark.parametrize(
    ("file", "row", "reason", "column"), BAD_ROWS, ids=[f"{r[2]}-{i}" for i, r in enumerate(BAD_ROWS)]
)
def test_bad_row_is_quarantined_and_the_good_ones_load(folder, check_counts, file, row, reason, column):
    line = folder.append(file, row)
    result = folder.ingest()
    (record,) = result.quarantine.rows(named=True)
    assert (record["source_file"], record["source_line"]) == (file, line)
    assert (record["reason"], record["column_name"]) == (reason, column)
    assert record["detail"]
    assert json.loads(record["raw_row"])
    assert {table: result.accepted[table].height for table in GOOD_ROWS} == GOOD_ROWS
    assert any(f"{file}: 1 quarantined ({reason})" == note for note in result.warnings)
    check_counts(result)


@pytest.mark.parametrize("file", ["bars.csv", "transactions.csv"])
def test_missing_column_quarantines_the_file_and_the_rest_loads(folder, check_counts, file):
    header, _, body = (folder.path / file).read_text().partition("\n")
    column = {"bars.csv": "trade_date", "transactions.csv": "amount_usd"}[file]
    folder.write(file, header.replace(column, "something") + "\n" + body)
    result = folder.ingest()
    rows = body.count("\n")
    bad = result.quarantine.filter(pl.col("source_file") == file)
    assert bad["reason"].to_list() == ["missing_column"] * rows
    assert set(bad["column_name"]) == {column}
    assert bad["source_line"].to_list() == list(range(2, rows + 2))
    assert result.accepted["brokerage__users"].height == 1
    assert result.accepted["goals__statements"].height == 1
    check_counts(result)


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf", b",,,\n,\n"])
def test_empty_file_is_recorded_and_the_rest_loads(folder, check_counts, content):
    folder.write("goals.csv", content)
    result = folder.ingest()
    (record,) = result.quarantine.rows(named=True)
    assert (record["source_file"], record["source_line"], record["reason"]) == (
        "goals.csv",
        None,
        "empty_file",
    )
    counts = result.counts.filter(pl.col("source_file") == "goals.csv")
    assert counts["rows_read"].to_list() == [0]
    assert result.accepted["brokerage__transactions"].height == 3
    check_counts(result)


def test_header_without_rows_is_no_problem(folder):
    folder.write("goals.csv", "statement_id,user_id,stated_at,text\n")
    result = folder.ingest()
    assert result.quarantine.is_empty()
    assert result.counts.filter(pl.col("source_file") == "goals.csv")["rows_read"].to_list() == [0]


def test_file_that_is_not_utf8_is_quarantined_and_the_rest_loads(folder, check_counts):
    text = "statement_id,user_id,stated_at,text\ng1,u1,2022-01-03,Sécurité\ng2,u1,2022-01-03,plain\n"
    folder.write("goals.csv", text.encode("latin-1"))
    result = folder.ingest()
    assert result.quarantine["reason"].to_list() == ["not_utf8", "not_utf8"]
    assert result.quarantine["source_line"].to_list() == [2, 3]
    assert "line 2" in result.quarantine["detail"][0]
    assert result.accepted["goals__statements"].is_empty()
    assert result.accepted["brokerage__transactions"].height == 3
    check_counts(result)


def test_required_files_that_are_not_utf8_do_not_stop_the_market(folder, check_counts):
    folder.write("accounts.csv", "account_id,user_id,account_type\na1,u1,taxable\xe9\n".encode("latin-1"))
    result = folder.ingest()
    assert set(result.quarantine["reason"]) == {"not_utf8", "unknown_account"}
    assert result.accepted["market__daily_bars"].height == 3
    check_counts(result)


def test_unreadable_parquet_is_recorded(folder, check_counts):
    (folder.path / "goals.csv").unlink()
    folder.write("goals.parquet", b"PAR1 this is none")
    result = folder.ingest()
    (record,) = result.quarantine.rows(named=True)
    assert (record["source_file"], record["reason"]) == ("goals.parquet", "unreadable_file")
    check_counts(result)


def test_goal_text_of_one_megabyte(folder, check_counts):
    text = "I want growth. " * 70_000
    line = folder.append("goals.csv", f'g2,u1,2022-01-03,"{text}"')
    folder.append("goals.csv", "g3,u1,2022-01-04,keep it safe")
    result = folder.ingest()
    (record,) = result.quarantine.rows(named=True)
    assert (record["source_line"], record["reason"], record["column_name"]) == (line, "text_too_long", "text")
    digest = hashlib.sha256(text.strip().encode()).hexdigest()
    assert digest in record["raw_row"]
    assert len(record["raw_row"]) < 10_000
    assert result.accepted["goals__statements"]["statement_id"].to_list() == ["g1", "g3"]
    check_counts(result)


def test_text_of_exactly_the_limit_is_accepted(folder):
    folder.append("goals.csv", f"g2,u1,2022-01-03,{'x' * 10_000}")
    assert folder.ingest().accepted["goals__statements"].height == 2


def test_asset_in_another_currency_takes_its_bars_and_trades_along(folder, check_counts):
    folder.write("assets.csv", "symbol,currency\nACME,USD\nCOIN,USD\nEURX,EUR\n")
    bar = folder.append("bars.csv", "eurx,2022-01-04,1,1,1,1,1")
    trade = folder.append("transactions.csv", "t4,a1,2022-01-04,buy,EURX,1,10,-10,0")
    result = folder.ingest()
    found = result.quarantine.select("source_file", "source_line", "reason").rows()
    assert sorted(found) == [
        ("assets.csv", 4, "other_currency"),
        ("bars.csv", bar, "other_currency"),
        ("transactions.csv", trade, "other_currency"),
    ]
    check_counts(result)


def test_transaction_row_that_states_another_currency(folder):
    header, _, body = (folder.path / "transactions.csv").read_text().partition("\n")
    lines = [
        f"{line},{currency}" for line, currency in zip(body.splitlines(), ["USD", "", "EUR"], strict=True)
    ]
    folder.write("transactions.csv", f"{header},Currency\n" + "\n".join(lines))
    (record,) = folder.ingest().quarantine.rows(named=True)
    assert (record["source_line"], record["reason"], record["column_name"]) == (
        4,
        "other_currency",
        "currency",
    )


def test_row_that_was_known_before_it_happened(folder):
    header, _, body = (folder.path / "transactions.csv").read_text().partition("\n")
    rows = body.splitlines()
    stated = ["", "2022-01-03T15:00:59Z", "2022-02-01T00:00:00Z"]
    folder.write(
        "transactions.csv", f"{header},known_at\n" + "\n".join(map(",".join, zip(rows, stated, strict=True)))
    )
    result = folder.ingest()
    assert set(result.quarantine["reason"]) == {"known_before_event", "sell_beyond_holdings"}
    known = dict(result.accepted["brokerage__transactions"].select("transaction_id", "known_at").rows())
    assert known == {"t1": dt.datetime(2022, 1, 3, 15, tzinfo=dt.UTC)}


def test_stray_quote_costs_its_own_row_only(folder, check_counts):
    line = folder.append("goals.csv", 'g2,u1,2022-01-03,"never closed')
    for number in range(3, 30):
        folder.append("goals.csv", f"g{number},u1,2022-01-04,text {number}")
    result = folder.ingest()
    (record,) = result.quarantine.rows(named=True)
    assert (record["source_line"], record["reason"]) == (line, "malformed_row")
    assert "never closed" in record["raw_row"]
    assert result.accepted["goals__statements"].height == 28
    check_counts(result)
