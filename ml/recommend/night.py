"""The night: every account's recommendation, chunk by chunk of whole households.

What belongs here: the order of the steps and the portfolio rows. What does not: any step's rule.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl

from ml.policy.objectives import long_term_gains_only_in_force
from ml.policy.serve import PolicyServer
from ml.recommend.book import Book, build_book, dense_weights
from ml.recommend.branches import Branches, build_problem, choose_branches, harvest_pairs
from ml.recommend.candidates import Pairs, cash_reserve, choose_pairs, excluded_matrix
from ml.recommend.decisions import find_target_dates
from ml.recommend.frames import Solved, order_rows, weight_rows
from ml.recommend.horizon import cap_by_horizon
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.locks import order_sale_lots, wash_windows
from ml.recommend.market import Universe
from ml.recommend.optimize import CONVERGED, Problem, Solution, objective, solve
from ml.recommend.portfolios import no_account_rows, portfolio_rows
from ml.recommend.rounding import Orders, round_orders
from ml.recommend.schema import ORDERS_SCHEMA, PORTFOLIO_SCHEMA, SHORT_GAINS_LAST, WEIGHTS_SCHEMA, NightResult
from ml.recommend.settle import UNSETTLED, UnitTaxes, settle
from ml.recommend.status import Rates, account_statuses, marginal_rates
from ml.recommend.targets import TargetFunction, TargetMaker, policy_mix
from ml.types import OBJECTIVES, TAX_DEFERRED_ACCOUNT_TYPES


def recommend_night(
    inputs: NightInputs,
    settings: RecommendSettings | None = None,
    targets_of: TargetFunction | None = None,
    policy: PolicyServer | None = None,
) -> NightResult:
    """Recommend weights and lot-level orders for every account.

    Pure and deterministic: equal inputs and settings give byte-identical frames, whatever the size
    of the chunks.

    Parameters
    ----------
    inputs : NightInputs
        See there.
    settings : RecommendSettings, optional
        Defaults if absent.
    targets_of : callable, optional
        ``(MarketPanel, AccountPanel) -> [A, 4, N + 1]`` in place of the analytic experts.
    policy : PolicyServer, optional
        The trained policy; without it, or where it cannot decide, the experts do.

    Returns
    -------
    NightResult
        Frames with exactly the columns and types of ``schema.py``, sorted by key. Not yet checked:
        call :func:`ml.recommend.guardrails.require_guardrails` before a write.

    Raises
    ------
    ValueError
        If ``inputs.as_of_date`` is not among the sessions.
    """
    settings = settings or RecommendSettings()
    sessions = inputs.week_sessions
    universe = Universe.build(inputs, sessions)
    maker = TargetMaker(inputs, universe, settings, policy, targets_of)
    parts: tuple[list[pl.DataFrame], ...] = ([], [], [])
    for chunk in _chunks(inputs, sessions, settings):
        for part, frame in zip(
            parts, _recommend_chunk(inputs, settings, universe, maker, chunk), strict=True
        ):
            part.append(frame)
    parts[0].append(no_account_rows(inputs, settings))
    keys = (["account_id"], ["account_id", "asset_id"], ["account_id", "asset_id", "lot_id"])
    schemas = (PORTFOLIO_SCHEMA, WEIGHTS_SCHEMA, ORDERS_SCHEMA)
    frames = [
        pl.concat([pl.DataFrame(schema=schema), *part]).sort(key).rechunk()
        for part, key, schema in zip(parts, keys, schemas, strict=True)
    ]
    return NightResult(*frames)


@dataclass(frozen=True)
class _Chunk:
    """Whole households: accounts with position ``a``, and their ledger state per session."""

    accounts: pl.DataFrame
    lots: dict[date, pl.DataFrame]
    cash: dict[date, pl.DataFrame]


def _chunks(inputs: NightInputs, sessions: list[date], settings: RecommendSettings) -> Iterator[_Chunk]:
    """Cut the accounts into chunks at borders of households."""
    deferred = pl.col("account_type").is_in(TAX_DEFERRED_ACCOUNT_TYPES)
    accounts = inputs.accounts.with_columns(
        pl.coalesce("household_id", "user_id").alias("household_id"), deferred.alias("is_tax_deferred")
    ).sort("household_id", "account_id")
    if accounts.is_empty():
        return
    first_of_household = pl.int_range(pl.len()).first().over("household_id")
    accounts = accounts.with_columns((first_of_household // settings.chunk_accounts).alias("chunk"))
    label = accounts.select("account_id", "chunk")
    lots = inputs.lots.filter(pl.col("state_date").is_in(sessions)).join(label, on="account_id")
    cash = inputs.cash.filter(pl.col("state_date").is_in(sessions)).join(label, on="account_id")
    lots_of = lots.partition_by("chunk", "state_date", as_dict=True, include_key=True)
    cash_of = cash.partition_by("chunk", "state_date", as_dict=True, include_key=True)
    for (number,), rows in accounts.partition_by("chunk", as_dict=True, maintain_order=True).items():
        numbered = rows.drop("chunk").with_row_index("a").with_columns(pl.col("a").cast(pl.Int64))
        yield _Chunk(
            numbered,
            {s: lots_of.get((number, s), lots.clear()).drop("chunk") for s in sessions},
            {s: cash_of.get((number, s), cash.clear()).drop("chunk") for s in sessions},
        )


def _recommend_chunk(
    inputs: NightInputs, settings: RecommendSettings, universe: Universe, maker: TargetMaker, chunk: _Chunk
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Portfolio, weight and order rows of one chunk."""
    as_of, accounts = inputs.as_of_date, chunk.accounts
    book = build_book(accounts, chunk.lots[as_of], chunk.cash[as_of], universe, as_of)
    decided = find_target_dates(
        accounts,
        pl.concat(chunk.lots.values()),
        pl.concat(chunk.cash.values()),
        inputs.prices,
        inputs.constraints,
        list(chunk.lots),
        settings,
    )
    accounts = accounts.with_columns(decided["target_date"], decided["trigger"])
    mix, has_mix = policy_mix(accounts, inputs.mixes)
    rates = marginal_rates(accounts, inputs, settings)
    status, reason = account_statuses(accounts, inputs, book, has_mix, rates, settings)
    rows = np.flatnonzero(status == "ok")
    long_only = _no_short_gains(inputs, accounts, mix)
    found = maker.targets(accounts, rows, mix, long_only, rates, chunk.lots, chunk.cash)
    broken = rows[~_is_portfolio(found.weights[rows])]
    status[broken], reason[broken] = (
        "error",
        "the target is not a portfolio (negative, or not 1 in sum)",
    )
    targets = cap_by_horizon(found.weights, rows, accounts, inputs, universe, settings)
    solved, notes = _solve(
        inputs, settings, universe, accounts, book, targets, mix, long_only, rates, status, reason
    )
    weights, orders = weight_rows(solved, settings), order_rows(solved)
    for note in (found.notes, rates.notes, notes):
        reason = np.where((status == "ok") & (note != ""), reason + note, reason)
    portfolios = portfolio_rows(inputs, settings, accounts, status, reason, mix, has_mix, found, solved)
    return portfolios, weights, orders


