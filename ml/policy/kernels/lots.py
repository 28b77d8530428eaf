"""The lots of asset ``n`` in sixteen portfolios ``c``: sales by highest basis, purchases with folding.

Slots in use come first, sorted by basis ascending (ties: the later day first), so that a sale eats from the
tail: highest basis first over both terms, ties by earliest day, as ``hifo`` of the exact ledger does. Tables of
lots are (C, N, K, 16): portfolio ``16 c + i`` stands in lane i.
"""

import math

from ml.policy.kernels.lanes import any_lane, as_float, floor_whole, higher, invert, load, lower, store, where
from ml.policy.kernels.layout import COMPILER


@COMPILER.hot
def choose_hifo(books, sold, c, n, quantity, price, net, long_day, leaves, settings):
    """Choose the lots of a sale, lane by lane; return the shares chosen.

    Lots with a short-term gain are left where ``leaves``; what the lots cannot give is cut; a lot of which
    less than the dust would remain goes whole.
    """
    zero = settings.zero
    chosen = quantity - quantity
    for k in range(sold.shape[1] - 1, -1, -1):
        held = load(books.shares, (c, n, k))
        kept = leaves & (load(books.day, (c, n, k)) > long_day) & (load(books.basis, (c, n, k)) < net)
        take = lower(quantity, where(kept, zero, held))
        quantity = quantity - take
        take = where((take > zero) & ((held - take) * price < settings.dust), held, take)
        store(sold, (n, k), take)
        chosen = chosen + take
    return chosen


@COMPILER.hot
def _is_after(shares, basis, day, other_shares, other_basis, other_day):
    """Say in which lanes the first lot stands behind the second; free slots stand behind all."""
    behind = (basis > other_basis) | ((basis == other_basis) & (day < other_day))
    return (other_shares > 0) & ((shares <= 0) | behind)


@COMPILER.hot
def sort_lots(shares, basis, day, c, n):
    """Sort the lots and close the gaps: passes down and up until one moves nothing; few lots are out of place."""
    size = shares.shape[2]
    while True:
        s, b, d = load(shares, (c, n, size - 1)), load(basis, (c, n, size - 1)), load(day, (c, n, size - 1))
        moved = s < s
        for k in range(size - 2, -1, -1):
            s1, b1, d1 = load(shares, (c, n, k)), load(basis, (c, n, k)), load(day, (c, n, k))
            swap = _is_after(s1, b1, d1, s, b, d)
            moved = moved | swap
            store(shares, (c, n, k + 1), where(swap, s1, s))
            store(basis, (c, n, k + 1), where(swap, b1, b))
            store(day, (c, n, k + 1), where(swap, d1, d))
            s, b, d = where(swap, s, s1), where(swap, b, b1), where(swap, d, d1)
        store(shares, (c, n, 0), s)
        store(basis, (c, n, 0), b)
        store(day, (c, n, 0), d)
        if not any_lane(moved):
            break
        moved = s < s
        for k in range(1, size):
            s1, b1, d1 = load(shares, (c, n, k)), load(basis, (c, n, k)), load(day, (c, n, k))
            swap = _is_after(s, b, d, s1, b1, d1)
            moved = moved | swap
            store(shares, (c, n, k - 1), where(swap, s1, s))
            store(basis, (c, n, k - 1), where(swap, b1, b))
            store(day, (c, n, k - 1), where(swap, d1, d))
            s, b, d = where(swap, s, s1), where(swap, b, b1), where(swap, d, d1)
        store(shares, (c, n, size - 1), s)
        store(basis, (c, n, size - 1), b)
        store(day, (c, n, size - 1), d)
        if not any_lane(moved):
            break


@COMPILER.hot
def _closest_pair(basis, day, c, n, new_basis, new_day, long_day):
    """Places of the closest pair of one term among full, sorted slots and the new lot (its place: their number)."""
    size = basis.shape[2]
    first = new_day - new_day
    second = first + size
    last_short, last_long = first, first
    least = new_basis + math.inf
    short_before = long_before = new_basis - math.inf
    new_is_long = new_day <= long_day
    for k in range(size):
        here = load(basis, (c, n, k))
        is_long = load(day, (c, n, k)) <= long_day
        gap = here - where(is_long, long_before, short_before)
        is_best = gap < least
        first = where(is_best, where(is_long, last_long, last_short), first)
        second, least = where(is_best, k, second), where(is_best, gap, least)
        gap = higher(here - new_basis, new_basis - here)
        is_best = ((is_long & new_is_long) | invert(is_long | new_is_long)) & (gap < least)
        first, second, least = (
            where(is_best, k, first),
            where(is_best, size, second),
            where(is_best, gap, least),
        )
        last_long, long_before = where(is_long, k, last_long), where(is_long, here, long_before)
        last_short, short_before = where(is_long, last_short, k), where(is_long, short_before, here)
    return first, second


@COMPILER.hot
def add_lot(shares, basis, day, c, n, is_bought, new_shares, new_basis, new_day, long_day, zero):
    """Add a purchase where ``is_bought``; slots must be sorted.

    Where no slot is free, the two lots of one term closest in basis are folded: the sum of shares, and the
    share-weighted means of basis and day (rounded down). The new lot counts among them.
    """
    size = shares.shape[2]
    count = new_day - new_day
    for k in range(size):
        count = where(load(shares, (c, n, k)) > zero, count + 1, count)
    is_full = is_bought & (count >= size)
    first = count + size  # nowhere
    both, mean, start = new_shares, new_basis, new_day
    if any_lane(is_full):
        one, other = _closest_pair(basis, day, c, n, new_basis, new_day, long_day)
        first, count = where(is_full, one, first), where(is_full, other, count)
        s1, b1, d1 = new_shares, new_basis, new_day
        s2, b2, d2 = new_shares, new_basis, new_day
        for k in range(size):
            s, b, d = load(shares, (c, n, k)), load(basis, (c, n, k)), load(day, (c, n, k))
            s1, b1, d1 = where(first == k, s, s1), where(first == k, b, b1), where(first == k, d, d1)
            s2, b2, d2 = where(count == k, s, s2), where(count == k, b, b2), where(count == k, d, d2)
        both = s1 + s2
        part = s2 / where(both > zero, both, 1)
        mean = b1 + (b2 - b1) * part
        start = d1 + floor_whole(as_float(d2 - d1, part) * part)
    for k in range(size):
        is_new, is_fold = is_bought & (count == k), first == k
        s, b, d = load(shares, (c, n, k)), load(basis, (c, n, k)), load(day, (c, n, k))
        store(shares, (c, n, k), where(is_fold, both, where(is_new, new_shares, s)))
        store(basis, (c, n, k), where(is_fold, mean, where(is_new, new_basis, b)))
        store(day, (c, n, k), where(is_fold, start, where(is_new, new_day, d)))
    sort_lots(shares, basis, day, c, n)
