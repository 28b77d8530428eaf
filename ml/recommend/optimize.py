"""Step 2: how much of each name to trade, for all accounts at once, in compiled code.

What belongs here: the convex problem of one account, its solution by two nested root searches over
ragged arrays, and its objective. What does not: which trades are allowed (``branches.py``), shares
(``rounding.py``).

One account, in shares of V, with s_i >= 0 sold, b_i >= 0 bought, and cash change y:

    minimise  kappa/2 * [sum_i (w_i + b_i - s_i - t_i)**2 + (w_cash + y - t_cash)**2]
              + sum_i tax_i(s_i) + cost * sum_i (s_i + b_i)
    subject to  y = (1 - cost) * sum s - (1 + cost) * sum b,   w_cash + y >= floor,
                sum s + sum b <= turnover,   s_i <= sellable_i,   b_i <= max(t_i - w_i, 0),
                s_i = 0 unless branch_i = -1,   b_i = 0 unless branch_i = +1.

tax_i is piecewise linear over the lots in the order they are sold. Where that order is not ours to
choose (FIFO) its slopes may fall; then the greatest convex function below it is used (adjacent lots
pooled), and the reported tax is the true one of the lots that the order eats. Given the price of
cash (lambda) and of turnover (mu) every name has a closed form; both residuals are monotone and
piecewise linear, so Newton steps kept inside a bisection bracket end in a handful of steps.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

CONVERGED, INFEASIBLE, NOT_CONVERGED = 0, 1, 2
_RESIDUAL = 1e-13
_MAX_STEPS = 200


@dataclass(frozen=True)
class Problem:
    """R accounts with P pairs and M sellable lots; ragged by offsets.

    Attributes
    ----------
    start : ndarray of shape (R + 1,)
        First pair of each account.
    branch : ndarray of shape (P,)
        int8: -1 may be sold, 0 fixed, +1 may be bought.
    weight, target : ndarray of shape (P,)
        Shares of V.
    lot_start : ndarray of shape (P + 1,)
        First sellable lot of each pair.
    lot_slope : ndarray of shape (M,)
        Tax per dollar sold, in the order of sale; negative for losses.
    lot_width : ndarray of shape (M,)
        Lot value as a share of V, > 0.
    cash_weight, cash_target, floor : ndarray of shape (R,)
        Cash now, wanted, and at least after the orders.
    turnover : ndarray of shape (R,)
        Largest sum of all sales and purchases.
    cost, kappa : float
        Cost per dollar traded; weight of squared drift.
    """

    start: np.ndarray
    branch: np.ndarray
    weight: np.ndarray
    target: np.ndarray
    lot_start: np.ndarray
    lot_slope: np.ndarray
    lot_width: np.ndarray
    cash_weight: np.ndarray
    cash_target: np.ndarray
    floor: np.ndarray
    turnover: np.ndarray
    cost: float
    kappa: float


@dataclass(frozen=True)
class Solution:
    """Net trades.

    Attributes
    ----------
    trade : ndarray of shape (P,)
        Share of V bought (> 0) or sold (< 0).
    status : ndarray of shape (R,)
        ``CONVERGED``, ``INFEASIBLE`` (the floor cannot be reached) or ``NOT_CONVERGED``.
    cash_price, turnover_price : ndarray of shape (R,)
        The two multipliers; turnover_price > 0 where the cap binds.
    """

    trade: np.ndarray
    status: np.ndarray
    cash_price: np.ndarray
    turnover_price: np.ndarray


def convex_segments(
    lot_start: np.ndarray, slope: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pool lots until each pair's slopes do not fall: the greatest convex curve below the tax curve.

    Parameters
    ----------
    lot_start : ndarray of shape (P + 1,)
    slope, width : ndarray of shape (M,)

    Returns
    -------
    start : ndarray of shape (P + 1,)
        First segment of each pair.
    slope, width : ndarray of shape (S,)
        S <= M segments.
    """
    out_slope, out_width = np.empty_like(slope), np.empty_like(width)
    start = _pool(lot_start, slope, width, out_slope, out_width)
    return start, out_slope[: start[-1]].copy(), out_width[: start[-1]].copy()


