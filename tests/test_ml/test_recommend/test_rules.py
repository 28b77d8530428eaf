"""One rule at a time, on nights small enough to check by hand."""

import dataclasses
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.recommend import RecommendSettings, check_guardrails, explain, recommend_night

AS_OF = date(2022, 11, 30)
OLD, RECENT = date(2020, 1, 2), date(2022, 8, 1)


def rows(result, account: str = "a0") -> dict[str, dict]:
    """Weight rows of one account by asset."""
    frame = result.target_weights.filter(pl.col("account_id") == account)
    return {row["asset_id"]: row for row in frame.iter_rows(named=True)}


def portfolio(result, account: str = "a0") -> dict:
    """The portfolio row of one account."""
    return result.portfolios.filter(pl.col("account_id") == account).row(0, named=True)


def run(night, targets_of=None, **settings):
    """Recommend and demand that every guardrail holds."""
    chosen = RecommendSettings(**settings)
    result = recommend_night(night, chosen, targets_of)
    assert check_guardrails(result, night, chosen) == []
    return result


def test_drift_inside_the_band_is_held_and_outside_is_traded(hand_night, wanting) -> None:
    """Half and half against 55:45 (drift under a fifth of the weight) and against 65:35."""
    lots = [("a0", "A", "1", 50, 5000, OLD), ("a0", "B", "2", 50, 5000, OLD)]
    near = rows(run(hand_night(lots), wanting(a0={"A": 0.55, "B": 0.45})))
    assert {row["reason_code"] for name, row in near.items() if name != "cash_usd"} == {"inside_band"}
    assert near["A"]["target_weight"] == near["A"]["current_weight"]
    far = rows(run(hand_night(lots), wanting(a0={"A": 0.65, "B": 0.35})))
    assert (far["A"]["action"], far["B"]["action"]) == ("buy", "sell")
    # No gain, so only cost stands against drift: 0.15 less about 2 * 0.001 / 4 per side.
    assert float(far["A"]["target_weight"]) == pytest.approx(0.65, abs=0.002)


def test_idle_cash_is_invested_although_each_name_is_inside_the_band(hand_night, wanting) -> None:
    """Cash far above its target opens names whose own drift is below one percent."""
    prices = {f"N{i:02d}": 100.0 for i in range(40)}
    lots = [("a0", name, name, 15, 1500, OLD) for name in prices]
    night = hand_night(lots, {"a0": 20_000.0}, prices=prices)
    result = rows(run(night, wanting(a0=dict.fromkeys(prices, 0.975 / 40))))
    assert all(row["action"] == "buy" for name, row in result.items() if name != "cash_usd")
    assert float(result["cash_usd"]["target_weight"]) == pytest.approx(0.025, abs=0.003)


def test_a_buy_is_locked_by_the_households_loss_sale(hand_night, wanting) -> None:
    """A spouse's loss sale 30 days ago locks; one 31 days ago, one in an IRA or elsewhere does not."""
    lots = [("a0", "A", "1", 10, 1000, OLD)]
    cases = [
        (("h0", "A", "spouse", "loss_sale", AS_OF - timedelta(days=30), False), "hold"),
        (("h0", "A", "spouse", "loss_sale", AS_OF - timedelta(days=31), False), "buy"),
        (("h0", "A", "ira", "loss_sale", AS_OF - timedelta(days=3), True), "buy"),
        (("h9", "A", "other", "loss_sale", AS_OF - timedelta(days=3), False), "buy"),
    ]
    for window, action in cases:
        night = hand_night(lots, {"a0": 9000.0}, windows=[window])
        row = rows(run(night, wanting(a0={"A": 0.9})))["A"]
        assert (window[:4], row["action"]) == (window[:4], action)
        assert (row["reason_code"] == "wash_locked") == (action == "hold")


