"""Facts of the packaged source: rows, dates, what came from which package."""

import datetime as dt

import polars as pl
import pytest

from dagster_project.sources import packaged
from dagster_project.sources.batches import SourceError
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.corporate_actions import derive_corporate_actions
from dagster_project.sources.ingest import ingest
from dagster_project.sources.packaged_facts import ASSET_FACTS, BENCHMARK_ASSET_IDS

BOKEH = "bokeh_sampledata/_data/stocks.csv.gz"


@pytest.fixture(scope="module")
def result():
    return ingest(
        packaged.packaged_market_batches(),
        run_id="r",
        as_of_date=dt.date(2022, 12, 28),
        ingested_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        today=dt.date(2024, 1, 1),
    )


@pytest.fixture(scope="module")
def bars(result):
    return result.accepted["market__daily_bars"]


def test_every_row_is_accepted(result):
    assert result.quarantine.is_empty()
    assert result.warnings == []
    read = {
        file: n for file, n in result.counts.group_by("source_file").agg(pl.col("accepted").sum()).iter_rows()
    }
    assert read["skfolio/datasets/data/sp500_dataset.csv.gz"] == 20 * 8313
    assert read["skfolio/datasets/data/factors_dataset.csv.gz"] == 5 * 2264
    assert read["skfolio/datasets/data/sp500_index.csv.gz"] == 8313
    assert read[BOKEH] == 3270 + 2148 + 196 + 52


def test_all_trade_dates_are_sessions_and_known_at_their_close(bars):
    joined = bars.join(session_frame(), left_on="trade_date", right_on="session_date", how="left")
    assert joined["close_at"].null_count() == 0
    assert (joined["known_at"] == joined["close_at"]).all()


def test_assets_are_known_before_their_first_bar(result, bars):
    first = bars.group_by("asset_id").agg(pl.col("known_at").min().alias("first_bar"))
    joined = result.accepted["market__assets"].join(first, on="asset_id")
    assert joined.height == len(ASSET_FACTS)
    assert (joined["known_at"] < joined["first_bar"]).all()


def test_price_bases(result):
    basis = dict(result.accepted["market__assets"].select("asset_id", "price_basis").iter_rows())
    assert {asset for asset, value in basis.items() if value == "as_traded"} == {"IBM", "GOOG", "FB"}
    assert set(BENCHMARK_ASSET_IDS) <= set(basis)


@pytest.mark.parametrize("asset", ["AAPL", "MSFT"])
def test_apple_and_microsoft_take_no_price_from_bokeh(bars, asset):
    rows = bars.filter(pl.col("asset_id") == asset)
    assert rows["close"].null_count() == rows.height
    raw = packaged._bokeh_bars().filter(pl.col("asset_id") == asset)
    wide = packaged._skfolio_bars("sp500_dataset.csv.gz").filter(pl.col("asset_id") == asset)
    assert rows["adjusted_close"].to_list() == wide["adjusted_close"].to_list()
    joined = rows.join(raw, on="trade_date", suffix="_raw")
    assert joined.height == raw.height
    # What the range features and the dollar volume read is what was traded that day.
    assert (joined["high"] / joined["low"]).to_list() == pytest.approx(
        (joined["high_raw"] / joined["low_raw"]).to_list()
    )
    traded = (joined["adjusted_close"] * joined["volume"]).to_list()
    assert traded == pytest.approx((joined["close_raw"] * joined["volume_raw"]).to_list())


def test_ibms_dividends_are_derived_and_no_split_falls_into_its_file(result):
    actions = result.accepted["market__corporate_actions"]
    assert actions["asset_id"].unique().to_list() == ["IBM"]
    assert actions["kind"].unique().to_list() == ["dividend"]
    assert actions.height == 52
    paid = dict(actions.select("ex_date", pl.col("cash_per_share_usd").cast(pl.Float64)).iter_rows())
    assert paid[dt.date(2000, 5, 8)] == 0.13
    assert paid[dt.date(2008, 5, 7)] == 0.50
    assert paid[dt.date(2013, 2, 6)] == 0.85
    opens = dict(session_frame().select("session_date", "open_at").iter_rows())
    assert all(known == opens[day] for day, known in actions.select("ex_date", "known_at").iter_rows())


def test_detector_finds_apples_and_microsofts_known_events():
    found = derive_corporate_actions(packaged._bokeh_bars())
    splits = (
        found.filter(pl.col("kind") == "split").select("asset_id", "ex_date", "ratio_new", "ratio_old").rows()
    )
    assert [(asset, day, float(new / old)) for asset, day, new, old in splits] == [
        ("AAPL", dt.date(2000, 6, 21), 2.0),
        ("AAPL", dt.date(2005, 2, 28), 2.0),
        ("MSFT", dt.date(2003, 2, 18), 2.0),
    ]
    special = found.filter(pl.col("asset_id") == "MSFT", pl.col("ex_date") == dt.date(2004, 11, 15))
    assert float(special["cash_per_share_usd"].item()) == 3.08


def test_detector_survives_adjusted_closes_rounded_to_cents():
    exact = packaged._bokeh_bars()
    rounded = derive_corporate_actions(
        exact.with_columns(pl.col("adjusted_close").round(2)), rounding_usd=0.005
    )
    events = ["asset_id", "ex_date", "kind"]
    assert rounded.select(events).equals(derive_corporate_actions(exact).select(events))


def test_rates_are_known_the_next_morning(result):
    rates = result.accepted["market__rates"]
    assert rates.height == 6816
    assert rates.row(0)[:3] == (dt.date(1990, 1, 2), "3m", 7.83)
    assert rates["rate_date"].max() == dt.date(2017, 3, 29)
    assert rates["known_at"][0] == dt.datetime(1990, 1, 3, 12, tzinfo=dt.UTC)


def test_last_date_is_the_default_night():
    assert packaged.last_packaged_date() == dt.date(2022, 12, 28)


def test_missing_package_names_the_remedy():
    with pytest.raises(SourceError, match=r"need the package no-such-package: run `uv sync`"):
        packaged._package_file("no_such_package", "x.csv")
