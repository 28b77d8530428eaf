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
from ml.policy.kernels.wash import add_disallowed, wash_purchase, wash_sale

_NO_WAIT = np.int32(2**30)


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
    order = np.zeros(books.ring.shape[2], np.int64)
    for b in range(start, stop):
        _step_one(b, t, target[b], market, holders, books, outputs, settings, sold, change, order)


@COMPILER.compiled
def value_range(start, stop, t, market, holders, books, outputs, settings):
    """Value portfolios at decision t: at the start of an episode."""
    order = np.zeros(books.ring.shape[2], np.int64)
    for b in range(start, stop):
        _value(b, t, market, holders, books, outputs, settings, order)


@COMPILER.inner
def _step_one(b, t, target, market, holders, books, outputs, settings, sold, change, order):
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
        available += _choose_forced(b, t, owed - available, market, holders, books, settings, sold, info)
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
    bought = _settle(b, t, scale, taxable, market, holders, books, settings, sold, change, order, info)
    account[c.CASH] = positive(available - bought * (settings.one + rates[c.COST]), zero)

    if market.is_year_end[g, t] != 0:
        close_year(account, rates, zero)
    account[c.CASH] *= settings.one + market.cash_return[g, t]
    info[c.I_TURNOVER] = (info[c.I_TURNOVER] + bought) / 2 / max(pretax_before, settings.wealth_floor)
    info[c.I_TAX_PAID] = tax_paid
    info[c.I_COST] += bought * rates[c.COST]
    info[c.I_FLOW] = inflow - withdrawn
    _value(b, t + 1, market, holders, books, outputs, settings, order)
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
    shares, basis, day = books.shares[b], books.basis[b], books.day[b]
    for n in range(len(change)):
        price, held = market.fill_price[g, t, n], books.held[b, n]
        change[n] = zero
        info[c.I_DIVIDENDS] += held * market.dividend[g, t, n]
        flags = market.flags[g, t, n]
        if flags & c.DELISTED != 0:
            for k in range(books.count[b, n]):
                sold[n, k] = shares[n, k]
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
                basis,
                day,
                sold,
                n,
                books.count[b, n],
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
                for k in range(books.count[b, n]):
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


@COMPILER.hot
def _fill_slots(order, t, fills):
    """Slots of the wash window that hold the fills within 30 days before fill t, oldest first."""
    for i in range(fills):
        order[i] = (t - fills + i) % len(order)
    return order[:fills]


@COMPILER.inner
def _settle(b, t, scale, taxable, market, holders, books, settings, sold, change, order, info):
    """Book the chosen sales and the purchases, asset after asset; return the value bought.

    ``scale`` cuts purchases to the cash there is.
    """
    g, zero, one = holders.group[b], settings.zero, settings.one
    rates, account = holders.rates[b], books.account[b]
    today, long_day = market.fill_day[g, t], market.long_day[g, t]
    slots = _fill_slots(order, t, market.open_fills[g, t])
    gains = long_gain = short_loss = long_loss = zero  # of this fill's sales
    short_washed = long_washed = short_later = long_later = zero
    bought = zero
    shares, basis, day, ring = books.shares[b], books.basis[b], books.day[b], books.ring[b]
    slot = t % ring.shape[1]
    for n in range(len(change)):
        price = market.fill_price[g, t, n]
        left = losses = short_left = long_left = days_left = unused = zero
        count = books.count[b, n]
        # Sales eat from the tail, but for lots that a mask leaves: then any slot may be sold from.
        is_sale = False
        for k in range(count - 1, -1, -1):
            if sold[n, k] > zero:
                is_sale = True
                break
        if is_sale:
            is_delisted = market.flags[g, t, n] & c.DELISTED != 0
            net = price * (settings.one - (zero if is_delisted else rates[c.COST]))
            for k in range(count):
                cut, held = sold[n, k], np.int32(today - day[n, k])
                gain = cut * (net - basis[n, k])
                loss_cut = cut if gain < zero else zero
                long = one if day[n, k] <= long_day else zero
                up, down = positive(gain, zero), positive(-gain, zero)
                gains += up
                long_gain += up * long
                left += loss_cut
                days_left += loss_cut * held
                losses += down
                long_left += down * long
                shares[n, k] -= cut
                sold[n, k] = loss_cut if gain < zero else -cut
            short_left = losses - long_left
            short_loss += short_left
            long_loss += long_left
            in_use = count
            count = close_gaps(shares, basis, day, sold, n, in_use, settings)
            if taxable and left > zero:
                used, recent = wash_sale(
                    shares, basis, day, sold, ring, n, left, today, slots, count, settings
                )
                if used > zero:
                    part = min(used / left, settings.one)
                    short_washed += part * short_left
                    long_washed += part * long_left
                    added = part * (short_left + long_left) / recent
                    add_disallowed(shares, basis, day, n, added, today, count)
                    kept = settings.one - part
                    left, days_left = left * kept, days_left * kept
                    short_left, long_left = short_left * kept, long_left * kept
            for k in range(in_use):
                sold[n, k] = zero
        spend = positive(change[n], zero) * price * scale
        if spend >= settings.dust:
            quantity = spend / price
            short, long, days, unused = wash_purchase(ring, n, quantity, slots, settings)
            short_later += short
            long_later += long
            bought += spend
            count = add_lot(
                shares,
                basis,
                day,
                n,
                count,
                quantity,
                price * (settings.one + rates[c.COST]) + (short + long) / quantity,
                today - np.int32(math.floor(days + settings.one / 2)),
                long_day,
                settings,
            )
        books.count[b, n] = count
        if not taxable:
            left = short_left = long_left = days_left = unused = zero
        ring[n, slot, c.LOSS_SHARES], ring[n, slot, c.LOSS_SHARE_DAYS] = left, days_left
        ring[n, slot, c.LOSS_SHORT], ring[n, slot, c.LOSS_LONG] = short_left, long_left
        ring[n, slot, c.BOUGHT] = unused
    short_gain = gains - long_gain
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


