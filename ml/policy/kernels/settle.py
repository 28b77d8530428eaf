"""Books the chosen sales and the purchases of a block of sixteen portfolios, asset after asset."""

from ml.policy.env_config import WASH_DAYS
from ml.policy.kernels import layout as c
from ml.policy.kernels.lanes import (
    any_lane,
    as_float,
    floor_whole,
    higher,
    invert,
    load,
    lower,
    splat,
    store,
    where,
)
from ml.policy.kernels.layout import COMPILER
from ml.policy.kernels.lots import add_lot, sort_lots
from ml.policy.kernels.wash import add_disallowed, use_purchases, wash_purchase


@COMPILER.inner
def settle(block, t, books, desk, settings):
    """Book sales, wash sales and purchases; ``given[G_SCALE]`` cuts purchases to the cash there is.

    Sums up what was bought, gains (long-term ones apart), losses by term, and what of them is washed by
    purchases before and after.
    """
    zero, one = settings.zero, settings.one
    ring = books.ring
    cost, scale = load(desk.given, (c.G_COST,)), load(desk.given, (c.G_SCALE,))
    today, long_day = load(desk.days, (c.D_TODAY,)), load(desk.days, (c.D_LONG,))
    fills, taxable = load(desk.days, (c.D_FILLS,)), load(desk.days, (c.D_TAXABLE,)) != 0
    gains = long_gains = short_losses = long_losses = bought = splat(zero)
    short_washed = long_washed = short_later = long_later = bought
    slot = t % ring.shape[2]
    for n in range(len(desk.change)):
        price = load(desk.price, (n,))
        left = short_left = long_left = days_left = unused = splat(zero)
        if desk.has_sale[n]:
            is_gone = (load(desk.flags, (n,)) & c.DELISTED) != 0
            net = where(is_gone, price, price * (one - cost))
            up, long_up, short_left, long_left, left, days_left, usable, recent, has_gap = _book_sale(
                block, n, net, today, long_day, books, desk.sold, zero
            )
            gains, long_gains = gains + up, long_gains + long_up
            short_losses, long_losses = short_losses + short_left, long_losses + long_left
            needs_sorting = any_lane(has_gap)
            wanted = where(taxable, lower(left, usable), zero)
            if any_lane(wanted > zero):
                used = use_purchases(ring, block, n, t, fills, wanted)
                is_washed = used > zero
                part = where(is_washed, lower(used / where(is_washed, left, 1), one), zero)
                short_washed, long_washed = short_washed + part * short_left, long_washed + part * long_left
                if any_lane(is_washed):
                    added = part * (short_left + long_left) / where(is_washed, recent, 1)
                    add_disallowed(books, block, n, is_washed, added, today)
                    needs_sorting = True
                left, days_left = left * (one - part), days_left * (one - part)
                short_left, long_left = short_left * (one - part), long_left * (one - part)
            if needs_sorting:
                sort_lots(books.shares, books.basis, books.day, block, n)
        spend = load(desk.change, (n,)) * price * scale
        is_bought = spend >= settings.dust
        if any_lane(is_bought):
            spend = where(is_bought, spend, zero)
            quantity = spend / price
            short, long, share_days, unused = wash_purchase(ring, block, n, t, fills, quantity)
            safe = where(is_bought, quantity, 1)
            basis = price * (one + cost) + (short + long) / safe
            day = today - floor_whole(share_days / safe + one / 2)
            add_lot(
                books.shares,
                books.basis,
                books.day,
                block,
                n,
                is_bought,
                quantity,
                basis,
                day,
                long_day,
                zero,
            )
            short_later, long_later = short_later + short, long_later + long
            bought = bought + spend
        store(ring, (block, n, slot, c.LOSS_SHARES), where(taxable, left, zero))
        store(ring, (block, n, slot, c.LOSS_SHORT), where(taxable, short_left, zero))
        store(ring, (block, n, slot, c.LOSS_LONG), where(taxable, long_left, zero))
        store(ring, (block, n, slot, c.LOSS_SHARE_DAYS), where(taxable, days_left, zero))
        store(ring, (block, n, slot, c.BOUGHT), where(taxable, unused, zero))
    store(desk.sums, (c.S_GAINS,), gains)
    store(desk.sums, (c.S_LONG_GAIN,), long_gains)
    store(desk.sums, (c.S_SHORT_LOSS,), short_losses)
    store(desk.sums, (c.S_LONG_LOSS,), long_losses)
    store(desk.sums, (c.S_SHORT_WASHED,), short_washed)
    store(desk.sums, (c.S_LONG_WASHED,), long_washed)
    store(desk.sums, (c.S_SHORT_LATER,), short_later)
    store(desk.sums, (c.S_LONG_LATER,), long_later)
    store(desk.sums, (c.S_BOUGHT,), bought)


@COMPILER.hot
def _book_sale(block, n, net, today, long_day, books, sold, zero):
    """Take the chosen shares out of the lots of one asset.

    Returns
    -------
    gains, long_gains, short_losses, long_losses : lanes
    loss_shares, loss_share_days : lanes
        Sold at a loss.
    usable : lanes
        Shares not older than 30 days that can replace those sold at a loss: what is left of a lot cannot
        replace shares sold from it (Rev. Rul. 56-602), only those of others.
    recent : lanes
        All shares not older than 30 days.
    has_gap : lanes
        A free slot lies before one in use.
    """
    gains = long_gains = losses = long_losses = splat(zero)
    loss_shares = loss_share_days = whole = of_cut = loss_of_cut = gains
    has_gap = is_free = gains > zero
    for k in range(sold.shape[1]):
        cut, day = load(sold, (n, k)), load(books.day, (block, n, k))
        store(sold, (n, k), splat(zero))
        gain, age, is_long = cut * (net - load(books.basis, (block, n, k))), today - day, day <= long_day
        loss_cut = where(gain < zero, cut, zero)
        up, down = higher(gain, zero), higher(zero - gain, zero)
        gains, long_gains = gains + up, long_gains + where(is_long, up, zero)
        losses, long_losses = losses + down, long_losses + where(is_long, down, zero)
        loss_shares = loss_shares + loss_cut
        loss_share_days = loss_share_days + loss_cut * as_float(age, cut)
        kept = load(books.shares, (block, n, k)) - cut
        store(books.shares, (block, n, k), kept)
        has_gap = has_gap | (is_free & (kept > zero))
        is_free = kept <= zero
        is_recent, is_cut = age <= WASH_DAYS, cut > zero
        # a lot that was sold whole is no lot any more
        loss_of_cut = loss_of_cut + where(is_recent & (kept > zero), loss_cut, zero)
        of_cut = of_cut + where(is_recent & is_cut, kept, zero)
        whole = whole + where(is_recent & invert(is_cut), kept, zero)
    usable = whole + lower(of_cut, higher(loss_shares - loss_of_cut, zero))
    short_losses = losses - long_losses
    recent = whole + of_cut
    return (
        gains,
        long_gains,
        short_losses,
        long_losses,
        loss_shares,
        loss_share_days,
        usable,
        recent,
        has_gap,
    )
