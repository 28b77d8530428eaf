"""Bars, dividends and splits of one asset after another, a stretch of sessions at a time (compiled).

The state of every asset stands in a table between stretches, so that a market of any size can be
written in the order of time with bounded memory; draws are addressed by (asset, session), so that
neither the stretch nor the horizon changes a bar.
"""

import math

from ml.simulate.compiled import compiled, inner
from ml.simulate.counter_rng import inverse_normal, uniform
from ml.simulate.market_assets import T as TRAIT
from ml.simulate.market_factors import COMMODITY, CRYPTO, FIRST_SECTOR, MARKET, YIELDS, student_shock

# Columns of a bar, of an asset's state, of an event; kinds of events.
OPEN, HIGH, LOW, CLOSE, ADJUSTED, VOLUME = range(6)
(S_CLOSE, S_ADJUSTED, S_VARIANCE, S_MEAN_PRICE, S_SHARES, S_VOLUME, S_DIVIDEND, S_SPLIT_AT, S_SPLIT_RATIO,
 S_OPENED, S_OWN, S_TREND) = range(12)  # fmt: skip
STATE_COLUMNS = 12
E_SESSION, E_KIND, E_VALUE, E_KNOWN, E_SHARES = range(5)
DIVIDEND, SPLIT, MERGER = 0, 1, 2
ANNOUNCED_BEFORE = 15
MERGER_NOTICE = 20
_SPLIT_ABOVE, _REVERSE_BELOW = 180.0, 3.0
_OVERNIGHT = 0.25
_YIELD_MOVE = 0.0052  # relative price change per year of duration times the yield factor, in percent
_OWN_JUMP_CHANCE = 0.002
_TREND_KEPT = 0.5 ** (1.0 / 252.0)  # of an own trend from one session to the next: half is left after a year

(_BETA, _SECTOR, _SECTOR_LOADING, _DURATION, _COMMODITY, _CRYPTO, _OWN, _DRIFT, _NU, _ALPHA, _GAMMA, _GARCH,
 _JUMP, _YIELD, _PAYS, _PHASE, _PRICE, _SHARES, _TURNOVER, _LINK, _LISTED, _MERGED, _SPLITS, _CARRY,
 _BOUNCE, _TREND) = (
    TRAIT[name]
    for name in (
        "beta sector sector_loading duration commodity crypto own_volatility drift nu alpha gamma garch_beta "
        "jump_scale yield_ratio pays phase price shares turnover volume_link listed_at merged_at splits carry "
        "bounce trend"
    ).split()
)  # fmt: skip


@inner
def _own_return(key, t, p, state):
    """Return the asset's own return of session t (GJR-GARCH-t, jumps, own trend) and move its variance."""
    z = student_shock(uniform(key, t, 100, 0), uniform(key, t, 101, 0), p[_NU])
    h = state[S_VARIANCE]
    e = math.sqrt(h) * z
    omega = 1.0 - p[_ALPHA] - 0.5 * p[_GAMMA] - p[_GARCH]
    state[S_VARIANCE] = min(omega + (p[_ALPHA] + (p[_GAMMA] if e < 0 else 0.0)) * e * e + p[_GARCH] * h, 30.0)
    jump = 0.0
    # Results come once a quarter, three weeks after the dividend's phase.
    report = (t + 21) % 63 == int(p[_PHASE])
    if p[_JUMP] > 0 and (report or uniform(key, t, 102, 0) < _OWN_JUMP_CHANCE):
        jump = p[_JUMP] * inverse_normal(uniform(key, t, 103, 0))
    now = p[_OWN] * e + jump
    own = now + p[_BOUNCE] * state[S_OWN]
    state[S_OWN] = now
    if p[_TREND] > 0:
        shock = (
            math.sqrt(1.0 - _TREND_KEPT * _TREND_KEPT) * p[_TREND] * inverse_normal(uniform(key, t, 109, 0))
        )
        state[S_TREND] = _TREND_KEPT * state[S_TREND] + shock
    return own + state[S_TREND]