def _no_short_gains(inputs: NightInputs, accounts: pl.DataFrame, mix: np.ndarray) -> np.ndarray:
    """Say which accounts may not choose to realise a short-term gain; bool of shape (A,)."""
    avoid = accounts.select("user_id").join(
        inputs.constraints.select("user_id", "avoid_short_term_gains"),
        on="user_id",
        how="left",
        maintain_order="left",
    )["avoid_short_term_gains"]
    return long_term_gains_only_in_force(
        np.nan_to_num(mix),
        avoid.cast(pl.Boolean).fill_null(False).to_numpy(),
        accounts["is_tax_deferred"].to_numpy(),
    )


def _is_portfolio(targets: np.ndarray) -> np.ndarray:
    """Rows that are finite, >= 0 and sum to 1 within 1e-6."""
    with np.errstate(invalid="ignore"):
        return (
            np.isfinite(targets).all(axis=1)
            & (targets >= 0).all(axis=1)
            & (np.abs(targets.sum(axis=1) - 1) <= 1e-6)
        )


def _solve(
    inputs: NightInputs,
    settings: RecommendSettings,
    universe: Universe,
    accounts: pl.DataFrame,
    book: Book,
    targets: np.ndarray,
    mix: np.ndarray,
    long_only: np.ndarray,
    rates: Rates,
    status: np.ndarray,
    reason: np.ndarray,
) -> tuple[Solved, np.ndarray]:
    """Steps 1 to 3 for the accounts with status ok; marks those that fail, returns notes per account."""
    as_of, n_assets = inputs.as_of_date, len(universe.asset_ids)
    deferred = accounts["is_tax_deferred"].to_numpy()
    reserve = cash_reserve(accounts, inputs.constraints, book.value, as_of, settings)
    excluded = excluded_matrix(accounts, inputs.constraints, universe)
    homes = accounts.select(pl.col("household_id").unique(maintain_order=True)).with_row_index("h")
    home = accounts.join(homes, on="household_id", maintain_order="left")["h"].to_numpy().astype(np.int64)
    windows = wash_windows(inputs.wash_windows, homes, universe, as_of, settings.wash_window_days)
    weights = dense_weights(book, n_assets)
    held = np.zeros((len(accounts), n_assets), dtype=bool)
    held[book.lot_account[book.lot_asset >= 0], book.lot_asset[book.lot_asset >= 0]] = True

    harvesting = np.nan_to_num(mix).argmax(axis=1) == OBJECTIVES.index("tax_loss_harvesting")

    def attempt(short_rate: np.ndarray, long_rate: np.ndarray) -> _Attempt:
        """Steps 1 to 3 at given rates; accounts that fail are left out and the others solved again."""
        outcome, why = status.copy(), reason.copy()
        while True:
            rows = np.flatnonzero(outcome == "ok")
            pairs = choose_pairs(
                weights[rows], held[rows], targets[rows], excluded[rows], reserve[rows] / book.value[rows],
                universe, as_of, settings,
            )  # fmt: skip
            pair_of_lot = _pair_of_lot(book, rows, pairs, n_assets)
            recent = (pair_of_lot >= 0) & windows.bought[home[book.lot_account], book.lot_asset]
            lots = order_sale_lots(
                book, pair_of_lot, len(pairs.asset), accounts["lot_method"].to_numpy(), short_rate, long_rate,
                deferred, long_only, recent,
            )  # fmt: skip
            harvest = harvest_pairs(pairs, lots, book, harvesting[rows], settings)
            branches = choose_branches(
                pairs, lots, windows, home[rows], universe.is_wash_exempt, harvest, settings
            )
            problem = build_problem(pairs, lots, branches, settings)
            solution = solve(problem)
            orders = round_orders(
                solution, pairs, lots, branches, book, rows, universe.price[as_of][pairs.asset],
                accounts["is_fractional"].to_numpy()[rows], deferred[rows], settings,
            )  # fmt: skip
            if not _mark_failures(rows, branches, solution, orders, outcome, why):
                break
        ids = accounts["account_id"].to_numpy().astype(object)[rows]
        solved = Solved(as_of, ids, rows, universe, book, pairs, lots, branches, solution, orders)
        return _Attempt(solved, problem, outcome, why)

    result, unsettled = settle(attempt, rates, UnitTaxes.build(accounts, inputs), settings)
    status[:], reason[:] = result.status, result.reason
    return result.solved, _notes(result.solved, unsettled)


