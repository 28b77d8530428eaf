"""The life of an account, session by session (compiled), and its run over many accounts."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.simulate.archetypes import HARVEST, HOLDER, LONG_ONLY, PRESERVATION, RANDOM, P
from ml.simulate.book import (
    ANY,
    CASH,
    DECEMBER,
    DELISTING,
    LIQUIDITY,
    LONG_OR_LOSS,
    LOT_ASSET,
    MAX_POSITIONS,
    N_EVENTS,
    N_LOTS,
    N_PENDING,
    N_POSITIONS,
    N_USES,
    NONE,
    OVERFLOW,
    PEND_ASSET,
    PEND_CENTS,
    PEND_KIND,
    PEND_SESSION,
    POS_ASSET,
    POS_COST,
    POS_QTY,
    REPLACE,
    SLOT,
    WITHDRAWAL,
    ZERO,
    buy,
    copy_row,
    log_event,
    new_book,
    refresh_positions,
    reset,
    sell,
    worth,
)
from ml.simulate.compiled import compiled, inlined, inner
from ml.simulate.counter_rng import uniform
from ml.simulate.flows import apply_corporate_actions, deposit
from ml.simulate.handles import BookHandle, MarketHandle
from ml.simulate.panel import PricePanel
from ml.simulate.rules import REPLACEMENT, decide, invest, may_buy, pick_candidate

(_ARCHETYPE, _SECOND, _SECOND_SHARE, _SWITCH_AFTER, _SWITCH_TO, _ATTENTION, _NOISE_SELL, _NOISE_BUY,
 _DECEMBER, _WITHDRAW, _PLAN_AFTER, _PLAN_AMOUNT, _POSITIONS) = (
    P[name]
    for name in (
        "archetype second second_share switch_after switch_to attention noise_sell noise_buy "
        "december_hazard withdraw_hazard plan_after plan_amount positions"
    ).split()
)  # fmt: skip
# Purposes of draws: distinct numbers, nothing else; 8 is that of ml/simulate/flows.py.
_U_LOOK, _U_ACTIVE, _U_NOISE, _U_SIZE, _U_PICK, _U_SPEND, _U_DEC, _U_WITHDRAW, _U_CASH, _U_EXIT = map(
    np.int64, (0, 1, 2, 3, 4, 5, 6, 7, 9, 10)
)
# Items of draws are numpy integers as well: the compiler would specialise on each plain constant.
_ONE, _SELL_DRAW, _BUY_DRAW = map(np.int64, (1, 100, 10_000))
_FIRST_EVENTS = 4096


@dataclass(frozen=True)
class AccountRows:
    """Event rows [n, 14] and lot uses [m, 3] of several accounts, each with its account's number."""

    events: np.ndarray
    event_account: np.ndarray
    event_number: np.ndarray
    uses: np.ndarray
    use_account: np.ndarray


def run_accounts(
    panel: PricePanel, table: np.ndarray, keys: np.ndarray, opened: np.ndarray, *, workers: int = 1
) -> AccountRows:
    """Simulate the accounts of ``table`` and return their rows in account order.

    Parameters
    ----------
    panel:
        The market.
    table, keys, opened:
        Parameters [accounts, len(PARAMETERS)], uint64 keys and opening sessions; an account that
        opens beyond the grid leaves no rows.
    workers:
        Threads (the engine holds no lock); the result does not depend on it.
    """
    blocks = [range(i, min(i + 256, len(keys))) for i in range(0, len(keys), 256)]

    def run(block: range) -> list[tuple[np.ndarray, np.ndarray]]:
        book = new_book(len(panel.asset_ids), _FIRST_EVENTS)
        rows = []
        for a in block:
            _live(book, panel.arrays, table[a], keys[a], opened[a])
            while book.state[OVERFLOW]:
                book = new_book(len(panel.asset_ids), 4 * len(book.events))
                _live(book, panel.arrays, table[a], keys[a], opened[a])
            rows.append((book.events[: book.state[N_EVENTS]].copy(), book.uses[: book.state[N_USES]].copy()))
        return rows

    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            rows = [row for block in pool.map(run, blocks) for row in block]
    else:
        rows = [row for block in blocks for row in run(block)]
    counts = np.array([len(e) for e, _ in rows], dtype=np.int64)
    uses = np.array([len(u) for _, u in rows], dtype=np.int64)
    account = np.repeat(np.arange(len(rows)), counts)
    return AccountRows(
        events=np.concatenate([e for e, _ in rows]) if rows else np.zeros((0, 14), np.int64),
        event_account=account,
        event_number=np.arange(len(account)) - (np.cumsum(counts) - counts)[account],
        uses=np.concatenate([u for _, u in rows]) if rows else np.zeros((0, 3), np.int64),
        use_account=np.repeat(np.arange(len(rows)), uses),
    )


