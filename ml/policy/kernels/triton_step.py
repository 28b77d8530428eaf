"""One week of B portfolios as one Triton kernel: what ``step.py`` does, without a branch on data.

A program holds a few portfolios; an element of its tiles is one asset of one portfolio, whose K lots and R fills
lie in registers. Lots stand in no order: who is sold first follows from comparing each pair of lots.
Every number equals the CPU kernel's to rounding; only the slots in which lots stand differ.
"""

# Triton reads these functions as another language: compile-time loops and branches are no Python to a type checker.
# pyright: reportPossiblyUnboundVariable=false, reportGeneralTypeIssues=false, reportOperatorIssue=false
# pyright: reportCallIssue=false

from typing import Any

import torch
import triton
import triton.language as tl

from ml.policy.env_config import WASH_DAYS, EnvConfig, PortfolioParams
from ml.policy.kernels import layout as c
from ml.policy.kernels.triton_parts import (
    add_forced,
    add_lot,
    choose_hifo,
    net_year,
    positive,
    tax_if_realised,
    value_assets,
)

_ELEMENTS = 128  # assets times portfolios of a program, at least: four warps of one element a thread
_MAX_WARPS = 32
REGISTERS: int | None = None  # most registers of a thread; None: as many as the compiler likes


@triton.jit
def _step_kernel(
    target_ptr,
    decision_ptr,
    fill_ptr,
    dividend_ptr,
    flags_ptr,
    fill_day_ptr,
    long_day_ptr,
    open_fills_ptr,
    year_end_ptr,
    cash_return_ptr,
    equal_ptr,
    sigma_ptr,
    group_ptr,
    holder_flags_ptr,
    rates_ptr,
    flow_ptr,
    shares_ptr,
    basis_ptr,
    day_ptr,
    ring_ptr,
    account_ptr,
    observed_ptr,
    info_ptr,
    reward_ptr,
    t,
    B,
    N,
    ROWS,
    WEEKS,
    TRADES: tl.constexpr,
    K: tl.constexpr,
    R: tl.constexpr,
    P: tl.constexpr,
    NB: tl.constexpr,
    DUST: tl.constexpr,
    FLOOR: tl.constexpr,
    DISCOUNT: tl.constexpr,
    DRAWDOWN: tl.constexpr,
    SHORTFALL: tl.constexpr,
    SIGMAS: tl.constexpr,
    TRACKING: tl.constexpr,
    DEEP: tl.constexpr,
    WASH: tl.constexpr,
):
    """Trade at fill t and value at decision t + 1; without ``TRADES`` only value at decision t."""
    b = tl.program_id(0) * P + tl.arange(0, P)
    n = tl.arange(0, NB)
    alive = b < B
    mask = alive[:, None] & (n < N)[None, :]
    wide = b.to(tl.int64)
    group = tl.load(group_ptr + b, mask=alive, other=0).to(tl.int64)
    bits = tl.load(holder_flags_ptr + b, mask=alive, other=0)
    taxable = (bits & 1) != 0
    short_rate = tl.load(rates_ptr + wide, mask=alive, other=0.0)
    long_rate = tl.load(rates_ptr + B + wide, mask=alive, other=0.0)
    limit = tl.load(rates_ptr + 2 * B + wide, mask=alive, other=0.0)
    cost = tl.load(rates_ptr + 3 * B + wide, mask=alive, other=0.0)
    least = tl.load(rates_ptr + 4 * B + wide, mask=alive, other=0.0)[:, None]
    cash = tl.load(account_ptr + wide, mask=alive, other=0.0)
    short_net = tl.load(account_ptr + B + wide, mask=alive, other=0.0)
    long_net = tl.load(account_ptr + 2 * B + wide, mask=alive, other=0.0)
    short_carry = tl.load(account_ptr + 3 * B + wide, mask=alive, other=0.0)
    long_carry = tl.load(account_ptr + 4 * B + wide, mask=alive, other=0.0)
    dividends = tl.load(account_ptr + 5 * B + wide, mask=alive, other=0.0)
    tax_due = tl.load(account_ptr + 6 * B + wide, mask=alive, other=0.0)

    at_lots = (wide * K * N)[:, None] + n[None, :]
    shares = ()
    basis = ()
    day = ()
    for k in tl.static_range(K):
        shares = shares + (tl.load(shares_ptr + at_lots + k * N, mask=mask, other=0.0),)
        basis = basis + (tl.load(basis_ptr + at_lots + k * N, mask=mask, other=0.0),)
        day = day + (tl.load(day_ptr + at_lots + k * N, mask=mask, other=0),)
    row = group * ROWS + t
    at_ring = (wide * R * 5 * N)[:, None] + n[None, :]
    fills = tl.load(open_fills_ptr + row, mask=alive, other=0)[:, None]
    locked = mask & (n < 0)[None, :]
    if TRADES:
        at_market = (row * N)[:, None] + n[None, :]
        decision = tl.load(decision_ptr + at_market, mask=mask, other=1.0)
        price = tl.load(fill_ptr + at_market, mask=mask, other=1.0)
        flags = tl.load(flags_ptr + at_market, mask=mask, other=0)
        paid = tl.load(dividend_ptr + at_market, mask=mask, other=0.0)
        today = tl.load(fill_day_ptr + row, mask=alive, other=0)[:, None]
        long_day = tl.load(long_day_ptr + row, mask=alive, other=0)[:, None]
        pretax_before = tl.load(account_ptr + 7 * B + wide, mask=alive, other=0.0)
        wealth_before = tl.load(account_ptr + 8 * B + wide, mask=alive, other=0.0)
        flow = tl.load(flow_ptr + wide * WEEKS + t, mask=alive, other=0.0)
        target = tl.load(target_ptr + (wide * (N + 1))[:, None] + n[None, :], mask=mask, other=0.0)

        # sales
        held = price * 0.0
        for k in tl.static_range(K):
            held += shares[k]
        is_delisted = (flags & 2) != 0
        can_sell = (flags & 1) != 0
        wanted = target * pretax_before[:, None] / decision - held
        wanted = tl.where(can_sell & (tl.abs(wanted) * price >= DUST), wanted, 0.0)
        net = tl.where(is_delisted, price, price * (1.0 - cost)[:, None])
        leaves = ((bits & 2) != 0)[:, None] & (is_delisted == 0)
        quantity = tl.where(is_delisted, 2.0 * held, positive(-wanted))
        chosen = choose_hifo(shares, basis, day, quantity, price, net, long_day, leaves, K, DUST)
        inflow = positive(flow)
        outflow = positive(-flow)
        income = tl.sum(held * paid, axis=1)
        sold_shares = price * 0.0
        for k in tl.static_range(K):
            sold_shares += chosen[k]
        available = cash + inflow + income + tl.sum(sold_shares * net, axis=1)
        need = outflow + tax_due - available
        more = add_forced(shares, basis, day, chosen, need, price, net, long_day, can_sell, K, DUST)
        forced = price * 0.0
        for k in tl.static_range(K):
            forced += more[k]
        available += tl.sum(forced * net, axis=1)
        involuntary = tl.sum(tl.where(is_delisted, sold_shares, forced) * price, axis=1)
        sold_value = (sold_shares + forced) * price
        sale_cost = tl.sum(tl.where(is_delisted, 0.0, sold_value), axis=1) * cost
        sold_value = tl.sum(sold_value, axis=1)
        tax_paid = tl.minimum(tax_due, available)
        withdrawn = tl.minimum(outflow, available - tax_paid)
        available = positive(available - tax_paid - withdrawn)
        tax_due -= tax_paid
        dividends += tl.where(taxable, income, 0.0)

        # what the sales realise, and what of it recent purchases wash
        gains = price * 0.0
        long_gain = price * 0.0
        losses = price * 0.0
        long_left = price * 0.0
        left = price * 0.0
        days_left = price * 0.0
        whole = price * 0.0
        of_cut = price * 0.0
        loss_of_cut = price * 0.0
        rest = ()
        for k in tl.static_range(K):
            cut = chosen[k] + more[k]
            gain = cut * (net - basis[k])
            is_long = day[k] <= long_day
            up = positive(gain)
            down = positive(-gain)
            gains += up
            losses += down
            long_gain += tl.where(is_long, up, 0.0)
            long_left += tl.where(is_long, down, 0.0)
            loss_cut = tl.where(gain < 0, cut, 0.0)
            left += loss_cut
            days_left += loss_cut * (today - day[k])
            kept = shares[k] - cut
            is_recent = today - day[k] <= WASH
            whole += tl.where(is_recent & (cut == 0), kept, 0.0)
            of_cut += tl.where(is_recent & (cut > 0), kept, 0.0)
            # a lot that was sold whole is no lot any more
            loss_of_cut += tl.where(is_recent & (kept > 0), loss_cut, 0.0)
            rest = rest + (kept,)
        short_left = losses - long_left
        short_loss = tl.sum(short_left, axis=1)
        long_loss = tl.sum(long_left, axis=1)
        recent = whole + of_cut
        usable = whole + tl.minimum(of_cut, positive(left - loss_of_cut))
        to_use = tl.where(taxable[:, None], tl.minimum(left, usable), 0.0)
        used = price * 0.0
        for i in tl.static_range(R):
            at = at_ring + (((t + i) % R) * 5 + 4) * N
            is_open = R - i <= fills
            bought_then = tl.load(ring_ptr + at, mask=mask & is_open, other=0.0)
            take = tl.minimum(to_use - used, bought_then)
            tl.store(ring_ptr + at, bought_then - take, mask=mask & (take > 0))
            used += take
        part = tl.minimum(used / tl.where(left > 0, left, 1.0), 1.0)
        short_washed = tl.sum(part * short_left, axis=1)
        long_washed = tl.sum(part * long_left, axis=1)
        added = part * losses / tl.where(recent > 0, recent, 1.0)
        adjusted = ()
        for k in tl.static_range(K):
            is_recent = (today - day[k] <= WASH) & (rest[k] > 0)
            adjusted = adjusted + (basis[k] + tl.where(is_recent, added, 0.0),)
        left *= 1.0 - part
        days_left *= 1.0 - part
        short_left *= 1.0 - part
        long_left *= 1.0 - part

        # purchases, and what they wash
        spend = positive(wanted) * price
        outlay = tl.sum(spend, axis=1)
        scale = tl.minimum(available / tl.maximum(outlay * (1.0 + cost), DUST), 1.0)
        spend = spend * scale[:, None]
        spend = tl.where(spend >= DUST, spend, 0.0)
        bought = tl.sum(spend, axis=1)
        quantity = spend / price
        unused = quantity
        short_later = price * 0.0
        long_later = price * 0.0
        share_days = price * 0.0
        for i in tl.static_range(R):
            at = at_ring + ((t + i) % R) * 5 * N
            here = mask & (R - i <= fills)
            lost = tl.load(ring_ptr + at, mask=here, other=0.0)
            here = here & (lost > 0)
            lost_short = tl.load(ring_ptr + at + N, mask=here, other=0.0)
            lost_long = tl.load(ring_ptr + at + 2 * N, mask=here, other=0.0)
            lost_days = tl.load(ring_ptr + at + 3 * N, mask=here, other=0.0)
            take = tl.minimum(unused, lost)
            portion = take / tl.where(lost > 0, lost, 1.0)
            unused -= take
            short_later += portion * lost_short
            long_later += portion * lost_long
            share_days += portion * lost_days
            left_here = mask & (take > 0)
            tl.store(ring_ptr + at, lost * (1.0 - portion), mask=left_here)
            tl.store(ring_ptr + at + N, lost_short * (1.0 - portion), mask=left_here)
            tl.store(ring_ptr + at + 2 * N, lost_long * (1.0 - portion), mask=left_here)
            tl.store(ring_ptr + at + 3 * N, lost_days * (1.0 - portion), mask=left_here)
            if i > 0:  # fill t + 1 sees slots t + 1 - R to t
                next_fills = tl.load(open_fills_ptr + row + 1, mask=alive, other=0)[:, None]
                locked = locked | ((R + 1 - i <= next_fills) & (lost * (1.0 - portion) > 0))
        safe = tl.where(quantity > 0, quantity, 1.0)
        new_basis = price * (1.0 + cost)[:, None] + (short_later + long_later) / safe
        new_day = today - tl.floor(share_days / safe + 0.5).to(tl.int32)
        shares, basis, day = add_lot(rest, adjusted, day, quantity, new_basis, new_day, long_day, K)
        for k in tl.static_range(K):
            tl.store(shares_ptr + at_lots + k * N, shares[k], mask=mask)
            tl.store(basis_ptr + at_lots + k * N, basis[k], mask=mask)
            tl.store(day_ptr + at_lots + k * N, day[k], mask=mask)
        is_taxed = taxable[:, None]
        left = tl.where(is_taxed, left, 0.0)
        at = at_ring + (t % R) * 5 * N
        tl.store(ring_ptr + at, left, mask=mask)
        tl.store(ring_ptr + at + N, tl.where(is_taxed, short_left, 0.0), mask=mask)
        tl.store(ring_ptr + at + 2 * N, tl.where(is_taxed, long_left, 0.0), mask=mask)
        tl.store(ring_ptr + at + 3 * N, tl.where(is_taxed, days_left, 0.0), mask=mask)
        tl.store(ring_ptr + at + 4 * N, tl.where(is_taxed, unused, 0.0), mask=mask)
        next_fills = tl.load(open_fills_ptr + row + 1, mask=alive, other=0)[:, None]
        locked = locked | ((next_fills >= 1) & (left > 0))

        # the tax year
        long_up = tl.sum(long_gain, axis=1)
        short_up = tl.sum(gains, axis=1) - long_up
        later_short = tl.sum(short_later, axis=1)
        later_long = tl.sum(long_later, axis=1)
        one = tl.where(taxable, 1.0, 0.0)
        short_net += one * short_up
        long_net += one * long_up
        short_now = short_net - short_carry
        long_now = long_net - long_carry
        short_allowed = one * (short_washed - short_loss)
        long_allowed = one * (long_washed - long_loss)
        credited = tax_if_realised(short_now, long_now, dividends, short_rate, long_rate, limit, DISCOUNT)
        credited -= tax_if_realised(
            short_now + short_allowed,
            long_now + long_allowed,
            dividends,
            short_rate,
            long_rate,
            limit,
            DISCOUNT,
        )
        short_net += short_allowed + one * later_short
        long_net += long_allowed + one * later_long
        cash = positive(available - bought * (1.0 + cost))
        closes = tl.load(year_end_ptr + row, mask=alive, other=0) != 0
        tax, out_short, out_long = net_year(
            short_net - short_carry, long_net - long_carry, short_rate, long_rate, limit
        )
        tax_due += tl.where(closes, tax + long_rate * dividends, 0.0)
        short_carry = tl.where(closes, out_short, short_carry)
        long_carry = tl.where(closes, out_long, long_carry)
        short_net = tl.where(closes, 0.0, short_net)
        long_net = tl.where(closes, 0.0, long_net)
        dividends = tl.where(closes, 0.0, dividends)
        cash *= 1.0 + tl.load(cash_return_ptr + row, mask=alive, other=0.0)
        row += 1
    else:
        for i in tl.static_range(R):
            at = at_ring + ((t + i) % R) * 5 * N
            lost = tl.load(ring_ptr + at, mask=mask & (R - i <= fills), other=0.0)
            locked = locked | (lost > 0)

    price = tl.load(decision_ptr + (row * N)[:, None] + n[None, :], mask=mask, other=1.0)
    long_day = tl.load(long_day_ptr + row, mask=alive, other=0)[:, None]
    at_seen = (wide * 9 * N)[:, None] + n[None, :]
    pretax, short_open, long_open = value_assets(
        shares,
        basis,
        day,
        price,
        long_day,
        least,
        taxable[:, None],
        locked,
        cash,
        observed_ptr,
        at_seen,
        N,
        mask,
        K,
        FLOOR,
        DEEP,
    )
    tax_open = tax_if_realised(
        short_net - short_carry + short_open,
        long_net - long_carry + long_open,
        dividends,
        short_rate,
        long_rate,
        limit,
        DISCOUNT,
    )
    wealth = pretax - tax_due - tl.where(taxable, tax_open, 0.0)
    tl.store(account_ptr + 7 * B + wide, pretax, mask=alive)
    tl.store(account_ptr + 8 * B + wide, wealth, mask=alive)
    if TRADES:
        tl.store(account_ptr + wide, cash, mask=alive)
        tl.store(account_ptr + B + wide, short_net, mask=alive)
        tl.store(account_ptr + 2 * B + wide, long_net, mask=alive)
        tl.store(account_ptr + 3 * B + wide, short_carry, mask=alive)
        tl.store(account_ptr + 4 * B + wide, long_carry, mask=alive)
        tl.store(account_ptr + 5 * B + wide, dividends, mask=alive)
        tl.store(account_ptr + 6 * B + wide, tax_due, mask=alive)
        flowed = inflow - withdrawn
        disallowed = one * (short_washed + long_washed + later_short + later_long)
        info = (
            (sold_value + bought) / 2 / tl.maximum(pretax_before, FLOOR),
            one * (short_up - short_loss),
            one * (long_up - long_loss),
            one * (short_loss + long_loss),
            disallowed,
            credited,
            tax_paid,
            involuntary,
            sale_cost + bought * cost,
            flowed,
            income,
            wealth,
            pretax,
        )
        for i in tl.static_range(13):
            tl.store(info_ptr + i * B + wide, info[i], mask=alive)
        # rewards
        row -= 1
        equal = tl.load(equal_ptr + row, mask=alive, other=0.0)
        sigma = tl.load(sigma_ptr + row, mask=alive, other=0.0)
        index = tl.load(account_ptr + 9 * B + wide, mask=alive, other=0.0)
        peak = tl.load(account_ptr + 10 * B + wide, mask=alive, other=0.0)
        after_tax = tl.log(tl.maximum(wealth, FLOOR) / tl.maximum(wealth_before + flowed, FLOOR))
        before = tl.maximum(pretax_before + flowed - tax_paid, FLOOR)
        relative = tl.log(tl.maximum(pretax, FLOOR) / before) - equal
        drawdown = 1.0 - tl.exp(index - peak)
        index += after_tax
        peak = tl.maximum(peak, index)
        rise = positive(1.0 - tl.exp(index - peak) - drawdown)
        shortfall = positive(-after_tax - SIGMAS * sigma)
        harvest = (credited - disallowed) / tl.maximum(wealth_before, FLOOR)
        tl.store(account_ptr + 9 * B + wide, index, mask=alive)
        tl.store(account_ptr + 10 * B + wide, peak, mask=alive)
        rewards = (
            relative,
            after_tax - equal,
            after_tax - equal,
            after_tax - DRAWDOWN * rise - SHORTFALL * shortfall,
            harvest - TRACKING * relative * relative,
            after_tax,
        )
        for i in tl.static_range(6):
            tl.store(reward_ptr + i * B + wide, rewards[i], mask=alive)


