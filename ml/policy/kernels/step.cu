// One week of B portfolios on a GPU: what step.py does, a thread an asset, a warp (or a block) a portfolio.
//
// Compiled by NVRTC with REAL, K (lots), R (fills of the wash window), THREADS (of a portfolio: assets rounded up
// to warps), TOGETHER (portfolios of a block) and RESIDENT (blocks that a multiprocessor shall hold). The lots of an
// asset lie in its thread's registers, so every loop over them is unrolled and none is indexed by data. Reductions over assets are shuffles; portfolio-level numbers are
// the same in all threads of a portfolio, and thread 0 writes them. Names and formulas are those of the CPU's files.

typedef REAL real;
typedef unsigned char byte;

struct Arguments {
    const real *target, *decision, *fill, *dividend;
    const byte* flags;
    const int *fill_day, *long_day, *open_fills;
    const byte* year_end;
    const real *cash_return, *equal, *sigma;
    const int* group;
    const byte* holder_flags;
    const real *rates, *flow;
    real *shares, *basis;
    int* day;
    real *ring, *account, *observed, *info, *reward;
    real dust, wealth_floor, carry_discount, drawdown_weight, shortfall_weight, shortfall_sigmas, tracking_weight;
    real harvest_loss_ratio;
    int t, portfolios, assets, rows, weeks, trades;
};

enum { CASH, SHORT_NET, LONG_NET, SHORT_CARRY, LONG_CARRY, DIVIDENDS, TAX_DUE, PRETAX, WEALTH, INDEX, PEAK, ACCOUNT };
enum { SHORT_RATE, LONG_RATE, LOSS_LIMIT, COST, HARVEST_LEAST, RATES };
enum { LOSS_SHARES, LOSS_SHORT, LOSS_LONG, LOSS_SHARE_DAYS, BOUGHT, RING };
const int WASH_DAYS = 30, INFOS = 13, REWARDS = 6, SEEN = 9;
const real NOWHERE = (real)1e30;  // beyond any basis
const byte TAXABLE = 1, NO_SHORT_GAINS = 2, TRADEABLE = 1, DELISTED = 2;

struct Lots {
    real shares[K], basis[K];
    int day[K];
};

__device__ __forceinline__ real positive(real x) { return x > 0 ? x : (real)0; }
__device__ __forceinline__ real lower(real x, real y) { return x < y ? x : y; }
__device__ __forceinline__ real higher(real x, real y) { return x > y ? x : y; }

// The sum over a portfolio's threads, in all of them.
__device__ __forceinline__ real total(real x) {
    for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart);
#if THREADS > 32
    __shared__ real parts[THREADS / 32];
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    x = 0;
    for (int i = 0; i < THREADS / 32; i++) x += parts[i];
#endif
    return x;
}

// ---- the tax year (account.py)

struct Year {
    real tax, short_carry, long_carry;
};

__device__ Year net_year(real shorts, real longs, const real* rates) {
    real crossed = lower(positive(shorts), positive(-longs)) - lower(positive(-shorts), positive(longs));
    shorts -= crossed;
    longs += crossed;
    real short_loss = positive(-shorts), long_loss = positive(-longs);
    real from_short = lower(short_loss, rates[LOSS_LIMIT]);
    real from_long = lower(long_loss, rates[LOSS_LIMIT] - from_short);
    real tax = rates[SHORT_RATE] * (positive(shorts) - from_short - from_long) + rates[LONG_RATE] * positive(longs);
    return {tax, short_loss - from_short, long_loss - from_long};
}

__device__ real tax_if_realised(const real* account, real shorts, real longs, const real* rates, real discount) {
    Year year = net_year(account[SHORT_NET] - account[SHORT_CARRY] + shorts,
                         account[LONG_NET] - account[LONG_CARRY] + longs, rates);
    real carried = rates[SHORT_RATE] * year.short_carry + rates[LONG_RATE] * year.long_carry;
    return year.tax + rates[LONG_RATE] * account[DIVIDENDS] - discount * carried;
}

// ---- lots (lots.py)

