"""Duplicates, corrections, derived identifiers, imputed rows, symbols, titles and totals."""

import datetime as dt

import polars as pl
import pytest

from dagster_project.sources.batches import IMPUTED_KNOWN_AT, typed_batch
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.ingest import ingest
from dagster_project.sources.packaged_facts import ASSET_FACTS


def outcomes(result, file):
    row = result.counts.filter(pl.col("source_file") == file).row(0, named=True)
    return tuple(
        row[name] for name in ("rows_read", "accepted", "duplicate", "quarantined", "not_a_transaction")
    )


class TestRepetition:
    def test_reading_the_same_folder_again_adds_nothing(self, folder, merge, check_counts):
        folder.append("bars.csv", "ACME,2022-01-05,10,9,11,10,1")
        first = folder.ingest()
        second = folder.ingest(merge(first))
        assert sum(frame.height for frame in second.accepted.values()) == 0
        assert second.quarantine.is_empty()
        assert outcomes(second, "bars.csv") == (4, 0, 3, 1, 0)
        assert outcomes(second, "transactions.csv") == (3, 0, 3, 0, 0)

    def test_identical_row_in_one_file_is_a_duplicate(self, folder, check_counts):
        folder.append("bars.csv", "ACME,2022-01-04,10.50,11.0,10,10.8,1200")
        folder.append("transactions.csv", "t2,a1,2022-01-03T10:01:00-05:00,buy,ACME,20,10.2,-204.00,0")
        result = folder.ingest()
        assert outcomes(result, "bars.csv") == (4, 3, 1, 0, 0)
        assert outcomes(result, "transactions.csv") == (4, 3, 1, 0, 0)
        check_counts(result)

    def test_later_known_at_is_a_correction(self, folder, merge, check_counts):
        first = folder.ingest()
        header = (folder.path / "bars.csv").read_text().partition("\n")[0]
        folder.write(
            "bars.csv", f"{header},known_at\nACME,2022-01-04,10.5,11,10,10.6,1200,2022-02-01T00:00:00Z\n"
        )
        second = folder.ingest(merge(first))
        assert outcomes(second, "bars.csv") == (1, 1, 0, 0, 0)
        versions = merge(first, second)["market__daily_bars"].filter(
            pl.col("asset_id") == "ACME", pl.col("trade_date") == dt.date(2022, 1, 4)
        )
        assert versions.sort("known_at").select("close", "known_at").rows() == [
            (10.8, dt.datetime(2022, 1, 4, 21, tzinfo=dt.UTC)),
            (10.6, dt.datetime(2022, 2, 1, tzinfo=dt.UTC)),
        ]
        check_counts(second)

    def test_late_correction_of_a_transaction(self, folder, merge):
        first = folder.ingest()
        header = (folder.path / "transactions.csv").read_text().partition("\n")[0]
        row = "t2,a1,2022-01-03T15:01:00Z,buy,ACME,21,10.2,-214.20,0,2022-03-01T12:00:00Z"
        folder.write("transactions.csv", f"{header},known_at\n{row}\n")
        second = folder.ingest(merge(first))
        (accepted,) = second.accepted["brokerage__transactions"].rows(named=True)
        assert accepted["transaction_id"] == "t2"
        assert accepted["known_at"] == dt.datetime(2022, 3, 1, 12, tzinfo=dt.UTC)

    def test_other_content_without_a_later_known_at_conflicts_with_what_is_stored(self, folder, merge):
        first = folder.ingest()
        text = (folder.path / "bars.csv").read_text()
        folder.write("bars.csv", text.replace("10.8,1200", "10.9,1200"))
        second = folder.ingest(merge(first))
        assert second.quarantine["reason"].to_list() == ["duplicate_bar"]
        assert outcomes(second, "bars.csv") == (3, 0, 2, 1, 0)

    def test_sale_is_judged_with_what_is_stored(self, folder, merge):
        first = folder.ingest()
        header = (folder.path / "transactions.csv").read_text().partition("\n")[0]
        rows = [
            "t4,a1,2022-01-05T15:00:00Z,sell,ACME,15,10,150,0",
            "t5,a1,2022-01-05T16:00:00Z,sell,ACME,1,10,10,0",
        ]
        folder.write("transactions.csv", "\n".join([header, *rows]))
        second = folder.ingest(merge(first))
        assert second.accepted["brokerage__transactions"]["transaction_id"].to_list() == ["t4"]
        (record,) = second.quarantine.rows(named=True)
        assert (record["source_line"], record["reason"]) == (3, "sell_beyond_holdings")
        assert "of which account a1 holds 0:" in record["detail"]


