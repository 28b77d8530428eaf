"""The lots of one asset in one portfolio: sales by highest basis, purchases with folding.

Slots in use come first, sorted by basis ascending (ties: the later day first), so that a sale eats from the
tail: highest basis first over both terms, ties by earliest day, as ``hifo`` of the exact ledger does.
"""

import math

import numpy as np

from ml.policy.kernels.layout import COMPILER


@COMPILER.hot
def lots_in_use(shares):
    """Count the slots in use."""
    count = 0
    for k in range(len(shares)):
        if shares[k] <= 0:
            break
        count += 1
    return count


@COMPILER.hot
def choose_hifo(
    shares, basis, day, sold, quantity, price, net_price, long_day, leaves_short_gains, settings
):
    """Choose the lots of a sale; return the shares chosen.

    Lots with a short-term gain are left where ``leaves_short_gains``; what the lots cannot give is cut;
    a lot of which less than the dust would remain goes whole.
    """
    chosen = settings.zero
    for back in range(len(shares)):
        k = len(shares) - 1 - back
        if shares[k] <= settings.zero:
            continue
        if quantity <= settings.zero:
            break
        if leaves_short_gains and day[k] > long_day and basis[k] < net_price:
            continue
        take = min(quantity, shares[k])
        quantity -= take
        if (shares[k] - take) * price < settings.dust:
            take = shares[k]
        sold[k] = take
        chosen += take
    return chosen


@COMPILER.hot
def put(shares, basis, day, count, new_shares, new_basis, new_day):
    """Put a lot into its place among ``count`` lots, of which one slot at least is free."""
    k = count
    while k > 0 and (basis[k - 1] > new_basis or (basis[k - 1] == new_basis and day[k - 1] < new_day)):
        shares[k], basis[k], day[k] = shares[k - 1], basis[k - 1], day[k - 1]
        k -= 1
    shares[k], basis[k], day[k] = new_shares, new_basis, new_day


@COMPILER.hot
def take_out(shares, basis, day, count, place, zero):
    """Free a slot and close the gap."""
    for k in range(place, count - 1):
        shares[k], basis[k], day[k] = shares[k + 1], basis[k + 1], day[k + 1]
    shares[count - 1] = zero


@COMPILER.hot
def close_gaps(shares, basis, day, zero):
    """Move the slots in use to the front, in their order."""
    count = 0
    for k in range(len(shares)):
        if shares[k] > zero:
            if k > count:
                shares[count], basis[count], day[count] = shares[k], basis[k], day[k]
                shares[k] = zero
            count += 1
    return count


@COMPILER.hot
def sort_lots(shares, basis, day, count):
    """Sort the lots in use anew, after their basis changed."""
    for k in range(1, count):
        put(shares, basis, day, k, shares[k], basis[k], day[k])


@COMPILER.hot
def folded(one_shares, one_basis, one_day, other_shares, other_basis, other_day):
    """Fold two lots: the sum of shares, and the share-weighted means of basis and day (rounded down)."""
    both = one_shares + other_shares
    part = other_shares / both
    basis = one_basis + (other_basis - one_basis) * part
    return both, basis, one_day + np.int32(math.floor((other_day - one_day) * part))


@COMPILER.hot
def _closest_pair(basis, day, new_basis, new_day, long_day):
    """Places of the closest pair of one term among full slots and the new lot, whose place is ``len(basis)``."""
    size = len(basis)
    first, second = 0, size
    least = basis[0] + new_basis + abs(basis[size - 1])  # beyond any distance
    last_short, last_long = -1, -1
    new_is_long = new_day <= long_day
    for k in range(size):
        is_long = day[k] <= long_day
        before = last_long if is_long else last_short
        if before >= 0 and basis[k] - basis[before] < least:
            least, first, second = basis[k] - basis[before], before, k
        if is_long == new_is_long and abs(basis[k] - new_basis) < least:
            least, first, second = abs(basis[k] - new_basis), k, size
        if is_long:
            last_long = k
        else:
            last_short = k
    return first, second


@COMPILER.hot
def add_lot(shares, basis, day, new_shares, new_basis, new_day, long_day, settings):
    """Add a purchase; where no slot is free, first fold the two lots of one term closest in basis.

    The new lot counts among them.
    """
    size = len(shares)
    count = lots_in_use(shares)
    if count == size:
        first, second = _closest_pair(basis, day, new_basis, new_day, long_day)
        if second == size:
            new_shares, new_basis, new_day = folded(
                shares[first], basis[first], day[first], new_shares, new_basis, new_day
            )
            take_out(shares, basis, day, size, first, settings.zero)
        else:
            both, mean, start = folded(
                shares[first], basis[first], day[first], shares[second], basis[second], day[second]
            )
            take_out(shares, basis, day, size, second, settings.zero)
            take_out(shares, basis, day, size - 1, first, settings.zero)
            put(shares, basis, day, size - 2, both, mean, start)
        count = size - 1
    put(shares, basis, day, count, new_shares, new_basis, new_day)