__device__ __forceinline__ bool swap_if_after(Lots& x, int k) {
    bool behind = x.basis[k] > x.basis[k + 1] || (x.basis[k] == x.basis[k + 1] && x.day[k] < x.day[k + 1]);
    if (!(x.shares[k + 1] > 0 && (x.shares[k] <= 0 || behind))) return false;
    real shares = x.shares[k], basis = x.basis[k];
    int day = x.day[k];
    x.shares[k] = x.shares[k + 1], x.basis[k] = x.basis[k + 1], x.day[k] = x.day[k + 1];
    x.shares[k + 1] = shares, x.basis[k + 1] = basis, x.day[k + 1] = day;
    return true;
}

__device__ __forceinline__ void sort_lots(Lots& x) {
    bool moved = true;
    while (moved) {
        moved = false;
#pragma unroll
        for (int k = K - 2; k >= 0; k--) moved |= swap_if_after(x, k);
        if (!moved) break;
        moved = false;
#pragma unroll
        for (int k = 0; k < K - 1; k++) moved |= swap_if_after(x, k);
    }
}

__device__ __forceinline__ real choose_hifo(
    const Lots& x, real* sold, real quantity, real price, real net, int long_day, bool leaves, real dust) {
    real chosen = 0;
#pragma unroll
    for (int k = K - 1; k >= 0; k--) {
        bool kept = leaves && x.day[k] > long_day && x.basis[k] < net;
        real take = kept ? (real)0 : lower(quantity, x.shares[k]);
        quantity -= take;
        if (take > 0 && (x.shares[k] - take) * price < dust) take = x.shares[k];
        sold[k] = take;
        chosen += take;
    }
    return chosen;
}

__device__ __forceinline__ void add_lot(Lots& x, real shares, real basis, int day, int long_day) {
    int count = 0;
#pragma unroll
    for (int k = 0; k < K; k++) count += x.shares[k] > 0;
    if (count < K) {  // each lot behind the new one moves up a slot
#pragma unroll
        for (int k = 0; k < K; k++) {
            bool behind = x.basis[k] > basis || (x.basis[k] == basis && x.day[k] < day);
            if (x.shares[k] <= 0 || (shares > 0 && behind)) {
                real old_shares = x.shares[k], old_basis = x.basis[k];
                int old_day = x.day[k];
                x.shares[k] = shares, x.basis[k] = basis, x.day[k] = day;
                shares = old_shares, basis = old_basis, day = old_day;
            }
        }
        return;
    }
    // fold the two lots of one term closest in basis; the new one, in place K, is among them
    real least = NOWHERE, short_before = -NOWHERE, long_before = -NOWHERE;
    int first = 0, second = K, last_short = 0, last_long = 0;
#pragma unroll
    for (int k = 0; k < K; k++) {
        real here = x.basis[k];
        bool is_long = x.day[k] <= long_day;
        real gap = here - (is_long ? long_before : short_before);
        if (gap < least) least = gap, first = is_long ? last_long : last_short, second = k;
        gap = here > basis ? here - basis : basis - here;
        if (is_long == (day <= long_day) && gap < least) least = gap, first = k, second = K;
        if (is_long) last_long = k, long_before = here;
        if (!is_long) last_short = k, short_before = here;
    }
    real one = shares, one_basis = basis, other = shares, other_basis = basis;
    int one_day = day, other_day = day;
#pragma unroll
    for (int k = 0; k < K; k++) {
        if (k == first) one = x.shares[k], one_basis = x.basis[k], one_day = x.day[k];
        if (k == second) other = x.shares[k], other_basis = x.basis[k], other_day = x.day[k];
    }
    const real both = one + other, part = other / both;
#pragma unroll
    for (int k = 0; k < K; k++) {
        if (k == first) {
            x.shares[k] = both, x.basis[k] = one_basis + (other_basis - one_basis) * part;
            x.day[k] = one_day + (int)floor((other_day - one_day) * part);
        } else if (k == second)
            x.shares[k] = shares, x.basis[k] = basis, x.day[k] = day;
    }
    sort_lots(x);
}

// ---- forced sales (sales.py); called by all threads of a portfolio