@inner
def _common_return(p, factors, rate):
    """Return what the factors contribute."""
    out = p[_DRIFT] + p[_BETA] * factors[MARKET]
    if p[_SECTOR] >= 0:
        out += p[_SECTOR_LOADING] * factors[FIRST_SECTOR + int(p[_SECTOR])]
    out -= p[_DURATION] * _YIELD_MOVE / 10.0 * factors[YIELDS]
    return (
        out + p[_COMMODITY] * factors[COMMODITY] + p[_CRYPTO] * factors[CRYPTO] + p[_CARRY] * rate / 25_200.0
    )


@inner
def _scheduled(t, p):
    """Return whether a dividend goes ex on session t."""
    if p[_PAYS] == 12:
        return t % 21 == int(p[_PHASE]) % 21
    return p[_PAYS] > 0 and t % 63 == int(p[_PHASE])


@inner
def _announce(key, t, p, state):
    """Fix the next dividend and plan a split, both 15 sessions before they take effect."""
    if _scheduled(t + ANNOUNCED_BEFORE, p) and t + ANNOUNCED_BEFORE < p[_MERGED]:
        mean = min(state[S_MEAN_PRICE], 1.5 * state[S_CLOSE])
        state[S_DIVIDEND] = round(p[_YIELD] / p[_PAYS] * mean * 1e4) / 1e4
    free = state[S_SPLIT_AT] < t and p[_SPLITS] > 0 and t + ANNOUNCED_BEFORE < p[_MERGED] - MERGER_NOTICE
    if not free:
        return
    draw = uniform(key, t, 104, 0)
    if state[S_CLOSE] > _SPLIT_ABOVE and draw < 0.004:
        state[S_SPLIT_AT] = t + ANNOUNCED_BEFORE
        state[S_SPLIT_RATIO] = max(2.0, min(float(round(state[S_CLOSE] / 75.0)), 10.0))
    elif state[S_CLOSE] < _REVERSE_BELOW and draw < 0.02:
        state[S_SPLIT_AT] = t + ANNOUNCED_BEFORE
        state[S_SPLIT_RATIO] = 0.1


@inner
def _tick(price):
    """Return the price rounded to 1e-4 USD, at least one cent."""
    return max(round(price * 1e4) / 1e4, 0.01)


@inner
def _shape_bar(key, t, previous, close, scale, bar):
    """Fill open, high, low, close: a Brownian path from the previous close, a quarter of it overnight."""
    move = math.log(close / previous)
    gap = _OVERNIGHT * move + math.sqrt(_OVERNIGHT * (1 - _OVERNIGHT)) * scale * inverse_normal(
        uniform(key, t, 105, 0)
    )
    day = move - gap
    spread = 2.0 * (1 - _OVERNIGHT) * scale * scale
    up = 0.5 * (day + math.sqrt(day * day - spread * math.log(max(uniform(key, t, 106, 0), 1e-12))))
    down = 0.5 * (day - math.sqrt(day * day - spread * math.log(max(uniform(key, t, 107, 0), 1e-12))))
    bar[OPEN] = _tick(previous * math.exp(gap))
    bar[HIGH] = max(_tick(previous * math.exp(gap + up)), bar[OPEN], close)
    bar[LOW] = min(_tick(previous * math.exp(gap + down)), bar[OPEN], close)
    bar[CLOSE] = close


