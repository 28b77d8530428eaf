"""A path: money is conserved, decisions see no future, fills are those of a plain loop, taxes are the ledger's."""

import dataclasses

import numpy as np
import pytest

from ml.backtest.baselines import Baseline, Cash, EqualWeight
from ml.backtest.ledger import FORCED_SALE, PURCHASE, run_exact
from ml.backtest.panel import BacktestPanel
from ml.backtest.profiles import PROFILES, year_tax
from ml.backtest.report_trial import trial_results
from ml.backtest.results import array_names
from ml.backtest.simulate import simulate
from ml.backtest.strategies import DecisionState, Strategy
from ml.backtest.walk_forward import decision_sessions
from ml.tax.bulk import columns as c
from ml.tax.units import USD
from tests.test_ml.test_backtest.backtest_helpers import (
    Restless,
    keys_of,
    price_panel,
    simulated_panel,
    whole_window,
)

PROFILE_NAMES = ("untaxed", "P1", "P2_outside_20k")


@pytest.fixture(scope="module")
def panel() -> BacktestPanel:
    return simulated_panel(sessions=560)


def results_of(strategy: Strategy, panel: BacktestPanel, profiles=PROFILE_NAMES, costs=(10,)):
    window, keys = whole_window(panel), keys_of(strategy, profiles, costs)
    path = simulate(strategy, panel, window, keys)
    return path, trial_results(path, panel, window, keys, [{"trial_id": str(i)} for i in range(len(keys))])


def test_every_micro_dollar_is_accounted_for(panel: BacktestPanel) -> None:
    path, _ = results_of(Restless("restless", "weekly"), panel)
    rows = path.log.columns()
    signed = np.where(rows["step"] == PURCHASE, -rows["amount"], rows["amount"])
    shares = np.where(rows["step"] == PURCHASE, rows["quantity"], -rows["quantity"])
    for a, name in enumerate(PROFILE_NAMES):
        mine = rows["account"] == a
        held = np.bincount(rows["asset"][mine], weights=shares[mine], minlength=path.log.assets)
        cash = (
            PROFILES[name].start_usd * USD
            + signed[mine].sum()
            + path.interest[a].sum()
            - path.tax_paid[a].sum()
        )
        value = (held * np.nan_to_num(panel.price[-1])).sum() / 1e9 + cash / USD
        assert value == pytest.approx(path.value[a, -1], abs=1e-4)
        assert cash >= 0


def test_equal_weight_is_that_of_a_plain_loop(panel: BacktestPanel) -> None:
    """Oracle: one account, floats, no lots: trade to 1 / N at the next open after each month's end."""
    path, _ = results_of(EqualWeight("equal_weight"), panel, ("untaxed",), (25,))
    decides = set(decision_sessions(panel.dates, whole_window(panel), "monthly").tolist())
    shares, cash, values, wanted = np.zeros(len(panel.asset_ids)), 100_000.0, [], None
    uncredited = 0.0
    for t in range(len(panel.dates)):
        uncredited += cash * panel.cash_return[t]
        if wanted is not None:
            price = np.where(np.isfinite(panel.open[t]), panel.open[t], panel.price[t])
            total = cash + (shares * np.nan_to_num(price)).sum()
            after = total
            for _ in range(50):
                after = total - 0.0025 * np.abs(wanted * after - shares * np.nan_to_num(price)).sum()
            shares = np.divide(wanted * after, price, out=np.zeros_like(price), where=wanted > 0)
            cash, wanted = 0.0, None
        if t + 1 == len(panel.dates) or panel.dates[t].astype("M8[M]") != panel.dates[t + 1].astype("M8[M]"):
            cash, uncredited = cash + uncredited, 0.0
        values.append(cash + uncredited + (shares * np.nan_to_num(panel.price[t])).sum())
        if t in decides:
            wanted = panel.is_tradeable[t] / max(panel.is_tradeable[t].sum(), 1)
    np.testing.assert_allclose(path.value[0], values, rtol=2e-6)


def test_nothing_depends_on_what_comes_later(panel: BacktestPanel) -> None:
    """With other prices from a session on, all that was before it is the same to the bit."""
    cut = 300
    later = panel.price.copy()
    later[cut:] *= np.exp(np.random.default_rng(1).normal(0, 0.2, later[cut:].shape))
    opens = panel.open.copy()
    opens[cut:] = np.nan
    features = dataclasses.replace(panel.features, features=panel.features.features.copy())
    features.features[cut:] = 0.5
    other = dataclasses.replace(panel, price=later, open=opens, features=features)
    for strategy in (Restless("restless", "weekly"), EqualWeight("equal_weight")):
        first, second = (results_of(strategy, p, ("P1",))[0] for p in (panel, other))
        np.testing.assert_array_equal(first.value[:, :cut], second.value[:, :cut])
        assert not np.array_equal(first.value[:, cut:], second.value[:, cut:])


def test_what_a_decision_sees_ends_at_its_close(panel: BacktestPanel) -> None:
    seen: list[tuple[int, int]] = []

    class Spy(EqualWeight):
        def targets(self, state: DecisionState) -> np.ndarray:
            lengths = {len(state.dates), len(state.prices), len(state.returns_log), len(state.market_log)}
            assert lengths == {len(state.dates)}
            assert state.fill_date > state.dates[-1]
            seen.append((len(state.dates) - 1, state.accounts.lot_asset.size))
            return super().targets(state)

    results_of(Spy("spy"), panel, ("P1",))
    expected = decision_sessions(panel.dates, whole_window(panel), "monthly").tolist()
    assert [t for t, _ in seen] == expected


