"""A week of a range of portfolios, compiled for the CPU, sixteen at a time.

What belongs here: the order of a week's events, and what is done portfolio by portfolio (cash, the tax year).
What does not: passes over the assets of sixteen portfolios (``sales.py``, ``settle.py``, ``valuation.py``),
netting (``account.py``), rewards (``reward.py``). A portfolio uses only its own lane.
"""

import numpy as np

from ml.policy.kernels import layout as c
from ml.policy.kernels.account import close_year, positive, tax_if_realised
from ml.policy.kernels.lanes import WIDTH
from ml.policy.kernels.layout import COMPILER
from ml.policy.kernels.reward import write_rewards
from ml.policy.kernels.sales import choose_forced, choose_sales
from ml.policy.kernels.settle import settle
from ml.policy.kernels.valuation import value_assets, write_seen


@COMPILER.compiled
def step_range(start, stop, t, target, market, holders, books, outputs, settings):
    """Trade the blocks ``start`` to ``stop`` at fill t and value them at decision t + 1.

    Parameters
    ----------
    target : array of shape (B, N + 1)
        >= 0, cash last.
    market, holders, books, outputs, settings
        The bundles of :mod:`ml.policy.kernels.layout`; ``books`` and ``outputs`` are written.
    """
    desk = _new_desk(books)
    for block in range(start, stop):
        _take_market(block, t, t + 1, market, holders, desk)
        _take_portfolios(block, holders, books, desk)
        _take_targets(block, target, desk)
        choose_sales(block, books, desk, settings)
        if _pay(block, t, market, holders, books, outputs, desk, settings):
            choose_forced(block, books, desk, settings)
        _spend(block, t, holders, books, outputs, desk, settings)
        settle(block, t, books, desk, settings)
        _close(block, t, market, holders, books, outputs, desk, settings)
        value_assets(block, t + 1, books, desk, settings)
        write_seen(block, outputs.observed, desk, settings)
        _reward(block, t, market, holders, books, outputs, desk, settings)


@COMPILER.compiled
def value_range(start, stop, t, market, holders, books, outputs, settings):
    """Value the blocks at decision t: at the start of an episode."""
    desk = _new_desk(books)
    for block in range(start, stop):
        _take_market(block, t, t, market, holders, desk)
        _take_portfolios(block, holders, books, desk)
        value_assets(block, t, books, desk, settings)
        write_seen(block, outputs.observed, desk, settings)
        for b in range(block * WIDTH, min(block * WIDTH + WIDTH, len(books.account))):
            _worth(b, holders, books, desk, settings)


@COMPILER.inner
def _new_desk(books):
    """Working tables, one set for a range of blocks."""
    assets, lots, like = books.shares.shape[1], books.shares.shape[2], books.shares.dtype
    return c.Desk(
        np.full(WIDTH, -1, np.int32),
        np.zeros((assets, WIDTH), like),
        np.zeros((assets, WIDTH), like),
        np.zeros((assets, WIDTH), like),
        np.zeros((assets, WIDTH), like),
        np.zeros((assets, WIDTH), like),
        np.zeros((assets, WIDTH), like),
        np.zeros((assets, WIDTH), np.int32),
        np.zeros((assets, lots, WIDTH), like),
        np.zeros(assets, np.bool_),
        np.zeros((6, WIDTH), like),
        np.zeros((7, WIDTH), np.int32),
        np.zeros((c.SUMS, WIDTH), like),
        np.zeros((c.OBSERVED_COLUMNS, assets, WIDTH), like),
    )


@COMPILER.hot
def _portfolio(block, lane, holders):
    """The portfolio of a lane; lanes behind the last portfolio repeat it, and nothing of theirs is kept."""
    return min(block * WIDTH + lane, len(holders.group) - 1)