__device__ __forceinline__ real choose_forced(
    const Lots& x, real* sold, real need, real price, real net, int long_day, bool can_sell, real dust, real& forced) {
    real raised = 0;
    for (int rank = 0; rank < 3; rank++) {
        real worth = 0;
#pragma unroll
        for (int k = 0; k < K; k++) {
            int its = x.basis[k] >= net ? 0 : x.day[k] <= long_day ? 1 : 2;
            if (can_sell && its == rank) worth += (x.shares[k] - sold[k]) * net;
        }
        worth = total(worth);
        if (worth <= 0 || need <= 0) continue;
        real part = lower(need / worth, 1);
        need = positive(need - worth);  // not need - part * worth, of which rounding would leave a crumb
#pragma unroll
        for (int k = 0; k < K; k++) {
            int its = x.basis[k] >= net ? 0 : x.day[k] <= long_day ? 1 : 2;
            real left = x.shares[k] - sold[k], take = can_sell && its == rank ? left * part : (real)0;
            if (take > 0 && (left - take) * price < dust) take = left;
            sold[k] += take;
            forced += take * price;
            raised += take * net;
        }
    }
    return raised;
}

// The fills of the wash window of one asset, oldest first: loss shares that may still be washed and unmatched
// purchases; zeros where a fill is older than 30 days. Read at once, lest each use wait for memory.
struct Window {
    real lost[R], bought[R];
};

// What the fill of one asset gives (settle.py).
struct Fill {
    real bought, gains, long_gains, short_losses, long_losses, short_washed, long_washed, short_later, long_later;
};

__device__ __forceinline__ Fill settle(Lots& x, const real* sold, real spend, real price, real cost, real net,
                                       real* ring, Window& w, int stride, int t, int today, int long_day, bool taxable,
                                       real dust) {
    Fill f = {0, 0, 0, 0, 0, 0, 0, 0, 0};
    real left = 0, days_left = 0, whole = 0, of_cut = 0, loss_of_cut = 0, unused = 0, cuts = 0;
    bool has_gap = false, is_free = false;
#pragma unroll
    for (int k = 0; k < K; k++) {
        real cut = sold[k], gain = cut * (net - x.basis[k]), loss_cut = gain < 0 ? cut : (real)0;
        bool is_long = x.day[k] <= long_day, is_recent = today - x.day[k] <= WASH_DAYS;
        cuts += cut;
        f.gains += positive(gain);
        f.long_gains += is_long ? positive(gain) : (real)0;
        f.short_losses += is_long ? (real)0 : positive(-gain);
        f.long_losses += is_long ? positive(-gain) : (real)0;
        left += loss_cut;
        days_left += loss_cut * (today - x.day[k]);
        real kept = x.shares[k] - cut;
        x.shares[k] = kept;
        has_gap |= is_free && kept > 0;
        is_free = kept <= 0;
        // a lot that was sold whole is no lot any more
        if (is_recent && kept > 0) loss_of_cut += loss_cut;
        if (is_recent && cut > 0) of_cut += kept;
        if (is_recent && !(cut > 0)) whole += kept;
    }
    real short_left = f.short_losses, long_left = f.long_losses;
    real usable = whole + lower(of_cut, positive(left - loss_of_cut)), recent = whole + of_cut;
    real wanted = taxable ? lower(left, usable) : (real)0, used = 0;
    if (wanted > 0) {
#pragma unroll
        for (int i = 0; i < R; i++) {
            real take = lower(wanted - used, w.bought[i]);
            used += take;
            if (take > 0) ring[((t + i) % R * RING + BOUGHT) * stride] = w.bought[i] - take;
        }
    }
    if (used > 0) {
        real part = lower(used / left, 1), added = part * (short_left + long_left) / recent;
        f.short_washed = part * short_left, f.long_washed = part * long_left;
        left *= 1 - part, days_left *= 1 - part, short_left *= 1 - part, long_left *= 1 - part;
#pragma unroll
        for (int k = 0; k < K; k++)
            if (today - x.day[k] <= WASH_DAYS) x.basis[k] += added;
    }
    if (has_gap || used > 0) sort_lots(x);
    if (spend >= dust) {
        real quantity = spend / price, share_days = 0;
        unused = quantity;
#pragma unroll
        for (int i = 0; i < R; i++) {
            real take = lower(unused, w.lost[i]), part = take / w.lost[i];
            if (take <= 0) continue;
            real* at = ring + (t + i) % R * RING * stride;
            unused -= take;
            w.lost[i] *= 1 - part;
            f.short_later += part * at[LOSS_SHORT * stride];
            f.long_later += part * at[LOSS_LONG * stride];
            share_days += part * at[LOSS_SHARE_DAYS * stride];
            for (int column = 0; column < BOUGHT; column++) at[column * stride] *= 1 - part;
        }
        real basis = price * (1 + cost) + (f.short_later + f.long_later) / quantity;
        add_lot(x, quantity, basis, today - (int)floor(share_days / quantity + (real)0.5), long_day);
        f.bought = spend;
    }
    real* at = ring + t % R * RING * stride;
    at[LOSS_SHARES * stride] = w.lost[0] = taxable ? left : (real)0;
    at[LOSS_SHORT * stride] = taxable ? short_left : (real)0;
    at[LOSS_LONG * stride] = taxable ? long_left : (real)0;
    at[LOSS_SHARE_DAYS * stride] = taxable ? days_left : (real)0;
    at[BOUGHT * stride] = taxable ? unused : (real)0;
    return f;
}

