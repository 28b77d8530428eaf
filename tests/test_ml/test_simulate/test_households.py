"""Rows of simulated households: exact, feasible, causal, and the archetypes' signatures."""

from collections import defaultdict
from dataclasses import fields
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.simulate.archetypes import ARCHETYPES, PopulationMix
from ml.simulate.households import TRANSACTION_COLUMNS, HouseholdFrames, generate_households
from ml.simulate.population import measure_population
from ml.types import ACCOUNT_TYPES, FILING_STATUSES, LOT_METHODS, TRANSACTION_KINDS

FRAMES = [f.name for f in fields(HouseholdFrames)]
CENT = Decimal("0.01")
# As in conftest.py.
SPLIT_DATE, MERGER_DATE = date(2016, 6, 15), date(2018, 3, 14)


def _day(frame: pl.DataFrame) -> pl.DataFrame:
    stamp = pl.col("traded_at").dt.convert_time_zone("America/New_York")
    return frame.with_columns(stamp.dt.date().alias("trade_date"))


def _replay_lots(frames: HouseholdFrames, visit) -> None:
    """Walk every account's rows in time, keep its lots, call visit(row, account, consumed lots)."""
    accounts = {a["account_id"]: a for a in frames.accounts.to_dicts()}
    rows = _day(frames.transactions).sort("account_id", "traded_at", "transaction_id")
    lots: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for row in rows.iter_rows(named=True):
        account = accounts[row["account_id"]]
        held = lots[row["account_id"], row["asset_id"]]
        consumed = []
        if row["kind"] == "buy":
            unit = -row["amount_usd"] / row["quantity"]
            held.append(
                {"id": row["transaction_id"], "day": row["trade_date"], "qty": row["quantity"], "unit": unit}
            )
        elif row["kind"] == "split":
            for lot in held:
                lot["qty"] = lot["qty"] * row["ratio_new"] / row["ratio_old"]
                lot["unit"] = lot["unit"] * row["ratio_old"] / row["ratio_new"]
        elif row["kind"] == "sell":
            consumed = _take(held, row, account["lot_method"])
        visit(row, account, consumed)


def _take(held: list[dict], row: dict, method: str) -> list[tuple[dict, Decimal]]:
    """Remove the sale from the lots (named, or the broker's order) and return what was taken."""
    if row["lot_reference"] and ":" in row["lot_reference"]:
        wanted = [part.split(":") for part in row["lot_reference"].split(";")]
        named = {lot["id"]: lot for lot in held}
        pieces = [(named[i], Decimal(q)) for i, q in wanted]
    elif row["lot_reference"]:
        pieces = [(next(lot for lot in held if lot["id"] == row["lot_reference"]), row["quantity"])]
    else:
        order = sorted(held, key=lambda lot: -lot["unit"]) if method == "hifo" else held
        pieces, left = [], row["quantity"]
        for lot in order:
            take = min(left, lot["qty"])
            if take > 0:
                pieces.append((lot, take))
                left -= take
    assert sum(q for _, q in pieces) == row["quantity"], row
    out = []
    for lot, quantity in pieces:
        assert lot["qty"] >= quantity, (row, lot)
        out.append((dict(lot), quantity))
        lot["qty"] -= quantity
    held[:] = [lot for lot in held if lot["qty"] > 0]
    return out


def test_rows_are_exact_and_feasible(population, market):
    prices = {(a, d): p for a, d, p in market[0].select("asset_id", "trade_date", "price_usd").iter_rows()}
    cash, seen = defaultdict(Decimal), defaultdict(int)

    def visit(row, account, consumed):
        seen[row["kind"]] += 1
        cash[row["account_id"]] += row["amount_usd"]
        assert cash[row["account_id"]] >= 0, row
        if row["kind"] in ("buy", "sell"):
            price = prices[row["asset_id"], row["trade_date"]]
            assert abs(float(row["price_usd"]) - price) <= 5.1e-7
            gross = (row["quantity"] * row["price_usd"]).quantize(CENT, ROUND_HALF_EVEN)
            sign = 1 if row["kind"] == "sell" else -1
            assert row["amount_usd"] == sign * gross - row["fees_usd"]
            assert row["quantity"] > 0 and row["order_id"] is not None
            assert account["fractional"] or row["quantity"] % 1 in (0, Decimal("0.5"))

    _replay_lots(population, visit)
    assert seen["buy"] > 5000 and seen["sell"] > 2000 and seen["dividend"] > 100 and seen["split"] > 20
    assert seen["withdrawal"] > 50


