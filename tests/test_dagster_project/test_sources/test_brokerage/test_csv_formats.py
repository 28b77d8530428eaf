"""CSV and JSON exports: order within a day, events of several rows, accounts, awards."""

import datetime as dt
from decimal import Decimal as D

import pytest

from tests.test_dagster_project.test_sources.test_brokerage.conftest import Lake


def _one(lake: Lake, **equal) -> dict:
    rows = lake.rows(**equal)
    assert len(rows) == 1, rows
    return rows[0]


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

    @pytest.mark.parametrize(
        ("name", "asset", "amount"),
        [
            ("ofx_investment.ofx", "MAPLX", 3),
            ("alpaca.json", "ALDR", D("0.3")),
            ("schwab.csv", "MAPLX", 3),
            ("fidelity_History_X12345678.csv", "MAPLX", 3),
            ("vanguard.csv", "MAPLX", 3),
        ],
    )
    def test_short_term_gain_distributions_are_dividends_that_never_qualify(
        self, name: str, asset: str, amount: D, lake: Lake, put
    ) -> None:
        put(name)
        row = next(r for r in lake.rows(kind="dividend") if r["underlying_asset_id"] == asset)
        assert (row["asset_id"], row["amount_usd"]) == (None, amount)
