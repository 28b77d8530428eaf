"""Wash sales in the compiled engine: the rules of ``ml.tax.wash_sales`` under the default settings."""

from ml.tax.bulk.arithmetic import halves, scale
from ml.tax.bulk.columns import (
    A1,
    A2,
    A5,
    A6,
    A8,
    A9,
    A10,
    A14,
    A17,
    C_LOTS,
    C_PIECES,
    COMPILER,
    DONE,
    E_DAY,
    E_DONE,
    E_KIND,
    E_QUANTITY,
    EMPTY_PART,
    FULL,
    H_ASSET,
    H_DEFERRED,
    H_EMPLOYER,
    H_TACKED,
    H_USER,
    L_ACQUIRED,
    L_ADJUSTMENT,
    L_CODES,
    L_COST,
    L_HOLDING,
    L_KEY,
    L_QUANTITY,
    L_RECENT_NEXT,
    L_SOURCE,
    L_START,
    L_SUB,
    L_USED,
    NONE,
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
    P_START,
    PASSED_ON,
    R_ACQUIRED,
    R_HOLDING,
    R_MOVED,
    R_QUANTITY,
    R_SOURCE,
    R_SUB,
    R_TACKED,
    REINVESTMENT,
    S_CLOSED_DAY,
    S_CLOSED_KEY,
    S_CLOSED_OTHER_DAY,
    S_FIRST,
    S_QUANTITY,
    S_WAIT_FIRST,
    S_WAIT_LAST,
    SELL,
)
from ml.tax.bulk.lots import divide, forget, forget_older
from ml.tax.units import QUANTITY_TOLERANCE
from ml.tax.wash_sales import WINDOW_DAYS


@COMPILER.hot
def note_closed(state, key, day):
    """Keep the latest acquisition among the shares sold, and the latest of another purchase (A8)."""
    if state[S_CLOSED_KEY] == key:
        state[S_CLOSED_DAY] = max(day, state[S_CLOSED_DAY])
    elif day > state[S_CLOSED_DAY]:
        state[S_CLOSED_OTHER_DAY] = state[S_CLOSED_DAY]
        state[S_CLOSED_KEY], state[S_CLOSED_DAY] = key, day
    elif day > state[S_CLOSED_OTHER_DAY]:
        state[S_CLOSED_OTHER_DAY] = day


@COMPILER.inner
def nothing_left(events, state, e, stop):
    """Say whether no share of the security is left at the end of the event's day (A9)."""
    day = events[e, E_DAY]
    left = state[S_QUANTITY]
    for other in range(e + 1, stop):
        if events[other, E_DAY] != day:
            break
        if events[other, E_DONE]:
            continue
        kind = events[other, E_KIND]
        if kind <= REINVESTMENT:
            left += events[other, E_QUANTITY]
        elif kind == SELL:
            left -= events[other, E_QUANTITY]
    return left <= QUANTITY_TOLERANCE


@COMPILER.inner
def split_piece(pieces, state, piece, quantity):
    """Record ``quantity`` shares of a piece as a piece of their own."""
    part = state[C_PIECES]
    state[C_PIECES] = part + 1
    rest = pieces[piece, P_QUANTITY] - quantity
    pieces[part] = pieces[piece]
    pieces[part, P_PENDING], pieces[part, P_NEXT], pieces[part, P_PREVIOUS] = 0, NONE, NONE
    for column in (P_PROCEEDS, P_COST, P_ADJUSTMENT):
        first, second = halves(pieces[piece, column], quantity, rest)
        pieces[part, column], pieces[piece, column] = first, second
    pieces[part, P_QUANTITY], pieces[piece, P_QUANTITY] = quantity, rest
    return part


@COMPILER.inner
def disallow(events, holdings, lots, pieces, state, piece, lot, quantity):
    """Disallow a wholly matched piece against ``quantity`` shares of a lot."""
    part = lot
    if quantity < lots[lot, L_QUANTITY]:
        part = divide(events, lots, holdings, state, lot, quantity)
    else:
        forget(lots, state, lot)
    lots[part, L_USED] = 1
    loss = pieces[piece, P_COST] - pieces[piece, P_PROCEEDS]
    pieces[piece, P_DISALLOWED] = loss
    h, sold = lots[lot, L_HOLDING], pieces[piece, P_HOLDING]
    codes = pieces[piece, P_CODES]
    if pieces[piece, P_ADJUSTMENT] > loss:
        codes |= A5
    if lots[lot, L_ACQUIRED] < pieces[piece, P_ACQUIRED]:
        codes |= A10
    if holdings[h, H_ASSET] != holdings[sold, H_ASSET]:
        codes |= A6
    if holdings[h, H_USER] != holdings[sold, H_USER]:
        codes |= A14
    moved = tacked = 0
    if holdings[h, H_DEFERRED]:
        pieces[piece, P_PERMANENT] = 1
        if holdings[h, H_EMPLOYER]:
            codes |= A17
    else:
        moved = loss
        tacked = events[pieces[piece, P_SALE], E_DAY] - pieces[piece, P_START]
        lots[part, L_COST] += loss
        lots[part, L_ADJUSTMENT] += loss
        lots[part, L_START] = lots[part, L_ACQUIRED] - tacked
        lots[part, L_CODES] |= A2 | (codes & PASSED_ON)
        holdings[h, H_TACKED] = 1
    pieces[piece, P_CODES] = codes
    pieces[piece, R_HOLDING], pieces[piece, R_SOURCE] = h, lots[part, L_SOURCE]
    pieces[piece, R_SUB], pieces[piece, R_ACQUIRED] = lots[part, L_SUB], lots[part, L_ACQUIRED]
    pieces[piece, R_QUANTITY] = lots[part, L_QUANTITY]
    pieces[piece, R_MOVED], pieces[piece, R_TACKED] = moved, tacked