def test_frames_follow_the_contract(population):
    t = population.transactions
    assert t.columns == TRANSACTION_COLUMNS
    assert t["transaction_id"].is_unique().all() and t["transaction_id"].is_sorted()
    assert set(t["kind"]) <= set(TRANSACTION_KINDS)
    assert (t["known_at"] == t["traded_at"]).all()
    assert t.schema["quantity"] == pl.Decimal(24, 9) and t.schema["amount_usd"] == pl.Decimal(20, 6)
    assert "A17" not in t["asset_id"].to_list()
    users, accounts = population.users, population.accounts
    assert users.height == 300 and users["user_id"].is_unique().all()
    assert set(users["filing_status"]) <= set(FILING_STATUSES)
    assert set(accounts["account_type"]) <= set(ACCOUNT_TYPES)
    assert set(accounts["lot_method"]) == {"fifo", "hifo", "specific_id"} <= set(LOT_METHODS)
    assert 0.12 < (accounts["account_type"] != "taxable").mean() < 0.30
    joint = users.filter(pl.col("filing_status") == "married_joint").group_by("household_id")
    pairs = joint.agg(pl.len(), pl.col("ordinary_taxable_income_usd", "magi_usd", "state").n_unique())
    assert pairs.height > 10 and (pairs["len"] == 2).all()
    assert (pairs["ordinary_taxable_income_usd"] == 1).all() and (pairs["magi_usd"] == 1).all()
    share = population.goals["user_id"].n_unique() / users.height
    assert 0.3 < share < 0.5
    assert set(population.truth["archetype"]) == set(ARCHETYPES)
    for name in ("users", "accounts", "transactions", "goals"):
        assert not {"archetype", "driver"} & set(getattr(population, name).columns)


def test_fills_share_an_order(population):
    orders = (
        population.transactions.drop_nulls("order_id")
        .group_by("order_id")
        .agg(pl.len(), pl.col("kind", "asset_id").n_unique())
    )
    assert set(orders["len"]) == {1, 2}
    assert (orders["kind"] == 1).all() and (orders["asset_id"] == 1).all()


def test_trades_lie_inside_the_session(population, market):
    days = _day(population.transactions).join(
        market[1], left_on="trade_date", right_on="session_date", how="left"
    )
    assert days["close_at"].null_count() == 0
    assert (days["traded_at"] >= days["open_at"]).all() and (days["traded_at"] < days["close_at"]).all()


def test_same_inputs_same_rows_whatever_the_workers(market, population):
    prices, sessions, actions = market
    again = generate_households(
        prices.sample(fraction=1.0, shuffle=True, seed=3), sessions, users=300, seed=11, start_date=date(2013, 1, 2),
        opening_years=4.0, corporate_actions=actions, exclude_assets=("A17",), workers=2,
    )  # fmt: skip
    for name in FRAMES:
        assert_frame_equal(getattr(again, name), getattr(population, name))


@pytest.fixture(scope="module")
def shorter(market):
    """Return the first 41 users on prices that end two years earlier."""
    prices, sessions, actions = market
    cut = date(2017, 11, 10)
    return cut, generate_households(
        prices.filter(pl.col("trade_date") <= cut), sessions, users=41, seed=11, start_date=date(2013, 1, 2),
        opening_years=4.0, corporate_actions=actions, exclude_assets=("A17",),
    )  # fmt: skip


