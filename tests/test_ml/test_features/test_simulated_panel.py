"""Panels of simulated markets against the plain oracle of the feature store; no look ahead; shape and speed."""

import datetime as dt
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from dagster_project.sources.calendar import session_frame
from ml.features.catalog import FEATURE_COLUMNS
from ml.features.grid import GridError
from ml.features.panel import FeaturePanel
from ml.features.simulated_panel import compute_panel, simulated_panel
from ml.simulate.market import BENCHMARK_ASSET_ID, MarketFrames, simulate_market
from tests.test_dbt.oracle import Oracle

START = dt.date(2012, 1, 3)
SESSIONS = 640
PAIRS = 48


def _sessions(count: int = SESSIONS) -> pl.DataFrame:
    return session_frame().filter(pl.col("session_date") >= START).head(count)


def _cut(made: MarketFrames, ids: list[str]) -> MarketFrames:
    chosen = pl.col("asset_id").is_in(ids)
    return replace(
        made,
        assets=made.assets.filter(chosen),
        daily_bars=made.daily_bars.filter(chosen),
        corporate_actions=made.corporate_actions.filter(chosen),
    )


def _action(asset_id: str, ex_date: dt.date, kind: str, **values: float) -> dict:
    known = dt.datetime(ex_date.year, ex_date.month, ex_date.day, tzinfo=dt.UTC) - dt.timedelta(10)
    return {"asset_id": asset_id, "ex_date": ex_date, "kind": kind, "known_at": known, **values}


def _awkward(made: MarketFrames, days: list[dt.date]) -> MarketFrames:
    """The market with what a simulation lacks: gaps, an end, missing facts, accumulating prices, other actions."""
    ids = made.assets["asset_id"].unique().sort().to_list()
    gaps, gone, unknown, accumulating, plain = (i for i in ids[1:6])
    bars, day, name = made.daily_bars, pl.col("trade_date"), pl.col("asset_id")
    in_a_gap = day.is_in([*days[300:303], *days[420:428]])
    bars = bars.filter(
        ~((name == gaps) & in_a_gap),
        ~((name == gone) & (day > days[450])),
        ~((name == BENCHMARK_ASSET_ID) & ((day < days[40]) | (day == days[500]))),
    ).with_columns(
        pl.when(name == accumulating).then(None).otherwise(pl.col(c)).alias(c)
        for c in ("open", "high", "low", "close", "volume")
    )
    bars = bars.with_columns(
        adjusted_close=pl.when(name == plain).then(None).otherwise("adjusted_close"),
    )
    actions = pl.DataFrame(
        [
            _action(plain, days[350], "spin_off", basis_fraction=0.1),
            _action(plain, days[350], "capital_gain_distribution", cash_per_share_usd=0.7),
            _action(plain, days[400], "split", ratio_new=3.0, ratio_old=2.0),
            _action(gaps, days[421], "dividend", cash_per_share_usd=0.4),
        ],
        infer_schema_length=None,
    )
    assets = made.assets.filter(name != unknown).with_columns(
        price_basis=pl.when(name == accumulating).then(pl.lit("accumulating")).otherwise("price_basis")
    )
    actions = actions.with_columns(pl.col("known_at").cast(made.corporate_actions.schema["known_at"]))
    # an accumulating price has no dividends beside it
    simulated = made.corporate_actions.filter(name != accumulating)
    both = pl.concat([simulated, actions], how="diagonal_relaxed")
    return replace(made, daily_bars=bars, corporate_actions=both, assets=assets)


@pytest.fixture(scope="module")
def market() -> MarketFrames:
    """Twelve assets: the market, three that split, two listed late, others."""
    made = simulate_market(assets=160, start_date=START, sessions=_sessions(), seed=3)
    splits = made.corporate_actions.filter(pl.col("kind") == "split")["asset_id"].unique().sort().head(3)
    late = made.assets.filter(pl.col("listed_date") > START)["asset_id"].unique().sort().head(2)
    assert len(splits) == 3 and len(late) == 2
    others = made.assets.unique("asset_class", maintain_order=True)["asset_id"].to_list()
    wanted = dict.fromkeys([BENCHMARK_ASSET_ID, *others, *splits, *late])
    return _awkward(_cut(made, list(wanted)), _sessions()["session_date"].to_list())


def _panel(market: MarketFrames, sessions: pl.DataFrame) -> FeaturePanel:
    last = sessions["session_date"][-1]
    return compute_panel(
        market.assets,
        market.daily_bars.filter(pl.col("trade_date") <= last),
        market.corporate_actions,
        sessions,
        BENCHMARK_ASSET_ID,
        "test",
    )


@pytest.fixture(scope="module")
def panel(market) -> FeaturePanel:
    """The panel of the twelve."""
    return _panel(market, _sessions())