@COMPILER.inner
def _take_market(block, t, following, market, holders, desk):
    """Spread the universes' rows over the lanes; nothing to do where the last block lay in the same ones."""
    is_same = True
    for i in range(WIDTH):
        g = holders.group[_portfolio(block, i, holders)]
        is_same = is_same and desk.group[i] == g
        desk.group[i] = g
    if is_same:
        return
    for n in range(len(desk.change)):
        for i in range(WIDTH):
            g = desk.group[i]
            desk.decision[n, i], desk.price[n, i] = market.decision_price[g, t, n], market.fill_price[g, t, n]
            desk.paid[n, i], desk.flags[n, i] = market.dividend[g, t, n], market.flags[g, t, n]
            desk.following[n, i] = market.decision_price[g, following, n]
    for i in range(WIDTH):
        g = desk.group[i]
        desk.days[c.D_TODAY, i], desk.days[c.D_LONG, i] = market.fill_day[g, t], market.long_day[g, t]
        desk.days[c.D_FILLS, i] = market.open_fills[g, t]
        desk.days[c.D_LONG_NEXT, i] = market.long_day[g, following]
        desk.days[c.D_FILLS_NEXT, i] = market.open_fills[g, following]


@COMPILER.inner
def _take_portfolios(block, holders, books, desk):
    for i in range(WIDTH):
        b = _portfolio(block, i, holders)
        desk.given[c.G_VALUE, i], desk.given[c.G_CASH, i] = (
            books.account[b, c.PRETAX_VALUE],
            books.account[b, c.CASH],
        )
        desk.given[c.G_COST, i] = holders.rates[b, c.COST]
        desk.given[c.G_LEAST, i] = holders.rates[b, c.HARVEST_LEAST]
        desk.days[c.D_TAXABLE, i] = holders.flags[b] & c.TAXABLE
        desk.days[c.D_LEAVES, i] = holders.flags[b] & c.NO_SHORT_GAINS


@COMPILER.inner
def _take_targets(block, target, desk):
    for i in range(WIDTH):
        b = min(block * WIDTH + i, len(target) - 1)
        for n in range(len(desk.change)):
            desk.target[n, i] = target[b, n]


@COMPILER.hot
def _portfolios(block, books):
    """How many lanes of a block hold a portfolio."""
    return min(WIDTH, len(books.account) - block * WIDTH)


@COMPILER.inner
def _pay(block, t, market, holders, books, outputs, desk, settings):
    """See what is owed and what cash lacks; say whether any portfolio must raise cash."""
    zero, is_short = settings.zero, False
    desk.given[c.G_NEED, :] = zero
    for i in range(_portfolios(block, books)):
        b = block * WIDTH + i
        account, flow = books.account[b], holders.flow[b, t]
        available = account[c.CASH] + positive(flow, zero)
        available += desk.sums[c.S_DIVIDENDS, i] + desk.sums[c.S_PROCEEDS, i]
        need = positive(-flow, zero) + account[c.TAX_DUE] - available
        if need > zero:
            desk.given[c.G_NEED, i] = need
            is_short = True
    return is_short


@COMPILER.inner
def _spend(block, t, holders, books, outputs, desk, settings):
    """Pay tax due and withdrawals; what is left scales the purchases."""
    zero, one = settings.zero, settings.one
    for i in range(_portfolios(block, books)):
        b = block * WIDTH + i
        account, info, flow = books.account[b], outputs.info[b], holders.flow[b, t]
        inflow, outflow = positive(flow, zero), positive(-flow, zero)
        available = account[c.CASH] + inflow + desk.sums[c.S_DIVIDENDS, i] + desk.sums[c.S_PROCEEDS, i]
        tax_paid = min(account[c.TAX_DUE], available)
        withdrawn = min(outflow, available - tax_paid)
        available = positive(available - tax_paid - withdrawn, zero)
        account[c.TAX_DUE] -= tax_paid
        account[c.CASH] = available
        if holders.flags[b] & c.TAXABLE != 0:
            account[c.DIVIDENDS] += desk.sums[c.S_DIVIDENDS, i]
        outlay = desk.sums[c.S_OUTLAY, i] * (one + holders.rates[b, c.COST])
        desk.given[c.G_SCALE, i] = min(available / max(outlay, settings.dust), one)
        info[c.I_TAX_PAID], info[c.I_FLOW] = tax_paid, inflow - withdrawn
        info[c.I_DIVIDENDS], info[c.I_INVOLUNTARY] = (
            desk.sums[c.S_DIVIDENDS, i],
            desk.sums[c.S_INVOLUNTARY, i],
        )


