"""Lots as rows of one integer table, in linked lists per holding and per security.

Each function does what the like-named method of ``ml.tax.lots`` does. A lot that can still replace
others (open, unused, in the window) is also in its security's list of recent purchases.
"""

from ml.tax.bulk.arithmetic import apportion, scale
from ml.tax.bulk.columns import (
    C_LOTS,
    COMPILER,
    E_SUBS,
    H_FUND,
    H_HEAD,
    H_QUANTITY,
    H_TAIL,
    L_ACQUIRED,
    L_ADJUSTMENT,
    L_COST,
    L_HOLDING,
    L_NEXT,
    L_OPEN,
    L_PREVIOUS,
    L_QUANTITY,
    L_RECENT,
    L_RECENT_NEXT,
    L_RECENT_PREVIOUS,
    L_SOURCE,
    L_SUB,
    NONE,
    REINVESTMENT,
    S_FIRST,
    S_LAST,
    S_QUANTITY,
    W_PARTS,
    W_WEIGHTS,
)


@COMPILER.hot
def append_lot(lots, holdings, lot, h):
    """Put a lot at the end of its holding."""
    last = holdings[h, H_TAIL]
    lots[lot, L_PREVIOUS], lots[lot, L_NEXT], lots[lot, L_OPEN] = last, NONE, 1
    if last == NONE:
        holdings[h, H_HEAD] = lot
    else:
        lots[last, L_NEXT] = lot
    holdings[h, H_TAIL] = lot


@COMPILER.hot
def close_lot(lots, holdings, state, lot):
    """Take a whole lot out of its holding and out of the recent purchases."""
    h = lots[lot, L_HOLDING]
    before, after = lots[lot, L_PREVIOUS], lots[lot, L_NEXT]
    if before == NONE:
        holdings[h, H_HEAD] = after
    else:
        lots[before, L_NEXT] = after
    if after == NONE:
        holdings[h, H_TAIL] = before
    else:
        lots[after, L_PREVIOUS] = before
    lots[lot, L_OPEN] = 0
    forget(lots, state, lot)


@COMPILER.hot
def remember(lots, state, lot):
    """Add a purchase to the recent purchases of its security."""
    last = state[S_LAST]
    lots[lot, L_RECENT], lots[lot, L_RECENT_PREVIOUS], lots[lot, L_RECENT_NEXT] = 1, last, NONE
    if last == NONE:
        state[S_FIRST] = lot
    else:
        lots[last, L_RECENT_NEXT] = lot
    state[S_LAST] = lot


@COMPILER.hot
def forget(lots, state, lot):
    """Take a lot out of the recent purchases: closed, used or too old."""
    if not lots[lot, L_RECENT]:
        return
    before, after = lots[lot, L_RECENT_PREVIOUS], lots[lot, L_RECENT_NEXT]
    if before == NONE:
        state[S_FIRST] = after
    else:
        lots[before, L_RECENT_NEXT] = after
    if after == NONE:
        state[S_LAST] = before
    else:
        lots[after, L_RECENT_PREVIOUS] = before
    lots[lot, L_RECENT] = 0


@COMPILER.inner
def forget_older(lots, state, first_day):
    """Drop recent purchases from before the window."""
    lot = state[S_FIRST]
    while lot != NONE and lots[lot, L_ACQUIRED] < first_day:
        after = lots[lot, L_RECENT_NEXT]
        forget(lots, state, lot)
        lot = after


@COMPILER.inner
def divide(events, lots, holdings, state, lot, quantity):
    """Split off a part that stays in the book, just before the lot it came from; the part is used."""
    part = state[C_LOTS]
    state[C_LOTS] = part + 1
    whole = lots[lot, L_QUANTITY]
    lots[part] = lots[lot]
    lots[part, L_RECENT] = 0
    lots[part, L_QUANTITY] = quantity
    lots[part, L_COST] = scale(lots[lot, L_COST], quantity, whole)
    lots[part, L_ADJUSTMENT] = scale(lots[lot, L_ADJUSTMENT], quantity, whole)
    lots[lot, L_QUANTITY] = whole - quantity
    lots[lot, L_COST] -= lots[part, L_COST]
    lots[lot, L_ADJUSTMENT] -= lots[part, L_ADJUSTMENT]
    source = lots[lot, L_SOURCE]
    events[source, E_SUBS] += 1
    lots[part, L_SUB] = events[source, E_SUBS]
    before = lots[lot, L_PREVIOUS]
    lots[part, L_NEXT] = lot
    lots[lot, L_PREVIOUS] = part
    if before == NONE:
        holdings[lots[lot, L_HOLDING], H_HEAD] = part
    else:
        lots[before, L_NEXT] = part
    return part


@COMPILER.inner
def averages(events, lots, holdings, h):
    """Say whether average basis is allowed in a holding: funds and reinvested shares only."""
    if holdings[h, H_FUND]:
        return True
    lot = holdings[h, H_HEAD]
    while lot != NONE:
        if events[lots[lot, L_SOURCE], 0] == REINVESTMENT:
            return True
        lot = lots[lot, L_NEXT]
    return False


@COMPILER.inner
def average(lots, holdings, h, scratch):
    """Spread the cost of a holding evenly over its shares."""
    count = total = whole = 0
    lot = holdings[h, H_HEAD]
    while lot != NONE:
        scratch[W_WEIGHTS, count] = lots[lot, L_QUANTITY]
        whole += lots[lot, L_QUANTITY]
        total += lots[lot, L_COST]
        count += 1
        lot = lots[lot, L_NEXT]
    if count < 2:
        return
    apportion(total, count, whole, scratch)
    lot = holdings[h, H_HEAD]
    for i in range(count):
        lots[lot, L_COST] = scratch[W_PARTS, i]
        lot = lots[lot, L_NEXT]


@COMPILER.inner
def resize(lots, holdings, state, h, after, scratch):
    """Give a holding ``after`` shares in all, lot by lot in proportion; lots without a share go."""
    count = whole = 0
    lot = holdings[h, H_HEAD]
    while lot != NONE:
        scratch[W_WEIGHTS, count] = lots[lot, L_QUANTITY]
        whole += lots[lot, L_QUANTITY]
        count += 1
        lot = lots[lot, L_NEXT]
    apportion(after, count, whole, scratch)
    lot = holdings[h, H_HEAD]
    for i in range(count):
        following, quantity = lots[lot, L_NEXT], scratch[W_PARTS, i]
        lots[lot, L_QUANTITY] = quantity
        if quantity == 0:
            close_lot(lots, holdings, state, lot)
        lot = following
    state[S_QUANTITY] += after - holdings[h, H_QUANTITY]
    holdings[h, H_QUANTITY] = after