@inner
def _step(key, t, p, factors, rate, state, bar, event, n_events):
    """Advance one asset by one session: fill the bar, log events, return their new number."""
    noticed = t >= p[_MERGED] - MERGER_NOTICE
    own = _own_return(key, t, p, state)
    total = _common_return(p, factors, rate) + own
    if noticed:
        # An agreed cash price pins the share: a premium on the announcement, small moves after it.
        total = 0.25 + 0.02 * own if t == p[_MERGED] - MERGER_NOTICE else 0.0002 + 0.05 * own
    total = min(max(total, -0.6), 1.5)
    ratio, cash = 1.0, 0.0
    if state[S_SPLIT_AT] == t:
        ratio = state[S_SPLIT_RATIO]
        state[S_SHARES] = round(state[S_SHARES] * ratio)
        state[S_MEAN_PRICE] /= ratio
        state[S_DIVIDEND] = round(state[S_DIVIDEND] / ratio * 1e4) / 1e4
        n_events = _log(event, n_events, t, SPLIT, ratio, t - ANNOUNCED_BEFORE, state[S_SHARES])
    previous = state[S_CLOSE] / ratio
    if _scheduled(t, p) and state[S_DIVIDEND] > 0:
        if state[S_DIVIDEND] < 0.2 * previous:
            cash = state[S_DIVIDEND]
            n_events = _log(event, n_events, t, DIVIDEND, cash, t - ANNOUNCED_BEFORE, 0.0)
        state[S_DIVIDEND] = 0.0
    close = _tick(previous * (1.0 + total) - cash)
    # The adjusted close grows by what a holder earned; it starts at the first close and never restates.
    state[S_ADJUSTED] *= (close + cash) / previous
    scale = math.sqrt(p[_OWN] ** 2 * state[S_VARIANCE] + (p[_BETA] * 0.009) ** 2 + p[_CRYPTO] ** 2)
    if noticed:
        scale *= 0.05
    _shape_bar(key, t, previous - cash, close, max(scale, 1e-4), bar)
    _trade(key, t, p, state, abs(total) / max(scale, 1e-4), ratio, bar)
    bar[ADJUSTED] = state[S_ADJUSTED]
    state[S_CLOSE] = close
    state[S_MEAN_PRICE] += (close - state[S_MEAN_PRICE]) / 126.0
    if t >= state[S_OPENED] + 1 and not noticed:
        _announce(key, t, p, state)
    if t + 1 == p[_MERGED]:
        n_events = _log(event, n_events, t + 1, MERGER, close, t - MERGER_NOTICE + 1, 0.0)
    return n_events


@inner
def _log(event, n, session, kind, value, known, shares):
    """Append an event and return the new number."""
    row = event[n]
    row[E_SESSION], row[E_KIND], row[E_VALUE], row[E_KNOWN], row[E_SHARES] = (
        session,
        kind,
        value,
        known,
        shares,
    )
    return n + 1


@inner
def _trade(key, t, p, state, surprise, ratio, bar):
    """Fill the volume: log-autoregressive turnover that rises with the size of the move."""
    shock = inverse_normal(uniform(key, t, 108, 0))
    state[S_VOLUME] = 0.93 * state[S_VOLUME] + 0.24 * shock
    log_turnover = state[S_VOLUME] + p[_LINK] * (min(surprise, 6.0) - 0.8)
    bar[VOLUME] = max(round(state[S_SHARES] * p[_TURNOVER] * math.exp(log_turnover)), 1.0)


@compiled
def advance(keys, traits, factors, rates, first, state, bars, events, counts):
    """Advance all assets over ``bars.shape[0]`` sessions from session index ``first``.

    Parameters
    ----------
    keys, traits:
        uint64 keys and the trait table of the assets.
    factors, rates:
        Whole-horizon arrays of :class:`ml.simulate.market_factors.MarketFactors`.
    state:
        [assets, STATE_COLUMNS], zeros before the first stretch; updated.
    bars:
        [sessions, assets, 6] to fill; close is 0 where the asset has no bar.
    events, counts:
        [assets, room, 5] and [assets]: events of this stretch.
    """
    for a in range(keys.shape[0]):
        p, own = traits[a], state[a]
        n = 0
        for i in range(bars.shape[0]):
            t = first + i
            if t < p[_LISTED] or t >= p[_MERGED]:
                for k in range(6):
                    bars[i, a, k] = 0.0
                continue
            if t == p[_LISTED]:
                own[S_CLOSE], own[S_ADJUSTED], own[S_VARIANCE] = p[_PRICE], p[_PRICE], 1.0
                own[S_MEAN_PRICE], own[S_SHARES], own[S_SPLIT_AT] = p[_PRICE], p[_SHARES], -1.0
                own[S_OPENED] = t
                if p[_TREND] > 0:
                    own[S_TREND] = p[_TREND] * inverse_normal(uniform(keys[a], t, 110, 0))
            n = _step(keys[a], t, p, factors[t], rates[t], own, bars[i, a], events[a], n)
        counts[a] = n