@compiled
def _live(book_arrays, market_arrays, p, key, opened):
    """Run one account from its opening session to the end of the grid."""
    book: Any = BookHandle(*book_arrays)
    market: Any = MarketHandle(*market_arrays)
    reset(book)
    sessions = market.price.shape[0]
    for t in range(opened, sessions):
        book.state[SLOT] = 0
        apply_corporate_actions(book, market, t)
        paid_in = deposit(book, market, p, key, t, opened)
        active = _active(p, key, t, opened)
        _leave_delisted(book, market, p, key, t, active)
        _replace(book, market, p, key, t)
        _needs(book, market, p, key, t, opened, active)
        _noise(book, market, p, key, t, active)
        looking = p[_ATTENTION]
        if active == HARVEST and market.month[t] >= 11:
            looking = min(1.0, 2.5 * looking)
        looks = uniform(key, t, _U_LOOK, ZERO) < looking
        if active == PRESERVATION and market.month_session[t] == 0:
            looks, looking = True, 1.0
        if looks and t > opened:
            decide(book, market, p, key, t, active, looking)
        if market.month[t] == 12 and p[_DECEMBER] > 0:
            _december(book, market, p, key, t, active)
        if t - opened < 5:
            invest(book, market, p, key, t, active, np.int64(p[_POSITIONS]))
        elif (looks and uniform(key, t, _U_CASH, ZERO) < 0.6) or (paid_in and active >= 2):
            invest(book, market, p, key, t, active, np.int64(3))
        if book.state[OVERFLOW]:
            return


@inlined
def _active(p, key, t, opened):
    """Return the objective in force: the archetype, its mixture partner or what it switched to."""
    first = p[_ARCHETYPE]
    if p[_SWITCH_AFTER] >= 0 and t - opened >= p[_SWITCH_AFTER]:
        first = p[_SWITCH_TO]
    if p[_SECOND_SHARE] > 0 and uniform(key, t, _U_ACTIVE, ZERO) < p[_SECOND_SHARE]:
        first = p[_SECOND]
    return np.int64(first)


@inlined
def _leave_delisted(book, market, p, key, t, active):
    """Sell what is being acquired: at random once announced, at the latest on its last session."""
    i = 0
    while i < book.state[N_LOTS]:
        asset = book.lots[i, LOT_ASSET]
        if market.announced[asset] <= t:
            if t >= market.last_session[asset] or uniform(key, t, _U_EXIT, asset) < 0.15:
                if sell(book, market, p, key, t, asset, 1.0, ANY, DELISTING, active) > 0:
                    i = -1
        i += 1


@inlined
def _replace(book, market, p, key, t):
    """Buy the queued substitutes of harvested assets that are due."""
    kept = ZERO
    for k in range(book.state[N_PENDING]):
        row = book.pending[k]
        if row[PEND_KIND] != REPLACEMENT or row[PEND_SESSION] > t:
            copy_row(book.pending, k, kept)
            kept += 1
            continue
        chosen = np.int64(-1)
        for j in range(market.substitutes.shape[2]):
            other = market.substitutes[market.quarter[t], row[PEND_ASSET], j]
            if other >= 0 and may_buy(book, market, p, t, other):
                chosen = other
                break
        if chosen < 0:
            chosen = pick_candidate(book, market, p, key, t, HARVEST, 900 + k)
        if chosen >= 0:
            buy(book, market, p, key, t, chosen, row[PEND_CENTS] * 1.0, REPLACE, HARVEST)
    book.state[N_PENDING] = kept


