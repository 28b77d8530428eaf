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
def wash_sale(shares, basis, day, cut, ring, loss, today, t, fills, count, settings):
    """Match a loss sale with unmatched purchases of the 30 days before that are still held.

    What is left of a lot cannot replace shares sold from it (Rev. Rul. 56-602), only those of others.

    Parameters
    ----------
    shares, basis, day : array of shape (K,)
        What the sale left; the basis takes the loss.
    cut : array of shape (K,)
        Shares sold of each lot, negative where at a gain.
    ring : array of shape (R, 5)
    loss : array of shape (4,)
        The sale's loss by the ring's columns; becomes what later purchases may still wash.

    Returns
    -------
    short, long
        Disallowed.
    """
    zero = settings.zero
    whole = of_cut = loss_of_cut = zero
    for k in range(count):
        if today - day[k] <= WASH_DAYS:
            if cut[k] != zero:
                of_cut += shares[k]
                loss_of_cut += max(cut[k], zero)
            else:
                whole += shares[k]
    recent = whole + of_cut
    usable = whole + min(of_cut, max(loss[LOSS_SHARES] - loss_of_cut, zero))
    wanted = min(loss[LOSS_SHARES], usable)
    used = zero
    for back in range(fills, 0, -1):
        slot = ring[(t - back) % len(ring)]
        take = min(wanted - used, slot[BOUGHT])
        slot[BOUGHT] -= take
        used += take
    if used <= zero:
        return zero, zero
    part = min(used / loss[LOSS_SHARES], settings.one)
    short, long = part * loss[LOSS_SHORT], part * loss[LOSS_LONG]
    for k in range(count):
        if today - day[k] <= WASH_DAYS:
            basis[k] += (short + long) / recent
    sort_lots(shares, basis, day, count)
    for column in range(RING_COLUMNS - 1):
        loss[column] *= settings.one - part
    return short, long


@COMPILER.hot
def wash_purchase(ring, quantity, t, fills, settings):
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
    for back in range(fills, 0, -1):
        slot = ring[(t - back) % len(ring)]
        if slot[LOSS_SHARES] <= zero:
            continue
        if left <= zero:
            break
        take = min(left, slot[LOSS_SHARES])
        part = take / slot[LOSS_SHARES]
        left -= take
        short += part * slot[LOSS_SHORT]
        long += part * slot[LOSS_LONG]
        share_days += part * slot[LOSS_SHARE_DAYS]
        for column in range(RING_COLUMNS - 1):
            slot[column] *= settings.one - part
    return short, long, share_days / quantity, left
