"""The order of result rows by their keys, on integers and the bytes of names.

A row's lot is a purchase and a number within it; its name is ``purchase`` or ``purchase#1``.
"""

import numpy as np

from ml.tax.bulk import columns as c
from ml.tax.bulk.columns import COMPILER

_HASH = ord("#")
_RUN = 12  # rows that insertion sorts faster than a merge


@COMPILER.inner
def _names(data, starts, a, b):
    """Compare two names by their bytes; 2 or -2 if one begins with the other."""
    at, other = starts[a], starts[b]
    size, other_size = starts[a + 1] - at, starts[b + 1] - other
    for i in range(min(size, other_size)):
        if data[at + i] != data[other + i]:
            return -1 if data[at + i] < data[other + i] else 1
    return 0 if size == other_size else -2 if size < other_size else 2


@COMPILER.inner
def _subs(a, b):
    """Compare two positive numbers as texts."""
    x, y, low, high = a, b, 1, 1
    while x >= 10:
        x //= 10
        low *= 10
    while y >= 10:
        y //= 10
        high *= 10
    while low > 0 and high > 0:
        digit, other = a // low % 10, b // high % 10
        if digit != other:
            return -1 if digit < other else 1
        low //= 10
        high //= 10
    return -1 if a < b else 1 if a > b else 0


@COMPILER.inner
def _lots(data, starts, a, sub, b, other_sub):
    """Compare two lots by their names; a purchase's own name has no ``#``."""
    if a == b:
        if sub == 0 or other_sub == 0:
            return sub - other_sub
        return _subs(sub, other_sub)
    found = _names(data, starts, a, b)
    if found == -2 and sub:
        return -1 if _HASH < data[starts[b] + starts[a + 1] - starts[a]] else 1
    if found == 2 and other_sub:
        return 1 if _HASH < data[starts[a] + starts[b + 1] - starts[b]] else -1
    return found


@COMPILER.inner
def _is_before(a, b, head, sale, source, sub, tail, data, starts):
    """Say whether row ``a`` goes before ``b``: head, name of the sale, lot, tail, position."""
    if head[a] != head[b]:
        return head[a] < head[b]
    if len(sale) and sale[a] != sale[b]:
        found = _names(data, starts, sale[a], sale[b])
        if found != 0:
            return found < 0
    found = _lots(data, starts, source[a], sub[a], source[b], sub[b])
    if found != 0:
        return found < 0
    for k in range(tail.shape[0]):
        if tail[k, a] != tail[k, b]:
            return tail[k, a] < tail[k, b]
    return a < b


@COMPILER.inner
def _sort(order, first, end, spare, head, sale, source, sub, tail, data, starts):
    """Sort ``order[first:end]``: insertion in short runs, then merges."""
    for left in range(first, end, _RUN):
        for i in range(left + 1, min(left + _RUN, end)):
            row, j = order[i], i
            while j > left and _is_before(row, order[j - 1], head, sale, source, sub, tail, data, starts):
                order[j] = order[j - 1]
                j -= 1
            order[j] = row
    width = _RUN
    while width < end - first:
        for left in range(first, end - width, 2 * width):
            middle, stop = left + width, min(left + 2 * width, end)
            if _is_before(order[middle - 1], order[middle], head, sale, source, sub, tail, data, starts):
                continue
            for i in range(width):
                spare[i] = order[left + i]
            i, j, k = 0, middle, left
            while i < width:
                if j < stop and _is_before(order[j], spare[i], head, sale, source, sub, tail, data, starts):
                    order[k] = order[j]
                    j += 1
                else:
                    order[k] = spare[i]
                    i += 1
                k += 1
        width *= 2


@COMPILER.compiled
def sorted_rows(buckets, count, head, sale, source, sub, tail, data, starts):
    """Return row numbers by bucket, head, sale, lot, tail and position.

    Parameters
    ----------
    buckets : numpy.ndarray
        Of each row, from 0 to ``count`` - 1.
    head : numpy.ndarray
        First key within a bucket.
    sale : numpy.ndarray
        Row whose name is the next key; empty for none.
    source, sub : numpy.ndarray
        The lot, next key by its name.
    tail : numpy.ndarray
        Further keys, shape (keys, rows).
    data, starts : numpy.ndarray
        Names as ``rows.Rows.names``.
    """
    ends = np.zeros(count + 1, np.int64)
    for bucket in buckets:
        ends[bucket + 1] += 1
    ends = np.cumsum(ends)
    firsts = ends.copy()
    order, spare = np.empty(len(buckets), np.int64), np.empty(len(buckets), np.int64)
    for i in range(len(buckets)):
        order[ends[buckets[i]]] = i
        ends[buckets[i]] += 1
    for bucket in range(count):
        if firsts[bucket + 1] - firsts[bucket] > 1:
            _sort(
                order, firsts[bucket], firsts[bucket + 1], spare, head, sale, source, sub, tail, data, starts
            )
    return order


@COMPILER.compiled
def piece_numbers(order, pieces):
    """Number the pieces of one lot in one sale from 1, in their order."""
    numbers = np.empty(len(order), np.int32)
    for i in range(len(order)):
        numbers[i] = 1
        if i > 0:
            a, b = order[i - 1], order[i]
            same = pieces[c.Q_SALE, a] == pieces[c.Q_SALE, b] and pieces[c.Q_SUB, a] == pieces[c.Q_SUB, b]
            if same and pieces[c.Q_SOURCE, a] == pieces[c.Q_SOURCE, b]:
                numbers[i] = numbers[i - 1] + 1
    return numbers


@COMPILER.compiled
def year_sums(pieces, pieces_wide, units, year_of, first_day, first_year, years, last_pending_day):
    """Sum short, long, disallowed and provisional amounts by tax unit and year, with how many pieces.

    ``units`` is the tax unit of each account; ``last_pending_day`` the first sale day whose losses can
    still be disallowed.
    """
    sums = np.zeros((units.max() + 1 if len(units) else 0, years, 5), np.int64)
    for i in range(pieces.shape[1]):
        unit, day = units[pieces[c.Q_ACCOUNT, i]], pieces[c.Q_DAY, i]
        year = year_of[day - first_day] - first_year
        disallowed = pieces_wide[c.Q_DISALLOWED, i]
        gain = pieces_wide[c.Q_PROCEEDS, i] - pieces_wide[c.Q_COST, i] + disallowed
        sums[unit, year, 1 if pieces[c.Q_LONG, i] else 0] += gain
        sums[unit, year, 2] += disallowed
        if pieces[c.Q_PENDING, i] and day >= last_pending_day:
            sums[unit, year, 3] -= gain
        sums[unit, year, 4] += 1
    return sums
