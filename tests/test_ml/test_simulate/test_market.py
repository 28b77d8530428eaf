"""The simulated market: consistent bars and actions, extension without change, classes."""

import itertools
from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.simulate.households import generate_households
from ml.simulate.market import (
    BENCHMARK_ASSET_ID,
    MarketFrames,
    generate_market,
    iter_market_blocks,
    simulate_bars_parquet,
    simulate_market,
)
from ml.simulate.market_factors import simulate_factors
from ml.simulate.population import measure_population
from ml.types import ASSET_CLASSES, CORPORATE_ACTION_KINDS, SECTORS, TAX_TREATMENTS

START = date(2010, 1, 4)


@pytest.fixture(scope="module")
def market() -> MarketFrames:
    """Return 150 assets over 1,761 sessions, the length of the series that the figures were measured on."""
    return simulate_market(assets=150, start_date=START, sessions=1761, seed=1)


def _returns(market: MarketFrames, kind: str) -> pl.DataFrame:
    """Return log total returns [sessions, assets] of the assets of a class that lived throughout."""
    ids = market.assets.filter(pl.col("asset_class") == kind)["asset_id"].unique().sort()
    bars = market.daily_bars.filter(pl.col("asset_id").is_in(ids.to_list())).with_columns(
        pl.col("adjusted_close").log().diff().over("asset_id").alias("r")
    )
    wide = bars.pivot(on="asset_id", index="trade_date", values="r").sort("trade_date").drop("trade_date")
    whole = [c for c in wide.columns if wide[c].null_count() == 1]
    return wide.select(whole)[1:]


def test_frames_follow_the_contract(market):
    assert market.daily_bars.columns == [
        "asset_id", "trade_date", "open", "high", "low", "close", "adjusted_close", "volume", "known_at"
    ]  # fmt: skip
    for frame, key in (
        (market.assets, ["asset_id", "known_at"]),
        (market.daily_bars, ["asset_id", "trade_date"]),
        (market.corporate_actions, ["asset_id", "ex_date", "kind"]),
        (market.rates, ["rate_date", "tenor"]),
    ):
        keys = frame.select(key)
        assert not keys.is_duplicated().any() and keys.equals(keys.sort(key))
        assert frame["known_at"].dtype == pl.Datetime("us", "UTC") and frame["known_at"].null_count() == 0
    assert set(market.assets["asset_class"]) == set(ASSET_CLASSES)
    assert set(market.assets["sector"].drop_nulls()) <= set(SECTORS)
    assert set(market.assets["tax_treatment"]) <= set(TAX_TREATMENTS)
    assert (
        set(market.corporate_actions["kind"])
        == {"dividend", "split", "merger"}
        <= set(CORPORATE_ACTION_KINDS)
    )
    shares = market.assets.unique("asset_id")["asset_class"].value_counts()
    equity = shares.filter(pl.col("asset_class") == "equity")["count"][0]
    assert 0.65 < equity / 150 < 0.75
    assert (market.rates["rate_pct"] > 0).all()
    assert (market.rates["known_at"].dt.date() > market.rates["rate_date"]).all()


