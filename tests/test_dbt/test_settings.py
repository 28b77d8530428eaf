"""What an installation chooses: the market (or the mean of the equities without one) and the order of price sources."""

import datetime as dt

import polars as pl
import pytest

from ml.features.catalog import FEATURE_COLUMNS
from tests.test_dbt.lake import INGESTED_AT, Lake
from tests.test_dbt.oracle import Oracle
from tests.test_dbt.scenario import make_scenario

pytestmark = pytest.mark.slow

FIRST, LAST = dt.date(2019, 6, 28), dt.date(2019, 7, 8)
FEATURES = "select * from features.feat_asset_metadata__daily order by as_of_date, asset_id"


def _scenario() -> dict[str, pl.DataFrame]:
    """The scenario without its index, cut to what is known by the last night."""
    until = dt.datetime.combine(LAST, dt.time(23), dt.UTC)
    keep = ["AAA", "BTC", "BND", "OLD", "LTE"]
    return {
        name: rows.filter(pl.col("asset_id").is_in(keep), pl.col("known_at") <= until)
        for name, rows in make_scenario().everything.items()
    }


def _assert_equal_oracle(frame: pl.DataFrame, oracle: Oracle, assets: list[str]) -> None:
    rows = {row["asset_id"]: row for row in frame.filter(pl.col("as_of_date") == LAST).iter_rows(named=True)}
    assert sorted(rows) == sorted(assets)
    for asset_id, row in rows.items():
        expected = oracle.features(asset_id, oracle.session_of(LAST))
        assert expected is not None
        for column in FEATURE_COLUMNS:
            assert row[column] == pytest.approx(expected[column], abs=1e-9 * max(1, abs(expected[column]))), (
                column
            )


def test_without_a_market_asset_the_equities_are_the_market(lake: Lake) -> None:
    tables = _scenario()
    for name, rows in tables.items():
        lake.add(name, rows)
    lake.build(FIRST, command="run", select="+int_assets__built")
    lake.build(LAST, command="run", select="+int_assets__built")
    built = lake.read(FEATURES)
    _assert_equal_oracle(built, Oracle(tables), ["AAA", "BTC", "BND", "OLD", "LTE"])
    beta = built.filter(pl.col("as_of_date") == LAST)["comovement__beta_252d"]
    assert beta.n_unique() > 3


def test_the_first_source_that_has_an_asset_prices_it(lake: Lake) -> None:
    """The lake of the test before holds source `files`; another source's bars of two assets come in."""
    tables = _scenario()
    bars = tables["market__daily_bars"]
    other = bars.filter(pl.col("asset_id").is_in(["OLD", "LTE"])).with_columns(
        pl.col("close") * 2, pl.col("high") * 2
    )
    lake.add("market__daily_bars", other, source="import", ingested_at=INGESTED_AT + dt.timedelta(1))
    prices = (
        "select source, price_usd from core.fct_asset_prices__daily "
        f"where asset_id = 'OLD' and as_of_date = date '{LAST}'"
    )
    select = "+int_assets__built +fct_asset_prices__daily"

    lake.build(LAST, command="run", select=select, price_sources="files,import")
    source, price = lake.read(prices).row(0)
    assert source == "files"
    before = lake.read(FEATURES)

    lake.build(LAST, command="run", select=select, price_sources="import,files")
    assert lake.read(prices).row(0) == ("import", price * 2)
    assert lake.read(FEATURES).height == before.height, "what the first source lacks, the second prices"

    lake.build(LAST, command="run", select=select, price_sources="import")
    assert lake.read("select distinct asset_id from core.fct_asset_prices__daily order by 1")[
        "asset_id"
    ].to_list() == [
        "LTE",
        "OLD",
    ]
    assert lake.read("select distinct asset_id from features.feat_asset_metadata__daily").height == 2


def test_full_refresh_gives_the_same_rows(lake: Lake) -> None:
    before = lake.read(FEATURES)
    lake.build(LAST, "--full-refresh", command="run", price_sources="import")
    assert lake.read(FEATURES).equals(before)


def test_full_refresh_of_a_part_is_refused(lake: Lake) -> None:
    lake.night(LAST, price_sources="import")
    lake.dbt("run", "--select", "int_assets__planned")
    result = lake.dbt("run", "--full-refresh", "--select", "int_prices__gridded", check=False)
    assert result.returncode != 0
    assert "select int_assets__planned+" in result.stdout