def test_more_users_and_later_sessions_leave_earlier_rows(population, shorter):
    cut, early = shorter
    assert early.transactions.height > 1000
    late = population.transactions.filter(pl.col("account_id").str.slice(4, 6).cast(pl.Int64) < 41)
    late = _day(late).filter(pl.col("trade_date") <= cut).drop("trade_date")
    assert_frame_equal(early.transactions, late)
    for name, key in (("users", "user_id"), ("accounts", "account_id"), ("goals", "statement_id")):
        later = getattr(population, name).filter(pl.col("known_at").dt.date() <= cut)
        number = later["user_id"].str.slice(4, 6).cast(pl.Int64)
        assert_frame_equal(getattr(early, name), later.filter(number < 41).sort(key))


def test_prices_after_a_decision_do_not_change_it(market, shorter):
    prices, sessions, actions = market
    cut, early = shorter
    bent = prices.filter(pl.col("trade_date") <= date(2018, 1, 31)).with_columns(
        pl.when(pl.col("trade_date") > cut)
        .then(pl.col("price_usd") * 0.5)
        .otherwise("price_usd")
        .alias("price_usd")
    )
    frames = generate_households(
        bent, sessions, users=41, seed=11, start_date=date(2013, 1, 2), opening_years=4.0, corporate_actions=actions,
        exclude_assets=("A17",),
    )  # fmt: skip
    until = _day(frames.transactions).filter(pl.col("trade_date") <= cut).drop("trade_date")
    assert_frame_equal(until, early.transactions)


def test_split_and_merger_reach_the_holders(population):
    rows = _day(population.transactions)
    splits = rows.filter(pl.col("kind") == "split")
    assert set(splits["trade_date"]) == {SPLIT_DATE} and set(splits["asset_id"]) == {"A00"}
    held = defaultdict(Decimal)

    def visit(row, account, consumed):
        if row["asset_id"] == "A01" and row["kind"] in ("buy", "sell"):
            held[row["account_id"]] += row["quantity"] * (1 if row["kind"] == "buy" else -1)
        if row["kind"] == "split":
            sold_short = row["quantity"] <= 0
            assert not sold_short and row["ratio_new"] == 3 and row["ratio_old"] == 2

    _replay_lots(population, visit)
    assert len(held) > 30 and all(quantity == 0 for quantity in held.values())
    last = rows.filter((pl.col("asset_id") == "A01") & (pl.col("kind") == "buy"))["trade_date"].max()
    assert last < MERGER_DATE - timedelta(days=28)


def _pure(population, archetype: str) -> list[str]:
    """Return taxable accounts whose owner follows one archetype throughout."""
    truth = population.truth.filter(
        (pl.col("archetype") == archetype)
        & pl.col("second_archetype").is_null()
        & pl.col("switch_date").is_null()
    )
    taxable = population.accounts.filter(pl.col("account_type") == "taxable")
    return taxable.filter(pl.col("user_id").is_in(truth["user_id"].to_list()))["account_id"].to_list()


def test_long_term_gains_only_never_takes_a_short_gain_by_choice(population):
    chosen = set(_pure(population, "long_term_gains_only"))
    driver = dict(population.decisions.select("transaction_id", "driver").iter_rows())
    long_gains, violations = 0, []

    def visit(row, account, consumed):
        nonlocal long_gains
        if row["account_id"] not in chosen or driver.get(row["transaction_id"]) not in ("rule", "december"):
            return
        for lot, quantity in consumed:
            if row["price_usd"] > lot["unit"]:
                age = (row["trade_date"] - lot["day"]).days
                long_gains += age >= 366
                if age < 366:
                    violations.append((row["transaction_id"], age, quantity))

    _replay_lots(population, visit)
    assert len(chosen) > 15 and long_gains > 50
    assert violations == []


