"""Wash sales of one asset in one account: matching of loss sales with purchases before and after.

Source: IRC 1091, 1223(3); 26 CFR 1.1091-1. Simplifications, beside ``ml.tax`` (whose ledger splits lots): the
loss shares of one sale are washed at their mean loss and mean days held; the washed and the other shares of a
purchase form one lot, whose basis takes the disallowed loss and whose holding period starts earlier by the
share-weighted mean of the tacked days; shares bought before a loss sale take the disallowed loss evenly and are
not tacked; a loss of December that is washed in January is added to the new year's result.
"""

from ml.policy.env_config import WASH_DAYS
from ml.policy.kernels.layout import (
    BOUGHT,
    COMPILER,
    LOSS_LONG,
    LOSS_SHARE_DAYS,
    LOSS_SHARES,
    LOSS_SHORT,
    RING_COLUMNS,
)
from ml.policy.kernels.lots import sort_lots


@COMPILER.hot
def wash_sale(shares, basis, day, cut, ring, n, loss_shares, today, order, count, settings):
    """Match a loss sale with unmatched purchases of the 30 days before that are still held.

    What is left of a lot cannot replace shares sold from it (Rev. Rul. 56-602), only those of others.

    Parameters
    ----------
    shares, basis, day : array of shape (N, K)
        What the sale left.
    cut : array of shape (N, K)
        Shares sold of each lot, negative where at a gain.
    ring : array of shape (N, R, 5)
    n : int
        The asset.
    loss_shares : float
        Sold at a loss.
    order : array of shape (at most R,)
        Slots of the fills within 30 days, oldest first.

    Returns
    -------
    used, recent
        Loss shares that are washed, and the shares in lots not older than 30 days.
    """
    zero = settings.zero
    whole = of_cut = loss_of_cut = zero
    for k in range(count):
        if today - day[n, k] <= WASH_DAYS:
            if cut[n, k] != zero:
                of_cut += shares[n, k]
                loss_of_cut += max(cut[n, k], zero)
            else:
                whole += shares[n, k]
    recent = whole + of_cut
    usable = whole + min(of_cut, max(loss_shares - loss_of_cut, zero))
    wanted = min(loss_shares, usable)
    used = zero
    for i in range(len(order)):
        slot = order[i]
        take = min(wanted - used, ring[n, slot, BOUGHT])
        ring[n, slot, BOUGHT] -= take
        used += take
    return used, recent


@COMPILER.hot
def add_disallowed(shares, basis, day, n, added, today, count):
    """Add a disallowed loss per share to the lots not older than 30 days."""
    for k in range(count):
        if today - day[n, k] <= WASH_DAYS:
            basis[n, k] += added
    sort_lots(shares, basis, day, n, count)


@COMPILER.hot
def wash_purchase(ring, n, quantity, order, settings):
    """Match a purchase with earlier loss sales, oldest first.

    Returns
    -------
    short, long
        Disallowed.
    days
        Mean days to set the purchase's holding period back.
    unused
        Shares that washed nothing.
    """
    zero = settings.zero
    left, short, long, share_days = quantity, zero, zero, zero
    for i in range(len(order)):
        slot = order[i]
        if ring[n, slot, LOSS_SHARES] <= zero:
            continue
        if left <= zero:
            break
        take = min(left, ring[n, slot, LOSS_SHARES])
        part = take / ring[n, slot, LOSS_SHARES]
        left -= take
        short += part * ring[n, slot, LOSS_SHORT]
        long += part * ring[n, slot, LOSS_LONG]
        share_days += part * ring[n, slot, LOSS_SHARE_DAYS]
        for column in range(RING_COLUMNS - 1):
            ring[n, slot, column] *= settings.one - part
    return short, long, share_days / quantity, left
