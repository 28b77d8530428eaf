"""Baselines that learn nothing: from cash and equal weight to mechanical tax-loss harvesting.

What belongs here: target weights of each baseline, and the registry by name. What does not: portfolios that
skfolio fits (``optimizers.py``), the analytic experts (``expert_strategies.py``), trades (``simulate.py``).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.lot_book import SHARE
from ml.backtest.strategies import NO_OBJECTIVE, DecisionState

MOMENTUM_TOP_SHARE: Final = 0.30
MOMENTUM_SESSIONS: Final = 252
MOMENTUM_SKIPPED: Final = 21
HARVEST_LOSS_RATIO: Final = 0.05
# At most this share of the assets is out of the portfolio at a time: otherwise a fall of all of them would put
# everything into the few that are left.
HARVEST_OUT_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Baseline:
    """Attributes that the baselines share; see :class:`ml.backtest.strategies.Strategy`."""

    name: str
    schedule: str = "monthly"
    lot_method: str = "hifo"
    objectives: tuple[str, ...] = (NO_OBJECTIVE,)
    seeds: tuple[int, ...] = (0,)
    min_trade_ratio: float = 0.0


class Cash(Baseline):
    """Everything in cash at the three-month rate."""

    def targets(self, state: DecisionState) -> np.ndarray:
        """All weight on cash."""
        return np.append(np.zeros(len(state.asset_ids)), 1.0)


class EqualWeight(Baseline):
    """The same weight for every asset that can be traded; what cannot keeps its weight."""

    def targets(self, state: DecisionState) -> np.ndarray:
        """1 / N of what the untradeable holdings leave."""
        return around_stuck(equal_weights(state), state)


class Momentum(Baseline):
    """The 30 % of assets with the highest return over 12 months without the last, equally weighted."""

    def targets(self, state: DecisionState) -> np.ndarray:
        """Equal weight over the winners; ties at the cut are all taken; cash without any history."""
        window = state.prices[-MOMENTUM_SESSIONS - 1 :]
        weights = np.zeros(len(state.asset_ids) + 1)
        if len(window) > MOMENTUM_SESSIONS:
            past = np.log(window[-MOMENTUM_SKIPPED - 1]) - np.log(window[0])
            usable = state.is_tradeable & np.isfinite(past)
            if usable.any():
                slots = max(1, int(np.ceil(MOMENTUM_TOP_SHARE * usable.sum())))
                score = np.where(usable, past, -np.inf)
                top = usable & (score >= np.sort(score)[-slots])
                weights[:-1] = top / top.sum()
        weights[-1] = 1.0 - weights[:-1].sum()
        return around_stuck(weights, state)


class Harvesting(Baseline):
    """Equal weight, and lots that lost at least 5 % are sold.

    At each decision the lots (highest basis first) whose price is at least 5 % below basis are sold, the largest losses
    first, as long as no more than a quarter of the assets is out. What was sold is not bought for 31 days:
    until then its money is spread evenly over the other assets (the replacement rule), after that the next
    rebalancing returns to equal weight. Small purchases by earlier rebalancing may lie within 30 days before a
    loss; the ledger disallows that part.
    """

    def targets(self, state: DecisionState) -> np.ndarray:
        """Targets by account; sells losses, spreads the proceeds."""
        weights = state.weights[:, :-1]
        loss = self._within_limit(*self._losses(state), state)
        base = equal_weights(state)[:-1]
        closed = state.is_locked | (loss > 0) | ~state.is_tradeable[None, :]
        kept = np.where(state.is_tradeable, np.minimum(weights - loss, base), weights)
        kept = np.where(closed, np.maximum(kept, 0.0), 0.0)
        free = (~closed).sum(axis=1)
        share = np.where(free > 0, (1.0 - kept.sum(axis=1)) / np.maximum(free, 1), 0.0)
        targets = np.where(closed, kept, share[:, None])
        return np.column_stack([targets, np.maximum(1.0 - targets.sum(axis=1), 0.0)])

    @staticmethod
    def _within_limit(weight: np.ndarray, loss_usd: np.ndarray, state: DecisionState) -> np.ndarray:
        """Keep the assets with the largest losses, as many as may be out beside those that are."""
        is_out = state.is_locked & state.is_tradeable
        room = int(np.floor(HARVEST_OUT_SHARE * state.is_tradeable.sum())) - is_out.sum(axis=1)
        order = np.argsort(np.argsort(-loss_usd, axis=1, kind="stable"), axis=1, kind="stable")
        # A locked asset counts already: selling more of it takes no further place.
        counted = np.where(is_out, loss_usd.shape[1], order)
        rank = np.argsort(np.argsort(counted, axis=1, kind="stable"), axis=1, kind="stable")
        return np.where(is_out | (rank < room[:, None]), weight, 0.0)

    @staticmethod
    def _losses(state: DecisionState) -> tuple[np.ndarray, np.ndarray]:
        """Weight, and loss in USD, of the lots that lost at least 5 %; (A, N) each."""
        lots = state.book.lots()
        price = state.prices[-1][lots["asset"]]
        lost = (price <= (1.0 - HARVEST_LOSS_RATIO) * lots["basis"]) & state.is_tradeable[lots["asset"]]
        shape = state.weights[:, :-1].shape
        flat = (lots["account"] * shape[1] + lots["asset"])[lost]
        shares = lots["shares"][lost] / SHARE
        value, loss = shares * price[lost], shares * (lots["basis"] - price)[lost]
        weight, loss = (
            np.bincount(flat, weights=x, minlength=shape[0] * shape[1]).reshape(shape) for x in (value, loss)
        )
        return np.minimum(weight / state.value_usd[:, None], state.weights[:, :-1]), loss


def equal_weights(state: DecisionState) -> np.ndarray:
    """1 / N over what can be traded, cash last; all cash where nothing can; shape (N + 1,)."""
    count = int(state.is_tradeable.sum())
    weights = np.append(state.is_tradeable / max(count, 1), 0.0)
    weights[-1] = 0.0 if count else 1.0
    return weights


def around_stuck(portfolio: np.ndarray, state: DecisionState) -> np.ndarray:
    """Scale a portfolio (N + 1,) to what each account's untradeable holdings leave; (A, N + 1)."""
    stuck = np.where(np.append(state.is_tradeable, True), 0.0, state.weights)
    return stuck + (1.0 - stuck.sum(axis=1, keepdims=True)) * portfolio
