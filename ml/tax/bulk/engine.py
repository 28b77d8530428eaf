"""The compiled pass over a stream: one event after the other, as ``ml.tax.household`` does it.

A stream is what one household books in one security: no rule of the ledger reaches across streams, so each
runs alone, on tables that fit the processor's cache.
"""

from ml.tax.bulk.arithmetic import apportion, divisor_of, scale
from ml.tax.bulk.columns import (
    A4,
    A18,
    AVERAGE,
    BUY,
    C_ENTRIES,
    C_LOTS,
    C_PIECES,
    COMPILER,
    D_AMOUNT,
    D_EVENT,
    D_FAILED,
    D_NUMBER,
    D_PREVIOUS,
    D_QUANTITY,
    DIVIDEND,
    DONE,
    E_AMOUNT,
    E_DAY,
    E_DONE,
    E_FEES,
    E_FLAGS,
    E_HOLDING,
    E_JOINED,
    E_KEY,
    E_KIND,
    E_ODD,
    E_ORDER,
    E_PRICE,
    E_QUANTITY,
    E_REFERENCE,
    E_SUBS,
    EMPTY_SPLIT,
    FULL,
    H_DEFERRED,
    H_DIGITAL,
    H_ENTRIES,
    H_ENTRY,
    H_HEAD,
    H_METHOD,
    H_QUANTITY,
    H_TACKED,
    H_TAIL,
    HAS_AMOUNT,
    HAS_RATIO,
    L_ACQUIRED,
    L_ADJUSTMENT,
    L_CODES,
    L_COST,
    L_ENTRIES,
    L_HOLDING,
    L_KEY,
    L_OPEN,
    L_QUANTITY,
    L_SOURCE,
    L_START,
    L_SUB,
    L_TAKEN,
    L_USED,
    LARGEST,
    LONG_AGO,
    NONE,
    OVERSOLD,
    P_ACQUIRED,
    P_ADJUSTMENT,
    P_CODES,
    P_COST,
    P_DENOMINATOR,
    P_DISALLOWED,
    P_HOLDING,
    P_KEY,
    P_NEXT,
    P_NUMERATOR,
    P_PENDING,
    P_PERMANENT,
    P_PREVIOUS,
    P_PROCEEDS,
    P_QUANTITY,
    P_SALE,
    P_SOURCE,
    P_START,
    P_SUB,
    R_SOURCE,
    REINVESTMENT,
    REMOVES,
    S_CLOSED_DAY,
    S_CLOSED_KEY,
    S_CLOSED_OTHER_DAY,
    S_FIRST,
    S_LAST,
    S_QUANTITY,
    S_SPLIT_DAY,
    S_WAIT_FIRST,
    S_WAIT_LAST,
    SELL,
    SHORT_REFERENCE,
    SPLIT,
    TOO_LARGE,
    W_AMOUNTS,
    W_CHOSEN,
    W_FILLS,
    W_OWNERS,
    W_PARTS,
    W_WEIGHTS,
)
from ml.tax.bulk.lots import append_lot, average, averages, close_lot, remember, resize
from ml.tax.bulk.selection import choose, pick_named
from ml.tax.bulk.wash import match_loss, note_closed, serve
from ml.tax.state import HOLDING_TEST_DAYS
from ml.tax.units import QUANTITY_TOLERANCE, SHARE

SAME_SPLIT_DAYS = 10  # as in ml.tax.state
LARGEST_RATIO = 1 << 31