@inner
def _needs(book, market, p, key, t, opened, active):
    """Take out the planned sum on its session, or a random share of the account now and then."""
    planned = p[_PLAN_AFTER] >= 0 and t - opened == np.int64(p[_PLAN_AFTER])
    if not planned and uniform(key, t, _U_WITHDRAW, ZERO) >= p[_WITHDRAW]:
        return
    refresh_positions(book, market, t)
    value = book.state[CASH] + 0.0
    for i in range(book.state[N_POSITIONS]):
        value += worth(market, t, book.positions[i, POS_ASSET], book.positions[i, POS_QTY])
    need = p[_PLAN_AMOUNT] if planned else (0.03 + 0.12 * uniform(key, t, _U_SPEND, ZERO)) * value
    need = min(need, 0.6 * value)
    if not planned:
        need = np.floor(need / 100_00) * 100_00
    for attempt in range(8):
        missing = need - book.state[CASH]
        if missing <= 0 or book.state[N_POSITIONS] == 0:
            break
        i = _pick_to_sell(book, market, key, t, active, attempt)
        held = worth(market, t, book.positions[i, POS_ASSET], book.positions[i, POS_QTY])
        share = 1.0 if held < 1.3 * missing else 1.03 * missing / held
        sell(book, market, p, key, t, book.positions[i, POS_ASSET], share, ANY, LIQUIDITY, active)
        refresh_positions(book, market, t)
    amount = min(np.int64(need), book.state[CASH])
    if amount >= 50_00:
        log_event(book, t, WITHDRAWAL, NONE, ZERO, ZERO, -amount, ZERO, LIQUIDITY, active)
        book.state[SLOT] += 1


@inner
def _pick_to_sell(book, market, key, t, active, number):
    """Return a random row of the positions; winners are 1.6 times as likely except for two kinds.

    Who needs cash parts from winners more readily (Odean 1998), but not who harvests losses or
    trades at random.
    """
    neutral = active == HARVEST or active == RANDOM
    total, pick = 0.0, np.int64(0)
    for i in range(book.state[N_POSITIONS]):
        value = worth(market, t, book.positions[i, POS_ASSET], book.positions[i, POS_QTY])
        weight = 1.6 if value > book.positions[i, POS_COST] and not neutral else 1.0
        total += weight
        if uniform(key, t, _U_PICK, number * MAX_POSITIONS + i) * total < weight:
            pick = np.int64(i)
    return pick


@inlined
def _noise(book, market, p, key, t, active):
    """Sell a random position, or buy a random asset, for no reason that the objective knows."""
    if uniform(key, t, _U_NOISE, ZERO) < p[_NOISE_SELL]:
        refresh_positions(book, market, t)
        if book.state[N_POSITIONS] > 0:
            i = _pick_to_sell(book, market, key, t, active, _SELL_DRAW)
            size = uniform(key, t, _U_SIZE, ZERO)
            share = 1.0 if size < 0.5 else (0.5 if size < 0.8 else 0.25)
            sell(book, market, p, key, t, book.positions[i, POS_ASSET], share, ANY, LIQUIDITY, active)
    if uniform(key, t, _U_NOISE, _ONE) < p[_NOISE_BUY]:
        asset = np.int64(uniform(key, t, _U_PICK, _BUY_DRAW) * market.listed_count[t])
        if may_buy(book, market, p, t, asset):
            size = (0.3 + 0.7 * uniform(key, t, _U_SIZE, _ONE)) * book.state[CASH]
            buy(book, market, p, key, t, asset, size, LIQUIDITY, active)


@inlined
def _december(book, market, p, key, t, active):
    """Sell losers for the tax year though harvesting is not the objective (Odean 1998)."""
    if active == HARVEST or active == HOLDER:
        return
    refresh_positions(book, market, t)
    for i in range(book.state[N_POSITIONS]):
        asset, cost = book.positions[i, POS_ASSET], book.positions[i, POS_COST]
        loss = 1.0 - worth(market, t, asset, book.positions[i, POS_QTY]) / max(cost, 1)
        if loss > 0.03 and uniform(key, t, _U_DEC, asset) < p[_DECEMBER]:
            desire = LONG_OR_LOSS if active == LONG_ONLY else ANY
            sell(book, market, p, key, t, asset, 1.0, desire, DECEMBER, active)