// ---- valuation (valuation.py); called by all threads of a portfolio

__device__ __forceinline__ void value_assets(const Arguments& a, const Lots& x, bool locked, int t, int g, int b, int n,
                                             bool alive, bool taxable, const real* rates, real* account) {
    const long row = (long)g * a.rows + t, stride = a.assets;
    const int long_day = a.long_day[row];
    const real price = alive ? a.decision[row * stride + n] : (real)1;
    real held = 0, gains = 0, losses = 0, long_gain = 0, long_loss = 0, harvestable = 0, bound = 0;
    int wait = 1 << 30;
#pragma unroll
    for (int k = 0; k < K; k++) {
        real worth = x.shares[k] * price, paid = x.shares[k] * x.basis[k];
        real gain = positive(worth - paid), loss = positive(paid - worth);
        int later = x.day[k] - long_day;
        held += x.shares[k];
        gains += gain;
        losses += loss;
        if (later <= 0) long_gain += gain, long_loss += loss;
        if (loss >= a.harvest_loss_ratio * paid && loss >= rates[HARVEST_LEAST]) harvestable += worth;
        if (later > 0 && gain > 0) {
            bound += worth;
            wait = later < wait ? later : wait;
        }
    }
    real value = held * price, pretax = total(value) + account[CASH];
    real short_open = total((gains - long_gain) - (losses - long_loss)), long_open = total(long_gain - long_loss);
    real scale = 1 / higher(pretax, a.wealth_floor);
    account[PRETAX] = pretax;
    account[WEALTH] = pretax - account[TAX_DUE];
    if (taxable) account[WEALTH] -= tax_if_realised(account, short_open, long_open, rates, a.carry_discount);
    if (!alive) return;
    real* seen = a.observed + (long)b * SEEN * stride + n;
    seen[0] = value * scale;
    seen[stride] = positive(gains - long_gain) * scale;
    seen[2 * stride] = positive(losses - long_loss) * scale;
    seen[3 * stride] = long_gain * scale;
    seen[4 * stride] = long_loss * scale;
    seen[5 * stride] = wait < 1 << 30 ? wait : 0;
    seen[6 * stride] = harvestable * scale;
    seen[7 * stride] = (taxable ? value - bound : value) * scale;
    seen[8 * stride] = locked;
}