class TestDerivedIds:
    HEADER = "account_id,traded_at,kind,symbol,quantity,price_usd,amount_usd\n"
    BUY = "a1,2022-01-03,buy,ACME,2,10,-20\n"

    def test_equal_purchases_of_a_day_are_two_rows_and_reading_again_adds_none(self, folder, merge):
        folder.write("transactions.csv", self.HEADER + self.BUY * 2)
        first = folder.ingest()
        ids = first.accepted["brokerage__transactions"]["transaction_id"]
        assert ids.n_unique() == 2
        folder.write("transactions.csv", self.HEADER + "a1,2022-01-03,deposit,,,,5\n" + self.BUY * 3)
        second = folder.ingest(merge(first))
        assert outcomes(second, "transactions.csv") == (4, 2, 2, 0, 0)

    def test_ids_do_not_depend_on_line_or_spelling(self, folder):
        folder.write("transactions.csv", self.HEADER + self.BUY)
        one = folder.ingest().accepted["brokerage__transactions"]["transaction_id"].to_list()
        assert len(one) == 1
        folder.write("transactions.csv", self.HEADER + "\n\n a1 ,2022-01-03,Buy,acme,2.0,$10.00,(20.00)\n")
        assert folder.ingest().accepted["brokerage__transactions"]["transaction_id"].to_list() == one


class TestTime:
    def test_known_at_defaults(self, folder):
        folder.write("rates.csv", "rate_date,rate_pct\n2022-01-03,0.08\n")
        folder.write(
            "corporate_actions.csv", "symbol,ex_date,kind,cash_per_share_usd\nACME,2022-01-05,dividend,0.1\n"
        )
        accepted = folder.ingest().accepted
        bars = accepted["market__daily_bars"].select("asset_id", "trade_date", "known_at").rows()
        assert bars == [
            ("ACME", dt.date(2022, 1, 3), dt.datetime(2022, 1, 3, 21, tzinfo=dt.UTC)),
            ("ACME", dt.date(2022, 1, 4), dt.datetime(2022, 1, 4, 21, tzinfo=dt.UTC)),
            ("COIN", dt.date(2022, 1, 3), dt.datetime(2022, 1, 4, 0, tzinfo=dt.UTC)),
        ]
        assert accepted["market__rates"]["known_at"].item() == dt.datetime(2022, 1, 4, 12, tzinfo=dt.UTC)
        action = accepted["market__corporate_actions"]["known_at"].item()
        assert action == dt.datetime(2022, 1, 5, 14, 30, tzinfo=dt.UTC)

    def test_trade_date_is_new_yorks(self, folder):
        folder.append("transactions.csv", "t4,a1,2022-01-05T02:30:00Z,deposit,,,,1,0")
        folder.append("transactions.csv", "t5,a1,2022-01-08,deposit,,,,1,0")
        rows = (
            folder.ingest()
            .accepted["brokerage__transactions"]
            .filter(pl.col("transaction_id").is_in(["t4", "t5"]))
        )
        assert rows["trade_date"].to_list() == [dt.date(2022, 1, 4), dt.date(2022, 1, 8)]
        assert rows["traded_at_is_date"].to_list() == [False, True]
        # A Saturday's bare date is known at Monday's close.
        assert rows["known_at"].to_list()[1] == dt.datetime(2022, 1, 10, 21, tzinfo=dt.UTC)

    def test_tomorrow_is_the_callers(self, folder):
        assert folder.ingest(today=dt.date(2022, 1, 4)).quarantine.is_empty()
        reasons = folder.ingest(today=dt.date(2022, 1, 3)).quarantine["reason"]
        assert set(reasons) == {"future_date"}