def test_a_loss_that_would_wash_is_not_sold(hand_night, wanting) -> None:
    """Any account's purchase within 30 days blocks the loss lots, not the gains; digital assets are exempt."""
    lots = [("a0", "A", "loss", 50, 8000, OLD), ("a0", "A", "gain", 50, 4000, OLD)]
    bought = [("h0", "A", "ira", "purchase", AS_OF - timedelta(days=10), True)]
    sold = run(hand_night(lots, windows=bought), wanting(a0={})).lot_orders
    assert sold["lot_id"].to_list() == ["gain"]
    only_loss = rows(run(hand_night(lots[:1], windows=bought), wanting(a0={})))["A"]
    assert (only_loss["action"], only_loss["reason_code"]) == ("hold", "would_wash")
    free = run(hand_night(lots[:1], windows=bought, treatments={"A": "digital_asset"}), wanting(a0={}))
    assert rows(free)["A"]["reason_code"] == "harvest_loss"
    assert free.lot_orders["wash_sale_state"].to_list() == ["clear"]


def test_a_loss_realised_tonight_locks_the_households_buys(hand_night, wanting) -> None:
    """The IRA of the same household wants what the taxable account sells at a loss; another household may."""
    accounts = [{}, {"household_id": "h0", "account_type": "roth_ira"}, {}]
    lots = [("a0", "A", "1", 100, 15000, OLD)]
    night = hand_night(lots, {"a0": 0.0, "a1": 10000.0, "a2": 10000.0}, accounts)
    result = run(night, wanting(a0={}, a1={"A": 0.9}, a2={"A": 0.9}))
    sale = result.lot_orders.filter(pl.col("lot_id") == "1").row(0, named=True)
    assert (float(sale["gain_usd"]), float(sale["tax_usd"])) == (-5000.0, -750.0)
    assert (sale["term"], sale["wash_sale_state"]) == ("long", "provisional")
    assert float(portfolio(result)["harvested_loss_usd"]) == 5000.0
    assert "A" not in rows(result, "a1")
    assert rows(result, "a2")["A"]["action"] == "buy"


def test_a_new_asset_appears_the_same_night(hand_night) -> None:
    """A name with three sessions of prices is bought by the analytic experts, without any retraining."""
    night = hand_night(cash={"a0": 10_000.0}, prices={"A": 100.0, "B": 50.0, "NEW": 20.0})
    assert rows(run(night))["NEW"]["action"] == "buy"


def test_an_excluded_asset_is_never_bought_and_may_be_sold(hand_night, wanting) -> None:
    """The goal bars A: no purchase, and a holding goes although its drift is inside the band."""
    barred = [{"user_id": "u0", "excluded_asset_ids": ["A"]}]
    bought = rows(
        run(hand_night(cash={"a0": 10_000.0}, constraints=barred), wanting(a0={"A": 0.5, "B": 0.4}))
    )
    assert "A" not in bought
    assert float(bought["B"]["target_weight"]) > 0.4  # what A would have had is shared by the rest
    lots = [("a0", "A", "1", 1, 100, OLD), ("a0", "B", "2", 120, 12000, OLD)]
    sold = rows(run(hand_night(lots, constraints=barred), wanting(a0={"A": 0.01, "B": 0.99})))
    assert (sold["A"]["action"], sold["A"]["reason_code"]) == ("sell", "excluded_by_goal")


@pytest.mark.parametrize("by_mix", [True, False])
def test_no_short_term_gain_is_chosen_under_the_mask(hand_night, wanting, by_mix: bool) -> None:
    """By the mix or by the stated wish: short-term gains stay, long-term gains may go."""
    mix = {"long_term_gains_only": 1.0} if by_mix else None
    wish = [] if by_mix else [{"user_id": "u0", "avoid_short_term_gains": True}]
    lots = [("a0", "A", "short", 50, 4900, RECENT), ("a0", "B", "long", 50, 4900, OLD)]
    result = run(hand_night(lots, mix=mix, constraints=wish), wanting(a0={}))
    assert result.lot_orders["lot_id"].to_list() == ["long"]
    assert rows(result)["A"]["reason_code"] == "short_term_gain_held"


