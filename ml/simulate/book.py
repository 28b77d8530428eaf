"""One account's books in compiled form: lots, cash, orders, and the rows they leave behind.

Quantities are int64 in 1e-9 shares, prices int64 in 1e-6 USD, cash int64 in cents; a row's amount
is the exact product rounded half-even to cents, less fees. Nothing here decides anything: rules
(``ml/simulate/rules.py``) call :func:`buy` and :func:`sell`.
"""

from collections import namedtuple

import numpy as np

from ml.simulate.archetypes import HIFO, SPECIFIC, P
from ml.simulate.compiled import compiled, inlined, inner
from ml.simulate.counter_rng import uniform

NANO, MICRO_IN_NANO = 1_000_000_000, 1_000
ZERO, NONE = np.int64(0), np.int64(-1)
MAX_LOTS, MAX_POSITIONS, MAX_PENDING, MAX_ORDERS_A_DAY = 600, 64, 64, 54

Book = namedtuple("Book", "lots state held locked inexact events uses pending positions order eligible")
# Scalars of the state vector.
N_LOTS, CASH, N_EVENTS, N_USES, N_ORDERS, OVERFLOW, N_PENDING, SLOT, N_POSITIONS = range(9)
# Columns of a lot, an event row, a use of a lot by a sale, a pending payment or replacement, a position.
LOT_ASSET, LOT_QTY, LOT_COST, LOT_DAY, LOT_EVENT = range(5)
(EV_SESSION, EV_KIND, EV_ASSET, EV_QTY, EV_PRICE, EV_AMOUNT, EV_FEE, EV_ORDER, EV_SLOT, EV_FILL, EV_DRIVER,
 EV_ACTIVE, EV_NUM, EV_DEN) = range(14)  # fmt: skip
PEND_KIND, PEND_SESSION, PEND_ASSET, PEND_CENTS, PEND_ACTIVE = range(5)
POS_ASSET, POS_QTY, POS_COST, POS_OLDEST, POS_NEWEST = range(5)
# Codes that are passed on are numpy integers, else the compiler specialises on each constant.
# Kinds of event rows and reasons for a trade; the reason goes to the truth, never to the night.
BUY, SELL, DIVIDEND, SPLIT, DEPOSIT, WITHDRAWAL = map(np.int64, range(6))
KINDS = ("buy", "sell", "dividend", "split", "deposit", "withdrawal")
RULE, LIQUIDITY, DECEMBER, INVEST, REPLACE, DELISTING, MECHANICAL = map(np.int64, range(7))
DRIVERS = ("rule", "liquidity", "december", "invest", "replacement", "delisting", "mechanical")
# Which lots a sale may touch.
ANY, LONG_OR_LOSS, LOSSES = map(np.int64, range(3))

_METHOD, _FRACTIONAL, _FEE, _TWO_FILL, _THRESHOLD = (
    P[name] for name in ("method", "fractional", "fee", "two_fill", "harvest_threshold")
)
_U_FILL, _U_LOT = map(np.int64, (900, 901))


def new_book(assets: int, max_events: int) -> Book:
    """Return an empty book for ``assets`` assets with room for ``max_events`` rows."""
    return Book(
        lots=np.zeros((MAX_LOTS, 5), np.int64),
        state=np.zeros(9, np.int64),
        held=np.zeros(assets, np.int64),
        locked=np.zeros(assets, np.int64),
        inexact=np.zeros(assets, np.int64),
        events=np.zeros((max_events, 14), np.int64),
        uses=np.zeros((max_events, 3), np.int64),
        pending=np.zeros((MAX_PENDING, 5), np.int64),
        positions=np.zeros((MAX_POSITIONS, 5), np.int64),
        order=np.zeros(MAX_LOTS, np.int64),
        eligible=np.zeros(MAX_LOTS, np.int64),
    )


@inner
def copy_row(table, source, target):
    """Copy one row of a two-dimensional table onto another (array slices are slow to compile)."""
    for i in range(table.shape[1]):
        table[target, i] = table[source, i]


@inlined
def reset(book):
    """Empty the book for the next account; the row buffers are overwritten, not cleared."""
    for i in range(book.state.shape[0]):
        book.state[i] = 0
    for i in range(book.held.shape[0]):
        book.held[i], book.locked[i], book.inexact[i] = 0, 0, 0


@compiled
def value_cents(qty, price):
    """Return qty (1e-9 shares) times price (1e-6 USD) in cents, rounded half to even, exactly."""
    whole, part = qty // NANO, qty % NANO
    micro, dust = part // MICRO_IN_NANO, part % MICRO_IN_NANO
    a = whole * price  # 1e-6 USD
    dust_value = dust * price  # 1e-15 USD
    rest = (a % 10_000) * 1_000_000 + micro * price + dust_value // 1_000  # 1e-12 USD
    sticky = dust_value % 1_000
    cents, left = a // 10_000 + rest // 10_000_000_000, rest % 10_000_000_000
    half = 5_000_000_000
    if left > half or (left == half and (sticky > 0 or cents % 2 == 1)):
        cents += 1
    return cents


