"""One strategy through one window for many accounts at once: decisions, fills, interest, taxes paid.

What belongs here: the order of events of a session, cash, the daily value of each account. What does not: the
arithmetic of a fill (``costs.py``), lots (``lot_book.py``), what is reported (``report_trial.py``).

A session: interest accrues on yesterday's cash; assets whose bars have ended pay out their last price; on the first
session from 15 April on the tax of the year before is paid, by sales in proportion if cash lacks (a saving is paid
in); then what was decided at the last close fills, at the open where it is known, else at the close; at the close
the strategy decides. Interest is credited on a month's last session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.costs import Fill, affordable, forced_sales, priced, wanted_trades
from ml.backtest.ledger import FORCED_SALE, PURCHASE, SALE, ExactBooks, TradeLog, run_exact
from ml.backtest.lot_book import LOT_METHODS, SHARE, TAX_ORDER, LotBook
from ml.backtest.panel import BacktestPanel
from ml.backtest.profiles import NO_TAX, PROFILES, TaxProfile, YearTax, marginal_rates, year_tax
from ml.backtest.results import TrialKey
from ml.backtest.strategies import DecisionState, Strategy, checked_targets
from ml.backtest.walk_forward import Window, decision_sessions
from ml.backtest.year_to_date import YearToDate
from ml.features.panel import CHANNELS
from ml.tax.rates import limits
from ml.tax.units import USD

TAX_MONTH_DAY: Final = (4, 15)
_MARKET: Final = CHANNELS.index("market")
_LONG_ONLY: Final = "long_term_gains_only"


class SimulationError(RuntimeError):
    """A path that cannot go on; the message names strategy, session and account."""


@dataclass(slots=True)
class Path:
    """What a simulation leaves; A accounts, S sessions of the window, Y calendar years.

    Attributes
    ----------
    value, turnover, cost, cash_weight, active_share : ndarray of shape (A, S)
        Market value and cash (USD), one-sided turnover and costs (USD) of the session, cash as a share of value,
        half the distance to equal weight.
    log : TradeLog
    interest : ndarray of shape (A, Y)
        int64, 1e-6 USD credited in each year.
    accrued_interest : ndarray of shape (A, S)
        USD of the running year so far, credited or not.
    years : ndarray of shape (Y,)
        int64.
    tax_paid : ndarray of shape (A, Y)
        int64, 1e-6 USD paid in each year (for the year before).
    settled : dict of int to list of YearTax
        By tax year that was paid, an entry per account.
    paid_session : dict of int to int
        Position of the session at which each tax year was paid.
    """

    value: np.ndarray
    turnover: np.ndarray
    cost: np.ndarray
    cash_weight: np.ndarray
    active_share: np.ndarray
    log: TradeLog
    interest: np.ndarray
    accrued_interest: np.ndarray
    years: np.ndarray
    tax_paid: np.ndarray
    settled: dict[int, list[YearTax]]
    paid_session: dict[int, int]


def simulate(strategy: Strategy, panel: BacktestPanel, window: Window, keys: Sequence[TrialKey]) -> Path:
    """Simulate a strategy in a window.

    Parameters
    ----------
    strategy : Strategy
    panel : BacktestPanel
        The assets that take part (:func:`ml.backtest.walk_forward.restrict`).
    window : Window
    keys : sequence of TrialKey
        One per account; window and strategy are the same in all.

    Returns
    -------
    Path

    Raises
    ------
    StrategyError, SimulationError, ml.backtest.ledger.LedgerError
    """
    run = _Run(strategy, panel, window, tuple(keys))
    decides = set(decision_sessions(panel.dates, window, strategy.schedule).tolist())
    for session in range(window.start, window.end + 1):
        if session > window.start:
            run.open_session(session)
        run.close_session(session, decides=session in decides)
    return run.path


class _Run:
    """The state of a simulation."""

    def __init__(
        self, strategy: Strategy, panel: BacktestPanel, window: Window, keys: tuple[TrialKey, ...]
    ) -> None:
        self.strategy, self.panel, self.window, self.keys = strategy, panel, window, keys
        self.profiles: list[TaxProfile] = [PROFILES[key.profile] for key in keys]
        accounts, assets, sessions = len(keys), len(panel.asset_ids), window.end - window.start + 1
        method = LOT_METHODS.index(strategy.lot_method)
        self.methods = np.full(accounts, method, np.int64)
        self.loss_limit_usd = np.array([limits(p.filing_status).capital_loss / USD for p in self.profiles])
        # Gains from elsewhere are part of every year: losses count against them first.
        self.outside_usd = np.array([float(p.outside_long_gain_usd) for p in self.profiles])
        is_bound = np.array([key.objective == _LONG_ONLY for key in keys])
        self.may_take_short_gains = ~is_bound | (method != TAX_ORDER)
        self.cost_ratio = np.array([key.cost_bp for key in keys]) / 10_000.0
        self.cash = np.array([p.start_usd * USD for p in self.profiles], np.int64)
        self.uncredited = np.zeros(accounts)
        self.book = LotBook(accounts, assets)
        self.pending: np.ndarray | None = None
        self.year_of = panel.dates.astype("datetime64[Y]").astype(np.int64) + 1970
        self.month_of = panel.dates.astype("datetime64[M]").astype(np.int64)
        self.year_to_date = YearToDate(int(self.year_of[window.start]), self.outside_usd, self.loss_limit_usd)
        years = np.arange(self.year_of[window.start], self.year_of[window.end] + 1)
        daily, yearly = (accounts, sessions), (accounts, len(years))
        self.path = Path(
            value=np.zeros(daily),
            turnover=np.zeros(daily),
            cost=np.zeros(daily),
            cash_weight=np.zeros(daily),
            active_share=np.zeros(daily),
            log=TradeLog(self.methods, assets),
            interest=np.zeros(yearly, np.int64),
            accrued_interest=np.zeros(daily),
            years=years,
            tax_paid=np.zeros(yearly, np.int64),
            settled={},
            paid_session={},
        )

    def open_session(self, session: int) -> None:
        """Everything of a session up to its close."""
        self.uncredited += self.cash * (self.panel.cash_return[session] / USD)
        self._pay_out(session)
        self._pay_tax(session)
        if self.pending is not None:
            self._fill(session, self.pending)
            self.pending = None
        if session == self.window.end or self.month_of[session] != self.month_of[session + 1]:
            credited = np.rint(self.uncredited * USD).astype(np.int64)
            self.cash += credited
            self.path.interest[:, self._year(session)] += credited
            self.uncredited[:] = 0.0

    def close_session(self, session: int, *, decides: bool) -> None:
        """Value the accounts and, if it is time, decide."""
        held_usd = self._held_usd(self.panel.price[session])
        value = held_usd.sum(axis=1) + self.cash / USD
        if (value <= 0).any():
            account = int(np.flatnonzero(value <= 0)[0])
            raise SimulationError(
                self._where(session, account) + f" is worth {value[account]:.2f} USD: nothing left"
            )
        place = session - self.window.start
        weights = np.column_stack([held_usd, np.maximum(self.cash, 0) / USD]) / value[:, None]
        self.path.value[:, place] = value + self.uncredited
        self.path.cash_weight[:, place] = weights[:, -1]
        tradeable = self.panel.is_tradeable[session]
        even = tradeable / max(int(tradeable.sum()), 1)
        distance = np.abs(weights[:, :-1] - even).sum(axis=1) + weights[:, -1]
        self.path.active_share[:, place] = 0.5 * distance
        self.path.accrued_interest[:, place] = (
            self.path.interest[:, self._year(session)] / USD + self.uncredited
        )
        if decides:
            self.pending = checked_targets(self.strategy, self._state(session, weights, value))

    def _state(self, session: int, weights: np.ndarray, value: np.ndarray) -> DecisionState:
        panel, past = self.panel, slice(0, session + 1)
        year = int(self.year_of[session])
        rates = np.array(
            [marginal_rates(p, k.law, year) for p, k in zip(self.profiles, self.keys, strict=True)]
        )
        short_net, long_net, carryover = self.year_to_date.now(year, self.path.settled)
        return DecisionState(
            dates=panel.dates[past],
            asset_ids=panel.asset_ids,
            prices=panel.price[past],
            returns_log=panel.return_log[past],
            is_tradeable=panel.is_tradeable[session],
            features=panel.features.features[session],
            market_log=panel.features.channels[past, 0, _MARKET],
            fill_date=panel.dates[session + 1],
            weights=weights / weights.sum(axis=1, keepdims=True),
            value_usd=value,
            objectives=tuple(key.objective for key in self.keys),
            seeds=np.array([key.seed for key in self.keys]),
            short_rate=rates[:, 0],
            long_rate=rates[:, 1],
            short_net_usd=short_net,
            long_net_usd=long_net + self.outside_usd,
            carryover_usd=carryover,
            loss_limit_usd=self.loss_limit_usd,
            book=self.book,
        )

    def _fill(self, session: int, target: np.ndarray) -> None:
        price = np.where(
            np.isfinite(self.panel.open[session]), self.panel.open[session], self.panel.price[session]
        )
        can_trade = self.panel.has_bar[session] & np.isfinite(price)
        sell, buy_usd = wanted_trades(
            self.book.held,
            self.cash,
            target,
            price,
            self.cost_ratio,
            can_trade,
            self.strategy.min_trade_ratio,
        )
        value = self._held_usd(price).sum(axis=1) + self.cash / USD
        sold = self._sell(session, SALE, sell, price, self.cost_ratio)
        bought = priced(affordable(buy_usd, self.cash, price, self.cost_ratio), price, self.cost_ratio)
        day = int(self.panel.days[session])
        rows = self.path.log.append(PURCHASE, day, bought.quantity, bought.paid)
        self.book.buy(bought.quantity, bought.paid / USD, day, rows)
        self.year_to_date.bought(rows, bought.quantity, bought.paid / USD, day)
        self.cash -= bought.paid.sum(axis=1)
        if (self.cash < 0).any():
            account = int(np.flatnonzero(self.cash < 0)[0])
            raise SimulationError(
                self._where(session, account) + f" has {self.cash[account]} micro-USD of cash"
            )
        self._note(session, bought, value)
        self._note(session, sold, value)

    def _sell(
        self, session: int, step: int, quantity: np.ndarray, price: np.ndarray, cost_ratio: np.ndarray
    ) -> Fill:
        """Sell at most the quantities, from the lots that the account's method chooses."""
        day = int(self.panel.days[session])
        net_price = np.nan_to_num(price)[None, :] * (1.0 - cost_ratio[:, None])
        may = self.may_take_short_gains | (step == FORCED_SALE)
        sold, chosen = self.book.sell(quantity, net_price, day, self.methods, may)
        fill = priced(sold, price, cost_ratio)
        self.path.log.append(step, day, fill.quantity, fill.received, chosen)
        year = int(self.year_of[session])
        self.year_to_date.sold(chosen, fill.quantity, fill.received / USD, day, year)
        self.cash += fill.received.sum(axis=1)
        return fill

    def _pay_out(self, session: int) -> None:
        """Assets whose bars have ended: the last price, free of cost."""
        ended = self.panel.is_gone[session] & (self.book.held > 0)
        if ended.any():
            quantity = np.where(ended, self.book.held, 0)
            value = self._held_usd(self.panel.price[session]).sum(axis=1) + self.cash / USD
            free = np.zeros_like(self.cost_ratio)
            self._note(
                session, self._sell(session, FORCED_SALE, quantity, self.panel.price[session], free), value
            )

    def _pay_tax(self, session: int) -> None:
        """On the first session from 15 April on: the tax of the year before, from cash or forced sales."""
        year = int(self.year_of[session]) - 1
        if year < self.year_of[self.window.start] or year in self.path.settled:
            return
        month, day = TAX_MONTH_DAY
        if self.panel.dates[session] < np.datetime64(f"{year + 1}-{month:02}-{day:02}"):
            return
        if all(profile.is_untaxed for profile in self.profiles):
            taxes = [NO_TAX] * len(self.profiles)
        else:
            exact = run_exact(self.path.log)
            taxes = taxes_of_year(exact, self.path, self.profiles, self.keys, [year])[year]
        due = np.array([tax.total for tax in taxes], np.int64)
        price = np.where(
            np.isfinite(self.panel.open[session]), self.panel.open[session], self.panel.price[session]
        )
        can_trade = self.panel.has_bar[session] & np.isfinite(price)
        quantity = forced_sales(self.book.held, due - self.cash, price, self.cost_ratio, can_trade)
        if quantity.any():
            value = self._held_usd(price).sum(axis=1) + self.cash / USD
            sold = self._sell(session, FORCED_SALE, quantity, price, self.cost_ratio)
            self._note(session, sold, value)
        self.cash -= due
        if (self.cash < 0).any():
            account = int(np.flatnonzero(self.cash < 0)[0])
            raise SimulationError(
                self._where(session, account) + f" cannot pay {due[account] / USD:.2f} USD of tax for {year}"
            )
        self.path.tax_paid[:, self._year(session)] = due
        self.path.settled[year], self.path.paid_session[year] = taxes, session

    def _note(self, session: int, fill: Fill, value: np.ndarray) -> None:
        place = session - self.window.start
        self.path.turnover[:, place] += 0.5 * fill.notional.sum(axis=1) / USD / value
        self.path.cost[:, place] += fill.cost.sum(axis=1) / USD

    def _held_usd(self, price: np.ndarray) -> np.ndarray:
        return self.book.held * (np.nan_to_num(price) / SHARE)

    def _year(self, session: int) -> int:
        return int(self.year_of[session] - self.path.years[0])

    def _where(self, session: int, account: int) -> str:
        return f"{self.strategy.name} at {self.panel.dates[session]}: account {self.keys[account]}"


def taxes_of_year(
    exact: ExactBooks,
    path: Path,
    profiles: Sequence[TaxProfile],
    keys: Sequence[TrialKey],
    years: Sequence[int],
) -> dict[int, list[YearTax]]:
    """What the portfolios add to the tax of each year, by account.

    Parameters
    ----------
    exact, path, profiles, keys
        Books, path and accounts.
    years : sequence of int
        Ascending; the year before the first must be settled, or none has results.
    """
    first, count = int(path.years[0]), len(path.years)
    short = exact.yearly(exact.recognised, ~exact.is_long, first, count)
    long = exact.yearly(exact.recognised, exact.is_long, first, count)
    found: dict[int, list[YearTax]] = {}
    for year in years:
        place, before = year - first, found.get(year - 1, path.settled.get(year - 1))
        found[year] = [
            year_tax(
                profile,
                keys[a].law,
                year,
                int(short[a, place]),
                int(long[a, place]),
                int(path.interest[a, place]),
                (0, 0) if before is None else (before[a].carry_short, before[a].carry_long),
            )
            for a, profile in enumerate(profiles)
        ]
    return found