def test_a_cash_need_takes_short_term_gains_last(hand_night, wanting) -> None:
    """A reserve of 80 % needs more than the long-term lot: it goes whole, then part of the short one."""
    wish = [{"user_id": "u0", "avoid_short_term_gains": True, "liquidity_share": 0.8}]
    lots = [("a0", "A", "short", 50, 4000, RECENT), ("a0", "B", "long", 50, 1000, OLD)]
    result = run(hand_night(lots, constraints=wish), wanting(a0={"A": 0.5, "B": 0.5}))
    by_lot = dict(result.lot_orders.select("lot_id", "quantity").iter_rows())
    assert float(by_lot["long"]) == 50.0
    assert 30.0 < float(by_lot["short"]) < 30.2  # 80 % of V and the cost of selling
    assert "short-term gains last" in portfolio(result)["reason"]
    assert float(rows(result)["cash_usd"]["target_weight"]) >= 0.8


def test_a_reserve_far_ahead_is_not_raised_yet(hand_night, wanting) -> None:
    """A need two years ahead or already past keeps no cash."""
    lots = [("a0", "A", "1", 100, 9000, OLD)]
    for by in (date(2024, 12, 1), date(2022, 11, 1)):
        need = [{"user_id": "u0", "liquidity_amount_usd": 5000.0, "liquidity_by": by}]
        assert run(hand_night(lots, constraints=need), wanting(a0={"A": 1.0})).lot_orders.is_empty()
    need = [{"user_id": "u0", "liquidity_amount_usd": 5000.0, "liquidity_by": date(2022, 12, 20)}]
    cash = rows(run(hand_night(lots, constraints=need), wanting(a0={"A": 1.0})))["cash_usd"]
    assert float(cash["target_weight"]) == pytest.approx(0.5, abs=0.001)


def test_lots_are_sold_in_the_order_of_the_method(hand_night, wanting) -> None:
    """FIFO eats the earliest lot although it is taxed most; specific identification takes the loss."""
    lots = [
        ("a0", "A", "1", 40, 2000, date(2019, 1, 2)),
        ("a0", "A", "2", 40, 5000, date(2021, 1, 4)),
        ("a0", "B", "3", 20, 2000, OLD),
    ]
    first = {}
    for method in ("fifo", "lifo", "hifo", "specific_id"):
        night = hand_night(lots, accounts=[{"lot_method": method}])
        orders = run(night, wanting(a0={"A": 0.5, "B": 0.5}), turnover_cap=0.1).lot_orders
        first[method] = orders.filter(pl.col("asset_id") == "A")["lot_id"].to_list()
    assert first == {"fifo": ["1"], "lifo": ["2"], "hifo": ["2"], "specific_id": ["2"]}


def test_tax_holds_a_position_back_and_a_tax_deferred_account_does_not_care(hand_night, wanting) -> None:
    """A lot that is almost all gain at 30 % is not worth closing a drift of 5 %; in an IRA it is."""
    lots = [(a, "A", "1", 60, 10, RECENT) for a in ("a0", "a1")] + [
        (a, "B", "2", 140, 14000, OLD) for a in ("a0", "a1")
    ]
    night = hand_night(lots, {"a0": 0.0, "a1": 0.0}, [{}, {"account_type": "401k"}])
    want = {"A": 0.23, "B": 0.77}
    result = run(night, wanting(a0=want, a1=want))
    assert rows(result)["A"]["reason_code"] == "tax_cost_above_drift"
    assert rows(result, "a1")["A"]["action"] == "sell"
    assert portfolio(result, "a1")["expected_tax_usd"] == 0
    assert set(result.lot_orders.filter(pl.col("account_id") == "a1")["gain_usd"]) == {0}


def test_whole_shares_and_minimum_orders(hand_night, wanting) -> None:
    """Without fractions every order is whole; with them a purchase below a dollar is dropped."""
    night = hand_night(
        cash={"a0": 1234.0}, accounts=[{"is_fractional": False}], prices={"A": 97.0, "B": 300.0}
    )
    result = rows(run(night, wanting(a0={"A": 0.5, "B": 0.5})))
    assert {name: float(row["quantity"]) for name, row in result.items() if name != "cash_usd"} == {
        "A": 6.0,
        "B": 2.0,
    }
    tiny = run(hand_night(cash={"a0": 1.5}), wanting(a0={"A": 0.5, "B": 0.5}))
    assert tiny.lot_orders.is_empty()
    assert tiny.target_weights["target_weight"].cast(pl.Float64).to_list() == [1.0]


