"""Baselines decide as they say: who is bought, what is harvested, what waits out its 31 days."""

import numpy as np
import pytest

from ml.backtest.baselines import (
    HARVEST_OUT_SHARE,
    Baseline,
    Cash,
    EqualWeight,
    Harvesting,
    Momentum,
)
from ml.backtest.expert_strategies import expert_strategies, without_washes
from ml.backtest.ledger import SALE
from ml.backtest.lot_book import HIFO, TAX_ORDER, LotBook
from ml.backtest.optimizers import ESTIMATORS, Optimized, fit_weights
from ml.backtest.registry import default_strategies
from ml.backtest.results import WITHOUT_HARVESTING
from ml.backtest.simulate import simulate
from ml.backtest.strategies import DecisionState, StrategyError, checked_targets
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.backtest_helpers import keys_of, price_panel, simulated_panel, whole_window


def state_of(
    panel, weights: np.ndarray, book: LotBook | None = None, session: int = -2, **fields
) -> DecisionState:
    """A state at a session of a panel, for accounts of 100,000 USD."""
    t = session % len(panel.dates)
    accounts = len(weights)
    known = {
        "objectives": ("none",) * accounts,
        "seeds": np.zeros(accounts, np.int64),
        "short_rate": np.full(accounts, 0.3),
        "long_rate": np.full(accounts, 0.15),
        "value_usd": np.full(accounts, 100_000.0),
        "loss_limit_usd": np.full(accounts, 3_000.0),
        **{name: np.zeros(accounts) for name in ("short_net_usd", "long_net_usd", "carryover_usd")},
    } | fields
    return DecisionState(
        dates=panel.dates[: t + 1],
        asset_ids=panel.asset_ids,
        prices=panel.price[: t + 1],
        returns_log=panel.return_log[: t + 1],
        is_tradeable=panel.is_tradeable[t],
        features=panel.features.features[t],
        market_log=panel.features.channels[: t + 1, 0, 4],
        fill_date=panel.dates[t + 1],
        weights=weights,
        book=book or LotBook(accounts, len(panel.asset_ids)),
        **known,
    )


@pytest.fixture(scope="module")
def panel():
    return simulated_panel(sessions=620)


def _cash(panel, accounts: int = 1) -> np.ndarray:
    return np.tile(np.append(np.zeros(len(panel.asset_ids)), 1.0), (accounts, 1))


def test_every_default_strategy_gives_weights_at_its_first_decision(panel) -> None:
    for strategy in default_strategies():
        objectives = strategy.objectives
        state = state_of(panel, _cash(panel, len(objectives)), objectives=objectives)
        found = checked_targets(strategy, state)
        assert found.shape == (len(objectives), len(panel.asset_ids) + 1)
        np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_cash_and_equal_weight(panel) -> None:
    state = state_of(panel, _cash(panel))
    assert Cash("cash").targets(state)[-1] == 1.0
    found = EqualWeight("ew").targets(state)[0]
    np.testing.assert_allclose(found[:-1], panel.is_tradeable[-2] / panel.is_tradeable[-2].sum())


def test_momentum_takes_the_winners_of_a_year_without_the_last_month() -> None:
    count, names = 300, [f"A{i}" for i in range(10)]
    closes = {name: [100.0 * np.exp(0.0005 * i * t) for t in range(count)] for i, name in enumerate(names)}
    # The last month turns the order round and must not count.
    for i, name in enumerate(names):
        closes[name][-21:] = [closes[name][-22] * np.exp(-0.03 * i * k) for k in range(1, 22)]
    panel = price_panel(closes)
    found = Momentum("mom").targets(state_of(panel, _cash(panel)))[0]
    assert [panel.asset_ids[i] for i in np.flatnonzero(found[:-1])] == ["A7", "A8", "A9"]
    assert found[found > 0] == pytest.approx(1 / 3)


def _bought(panel, prices: np.ndarray, day: int) -> LotBook:
    """One lot per asset, an equal share of 100,000 USD at the given prices."""
    book = LotBook(1, len(prices))
    share = 100_000 / len(prices)
    quantity = np.floor(share / prices * 1e6).astype(np.int64)[None] * 1000
    book.buy(quantity, np.full((1, len(prices)), share), day, np.arange(len(prices))[None])
    return book


