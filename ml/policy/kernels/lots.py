"""The lots of asset ``n`` in one portfolio, (N, K): sales by highest basis, purchases with folding.

Slots in use come first, sorted by basis ascending (ties: the later day first), so that a sale eats from the
tail: highest basis first over both terms, ties by earliest day, as ``hifo`` of the exact ledger does.
"""

import math

import numpy as np

from ml.policy.kernels.layout import COMPILER


@COMPILER.hot
def choose_hifo(
    shares, basis, day, sold, n, count, quantity, price, net_price, long_day, leaves_short_gains, settings
):
    """Choose the lots of a sale; return the shares chosen.

    Lots with a short-term gain are left where ``leaves_short_gains``; what the lots cannot give is cut;
    a lot of which less than the dust would remain goes whole.
    """
    chosen = settings.zero
    for k in range(count - 1, -1, -1):
        if quantity <= settings.zero:
            break
        if leaves_short_gains and day[n, k] > long_day and basis[n, k] < net_price:
            continue
        take = min(quantity, shares[n, k])
        quantity -= take
        if (shares[n, k] - take) * price < settings.dust:
            take = shares[n, k]
        sold[n, k] = take
        chosen += take
    return chosen


@COMPILER.hot
def put(shares, basis, day, n, count, new_shares, new_basis, new_day):
    """Put a lot into its place among ``count`` lots, of which one slot at least is free."""
    k = count
    while k > 0 and (
        basis[n, k - 1] > new_basis or (basis[n, k - 1] == new_basis and day[n, k - 1] < new_day)
    ):
        shares[n, k], basis[n, k], day[n, k] = shares[n, k - 1], basis[n, k - 1], day[n, k - 1]
        k -= 1
    shares[n, k], basis[n, k], day[n, k] = new_shares, new_basis, new_day


@COMPILER.hot
def take_out(shares, basis, day, n, count, place, zero):
    """Free a slot and close the gap."""
    for k in range(place, count - 1):
        shares[n, k], basis[n, k], day[n, k] = shares[n, k + 1], basis[n, k + 1], day[n, k + 1]
    shares[n, count - 1] = zero


@COMPILER.hot
def close_gaps(shares, basis, day, cut, n, in_use, settings):
    """Move the slots in use to the front, in their order, and what was cut of each with it; count them."""
    count = 0
    for k in range(in_use):
        if shares[n, k] > settings.zero:
            cut[n, count] = cut[n, k]
            if k > count:
                shares[n, count], basis[n, count], day[n, count] = shares[n, k], basis[n, k], day[n, k]
                shares[n, k] = settings.zero
            count += 1
    return count


@COMPILER.hot
def sort_lots(shares, basis, day, n, count):
    """Sort the lots in use anew, after their basis changed."""
    for k in range(1, count):
        put(shares, basis, day, n, k, shares[n, k], basis[n, k], day[n, k])


@COMPILER.hot
def folded(one_shares, one_basis, one_day, other_shares, other_basis, other_day):
    """Fold two lots: the sum of shares, and the share-weighted means of basis and day (rounded down)."""
    both = one_shares + other_shares
    part = other_shares / both
    basis = one_basis + (other_basis - one_basis) * part
    return both, basis, one_day + np.int32(math.floor((other_day - one_day) * part))


@COMPILER.hot
def _closest_pair(basis, day, n, new_basis, new_day, long_day):
    """Places of the closest pair of one term among full slots and the new lot (its place: their number)."""
    size = basis.shape[1]
    first, second = 0, size
    least = basis[n, 0] + new_basis + abs(basis[n, size - 1])  # beyond any distance
    last_short, last_long = -1, -1
    new_is_long = new_day <= long_day
    for k in range(size):
        is_long = day[n, k] <= long_day
        before = last_long if is_long else last_short
        if before >= 0 and basis[n, k] - basis[n, before] < least:
            least, first, second = basis[n, k] - basis[n, before], before, k
        if is_long == new_is_long and abs(basis[n, k] - new_basis) < least:
            least, first, second = abs(basis[n, k] - new_basis), k, size
        if is_long:
            last_long = k
        else:
            last_short = k
    return first, second


@COMPILER.hot
def add_lot(shares, basis, day, n, count, new_shares, new_basis, new_day, long_day, settings):
    """Add a purchase to ``count`` lots and return how many there are then.

    Where no slot is free, the two lots of one term closest in basis are folded first; the new lot counts among
    them.
    """
    size = shares.shape[1]
    if count == size:
        first, second = _closest_pair(basis, day, n, new_basis, new_day, long_day)
        if second == size:
            new_shares, new_basis, new_day = folded(
                shares[n, first], basis[n, first], day[n, first], new_shares, new_basis, new_day
            )
            take_out(shares, basis, day, n, size, first, settings.zero)
        else:
            both, mean, start = folded(
                shares[n, first],
                basis[n, first],
                day[n, first],
                shares[n, second],
                basis[n, second],
                day[n, second],
            )
            take_out(shares, basis, day, n, size, second, settings.zero)
            take_out(shares, basis, day, n, size - 1, first, settings.zero)
            put(shares, basis, day, n, size - 2, both, mean, start)
        count = size - 1
    put(shares, basis, day, n, count, new_shares, new_basis, new_day)
    return count + 1