@COMPILER.inner
def _close(block, t, market, holders, books, outputs, desk, settings):
    """Book the fill's results into the tax year, close the year where it ends, and let cash earn its return."""
    zero, one = settings.zero, settings.one
    for i in range(_portfolios(block, books)):
        b, g, total = block * WIDTH + i, desk.group[i], desk.sums[:, i]
        account, rates, info = books.account[b], holders.rates[b], outputs.info[b]
        bought = total[c.S_BOUGHT]
        info[c.I_TURNOVER] = (total[c.S_TURNOVER] + bought) / 2
        info[c.I_TURNOVER] /= max(account[c.PRETAX_VALUE], settings.wealth_floor)
        info[c.I_COST] = total[c.S_COST] + bought * rates[c.COST]
        info[c.I_SHORT : c.I_CREDITED + 1] = zero
        if holders.flags[b] & c.TAXABLE != 0:
            _book_results(account, rates, info, total, settings)
        account[c.CASH] = positive(account[c.CASH] - bought * (one + rates[c.COST]), zero)
        if market.is_year_end[g, t] != 0:
            close_year(account, rates, zero)
        account[c.CASH] *= one + market.cash_return[g, t]
        desk.given[c.G_CASH, i] = account[c.CASH]


@COMPILER.hot
def _book_results(account, rates, info, total, settings):
    """Add a fill's results to the year and say what its losses are worth."""
    zero = settings.zero
    short_gain, long_gain = total[c.S_GAINS] - total[c.S_LONG_GAIN], total[c.S_LONG_GAIN]
    account[c.SHORT_NET] += short_gain
    account[c.LONG_NET] += long_gain
    without = tax_if_realised(account, zero, zero, rates, settings)
    short_allowed = total[c.S_SHORT_WASHED] - total[c.S_SHORT_LOSS]
    long_allowed = total[c.S_LONG_WASHED] - total[c.S_LONG_LOSS]
    info[c.I_CREDITED] = without - tax_if_realised(account, short_allowed, long_allowed, rates, settings)
    account[c.SHORT_NET] += short_allowed + total[c.S_SHORT_LATER]
    account[c.LONG_NET] += long_allowed + total[c.S_LONG_LATER]
    info[c.I_SHORT], info[c.I_LONG] = short_gain - total[c.S_SHORT_LOSS], long_gain - total[c.S_LONG_LOSS]
    info[c.I_LOSS] = total[c.S_SHORT_LOSS] + total[c.S_LONG_LOSS]
    info[c.I_DISALLOWED] = total[c.S_SHORT_WASHED] + total[c.S_LONG_WASHED]
    info[c.I_DISALLOWED] += total[c.S_SHORT_LATER] + total[c.S_LONG_LATER]


@COMPILER.hot
def _worth(b, holders, books, desk, settings):
    """Write the value before tax and the after-tax liquidation wealth."""
    account, total = books.account[b], desk.sums[:, b % WIDTH]
    account[c.PRETAX_VALUE] = total[c.S_VALUE] + account[c.CASH]
    account[c.WEALTH] = account[c.PRETAX_VALUE] - account[c.TAX_DUE]
    if holders.flags[b] & c.TAXABLE != 0:
        account[c.WEALTH] -= tax_if_realised(
            account, total[c.S_SHORT_OPEN], total[c.S_LONG_OPEN], holders.rates[b], settings
        )


@COMPILER.inner
def _reward(block, t, market, holders, books, outputs, desk, settings):
    """Value the portfolios and write their rewards."""
    for i in range(_portfolios(block, books)):
        b, g = block * WIDTH + i, desk.group[i]
        account, info = books.account[b], outputs.info[b]
        pretax_before, wealth_before = account[c.PRETAX_VALUE], account[c.WEALTH]
        _worth(b, holders, books, desk, settings)
        info[c.I_WEALTH], info[c.I_PRETAX] = account[c.WEALTH], account[c.PRETAX_VALUE]
        write_rewards(
            outputs.reward[b],
            account,
            info,
            pretax_before,
            wealth_before,
            market.equal[g, t],
            market.sigma[g, t],
            settings,
        )