def test_bars_are_consistent(market):
    b = market.daily_bars
    assert (b["low"] <= b.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert (b["high"] >= b.select(pl.max_horizontal("open", "close")).to_series()).all()
    assert (b["low"] > 0).all() and (b["volume"] >= 1).all()
    assert b.select(pl.all().is_null().any()).row(0) == (False,) * len(b.columns)
    assert (
        b.select(pl.col("open", "high", "low", "close", "adjusted_close").is_finite().all()).row(0)
        == (True,) * 5
    )
    # The true range carries information: it is zero on hardly any day of an equity.
    equity = b.join(
        market.assets.filter(pl.col("asset_class") == "equity").unique("asset_id"), on="asset_id", how="semi"
    )
    assert ((equity["high"] - equity["low"]) / equity["close"]).median() > 0.005


def test_adjusted_close_is_close_and_actions(market):
    actions = market.corporate_actions.filter(pl.col("kind") != "merger").with_columns(
        (pl.col("ratio_new") / pl.col("ratio_old")).cast(pl.Float64).alias("ratio"),
        pl.col("cash_per_share_usd").cast(pl.Float64),
    )
    day = actions.group_by("asset_id", "ex_date").agg(
        pl.col("ratio").max(), pl.col("cash_per_share_usd").sum()
    )
    bars = market.daily_bars.join(
        day,
        left_on=["asset_id", "trade_date"],
        right_on=["asset_id", "ex_date"],
        how="left",
        maintain_order="left",
    ).with_columns(pl.col("ratio").fill_null(1.0), pl.col("cash_per_share_usd").fill_null(0.0))
    previous = pl.col("close").shift().over("asset_id")
    ours = (pl.col("close") + pl.col("cash_per_share_usd")) * pl.col("ratio") / previous
    theirs = pl.col("adjusted_close") / pl.col("adjusted_close").shift().over("asset_id")
    gap = bars.select(((ours / theirs).log()).abs().alias("gap")).drop_nulls()["gap"]
    assert (day["ratio"] > 1).sum() > 5 and (day["cash_per_share_usd"] > 0).sum() > 2000
    assert gap.max() < 1e-9


def test_mergers_end_an_asset_and_are_announced(market):
    mergers = market.corporate_actions.filter(pl.col("kind") == "merger")
    assert mergers.height >= 3
    for m in mergers.to_dicts():
        bars = market.daily_bars.filter(pl.col("asset_id") == m["asset_id"])
        assert bars["trade_date"].max() < m["ex_date"]
        assert (m["ex_date"] - m["known_at"].date()).days > 20
        assert float(m["cash_per_share_usd"]) == pytest.approx(bars["close"][-1])
        versions = market.assets.filter(pl.col("asset_id") == m["asset_id"])
        assert (
            versions["delisted_date"].to_list()[-1] == m["ex_date"] and versions["delisted_date"][0] is None
        )
    late = market.assets.unique("asset_id", keep="first").filter(pl.col("listed_date") > START)
    first = market.daily_bars.group_by("asset_id").agg(pl.col("trade_date").min())
    both = late.join(first, on="asset_id")
    assert both.height > 10 and (both["trade_date"] == both["listed_date"]).all()


def test_splits_keep_the_market_value(market):
    splits = market.corporate_actions.filter(pl.col("kind") == "split").head(5)
    for s in splits.to_dicts():
        versions = market.assets.filter(pl.col("asset_id") == s["asset_id"])["shares_outstanding"].to_list()
        ratio = float(s["ratio_new"] / s["ratio_old"])
        assert any(b == pytest.approx(a * ratio, rel=1e-6) for a, b in itertools.pairwise(versions))


def test_more_assets_and_sessions_leave_what_was_there():
    small = simulate_market(assets=20, start_date=START, sessions=1500, seed=3)
    large = simulate_market(assets=31, start_date=START, sessions=1560, seed=3)
    end = small.daily_bars["trade_date"].max()
    for name in ("daily_bars", "rates", "assets", "corporate_actions"):
        ours, theirs = getattr(small, name), getattr(large, name)
        if name != "rates":
            theirs = theirs.filter(pl.col("asset_id").str.slice(3).cast(pl.Int64) <= 20)
        if name in ("daily_bars", "rates"):
            theirs = theirs.filter(pl.col("trade_date" if name == "daily_bars" else "rate_date") <= end)
        else:
            # Dividends and splits are listed when they go ex, buy-outs when they are announced.
            last = pl.lit(end).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") + pl.duration(days=1)
            done = pl.col("known_at") < last
            if name == "corporate_actions":
                done &= (pl.col("ex_date") <= end) | (pl.col("kind") == "merger")
                ours = ours.filter(done)
            theirs = theirs.filter(done)
        assert ours.height > 0
        assert_frame_equal(ours, theirs)


def test_blocks_and_files_hold_the_same_bars(tmp_path):
    whole = simulate_market(assets=12, start_date=START, sessions=504, seed=4)
    blocks = list(iter_market_blocks(assets=12, start_date=START, sessions=504, seed=4, block_sessions=50))
    assert_frame_equal(pl.concat([b for b, _ in blocks]).sort("asset_id", "trade_date"), whole.daily_bars)
    actions = pl.concat([a for _, a in blocks]).sort("asset_id", "ex_date", "kind")
    assert_frame_equal(actions, whole.corporate_actions)
    files = simulate_bars_parquet(tmp_path, assets=12, years=2, seed=4, start_date=START)
    written = pl.concat([pl.read_parquet(f) for f in files])
    assert written["trade_date"].is_sorted() and set(written["source"]) == {"simulated"}
    assert_frame_equal(written.drop("source").sort("asset_id", "trade_date"), whole.daily_bars)


def test_another_seed_is_another_market():
    first, second = (simulate_market(assets=3, start_date=START, sessions=300, seed=s) for s in (1, 2))
    assert not first.daily_bars["close"].equals(second.daily_bars["close"])


def test_generate_market_ends_where_it_should(market):
    days = market.daily_bars["trade_date"].unique().sort()
    stamp = pl.Series(days).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    sessions = pl.DataFrame({"session_no": range(len(days)), "session_date": days}).with_columns(
        (stamp + pl.duration(hours=14)).alias("open_at"), (stamp + pl.duration(hours=21)).alias("close_at")
    )
    made = generate_market(sessions, assets=5, years=2, seed=1, end_date=date(2015, 6, 30))
    assert made.daily_bars["trade_date"].max() == date(2015, 6, 30)
    assert made.daily_bars["trade_date"].min() == date(2013, 6, 28)
    with pytest.raises(ValueError, match="no sessions to simulate"):
        generate_market(sessions, assets=5, years=2, seed=1, end_date=date(2005, 6, 30))
    with pytest.raises(ValueError, match="assets must be at least 1"):
        simulate_market(assets=0, start_date=START, sessions=10, seed=1)


def test_dividends_pay_what_stocks_pay(market):
    equities = market.assets.filter(pl.col("asset_class") == "equity").unique("asset_id")
    paid = (
        market.corporate_actions.filter(pl.col("kind") == "dividend")
        .join(equities, on="asset_id", how="semi")
        .group_by("asset_id")
        .agg(pl.col("cash_per_share_usd").cast(pl.Float64).mean().alias("cash"))
        .join(market.daily_bars.group_by("asset_id").agg(pl.col("close").mean()), on="asset_id")
    )
    rate = 4 * paid["cash"] / paid["close"]
    assert 0.72 < paid.height / equities.height < 0.93
    assert 0.013 < rate.median() < 0.03
    assert rate.quantile(0.1) < 0.013 and rate.quantile(0.9) > 0.03


def test_classes_have_their_own_levels(market):
    volatility = {k: np.median(_returns(market, k).to_numpy().std(axis=0)) * 252**0.5 for k in ASSET_CLASSES}
    order = ["cash", "bond_etf", "commodity", "equity", "crypto"]
    levels = [volatility[k] for k in order]
    assert levels == sorted(levels)
    assert volatility["cash"] < 0.01 and 0.5 < volatility["crypto"] < 1.6
    assert volatility["equity_etf"] < volatility["equity"]


def test_bonds_hedge_in_turmoil_and_correlations_rise():
    made = simulate_market(assets=160, start_date=START, sessions=3000, seed=4)
    turbulent = simulate_factors(3000, 4).turbulent[1:] == 1
    equity = _returns(made, "equity").to_numpy()
    fund = _returns(made, "equity_etf")[BENCHMARK_ASSET_ID].to_numpy()
    # Long bonds show it; short ones and high yield carry little of it.
    funds = _returns(made, "bond_etf")
    long = made.assets.filter(pl.col("duration_years") >= 7)["asset_id"].unique().to_list()
    bonds = funds.select([c for c in funds.columns if c in long]).to_numpy()

    def link(when: np.ndarray) -> float:
        return float(np.median([np.corrcoef(fund[when], bond)[0, 1] for bond in bonds[when].T]))

    assert 400 < turbulent.sum() < 1800
    assert bonds.shape[1] >= 3
    assert link(~turbulent) > 0.02
    assert link(turbulent) < -0.3
    pairs = [np.median(np.corrcoef(equity[w].T)) for w in (turbulent, ~turbulent)]
    assert pairs[0] > pairs[1] + 0.1


def test_volume_moves_with_the_size_of_the_move(market):
    ids = _returns(market, "equity").columns
    b = market.daily_bars.filter(pl.col("asset_id").is_in(ids)).with_columns(
        pl.col("adjusted_close").log().diff().abs().over("asset_id").alias("size"),
        pl.col("volume").log().diff().over("asset_id").alias("change"),
    )
    each = b.drop_nulls().group_by("asset_id").agg(pl.corr("size", "change"))
    assert 0.15 < each["size"].median() < 0.45


def test_households_live_on_the_simulated_market(market):
    prices = market.daily_bars.join(
        market.assets.unique("asset_id", keep="first").select(
            "asset_id", "asset_class", "sector", "price_basis"
        ),
        on="asset_id",
    ).rename({"close": "price_usd"})
    days = market.daily_bars["trade_date"].unique().sort()
    stamp = pl.Series(days).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    sessions = pl.DataFrame({"session_no": range(len(days)), "session_date": days}).with_columns(
        (stamp + pl.duration(hours=14, minutes=30)).alias("open_at"),
        (stamp + pl.duration(hours=21)).alias("close_at"),
    )
    frames = generate_households(
        prices, sessions, users=60, seed=1, corporate_actions=market.corporate_actions,
        exclude_assets=(BENCHMARK_ASSET_ID,),
    )  # fmt: skip
    kinds = dict(frames.transactions["kind"].value_counts().iter_rows())
    assert kinds["dividend"] > 500 and kinds["buy"] > 1000
    assert BENCHMARK_ASSET_ID not in frames.transactions["asset_id"].to_list()
    ordered = frames.transactions.sort("account_id", "traded_at", "transaction_id")
    cash = ordered.select(pl.col("amount_usd").cum_sum().over("account_id").alias("cash"))
    assert cash["cash"].min() >= 0
    signed = ordered.filter(pl.col("kind").is_in(["buy", "sell", "split"])).with_columns(
        pl.when(pl.col("kind") == "sell").then(-pl.col("quantity")).otherwise("quantity").alias("change")
    )
    reverse = market.corporate_actions.filter(
        (pl.col("kind") == "split") & (pl.col("ratio_new") < pl.col("ratio_old"))
    )
    signed = signed.filter(~pl.col("asset_id").is_in(reverse["asset_id"].to_list()))
    held = signed.select(pl.col("change").cum_sum().over("account_id", "asset_id").alias("held"))
    assert held["held"].min() >= 0
    assert measure_population(frames.transactions, prices).disposition().pgr > 0
