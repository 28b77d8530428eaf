"""What each archetype does on a session on which it looks at its account (compiled).

A rule reads the account's positions and the market up to that session and sells; buying is common
to all and follows in :func:`invest`, with tastes that differ by archetype. Hazards are stated per
session and divided by the chance of looking.
"""

import math

import numpy as np

from ml.simulate.archetypes import (
    ALPHA,
    HARVEST,
    HOLDER,
    LONG_GAIN,
    LONG_ONLY,
    PRESERVATION,
    RANDOM,
    SHORT_GAIN,
    P,
)
from ml.simulate.book import (
    ANY,
    CASH,
    INVEST,
    LONG_OR_LOSS,
    LOSSES,
    MAX_PENDING,
    MAX_POSITIONS,
    N_PENDING,
    N_POSITIONS,
    NONE,
    PEND_ACTIVE,
    PEND_ASSET,
    PEND_CENTS,
    PEND_KIND,
    PEND_SESSION,
    POS_ASSET,
    POS_COST,
    POS_NEWEST,
    POS_OLDEST,
    POS_QTY,
    RULE,
    buy,
    refresh_positions,
    sell,
    worth,
)
from ml.simulate.compiled import inlined, inner
from ml.simulate.counter_rng import normal, uniform
from ml.simulate.panel import SAFE_CLASSES
from ml.types import ASSET_CLASSES

_BOND, _CASH_CLASS = (ASSET_CLASSES.index(c) for c in SAFE_CLASSES)
_ETF = ASSET_CLASSES.index("equity_etf")
REPLACEMENT, PAYMENT = 0, 1
WASH_DAYS = 30
_WEEK, _MONTH, _QUARTER, _YEAR = map(np.int64, (5, 21, 63, 252))

(_ATTENTION, _TARGET, _STOP, _USES_STOP, _HORIZON, _SIGN, _LOSER, _GAIN, _LONG, _TRIM, _THRESHOLD, _DELAY,
 _EQUITY, _SELLS_LOSSES, _EXCLUDED, _RATE, _POSITIONS, _CASH_SHARE, _ADD) = (
    P[name]
    for name in (
        "attention target stop uses_stop horizon signal_sign loser_hazard gain_hazard long_hazard trim "
        "harvest_threshold replace_delay equity_share sells_losses excluded_sector trade_rate positions "
        "cash_share add_share"
    ).split()
)  # fmt: skip
# Purposes of draws: distinct numbers, nothing else.
_U_SELL, _U_SHARE, _U_CARE, _U_ADD, _U_WHICH, _U_CANDIDATE, _U_SIZE, _U_TASTE, _U_SAFE, _U_EXTRA = map(
    np.int64, range(100, 110)
)


@inner
def log_return(market, t, asset, sessions):
    """Return the asset's log total return over the last sessions, 0 before the grid starts."""
    if t < sessions:
        return 0.0
    return market.log_index[t, asset] - market.log_index[t - sessions, asset]


@inner
def daily_volatility(market, t, asset):
    """Return the root mean square daily return of 63 sessions (at least 0.1 % a day)."""
    back = min(t, 63)
    if back == 0:
        return 0.015
    total = market.square_sum[t, asset] - market.square_sum[t - back, asset]
    return max(math.sqrt(max(total, 0.0) / back), 0.001)


@inner
def decide(book, market, p, key, t, active, looking):
    """Let the active archetype sell from the positions; ``looking`` is today's chance of looking."""
    refresh_positions(book, market, t)
    for i in range(book.state[N_POSITIONS]):
        asset = book.positions[i, POS_ASSET]
        gain = worth(market, t, asset, book.positions[i, POS_QTY]) / max(book.positions[i, POS_COST], 1) - 1.0
        age = market.ordinal[t] - book.positions[i, POS_OLDEST]
        share, desire = 1.0, ANY
        if active == HARVEST:
            chance, share, desire = _harvest(book, market, p, key, t, i, gain, looking)
        elif active == LONG_ONLY:
            chance, share, desire = _long_only_chance(p, gain, age, looking), p[_TRIM], LONG_OR_LOSS
        elif active == ALPHA:
            chance = _alpha_chance(market, p, t, asset, age)
        elif active == SHORT_GAIN:
            chance = _short_gain_chance(p, gain, age, looking)
        elif active == LONG_GAIN:
            is_long = book.positions[i, POS_OLDEST] < market.long_term_before[t]
            chance = _long_gain_chance(p, gain, age, is_long, looking)
        elif active == PRESERVATION:
            chance = _preservation_chance(book, market, p, t, i)
        elif active == RANDOM:
            chance = p[_RATE] / looking / book.state[N_POSITIONS]
        else:
            chance = 0.0
        if uniform(key, t, _U_SELL, asset) < chance:
            if active == LONG_GAIN or active == PRESERVATION or active == RANDOM:
                share = p[_TRIM] if uniform(key, t, _U_SHARE, asset) < 0.6 else 1.0
            proceeds = sell(book, market, p, key, t, asset, share, desire, RULE, active)
            if active == HARVEST and desire != LONG_OR_LOSS and proceeds > 0:
                _lock(book, market, p, key, t, asset, proceeds)