@inner
def price_micros(market, t, asset):
    """Return the asset's price in 1e-6 USD at session t, 0 where it has no bar."""
    price = market.price[t, asset]
    return np.int64(np.rint(price * 1e6)) if price > 0 else ZERO


@inner
def log_event(book, t, kind, asset, qty, price, amount, fee, driver, active):
    """Append one row, move the cash and return the row's number (-1 when the buffer is full)."""
    e = book.state[N_EVENTS]
    if e >= book.events.shape[0]:
        book.state[OVERFLOW] = 1
        return NONE
    row = book.events[e]
    for i in range(row.shape[0]):
        row[i] = 0
    row[EV_SESSION], row[EV_KIND], row[EV_ASSET], row[EV_QTY] = t, kind, asset, qty
    row[EV_PRICE], row[EV_AMOUNT], row[EV_FEE], row[EV_ORDER] = price, amount, fee, -1
    row[EV_SLOT], row[EV_DRIVER], row[EV_ACTIVE] = book.state[SLOT], driver, active
    book.state[N_EVENTS] = e + 1
    book.state[CASH] += amount
    return e


@inner
def refresh_positions(book, market, t):
    """Rebuild the table of positions that have a bar at session t, in order of first purchase."""
    n = 0
    for i in range(book.state[N_LOTS]):
        lot = book.lots[i]
        if not market.price[t, lot[LOT_ASSET]] > 0:
            continue
        k = 0
        while k < n and book.positions[k, POS_ASSET] != lot[LOT_ASSET]:
            k += 1
        if k == MAX_POSITIONS:
            continue
        row = book.positions[k]
        if k == n:
            row[POS_ASSET], row[POS_QTY], row[POS_COST] = lot[LOT_ASSET], 0, 0
            row[POS_OLDEST] = lot[LOT_DAY]
            n += 1
        row[POS_QTY] += lot[LOT_QTY]
        row[POS_COST] += lot[LOT_COST]
        row[POS_NEWEST] = lot[LOT_DAY]
    book.state[N_POSITIONS] = n


@inner
def worth(market, t, asset, qty):
    """Return the value of qty (1e-9 shares) in cents as a float; decisions need no exactness."""
    return qty * 1e-9 * market.price[t, asset] * 100.0


@inlined
def _is_eligible(book, market, p, t, i, desire):
    """Return whether lot i may be sold under the desire."""
    if desire == ANY:
        return True
    lot = book.lots[i]
    value = worth(market, t, lot[LOT_ASSET], lot[LOT_QTY])
    if desire == LOSSES:
        return value <= lot[LOT_COST] * (1.0 - p[_THRESHOLD])
    return lot[LOT_DAY] < market.long_term_before[t] or value <= lot[LOT_COST] * 0.9995 - 2.0


@inlined
def _sort_by_cost(book, n):
    """Sort the first n entries of book.order by unit cost, highest first, ties oldest first."""
    for i in range(1, n):
        current = book.order[i]
        cost = book.lots[current, LOT_COST] / book.lots[current, LOT_QTY]
        j = i - 1
        while j >= 0:
            other = book.order[j]
            if book.lots[other, LOT_COST] / book.lots[other, LOT_QTY] >= cost:
                break
            book.order[j + 1] = other
            j -= 1
        book.order[j + 1] = current


@inlined
def choose_lots(book, market, p, key, t, asset, desire):
    """Fill book.eligible with lots to sell, in order, and return (count, names_lots).

    A broker's default order (FIFO, HIFO) is followed: the sale ends before the first lot that the
    desire forbids. Specific identification skips such lots and names the others.
    """
    method = int(p[_METHOD])
    specific = method == SPECIFIC and book.inexact[asset] == 0
    n = ZERO
    for i in range(book.state[N_LOTS]):
        if book.lots[i, LOT_ASSET] == asset:
            book.order[n] = i
            n += 1
    by_cost = method == HIFO
    if specific:
        by_cost = desire == LOSSES or (desire == ANY and uniform(key, t, _U_LOT, asset) < 0.5)
    if by_cost:
        _sort_by_cost(book, n)
    m = 0
    for k in range(n):
        if _is_eligible(book, market, p, t, book.order[k], desire):
            book.eligible[m] = book.order[k]
            m += 1
        elif not specific:
            break
    return m, specific


