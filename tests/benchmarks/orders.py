"""Lot-level orders: accounts solved per second on one CPU thread, against cvxpy with Clarabel.

The same problems on both sides: 25 names, up to four lots each, a third of the accounts with a binding
turnover cap. cvxpy gets its best case, one parametrised problem that is compiled once and solved again
with each account's numbers. The second row leaves cvxpy's own overhead out and counts only the time
that Clarabel reports. Both sides' objectives are compared; a gap above 1e-6 is an error, not a row.
"""

import time
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

from ml.recommend.optimize import CONVERGED, Problem, objective, solve

ACCOUNTS, PEER_ACCOUNTS = 20_000, 200
NAMES, LOTS = 25, 4
COST, KAPPA = 0.001, 4.0
TOLERANCE = 1e-6


def random_problem(accounts: int, seed: int) -> Problem:
    """Accounts with every name either for sale, to buy or fixed; lots in the order of their tax."""
    rng = np.random.default_rng(seed)
    pairs = accounts * NAMES
    current, wanted = (rng.dirichlet(np.ones(NAMES + 1), accounts) for _ in range(2))
    weight, target = current[:, :-1].ravel(), wanted[:, :-1].ravel()
    branch = np.where(target > weight, 1, -1).astype(np.int8)
    branch[rng.random(pairs) < 0.2] = 0
    count = np.where(branch < 0, LOTS, 0)
    start = np.concatenate([[0], np.cumsum(count)])
    owner = np.repeat(np.arange(pairs), count)
    share = rng.dirichlet(np.ones(LOTS), len(owner) // LOTS).ravel()
    slope = np.sort(rng.uniform(-0.2, 0.25, (len(owner) // LOTS, LOTS)), axis=1).ravel()
    return Problem(
        start=np.arange(accounts + 1) * NAMES,
        branch=branch,
        weight=weight,
        target=target,
        lot_start=start,
        lot_slope=slope,
        lot_width=share * weight[owner],
        cash_weight=current[:, -1],
        cash_target=wanted[:, -1],
        floor=np.zeros(accounts),
        turnover=np.where(np.arange(accounts) % 3 == 0, 0.3, 2.0),
        cost=COST,
        kappa=KAPPA,
    )


@dataclass
class _Peer:
    """One parametrised cvxpy problem."""

    problem: cp.Problem
    gap: cp.Parameter
    room: cp.Parameter
    width: cp.Parameter
    slope: cp.Parameter
    cash_gap: cp.Parameter
    least: cp.Parameter
    turnover: cp.Parameter

    @classmethod
    def build(cls) -> "_Peer":
        """State the problem with every account's numbers as parameters."""
        gap, room = cp.Parameter(NAMES), cp.Parameter(NAMES, nonneg=True)
        width, slope = cp.Parameter((NAMES, LOTS), nonneg=True), cp.Parameter((NAMES, LOTS))
        cash_gap, least, turnover = cp.Parameter(), cp.Parameter(), cp.Parameter(nonneg=True)
        bought, eaten = cp.Variable(NAMES, nonneg=True), cp.Variable((NAMES, LOTS), nonneg=True)
        sold = cp.sum(eaten, axis=1)
        change = (1 - COST) * cp.sum(eaten) - (1 + COST) * cp.sum(bought)
        drift = cp.sum_squares(gap + bought - sold) + cp.square(cash_gap + change)
        traded = cp.sum(eaten) + cp.sum(bought)
        goal = KAPPA / 2 * drift + cp.sum(cp.multiply(slope, eaten)) + COST * traded
        limits: list[cp.Constraint] = [bought <= room, eaten <= width, change >= least, traded <= turnover]
        return cls(cp.Problem(cp.Minimize(goal), limits), gap, room, width, slope, cash_gap, least, turnover)

    def value(self, problem: Problem, a: int) -> tuple[float, float]:
        """Optimal objective of one account and the seconds that Clarabel reports."""
        names = slice(problem.start[a], problem.start[a + 1])
        gap = problem.weight[names] - problem.target[names]
        branch = problem.branch[names]
        lots = slice(problem.lot_start[names.start], problem.lot_start[names.stop])
        width, slope = np.zeros((NAMES, LOTS)), np.zeros((NAMES, LOTS))
        width[branch < 0] = problem.lot_width[lots].reshape(-1, LOTS)
        slope[branch < 0] = problem.lot_slope[lots].reshape(-1, LOTS)
        self.gap.value, self.room.value = gap, np.where(branch > 0, np.maximum(-gap, 0.0), 0.0)
        self.width.value, self.slope.value = width, slope
        self.cash_gap.value = problem.cash_weight[a] - problem.cash_target[a]
        self.least.value = problem.floor[a] - problem.cash_weight[a]
        self.turnover.value = problem.turnover[a]
        value = self.problem.solve(solver=cp.CLARABEL)
        seconds = self.problem.solver_stats.solve_time
        assert isinstance(value, float)
        assert seconds is not None
        return value, seconds


def run() -> list[dict[str, Any]]:
    """Time both sides; rows against cvxpy as it is used and against Clarabel's own time."""
    solve(random_problem(10, 1))  # compiles
    problem = random_problem(ACCOUNTS, 2)
    started = time.perf_counter()
    solution = solve(problem)
    ours = ACCOUNTS / (time.perf_counter() - started)
    if not (solution.status == CONVERGED).all():
        raise RuntimeError(
            f"{int((solution.status != CONVERGED).sum())} of {ACCOUNTS} accounts did not converge"
        )
    peer = _Peer.build()
    peer.value(problem, 0)  # compiles
    started = time.perf_counter()
    answers = np.array([peer.value(problem, a) for a in range(PEER_ACCOUNTS)])
    cvxpy_rate = PEER_ACCOUNTS / (time.perf_counter() - started)
    clarabel_rate = PEER_ACCOUNTS / answers[:, 1].sum()
    gap = float(np.abs(objective(problem, solution.trade)[:PEER_ACCOUNTS] - answers[:, 0]).max())
    if gap > TOLERANCE:
        raise RuntimeError(f"objectives differ by {gap:.1e} from cvxpy's, allowed are {TOLERANCE:.0e}")
    work = f"lot-level orders, {NAMES} names, up to {NAMES * LOTS} lots, one thread; largest objective gap {gap:.0e}"
    return [
        _row(f"{work}; peer: one compiled problem, solved per account", ours, "cvxpy", cvxpy_rate),
        _row(f"{work}; peer: the solver's own time alone", ours, "clarabel", clarabel_rate),
    ]


def _row(work: str, ours: float, peer: str, peer_value: float) -> dict[str, Any]:
    return {
        "name": "orders",
        "work": work,
        "ours": ours,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": ours / peer_value,
        "unit": "accounts/s",
        "skipped": None,
    }
