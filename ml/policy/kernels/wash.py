"""Wash sales of one asset in sixteen accounts: matching of loss sales with purchases before and after.

Source: IRC 1091, 1223(3); 26 CFR 1.1091-1. Simplifications, beside ``ml.tax`` (whose ledger splits lots): the
loss shares of one sale are washed at their mean loss and mean days held; the washed and the other shares of a
purchase form one lot, whose basis takes the disallowed loss and whose holding period starts earlier by the
share-weighted mean of the tacked days; shares bought before a loss sale take the disallowed loss evenly and are
not tacked; a loss of December that is washed in January is added to the new year's result.
"""

from ml.policy.env_config import WASH_DAYS
from ml.policy.kernels.lanes import any_lane, load, lower, store, where
from ml.policy.kernels.layout import BOUGHT, COMPILER, LOSS_LONG, LOSS_SHARE_DAYS, LOSS_SHARES, LOSS_SHORT


@COMPILER.hot
def use_purchases(ring, c, n, t, fills, wanted):
    """Match a loss sale with unmatched purchases of the fills within 30 days, oldest first.

    Parameters
    ----------
    ring : array of shape (C, N, R, 5, 16)
        Fill s stands in slot ``s % R``.
    fills : lanes
        How many fills before fill t lie within 30 days.
    wanted : lanes
        Loss shares that purchases still held can replace.

    Returns
    -------
    lanes
        Loss shares that are washed.
    """
    used = wanted - wanted
    size = ring.shape[2]
    for i in range(size):
        slot = (t + i) % size
        bought = load(ring, (c, n, slot, BOUGHT))
        take = where(fills >= size - i, lower(wanted - used, bought), 0)
        store(ring, (c, n, slot, BOUGHT), bought - take)
        used = used + take
    return used


@COMPILER.hot
def add_disallowed(books, c, n, is_washed, added, today):
    """Add a disallowed loss per share to the lots not older than 30 days; their order may change."""
    for k in range(books.shares.shape[2]):
        basis = load(books.basis, (c, n, k))
        takes = is_washed & (today - load(books.day, (c, n, k)) <= WASH_DAYS)
        store(books.basis, (c, n, k), where(takes, basis + added, basis))


@COMPILER.hot
def wash_purchase(ring, c, n, t, fills, quantity):
    """Match a purchase with earlier loss sales, oldest first.

    Returns
    -------
    short, long : lanes
        Disallowed.
    share_days : lanes
        Days to set the holding period back, times shares.
    unused : lanes
        Shares that washed nothing.
    """
    left, short = quantity, quantity - quantity
    long, share_days = short, short
    size = ring.shape[2]
    for i in range(size):
        slot = (t + i) % size
        lost = load(ring, (c, n, slot, LOSS_SHARES))
        take = where((fills >= size - i) & (lost > 0), lower(left, lost), 0)
        if not any_lane(take > 0):
            continue
        part = take / where(lost > 0, lost, 1)
        lost_short, lost_long = load(ring, (c, n, slot, LOSS_SHORT)), load(ring, (c, n, slot, LOSS_LONG))
        lost_days = load(ring, (c, n, slot, LOSS_SHARE_DAYS))
        left = left - take
        short, long = short + part * lost_short, long + part * lost_long
        share_days = share_days + part * lost_days
        store(ring, (c, n, slot, LOSS_SHARES), lost * (1 - part))
        store(ring, (c, n, slot, LOSS_SHORT), lost_short * (1 - part))
        store(ring, (c, n, slot, LOSS_LONG), lost_long * (1 - part))
        store(ring, (c, n, slot, LOSS_SHARE_DAYS), lost_days * (1 - part))
    return short, long, share_days, left
