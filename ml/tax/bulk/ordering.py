"""The order of result rows by their keys, on integers and the bytes of names.

A row's lot is a purchase and a number within it; its name is ``purchase`` or ``purchase#1``.
"""

import numpy as np

from ml.tax.bulk.columns import COMPILER

_HASH, _BYTE = ord("#"), np.uint64(8)
_0 = np.uint64(0)
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


@COMPILER.compiled
def name_words(data, starts):
    """Return of each name the 8 bytes after what all names begin with, as a number that sorts alike.

    Names with equal numbers are to be compared by their bytes.
    """
    count = len(starts) - 1
    words = np.zeros(count, np.uint64)
    common = starts[1] - starts[0] if count else 0
    for n in range(1, count):
        i, size = 0, min(common, starts[n + 1] - starts[n])
        while i < size and data[starts[n] + i] == data[starts[0] + i]:
            i += 1
        common = i
    for n in range(count):
        first, end, word = starts[n] + common, starts[n + 1], np.uint64(0)
        for i in range(first, first + 8):
            word = (word << _BYTE) | np.uint64(data[i] if i < end else 0)
        words[n] = word
    return words


@COMPILER.inner
def _is_before_by_name(i, j, sale, source, sub, tail, last, words, data, starts):
    """Say whether row ``i`` goes before ``j`` where head and word of the sale are equal."""
    if len(sale) and sale[i] != sale[j]:
        found = _names(data, starts, sale[i], sale[j])
        if found != 0:
            return found < 0
    if sub[i] == 0 and sub[j] == 0 and words[source[i]] != words[source[j]]:
        return words[source[i]] < words[source[j]]
    found = _lots(data, starts, source[i], sub[i], source[j], sub[j])
    if found != 0:
        return found < 0
    for k in range(len(tail)):
        if tail[k][i] != tail[k][j]:
            return tail[k][i] < tail[k][j]
    if last[i] != last[j]:
        return last[i] < last[j]
    return i < j


@COMPILER.inner
def _order_equals(places, first, end, heads, sale_words, order, rest):
    """Put rows of equal head and word of the sale in order, which sorting has left as they came."""
    sale, source, sub, tail, last, words, data, starts = rest
    for i in range(first + 1, end):
        place, j = places[i], i
        while j > first:
            other = places[j - 1]
            if heads[other] != heads[place] or sale_words[other] != sale_words[place]:
                break
            if not _is_before_by_name(
                order[place], order[other], sale, source, sub, tail, last, words, data, starts
            ):
                break
            places[j] = other
            j -= 1
        places[j] = place


@COMPILER.inner
def _sort(places, first, end, spare, heads, sale_words):
    """Sort ``places[first:end]`` by head and word of the sale, stable: insertion in runs, then merges."""
    for left in range(first, end, _RUN):
        for i in range(left + 1, min(left + _RUN, end)):
            place, j = places[i], i
            head, word = heads[place], sale_words[place]
            while j > left:
                other = places[j - 1]
                if heads[other] < head or (heads[other] == head and sale_words[other] <= word):
                    break
                places[j] = other
                j -= 1
            places[j] = place
    width = _RUN
    while width < end - first:
        for left in range(first, end - width, 2 * width):
            middle, stop = left + width, min(left + 2 * width, end)
            for i in range(width):
                spare[i] = places[left + i]
            i, j, k = 0, middle, left
            while i < width:
                is_other = False
                if j < stop:
                    a, b = places[j], spare[i]
                    is_other = heads[a] < heads[b] or (heads[a] == heads[b] and sale_words[a] < sale_words[b])
                if is_other:
                    places[k] = places[j]
                    j += 1
                else:
                    places[k] = spare[i]
                    i += 1
                k += 1
        width *= 2


@COMPILER.compiled
def sorted_rows(buckets, count, head, sale, source, sub, tail, last, words, data, starts):
    """Return row numbers by bucket, head, sale, lot, tail, last and position.

    Parameters
    ----------
    buckets : numpy.ndarray
        Of each row, from 0 to ``count`` - 1.
    head : numpy.ndarray
        First key within a bucket.
    sale : numpy.ndarray
        Transaction whose name is the next key; empty for none.
    source, sub : numpy.ndarray
        The lot, next key by its name.
    tail, last : tuple of numpy.ndarray, numpy.ndarray
        Further keys.
    words, data, starts : numpy.ndarray
        Names as ``rows.Rows.names``.
    """
    ends = np.zeros(count + 1, np.int64)
    for bucket in buckets:
        ends[bucket + 1] += 1
    ends = np.cumsum(ends)
    firsts, size = ends.copy(), len(buckets)
    order, places = np.empty(size, np.int32), np.arange(size, dtype=np.int32)
    for i in range(size):
        order[ends[buckets[i]]] = i
        ends[buckets[i]] += 1
    # the keys that decide most, side by side for the rows of a bucket
    heads, sale_words = np.empty(size, np.int32), np.empty(size, np.uint64)
    for place in range(size):
        i = order[place]
        heads[place], sale_words[place] = head[i], words[sale[i]] if len(sale) else _0
    rest, spare = (sale, source, sub, tail, last, words, data, starts), np.empty(size, np.int32)
    for bucket in range(count):
        first, end = firsts[bucket], firsts[bucket + 1]
        if end - first > 1:
            _sort(places, first, end, spare, heads, sale_words)
            _order_equals(places, first, end, heads, sale_words, order, rest)
    found = np.empty(size, np.int64)
    for place in range(size):
        found[place] = order[places[place]]
    return found


@COMPILER.compiled
def picked(table, order):
    """Return a table's columns in an order, as ``table[:, order]`` in half the time."""
    found = np.empty((table.shape[0], len(order)), table.dtype)
    for k in range(table.shape[0]):
        for i in range(len(order)):
            found[k, i] = table[k, order[i]]
    return found


@COMPILER.compiled
def piece_numbers(order, sale, source, sub):
    """Number the pieces of one lot in one sale from 1, in their order."""
    numbers = np.empty(len(order), np.int32)
    for i in range(len(order)):
        numbers[i] = 1
        if i > 0:
            a, b = order[i - 1], order[i]
            if sale[a] == sale[b] and source[a] == source[b] and sub[a] == sub[b]:
                numbers[i] = numbers[i - 1] + 1
    return numbers


@COMPILER.compiled
def year_sums(
    account, day, is_long, is_pending, proceeds, cost, disallowed, units, year_of, first_day, first_year, years,
    last_pending_day,
):  # fmt: skip
    """Sum short, long, disallowed and provisional amounts by tax unit and year, with how many pieces.

    ``units`` is the tax unit of each account, ``year_of`` the year of each day from ``first_day`` on, and
    ``last_pending_day`` the first sale day whose losses can still be disallowed.
    """
    sums = np.zeros((units.max() + 1 if len(units) else 0, years, 5), np.int64)
    for i in range(len(account)):
        unit, year = units[account[i]], year_of[day[i] - first_day] - first_year
        gain = proceeds[i] - cost[i] + disallowed[i]
        sums[unit, year, 1 if is_long[i] else 0] += gain
        sums[unit, year, 2] += disallowed[i]
        if is_pending[i] and day[i] >= last_pending_day:
            sums[unit, year, 3] -= gain
        sums[unit, year, 4] += 1
    return sums