def _flat_panel(moves: dict[str, float], count: int = 90):
    """Assets at 100 that move once by the given factor, 40 sessions before the end."""
    return price_panel({n: [100.0] * (count - 40) + [100.0 * f] * 40 for n, f in moves.items()})


def test_losses_of_5_percent_are_harvested_largest_first_and_spread_over_the_others() -> None:
    names = {f"A{i}": f for i, f in enumerate([0.90, 0.70, 0.951, 0.80, 1.0, 1.0, 1.0, 1.0])}
    panel = _flat_panel(names)
    start, t = panel.price[0], len(panel.dates) - 2
    book = _bought(panel, start, int(panel.days[0]))
    values = panel.price[t] / start / len(names)
    state = state_of(panel, np.append(values / values.sum(), 0.0)[None], book)
    state = state_of(panel, state.weights, book, value_usd=np.array([100_000 * values.sum()]))
    found = Harvesting("tlh").targets(state)[0]
    limit = int(HARVEST_OUT_SHARE * len(names))
    sold = np.flatnonzero(found[:-1] < 1e-6)
    assert sold.tolist() == [1, 3]
    assert len(sold) == limit
    np.testing.assert_allclose(np.delete(found[:-1], sold), 1 / (len(names) - limit), rtol=1e-5)


def test_what_was_sold_at_a_loss_is_not_bought_for_31_days() -> None:
    panel = _flat_panel({"A": 0.8, **{f"B{i}": 1.0 for i in range(7)}})
    fill_day = int(panel.days[-1])
    weights = np.append(np.append(0.0, np.full(7, 1 / 7)), 0.0)[None]
    for days, is_bought in ((30, False), (31, True)):
        book = LotBook(1, 8)
        book.last_loss_day[0, 0] = fill_day - days
        found = Harvesting("tlh").targets(state_of(panel, weights, book))[0]
        assert (found[0] > 0) == is_bought


def test_harvesting_washes_little_and_realises_more_losses_than_equal_weight(panel) -> None:
    strategies = (EqualWeight("ew"), Harvesting("tlh"))
    sums = []
    for strategy in strategies:
        window = whole_window(panel, 260)
        path = simulate(strategy, panel, window, keys_of(strategy, ("P1",)))
        from ml.backtest.report_trial import trial_results

        (result,) = trial_results(path, panel, window, keys_of(strategy, ("P1",)), [{"trial_id": "x"}])
        sums.append((result.harvested_loss_usd.sum(), result.disallowed_usd.sum()))
    assert sums[1][0] > 1.5 * sums[0][0]
    assert sums[1][1] < 0.1 * sums[1][0]


def test_experts_do_not_buy_what_would_wash(panel) -> None:
    weights = _cash(panel)
    book = LotBook(1, len(panel.asset_ids))
    book.last_loss_day[0, 2] = int(panel.days[-1]) - 10
    state = state_of(panel, weights, book)
    wanted = EqualWeight("ew").targets(state)
    found = without_washes(wanted, state)
    assert found[0, 2] == 0.0
    np.testing.assert_allclose(found.sum(), 1.0)
    others = np.delete(found[0, :-1], 2)
    np.testing.assert_allclose(others, others[0])


def test_the_experts_twin_holds_what_the_experts_harvest() -> None:
    """Two of eight assets lost a tenth and more: worth harvesting under every objective that asks for it."""
    panel = _flat_panel({f"A{i}": f for i, f in enumerate([0.7, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])}, 400)
    t = len(panel.dates) - 2
    values = panel.price[t] / panel.price[0] / 8
    weights, worth = np.append(values / values.sum(), 0.0)[None], np.array([100_000 * values.sum()])
    book = _bought(panel, panel.price[0], int(panel.days[0]))
    state = state_of(panel, weights, book, value_usd=worth, objectives=("tax_loss_harvesting",))
    fixed, twin, *_ = expert_strategies()
    found, kept = fixed.targets(state)[0], twin.targets(state)[0]
    assert found[0] < 0.2 * weights[0, 0]
    assert kept[:2] == pytest.approx(weights[0, :2], rel=0.02)
    at_cost = state_of(panel, weights, LotBook(1, 8), value_usd=worth, objectives=("tax_loss_harvesting",))
    np.testing.assert_array_equal(fixed.targets(at_cost), twin.targets(at_cost))
    names = ("schedule", "lot_method", "objectives", "seeds", "min_trade_ratio")
    assert twin.name == fixed.name + WITHOUT_HARVESTING
    assert [getattr(twin, n) for n in names] == [getattr(fixed, n) for n in names]


