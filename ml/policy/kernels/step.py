"""One week of a range of portfolios, compiled for the CPU: plain loops over portfolios, assets and lots.

What belongs here: the order of a week's events and the valuation. What does not: lots (``lots.py``), wash sales
(``wash.py``), netting (``account.py``), rewards (``reward.py``). A portfolio uses only its own rows.
"""

import math

import numpy as np

from ml.policy.kernels import layout as c
from ml.policy.kernels.account import close_year, positive, tax_if_realised
from ml.policy.kernels.layout import COMPILER
from ml.policy.kernels.lots import add_lot, choose_hifo, close_gaps
from ml.policy.kernels.reward import write_rewards
from ml.policy.kernels.wash import wash_purchase, wash_sale


@COMPILER.compiled
def step_range(start, stop, t, target, market, holders, books, outputs, settings):
    """Trade portfolios ``start`` to ``stop`` at fill t and value them at decision t + 1.

    Parameters
    ----------
    target : array of shape (B, N + 1)
        >= 0, cash last.
    market, holders, books, outputs, settings
        The bundles of :mod:`ml.policy.kernels.layout`; ``books`` and ``outputs`` are written.
    """
    assets, lots = books.shares.shape[1], books.shares.shape[2]
    sold = np.zeros((assets, lots), books.shares.dtype)
    change = np.zeros(assets, books.shares.dtype)
    loss = np.zeros(c.RING_COLUMNS - 1, books.shares.dtype)
    for b in range(start, stop):
        _step_one(b, t, target[b], market, holders, books, outputs, settings, sold, change, loss)


@COMPILER.compiled
def value_range(start, stop, t, market, holders, books, outputs, settings):
    """Value portfolios at decision t: at the start of an episode."""
    for b in range(start, stop):
        _value(b, t, market, holders, books, outputs, settings)


@COMPILER.inner
def _step_one(b, t, target, market, holders, books, outputs, settings, sold, change, loss):
    g, zero = holders.group[b], settings.zero
    account, rates, info = books.account[b], holders.rates[b], outputs.info[b]
    pretax_before, wealth_before = account[c.PRETAX_VALUE], account[c.WEALTH]
    taxable = holders.flags[b] & c.TAXABLE != 0
    info[:] = zero
    flow = holders.flow[b, t]
    inflow, outflow = positive(flow, zero), positive(-flow, zero)

    proceeds = _choose_sales(b, t, target, market, holders, books, settings, sold, change, info)
    available = account[c.CASH] + inflow + info[c.I_DIVIDENDS] + proceeds
    owed = outflow + account[c.TAX_DUE]
    if owed > available:
        available += _choose_forced(
            b, t, owed - available, market, holders, books, settings, sold, info
        )
    tax_paid = min(account[c.TAX_DUE], available)
    withdrawn = min(outflow, available - tax_paid)
    available = positive(available - tax_paid - withdrawn, zero)
    account[c.TAX_DUE] -= tax_paid
    if taxable:
        account[c.DIVIDENDS] += info[c.I_DIVIDENDS]

    outlay = zero
    for n in range(len(change)):
        outlay += positive(change[n], zero) * market.fill_price[g, t, n]
    scale = min(available / max(outlay * (settings.one + rates[c.COST]), settings.dust), settings.one)
    bought = _settle(b, t, scale, taxable, market, holders, books, settings, sold, change, loss, info)
    account[c.CASH] = positive(available - bought * (settings.one + rates[c.COST]), zero)

    if market.is_year_end[g, t] != 0:
        close_year(account, rates, zero)
    account[c.CASH] *= settings.one + market.cash_return[g, t]
    info[c.I_TURNOVER] = (info[c.I_TURNOVER] + bought) / 2 / max(pretax_before, settings.wealth_floor)
    info[c.I_TAX_PAID] = tax_paid
    info[c.I_COST] += bought * rates[c.COST]
    info[c.I_FLOW] = inflow - withdrawn
    _value(b, t + 1, market, holders, books, outputs, settings)
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


