"""Accrued wealth: the tax over arrays is the exact one, and the weekly results are those of an actual sale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.backtest.ledger import FORCED_SALE, ExactBooks, TradeLog, holdings_of, run_exact
from ml.backtest.profiles import PROFILES, TAXED_PROFILES, marginal_rates, year_tax
from ml.backtest.simulate import Path, simulate
from ml.backtest.walk_forward import week_ends
from ml.backtest.wealth import (
    CARRY_DISCOUNT,
    Accrual,
    accrued_tax,
    array_tax,
    netted_tax,
    weekly_results,
)
from ml.tax.bulk import columns as c
from ml.tax.bulk.results import years_of
from ml.tax.units import USD
from tests.test_ml.test_backtest.backtest_helpers import Restless, keys_of, simulated_panel, whole_window

CENT = 0.01
_usd = st.integers(-3_000_000, 3_000_000)


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(TAXED_PROFILES),
    st.sampled_from(
        [("law_2026", 2004), ("actual", 2010), ("actual", 2012), ("actual", 2013), ("actual", 2021)]
    ),
    _usd,
    _usd,
    st.integers(0, 50_000),
    st.integers(0, 200_000),
    st.integers(0, 200_000),
)
def test_tax_over_arrays_is_the_exact_tax(name, law, short, long, interest, carry_short, carry_long) -> None:
    profile, (law_name, year) = PROFILES[name], law
    exact = year_tax(
        profile,
        law_name,
        year,
        short * USD,
        long * USD,
        interest * USD,
        (carry_short * USD, carry_long * USD),
    )
    outside = float(profile.outside_long_gain_usd)
    found = array_tax(
        profile,
        law_name,
        year,
        np.array([short - carry_short, 0.0]),
        np.array([long + outside - carry_long, outside]),
        np.array([float(interest), 0.0]),
    )
    assert found.total[0] - found.total[1] == pytest.approx(exact.total / USD, abs=CENT)
    assert found.carry_short[0] == pytest.approx(exact.carry_short / USD, abs=CENT)
    assert found.carry_long[0] == pytest.approx(exact.carry_long / USD, abs=CENT)


def test_a_state_that_taxes_gains_apart_is_the_exact_one_too() -> None:
    import dataclasses

    profile = dataclasses.replace(PROFILES["P2"], state="WA")
    for short, long in ((50_000, 400_000), (-20_000, 350_000), (10_000, -50_000), (0, 0)):
        exact = year_tax(profile, "actual", 2024, short * USD, long * USD, 0, (0, 0))
        found = array_tax(profile, "actual", 2024, np.array([short, 0.0]), np.array([long, 0.0]), np.zeros(2))
        assert found.total[0] - found.total[1] == pytest.approx(exact.total / USD, abs=CENT)


@settings(deadline=None, max_examples=200)
@given(_usd, _usd)
def test_the_netted_tax_follows_schedule_d(short: int, long: int) -> None:
    """Case by case in plain words, at 30 % and 15 % with a limit of 3,000."""
    found = float(netted_tax(np.array([float(short)]), np.array([float(long)]), (0.30, 0.15), 3_000.0)[0])
    if short >= 0 and long >= 0:
        expected = 0.30 * short + 0.15 * long
    elif short + long >= 0:
        expected = (0.30 if short > 0 else 0.15) * (short + long)
    else:
        loss = -(short + long)
        # What is left of each term's loss after it met the other's gain; the deduction takes short-term first.
        short_loss = loss if long >= 0 else max(0, -short)
        long_loss = loss - short_loss
        from_short = min(short_loss, 3_000)
        from_long = min(long_loss, 3_000 - from_short)
        carried = 0.30 * (short_loss - from_short) + 0.15 * (long_loss - from_long)
        expected = -0.30 * (from_short + from_long) - CARRY_DISCOUNT * carried
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.fixture(scope="module")
def restless() -> tuple[Path, ExactBooks, np.ndarray, np.ndarray]:
    """Two years of weekly random trading in two accounts, one by named lots."""
    panel = simulated_panel(sessions=520)
    window = whole_window(panel)
    strategy = Restless("restless", "weekly")
    path = simulate(strategy, panel, window, keys_of(strategy, ("P1", "P2_outside_20k")))
    ends = week_ends(panel.dates, window)
    return path, run_exact(path.log), panel.days[ends], panel.price[ends]


def _sold_out(path: Path, day: int, prices: np.ndarray) -> tuple[ExactBooks, int]:
    """The ledger of the trades up to a day, with everything sold at that close; and its first added row."""
    log, rows = TradeLog(path.log.methods, path.log.assets), path.log.columns()
    shape = (len(log.methods), log.assets)
    held = np.zeros(shape, np.int64)
    for today in np.unique(rows["day"]):
        if today > day:
            break
        for step in range(3):
            mine = (rows["day"] == today) & (rows["step"] == step)
            quantity, amount = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
            quantity[rows["account"][mine], rows["asset"][mine]] = rows["quantity"][mine]
            amount[rows["account"][mine], rows["asset"][mine]] = rows["amount"][mine]
            log.append(step, int(today), quantity, amount)
            held += quantity if step == 2 else -quantity
    first = log.rows
    proceeds = np.rint(held * (np.nan_to_num(prices) * (USD / 1e9))).astype(np.int64)
    # The evening's sale stands after the day's trades: on the ledger's clock it is of the next day's first step.
    log._parts.append(
        {
            "step": np.full((held > 0).sum(), 2, np.int8),
            "day": np.full((held > 0).sum(), day, np.int32),
            "account": np.nonzero(held)[0].astype(np.int32),
            "asset": np.nonzero(held)[1].astype(np.int32),
            "quantity": held[held > 0],
            "amount": proceeds[held > 0],
        }
    )
    ledger = log.ledger()
    kind = ledger.kind.copy()
    kind[first:] = c.SELL
    time = ledger.time.copy()
    time[first:] += 1
    amount = ledger.amount.copy()
    amount[first:] = np.abs(amount[first:])
    import dataclasses

    books = dataclasses.replace(ledger, kind=kind, time=time, amount=amount).run()
    assert not books.reasons.any()
    return ExactBooks(books, log.columns(), len(log.methods)), first


def test_what_is_accrued_is_what_a_sale_of_everything_would_realise(restless) -> None:
    """Oracle: the ledger is run again with all lots sold that evening."""
    path, exact, week_days, prices = restless
    weekly = weekly_results(exact, holdings_of(exact), week_days, prices)
    assert exact.books.matches.shape[1] > 50, "the trades must wash losses, or the test shows little"
    assert (exact.books.pieces_wide[c.Q_DISALLOWED] > 0).sum() > 50
    traded = set(path.log.columns()["day"].tolist())
    for w in [*range(3, len(week_days) - 1, 6), len(week_days) - 1]:
        day = int(week_days[w])
        sold, _ = _sold_out(path, day, prices[w])
        year = int(years_of(np.array([day]))[0])
        by_term = [sold.yearly(sold.recognised, sold.is_long == t, year - 1, 2) / USD for t in (False, True)]
        now, before = (np.stack([x[:, i] for x in by_term], axis=1) for i in (1, 0))
        found = weekly.running[:, w] + weekly.unrealised[:, w]
        np.testing.assert_allclose(weekly.before[:, w], before, atol=0.05)
        if day in traded:
            # Selling the rest on the day of a trade unmakes that day's washes (A9): the sum is the same, a
            # disallowed loss may come back in the other term.
            found, now = found.sum(axis=1), now.sum(axis=1)
        np.testing.assert_allclose(found, now, atol=0.05, err_msg=f"week {w}")


def test_accrued_tax_adds_up_as_the_formula_says() -> None:
    """One week by hand: a gain of the year, an unrealised loss, a carryover, and tax of the year before still owed."""
    profile = PROFILES["P1"]
    rates = marginal_rates(profile, "law_2026", 2011)
    accrual = Accrual(profile, "law_2026", {}, np.zeros((1, 2)), np.array([True]))
    week = np.array([2011])
    running, before, unrealised = (
        np.array([[x, y]]) for x, y in ((2_000.0, 500.0), (1_000.0, 0.0), (-4_000.0, 0.0))
    )
    found = accrued_tax(accrual, week, running, before, unrealised)[0]
    owed = year_tax(profile, "law_2026", 2010, 1_000 * USD, 0, 0, (0, 0)).total / USD
    so_far = year_tax(profile, "law_2026", 2011, 2_000 * USD, 500 * USD, 0, (0, 0)).total / USD
    # Selling: short 2,000 - 4,000 = -2,000 meets long 500, 1,500 of income is saved at the short rate.
    change = (-rates[0] * 1_500) - (rates[0] * 2_000 + rates[1] * 500)
    assert found == pytest.approx(owed + so_far + change, abs=CENT)


def test_without_tax_nothing_is_accrued() -> None:
    accrual = Accrual(PROFILES["untaxed"], "law_2026", {}, np.ones((2, 2)), np.array([True, False]))
    some = np.full((2, 2), 1234.5)
    assert (accrued_tax(accrual, np.array([2003, 2003]), some, some, some) == 0).all()


def test_forced_sales_stand_first_in_the_log() -> None:
    log = TradeLog(np.zeros(1, np.int64), 1)
    one = np.ones((1, 1), np.int64)
    log.append(FORCED_SALE, 100, one, one)
    assert log.ledger().time[0] == 300
