"""Values a block of sixteen portfolios and writes what the policy sees of its assets."""

from typing import Final

import numpy as np

from ml.policy.kernels import layout as c
from ml.policy.kernels.lanes import as_float, higher, load, lower, splat, store, where
from ml.policy.kernels.layout import COMPILER

_NO_WAIT: Final = np.int32(1 << 30)


@COMPILER.inner
def value_assets(block, t, books, desk, settings):
    """Value every lot at the next decision t; sums up the value and the results by term that a sale would realise."""
    zero, deep = settings.zero, settings.harvest_loss_ratio
    least, taxable = load(desk.given, (c.G_LEAST,)), load(desk.days, (c.D_TAXABLE,)) != 0
    long_day, fills = load(desk.days, (c.D_LONG_NEXT,)), load(desk.days, (c.D_FILLS_NEXT,))
    total = short_open = long_open = splat(zero)
    window = books.ring.shape[2]
    for n in range(len(desk.change)):
        price = load(desk.following, (n,))
        held = gains = losses = long_gain = long_loss = harvestable = bound = splat(zero)
        wait = splat(_NO_WAIT)
        for k in range(books.shares.shape[2]):
            shares = load(books.shares, (block, n, k))
            worth, paid = shares * price, shares * load(books.basis, (block, n, k))
            gain, loss = higher(worth - paid, zero), higher(paid - worth, zero)
            later = load(books.day, (block, n, k)) - long_day
            is_short_gain = (later > 0) & (gain > zero)
            held, gains, losses = held + shares, gains + gain, losses + loss
            long_gain = long_gain + where(later > 0, zero, gain)
            long_loss = long_loss + where(later > 0, zero, loss)
            bound = bound + where(is_short_gain, worth, zero)
            harvestable = harvestable + where((loss >= deep * paid) & (loss >= least), worth, zero)
            wait = where(is_short_gain, lower(wait, later), wait)
        value = held * price
        store(books.held, (block, n), held)
        lost = splat(zero)
        for i in range(window):
            shares = load(books.ring, (block, n, (t + i) % window, c.LOSS_SHARES))
            lost = lost + where(fills >= window - i, shares, zero)
        total = total + value
        short_open, long_open = (
            short_open + (gains - long_gain) - (losses - long_loss),
            long_open + (long_gain - long_loss),
        )
        store(desk.seen, (c.O_WEIGHT, n), value)
        store(desk.seen, (c.O_SHORT_GAIN, n), higher(gains - long_gain, zero))
        store(desk.seen, (c.O_SHORT_LOSS, n), higher(losses - long_loss, zero))
        store(desk.seen, (c.O_LONG_GAIN, n), long_gain)
        store(desk.seen, (c.O_LONG_LOSS, n), long_loss)
        store(desk.seen, (c.O_DAYS_TO_LONG, n), as_float(where(wait < _NO_WAIT, wait, 0), least))
        store(desk.seen, (c.O_HARVESTABLE, n), harvestable)
        store(desk.seen, (c.O_FREE, n), where(taxable, value - bound, value))
        store(desk.seen, (c.O_LOCKED, n), where(lost > zero, settings.one, splat(zero)))
    store(desk.sums, (c.S_VALUE,), total)
    store(desk.sums, (c.S_SHORT_OPEN,), short_open)
    store(desk.sums, (c.S_LONG_OPEN,), long_open)


@COMPILER.inner
def write_seen(block, observed, desk, settings):
    """Write what is seen in shares of the value before tax (days and the lock as they are)."""
    total = load(desk.sums, (c.S_VALUE,)) + load(desk.given, (c.G_CASH,))
    scale = settings.one / higher(total, settings.wealth_floor)
    for column in range(c.OBSERVED_COLUMNS):
        is_share = column != c.O_DAYS_TO_LONG and column != c.O_LOCKED
        for n in range(len(desk.change)):
            seen = load(desk.seen, (column, n))
            store(observed, (column, n, block), seen * scale if is_share else seen)