@COMPILER.inner
def _choose_sales(b, t, target, market, holders, books, settings, sold, change, info):
    """Choose what payouts and the target sell, and what it wants bought; return the cash that sales bring.

    Orders are sized at the decision's price and filled at the fill's. Fills ``sold`` (N, K), ``change`` (N,).
    """
    g, zero = holders.group[b], settings.zero
    value, cost = books.account[b, c.PRETAX_VALUE], holders.rates[b, c.COST]
    long_day = market.long_day[g, t]
    leaves = holders.flags[b] & c.NO_SHORT_GAINS != 0
    proceeds = zero
    for n in range(len(change)):
        shares, price = books.shares[b, n], market.fill_price[g, t, n]
        held = zero
        for k in range(len(shares)):
            held += shares[k]
            sold[n, k] = zero
        change[n] = zero
        info[c.I_DIVIDENDS] += held * market.dividend[g, t, n]
        flags = market.flags[g, t, n]
        if flags & c.DELISTED != 0:
            sold[n, :] = shares
            proceeds += held * price
            info[c.I_TURNOVER] += held * price
            info[c.I_INVOLUNTARY] += held * price
        elif flags & c.TRADEABLE != 0:
            wanted = target[n] * value / market.decision_price[g, t, n] - held
            if abs(wanted) * price < settings.dust:
                continue
            if wanted > zero:
                change[n] = wanted
                continue
            net = price * (settings.one - cost)
            chosen = choose_hifo(
                shares,
                books.basis[b, n],
                books.day[b, n],
                sold[n],
                -wanted,
                price,
                net,
                long_day,
                leaves,
                settings,
            )
            proceeds += chosen * net
            info[c.I_TURNOVER] += chosen * price
            info[c.I_COST] += chosen * price * cost
    return proceeds


@COMPILER.inner
def _choose_forced(b, t, need, market, holders, books, settings, sold, info):
    """Choose more sales for ``need`` of cash; return what they bring.

    From every tradeable lot with a loss in proportion to value, then from long-term gains, then from
    short-term gains; counted as involuntary.
    """
    g, zero, cost = holders.group[b], settings.zero, holders.rates[b, c.COST]
    long_day = market.long_day[g, t]
    raised = zero
    for rank in range(3):
        total, part = zero, zero
        for is_taking in range(2):
            if is_taking == 1:
                if total <= zero or need <= zero:
                    break
                part = min(need / total, settings.one)
                need -= part * total
            for n in range(len(sold)):
                if market.flags[g, t, n] & c.TRADEABLE == 0:
                    continue
                price = market.fill_price[g, t, n]
                net = price * (settings.one - cost)
                for k in range(sold.shape[1]):
                    left = books.shares[b, n, k] - sold[n, k]
                    its = 0
                    if books.basis[b, n, k] < net:
                        its = 1 if books.day[b, n, k] <= long_day else 2
                    if left <= zero or its != rank:
                        continue
                    if is_taking == 0:
                        total += left * net
                        continue
                    take = left * part
                    if (left - take) * price < settings.dust:
                        take = left
                    sold[n, k] += take
                    raised += take * net
                    info[c.I_TURNOVER] += take * price
                    info[c.I_INVOLUNTARY] += take * price
                    info[c.I_COST] += take * price * cost
    return raised


@COMPILER.inner
def _settle(b, t, scale, taxable, market, holders, books, settings, sold, change, loss, info):
    """Book the chosen sales and the purchases, asset after asset; return the value bought.

    ``scale`` cuts purchases to the cash there is.
    """
    g, zero = holders.group[b], settings.zero
    rates, account = holders.rates[b], books.account[b]
    today, long_day, fills = market.fill_day[g, t], market.long_day[g, t], market.open_fills[g, t]
    short_gain = long_gain = short_loss = long_loss = zero  # of this fill's sales
    short_washed = long_washed = short_later = long_later = zero
    bought = zero
    for n in range(len(change)):
        shares, basis, day = books.shares[b, n], books.basis[b, n], books.day[b, n]
        ring, cut, price = books.ring[b, n], sold[n], market.fill_price[g, t, n]
        is_delisted = market.flags[g, t, n] & c.DELISTED != 0
        net = price * (settings.one - (zero if is_delisted else rates[c.COST]))
        loss[:] = zero
        is_sale = False
        for k in range(len(shares)):
            if cut[k] <= zero:
                continue
            is_sale = True
            gain = cut[k] * (net - basis[k])
            is_long = day[k] <= long_day
            shares[k] -= cut[k]
            if gain >= zero:
                cut[k] = -cut[k]
                if is_long:
                    long_gain += gain
                else:
                    short_gain += gain
                continue
            loss[c.LOSS_SHARES] += cut[k]
            loss[c.LOSS_SHARE_DAYS] += cut[k] * (today - day[k])
            if is_long:
                loss[c.LOSS_LONG] -= gain
            else:
                loss[c.LOSS_SHORT] -= gain
        short_loss += loss[c.LOSS_SHORT]
        long_loss += loss[c.LOSS_LONG]
        if is_sale:
            count = _close_gaps_with(shares, basis, day, cut, zero)
            if taxable and loss[c.LOSS_SHARES] > zero:
                short, long = wash_sale(
                    shares, basis, day, cut, ring, loss, today, t, fills, count, settings
                )
                short_washed += short
                long_washed += long
        spend = positive(change[n], zero) * price * scale
        unused = zero
        if spend >= settings.dust:
            quantity = spend / price
            short, long, days, unused = wash_purchase(ring, quantity, t, fills, settings)
            short_later += short
            long_later += long
            bought += spend
            add_lot(
                shares,
                basis,
                day,
                quantity,
                price * (settings.one + rates[c.COST]) + (short + long) / quantity,
                today - np.int32(math.floor(days + settings.one / 2)),
                long_day,
                settings,
            )
        slot = ring[t % len(ring)]
        for column in range(c.RING_COLUMNS - 1):
            slot[column] = loss[column] if taxable else zero
        slot[c.BOUGHT] = unused if taxable else zero
    if taxable:
        account[c.SHORT_NET] += short_gain
        account[c.LONG_NET] += long_gain
        without = tax_if_realised(account, zero, zero, rates, settings)
        short_allowed, long_allowed = short_washed - short_loss, long_washed - long_loss
        info[c.I_CREDITED] = without - tax_if_realised(account, short_allowed, long_allowed, rates, settings)
        account[c.SHORT_NET] += short_allowed + short_later
        account[c.LONG_NET] += long_allowed + long_later
        info[c.I_SHORT], info[c.I_LONG] = short_gain - short_loss, long_gain - long_loss
        info[c.I_LOSS] = short_loss + long_loss
        info[c.I_DISALLOWED] = short_washed + long_washed + short_later + long_later
    return bought


