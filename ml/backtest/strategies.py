"""The one interface of everything that decides: dates and state in, target weights out.

What belongs here: the protocol, what a decision may see, loading a user's function. What does not: the strategies
themselves (``baselines.py``, ``experts.py``), trades (``simulate.py``).
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np

from ml.backtest.lot_book import SHARE, LotBook, first_long_day
from ml.backtest.walk_forward import SCHEDULES
from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import CHANNELS
from ml.policy.account_state import AccountTax
from ml.policy.panels import AccountPanel, MarketPanel
from ml.policy.regime import regime_features
from ml.policy.state import year_fraction
from ml.types import OBJECTIVES

YEAR_SESSIONS: Final = 252
NO_OBJECTIVE: Final = "none"
WASH_DAYS: Final = 30
_MARKET: Final = CHANNELS.index("market")
# Of regime_features: the market's volatility over 63 sessions.
_VOLATILITY_63D: Final = 1
_TOLERANCE: Final = 1e-6


class StrategyError(ValueError):
    """A strategy that cannot be loaded, or weights that are none; the message names it and the session."""


@dataclass(frozen=True)
class DecisionState:
    """What is known at the close of a session. Nothing later can be reached from it.

    Attributes
    ----------
    dates : ndarray of shape (S,)
        Sessions up to and including the decision's, datetime64[D].
    asset_ids : tuple of str
        N assets.
    prices, returns_log : ndarray of shape (S, N)
        Closes and log total returns up to the decision; nan where missing.
    is_tradeable : ndarray of shape (N,)
        bool, at the decision.
    features : ndarray of shape (N, 50)
        The catalog's columns at the decision.
    market_log : ndarray of shape (S,)
        Log returns of the market.
    fill_date : datetime64[D]
        The next session, at which trades fill.
    weights : ndarray of shape (A, N + 1)
        Shares of each account's value before tax, cash last.
    value_usd : ndarray of shape (A,)
        Value before tax.
    objectives : tuple of str
        A names, ``none`` where the account has no objective.
    seeds : ndarray of shape (A,)
        int64, for strategies that draw.
    short_rate, long_rate : ndarray of shape (A,)
        Marginal rates beside the profile's other income.
    short_net_usd, long_net_usd : ndarray of shape (A,)
        Results of the year's sales so far, by the account's own lots: before wash sales, which the ledger alone knows;
        the profile's gains from elsewhere are in the long-term one.
    carryover_usd : ndarray of shape (A,)
        Losses carried in from the years before, >= 0; of a year that is not settled yet, an estimate.
    loss_limit_usd : ndarray of shape (A,)
        What of a year's losses lowers other income.
    book : LotBook
        Open lots of the A accounts.
    """

    dates: np.ndarray
    asset_ids: tuple[str, ...]
    prices: np.ndarray
    returns_log: np.ndarray
    is_tradeable: np.ndarray
    features: np.ndarray
    market_log: np.ndarray
    fill_date: np.datetime64
    weights: np.ndarray
    value_usd: np.ndarray
    objectives: tuple[str, ...]
    seeds: np.ndarray
    short_rate: np.ndarray
    long_rate: np.ndarray
    short_net_usd: np.ndarray
    long_net_usd: np.ndarray
    carryover_usd: np.ndarray
    loss_limit_usd: np.ndarray
    book: LotBook

    @property
    def date(self) -> date:
        """Session of the decision."""
        return self.dates[-1].astype(object)

    @property
    def is_locked(self) -> np.ndarray:
        """Whether a purchase at the fill would wash a loss realised within 30 days before it, (A, N)."""
        fill_day = int(self.fill_date.astype("datetime64[D]").astype(np.int64))
        return fill_day - self.book.last_loss_day <= WASH_DAYS

    @cached_property
    def market(self) -> MarketPanel:
        """The market as the analytic experts read it."""
        returns = self.returns_log[-YEAR_SESSIONS:]
        regime = regime_features(self.market_log, returns[:, self.is_tradeable])
        return MarketPanel.from_matrix(
            self.date,
            self.asset_ids,
            self.features.astype(np.float64),
            FEATURE_COLUMNS,
            returns,
            self.is_tradeable,
            float(regime[_VOLATILITY_63D]),
        )

    @cached_property
    def tax(self) -> AccountTax:
        """The tax state of the accounts as experts and policy read it: money in shares of value."""
        return AccountTax(
            short_rate=self.short_rate,
            long_rate=self.long_rate,
            short_net=self.short_net_usd / self.value_usd,
            long_net=self.long_net_usd / self.value_usd,
            carryover=self.carryover_usd / self.value_usd,
            loss_limit=self.loss_limit_usd / self.value_usd,
            year_fraction=float(year_fraction(self.fill_date)),
            is_locked=self.is_locked,
        )

    @cached_property
    def accounts(self) -> AccountPanel:
        """The accounts and their open lots as the analytic experts read them; terms are those of the fill."""
        lots = self.book.lots()
        price = self.prices[-1][lots["asset"]]
        value = lots["shares"] * (price / SHARE)
        fill_day = self.fill_date.astype("datetime64[D]").astype(np.int64)
        days_left = first_long_day(lots["day"]) - fill_day
        return AccountPanel(
            account_ids=tuple(str(i) for i in range(len(self.weights))),
            current_weights=self.weights,
            lot_account=lots["account"],
            lot_asset=lots["asset"],
            lot_weight=value / self.value_usd[lots["account"]],
            lot_gain_ratio=price / lots["basis"] - 1.0,
            lot_value_usd=value,
            lot_is_long_term=days_left <= 0,
            lot_days_to_long_term=days_left,
            is_tax_deferred=np.zeros(len(self.weights), bool),
        )


@runtime_checkable
class Strategy(Protocol):
    """What decides. Plain attributes and one method.

    Attributes
    ----------
    name : str
        Column value.
    schedule : str
        One of :data:`ml.backtest.walk_forward.SCHEDULES`.
    lot_method : str
        One of :data:`ml.backtest.lot_book.LOT_METHODS`.
    objectives : tuple of str
        Objectives that it knows (an account each), or ``("none",)``.
    seeds : tuple of int
        Seeds that it is run with, ``(0,)`` if it draws nothing.
    min_trade_ratio : float
        Trades below this share of an account's value are not made.
    """

    @property
    def name(self) -> str:
        """See the attributes."""
        ...

    @property
    def schedule(self) -> str:
        """See the attributes."""
        ...

    @property
    def lot_method(self) -> str:
        """See the attributes."""
        ...

    @property
    def objectives(self) -> tuple[str, ...]:
        """See the attributes."""
        ...

    @property
    def seeds(self) -> tuple[int, ...]:
        """See the attributes."""
        ...

    @property
    def min_trade_ratio(self) -> float:
        """See the attributes."""
        ...

    def targets(self, state: DecisionState) -> np.ndarray:
        """Decide.

        Parameters
        ----------
        state : DecisionState
            A accounts, N assets.

        Returns
        -------
        ndarray of shape (A, N + 1) or (N + 1,)
            Weights >= 0 that sum to 1, cash last; one row stands for all accounts; a row of nan trades nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class FunctionStrategy:
    """A plain function of the state as a strategy; see :class:`Strategy` for the attributes."""

    name: str
    function: Callable[[DecisionState], np.ndarray]
    schedule: str = "monthly"
    lot_method: str = "hifo"
    objectives: tuple[str, ...] = (NO_OBJECTIVE,)
    seeds: tuple[int, ...] = (0,)
    min_trade_ratio: float = 0.0

    def targets(self, state: DecisionState) -> np.ndarray:
        """Call the function."""
        return self.function(state)