def test_taxes_paid_are_those_of_the_exact_ledger(panel: BacktestPanel) -> None:
    path, results = results_of(Restless("restless", "weekly"), panel)
    exact = run_exact(path.log)
    years = path.years.tolist()
    for a, (name, result) in enumerate(zip(PROFILE_NAMES, results, strict=True)):
        carry = (0, 0)
        for i, year in enumerate(years):
            mine = exact.books.pieces[c.Q_ACCOUNT] == a
            sold = (
                exact.books.pieces[c.Q_DAY].astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
            )
            chosen = mine & (sold == year)
            short = int(exact.recognised[chosen & ~exact.is_long].sum())
            long = int(exact.recognised[chosen & exact.is_long].sum())
            due = year_tax(PROFILES[name], "law_2026", year, short, long, int(path.interest[a, i]), carry)
            carry = (due.carry_short, due.carry_long)
            assert result.tax_due_usd[i] == pytest.approx(due.total / USD, abs=1e-9)
            if i + 1 < len(years) and year in path.paid_session:
                assert path.tax_paid[a, i + 1] == due.total
        assert (result.tax_paid_usd != 0).any() == (name != "untaxed")
        assert result.disallowed_usd.sum() > 0


def test_tax_is_paid_on_the_first_session_from_15_april(panel: BacktestPanel) -> None:
    path, _ = results_of(EqualWeight("equal_weight"), panel)
    assert {y: str(panel.dates[s]) for y, s in path.paid_session.items()} == {2010: "2011-04-15"}


def test_tax_beyond_cash_is_raised_by_forced_sales() -> None:
    """A doubling sold in December is taxed in April: nothing is in cash, so every holding is cut."""

    class Switch(Baseline):
        def targets(self, state: DecisionState) -> np.ndarray:
            first = state.date.year == 2010 and state.date.month < 11
            return np.array([1.0, 0.0, 0.0] if first else [0.0, 1.0, 0.0])

    count = 330
    panel = price_panel({"A": [100 * 2 ** (t / 200) for t in range(count)], "B": [50.0] * count})
    path, (result,) = results_of(Switch("switch"), panel, ("P1",))
    rows = path.log.columns()
    forced = rows["step"] == FORCED_SALE
    assert forced.sum() == 1
    assert rows["asset"][forced][0] == 1
    assert result.involuntary_short_gain_usd.sum() == 0
    assert result.voluntary_short_gain_usd[0] > 50_000
    assert result.tax_paid_usd[1] == pytest.approx(result.tax_due_usd[0])
    assert result.tax_paid_usd[1] > 10_000
    assert path.cash_weight[0, -1] < 1e-4


def test_an_asset_whose_bars_end_pays_out_its_last_price_free_of_cost() -> None:
    count = 60
    ended = [10.0 + t / 10 if t < 30 else None for t in range(count)]
    panel = price_panel({"A": ended, "B": [20.0] * count})
    path, _ = results_of(EqualWeight("hold", "once"), panel, ("untaxed",))
    rows = path.log.columns()
    forced = rows["step"] == FORCED_SALE
    assert forced.sum() == 1
    day = rows["day"][forced][0]
    assert day == panel.days[29 + 5]
    last = panel.price[29, 0]
    assert last / panel.price[0, 0] == pytest.approx(12.9 / 10.0)
    assert rows["amount"][forced][0] == pytest.approx(rows["quantity"][forced][0] / 1e9 * last * USD, abs=1)
    assert np.isclose(path.value[0, -1], path.value[0, 35])


def test_cash_alone_earns_the_rate(panel: BacktestPanel) -> None:
    _, (result,) = results_of(Cash("cash"), panel, ("untaxed",))
    expected = 100_000 * np.prod(1 + panel.cash_return[1:])
    assert result.wealth_usd[-1] == pytest.approx(expected, rel=1e-4)
    assert result.turnover.sum() == 0
    assert (result.cash_weight == 1).all()


def test_weekly_figures_sum_to_yearly_ones_and_to_the_path(panel: BacktestPanel) -> None:
    path, results = results_of(Restless("restless", "weekly"), panel)
    for a, result in enumerate(results):
        assert result.turnover.sum() == pytest.approx(result.turnover_year.sum())
        assert result.costs_usd.sum() == pytest.approx(path.cost[a].sum())
        np.testing.assert_allclose(result.wealth_pretax_usd - result.liquidation_tax_usd, result.wealth_usd)
        assert all(np.isfinite(getattr(result, name)).all() for name in array_names() if name != "dates")
        assert result.meta["daily"]["volatility_ann"] > 0


def test_accounts_do_not_touch_each_other(panel: BacktestPanel) -> None:
    """An account alone is the same to the bit as beside others: a resumed run may compute any of them."""
    strategy = EqualWeight("equal_weight")
    together, _ = results_of(strategy, panel)
    alone, _ = results_of(strategy, panel, ("P1",))
    np.testing.assert_array_equal(together.value[1], alone.value[0])


def test_long_term_gains_only_never_chooses_a_short_term_gain(panel: BacktestPanel) -> None:
    class LongOnly(Restless):
        pass

    strategy = LongOnly("long_only", "weekly", "tax_order", ("long_term_gains_only",))
    _, results = results_of(strategy, panel, ("P1", "P2"))
    free = Restless("free", "weekly", "tax_order")
    _, others = results_of(free, panel, ("P1", "P2"))
    for result, other in zip(results, others, strict=True):
        assert result.voluntary_short_gain_usd.sum() < 0.001 * other.voluntary_short_gain_usd.sum()
        assert result.turnover.sum() < other.turnover.sum()
