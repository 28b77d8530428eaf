"""What happens to an account without a decision: splits, dividends and deposits (compiled)."""

import numpy as np

from ml.simulate.archetypes import P
from ml.simulate.book import (
    DEPOSIT,
    DIVIDEND,
    EV_DEN,
    EV_NUM,
    LOT_ASSET,
    LOT_QTY,
    MAX_PENDING,
    MECHANICAL,
    N_LOTS,
    N_PENDING,
    NONE,
    PEND_ACTIVE,
    PEND_ASSET,
    PEND_CENTS,
    PEND_KIND,
    PEND_SESSION,
    SPLIT,
    ZERO,
    copy_row,
    log_event,
    value_cents,
)
from ml.simulate.compiled import inlined
from ml.simulate.counter_rng import uniform
from ml.simulate.panel import SPLIT_ACTION
from ml.simulate.rules import PAYMENT

_FIRST_DEPOSIT, _CONTRIBUTION, _DAY = P["first_deposit"], P["contribution"], P["contribution_day"]
_U_GROW = np.int64(8)  # a purpose of draws, apart from those of ml/simulate/engine.py


@inlined
def apply_corporate_actions(book, market, t):
    """Apply today's splits, book dividends of today's ex-date and pay those that are due."""
    for k in range(market.action_start[t], market.action_start[t + 1]):
        asset = market.action_asset[k]
        if book.held[asset] <= 0:
            continue
        if market.action_kind[k] == SPLIT_ACTION:
            _split(book, t, asset, market.action_num[k], market.action_den[k])
            continue
        cents = value_cents(book.held[asset], market.action_cash[k])
        n = book.state[N_PENDING]
        if cents > 0 and n < MAX_PENDING:
            row = book.pending[n]
            row[PEND_KIND], row[PEND_SESSION], row[PEND_ASSET] = PAYMENT, market.action_pay[k], asset
            row[PEND_CENTS], row[PEND_ACTIVE] = cents, book.held[asset]
            book.state[N_PENDING] = n + 1
    kept = ZERO
    for k in range(book.state[N_PENDING]):
        row = book.pending[k]
        if row[PEND_KIND] == PAYMENT and row[PEND_SESSION] <= t:
            log_event(
                book,
                t,
                DIVIDEND,
                row[PEND_ASSET],
                row[PEND_ACTIVE],
                ZERO,
                row[PEND_CENTS],
                ZERO,
                MECHANICAL,
                NONE,
            )
        else:
            copy_row(book.pending, k, kept)
            kept += 1
    book.state[N_PENDING] = kept


@inlined
def _split(book, t, asset, num, den):
    """Multiply every lot by num/den (rounded down to 1e-9 shares) and log the shares added or removed."""
    before = book.held[asset]
    after = np.int64(0)
    for i in range(book.state[N_LOTS]):
        if book.lots[i, LOT_ASSET] == asset:
            qty = book.lots[i, LOT_QTY]
            new = qty // den * num + (qty % den) * num // den
            if (qty % den) * num % den != 0:
                book.inexact[asset] = 1
            book.lots[i, LOT_QTY] = new
            after += new
    book.held[asset] = after
    e = log_event(book, t, SPLIT, asset, abs(after - before), ZERO, ZERO, ZERO, MECHANICAL, NONE)
    if e >= 0:
        book.events[e, EV_NUM], book.events[e, EV_DEN] = num, den


@inlined
def deposit(book, market, p, key, t, opened):
    """Pay in the first sum or the month's contribution; return whether cash came in."""
    if t == opened:
        log_event(book, t, DEPOSIT, NONE, ZERO, ZERO, np.int64(p[_FIRST_DEPOSIT]), ZERO, MECHANICAL, NONE)
        return True
    due = market.month_session[t] == np.int64(p[_DAY]) and t - opened > 15
    if p[_CONTRIBUTION] <= 0 or not due or uniform(key, t, _U_GROW, ZERO) < 0.05:
        return False
    years = (t - opened) // 252
    amount = np.int64(p[_CONTRIBUTION] * (1.0 + 0.03 * years) / 500.0) * 500
    log_event(book, t, DEPOSIT, NONE, ZERO, ZERO, amount, ZERO, MECHANICAL, NONE)
    return True
