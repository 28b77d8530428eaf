"""Parts of the Triton kernel of a week: tax of a year, choice of lots, folding, valuation.

What belongs here: arithmetic on a program's tiles. What does not: the week (``triton_step.py``), memory.
"""

# Triton reads these functions as another language: compile-time loops and branches are no Python to a type checker.
# pyright: reportPossiblyUnboundVariable=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
# pyright: reportCallIssue=false

import triton
import triton.language as tl


@triton.jit
def positive(x):
    """The part above zero."""
    return tl.maximum(x, 0.0)


@triton.jit
def net_year(short, long, short_rate, long_rate, limit):
    """Net a year's results; tax and the losses carried out of it."""
    crossed = tl.minimum(positive(short), positive(-long)) - tl.minimum(positive(-short), positive(long))
    short = short - crossed
    long = long + crossed
    short_loss = positive(-short)
    long_loss = positive(-long)
    from_short = tl.minimum(short_loss, limit)
    from_long = tl.minimum(long_loss, limit - from_short)
    tax = short_rate * (positive(short) - from_short - from_long) + long_rate * positive(long)
    return tax, short_loss - from_short, long_loss - from_long


@triton.jit
def tax_if_realised(short, long, dividends, short_rate, long_rate, limit, DISCOUNT: tl.constexpr):
    """Tax of a year with these results and dividends, less the discounted worth of what is carried."""
    tax, short_carry, long_carry = net_year(short, long, short_rate, long_rate, limit)
    return tax + long_rate * dividends - DISCOUNT * (short_rate * short_carry + long_rate * long_carry)


@triton.jit
def choose_hifo(
    shares, basis, day, quantity, price, net, long_day, leaves, K: tl.constexpr, DUST: tl.constexpr
):
    """Shares (K tiles) that a sale of ``quantity`` takes of each lot, highest basis first."""
    offered = ()
    for k in tl.static_range(K):
        is_left = leaves & (day[k] > long_day) & (basis[k] < net)
        offered = offered + (tl.where(is_left, 0.0, shares[k]),)
    sold = ()
    for k in tl.static_range(K):
        left = quantity
        for j in tl.static_range(K):
            if j != k:
                is_tie = basis[j] == basis[k]
                is_first = (basis[j] > basis[k]) | (is_tie & (day[j] < day[k]))
                if j < k:
                    is_first = is_first | (is_tie & (day[j] == day[k]))
                left = left - tl.where(is_first, offered[j], 0.0)
        take = tl.minimum(positive(left), offered[k])
        sold = sold + (tl.where((take > 0) & ((shares[k] - take) * price < DUST), shares[k], take),)
    return sold


@triton.jit
def add_forced(
    shares, basis, day, sold, need, price, net, long_day, can_sell, K: tl.constexpr, DUST: tl.constexpr
):
    """Sell more for ``need`` of cash, class after class of lots, each in proportion to value."""
    zero = price * 0.0
    totals = (zero, zero, zero)
    for k in tl.static_range(K):
        worth = tl.where(can_sell, (shares[k] - sold[k]) * net, 0.0)
        is_loss = basis[k] >= net
        is_long = day[k] <= long_day
        totals = (
            totals[0] + tl.where(is_loss, worth, 0.0),
            totals[1] + tl.where(is_long & (is_loss == 0), worth, 0.0),
            totals[2] + tl.where(is_long | is_loss, 0.0, worth),
        )
    parts = ()
    for i in tl.static_range(3):
        total = tl.sum(totals[i], axis=1)
        part = tl.minimum(need / tl.where(total > 0, total, 1.0), 1.0)
        part = tl.where((total > 0) & (need > 0), part, 0.0)
        need = need - part * total
        parts = parts + (part[:, None],)
    more = ()
    for k in tl.static_range(K):
        part = tl.where(basis[k] >= net, parts[0], tl.where(day[k] <= long_day, parts[1], parts[2]))
        left = tl.where(can_sell, shares[k] - sold[k], 0.0)
        take = left * part
        more = more + (tl.where((take > 0) & ((left - take) * price < DUST), left, take),)
    return more