@COMPILER.hot
def wait(pieces, state, piece):
    """Queue a loss for purchases of the next 30 days."""
    last = state[S_WAIT_LAST]
    pieces[piece, P_PENDING], pieces[piece, P_PREVIOUS], pieces[piece, P_NEXT] = 1, last, NONE
    if last == NONE:
        state[S_WAIT_FIRST] = piece
    else:
        pieces[last, P_NEXT] = piece
    state[S_WAIT_LAST] = piece


@COMPILER.hot
def leave_queue(pieces, state, piece):
    """Take a piece out of the queue; whether it is pending is the caller's to say."""
    before, after = pieces[piece, P_PREVIOUS], pieces[piece, P_NEXT]
    if before == NONE:
        state[S_WAIT_FIRST] = after
    else:
        pieces[before, P_NEXT] = after
    if after == NONE:
        state[S_WAIT_LAST] = before
    else:
        pieces[after, P_PREVIOUS] = before


@COMPILER.inner
def note_excluded(pieces, state, piece, first_piece, end_piece, first_day):
    """Mark a loss that only shares sold with it (A9) or before it (A8) could have washed."""
    key = pieces[piece, P_KEY]
    for other in range(first_piece, end_piece):
        if pieces[other, P_KEY] != key and pieces[other, P_ACQUIRED] >= first_day:
            pieces[piece, P_CODES] |= A9
            break
    day = state[S_CLOSED_DAY]
    if state[S_CLOSED_KEY] == key:
        day = state[S_CLOSED_OTHER_DAY]
    if day >= first_day:
        pieces[piece, P_CODES] |= A8


@COMPILER.hot
def next_candidate(lots, lot, key):
    """Return the first recent purchase from ``lot`` on that is not the purchase of the shares sold."""
    while lot != NONE and lots[lot, L_KEY] == key:
        lot = lots[lot, L_RECENT_NEXT]
    return lot


@COMPILER.inner
def has_rival(holdings, lots, state, lot, key):
    """Say whether accounts of the other kind bought replacements on the same day (A1)."""
    deferred = holdings[lots[lot, L_HOLDING], H_DEFERRED]
    other = next_candidate(lots, state[S_FIRST], key)
    while other != NONE:
        same_day = lots[other, L_ACQUIRED] == lots[lot, L_ACQUIRED]
        if same_day and holdings[lots[other, L_HOLDING], H_DEFERRED] != deferred:
            return True
        other = next_candidate(lots, lots[other, L_RECENT_NEXT], key)
    return False


@COMPILER.inner
def match_loss(events, holdings, lots, pieces, state, e, stop, piece, first, end):
    """Match one loss with open purchases of the 30 days before; queue what is left of it."""
    key = pieces[piece, P_KEY]
    first_day = events[e, E_DAY] - WINDOW_DAYS
    forget_older(lots, state, first_day)
    lot = next_candidate(lots, state[S_FIRST], key)
    if lot != NONE and nothing_left(events, state, e, stop):
        pieces[piece, P_CODES] |= A9
        lot = NONE
    if lot == NONE:
        note_excluded(pieces, state, piece, first, end, first_day)
    while lot != NONE:
        if state[C_LOTS] >= lots.shape[0] or state[C_PIECES] >= pieces.shape[0]:
            return FULL
        if has_rival(holdings, lots, state, lot, key):
            pieces[piece, P_CODES] |= A1
        following = next_candidate(lots, lots[lot, L_RECENT_NEXT], key)
        quantity, matched = min(pieces[piece, P_QUANTITY], lots[lot, L_QUANTITY]), piece
        if quantity < pieces[piece, P_QUANTITY]:
            matched = split_piece(pieces, state, piece, quantity)
        disallow(events, holdings, lots, pieces, state, matched, lot, quantity)
        if matched == piece:
            return DONE
        lot = following
    wait(pieces, state, piece)
    return DONE


@COMPILER.inner
def serve(events, holdings, lots, pieces, state, lot):
    """Let a purchase replace losses that wait, earliest first."""
    first_day, key = lots[lot, L_ACQUIRED] - WINDOW_DAYS, lots[lot, L_KEY]
    piece = state[S_WAIT_FIRST]
    while piece != NONE and events[pieces[piece, P_SALE], E_DAY] < first_day:
        leave_queue(pieces, state, piece)
        piece = pieces[piece, P_NEXT]
    while piece != NONE and not lots[lot, L_USED]:
        if pieces[piece, P_KEY] == key:
            piece = pieces[piece, P_NEXT]
            continue
        if state[C_LOTS] >= lots.shape[0] or state[C_PIECES] >= pieces.shape[0]:
            return FULL
        new, old = pieces[piece, P_NUMERATOR], pieces[piece, P_DENOMINATOR]
        available, held = lots[lot, L_QUANTITY], pieces[piece, P_QUANTITY]
        wanted = held if new == old else scale(held, new, old)
        if wanted == 0:
            return EMPTY_PART
        if wanted <= available:
            leave_queue(pieces, state, piece)
            pieces[piece, P_PENDING] = 0
            matched, quantity = piece, wanted
            piece = pieces[piece, P_NEXT]
        else:
            part = available if new == old else scale(available, old, new)
            if part <= 0 or part >= held:
                return EMPTY_PART
            matched, quantity = split_piece(pieces, state, piece, part), available
        disallow(events, holdings, lots, pieces, state, matched, lot, quantity)
    return DONE