@COMPILER.hot
def _close_gaps_with(shares, basis, day, cut, zero):
    """Close the gaps of a sale; what was cut of each lot moves with it."""
    count = 0
    for k in range(len(shares)):
        if shares[k] > zero:
            cut[count] = cut[k]
            count += 1
    return close_gaps(shares, basis, day, zero)


@COMPILER.inner
def _value(b, t, market, holders, books, outputs, settings):
    """Value the portfolio at decision t before and after tax, and write what the policy sees of its assets."""
    g, zero = holders.group[b], settings.zero
    account, rates, seen = books.account[b], holders.rates[b], outputs.observed[b]
    taxable = holders.flags[b] & c.TAXABLE != 0
    today, long_day = market.fill_day[g, t], market.long_day[g, t]
    fills, slots = market.open_fills[g, t], books.ring.shape[2]
    short_total = long_total = zero
    total = account[c.CASH]
    for n in range(books.shares.shape[1]):
        price = market.decision_price[g, t, n]
        value = short_gain = short_loss = long_gain = long_loss = harvestable = free = zero
        youngest = long_day  # of the day of short-term lots with a gain: the earliest
        for k in range(books.shares.shape[2]):
            held = books.shares[b, n, k]
            if held <= zero:
                break
            worth, paid = held * price, held * books.basis[b, n, k]
            gain = worth - paid
            value += worth
            is_long = books.day[b, n, k] <= long_day
            if gain > zero:
                if is_long:
                    long_gain += gain
                    free += worth
                else:
                    short_gain += gain
                    if youngest == long_day or books.day[b, n, k] < youngest:
                        youngest = books.day[b, n, k]
            else:
                free += worth
                if is_long:
                    long_loss -= gain
                else:
                    short_loss -= gain
                if -gain >= settings.harvest_loss_ratio * paid and -gain >= rates[c.HARVEST_LEAST]:
                    harvestable += worth
        seen[c.O_WEIGHT, n] = value
        seen[c.O_SHORT_GAIN, n] = short_gain
        seen[c.O_SHORT_LOSS, n] = short_loss
        seen[c.O_LONG_GAIN, n] = long_gain
        seen[c.O_LONG_LOSS, n] = long_loss
        seen[c.O_DAYS_TO_LONG, n] = youngest - long_day
        seen[c.O_HARVESTABLE, n] = harvestable
        seen[c.O_FREE, n] = free if taxable else value
        locked = zero
        for back in range(1, fills + 1):
            if books.ring[b, n, (t - back) % slots, c.LOSS_SHARES] > zero:
                locked = settings.one
        seen[c.O_LOCKED, n] = locked
        total += value
        short_total += short_gain - short_loss
        long_total += long_gain - long_loss
    scale = settings.one / max(total, settings.wealth_floor)
    for column in range(c.OBSERVED_COLUMNS):
        if column == c.O_DAYS_TO_LONG or column == c.O_LOCKED:
            continue
        for n in range(seen.shape[1]):
            seen[column, n] *= scale
    account[c.PRETAX_VALUE] = total
    tax = tax_if_realised(account, short_total, long_total, rates, settings) if taxable else zero
    account[c.WEALTH] = total - account[c.TAX_DUE] - tax