@dataclass(frozen=True)
class _Attempt:
    """Orders of the accounts at given rates, and what they mean for the rates."""

    solved: Solved
    problem: Problem
    status: np.ndarray
    reason: np.ndarray

    @property
    def short_gain(self) -> np.ndarray:
        """Short-term gains less losses per account; int64, 1e-6 USD."""
        return self._gains(is_long_term=False)

    @property
    def long_gain(self) -> np.ndarray:
        """Long-term gains less losses per account; int64, 1e-6 USD."""
        return self._gains(is_long_term=True)

    @property
    def burden(self) -> np.ndarray:
        """Drift and cost per account without tax, USD."""
        untaxed = replace(self.problem, lot_slope=np.zeros_like(self.problem.lot_slope))
        spread = np.zeros(len(self.status))
        rows = self.solved.rows
        spread[rows] = objective(untaxed, self.solved.solution.trade) * self.solved.book.value[rows]
        return spread

    def _gains(self, *, is_long_term: bool) -> np.ndarray:
        lots, orders = self.solved.lots, self.solved.orders
        chosen = lots.is_long_term[orders.lot] == is_long_term
        total = np.zeros(len(self.status), dtype=np.int64)
        np.add.at(total, lots.account[orders.lot[chosen]], orders.piece_gain[chosen])
        return total


def _notes(solved: Solved, unsettled: np.ndarray) -> np.ndarray:
    """What a portfolio's reason says beside its target, per account; empty if nothing."""
    notes = np.full(len(unsettled), "", dtype=object)
    branches, value = solved.branches, solved.book.value
    for i, row in enumerate(solved.rows):
        if branches.level[i] > 0:
            last = f", {SHORT_GAINS_LAST}" if branches.level[i] == 2 else ""
            missing = branches.shortfall[i] * value[row]
            short = f", {missing:.2f} USD short of the reserve" if missing >= 0.01 else ""
            notes[row] += f"; involuntary sales raise cash{last}{short}"
        if unsettled[row]:
            notes[row] += f"; {UNSETTLED}"
    return notes


def _mark_failures(
    rows: np.ndarray,
    branches: Branches,
    solution: Solution,
    orders: Orders,
    status: np.ndarray,
    reason: np.ndarray,
) -> bool:
    """Mark accounts that could not be served; True if there are any (the others are solved again).

    They are solved again because what a failed account would have sold may lock its household.
    """
    debt = (branches.floor < -1e-12) | (orders.cash_after < 0)
    status[rows[debt]] = "restricted"
    reason[rows[debt]] = "the cash debt cannot be repaid by whole orders that wash no loss"
    stuck = (solution.status != CONVERGED) & ~debt
    for i in np.flatnonzero(stuck):
        status[rows[i]] = "error"
        reason[rows[i]] = f"the order problem ended with solver status {int(solution.status[i])}"
    return bool(debt.any() or stuck.any())


def _pair_of_lot(book: Book, rows: np.ndarray, pairs: Pairs, n_assets: int) -> np.ndarray:
    """Pair of each lot of the book; -1 for lots of accounts that are not solved."""
    position = np.full(len(book.cash), -1, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    key = pairs.account * n_assets + pairs.asset
    owner = position[book.lot_account]
    inside = (owner >= 0) & (book.lot_asset >= 0)
    found = np.searchsorted(key, owner * n_assets + book.lot_asset)
    return np.where(inside, found, -1)