@inlined
def _alpha_chance(market, p, t, asset, age):
    """Sell when the horizon is over or the five-day signal has turned, whatever the gain."""
    days = p[_HORIZON] * 365.0 / 252.0
    if age >= days:
        return 0.08
    signal = p[_SIGN] * log_return(market, t, asset, _WEEK)
    turned = signal < -1.5 * daily_volatility(market, t, asset)
    return 0.04 if turned and age >= 1 else 0.0


@inlined
def _short_gain_chance(p, gain, age, looking):
    """Take the profit at the target, hold losers unless a stop is used."""
    if gain >= p[_TARGET]:
        return 0.10
    if p[_USES_STOP] > 0 and gain <= -p[_STOP]:
        return 0.2
    if gain >= 0:
        return min(1.0, 0.002 * (1.0 + gain / p[_TARGET]) / looking)
    patience = 0.5 if age > 400 else 1.0
    return min(1.0, patience * p[_LOSER] * (1.0 + 2.0 * abs(gain)) / looking)


@inlined
def _long_gain_chance(p, gain, age, is_long, looking):
    """Hardly sell before a year, wait when it is near, trim afterwards."""
    if gain < 0:
        hazard = 0.5 * p[_GAIN]
    elif is_long:
        hazard = p[_LONG]
    elif age >= 300:
        hazard = 0.1 * p[_GAIN]
    else:
        # Ivkovic, Poterba & Weisbenner: a 25 % gain raises the hazard of young positions by 22 %.
        hazard = p[_GAIN] * (1.0 + 0.22 * min(gain, 1.0) / 0.25)
    return min(1.0, hazard / looking)


@inner
def is_safe(market, asset):
    """Return whether the asset is a bond fund or cash-like."""
    return market.asset_class[asset] == _BOND or market.asset_class[asset] == _CASH_CLASS


@inlined
def _preservation_chance(book, market, p, t, i):
    """Sell risk when volatility rises or a position falls from its high; trim what has grown."""
    asset = book.positions[i, POS_ASSET]
    if is_safe(market, asset):
        return 0.001
    if market.stress[t] > 1.35 and daily_volatility(market, t, asset) > 0.008:
        return 0.025
    if log_return(market, t, asset, _QUARTER) < -0.12:
        return 0.02
    total = book.state[CASH] + 0.0
    for k in range(book.state[N_POSITIONS]):
        total += worth(market, t, book.positions[k, POS_ASSET], book.positions[k, POS_QTY])
    weight = worth(market, t, asset, book.positions[i, POS_QTY]) / max(total, 1.0)
    return 0.06 if weight > 1.6 * p[_EQUITY] / max(p[_POSITIONS], 1.0) + 0.05 else 0.003


@inlined
def _harvest(book, market, p, key, t, i, gain, looking):
    """Return (chance, share, desire): losing lots now and then, a winner hardly ever."""
    asset = book.positions[i, POS_ASSET]
    is_long = book.positions[i, POS_OLDEST] < market.long_term_before[t]
    if gain > 0 and is_long and uniform(key, t, _U_EXTRA, asset) < 0.0003 / looking:
        return 1.0, p[_TRIM], LONG_OR_LOSS
    recent = market.ordinal[t] - book.positions[i, POS_NEWEST] <= WASH_DAYS
    whole = gain <= -p[_THRESHOLD]
    # A purchase within 30 days would wash the loss unless it is sold along; most know that.
    if recent and not whole and uniform(key, t, _U_CARE, asset) < 0.85:
        return 0.0, 1.0, LOSSES
    return 0.5 if market.month[t] >= 11 else 0.08, 1.0, ANY if whole and recent else LOSSES


@inlined
def _lock(book, market, p, key, t, asset, proceeds):
    """Lock a harvested asset for 31 days or more and queue a correlated replacement."""
    extra = np.int64(uniform(key, t, _U_EXTRA, asset + 1) * 20)
    book.locked[asset] = market.ordinal[t] + WASH_DAYS + 1 + extra
    n = book.state[N_PENDING]
    if n < MAX_PENDING:
        row = book.pending[n]
        row[PEND_KIND], row[PEND_SESSION] = REPLACEMENT, t + np.int64(p[_DELAY])
        row[PEND_ASSET], row[PEND_CENTS], row[PEND_ACTIVE] = asset, proceeds, HARVEST
        book.state[N_PENDING] = n + 1