@COMPILER.hot
def buy(events, holdings, lots, pieces, state, intact, e):
    """Open a lot, or add a fill to the lot of its order, and let it serve losses that wait."""
    h, order = events[e, E_HOLDING], events[e, E_ORDER]
    quantity = events[e, E_QUANTITY]
    if events[e, E_FLAGS] & HAS_AMOUNT and events[e, E_AMOUNT] < 0:
        cost = -events[e, E_AMOUNT]
    else:
        cost = scale(events[e, E_PRICE], quantity, SHARE) + events[e, E_FEES]
    holdings[h, H_QUANTITY] += quantity
    state[S_QUANTITY] += quantity
    lot = NONE
    if order != NONE:
        lot = intact[order, 0]
    if lot != NONE:
        untouched = lots[lot, L_QUANTITY] == intact[order, 1] and not lots[lot, L_USED]
        if untouched and lots[lot, L_OPEN] and lots[lot, L_ACQUIRED] == events[e, E_DAY]:
            lots[lot, L_QUANTITY] += quantity
            lots[lot, L_COST] += cost
            lots[lot, L_CODES] |= A4
            events[e, E_JOINED] = lots[lot, L_SOURCE]
            intact[order, 1] = lots[lot, L_QUANTITY]
            return serve(events, holdings, lots, pieces, state, lot)
    if state[C_LOTS] >= lots.shape[0]:
        return FULL
    lot = state[C_LOTS]
    state[C_LOTS] = lot + 1
    lots[lot, L_SOURCE], lots[lot, L_SUB], lots[lot, L_HOLDING] = e, 0, h
    lots[lot, L_QUANTITY], lots[lot, L_COST] = quantity, cost
    lots[lot, L_ACQUIRED] = lots[lot, L_START] = events[e, E_DAY]
    lots[lot, L_ADJUSTMENT] = lots[lot, L_USED] = lots[lot, L_CODES] = lots[lot, L_TAKEN] = 0
    lots[lot, L_KEY], lots[lot, L_ENTRIES] = events[e, E_KEY], holdings[h, H_ENTRIES]
    append_lot(lots, holdings, lot, h)
    if order != NONE:
        intact[order, 0], intact[order, 1] = lot, quantity
    remember(lots, state, lot)
    return serve(events, holdings, lots, pieces, state, lot)


@COMPILER.hot
def find_fills(events, e, stop, scratch):
    """List a sale and the later fills of its order on its day; return how many and their shares."""
    scratch[W_FILLS, 0], count, total = e, 1, events[e, E_QUANTITY]
    if events[e, E_ORDER] == NONE:
        return count, total
    for other in range(e + 1, stop):
        if events[other, E_DAY] != events[e, E_DAY]:
            break
        if events[other, E_HOLDING] != events[e, E_HOLDING]:
            continue
        if events[other, E_KIND] != SELL or events[other, E_ORDER] != events[e, E_ORDER]:
            break
        scratch[W_FILLS, count] = other
        events[other, E_DONE] = 1
        count += 1
        total += events[other, E_QUANTITY]
    return count, total


@COMPILER.hot
def proceeds_of(events, e, quantity):
    """Return the net proceeds of a fill, stated or from its price."""
    if events[e, E_FLAGS] & HAS_AMOUNT:
        return events[e, E_AMOUNT]
    return scale(events[e, E_PRICE], quantity, SHARE) - events[e, E_FEES]


@COMPILER.hot
def fail_dividends(lots, holdings, entries, h, lot, quantity, day):
    """Count shares sold within 61 days against the dividends they got (holding test)."""
    if day >= lots[lot, L_ACQUIRED] + HOLDING_TEST_DAYS:
        return
    entry = holdings[h, H_ENTRY]
    while entry != NONE and entries[entry, D_NUMBER] >= lots[lot, L_ENTRIES]:
        entries[entry, D_FAILED] += quantity
        entry = entries[entry, D_PREVIOUS]


@COMPILER.hot
def take(events, holdings, lots, pieces, state, entries, e, lot, quantity, proceeds, keep):
    """Close shares of a lot; record the piece unless the account is tax-deferred."""
    h, day = lots[lot, L_HOLDING], events[e, E_DAY]
    whole = lots[lot, L_QUANTITY]
    cost, adjustment = lots[lot, L_COST], lots[lot, L_ADJUSTMENT]
    if quantity >= whole:
        close_lot(lots, holdings, state, lot)
    else:
        cost, adjustment = scale(cost, quantity, whole), scale(adjustment, quantity, whole)
        lots[lot, L_QUANTITY] = whole - quantity
        lots[lot, L_COST] -= cost
        lots[lot, L_ADJUSTMENT] -= adjustment
    holdings[h, H_QUANTITY] -= quantity
    state[S_QUANTITY] -= quantity
    fail_dividends(lots, holdings, entries, h, lot, quantity, day)
    if not keep:
        return DONE
    if state[C_PIECES] >= pieces.shape[0]:
        return FULL
    piece = state[C_PIECES]
    state[C_PIECES] = piece + 1
    pieces[piece, P_SALE], pieces[piece, P_SOURCE], pieces[piece, P_SUB] = (
        e,
        lots[lot, L_SOURCE],
        lots[lot, L_SUB],
    )
    pieces[piece, P_HOLDING], pieces[piece, P_KEY] = h, lots[lot, L_KEY]
    pieces[piece, P_ACQUIRED], pieces[piece, P_START] = lots[lot, L_ACQUIRED], lots[lot, L_START]
    pieces[piece, P_QUANTITY], pieces[piece, P_PROCEEDS], pieces[piece, P_COST] = quantity, proceeds, cost
    pieces[piece, P_ADJUSTMENT], pieces[piece, P_CODES] = adjustment, lots[lot, L_CODES]
    pieces[piece, P_DISALLOWED] = pieces[piece, P_PERMANENT] = pieces[piece, P_PENDING] = 0
    pieces[piece, P_NUMERATOR] = pieces[piece, P_DENOMINATOR] = 1
    pieces[piece, P_NEXT] = pieces[piece, P_PREVIOUS] = pieces[piece, R_SOURCE] = NONE
    return DONE