@njit(cache=True, nogil=True)
def _pool(lot_start, slope, width, out_slope, out_width):  # pragma: no cover - compiled
    pairs = len(lot_start) - 1
    start = np.zeros(pairs + 1, dtype=np.int64)
    top = 0
    for p in range(pairs):
        base = top
        for lot in range(lot_start[p], lot_start[p + 1]):
            out_slope[top], out_width[top] = slope[lot], width[lot]
            top += 1
            while top - base >= 2 and out_slope[top - 2] > out_slope[top - 1]:
                total = out_width[top - 2] + out_width[top - 1]
                tax = out_slope[top - 2] * out_width[top - 2] + out_slope[top - 1] * out_width[top - 1]
                out_slope[top - 2], out_width[top - 2] = tax / total, total
                top -= 1
        start[p + 1] = top
    return start


@njit(cache=True, nogil=True)
def _respond(
    lo, hi, branch, weight, target, seg, slope, width, cost, kappa, lam, mu, trade
):  # pragma: no cover
    """Best trade of each name at two prices; returns sold, bought and how many names are not at a bound."""
    sold = bought = 0.0
    free_sell = free_buy = 0
    accept = lam * (1.0 - cost) - cost - mu
    charge = (lam * (1.0 + cost) + cost + mu) / kappa
    for i in range(lo, hi):
        x = 0.0
        if branch[i] > 0:
            most = target[i] - weight[i]
            if most > 0.0:
                x = most - charge
                if x <= 0.0:
                    x = 0.0
                elif x >= most:
                    x = most
                else:
                    free_buy += 1
                bought += x
        elif branch[i] < 0:
            done = 0.0
            for j in range(seg[i], seg[i + 1]):
                goal = weight[i] - target[i] + (accept - slope[j]) / kappa
                if goal <= done:
                    break
                if goal < done + width[j]:
                    done = goal
                    free_sell += 1
                    break
                done += width[j]
            x = -done
            sold += done
        trade[i] = x
    return sold, bought, free_sell, free_buy


@njit(cache=True, nogil=True)
def _clear_cash(
    lo, hi, branch, weight, target, seg, slope, width, cost, kappa, mu, lam, ideal, least, trade
):  # pragma: no cover
    """Find the price of cash at which cash balances; returns it, sold, bought, the counts, and success."""
    low, high = lam, lam
    step = 0.5 * kappa + 1.0
    has_low = has_high = False
    sold = bought = 0.0
    free_sell = free_buy = free_cash = 0
    for _ in range(_MAX_STEPS):
        sold, bought, free_sell, free_buy = _respond(
            lo, hi, branch, weight, target, seg, slope, width, cost, kappa, lam, mu, trade
        )
        cash = ideal - lam / kappa
        free_cash = 1
        if cash <= least:
            cash = least
            free_cash = 0
        gap = cash - (1.0 - cost) * sold + (1.0 + cost) * bought
        if abs(gap) <= _RESIDUAL:
            return lam, sold, bought, free_sell, free_buy, free_cash, True
        if gap > 0.0:
            low, has_low = lam, True
        else:
            high, has_high = lam, True
        if has_low and has_high and high - low <= 1e-15 * (1.0 + abs(lam)):
            return lam, sold, bought, free_sell, free_buy, free_cash, abs(gap) <= 1e-9
        bend = (free_cash + (1.0 - cost) ** 2 * free_sell + (1.0 + cost) ** 2 * free_buy) / kappa
        proposal = lam + gap / bend if bend > 0.0 else np.nan
        if has_low and has_high:
            if not (low < proposal < high):
                proposal = 0.5 * (low + high)
        elif not has_high:
            if not (low < proposal <= low + step):
                proposal = low + step
            step *= 2.0
        else:
            if not (high - step <= proposal < high):
                proposal = high - step
            step *= 2.0
        lam = proposal
    return lam, sold, bought, free_sell, free_buy, free_cash, False