@inner
def sell(book, market, p, key, t, asset, share, desire, driver, active):
    """Sell ``share`` of the holding in one order under the desire; return the proceeds in cents."""
    price = price_micros(market, t, asset)
    if price == 0 or book.held[asset] <= 0 or book.state[SLOT] >= MAX_ORDERS_A_DAY:
        return ZERO
    n, specific = choose_lots(book, market, p, key, t, asset, desire)
    available = np.int64(0)
    for k in range(n):
        available += book.lots[book.eligible[k], LOT_QTY]
    unit = MICRO_IN_NANO if p[_FRACTIONAL] > 0 else NANO
    quantity = min(np.int64(book.held[asset] * min(share, 1.0)), available)
    if quantity < available:
        quantity -= quantity % unit
    fee = np.int64(p[_FEE])
    if quantity <= 0 or value_cents(quantity, price) <= fee:
        return ZERO
    first = quantity
    if p[_TWO_FILL] > 0 and uniform(key, t, _U_FILL, asset) < p[_TWO_FILL] and quantity >= 4 * unit:
        first = quantity // 2 - (quantity // 2) % unit
    event = book.state[N_EVENTS]
    proceeds = _log_order(book, t, SELL, asset, quantity, first, price, fee, driver, active)
    if book.state[OVERFLOW] == 0:
        _consume(book, event, asset, quantity, n, specific)
    return proceeds


@inner
def _log_order(book, t, kind, asset, quantity, first, price, fee, driver, active):
    """Log an order of one or two fills at one price; return its total cash effect."""
    total = np.int64(0)
    for fill in range(2):
        qty = first if fill == 0 else quantity - first
        if qty <= 0:
            continue
        cost = fee if fill == 0 else ZERO
        gross = value_cents(qty, price)
        amount = gross - cost if kind == SELL else -gross - cost
        e = log_event(book, t, kind, asset, qty, price, amount, cost, driver, active)
        if e < 0:
            return total
        book.events[e, EV_ORDER], book.events[e, EV_FILL] = book.state[N_ORDERS], fill
        total += amount
    book.state[N_ORDERS] += 1
    book.state[SLOT] += 1
    return total


@inlined
def _consume(book, event, asset, quantity, n, specific):
    """Take the quantity from the chosen lots, note which (if named) and drop the empty ones."""
    left = quantity
    for k in range(n):
        if left == 0:
            break
        lot = book.lots[book.eligible[k]]
        take = min(left, lot[LOT_QTY])
        if specific:
            u = book.state[N_USES]
            if u >= book.uses.shape[0]:
                book.state[OVERFLOW] = 1
                return
            book.uses[u, 0], book.uses[u, 1], book.uses[u, 2] = event, lot[LOT_EVENT], take
            book.state[N_USES] = u + 1
        lot[LOT_COST] -= np.int64(lot[LOT_COST] * (take / lot[LOT_QTY]))
        lot[LOT_QTY] -= take
        left -= take
    book.held[asset] -= quantity
    kept = ZERO
    for i in range(book.state[N_LOTS]):
        if book.lots[i, LOT_QTY] > 0:
            copy_row(book.lots, i, kept)
            kept += 1
    book.state[N_LOTS] = kept


@inner
def buy(book, market, p, key, t, asset, budget, driver, active):
    """Buy for at most ``budget`` cents (and the cash at hand); return the cents spent."""
    price = price_micros(market, t, asset)
    fee = np.int64(p[_FEE])
    budget = min(np.int64(budget), book.state[CASH])
    full = book.state[N_LOTS] >= MAX_LOTS - 2 or book.state[SLOT] >= MAX_ORDERS_A_DAY
    if price == 0 or full or budget - fee < 500:
        return ZERO
    unit = MICRO_IN_NANO if p[_FRACTIONAL] > 0 else NANO
    quantity = np.int64((budget - fee) * 1e4 / price * 1e9)
    quantity -= quantity % unit
    while quantity > 0 and value_cents(quantity, price) + fee + 1 > budget:
        quantity -= unit
    if quantity <= 0 or value_cents(quantity, price) < 100:
        return ZERO
    first = quantity
    if p[_TWO_FILL] > 0 and uniform(key, t, _U_FILL, asset) < p[_TWO_FILL] and quantity >= 4 * unit:
        first = quantity // 2 - (quantity // 2) % unit
    event = book.state[N_EVENTS]
    spent = -_log_order(book, t, BUY, asset, quantity, first, price, fee, driver, active)
    for e in range(event, book.state[N_EVENTS]):
        lot = book.lots[book.state[N_LOTS]]
        lot[LOT_ASSET], lot[LOT_QTY] = asset, book.events[e, EV_QTY]
        lot[LOT_COST], lot[LOT_DAY], lot[LOT_EVENT] = -book.events[e, EV_AMOUNT], market.ordinal[t], e
        book.state[N_LOTS] += 1
        book.held[asset] += book.events[e, EV_QTY]
    return spent
