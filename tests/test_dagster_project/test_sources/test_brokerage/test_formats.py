"""Every format's own codes against the canonical kinds; fixtures are written from the formats' specifications."""

import datetime as dt
from collections import Counter
from decimal import Decimal as D

import pytest

from dagster_project.sources.brokerage.reading import read_file
from tests.test_dagster_project.test_sources.test_brokerage.conftest import FIXTURES, Lake, counts

# file: format, outcomes of its rows, canonical kinds, rows that are no transaction, quarantine reasons
EXPECTED = {
    "alpaca.json": (
        "alpaca",
        {"accepted": 40, "not_a_transaction": 1, "quarantined": 1},
        {
            "buy": 3,
            "capital_gain_distribution": 1,
            "cash_in_lieu": 1,
            "deposit": 3,
            "dividend": 3,
            "fee": 3,
            "interest": 1,
            "journal": 1,
            "merger": 1,
            "option_assignment": 1,
            "option_exercise": 1,
            "option_expiry": 1,
            "option_open": 1,
            "return_of_capital": 1,
            "sell": 1,
            "short_sale": 1,
            "split": 2,
            "symbol_change": 1,
            "transfer_in": 2,
            "transfer_out": 1,
            "withdrawal": 1,
            "withholding": 6,
        },
        {"cancelled_activity": 1},
        {"unknown_action": 1},
    ),
    "contract.csv": (
        "contract",
        {"accepted": 4, "quarantined": 2},
        {"buy": 2, "bye": 1, "deposit": 1, "sell": 1, "transfer_in": 1},
        {},
        {"unknown_kind": 1, "unparsable_number": 1},
    ),
    "fidelity_History_X12345678.csv": (
        "fidelity",
        {"accepted": 28, "not_a_transaction": 4, "quarantined": 1},
        {
            "buy": 1,
            "buy_to_cover": 2,
            "capital_gain_distribution": 1,
            "cash_in_lieu": 1,
            "deposit": 1,
            "dividend": 3,
            "fee": 1,
            "interest": 2,
            "journal": 1,
            "merger": 1,
            "option_assignment": 1,
            "option_close": 1,
            "option_expiry": 1,
            "option_open": 1,
            "reinvestment": 1,
            "return_of_capital": 1,
            "sell": 1,
            "short_sale": 1,
            "spin_off": 1,
            "split": 2,
            "transfer_in": 1,
            "transfer_out": 1,
            "withholding": 1,
        },
        {"core_sweep": 1, "note_row": 2, "title_row": 1},
        {"unknown_action": 1},
    ),
    "fidelity_all_accounts.csv": (
        "fidelity",
        {"accepted": 3},
        {"buy": 1, "deposit": 1, "sell": 1},
        {},
        {},
    ),
    "ibkr_activity.csv": (
        "ibkr_csv",
        {"accepted": 8, "not_a_transaction": 24},
        {"buy": 2, "deposit": 1, "dividend": 1, "fee": 1, "interest": 1, "sell": 1, "withholding": 1},
        {
            "holding_row": 1,
            "information_row": 7,
            "no_transaction_section": 3,
            "section_header": 10,
            "total_row": 3,
        },
        {},
    ),
    "ibkr_flex.csv": (
        "ibkr_csv",
        {"accepted": 3, "not_a_transaction": 2, "quarantined": 1},
        {"buy": 1, "dividend": 1, "sell": 1},
        {"section_header": 1, "summary_row": 1},
        {"other_currency": 1},
    ),
    "ibkr_flex.xml": (
        "ibkr_flex",
        {"accepted": 45, "not_a_transaction": 5, "quarantined": 3},
        {
            "buy": 5,
            "buy_to_cover": 1,
            "capital_gain_distribution": 1,
            "cash_in_lieu": 1,
            "deposit": 3,
            "dividend": 1,
            "fee": 3,
            "interest": 4,
            "journal": 1,
            "merger": 2,
            "option_assignment": 1,
            "option_close": 1,
            "option_expiry": 1,
            "option_open": 1,
            "reinvestment": 1,
            "return_of_capital": 1,
            "sell": 1,
            "short_sale": 1,
            "spin_off": 1,
            "split": 2,
            "stock_dividend": 1,
            "symbol_change": 1,
            "transfer_in": 2,
            "transfer_out": 1,
            "withdrawal": 1,
            "withholding": 1,
        },
        {"closed_lot": 1, "stated_in_trades": 1, "summary_row": 3},
        {"unknown_action": 2, "unsupported_asset": 1},
    ),
    "ofx_investment.ofx": (
        "ofx",
        {"accepted": 34, "not_a_transaction": 1},
        {
            "buy": 4,
            "buy_to_cover": 1,
            "capital_gain_distribution": 1,
            "cash_in_lieu": 2,
            "deposit": 1,
            "dividend": 3,
            "fee": 2,
            "interest": 4,
            "journal": 2,
            "option_close": 1,
            "option_expiry": 1,
            "option_open": 1,
            "reinvestment": 1,
            "return_of_capital": 1,
            "sell": 4,
            "short_sale": 1,
            "split": 1,
            "transfer_in": 3,
            "transfer_out": 1,
            "withdrawal": 1,
            "withholding": 1,
        },
        {"income_of_a_reinvestment": 1},
        {},
    ),
    "ofx_xml.ofx": (
        "ofx",
        {"accepted": 5, "quarantined": 3},
        {"buy": 3, "deposit": 1},
        {},
        {"missing_value": 1, "unknown_action": 1, "unparsable_date": 1},
    ),
    "robinhood.csv": (
        "robinhood",
        {"accepted": 29, "not_a_transaction": 1, "quarantined": 1},
        {
            "buy": 1,
            "cash_in_lieu": 1,
            "deposit": 3,
            "dividend": 1,
            "fee": 2,
            "interest": 2,
            "journal": 1,
            "merger": 1,
            "option_assignment": 1,
            "option_close": 1,
            "option_expiry": 1,
            "option_open": 2,
            "reinvestment": 1,
            "return_of_capital": 1,
            "sell": 1,
            "split": 1,
            "transfer_in": 4,
            "transfer_out": 1,
            "withdrawal": 1,
            "withholding": 1,
        },
        {"note_row": 1},
        {"unknown_action": 1},
    ),
    "schwab.csv": (
        "schwab_csv",
        {"accepted": 49, "not_a_transaction": 2, "quarantined": 1},
        {
            "buy": 4,
            "buy_to_cover": 1,
            "capital_gain_distribution": 1,
            "cash_in_lieu": 1,
            "deposit": 1,
            "dividend": 8,
            "fee": 3,
            "interest": 3,
            "journal": 1,
            "merger": 2,
            "option_assignment": 1,
            "option_close": 1,
            "option_expiry": 1,
            "option_open": 1,
            "reinvestment": 2,
            "return_of_capital": 1,
            "sell": 1,
            "short_sale": 1,
            "split": 2,
            "stock_dividend": 1,
            "symbol_change": 1,
            "transfer_in": 2,
            "transfer_out": 1,
            "withdrawal": 1,
            "withholding": 2,
        },
        {"title_row": 1, "total_row": 1},
        {"unknown_action": 1},
    ),
    "schwab_Individual_XXX987.json": (
        "schwab_csv",
        {"accepted": 2},
        {"buy": 1, "sell": 1},
        {},
        {},
    ),
    "schwab_awards.csv": (
        "schwab_awards",
        {"accepted": 2},
        {"buy": 1},
        {},
        {},
    ),
    "schwab_awards_v1.json": (
        "schwab_awards",
        {"accepted": 3},
        {"buy": 2, "sell": 1},
        {},
        {},
    ),
    "schwab_awards_v2.json": (
        "schwab_awards",
        {"accepted": 3, "not_a_transaction": 1},
        {"buy": 1, "sell": 1, "withdrawal": 1},
        {"vesting_of_a_deposit": 1},
        {},
    ),
    "vanguard.csv": (
        "vanguard",
        {"accepted": 21, "not_a_transaction": 3, "quarantined": 1},
        {
            "buy": 1,
            "capital_gain_distribution": 1,
            "cash_in_lieu": 1,
            "deposit": 1,
            "dividend": 3,
            "fee": 1,
            "interest": 1,
            "journal": 2,
            "merger": 1,
            "reinvestment": 1,
            "return_of_capital": 1,
            "sell": 2,
            "split": 1,
            "transfer_in": 2,
            "transfer_out": 1,
            "withholding": 1,
        },
        {"holding_row": 2, "section_header": 1},
        {"unknown_action": 1},
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_row_ends_once_and_maps_to_its_kind(name: str) -> None:
    format_name, outcomes, kinds, skipped, reasons = EXPECTED[name]
    file = read_file(FIXTURES / name)
    assert file.format == format_name
    loaded = Lake({}).put([file])
    item = loaded.files[0]
    assert dict(counts(loaded)) == outcomes
    assert sum(outcomes.values()) == item.statement.rows
    assert dict(Counter(item.frame["kind"].to_list())) == kinds
    assert dict(Counter(item.statement.skipped.values())) == skipped
    assert dict(Counter(loaded.result.quarantine["reason"].to_list())) == reasons
    counted = loaded.result.counts.filter(table_name="brokerage__transactions")
    assert counted["rows_read"].sum() == item.statement.rows


def test_no_fixture_is_left_out() -> None:
    assert {path.name for path in FIXTURES.iterdir()} == set(EXPECTED)


def _one(lake: Lake, **equal) -> dict:
    rows = lake.rows(**equal)
    assert len(rows) == 1, rows
    return rows[0]


class TestOfx:
    @pytest.fixture(autouse=True)
    def _load(self, lake: Lake, put) -> None:
        put("ofx_investment.ofx", "ofx_xml.ofx")
        self.lake = lake

    def test_securities_take_their_ticker_from_the_list_at_the_end(self) -> None:
        bought = _one(self.lake, transaction_id="ofx:INV-0001:F002")
        assert (bought["asset_id"], bought["quantity"], bought["amount_usd"], bought["fees_usd"]) == (
            "ALDR", D(100), D("-2001"), D(1),
        )  # fmt: skip

    def test_a_day_is_taken_as_written_and_a_time_with_its_offset(self) -> None:
        assert _one(self.lake, transaction_id="ofx:INV-0001:F002")["traded_at"].hour == 19
        row = _one(self.lake, transaction_id="ofx:INV-0002:x1")
        assert row["traded_at"] == dt.datetime(2023, 1, 10, 14, 30, 15, tzinfo=dt.UTC)
        assert row["amount_usd"] == D("-1300"), "a purchase is cash out, whatever the sign of TOTAL"

    def test_a_reinvestment_is_income_and_purchase_once(self) -> None:
        rows = [r for r in self.lake.rows(account_id="INV-0001") if r["trade_date"] == dt.date(2023, 3, 2)]
        assert sorted((r["kind"], r["amount_usd"]) for r in rows) == [
            ("dividend", D(22)),
            ("reinvestment", D(-22)),
        ]

    def test_transfers_carry_basis_where_stated(self) -> None:
        stated = _one(self.lake, transaction_id="ofx:INV-0001:F025")
        assert (stated["cost_basis_usd"], stated["acquired_date"]) == (D(147), dt.date(2020, 6, 15))
        for unknown in ("F026", "F015"):  # none stated; shares that came at a price of zero
            row = _one(self.lake, transaction_id=f"ofx:INV-0001:{unknown}")
            assert (row["kind"], row["cost_basis_usd"]) == ("transfer_in", None)

    def test_split_option_and_journal(self) -> None:
        split = _one(self.lake, transaction_id="ofx:INV-0001:F024")
        assert (split["quantity"], split["ratio_new"], split["ratio_old"]) == (D("59.5"), D(2), D(1))
        option = _one(self.lake, transaction_id="ofx:INV-0001:F006")
        assert (option["option_right"], option["strike_usd"], option["expiry_date"], option["underlying_asset_id"]) == (
            "call", D(22), dt.date(2023, 3, 17), "ALDR",
        )  # fmt: skip
        assert all(r["amount_usd"] == 0 for r in self.lake.rows(kind="journal", account_id="INV-0001"))

    def test_a_reversal_takes_back_what_it_names(self) -> None:
        first, correction = self.lake.rows(transaction_id="ofx:INV-0002:x2")
        assert (first["kind"], correction["kind"], correction["amount_usd"]) == ("buy", "journal", 0)
        assert correction["known_at"] > first["known_at"]

    def test_a_rate_in_the_row_converts(self) -> None:
        row = _one(self.lake, transaction_id="ofx:INV-0002:x4")
        assert (row["price_usd"], row["amount_usd"]) == (D("12.5"), D("-62.5"))

    def test_positions_and_gains(self) -> None:
        states = {p["symbol"]: p["state"] for p in self.lake.shown["ofx_investment.ofx"]}
        assert states == {"ALDR": "matched", "MAPLX": "matched", "BRCH": "differs"}
        gains = self.lake.frames["brokerage__reported_gains"]
        assert gains.select("sale_transaction_id", "gain_usd").row(0) == ("ofx:INV-0001:F007", D("198.6"))


class TestIbkr:
    @pytest.fixture(autouse=True)
    def _load(self, lake: Lake, put) -> None:
        put("ibkr_flex.xml", "ibkr_flex.csv", "ibkr_activity.csv")
        self.lake = lake

    def test_account_facts_may_stand_outside_the_statement(self) -> None:
        accounts = dict(
            self.lake.frames["brokerage__accounts"].select("account_id", "account_type").iter_rows()
        )
        assert accounts == {
            "U7654321": "roth_ira", "U7654322": "taxable", "U3000001": "taxable", "U4000001": "taxable",
        }  # fmt: skip

    def test_fills_keep_their_order(self) -> None:
        fills = [r for r in self.lake.rows(kind="buy", asset_id="ALDR", account_id="U7654321")]
        assert [r["order_id"] for r in fills] == ["777", "777"]

    def test_a_cancelled_trade_never_happened_once_known(self) -> None:
        versions = self.lake.rows(transaction_id="ibkr_flex:U7654321:tradeID:1006")
        assert [v["kind"] for v in versions] == ["buy", "journal"]
        assert versions[1]["known_at"].date() == dt.date(2023, 2, 17)

    def test_rates_and_conversions(self) -> None:
        assert _one(self.lake, asset_id="SHELL")["amount_usd"] == D("-301.2")
        assert _one(self.lake, transaction_id="ibkr_flex:U7654321:tradeID:1014")["amount_usd"] == D("-1082")

    def test_corporate_actions(self) -> None:
        found = {
            (
                r["trade_date"].day,
                r["kind"],
                r["asset_id"],
                r["related_asset_id"],
                r["quantity"],
                r["ratio_new"],
                r["ratio_old"],
            )
            for r in self.lake.rows(account_id="U7654321")
            if r["transaction_id"].startswith("ibkr_flex:U7654321:action")
        }
        assert found == {
            (10, "split", "ALDR", None, D(70), D(2), D(1)),
            (11, "stock_dividend", "BRCH", None, D(2), D(11), D(10)),
            (12, "spin_off", "ALDR", "CEDR", D(14), D(1), D(10)),
            (13, "split", "BRCH", None, D("10.75"), D(1), D(2)),
            (14, "merger", "CEDR", None, D(14), None, None),
            (17, "merger", "ALDR", "ELMM", D(70), None, None),
            (18, "symbol_change", "ELMM", "FIRR", D(70), None, None),
        }

    def test_transferred_lots_bring_dates_and_basis(self) -> None:
        lots = self.lake.rows(kind="transfer_in", account_id="U7654321")
        assert [(r["quantity"], r["cost_basis_usd"], r["acquired_date"].year) for r in lots] == [
            (D(5), D(105), 2020), (D(3), D(75), 2021),
        ]  # fmt: skip

    def test_positions_are_compared(self) -> None:
        shown = {
            p["symbol"]: (p["quantity"], p["stated_quantity"], p["state"])
            for p in self.lake.shown["ibkr_flex.xml"]
        }
        assert shown == {
            "FIRR": (D(70), D(70), "matched"), "BRCH": (D("16.75"), D(99), "differs"), "OAKK": (D(0), D(3), "missing_history"),
        }  # fmt: skip
        assert [p["state"] for p in self.lake.shown["ibkr_activity.csv"]] == ["matched"]

    def test_gains_per_sale_and_per_lot(self) -> None:
        gains = self.lake.frames["brokerage__reported_gains"].filter(source_file="ibkr_flex.xml")
        assert sorted(gains.select("level", "gain_usd", "sale_transaction_id", "term").iter_rows()) == [
            ("lot", D(148), "ibkr_flex:U7654321:tradeID:1003", "short"),
            ("sale", D(148), "ibkr_flex:U7654321:tradeID:1003", None),
        ]

    def test_payment_in_lieu_is_interest(self) -> None:
        assert _one(self.lake, transaction_id="ibkr_flex:U7654321:transactionID:5006")["kind"] == "interest"


class TestCsvAndJson:
    def test_newest_first_files_are_turned_round_within_a_day(self, lake: Lake, put) -> None:
        put("schwab.csv")
        day = [r for r in lake.rows(asset_id="ALDR") if r["trade_date"] == dt.date(2023, 1, 5)]
        assert [r["kind"] for r in sorted(day, key=lambda r: r["traded_at"])] == ["buy", "sell"]
        assert all(r["known_at"] == dt.datetime(2023, 1, 5, 21, tzinfo=dt.UTC) for r in day)

    def test_a_posting_date_is_when_the_row_was_known(self, lake: Lake, put) -> None:
        put("schwab.csv")
        row = _one(lake, amount_usd=D(12), kind="dividend")
        assert (row["trade_date"], row["known_at"].date()) == (dt.date(2023, 4, 3), dt.date(2023, 4, 4))

    def test_schwab_events_of_several_rows(self, lake: Lake, put) -> None:
        put("schwab.csv")
        assert _one(lake, kind="symbol_change")["related_asset_id"] == "ALDN"
        mergers = {(r["asset_id"], r["related_asset_id"], r["amount_usd"]) for r in lake.rows(kind="merger")}
        assert mergers == {("CEDR", None, D(70)), ("BRCH", "ELMM", D(0))}
        reverse = next(r for r in lake.rows(kind="split") if r["asset_id"] == "BRCH")
        assert (reverse["quantity"], reverse["ratio_new"], reverse["ratio_old"]) == (D(10), D(1), D(2))

    def test_the_masked_account_of_title_or_name(self, lake: Lake, put) -> None:
        put("schwab.csv", "schwab_Individual_XXX987.json")
        assert sorted(lake.frames["brokerage__accounts"]["account_id"]) == ["schwab-1234", "schwab-987"]

    def test_vested_shares_are_bought_at_market_value_on_the_vesting_day(self, lake: Lake, put) -> None:
        put("schwab_awards_v1.json")
        vest = lake.rows(kind="buy")[0]
        assert (vest["price_usd"], vest["amount_usd"], vest["trade_date"]) == (
            D(26),
            D(0),
            dt.date(2023, 2, 25),
        )
        assert vest["known_at"].date() == dt.date(2023, 2, 27)
        gains = lake.frames["brokerage__reported_gains"].sort("gain_usd")["gain_usd"].to_list()
        assert gains == [D(-5), D(40)]

    def test_a_lapse_stands_for_its_deposit_only_without_one(self, lake: Lake, put) -> None:
        put("schwab_awards_v2.json", "schwab_awards.csv")
        assert sorted(r["quantity"] for r in lake.rows(kind="buy")) == [D(6), D(22)]

    def test_alpaca(self, lake: Lake, put) -> None:
        put("alpaca.json")
        fills = [r for r in lake.rows(kind="buy", asset_id="ALDR")]
        assert sum(r["quantity"] for r in fills) == D("2.792161878")
        assert {r["order_id"] for r in fills} == {"ord-1"}
        arrived = next(r for r in lake.rows(kind="transfer_in") if r["asset_id"] == "BRCH")
        assert arrived["cost_basis_usd"] is None
        assert _one(lake, kind="merger")["amount_usd"] == D(4)
        reverse = next(r for r in lake.rows(kind="split") if r["asset_id"] == "BRCH")
        assert (reverse["quantity"], reverse["ratio_new"], reverse["ratio_old"]) == (D(13), D(26), D(13))

    def test_fidelity_names_accounts_and_types(self, lake: Lake, put) -> None:
        put("fidelity_all_accounts.csv", "fidelity_History_X12345678.csv")
        accounts = dict(lake.frames["brokerage__accounts"].select("account_id", "account_type").iter_rows())
        assert accounts == {"222222222": "roth_ira", "X87654321": "taxable", "X12345678": "taxable"}
        assert _one(lake, kind="spin_off")["asset_id"] == "ALDR"
        assert _one(lake, kind="option_close")["amount_usd"] == D("199.35")

    def test_vanguard_sweeps_move_no_cash_and_holdings_are_compared(self, lake: Lake, put) -> None:
        put("vanguard.csv")
        assert {r["amount_usd"] for r in lake.rows(kind="journal")} == {D(0)}
        states = {p["symbol"]: p["state"] for p in lake.shown["vanguard.csv"]}
        assert states == {"ALDR": "matched", "VMFXX": "not_modelled"}

    def test_robinhood(self, lake: Lake, put) -> None:
        put("robinhood.csv")
        assert _one(lake, kind="split")["quantity"] == D("60.5")
        assert _one(lake, kind="reinvestment")["asset_id"] == "ALDR"
        assert _one(lake, kind="merger")["related_asset_id"] == "ELMM"
        assert _one(lake, kind="return_of_capital")["amount_usd"] == D(3)
        assert _one(lake, kind="option_close")["underlying_asset_id"] == "ALDR"

    def test_the_raw_contract_keeps_its_identifiers(self, lake: Lake, put) -> None:
        put("contract.csv")
        assert [r["transaction_id"] for r in lake.rows()] == ["c-1", "c-2", "c-3", "c-4"]


def test_an_unknown_security_gets_an_imputed_assets_row(lake: Lake, put) -> None:
    put("ofx_investment.ofx")
    assets = {
        a: (c, k)
        for a, c, k in lake.frames["market__assets"].select("asset_id", "asset_class", "known_at").iter_rows()
    }
    assert assets["MAPLX"] == ("equity_etf", dt.datetime(1988, 1, 1, tzinfo=dt.UTC))
    assert assets["555555555"][0] == "bond_etf"
    assert "ALDR-2023-03-17-CALL-22" not in assets


def test_a_cusip_finds_the_asset_that_an_isin_made(lake: Lake, put, tmp_path) -> None:
    put("ibkr_flex.xml")
    text = (
        (FIXTURES / "ofx_xml.ofx").read_text().replace("US0378331005", "111111111").replace("ISIN", "CUSIP")
    )
    path = tmp_path / "cusip.ofx"
    path.write_text(text)
    put(path)
    assert {r["asset_id"] for r in lake.rows(account_id="INV-0002") if r["kind"] == "buy"} == {
        "ALDR",
        "GB0002634946",
    }