def load_strategy(reference: str) -> Strategy:
    """Load ``module:name``: a strategy, a class or factory of one, or a function of the state.

    Parameters
    ----------
    reference : str
        ``package.module:name``. A function may carry the attributes ``schedule``, ``lot_method``, ``objectives``,
        ``seeds`` and ``min_trade_ratio``; a factory is marked by ``is_factory = True``.

    Raises
    ------
    StrategyError
        It cannot be imported, or is no strategy.
    """
    module_name, sign, name = reference.partition(":")
    if not sign or not module_name or not name:
        raise StrategyError(
            f"strategy {reference!r}: write module:function, for example my_package.rules:weights"
        )
    try:
        found: Any = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as problem:
        raise StrategyError(
            f"strategy {reference!r} cannot be loaded ({problem}): check the name and PYTHONPATH"
        ) from problem
    if isinstance(found, type) or getattr(found, "is_factory", False):
        found = found()
    if not isinstance(found, Strategy):
        if not callable(found):
            raise StrategyError(f"strategy {reference!r} is neither a function nor has a method targets")
        names = ("schedule", "lot_method", "objectives", "seeds", "min_trade_ratio")
        given = {key: getattr(found, key) for key in names if hasattr(found, key)}
        found = FunctionStrategy(reference, found, **given)  # pyright: ignore[reportArgumentType]
    check_strategy(found)
    return found