def test_turnover_is_capped(hand_night, wanting) -> None:
    """A cap of 10 % holds, and the largest drift gets most of it."""
    lots = [("a0", "A", "1", 100, 10000, OLD)]
    row = portfolio(run(hand_night(lots), wanting(a0={"B": 1.0}), turnover_cap=0.1))
    assert float(row["turnover_ratio"]) == pytest.approx(0.1, abs=1e-6)


def test_stale_holdings_keep_their_last_price_and_are_held(hand_night, wanting) -> None:
    """A stale name is neither sold nor bought, and the rest shares what remains."""
    lots = [("a0", "A", "1", 50, 9000, OLD)]
    result = rows(run(hand_night(lots, {"a0": 5000.0}, stale={"A"}), wanting(a0={"A": 0.5, "B": 0.5})))
    assert (result["A"]["reason_code"], float(result["A"]["target_weight"])) == ("stale_price", 0.5)
    assert float(result["B"]["target_weight"]) == pytest.approx(0.5, abs=0.002)


def test_statuses_name_their_reason_and_have_no_rows(hand_night, wanting) -> None:
    """Unknown basis, no price, debt, nothing at all, no mix, refused by the ledger, no account."""
    accounts = [{} for _ in range(7)] + [{"account_type": "roth_ira"}]
    lots = [
        ("a0", "A", "gift", 10, None, OLD),
        ("a1", "ZZZ", "z", 10, 100, OLD),
        ("a2", "A", "1", 10, 1000, OLD),
        ("a4", "A", "1", 10, 1000, OLD),
        ("a5", "A", "1", 10, 1000, OLD),
        ("a6", "A", "1", -5, 500, OLD),
        ("a7", "A", "gift", 10, None, OLD),
    ]
    cash = {"a0": 0.0, "a1": 50.0, "a2": -300.0, "a3": 0.0, "a4": 0.0, "a5": 0.0, "a6": 900.0, "a7": 0.0}
    night = hand_night(lots, cash, accounts)
    extra = {
        "mixes": night.mixes.filter(pl.col("user_id") != "u4"),
        "issues": pl.DataFrame(
            {
                "account_id": ["a5", "a5", "a7"],
                "status": ["unknown_basis", "refused", "sell_beyond_holdings"],
                "reason": ["one row", "section 1256", "another row"],
            }
        ),
        "users": pl.concat(
            [night.users, night.users[:1].with_columns(user_id=pl.lit("new"), household_id=None)]
        ),
    }
    night = night.__class__(**{**vars(night), **extra})
    result = run(night, wanting(a7={"B": 1.0}))
    found = dict(result.portfolios.select("account_id", "status").iter_rows())
    assert found == {
        "a0": "hold_unknown_basis", "a1": "no_price", "a2": "restricted", "a3": "no_price", "a4": "error",
        "a5": "restricted", "a6": "restricted", "a7": "ok", "none:new": "no_account",
    }  # fmt: skip
    reasons = dict(result.portfolios.select("account_id", "reason").iter_rows())
    assert reasons["a0"] == "cost basis unknown: A lot gift"
    assert "ZZZ lot z" in reasons["a1"]
    assert "-300.00 USD" in reasons["a2"]
    assert "user u4" in reasons["a4"]
    assert reasons["a5"] == "section 1256"
    assert set(result.target_weights["account_id"]) == {"a7"}
    assert "none:new" in " ".join(
        explain(
            result.portfolios.filter(pl.col("status") == "no_account"),
            result.target_weights,
            result.lot_orders,
        )
    )