@COMPILER.hot
def realise(events, holdings, lots, pieces, state, entries, fill_count, scratch, keep):
    """Close the chosen lots against the fills of one sale, first fill first."""
    place = 0
    for f in range(fill_count):
        e = scratch[W_FILLS, f]
        left = quantity = events[e, E_QUANTITY]
        count = 0
        while left > 0:
            taken = min(left, scratch[W_AMOUNTS, place])
            scratch[W_WEIGHTS, count], scratch[W_OWNERS, count] = taken, scratch[W_CHOSEN, place]
            count += 1
            left -= taken
            scratch[W_AMOUNTS, place] -= taken
            if scratch[W_AMOUNTS, place] == 0:
                place += 1
        proceeds = proceeds_of(events, e, quantity) if keep else 0
        if count == 1 or not keep:
            for i in range(count):
                scratch[W_PARTS, i] = proceeds
        else:
            apportion(proceeds, count, quantity, scratch)
        for i in range(count):
            status = take(
                events, holdings, lots, pieces, state, entries,
                e, scratch[W_OWNERS, i], scratch[W_WEIGHTS, i], scratch[W_PARTS, i], keep,
            )  # fmt: skip
            if status != DONE:
                return status
    return DONE


@COMPILER.hot
def match_losses(events, holdings, lots, pieces, state, e, stop, first, end, scratch):
    """Look for replacements of a sale's losses, pieces by acquisition; then note the shares as sold."""
    for i in range(first, end):
        place = i - first
        while place > 0:
            other = scratch[W_OWNERS, place - 1]
            later = pieces[other, P_ACQUIRED] - pieces[i, P_ACQUIRED]
            if later < 0 or (later == 0 and pieces[other, P_SOURCE] <= pieces[i, P_SOURCE]):
                break
            scratch[W_OWNERS, place] = other
            place -= 1
        scratch[W_OWNERS, place] = i
    for i in range(end - first):
        piece = scratch[W_OWNERS, i]
        if pieces[piece, P_PROCEEDS] >= pieces[piece, P_COST]:
            continue
        status = match_loss(events, holdings, lots, pieces, state, e, stop, piece, first, end)
        if status != DONE:
            return status
    for i in range(first, end):
        note_closed(state, pieces[i, P_KEY], pieces[i, P_ACQUIRED])
    return DONE


@COMPILER.hot
def sell(events, holdings, lots, pieces, state, entries, references, e, stop, scratch):
    """Close lots for an order: all its fills of the day at once, as one sale."""
    h = events[e, E_HOLDING]
    fill_count, quantity = find_fills(events, e, stop, scratch)
    excess = quantity - holdings[h, H_QUANTITY]
    if excess > 0:
        last = scratch[W_FILLS, fill_count - 1]
        if excess > QUANTITY_TOLERANCE or not holdings[h, H_QUANTITY] or events[last, E_QUANTITY] <= excess:
            return OVERSOLD
        events[last, E_QUANTITY] -= excess
        quantity -= excess
    named = False
    for f in range(fill_count):
        named = named or events[scratch[W_FILLS, f], E_REFERENCE] != NONE
    if named:
        if pick_named(events, lots, holdings[h, H_HEAD], references, fill_count, quantity, scratch) < 0:
            return SHORT_REFERENCE
    else:
        choose(events, holdings, lots, e, h, quantity, scratch)
    keep = not holdings[h, H_DEFERRED]
    first = state[C_PIECES]
    status = realise(events, holdings, lots, pieces, state, entries, fill_count, scratch, keep)
    end = state[C_PIECES]
    if status == DONE and keep:
        if holdings[h, H_DIGITAL]:
            for i in range(first, end):
                if pieces[i, P_PROCEEDS] < pieces[i, P_COST]:
                    pieces[i, P_CODES] |= A18
        else:
            status = match_losses(events, holdings, lots, pieces, state, e, stop, first, end, scratch)
    if fill_count > 1:
        for i in range(first, end):
            pieces[i, P_CODES] |= A4
    return status