def test_routers_differ_by_objective_and_by_seed(panel) -> None:
    fixed, _, random, _ = expert_strategies()
    found = fixed.targets(state_of(panel, _cash(panel, 6), objectives=OBJECTIVES))
    assert len({row.tobytes() for row in found.round(12)}) == len(OBJECTIVES)
    seeds = np.array([0, 1, 1])
    drawn = random.targets(state_of(panel, _cash(panel, 3), seeds=seeds))
    assert not np.allclose(drawn[0], drawn[1])
    np.testing.assert_array_equal(drawn[1], drawn[2])


def test_best_sharpe_without_a_rising_asset_is_least_variance() -> None:
    returns = np.random.default_rng(3).normal(-0.01, 0.01, (300, 4))
    np.testing.assert_allclose(fit_weights("max_sharpe", returns), fit_weights("min_variance", returns))


def test_estimators_refuse_too_little_history() -> None:
    short = price_panel({name: [1.0 + t / 1000 for t in range(80)] for name in "AB"})
    strategy = Optimized("erc_monthly", estimator="erc")
    with pytest.raises(StrategyError, match=r"trains on 504 sessions.*--strategies"):
        strategy.targets(state_of(short, _cash(short)))
    assert set(ESTIMATORS) == {"inverse_volatility", "erc", "hrp", "min_variance", "max_sharpe"}


def test_lots_close_in_the_stated_order() -> None:
    """Bases 12 (old, loss), 9 (old, gain), 9.5 (new, gain), 11 (new, loss) at a price of 10."""
    day, old = 15_000, 15_000 - 500
    for method, expected in ((HIFO, [12.0, 11.0, 9.5, 9.0]), (TAX_ORDER, [12.0, 11.0, 9.0, 9.5])):
        book = LotBook(1, 1)
        for row, (basis, bought) in enumerate(((12.0, old), (9.0, old), (9.5, day - 20), (11.0, day - 20))):
            book.buy(np.array([[10**9]]), np.array([[basis]]), bought, np.array([[row]]))
        bases = [12.0, 9.0, 9.5, 11.0]
        _, chosen = book.sell(
            np.array([[4 * 10**9]]), np.array([[10.0]]), day, np.array([method]), np.array([True])
        )
        assert [bases[row] for row in chosen[:, 2]] == expected
        assert book.held[0, 0] == 0
        assert book.last_loss_day[0, 0] == day


def test_short_term_gains_stay_where_they_may_not_be_taken() -> None:
    book = LotBook(1, 1)
    for row, (basis, bought) in enumerate(((9.0, 14_500), (9.5, 14_990))):
        book.buy(np.array([[10**9]]), np.array([[basis]]), bought, np.array([[row]]))
    order = (np.array([[2 * 10**9]]), np.array([[10.0]]), 15_000, np.array([TAX_ORDER]))
    sold, chosen = book.sell(*order, np.array([False]))
    assert sold[0, 0] == 10**9
    assert chosen[0, 2] == 0
    assert book.lots()["basis"].tolist() == [9.5]


def test_small_trades_are_left_out_where_a_strategy_says_so(panel) -> None:
    class Jitter(Baseline):
        def targets(self, state: DecisionState) -> np.ndarray:
            w = state.is_tradeable * (
                1.0 + 0.001 * ((np.arange(len(state.asset_ids)) + len(state.dates)) % 2)
            )
            return np.append(0.5 * w / w.sum(), 0.5)

    counts = []
    for least in (0.0, 0.01):
        strategy = Jitter("jitter", "weekly", min_trade_ratio=least)
        path = simulate(strategy, panel, whole_window(panel), keys_of(strategy, ("untaxed",)))
        counts.append((path.log.columns()["step"] >= SALE).sum())
    assert counts[1] < 0.3 * counts[0]
