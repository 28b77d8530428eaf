"""A folder of tidy Parquet files becomes the panel that the same prices give elsewhere."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.features.catalog import FEATURE_COLUMNS
from ml.features.tidy_panel import TidyPanelError, tidy_panel

DAYS = [
    date(2015, 1, 5) + timedelta(days=i)
    for i in range(420)
    if (date(2015, 1, 5) + timedelta(days=i)).weekday() < 5
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A stock with a 2:1 split and a dividend, a bond fund, a fund whose sector contradicts its category."""
    place = tmp_path_factory.mktemp("tidy")
    rng = np.random.default_rng(0)
    rows = []
    for ticker in ("AAA", "BND", "ODD"):
        index = 50 * np.exp(np.cumsum(0.01 * rng.standard_normal(len(DAYS))))
        factor = np.where(np.arange(len(DAYS)) < 200, 2.0, 1.0) if ticker == "AAA" else np.ones(len(DAYS))
        close = index * factor
        for i, day in enumerate(DAYS):
            c = close[i]
            rows.append((day, ticker, c * 1.001, c * 1.01, c * 0.99, c, index[i], 1000.0))
    columns = ["date", "ticker", "open", "high", "low", "close", "adj_close", "volume"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(place / "prices.parquet")
    pl.DataFrame(
        {
            "ticker": ["AAA", "BND", "ODD"],
            "asset_class": ["equity", "etf", "etf"],
            "sector": ["Telecommunications Services", "Fixed Income", "Financials"],
            "fd_category": [None, "Treasury Bonds", "Emerging Markets"],
        }
    ).write_parquet(place / "reference.parquet")
    pl.DataFrame(
        {
            "ticker": ["AAA", "AAA"],
            "ex_date": [DAYS[200], DAYS[280]],
            "kind": ["split", "cash_dividend"],
            "split_ratio": [2.0, None],
            "cash_per_share": [None, 0.5],
        }
    ).write_parquet(place / "derived_events.parquet")
    return place


def flag(panel, name):
    return panel.features[280, :, FEATURE_COLUMNS.index(name)].tolist()


def test_returns_are_those_of_adjusted_prices(folder):
    panel = tidy_panel(folder, "tidy")
    prices = pl.read_parquet(folder / "prices.parquet").filter(pl.col("ticker") == "AAA")
    expected = np.diff(np.log(prices["adj_close"].to_numpy()))
    np.testing.assert_allclose(panel.channels[1:, 0, 0], expected, atol=1e-6)
    assert np.abs(panel.channels[200, 0, 0]) < 0.1  # the split is no return
    assert panel.asset_ids == ("AAA", "BND", "ODD") and panel.source == "tidy"


def test_classes_and_sectors_are_those_of_the_reference(folder):
    panel = tidy_panel(folder, "tidy")
    assert flag(panel, "class__equity") == [1, 0, 0]
    assert flag(panel, "class__bond_etf") == [0, 1, 0]
    assert flag(panel, "class__equity_etf") == [0, 0, 1]
    assert flag(panel, "sector__communication_services") == [1, 0, 0]
    assert flag(panel, "sector__financials") == [0, 0, 0]  # its category says otherwise


def test_dividends_count(folder):
    panel = tidy_panel(folder, "tidy")
    column = FEATURE_COLUMNS.index("income__dividend_yield_ttm_pct")
    assert panel.features[279, 0, column] == 0 and panel.features[-1, 0, column] > 0.1


def test_a_named_market_is_the_market(folder):
    panel = tidy_panel(folder, "tidy", "BND")
    np.testing.assert_array_equal(panel.channels[:, 0, -1], panel.channels[:, 1, 0])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TidyPanelError, match=r"has no prices\.parquet"):
        tidy_panel(tmp_path, "tidy")
