"""What a block of sixteen portfolios sells: what the target asks, payouts, and what cash lacks.

What belongs here: the choice of lots. What does not: booking it (``settle.py``).
"""

from ml.policy.kernels import layout as c
from ml.policy.kernels.lanes import any_lane, higher, invert, load, lower, splat, store, where
from ml.policy.kernels.layout import COMPILER
from ml.policy.kernels.lots import choose_hifo


@COMPILER.inner
def choose_sales(block, books, desk, settings):
    """Choose what payouts and the target sell and what it wants bought.

    Orders are sized at the decision's price and filled at the fill's. Fills ``desk.sold`` and ``desk.change``;
    sums up dividends, proceeds, the outlay wanted, turnover, involuntary sales and cost.
    """
    zero, one = settings.zero, settings.one
    value, cost = load(desk.given, (c.G_VALUE,)), load(desk.given, (c.G_COST,))
    long_day, leaves = load(desk.days, (c.D_LONG,)), load(desk.days, (c.D_LEAVES,)) != 0
    income = proceeds = outlay = turnover = involuntary = costs = splat(zero)
    for n in range(len(desk.change)):
        price, held = load(desk.price, (n,)), load(books.held, (block, n))
        flags = load(desk.flags, (n,))
        income = income + held * load(desk.paid, (n,))
        is_gone = (flags & c.DELISTED) != 0
        wanted = load(desk.target, (n,)) * value / load(desk.decision, (n,)) - held
        is_order = higher(wanted, zero - wanted) * price >= settings.dust
        is_order = is_order & ((flags & c.TRADEABLE) != 0) & invert(is_gone)
        wanted = where(is_order, wanted, zero)
        buys = higher(wanted, zero)
        store(desk.change, (n,), buys)
        outlay = outlay + buys * price
        quantity = where(is_gone, 2 * held, higher(zero - wanted, zero))
        desk.has_sale[n] = any_lane(quantity > zero)
        if not desk.has_sale[n]:
            continue
        net = where(is_gone, price, price * (one - cost))
        chosen = choose_hifo(
            books, desk.sold, block, n, quantity, price, net, long_day, leaves & invert(is_gone), settings
        )
        worth = chosen * price
        proceeds, turnover = proceeds + chosen * net, turnover + worth
        involuntary = involuntary + where(is_gone, worth, zero)
        costs = costs + where(is_gone, zero, worth * cost)
    store(desk.sums, (c.S_DIVIDENDS,), income)
    store(desk.sums, (c.S_PROCEEDS,), proceeds)
    store(desk.sums, (c.S_OUTLAY,), outlay)
    store(desk.sums, (c.S_TURNOVER,), turnover)
    store(desk.sums, (c.S_INVOLUNTARY,), involuntary)
    store(desk.sums, (c.S_COST,), costs)


@COMPILER.hot
def _in_rank(rank, basis, day, net, long_day):
    """Say which lots a rank of forced sales takes: 0 losses, 1 long-term gains, 2 short-term gains."""
    is_gain = basis < net
    if rank == 0:
        return invert(is_gain)
    if rank == 1:
        return is_gain & (day <= long_day)
    return is_gain & (day > long_day)


@COMPILER.inner
def choose_forced(block, books, desk, settings):
    """Choose more sales for the cash that is needed, ``given[G_NEED]``; adds to the sums.

    From every tradeable lot with a loss in proportion to value, then from long-term gains, then from
    short-term gains; counted as involuntary.
    """
    zero = settings.zero
    need, cost = load(desk.given, (c.G_NEED,)), load(desk.given, (c.G_COST,))
    long_day = load(desk.days, (c.D_LONG,))
    raised = turnover = splat(zero)
    for rank in range(3):
        total = splat(zero)
        for n in range(len(desk.change)):
            net = load(desk.price, (n,)) * (settings.one - cost)
            can_sell = (load(desk.flags, (n,)) & c.TRADEABLE) != 0
            for k in range(desk.sold.shape[1]):
                left = load(books.shares, (block, n, k)) - load(desk.sold, (n, k))
                day, basis = load(books.day, (block, n, k)), load(books.basis, (block, n, k))
                total = total + where(can_sell & _in_rank(rank, basis, day, net, long_day), left * net, zero)
        part = where((total > zero) & (need > zero), need / where(total > zero, total, 1), zero)
        part = lower(part, settings.one)
        need = higher(need - total, zero)  # not need - part * total, of which rounding would leave a crumb
        if not any_lane(part > zero):
            continue
        for n in range(len(desk.change)):
            price = load(desk.price, (n,))
            net = price * (settings.one - cost)
            can_sell = (load(desk.flags, (n,)) & c.TRADEABLE) != 0
            has_sale = False
            for k in range(desk.sold.shape[1]):
                sold = load(desk.sold, (n, k))
                left = load(books.shares, (block, n, k)) - sold
                day, basis = load(books.day, (block, n, k)), load(books.basis, (block, n, k))
                take = where(can_sell & _in_rank(rank, basis, day, net, long_day), left * part, zero)
                take = where((take > zero) & ((left - take) * price < settings.dust), left, take)
                has_sale = has_sale or any_lane(take > zero)
                store(desk.sold, (n, k), sold + take)
                raised, turnover = raised + take * net, turnover + take * price
            desk.has_sale[n] = desk.has_sale[n] or has_sale
    store(desk.sums, (c.S_PROCEEDS,), load(desk.sums, (c.S_PROCEEDS,)) + raised)
    store(desk.sums, (c.S_TURNOVER,), load(desk.sums, (c.S_TURNOVER,)) + turnover)
    store(desk.sums, (c.S_INVOLUNTARY,), load(desk.sums, (c.S_INVOLUNTARY,)) + turnover)
    store(desk.sums, (c.S_COST,), load(desk.sums, (c.S_COST,)) + turnover * cost)
