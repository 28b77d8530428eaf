"""The feature chain, point in time: past values do not move, increments equal rebuilds, all equals a slow oracle."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from ml.features.catalog import FEATURE_COLUMNS
from tests.test_dbt.lake import INGESTED_AT, Lake
from tests.test_dbt.oracle import Oracle
from tests.test_dbt.scenario import CUT, END, Scenario, make_scenario

pytestmark = pytest.mark.slow

CHAIN = "+int_assets__built +fct_asset_prices__daily"
FEATURES = "select * from features.feat_asset_metadata__daily order by as_of_date, asset_id"
PRICES = "select * from core.fct_asset_prices__daily order by as_of_date, asset_id"
STORE = (FEATURES, PRICES)
# More of its past arrives after the first build: its own past values change, rightly.
REINGESTED = ["LTE"]


def _fill(lake: Lake, tables: dict[str, pl.DataFrame], ingested_at: dt.datetime = INGESTED_AT) -> None:
    for name, rows in tables.items():
        lake.add(name, rows, ingested_at=ingested_at)


def _build(lake: Lake, night: dt.date) -> dict[str, pl.DataFrame]:
    lake.build(night, command="run", select=CHAIN)
    return {sql: lake.read(sql) for sql in STORE}


class Nights:
    """The builds that the tests compare."""

    def __init__(self, scenario: Scenario, grown: Lake, fresh: Lake) -> None:
        later = INGESTED_AT + dt.timedelta(days=1)
        _fill(grown, scenario.past)
        self.first = _build(grown, CUT)
        self.again = _build(grown, CUT)
        _fill(grown, scenario.future, later)
        self.middle = _build(grown, dt.date(2020, 7, 16))
        # a build that dies between the grid and the feature store loses nothing
        grown.build(END, command="run", select="+int_prices__gridded")
        self.increment = _build(grown, END)
        _fill(fresh, scenario.everything)
        self.rebuild = _build(fresh, END)
        self.replay_after_future = _build(grown, CUT)
        self.grown = grown


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return make_scenario()


@pytest.fixture(scope="module")
def nights(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    return Nights(scenario, Lake(tmp_path_factory.mktemp("grown")), Lake(tmp_path_factory.mktemp("fresh")))


def _assert_agree(actual: pl.DataFrame, expected: pl.DataFrame) -> None:
    """The same keys, and every number within 1e-9 * max(1, |a|)."""
    keys = ["as_of_date", "asset_id"]
    assert actual.select(keys).equals(expected.select(keys))
    for name, dtype in expected.schema.items():
        if dtype == pl.Float64:
            a, b = actual[name].to_numpy(), expected[name].to_numpy()
            off = ~((np.abs(a - b) <= 1e-9 * np.maximum(1, np.abs(b))) | (np.isnan(a) & np.isnan(b)))
            assert not off.any(), (
                f"{name}:\n{expected.select(keys).with_columns(a=a, b=b).filter(pl.Series(off))}"
            )
        else:
            assert actual[name].equals(expected[name]), name


def _past(frame: pl.DataFrame, *, until: dt.date = CUT) -> pl.DataFrame:
    return frame.filter(pl.col("as_of_date") <= until, ~pl.col("asset_id").is_in(REINGESTED))


@pytest.mark.parametrize("sql", STORE, ids=["features", "prices"])
def test_future_rows_leave_the_past_as_it_was(nights: Nights, sql: str) -> None:
    _assert_agree(_past(nights.increment[sql]), _past(nights.first[sql]))
    _assert_agree(_past(nights.rebuild[sql]), _past(nights.first[sql]))


@pytest.mark.parametrize("sql", STORE, ids=["features", "prices"])
def test_increment_equals_rebuild(nights: Nights, sql: str) -> None:
    assert nights.increment[sql]["as_of_date"].max() == END
    _assert_agree(nights.increment[sql], nights.rebuild[sql])


@pytest.mark.parametrize("sql", STORE, ids=["features", "prices"])
def test_replay_sees_no_later_row(nights: Nights, sql: str) -> None:
    replay = nights.replay_after_future[sql]
    assert replay["as_of_date"].max() == CUT
    _assert_agree(_past(replay), _past(nights.first[sql]))
    # what arrived since but was known then is seen: as the rebuild saw it
    _assert_agree(replay, nights.rebuild[sql].filter(pl.col("as_of_date") <= CUT))


def test_rerun_gives_the_same_bytes(nights: Nights) -> None:
    for sql in STORE:
        assert nights.again[sql].equals(nights.first[sql])


def test_a_later_row_does_change_the_later_nights(nights: Nights) -> None:
    """The correction known on 9 July is seen from that session on: the leak test has something to miss."""
    prices = nights.increment[PRICES].filter(pl.col("asset_id") == "AAA")
    old, new = nights.middle[FEATURES], nights.increment[FEATURES]
    assert old["as_of_date"].max() == dt.date(2020, 7, 16)
    jump = prices.filter(pl.col("as_of_date") == dt.date(2020, 7, 9))["total_return_log"][0]
    assert abs(jump) < 0.1, "the corrected bar of June must not enter the return of July"
    column = "risk__volatility_63d_ann"
    aaa = new.filter(pl.col("asset_id") == "AAA").select("as_of_date", column)
    before = aaa.filter(pl.col("as_of_date") == dt.date(2020, 7, 8))[column][0]
    after = aaa.filter(pl.col("as_of_date") == dt.date(2020, 7, 9))[column][0]
    assert after > before * 1.2


def test_stale_assets_leave_the_store_and_keep_their_price(nights: Nights) -> None:
    features = nights.increment[FEATURES].filter(pl.col("asset_id") == "OLD")
    prices = nights.increment[PRICES].filter(pl.col("asset_id") == "OLD", pl.col("is_stale"))
    assert features["as_of_date"].max() == dt.date(2020, 4, 6)
    assert prices["as_of_date"].min() == dt.date(2020, 4, 7)
    assert prices["as_of_date"].max() == END
    assert prices["price_usd"].n_unique() == 1
    assert prices["price_date"].unique().to_list() == [dt.date(2020, 3, 31)]


def test_late_history_is_not_seen_before_it_was_known(nights: Nights) -> None:
    bulk = nights.rebuild[FEATURES].filter(pl.col("asset_id") == "BLK")
    assert bulk["as_of_date"].min() == dt.date(2020, 5, 4)
    full = bulk.filter(pl.col("as_of_date") == dt.date(2020, 5, 4))
    assert full["risk__volatility_252d_ann"][0] != 0.25, "back-filled history enters once it is known"


SAMPLES = [
    (asset_id, day)
    for asset_id in ("SP500", "AAA", "BTC", "NEW", "BND", "BLK", "FLT", "LTE", "ETH", "TWO", "OLD")
    for day in (
        dt.date(2018, 1, 9),
        dt.date(2019, 1, 31),
        dt.date(2019, 9, 3),
        dt.date(2019, 12, 23),
        dt.date(2020, 3, 4),
        dt.date(2020, 5, 4),
        CUT,
        dt.date(2020, 7, 20),
        END,
    )
]


def test_all_columns_equal_the_oracle(nights: Nights, scenario: Scenario) -> None:
    oracle = Oracle(scenario.everything)
    rows = {(r["asset_id"], r["as_of_date"]): r for r in nights.rebuild[FEATURES].iter_rows(named=True)}
    compared = 0
    for asset_id, day in SAMPLES:
        expected = oracle.features(asset_id, oracle.session_of(day))
        row = rows.get((asset_id, day))
        assert (row is None) == (expected is None), (asset_id, day)
        if expected is None:
            continue
        compared += 1
        for column in FEATURE_COLUMNS:
            tolerance = 1e-9 * max(1.0, abs(expected[column]))
            assert abs(row[column] - expected[column]) <= tolerance, (
                asset_id,
                day,
                column,
                row[column],
                expected[column],
            )
    assert compared > 60


def test_prices_equal_the_oracle(nights: Nights, scenario: Scenario) -> None:
    oracle = Oracle(scenario.everything)
    prices = nights.rebuild[PRICES]
    for asset_id in ("AAA", "BTC", "ETH", "BLK"):
        evening = oracle.session_of(END)
        series = oracle.series(asset_id, evening)
        last = prices.filter(pl.col("asset_id") == asset_id).tail(1).row(0, named=True)
        assert last["price_usd"] == pytest.approx(series.close[-1], rel=1e-12)
        assert last["price_date"] == series.price_date[-1]
        assert last["total_return_log"] == pytest.approx(series.total_return[-1], abs=1e-12)