class TritonKernel:
    """The kernel with its state on one device; see :class:`ml.policy.kernels.backend.Kernel`."""

    def __init__(self, market: c.Market, holders: c.Holders, config: EnvConfig) -> None:
        self._market, self._config = market, config
        self._fills = max(1, int(market.open_fills.max()))
        self.registers: int | None = REGISTERS
        columns = holders.rates.T.contiguous()
        self._holders = c.Holders(holders.group, holders.flags, columns, holders.flow)

    def start(self, portfolios: PortfolioParams) -> c.Books:
        """The state at the start of an episode; lots and fills lie asset by asset, accounts column by column."""
        from ml.policy.kernels.backend import padded_lots

        lots = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in padded_lots(portfolios, self._config)]
        count, assets = lots[0].shape[:2]
        account = lots[0].new_zeros(c.ACCOUNT_COLUMNS, count)
        account[c.CASH] = portfolios.cash.to(account.dtype)
        ring = lots[0].new_zeros(count, self._fills, c.RING_COLUMNS, assets).permute(0, 3, 1, 2)
        nothing = lots[0].new_zeros(0)
        return c.Books(lots[0], lots[1], lots[2], ring, account.T, nothing, nothing)

    def value(self, books: c.Books, t: int) -> torch.Tensor:
        """Value the portfolios at decision t; what is seen of the assets, (B, 9, N)."""
        outputs = self._outputs(books)
        self._launch(books, outputs, outputs.observed, t, False)
        return outputs.observed

    def step(self, books: c.Books, target: torch.Tensor, t: int) -> c.Outputs:
        """Trade at fill t and value at decision t + 1."""
        outputs = self._outputs(books)
        self._launch(books, outputs, target.detach().to(books.shares.dtype).contiguous(), t, True)
        return outputs

    def _outputs(self, books: c.Books) -> c.Outputs:
        count, assets = books.shares.shape[:2]
        new = books.shares.new_empty
        return c.Outputs(
            new(count, c.OBSERVED_COLUMNS, assets), new(len(c.INFO), count).T, new(len(c.REWARDS), count).T
        )

    def _launch(self, books: c.Books, outputs: c.Outputs, target: Any, t: int, trades: bool) -> None:
        market, holders, config = self._market, self._holders, self._config
        count, assets, lots = books.shares.shape
        wide = max(triton.next_power_of_2(assets), 16)
        together = max(1, _ELEMENTS // wide)
        warps = min(_MAX_WARPS, max(4, together * wide // 32))
        _step_kernel[(triton.cdiv(count, together),)](
            target,
            market.decision_price,
            market.fill_price,
            market.dividend,
            market.flags,
            market.fill_day,
            market.long_day,
            market.open_fills,
            market.is_year_end,
            market.cash_return,
            market.equal,
            market.sigma,
            holders.group,
            holders.flags,
            holders.rates,
            holders.flow,
            books.shares,
            books.basis,
            books.day,
            books.ring,
            books.account,
            outputs.observed,
            outputs.info,
            outputs.reward,
            t,
            count,
            assets,
            market.fill_day.shape[1],
            holders.flow.shape[1],
            TRADES=trades,
            K=lots,
            R=self._fills,
            P=together,
            NB=wide,
            DUST=config.dust,
            FLOOR=config.wealth_floor,
            DISCOUNT=config.carry_discount,
            DRAWDOWN=config.drawdown_weight,
            SHORTFALL=config.shortfall_weight,
            SIGMAS=config.shortfall_sigmas,
            TRACKING=config.tracking_weight,
            DEEP=config.harvest_loss_ratio,
            WASH=WASH_DAYS,
            num_warps=warps,
            maxnreg=self.registers,
        )