@COMPILER.inner
def _value(b, t, market, holders, books, outputs, settings, order):
    """Value the portfolio at decision t before and after tax, and write what the policy sees of its assets."""
    g, zero = holders.group[b], settings.zero
    account, rates, seen = books.account[b], holders.rates[b], outputs.observed[b]
    taxable = holders.flags[b] & c.TAXABLE != 0
    long_day = market.long_day[g, t]
    slots = _fill_slots(order, t, market.open_fills[g, t])
    shares, basis, day, ring = books.shares[b], books.basis[b], books.day[b], books.ring[b]
    short_total = long_total = zero
    total = account[c.CASH]
    one, deep, least = settings.one, settings.harvest_loss_ratio, rates[c.HARVEST_LEAST]
    for n in range(shares.shape[0]):
        price = market.decision_price[g, t, n]
        value = gains = losses = long_gain = long_loss = harvestable = bound = zero
        wait = _NO_WAIT
        held = zero
        for k in range(books.count[b, n]):
            held += shares[n, k]
            worth, paid = shares[n, k] * price, shares[n, k] * basis[n, k]
            gain, loss = positive(worth - paid, zero), positive(paid - worth, zero)
            later = np.int32(day[n, k] - long_day)
            is_short_gain = (later > 0) & (gain > zero)
            long = zero if later > 0 else one
            value += worth
            gains += gain
            losses += loss
            long_gain += gain * long
            long_loss += loss * long
            bound += worth if is_short_gain else zero
            harvestable += worth if (loss >= deep * paid) & (loss >= least) else zero
            wait = min(wait, later if is_short_gain else _NO_WAIT)
        books.held[b, n] = held
        short_gain, short_loss = gains - long_gain, losses - long_loss
        seen[c.O_WEIGHT, n] = value
        seen[c.O_SHORT_GAIN, n] = positive(short_gain, zero)
        seen[c.O_SHORT_LOSS, n] = positive(short_loss, zero)
        seen[c.O_LONG_GAIN, n] = long_gain
        seen[c.O_LONG_LOSS, n] = long_loss
        seen[c.O_DAYS_TO_LONG, n] = wait if wait < _NO_WAIT else 0
        seen[c.O_HARVESTABLE, n] = harvestable
        seen[c.O_FREE, n] = value - bound if taxable else value
        lost = zero
        for i in range(len(slots)):
            lost += ring[n, slots[i], c.LOSS_SHARES]
        seen[c.O_LOCKED, n] = settings.one if lost > zero else zero
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