@COMPILER.inner
def split(events, holdings, lots, pieces, state, e, scratch):
    """Multiply the shares of each lot; losses that wait count in new shares from here on."""
    h = events[e, E_HOLDING]
    new, old, flags = events[e, E_PRICE], events[e, E_AMOUNT], events[e, E_FLAGS]
    held, stated = holdings[h, H_QUANTITY], events[e, E_QUANTITY]
    after = held
    if stated:
        after = held - stated if flags & REMOVES else held + stated
        if held and not flags & HAS_RATIO:
            common = divisor_of(after, held)
            new, old = after // common, held // common
    else:
        if float(held) * new / old > LARGEST:
            return TOO_LARGE
        after = scale(held, new, old)
    if new and abs(state[S_SPLIT_DAY] - events[e, E_DAY]) > SAME_SPLIT_DAYS:
        state[S_SPLIT_DAY] = events[e, E_DAY]
        piece = state[S_WAIT_FIRST]
        while piece != NONE:
            top, bottom = pieces[piece, P_NUMERATOR], pieces[piece, P_DENOMINATOR]
            if max(new, old) > LARGEST_RATIO or max(top, bottom) > LARGEST_RATIO:
                return TOO_LARGE
            common = divisor_of(top * new, bottom * old)
            pieces[piece, P_NUMERATOR], pieces[piece, P_DENOMINATOR] = (
                top * new // common,
                bottom * old // common,
            )
            if float(pieces[piece, P_QUANTITY]) * new / old > LARGEST:
                return TOO_LARGE
            piece = pieces[piece, P_NEXT]
    if not held:
        return DONE
    if after <= 0 or after > LARGEST:
        return EMPTY_SPLIT
    resize(lots, holdings, state, h, after, scratch)
    return DONE


@COMPILER.inner
def dividend(events, holdings, entries, state, e):
    """Record a dividend whose qualified part waits for the holding test."""
    h = events[e, E_HOLDING]
    if holdings[h, H_DEFERRED] or holdings[h, H_QUANTITY] <= 0:
        return
    entry = state[C_ENTRIES]
    state[C_ENTRIES] = entry + 1
    entries[entry, D_EVENT], entries[entry, D_FAILED] = e, 0
    entries[entry, D_AMOUNT] = scale(events[e, E_AMOUNT], events[e, E_PRICE], SHARE)
    entries[entry, D_QUANTITY], entries[entry, D_NUMBER] = holdings[h, H_QUANTITY], holdings[h, H_ENTRIES]
    entries[entry, D_PREVIOUS] = holdings[h, H_ENTRY]
    holdings[h, H_ENTRY] = entry
    holdings[h, H_ENTRIES] += 1


@COMPILER.inner
def clear(holdings, held, state, intact, events, count):
    """Set everything that belongs to a stream to its beginning."""
    for h in range(held):
        holdings[h, H_HEAD] = holdings[h, H_TAIL] = holdings[h, H_ENTRY] = NONE
        holdings[h, H_QUANTITY] = holdings[h, H_TACKED] = holdings[h, H_ENTRIES] = 0
    state[:] = 0
    state[S_FIRST] = state[S_LAST] = state[S_WAIT_FIRST] = state[S_WAIT_LAST] = NONE
    state[S_SPLIT_DAY] = state[S_CLOSED_DAY] = state[S_CLOSED_OTHER_DAY] = LONG_AGO
    state[S_CLOSED_KEY] = NONE
    for e in range(count):
        events[e, E_SUBS] = events[e, E_DONE] = events[e, E_ODD] = 0
        events[e, E_JOINED] = NONE
        if events[e, E_ORDER] != NONE:
            intact[events[e, E_ORDER], 0] = NONE


@COMPILER.inner
def run_stream(events, stop, holdings, held, lots, pieces, state, entries, references, intact, scratch):
    """Run the events of one household and security from no lots on; return DONE or why it stopped."""
    clear(holdings, held, state, intact, events, stop)
    status = DONE
    for e in range(stop):
        kind = events[e, E_KIND]
        if events[e, E_DONE]:
            continue
        if kind == BUY or kind == REINVESTMENT:
            status = buy(events, holdings, lots, pieces, state, intact, e)
        elif kind == SELL:
            status = sell(events, holdings, lots, pieces, state, entries, references, e, stop, scratch)
        elif kind == DIVIDEND:
            dividend(events, holdings, entries, state, e)
        elif kind == SPLIT:
            status = split(events, holdings, lots, pieces, state, e, scratch)
        if status != DONE:
            return status
    for h in range(held):
        if holdings[h, H_METHOD] == AVERAGE and averages(events, lots, holdings, h):
            average(lots, holdings, h, scratch)
    return DONE