def test_a_small_debt_is_repaid(hand_night, wanting) -> None:
    """Cash of -50 USD on a 10,000 USD account is repaid by an involuntary sale; weights still sum to 1."""
    lots = [("a0", "A", "1", 100.5, 9000, OLD)]
    result = run(hand_night(lots, {"a0": -50.0}), wanting(a0={"A": 1.0}))
    row = rows(result)
    assert (row["A"]["action"], row["A"]["reason_code"]) == ("sell", "cash_need")
    assert float(row["cash_usd"]["current_weight"]) == pytest.approx(-0.005)
    assert float(row["cash_usd"]["target_weight"]) >= 0.0
    assert "involuntary" in portfolio(result)["reason"]


def test_a_target_that_is_no_portfolio_is_an_error_of_that_account_alone(hand_night, wanting) -> None:
    """A nan from the experts marks its account and leaves the other."""
    night = hand_night(cash={"a0": 1000.0, "a1": 1000.0}, accounts=[{}, {}])

    def targets_of(market, accounts):
        targets = wanting(a0={"A": 1.0}, a1={"A": 1.0})(market, accounts)
        targets[accounts.account_ids.index("a0")] = np.nan
        return targets

    result = run(night, targets_of)
    assert portfolio(result)["status"] == "error"
    assert portfolio(result, "a1")["status"] == "ok"


def test_names_are_limited_and_all_held_names_stay(hand_night, wanting) -> None:
    """Of ten wanted names the five largest are bought; five held ones fill the limit by themselves."""
    prices = {f"N{i}": 100.0 for i in range(10)}
    want = {name: (i + 1) / 55 for i, name in enumerate(prices)}
    bought = rows(run(hand_night(cash={"a0": 1e5}, prices=prices), wanting(a0=want), max_names=5))
    assert set(bought) == {"N5", "N6", "N7", "N8", "N9", "cash_usd"}
    lots = [("a0", f"N{i}", "1", 100, 10000, OLD) for i in range(6)]
    kept = rows(
        run(hand_night(lots, prices=prices), wanting(a0=dict.fromkeys(list(prices)[:7], 1 / 7)), max_names=5)
    )
    assert set(kept) == {f"N{i}" for i in range(6)} | {"cash_usd"}


def test_explain_says_what_and_why(hand_night, wanting) -> None:
    """Every sentence a person reads comes from the rows."""
    lots = [("a0", "A", "1", 100, 15000, OLD)]
    result = run(hand_night(lots), wanting(a0={"B": 0.9}), turnover_cap=1.0)
    text = "\n".join(explain(result.portfolios, result.target_weights, result.lot_orders))
    assert "Sell 100 A (10,000.00 USD), from 100.00% to 0.00%: the lots sold realise a loss" in text
    assert "1 long-term lot, gain -5,000.00 USD, tax -750.00 USD" in text
    assert "save 750.00 USD of tax" in text
    with pytest.raises(ValueError, match="got 0 portfolio rows"):
        explain(result.portfolios.clear(), result.target_weights, result.lot_orders)


def test_rates_that_are_missing_or_assumed_are_said(hand_night, wanting) -> None:
    """No row: default rates; refused totals: the ledger's rates; neither: restricted."""
    accounts = [{}, {}, {}]
    night = hand_night(cash=dict.fromkeys(("a0", "a1", "a2"), 1000.0), accounts=accounts)
    years = night.tax_unit_years.filter(pl.col("tax_unit_id") != "household:h0").with_columns(
        pl.lit("refused").alias("status"),
        pl.lit("an option was written").alias("reason"),
        pl.when(pl.col("tax_unit_id") == "household:h1").then(pl.col("st_rate")).alias("st_rate"),
    )
    want = wanting(a0={"A": 1.0}, a1={"A": 1.0})
    result = run(dataclasses.replace(night, tax_unit_years=years), want)
    assert "rates assumed: short 24%, long 15%" in portfolio(result, "a0")["reason"]
    assert "tax totals of 2022 are refused: rates at zero nets" in portfolio(result, "a1")["reason"]
    assert portfolio(result, "a2")["status"] == "restricted"
    assert "household:h2 in 2022: an option was written" in portfolio(result, "a2")["reason"]
