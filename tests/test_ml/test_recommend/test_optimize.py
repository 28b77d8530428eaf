"""The compiled solver against cvxpy and against the definition of its tax curve."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.recommend.optimize import CONVERGED, INFEASIBLE, Problem, convex_segments, objective, solve

COST, KAPPA = 0.001, 4.0


def random_problem(rng: np.random.Generator, accounts: int, names: int) -> Problem:
    """Accounts of very different tightness; lots already in convex order."""
    pairs = accounts * names
    current, wanted = (rng.dirichlet(np.full(names + 1, 0.6), accounts) for _ in range(2))
    weight, target = current[:, :-1].ravel(), wanted[:, :-1].ravel()
    branch = np.where(target > weight, 1, -1).astype(np.int8)
    branch[rng.random(pairs) < 0.25] = 0
    count = np.where(branch < 0, rng.integers(0, 6, pairs), 0)
    start = np.concatenate([[0], np.cumsum(count)])
    owner = np.repeat(np.arange(pairs), count)
    width = rng.random(len(owner)) + 0.02
    width *= weight[owner] / np.bincount(owner, weights=width, minlength=pairs)[owner]
    slope = rng.uniform(-0.25, 0.3, len(owner))
    slope = slope[np.lexsort((slope, owner))]
    capacity = (1 - COST) * np.bincount(owner // names, weights=width, minlength=accounts)
    floor = rng.uniform(0.0, 1.0, accounts) * (current[:, -1] + 0.9 * capacity)
    floor = np.where(rng.random(accounts) < 0.5, np.minimum(floor, current[:, -1]), floor)
    need = np.maximum(floor - current[:, -1], 0.0) / (1 - COST)
    turnover = np.maximum(rng.choice([2.0, 0.3, 0.1], accounts), 1.02 * need)
    offsets = np.arange(accounts + 1) * names
    return Problem(
        offsets,
        branch,
        weight,
        target,
        start,
        slope,
        width,
        current[:, -1],
        wanted[:, -1],
        floor,
        turnover,
        COST,
        KAPPA,
    )


def cvxpy_value(problem: Problem, a: int) -> float:
    """One account, stated lot by lot."""
    lo, hi = problem.start[a], problem.start[a + 1]
    first, last = problem.lot_start[lo], problem.lot_start[hi]
    owner = np.repeat(np.arange(hi - lo), np.diff(problem.lot_start[lo : hi + 1]))
    bought = cp.Variable(hi - lo, nonneg=True)
    eaten = cp.Variable(max(last - first, 1), nonneg=True)
    width, slope = problem.lot_width[first:last], problem.lot_slope[first:last]
    if last == first:
        owner, width, slope = np.array([0]), np.array([0.0]), np.array([0.0])
    sold = (np.arange(hi - lo)[:, None] == owner[None, :]).astype(float) @ eaten
    change = (1 - COST) * cp.sum(sold) - (1 + COST) * cp.sum(bought)
    cash = problem.cash_weight[a] + change
    drift = cp.sum_squares(problem.weight[lo:hi] + bought - sold - problem.target[lo:hi])
    cost = COST * (cp.sum(sold) + cp.sum(bought))
    goal = KAPPA / 2 * (drift + cp.square(cash - problem.cash_target[a])) + slope @ eaten + cost
    room = np.maximum(problem.target[lo:hi] - problem.weight[lo:hi], 0.0) * (problem.branch[lo:hi] > 0)
    limits = [
        eaten <= width,
        bought <= room,
        cash >= problem.floor[a],
        cp.sum(sold) + cp.sum(bought) <= problem.turnover[a],
    ]
    return float(cp.Problem(cp.Minimize(goal), limits).solve(solver=cp.CLARABEL))


def test_objective_equals_cvxpy_on_random_accounts() -> None:
    """60 accounts, some with a binding cash floor, some with a binding turnover cap: within 1e-6."""
    problem = random_problem(np.random.default_rng(7), 60, 12)
    solution = solve(problem)
    assert (solution.status == CONVERGED).all()
    assert (solution.turnover_price > 0).sum() >= 10
    ours = objective(problem, solution.trade)
    cash = _cash_after(problem, solution.trade)
    assert (np.abs(cash - problem.floor) < 1e-9).sum() >= 10
    peers = np.array([cvxpy_value(problem, a) for a in range(60)])
    assert np.abs(ours - peers).max() <= 1e-6


def _cash_after(problem: Problem, trade: np.ndarray) -> np.ndarray:
    account = np.repeat(np.arange(len(problem.start) - 1), np.diff(problem.start))
    flow = np.where(trade < 0, -(1 - COST) * trade, -(1 + COST) * trade)
    return problem.cash_weight + np.bincount(account, weights=flow, minlength=len(problem.start) - 1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), names=st.integers(1, 30))
def test_constraints_hold_and_no_account_moves_another(seed: int, names: int) -> None:
    """Feasible to 1e-9, and an account solved alone has the same trades to the last bit."""
    problem = random_problem(np.random.default_rng(seed), 5, names)
    solution = solve(problem)
    assert (solution.status == CONVERGED).all()
    account = np.repeat(np.arange(5), names)
    assert (_cash_after(problem, solution.trade) >= problem.floor - 1e-9).all()
    assert (np.bincount(account, weights=np.abs(solution.trade)) <= problem.turnover + 1e-9).all()
    sellable = np.add.reduceat(np.append(problem.lot_width, 0.0), problem.lot_start[:-1])
    sellable = np.where(np.diff(problem.lot_start) > 0, sellable, 0.0)
    assert (-solution.trade <= sellable + 1e-12).all()
    assert (solution.trade <= np.maximum(problem.target - problem.weight, 0.0) + 1e-12).all()
    assert (solution.trade[problem.branch == 0] == 0.0).all()
    lo, hi = problem.start[2], problem.start[3]
    first, last = problem.lot_start[lo], problem.lot_start[hi]
    alone = Problem(
        np.array([0, names]), problem.branch[lo:hi], problem.weight[lo:hi], problem.target[lo:hi],
        problem.lot_start[lo : hi + 1] - first, problem.lot_slope[first:last], problem.lot_width[first:last],
        problem.cash_weight[2:3], problem.cash_target[2:3], problem.floor[2:3], problem.turnover[2:3], COST, KAPPA,
    )  # fmt: skip
    assert np.array_equal(solve(alone).trade, solution.trade[lo:hi])


def test_unreachable_floor_is_infeasible_and_trades_nothing() -> None:
    """A floor above cash plus everything that can be sold is named, not approximated."""
    problem = random_problem(np.random.default_rng(3), 1, 4)
    impossible = Problem(**{**vars(problem), "floor": np.array([1.5])})
    solution = solve(impossible)
    assert solution.status[0] == INFEASIBLE
    assert (solution.trade == 0.0).all()


@settings(max_examples=60, deadline=None)
@given(
    lots=st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.01, 1.0)), min_size=1, max_size=8),
)
def test_segments_are_the_greatest_convex_curve_below_the_lots(lots: list[tuple[float, float]]) -> None:
    """Convex, never above the true curve, touching it at every end of a segment."""
    slope, width = (np.array(column) for column in zip(*lots, strict=True))
    start, pooled, spans = convex_segments(np.array([0, len(lots)]), slope, width)
    assert (np.diff(pooled) >= -1e-12).all()
    ends = np.concatenate([[0.0], np.cumsum(width)])
    true = np.concatenate([[0.0], np.cumsum(slope * width)])
    knots = np.concatenate([[0.0], np.cumsum(spans)])
    hull = np.concatenate([[0.0], np.cumsum(pooled * spans)])
    assert start[-1] == len(pooled)
    assert np.interp(ends, knots, hull) == pytest.approx(
        np.minimum(np.interp(ends, knots, hull), true), abs=1e-9
    )
    assert np.interp(knots, ends, true) == pytest.approx(hull, abs=1e-9)