@njit(cache=True, nogil=True)
def _solve_one(
    lo, hi, branch, weight, target, seg, slope, width, cost, kappa, ideal, least, turnover, trade
):  # pragma: no cover
    """Both prices of one account; returns status, lambda, mu."""
    capacity = 0.0
    for i in range(lo, hi):
        if branch[i] < 0:
            for j in range(seg[i], seg[i + 1]):
                capacity += width[j]
    if least > (1.0 - cost) * capacity + 1e-12:
        trade[lo:hi] = 0.0
        return INFEASIBLE, 0.0, 0.0
    mu = lam = 0.0
    low, high = 0.0, -1.0
    for _ in range(_MAX_STEPS):
        lam, sold, bought, free_sell, free_buy, free_cash, settled = _clear_cash(
            lo, hi, branch, weight, target, seg, slope, width, cost, kappa, mu, lam, ideal, least, trade
        )
        if not settled:
            return NOT_CONVERGED, lam, mu
        excess = sold + bought - turnover
        if (mu == 0.0 and excess <= 1e-12) or abs(excess) <= 1e-12:
            return CONVERGED, lam, mu
        if excess > 0.0:
            low = mu
        else:
            high = mu
        if high >= 0.0 and high - low <= 1e-14 * (1.0 + high):
            # A flat stretch ends here: the upper end keeps the cap.
            mu = high
            lam, sold, bought, free_sell, free_buy, free_cash, settled = _clear_cash(
                lo, hi, branch, weight, target, seg, slope, width, cost, kappa, mu, lam, ideal, least, trade
            )
            return (CONVERGED if settled and sold + bought <= turnover + 1e-9 else NOT_CONVERGED), lam, mu
        bend = free_cash + (1.0 - cost) ** 2 * free_sell + (1.0 + cost) ** 2 * free_buy
        fall = 0.0
        if bend > 0.0:
            pull = ((1.0 - cost) * free_sell - (1.0 + cost) * free_buy) / bend
            fall = (free_sell * (1.0 - (1.0 - cost) * pull) + free_buy * (1.0 + (1.0 + cost) * pull)) / kappa
        proposal = mu + excess / fall if fall > 1e-12 else np.nan
        if high >= 0.0:
            if not (low < proposal < high):
                proposal = 0.5 * (low + high)
        elif not (low < proposal <= 4.0 * (low + kappa + 1.0)):
            proposal = 2.0 * low + 0.25 * kappa
        mu = proposal
    return NOT_CONVERGED, lam, mu


@njit(cache=True, nogil=True)
def _solve_all(
    start, branch, weight, target, seg, slope, width, cost, kappa, ideal, least, turnover, trade
):  # pragma: no cover
    accounts = len(start) - 1
    status = np.zeros(accounts, dtype=np.int64)
    lam, mu = np.zeros(accounts), np.zeros(accounts)
    for a in range(accounts):
        status[a], lam[a], mu[a] = _solve_one(
            start[a], start[a + 1], branch, weight, target, seg, slope, width, cost, kappa,
            ideal[a], least[a], turnover[a], trade,
        )  # fmt: skip
    return status, lam, mu


def solve(problem: Problem) -> Solution:
    """Solve every account.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    Solution
        Objective within 1e-6 of an interior-point solver's, usually 1e-12.
    """
    seg, slope, width = convex_segments(problem.lot_start, problem.lot_slope, problem.lot_width)
    trade = np.zeros(len(problem.branch))
    status, lam, mu = _solve_all(
        problem.start,
        problem.branch,
        problem.weight,
        problem.target,
        seg,
        slope,
        width,
        float(problem.cost),
        float(problem.kappa),
        problem.cash_target - problem.cash_weight,
        problem.floor - problem.cash_weight,
        problem.turnover,
        trade,
    )
    return Solution(trade, status, lam, mu)


def objective(problem: Problem, trade: np.ndarray) -> np.ndarray:
    """Objective of each account at given net trades, on the convex tax curve.

    Parameters
    ----------
    problem : Problem
    trade : ndarray of shape (P,)
        Share of V bought (> 0) or sold (< 0).

    Returns
    -------
    ndarray of shape (R,)
        Shares of V.
    """
    seg, slope, width = convex_segments(problem.lot_start, problem.lot_slope, problem.lot_width)
    account = np.repeat(np.arange(len(problem.start) - 1), np.diff(problem.start))
    owner = np.repeat(np.arange(len(trade)), np.diff(seg))
    before = np.cumsum(width) - width
    before = before - before[np.minimum(seg[owner], max(len(width) - 1, 0))] if len(width) else before
    sold = np.maximum(-trade, 0.0)
    bought = np.maximum(trade, 0.0)
    eaten = np.clip(sold[owner] - before, 0.0, width)

    def per_account(values: np.ndarray, index: np.ndarray = account) -> np.ndarray:
        return np.bincount(index, weights=values, minlength=len(problem.start) - 1)

    cash = problem.cash_weight + per_account((1 - problem.cost) * sold - (1 + problem.cost) * bought)
    drift = per_account((problem.weight + trade - problem.target) ** 2) + (cash - problem.cash_target) ** 2
    tax = per_account(slope * eaten, account[owner])
    return 0.5 * problem.kappa * drift + tax + problem.cost * per_account(sold + bought)