def test_harvesters_sell_losers_replace_them_and_wait_31_days(population):
    chosen = set(_pure(population, "tax_loss_harvesting"))
    decisions = population.decisions.filter(pl.col("active_objective") == "tax_loss_harvesting")
    rows = _day(population.transactions).filter(pl.col("account_id").is_in(list(chosen)))
    rows = rows.join(decisions, on="transaction_id", how="left").sort("account_id", "traded_at")
    bought = {k[0]: g for k, g in rows.filter(pl.col("kind") == "buy").group_by(["account_id"])}
    harvests, losses = 0, []

    def visit(row, account, consumed):
        nonlocal harvests
        if (
            row["account_id"] in chosen
            and row["kind"] == "sell"
            and rule.get(row["transaction_id"]) == "rule"
        ):
            gain = sum((row["price_usd"] - lot["unit"]) * q for lot, q in consumed)
            losses.append(gain < 0)
            if gain >= 0:
                return
            harvests += 1
            after = bought[row["account_id"]].filter(
                (pl.col("traded_at") > row["traded_at"]) & (pl.col("asset_id") == row["asset_id"])
            )["trade_date"]
            assert after.is_empty() or (after.min() - row["trade_date"]).days >= 31

    rule = dict(rows.select("transaction_id", "driver").iter_rows())
    _replay_lots(population, visit)
    replacements = rows.filter(pl.col("driver") == "replacement").height
    assert harvests > 60 and sum(losses) / len(losses) > 0.75
    assert replacements > 0.7 * harvests


def test_population_shows_the_published_behaviour(population, market):
    accounts = population.accounts.filter(pl.col("account_type") == "taxable")
    rows = population.transactions.filter(pl.col("account_id").is_in(accounts["account_id"].to_list()))
    figures = measure_population(rows, market[0])
    year, december, rest = (figures.disposition(m) for m in (range(1, 13), (12,), range(1, 12)))
    assert 0.10 < year.plr < year.pgr < 0.30
    assert december.plr / december.pgr > 1.2 * rest.plr / rest.pgr
    harvest = measure_population(
        rows.filter(pl.col("account_id").is_in(_pure(population, "tax_loss_harvesting"))), market[0]
    )
    assert harvest.disposition().plr > 1.3 * harvest.disposition().pgr
    turnover = figures.accounts["turnover_ratio"]
    assert 0.5 < turnover.mean() < 2.0 and 0.2 < turnover.median() < 0.8
    assert 3.0 < figures.accounts["mean_positions"].mean() < 6.5


def test_a_pure_population_is_what_was_asked_for(market):
    prices, sessions, _ = market
    only = PopulationMix(shares=(0, 0, 0, 0, 0, 0, 0, 1.0), goal_share=0.0)
    frames = generate_households(prices, sessions, users=20, seed=2, mix=only)
    assert set(frames.truth["archetype"]) == {"buy_and_hold"} and frames.goals.is_empty()
    assert set(frames.decisions["driver"]) <= {"invest", "liquidity"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"users": 0}, "users must be at least 1"),
        ({"seed": -1}, "seed must be >= 0"),
        ({"start_date": date(2030, 1, 1)}, "no session between"),
    ],
)
def test_bad_arguments_are_named(market, change, words):
    arguments = {"users": 2, "seed": 1, **change}
    with pytest.raises(ValueError, match=words):
        generate_households(market[0], market[1], **arguments)


def test_bad_prices_are_named(market):
    prices = market[0].head(300)
    with pytest.raises(ValueError, match="twice"):
        generate_households(pl.concat([prices, prices.head(1)]), market[1], users=1, seed=1)
    with pytest.raises(ValueError, match="not positive"):
        generate_households(prices.with_columns(pl.lit(-1.0).alias("price_usd")), market[1], users=1, seed=1)
    with pytest.raises(ValueError, match="asset_class"):
        generate_households(prices.drop("asset_class"), market[1], users=1, seed=1)
    with pytest.raises(ValueError, match="sum to 1"):
        PopulationMix(shares=(1.0,) * 8)
