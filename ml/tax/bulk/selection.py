"""Which lots a sale closes, in the compiled engine: the rules of ``ml.tax.selection``."""

from ml.tax.bulk.arithmetic import is_dearer
from ml.tax.bulk.columns import (
    A3,
    A15,
    AVERAGE,
    AVERAGE_AS_FIFO,
    COMPILER,
    E_JOINED,
    E_ODD,
    E_REFERENCE,
    H_HEAD,
    H_METHOD,
    H_TACKED,
    H_TAIL,
    HIFO,
    L_ADJUSTMENT,
    L_CODES,
    L_COST,
    L_NEXT,
    L_PREVIOUS,
    L_QUANTITY,
    L_SOURCE,
    L_START,
    L_SUB,
    L_TAKEN,
    LIFO,
    NONE,
    W_AMOUNTS,
    W_CHOSEN,
    W_FILLS,
)
from ml.tax.bulk.lots import average, averages


@COMPILER.hot
def pick_in_order(lots, lot, step, quantity, scratch):
    """Take shares off lots in list order: ``step`` is L_NEXT (first in) or L_PREVIOUS (last in)."""
    count = 0
    while lot != NONE and quantity > 0:
        amount = min(quantity, lots[lot, L_QUANTITY])
        scratch[W_CHOSEN, count], scratch[W_AMOUNTS, count] = lot, amount
        count += 1
        quantity -= amount
        lot = lots[lot, step]
    return count


@COMPILER.inner
def pick_dearest(lots, head, quantity, scratch):
    """Take shares off the lots of highest adjusted basis per share; ties to the earliest."""
    count = 0
    while quantity > 0:
        best, lot = NONE, head
        while lot != NONE:
            if not lots[lot, L_TAKEN] and (
                best == NONE
                or is_dearer(
                    lots[lot, L_COST], lots[lot, L_QUANTITY], lots[best, L_COST], lots[best, L_QUANTITY]
                )
            ):
                best = lot
            lot = lots[lot, L_NEXT]
        if best == NONE:
            break
        amount = min(quantity, lots[best, L_QUANTITY])
        scratch[W_CHOSEN, count], scratch[W_AMOUNTS, count] = best, amount
        lots[best, L_TAKEN] = amount
        count += 1
        quantity -= amount
    for i in range(count):
        lots[scratch[W_CHOSEN, i], L_TAKEN] = 0
    return count


@COMPILER.inner
def tacked_order_differs(lots, is_last_in, scratch, count):
    """Say whether the order of tacked dates would choose other lots (A3).

    The lots chosen stand first (or last) in the list: sorting by tacked date, which keeps ties in place,
    leaves them there if their dates ascend and none of the other lots is beyond the last of them.
    """
    sign = -1 if is_last_in else 1
    for i in range(1, count):
        if sign * lots[scratch[W_CHOSEN, i], L_START] < sign * lots[scratch[W_CHOSEN, i - 1], L_START]:
            return True
    edge = sign * lots[scratch[W_CHOSEN, count - 1], L_START]
    step = L_PREVIOUS if is_last_in else L_NEXT
    lot = lots[scratch[W_CHOSEN, count - 1], step]
    while lot != NONE:
        if sign * lots[lot, L_START] < edge:
            return True
        lot = lots[lot, step]
    return False


@COMPILER.inner
def take_named(lots, lot, most, left, scratch, count):
    """Take up to ``most`` shares of a lot that a reference names; return the amount and the count."""
    amount = min(most, left, lots[lot, L_QUANTITY] - lots[lot, L_TAKEN])
    if amount <= 0:
        return 0, count
    lots[lot, L_TAKEN] += amount
    for i in range(count):
        if scratch[W_CHOSEN, i] == lot:
            scratch[W_AMOUNTS, i] += amount
            return amount, count
    scratch[W_CHOSEN, count], scratch[W_AMOUNTS, count] = lot, amount
    return amount, count + 1


@COMPILER.inner
def pick_named(events, lots, head, references, fill_count, quantity, scratch):
    """Take the lots that the fills of a sale name; return the count, or -1 if shares are left over."""
    count, left = 0, quantity
    for f in range(fill_count):
        r = events[scratch[W_FILLS, f], E_REFERENCE]
        while r != NONE:
            source, sub, wanted = references[r, 0], references[r, 1], references[r, 2]
            if wanted < 0:
                wanted = left
            for exact in (True, False):
                lot = head
                while lot != NONE:
                    is_exact = lots[lot, L_SOURCE] == source and lots[lot, L_SUB] == sub
                    same = lots[lot, L_SOURCE] == source
                    # a purchase of another security has no place here (NONE) and no lot
                    if source != NONE and events[source, E_JOINED] != NONE:
                        same = same or events[source, E_JOINED] == lots[lot, L_SOURCE]
                    if (exact and is_exact) or (not exact and not is_exact and sub == 0 and same):
                        amount, count = take_named(lots, lot, wanted, left, scratch, count)
                        wanted -= amount
                        left -= amount
                    lot = lots[lot, L_NEXT]
            r = references[r, 3]
    for i in range(count):
        lots[scratch[W_CHOSEN, i], L_TAKEN] = 0
    return -1 if left > 0 else count


@COMPILER.hot
def choose(events, holdings, lots, e, h, quantity, scratch):
    """Choose the lots of a sale by the account's standing order; return how many."""
    method, head = holdings[h, H_METHOD], holdings[h, H_HEAD]
    if method == AVERAGE:
        if averages(events, lots, holdings, h):
            mark_adjusted(lots, head)
            average(lots, holdings, h, scratch)
            return pick_in_order(lots, head, L_NEXT, quantity, scratch)
        count = pick_in_order(lots, head, L_NEXT, quantity, scratch)
        for i in range(count):
            lots[scratch[W_CHOSEN, i], L_CODES] |= AVERAGE_AS_FIFO
        events[e, E_ODD] = 1
        return count
    if method == HIFO:
        return pick_dearest(lots, head, quantity, scratch)
    is_last_in = method == LIFO
    if is_last_in:
        count = pick_in_order(lots, holdings[h, H_TAIL], L_PREVIOUS, quantity, scratch)
    else:
        count = pick_in_order(lots, head, L_NEXT, quantity, scratch)
    if holdings[h, H_TACKED] and tacked_order_differs(lots, is_last_in, scratch, count):
        for i in range(count):
            lots[scratch[W_CHOSEN, i], L_CODES] |= A3
    return count


@COMPILER.inner
def mark_adjusted(lots, head):
    """Mark all lots of an averaged holding in which a disallowed loss joins the pool (A15)."""
    lot, found = head, False
    while lot != NONE:
        found = found or lots[lot, L_ADJUSTMENT] != 0
        lot = lots[lot, L_NEXT]
    lot = head
    while found and lot != NONE:
        lots[lot, L_CODES] |= A15
        lot = lots[lot, L_NEXT]