class TestImputation:
    def test_symbol_with_bars_alone_becomes_an_equity(self, folder, merge, check_counts):
        folder.append("bars.csv", "Brk.b,2022-01-04,300,310,290,305,10")
        folder.append("bars.csv", "BRK/B,2022-01-05,300,310,290,305,10")
        folder.append("transactions.csv", "t4,a1,2022-01-04,buy,brk b,1,305,-305,0")
        result = folder.ingest()
        row = result.accepted["market__assets"].filter(pl.col("asset_id") == "BRK-B").row(0, named=True)
        assert (row["asset_class"], row["sector"], row["symbol"]) == ("equity", None, "Brk.b")
        assert (row["source_file"], row["source_line"]) == ("imputed:bars.csv", 5)
        assert outcomes(result, "imputed:bars.csv") == (1, 1, 0, 0, 0)
        assert any("Brk.b" in note and "equities" in note for note in result.warnings)
        bars = result.accepted["market__daily_bars"].filter(pl.col("asset_id") == "BRK-B")
        assert bars.height == 2
        assert result.accepted["brokerage__transactions"].height == 4
        check_counts(result)
        folder.append("assets.csv", "BRK.B,Berkshire,equity,Financials")
        second = folder.ingest(merge(result))
        (stated,) = second.accepted["market__assets"].rows(named=True)
        assert stated["asset_id"] == "BRK-B"
        assert stated["known_at"] > row["known_at"]

    def test_unusable_bars_impute_nothing(self, folder):
        folder.append("bars.csv", "NEWCO,2022-01-05,10,9,11,10,1")
        folder.append("transactions.csv", "t4,a1,2022-01-05,buy,NEWCO,1,10,-10,0")
        result = folder.ingest()
        assert set(result.quarantine["reason"]) == {"high_below_low", "unknown_symbol"}
        assert "NEWCO" not in result.accepted["market__assets"]["asset_id"]

    def test_without_users_accounts_belong_to_single_filers_of_unknown_income(self, folder, merge):
        (folder.path / "users.csv").unlink()
        result = folder.ingest()
        (user,) = result.accepted["brokerage__users"].rows(named=True)
        assert (user["user_id"], user["household_id"], user["filing_status"]) == ("u1", "u1", "single")
        assert user["ordinary_taxable_income_usd"] is None
        assert user["known_at"] == IMPUTED_KNOWN_AT
        assert folder.ingest(merge(result)).accepted["brokerage__users"].is_empty()

    def test_account_takes_its_users_household_unless_it_states_one(self, folder):
        folder.write("users.csv", "user_id,household_id,filing_status\nu1,h1,single\n")
        folder.write(
            "accounts.csv",
            "account_id,user_id,household_id,account_type\na1,u1,,taxable\na2,u1,h2,roth ira\n",
        )
        accounts = folder.ingest().accepted["brokerage__accounts"]
        assert accounts.select("household_id", "account_type", "lot_method", "fractional").rows() == [
            ("h1", "taxable", "fifo", True),
            ("h2", "roth_ira", "fifo", True),
        ]

    def test_price_basis_follows_the_bars(self, folder):
        folder.write("bars.csv", "symbol,date,close,adj_close\nACME,2022-01-03,10,9\nCOIN,2022-01-03,,9\n")
        basis = folder.ingest().accepted["market__assets"].select("asset_id", "price_basis").rows()
        assert basis == [("ACME", "as_traded"), ("COIN", "accumulating")]


class TestSymbols:
    def test_spellings_meet_in_one_map(self, folder):
        folder.write("assets.csv", "asset_id,symbol\nfund-1,VTS.X\nACME,ACME\n")
        folder.write("bars.csv", "symbol,trade_date,close\nvts/x,2022-01-03,10\nfund-1,2022-01-04,11\n")
        result = folder.ingest()
        assert result.accepted["market__daily_bars"]["asset_id"].to_list() == ["fund-1", "fund-1"]
        symbols = result.accepted["market__symbols"].select("symbol_key", "asset_id").rows()
        assert symbols == [("ACME", "ACME"), ("FUND-1", "fund-1"), ("VTS-X", "fund-1")]

    def test_one_symbol_for_two_assets_is_ambiguous(self, folder):
        folder.write("assets.csv", "asset_id,symbol\nACME,ACME\nCOIN,COIN\nother,acme\n")
        (record,) = folder.ingest().quarantine.rows(named=True)
        assert (record["source_line"], record["reason"]) == (4, "ambiguous_symbol")