__device__ __forceinline__ void write_rewards(const Arguments& a, real* account, const real* info, real pretax_before,
                                              real wealth_before, real equal, real sigma, real* reward) {
    const real least = a.wealth_floor, flow = info[9];
    real after_tax = log(higher(account[WEALTH], least) / higher(wealth_before + flow, least));
    real before = higher(pretax_before + flow - info[6], least);
    real relative = log(higher(account[PRETAX], least) / before) - equal;
    real drawdown = 1 - exp(account[INDEX] - account[PEAK]);
    account[INDEX] += after_tax;
    account[PEAK] = higher(account[PEAK], account[INDEX]);
    real rise = positive(1 - exp(account[INDEX] - account[PEAK]) - drawdown);
    real shortfall = positive(-after_tax - a.shortfall_sigmas * sigma);
    reward[0] = relative;
    reward[1] = reward[2] = after_tax - equal;
    reward[3] = after_tax - a.drawdown_weight * rise - a.shortfall_weight * shortfall;
    reward[4] = (info[5] - info[4]) / higher(wealth_before, least) - a.tracking_weight * relative * relative;
    reward[5] = after_tax;
}

extern "C" __global__ void __launch_bounds__(THREADS* TOGETHER, RESIDENT) step(Arguments a) {
    const int b = blockIdx.x * TOGETHER + threadIdx.x / THREADS, n = threadIdx.x % THREADS;
    if (b >= a.portfolios) return;  // whole warps: blocks of several portfolios have one warp each
    const bool alive = n < a.assets;
    const int g = a.group[b], t = a.t, bits = a.holder_flags[b], stride = a.assets;
    const bool taxable = bits & TAXABLE;
    const long at_lots = (long)b * K * stride + n;
    real rates[RATES], account[ACCOUNT];
    for (int i = 0; i < RATES; i++) rates[i] = a.rates[(long)b * RATES + i];
    for (int i = 0; i < ACCOUNT; i++) account[i] = a.account[(long)b * ACCOUNT + i];
    real* ring = a.ring + (long)b * R * RING * stride + n;
    Lots x;
#pragma unroll
    for (int k = 0; k < K; k++) {
        x.shares[k] = alive ? a.shares[at_lots + k * stride] : (real)0;
        x.basis[k] = alive ? a.basis[at_lots + k * stride] : (real)0;
        x.day[k] = alive ? a.day[at_lots + k * stride] : 0;
    }
    const long row = (long)g * a.rows + t;
    const int fills = a.open_fills[row];
    Window w;
#pragma unroll
    for (int i = 0; i < R; i++) {
        const bool is_open = alive && i >= R - fills;
        const real* at = ring + (t + i) % R * RING * stride;
        w.lost[i] = is_open ? at[LOSS_SHARES * stride] : (real)0;
        w.bought[i] = is_open ? at[BOUGHT * stride] : (real)0;
    }
    bool locked = false;
    if (!a.trades) {
#pragma unroll
        for (int i = 0; i < R; i++) locked |= w.lost[i] > 0;
        value_assets(a, x, locked, t, g, b, n, alive, taxable, rates, account);
        if (n == 0) a.account[(long)b * ACCOUNT + PRETAX] = account[PRETAX];
        if (n == 0) a.account[(long)b * ACCOUNT + WEALTH] = account[WEALTH];
        return;
    }
    const int today = a.fill_day[row], long_day = a.long_day[row];
    const real price = alive ? a.fill[row * stride + n] : (real)1, cost = rates[COST];
    const int flags = alive ? a.flags[row * stride + n] : 0;
    const bool is_gone = flags & DELISTED, can_sell = flags & TRADEABLE;
    const real pretax_before = account[PRETAX], wealth_before = account[WEALTH];

    // sales
    real sold[K], held = 0, wanted = 0;
#pragma unroll
    for (int k = 0; k < K; k++) held += x.shares[k], sold[k] = 0;
    if (can_sell && !is_gone)
        wanted = a.target[(long)b * (stride + 1) + n] * pretax_before / a.decision[row * stride + n] - held;
    if (higher(wanted, -wanted) * price < a.dust) wanted = 0;
    const real net = is_gone ? price : price * (1 - cost), quantity = is_gone ? 2 * held : positive(-wanted);
    real chosen = 0, forced = 0;
    if (quantity > 0)
        chosen = choose_hifo(x, sold, quantity, price, net, long_day, (bits & NO_SHORT_GAINS) && !is_gone, a.dust);
    const real income = total(alive ? held * a.dividend[row * stride + n] : (real)0);
    const real flow = a.flow[(long)b * a.weeks + t], inflow = positive(flow), outflow = positive(-flow);
    real available = account[CASH] + inflow + income + total(chosen * net);
    const real need = outflow + account[TAX_DUE] - available;
    if (need > 0)
        available += total(choose_forced(x, sold, need, price, net, long_day, can_sell, a.dust, forced));
    const real sold_value = total(chosen * price + forced);
    const real involuntary = total(is_gone ? chosen * price : forced);
    const real sale_cost = total(is_gone ? (real)0 : chosen * price + forced) * cost;
    const real tax_paid = lower(account[TAX_DUE], available), withdrawn = lower(outflow, available - tax_paid);
    available = positive(available - tax_paid - withdrawn);
    account[TAX_DUE] -= tax_paid;
    if (taxable) account[DIVIDENDS] += income;

    // the fill
    real spend = positive(wanted) * price;
    spend *= lower(available / higher(total(spend) * (1 + cost), a.dust), 1);
    Fill f = {0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (alive)
        f = settle(x, sold, spend, price, cost, net, ring, w, stride, t, today, long_day, taxable, a.dust);
#pragma unroll
    for (int k = 0; k < K; k++)
        if (alive) {
            a.shares[at_lots + k * stride] = x.shares[k];
            a.basis[at_lots + k * stride] = x.basis[k];
            a.day[at_lots + k * stride] = x.day[k];
        }
    const real bought = total(f.bought), short_loss = total(f.short_losses), long_loss = total(f.long_losses);
    real info[INFOS] = {0};
    if (taxable) {
        const real long_gain = total(f.long_gains), short_gain = total(f.gains) - long_gain;
        const real short_washed = total(f.short_washed), long_washed = total(f.long_washed);
        const real short_later = total(f.short_later), long_later = total(f.long_later);
        account[SHORT_NET] += short_gain;
        account[LONG_NET] += long_gain;
        const real short_allowed = short_washed - short_loss, long_allowed = long_washed - long_loss;
        info[5] = tax_if_realised(account, 0, 0, rates, a.carry_discount) -
                  tax_if_realised(account, short_allowed, long_allowed, rates, a.carry_discount);
        account[SHORT_NET] += short_allowed + short_later;
        account[LONG_NET] += long_allowed + long_later;
        info[1] = short_gain - short_loss, info[2] = long_gain - long_loss, info[3] = short_loss + long_loss;
        info[4] = short_washed + long_washed + short_later + long_later;
    }
    account[CASH] = positive(available - bought * (1 + cost));
    if (a.year_end[row]) {
        Year year = net_year(account[SHORT_NET] - account[SHORT_CARRY], account[LONG_NET] - account[LONG_CARRY], rates);
        account[TAX_DUE] += year.tax + rates[LONG_RATE] * account[DIVIDENDS];
        account[SHORT_CARRY] = year.short_carry, account[LONG_CARRY] = year.long_carry;
        account[SHORT_NET] = account[LONG_NET] = account[DIVIDENDS] = 0;
    }
    account[CASH] *= 1 + a.cash_return[row];
    const int open_next = a.open_fills[row + 1];  // of slots t + 1 - R to t; the one of fill t stands first in w
#pragma unroll
    for (int i = 1; i < R; i++) locked |= i > R - open_next && w.lost[i] > 0;
    locked |= open_next > 0 && w.lost[0] > 0;
    value_assets(a, x, locked, t + 1, g, b, n, alive, taxable, rates, account);
    if (n != 0) return;
    info[0] = (sold_value + bought) / 2 / higher(pretax_before, a.wealth_floor);
    info[6] = tax_paid, info[7] = involuntary, info[8] = sale_cost + bought * cost, info[9] = inflow - withdrawn;
    info[10] = income, info[11] = account[WEALTH], info[12] = account[PRETAX];
    write_rewards(a, account, info, pretax_before, wealth_before, a.equal[row], a.sigma[row],
                  a.reward + (long)b * REWARDS);
    for (int i = 0; i < ACCOUNT; i++) a.account[(long)b * ACCOUNT + i] = account[i];
    for (int i = 0; i < INFOS; i++) a.info[(long)b * INFOS + i] = info[i];
}