@triton.jit
def closest_pair(basis, day, new_basis, new_day, long_day, K: tl.constexpr):
    """Places of the closest pair of one term among K lots and the new one, whose place is K."""
    least = new_basis * 0.0 + float("inf")
    first = tl.zeros(new_basis.shape, tl.int32)
    second = first + K
    for i in tl.static_range(K):
        is_long = day[i] <= long_day
        for j in tl.static_range(K + 1):
            if j > i:
                if j < K:
                    gap = tl.abs(basis[i] - basis[j])
                    is_same = is_long == (day[j] <= long_day)
                else:
                    gap = tl.abs(basis[i] - new_basis)
                    is_same = is_long == (new_day <= long_day)
                is_best = is_same & (gap < least)
                least = tl.where(is_best, gap, least)
                first = tl.where(is_best, i, first)
                second = tl.where(is_best, j, second)
    return first, second


@triton.jit
def add_lot(shares, basis, day, quantity, new_basis, new_day, long_day, K: tl.constexpr):
    """Add a purchase; where no slot is free, fold the two lots of one term closest in basis."""
    free = tl.full(quantity.shape, K, tl.int32)
    for back in tl.static_range(K):
        free = tl.where(shares[K - 1 - back] <= 0, K - 1 - back, free)
    is_bought = quantity > 0
    is_fold = is_bought & (free == K)
    first, second = closest_pair(basis, day, new_basis, new_day, long_day, K)
    one = (quantity * 0.0, new_basis, new_day)
    other = (quantity, new_basis, new_day)
    for k in tl.static_range(K):
        is_one = first == k
        is_other = second == k
        one = (
            tl.where(is_one, shares[k], one[0]),
            tl.where(is_one, basis[k], one[1]),
            tl.where(is_one, day[k], one[2]),
        )
        other = (
            tl.where(is_other, shares[k], other[0]),
            tl.where(is_other, basis[k], other[1]),
            tl.where(is_other, day[k], other[2]),
        )
    both = one[0] + other[0]
    part = other[0] / tl.where(both > 0, both, 1.0)
    mean = one[1] + (other[1] - one[1]) * part
    start = one[2] + tl.floor((other[2] - one[2]) * part).to(tl.int32)
    place = tl.where(is_fold, second, free)
    kept_shares = ()
    kept_basis = ()
    kept_day = ()
    for k in tl.static_range(K):
        is_folded = is_fold & (first == k)
        is_new = is_bought & (place == k)
        kept_shares = kept_shares + (tl.where(is_folded, both, tl.where(is_new, quantity, shares[k])),)
        kept_basis = kept_basis + (tl.where(is_folded, mean, tl.where(is_new, new_basis, basis[k])),)
        kept_day = kept_day + (tl.where(is_folded, start, tl.where(is_new, new_day, day[k])),)
    return kept_shares, kept_basis, kept_day


@triton.jit
def value_assets(
    shares,
    basis,
    day,
    price,
    long_day,
    least,
    taxable,
    locked,
    cash,
    observed_ptr,
    at_seen,
    N,
    mask,
    K: tl.constexpr,
    FLOOR: tl.constexpr,
    DEEP: tl.constexpr,
):
    """Value the lots and write what the policy sees; (value before tax, short, long results) (P,)."""
    zero = price * 0.0
    value = zero
    gains = zero
    losses = zero
    long_gain = zero
    long_loss = zero
    bound = zero
    harvestable = zero
    wait = tl.full(price.shape, 1 << 30, tl.int32)
    for k in tl.static_range(K):
        worth = shares[k] * price
        paid = shares[k] * basis[k]
        gain = positive(worth - paid)
        loss = positive(paid - worth)
        later = day[k] - long_day
        is_short_gain = (later > 0) & (gain > 0)
        value += worth
        gains += gain
        losses += loss
        long_gain += tl.where(later > 0, 0.0, gain)
        long_loss += tl.where(later > 0, 0.0, loss)
        bound += tl.where(is_short_gain, worth, 0.0)
        harvestable += tl.where((loss >= DEEP * paid) & (loss >= least), worth, 0.0)
        wait = tl.where(is_short_gain, tl.minimum(wait, later), wait)
    total = cash + tl.sum(value, axis=1)
    scale = (1.0 / tl.maximum(total, FLOOR))[:, None]
    days = tl.where(wait < (1 << 30), wait, 0).to(price.dtype)
    columns = (
        value * scale,
        positive(gains - long_gain) * scale,
        positive(losses - long_loss) * scale,
        long_gain * scale,
        long_loss * scale,
        days,
        harvestable * scale,
        tl.where(taxable, value - bound, value) * scale,
        tl.where(locked, 1.0, 0.0).to(price.dtype),
    )
    for i in tl.static_range(9):
        tl.store(observed_ptr + at_seen + i * N, columns[i], mask=mask)
    long = tl.sum(long_gain - long_loss, axis=1)
    return total, tl.sum(gains - losses, axis=1) - long, long