class TestPackagedPricesBesideFiles:
    def test_new_symbol_is_added_and_known_ones_stand_aside(self, folder, check_counts):
        folder.append("bars.csv", "aapl,2022-01-03,180,183,178,182,1000000")
        folder.append("transactions.csv", "t4,a1,2022-01-04,buy,aapl,1,179,-179,0")
        result = folder.ingest(packaged=True)
        assert outcomes(result, "bars.csv") == (4, 3, 1, 0, 0)
        assert any("stand aside" in note and "AAPL" in note for note in result.warnings)
        apple = result.accepted["market__daily_bars"].filter(pl.col("asset_id") == "AAPL")
        assert apple["source"].unique().to_list() == ["packaged"]
        assert result.accepted["market__assets"].height == len(ASSET_FACTS) + 2
        bought = result.accepted["brokerage__transactions"].filter(pl.col("transaction_id") == "t4")
        assert bought["asset_id"].item() == "AAPL"
        check_counts(result)

    def test_symbols_that_only_another_nights_source_knew_have_no_price_tonight(self, folder, merge):
        first = folder.ingest(packaged=True)
        folder.append("transactions.csv", "t4,a1,2022-01-04,buy,AAPL,1,179,-179,0")
        (record,) = folder.ingest(merge(first)).quarantine.rows(named=True)
        assert (record["reason"], record["column_name"]) == ("unknown_symbol", "asset_id")

    def test_stored_rows_may_come_in_any_order(self, folder, merge):
        folder.append("bars.csv", "NEWCO,2022-01-05,10,11,9,10,1")
        first = folder.ingest()
        shuffled = {
            table: frame.sample(fraction=1, shuffle=True, seed=3) for table, frame in merge(first).items()
        }
        second, expected = folder.ingest(shuffled), folder.ingest(merge(first))
        assert second.counts.equals(expected.counts)
        assert all(frame.equals(expected.accepted[table]) for table, frame in second.accepted.items())


class TestRowsThatAreNoRecords:
    def test_titles_totals_and_notes(self, folder, check_counts):
        header, _, body = (folder.path / "transactions.csv").read_text().partition("\n")
        lines = [
            "Account history for a1",
            "",
            header,
            body.rstrip(),
            header.upper(),
            "Total,,,,,,849,1,",
            "Past performance is no guarantee of future results,,,,,,,,",
        ]
        folder.write("transactions.csv", "\n".join(lines))
        result = folder.ingest()
        assert result.skipped.select("source_line", "rule").rows() == [
            (1, "title_row"),
            (7, "repeated_header"),
            (8, "total_row"),
            (9, "note_row"),
        ]
        assert outcomes(result, "transactions.csv") == (7, 3, 0, 0, 4)
        check_counts(result)

    def test_complete_row_is_a_record_whatever_it_is_called(self, folder):
        folder.write("accounts.csv", "account_id,user_id,account_type\na1,u1,taxable\nTotal,u1,taxable\n")
        assert folder.ingest().accepted["brokerage__accounts"]["account_id"].to_list() == ["Total", "a1"]

    def test_truncated_row_is_quarantined_not_dropped(self, folder):
        line = folder.append("transactions.csv", "t4,a1")
        (record,) = folder.ingest().quarantine.rows(named=True)
        assert (record["source_line"], record["reason"]) == (line, "missing_value")


def test_frames_have_the_contracts_columns_and_are_sorted(folder):
    result = folder.ingest()
    for table, frame in result.accepted.items():
        assert frame.schema == RAW_TABLES[table].polars_schema
        key = [*RAW_TABLES[table].key, "known_at"]
        assert frame.select(key).equals(frame.sort(key, nulls_last=True).select(key))
    assert result.quarantine.schema == RAW_TABLES["quarantine"].polars_schema
    assert result.counts.schema == RAW_TABLES["ingestion_counts"].polars_schema


def test_same_input_gives_the_same_frames(folder):
    folder.append("bars.csv", "ACME,2022-01-05,10,9,11,10,1")
    first, second = folder.ingest(), folder.ingest()
    assert all(frame.equals(second.accepted[table]) for table, frame in first.accepted.items())
    assert first.quarantine.equals(second.quarantine)
    assert first.counts.equals(second.counts)


def test_typed_batch_refuses_an_unknown_column():
    with pytest.raises(ValueError, match="has no column priec"):
        typed_batch("market__rates", "packaged", "here", pl.DataFrame({"priec": [1.0]}))


def test_typed_rows_that_do_not_fit_are_quarantined():
    frame = pl.DataFrame(
        {"rate_date": [dt.date(2020, 1, 2)] * 2, "tenor": ["3m", "3w"], "rate_pct": [float("nan"), 1.0]}
    )
    result = ingest(
        [typed_batch("market__rates", "packaged", "here", frame)],
        run_id="r",
        as_of_date=dt.date(2020, 1, 3),
        ingested_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        today=dt.date(2024, 1, 1),
    )
    assert result.quarantine["reason"].to_list() == ["unparsable_number", "schema_isin"]
    assert result.accepted["market__rates"].is_empty()