@inlined
def _long_only_chance(p, gain, age, looking):
    """Sell what is long-term now and then, losses only if that is the habit, short gains never."""
    if gain >= 0:
        return 1.3 * p[_LONG] / looking if age >= 366 else 0.0
    return 1.5 * p[_GAIN] / looking if p[_SELLS_LOSSES] > 0 else 0.0


@inner
def may_buy(book, market, p, t, asset):
    """Return whether the asset trades, is not being acquired, excluded or locked by a harvest."""
    if not market.price[t, asset] > 0 or market.announced[asset] <= t:
        return False
    if market.sector[asset] >= 0 and market.sector[asset] == int(p[_EXCLUDED]):
        return False
    return book.locked[asset] <= market.ordinal[t]


@inlined
def _appeal(market, p, key, t, asset, active):
    """Return the archetype's liking for an asset; the taste is the investor's own and lasting."""
    taste = normal(key, NONE, _U_TASTE, market.asset_key[asset])
    volatility = daily_volatility(market, t, asset)
    if active == ALPHA:
        signal = p[_SIGN] * log_return(market, t, asset, _WEEK) / (volatility * 2.236)
        return 1.5 * signal + 30.0 * volatility + 0.2 * taste
    if active == SHORT_GAIN:
        return (
            0.5 * log_return(market, t, asset, _MONTH) / (volatility * 4.58) + 30.0 * volatility + 0.5 * taste
        )
    if active == PRESERVATION:
        return -150.0 * volatility + 0.3 * taste
    if active == LONG_GAIN or active == LONG_ONLY or active == HARVEST:
        momentum = log_return(market, t, asset, _YEAR) - log_return(market, t, asset, _MONTH)
        weight = 0.2 if active == HARVEST else 0.6
        return weight * momentum + taste + (0.5 if market.asset_class[asset] == _ETF else 0.0)
    return taste if active == HOLDER else uniform(key, t, _U_TASTE, asset)


@inner
def pick_candidate(book, market, p, key, t, active, number):
    """Return an asset that is not held yet, the best liked of a dozen draws, or -1."""
    listed = market.listed_count[t]
    want_safe = False
    draws = 12
    if active == PRESERVATION and market.has_safe[t]:
        want_safe = uniform(key, t, _U_SAFE, number) > p[_EQUITY]
        draws = 40
    best, chosen = -1e30, np.int64(-1)
    for j in range(draws):
        asset = np.int64(uniform(key, t, _U_CANDIDATE, number * 64 + j) * listed)
        if book.held[asset] > 0 or not may_buy(book, market, p, t, asset):
            continue
        if active == PRESERVATION and market.has_safe[t] and is_safe(market, asset) != want_safe:
            continue
        appeal = _appeal(market, p, key, t, asset, active)
        if appeal > best:
            best, chosen = appeal, asset
    return chosen


@inlined
def pick_held(book, market, p, key, t, number):
    """Return a held asset to add to; losers are 1.5 times as likely as winners (Odean 1998)."""
    total, pick = 0.0, np.int64(-1)
    for i in range(book.state[N_POSITIONS]):
        asset = book.positions[i, POS_ASSET]
        if not may_buy(book, market, p, t, asset):
            continue
        loses = worth(market, t, asset, book.positions[i, POS_QTY]) < book.positions[i, POS_COST]
        weight = 1.5 if loses else 1.0
        total += weight
        # Reservoir sampling: each draw has its own address, the result the weights' odds.
        if uniform(key, t, _U_WHICH, number * MAX_POSITIONS + i) * total < weight:
            pick = asset
    return pick


@inner
def invest(book, market, p, key, t, active, most):
    """Bring spare cash into the market by at most ``most`` purchases."""
    for number in range(most):
        refresh_positions(book, market, t)
        value = book.state[CASH] + 0.0
        for i in range(book.state[N_POSITIONS]):
            value += worth(market, t, book.positions[i, POS_ASSET], book.positions[i, POS_QTY])
        reserve = p[_CASH_SHARE]
        if active == PRESERVATION and not market.has_safe[t]:
            reserve = 1.0 - p[_EQUITY]
        spare = book.state[CASH] - reserve * value
        if spare < max(5000.0, 0.01 * value):
            return
        names, wanted = book.state[N_POSITIONS], max(p[_POSITIONS], 1.0)
        adds = names >= wanted or (names > 0 and uniform(key, t, _U_ADD, number) < p[_ADD])
        asset = pick_held(book, market, p, key, t, number) if adds else np.int64(-1)
        if asset < 0 and names < MAX_POSITIONS - 1:
            asset = pick_candidate(book, market, p, key, t, active, number)
        if asset < 0:
            return
        ticket = (value - reserve * value) / wanted * (0.8 + 0.4 * uniform(key, t, _U_SIZE, number))
        buy(book, market, p, key, t, asset, min(spare, max(ticket, 5000.0)), INVEST, active)