def check_strategy(strategy: Strategy) -> None:
    """Refuse a strategy whose attributes are not of the closed lists.

    Raises
    ------
    StrategyError
    """
    unknown = [o for o in strategy.objectives if o not in (*OBJECTIVES, NO_OBJECTIVE)]
    if strategy.schedule not in SCHEDULES:
        raise StrategyError(
            f"strategy {strategy.name!r} has schedule {strategy.schedule!r}: use {', '.join(SCHEDULES)}"
        )
    if strategy.lot_method not in ("hifo", "tax_order"):
        raise StrategyError(
            f"strategy {strategy.name!r} has lot_method {strategy.lot_method!r}: use hifo or tax_order"
        )
    if unknown or not strategy.objectives or not strategy.seeds:
        raise StrategyError(
            f"strategy {strategy.name!r} has objectives {strategy.objectives} and seeds {strategy.seeds}: use at "
            f"least one of each, objectives of {', '.join((*OBJECTIVES, NO_OBJECTIVE))}"
        )


def checked_targets(strategy: Strategy, state: DecisionState) -> np.ndarray:
    """Ask a strategy and check its answer.

    Returns
    -------
    ndarray of shape (A, N + 1)
        float64, rows normalised to sum to exactly 1 within rounding, or nan.

    Raises
    ------
    StrategyError
        Wrong shape, negative weights, sums other than 1, or weight on an asset that cannot be bought.
    """
    shape = state.weights.shape
    found = np.asarray(strategy.targets(state), dtype=np.float64)
    where = f"strategy {strategy.name!r} at {state.date}"
    if found.shape not in (shape, shape[1:]):
        raise StrategyError(f"{where}: weights have shape {found.shape}, expected {shape} or {shape[1:]}")
    found = np.array(np.broadcast_to(found, shape))
    acts = ~np.isnan(found).all(axis=1)
    rows = found[acts]
    bad = ~((rows >= -_TOLERANCE).all(axis=1) & (np.abs(rows.sum(axis=1) - 1.0) <= _TOLERANCE))
    if bad.any():
        row = rows[int(np.flatnonzero(bad)[0])]
        raise StrategyError(
            f"{where}: weights must be >= 0 and sum to 1; the smallest is {row.min()!r}, the sum {row.sum()!r}"
        )
    rows = np.maximum(rows, 0.0)
    closed = ~state.is_tradeable & (rows[:, :-1] > state.weights[acts][:, :-1] + _TOLERANCE)
    if closed.any():
        asset = state.asset_ids[int(np.argwhere(closed)[0][1])]
        raise StrategyError(
            f"{where}: buys {asset}, which cannot be traded; read state.is_tradeable and leave it at its weight"
        )
    found[acts] = rows / rows.sum(axis=1, keepdims=True)
    return found
