"""OFX and Interactive Brokers: cells, dates, lots, corporate actions, positions, gains."""

import datetime as dt
from decimal import Decimal as D

import pytest

from tests.test_dagster_project.test_sources.test_brokerage.conftest import FIXTURES, Lake


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
            "ALDR",
            D(100),
            D("-2001"),
            D(1),
        )

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
        assert (
            option["option_right"],
            option["strike_usd"],
            option["expiry_date"],
            option["underlying_asset_id"],
        ) == (
            "call",
            D(22),
            dt.date(2023, 3, 17),
            "ALDR",
        )
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
            "U7654321": "roth_ira",
            "U7654322": "taxable",
            "U3000001": "taxable",
            "U4000001": "taxable",
        }

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
            (D(5), D(105), 2020),
            (D(3), D(75), 2021),
        ]

    def test_positions_are_compared(self) -> None:
        shown = {
            p["symbol"]: (p["quantity"], p["stated_quantity"], p["state"])
            for p in self.lake.shown["ibkr_flex.xml"]
        }
        assert shown == {
            "FIRR": (D(70), D(70), "matched"),
            "BRCH": (D("16.75"), D(99), "differs"),
            "OAKK": (D(0), D(3), "missing_history"),
        }
        assert [p["state"] for p in self.lake.shown["ibkr_activity.csv"]] == ["matched"]

    def test_gains_per_sale_and_per_lot(self) -> None:
        gains = self.lake.frames["brokerage__reported_gains"].filter(source_file="ibkr_flex.xml")
        assert sorted(gains.select("level", "gain_usd", "sale_transaction_id", "term").iter_rows()) == [
            ("lot", D(148), "ibkr_flex:U7654321:tradeID:1003", "short"),
            ("sale", D(148), "ibkr_flex:U7654321:tradeID:1003", None),
        ]

    def test_payment_in_lieu_is_interest(self) -> None:
        assert _one(self.lake, transaction_id="ibkr_flex:U7654321:transactionID:5006")["kind"] == "interest"


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