def test_features_equal_the_oracle(market, panel):
    oracle = Oracle(
        {
            "market__daily_bars": market.daily_bars,
            "market__corporate_actions": market.corporate_actions,
            "market__assets": market.assets,
        },
        market=BENCHMARK_ASSET_ID,
    )
    rng = np.random.default_rng(8)
    evenings = [30, 60, 305, 422, 426, 452, 458, *rng.integers(0, SESSIONS, 5).tolist(), SESSIONS - 1]
    pairs = [(t, i) for t in evenings for i in range(len(panel.asset_ids))]
    chosen = [pairs[k] for k in sorted(rng.choice(len(pairs), 2 * PAIRS, replace=False))]
    offset = oracle.days.index(START) + 1
    served = 0
    for t, i in chosen:
        expected = oracle.features(panel.asset_ids[i], t + offset)
        assert panel.is_present[t, i] == (expected is not None)
        if expected is None:
            assert np.isnan(panel.features[t, i]).all()
            continue
        served += 1
        np.testing.assert_allclose(
            panel.features[t, i].astype(float),
            [expected[name] for name in FEATURE_COLUMNS],
            rtol=1e-6,
            atol=1e-9,  # the catalog rounds to ten decimals
            err_msg=f"{panel.asset_ids[i]} on {panel.dates[t]}: {FEATURE_COLUMNS}",
        )
    assert served >= PAIRS


def test_no_value_reads_a_later_session(market, panel):
    cut = 450
    early = _panel(market, _sessions(cut))
    positions = np.array([panel.asset_ids.index(a) for a in early.asset_ids])
    late = panel.take(slice(0, cut), positions)
    for name in ("features", "channels", "is_present", "is_stale"):
        np.testing.assert_array_equal(getattr(early, name), getattr(late, name))


def test_order_of_rows_and_assets_decides_nothing(market, panel):
    shuffled = replace(
        market,
        daily_bars=market.daily_bars.sample(fraction=1.0, shuffle=True, seed=1),
        assets=market.assets.reverse(),
        corporate_actions=market.corporate_actions.reverse(),
    )
    again = _panel(shuffled, _sessions())
    np.testing.assert_array_equal(again.features, panel.features)
    np.testing.assert_array_equal(again.channels, panel.channels)


def test_channels_and_staleness(market, panel):
    bars = market.daily_bars.filter(pl.col("asset_id") == panel.asset_ids[-1]).sort("trade_date")
    column = len(panel.asset_ids) - 1
    t = np.searchsorted(panel.dates, np.datetime64(bars["trade_date"][-1]))
    last, before = bars.row(-1, named=True), bars.row(-2, named=True)
    total = np.log(last["adjusted_close"] / before["adjusted_close"])
    assert panel.channels[t, column] == pytest.approx(
        [
            total,
            np.log(last["high"] / last["low"]),
            np.log(last["open"] / last["close"]) + total,
            np.log(last["close"] * last["volume"]),
            panel.total_return_log[t, 0],
        ],
        rel=1e-5,
    )
    # the second of the ids trades until session 450
    gone = panel.asset_ids.index(market.assets["asset_id"].unique().sort()[2])
    assert panel.is_present[454, gone] and not panel.is_stale[454, gone]
    assert not panel.is_present[455, gone] and panel.is_stale[455, gone]
    assert np.isnan(panel.channels[451:, gone, :4]).all()


def test_bars_outside_the_sessions_are_refused(market):
    sessions = _sessions().filter(pl.col("session_date") != dt.date(2012, 5, 1))
    with pytest.raises(GridError, match="2012-05-01: no session"):
        _panel(market, sessions)
    doubled = replace(market, daily_bars=pl.concat([market.daily_bars, market.daily_bars.head(1)]))
    with pytest.raises(GridError, match="two bars"):
        _panel(doubled, _sessions())


def test_simulated_panel_is_whole_seeded_and_quick():
    simulated_panel(assets=2, years=1, seed=1)  # compiles the simulator
    start = time.process_time()
    panel = simulated_panel(assets=60, years=4, seed=5)
    assert time.process_time() - start < 5
    assert panel.features.shape == (4 * 252, 60, 50) and panel.features.dtype == np.float32
    assert panel.asset_ids[0] == BENCHMARK_ASSET_ID and panel.source == "simulated:5"
    assert np.isnan(panel.features[~panel.is_present]).all()
    assert np.isfinite(panel.features[panel.is_present]).all()
    beta = panel.features[:, 0, FEATURE_COLUMNS.index("comovement__beta_252d")]
    assert beta == pytest.approx(1.0, abs=1e-5)
    first = simulated_panel(assets=20, years=4, seed=5)
    np.testing.assert_array_equal(first.features, panel.features[:, :20])
    assert not np.array_equal(simulated_panel(assets=2, years=4, seed=6).features, first.features[:, :2])
