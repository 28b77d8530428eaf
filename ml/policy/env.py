"""The batched tax-lot environment: B portfolios trade weekly, with costs, lots, wash sales and tax years.

What belongs here: who owns the state, what a step takes and gives. What does not: the step's arithmetic
(``kernels/``: numba on the CPU, one CUDA kernel on a GPU, equal to rounding), the market's preparation
(``env_market.py``).

A step: dividends of what is held, deposits, withdrawals and tax due; sales at the fill (delisted assets pay out,
then what the target asks, then what cash needs), highest basis first as ``hifo`` of the exact ledger; purchases
with what is left; year end; cash earns its return; valuation at the next decision's close. Whatever a target
asks, cash never falls below 0.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch

from ml.policy.env_config import EnvConfig, PortfolioParams
from ml.policy.env_market import MarketRows, holders_of
from ml.policy.kernels import layout as c
from ml.policy.kernels.backend import Kernel, kernel_for
from ml.policy.market_window import MarketWindow
from ml.policy.state import PortfolioState


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step gives back.

    Attributes
    ----------
    state : PortfolioState
        At the next decision.
    reward : Tensor of shape (B, 6)
        In the order of :data:`ml.types.OBJECTIVES`.
    info : dict of str to Tensor of shape (B,)
        In units of the initial value: turnover ((bought + sold) / 2, a share of the value before),
        short_realized and long_realized (net results of the week before disallowance), loss, disallowed,
        credited (tax value of the losses realised and allowed), tax_paid (< 0: refund), involuntary (value
        of forced sales and payouts), cost, flow (deposits less withdrawals after any cut), dividends, wealth
        (after tax) and pretax_value at the next decision.
    """

    state: PortfolioState
    reward: torch.Tensor
    info: dict[str, torch.Tensor]


class LotBook(NamedTuple):
    """Lots of the moment: ``shares`` (0: a free slot), ``basis`` per share and ``day``, each (B, N, K)."""

    shares: torch.Tensor
    basis: torch.Tensor
    day: torch.Tensor


class TaxAccount(NamedTuple):
    """The running year of B portfolios; (B,) each.

    Attributes
    ----------
    short_net, long_net : Tensor
        Results realised this year, disallowed losses left out.
    short_carry, long_carry : Tensor
        Losses carried in, >= 0.
    dividends : Tensor
        Received this year, taxed at its end.
    tax_due : Tensor
        Tax of closed years not yet paid; negative: a refund.
    """

    short_net: torch.Tensor
    long_net: torch.Tensor
    short_carry: torch.Tensor
    long_carry: torch.Tensor
    dividends: torch.Tensor
    tax_due: torch.Tensor


class LotValues(NamedTuple):
    """What of each position its lots allow, in shares of the value before tax; (B, N) each.

    Attributes
    ----------
    harvestable : Tensor
        Lots with a loss of at least 5 % of cost and 50 USD; 0 in tax-deferred accounts.
    free : Tensor
        Lots whose sale realises no short-term gain: losses and long-term lots; all lots in tax-deferred
        accounts.
    """

    harvestable: torch.Tensor
    free: torch.Tensor


class TaxLotEnv:
    """B portfolios in G universes.

    Parameters
    ----------
    window : MarketWindow
        Prices must be finite and > 0 everywhere: carry the last price where there is none, 1 for padding.
    portfolios : PortfolioParams
        On the window's device.
    config : EnvConfig, optional

    Attributes
    ----------
    t : int
        The coming decision, 0..T; at T the episode is over.
    weeks, assets : int
        T and N.

    Raises
    ------
    ValueError
        If a price is not finite and positive, a portfolio's group is not in the window, or there are more
        start lots than ``lots_per_asset``.

    Notes
    -----
    What a step and the properties give are new tensors; a GPU's ``lot_book`` alone is a view of the running state.
    """

    def __init__(
        self, window: MarketWindow, portfolios: PortfolioParams, config: EnvConfig | None = None
    ) -> None:
        self.config = config or EnvConfig()
        self.window, self.portfolios = window, portfolios
        _, self.weeks, self.assets = window.sizes
        self._rows = MarketRows(window, portfolios, self.config.dtype)
        self.group = self._rows.group
        self._rates = tuple(
            rate.to(self.config.dtype) for rate in (portfolios.short_rate, portfolios.long_rate)
        )
        self._loss_limit = portfolios.loss_limit_ratio.to(self.config.dtype)
        self._kernel: Kernel = kernel_for(
            self._rows.market, holders_of(portfolios, self.weeks, self.config), self.config
        )
        self.reset()

    def reset(self) -> PortfolioState:
        """Go back to the start lots and week 0."""
        self.t = 0
        self._books = self._kernel.start(self.portfolios)
        self._observed = self._kernel.value(self._books, 0)
        return self.state()

    @property
    def cash(self) -> torch.Tensor:
        """Cash (B,)."""
        return self._books.account[:, c.CASH].clone()

    @property
    def pretax_value(self) -> torch.Tensor:
        """Value (B,) at the coming decision before tax."""
        return self._books.account[:, c.PRETAX_VALUE].clone()

    @property
    def wealth(self) -> torch.Tensor:
        """After-tax liquidation wealth (B,) at the coming decision."""
        return self._books.account[:, c.WEALTH].clone()

    @property
    def account(self) -> TaxAccount:
        """The tax year of the moment."""
        return TaxAccount(
            *(self._books.account[:, column].clone() for column in range(c.SHORT_NET, c.TAX_DUE + 1))
        )

    @property
    def lot_book(self) -> LotBook:
        """The lots of the moment."""
        return LotBook(*self._kernel.lots(self._books))

    def lot_values(self) -> LotValues:
        """What of each position is harvestable, and what is free to sell."""
        return LotValues(self._observed[:, c.O_HARVESTABLE], self._observed[:, c.O_FREE])

    def state(self) -> PortfolioState:
        """What the policy sees at the coming decision; values in shares of the value before tax."""
        account, seen = self._books.account, self._observed
        value = account[:, c.PRETAX_VALUE].clamp(min=self.config.wealth_floor)
        share = account / value[:, None]
        return PortfolioState(
            weight=seen[:, c.O_WEIGHT],
            short_gain=seen[:, c.O_SHORT_GAIN],
            short_loss=seen[:, c.O_SHORT_LOSS],
            long_gain=seen[:, c.O_LONG_GAIN],
            long_loss=seen[:, c.O_LONG_LOSS],
            days_to_long=seen[:, c.O_DAYS_TO_LONG],
            harvestable=seen[:, c.O_HARVESTABLE],
            is_locked=seen[:, c.O_LOCKED] > 0,
            is_tradeable=self._rows.is_tradeable(self.t),
            cash_weight=share[:, c.CASH],
            short_net=share[:, c.SHORT_NET],
            long_net=share[:, c.LONG_NET],
            carryover=(account[:, c.SHORT_CARRY] + account[:, c.LONG_CARRY]) / value,
            loss_limit=self._loss_limit / value,
            short_rate=self._rates[0],
            long_rate=self._rates[1],
            is_tax_deferred=self.portfolios.is_tax_deferred,
            year_fraction=self._rows.year_fraction(self.t),
        )

    def step(self, target_weights: torch.Tensor) -> StepResult:
        """Trade at the coming fill and move on to the next decision.

        Parameters
        ----------
        target_weights : Tensor of shape (B, N + 1)
            >= 0, summing to 1, cash last: shares of the value before tax at the decision. Orders are sized
            at the decision's price and filled at the fill's, so that the current weights trade nothing.
            Assets that cannot be traded keep what is held. Deposits wait in cash for the next decision;
            withdrawals, tax due and costs come out of cash, and only what cash lacks is raised by forced
            sales; purchases are cut to the cash there is.

        Raises
        ------
        IndexError
            If the episode is over.
        ValueError
            If the targets' shape is not (B, N + 1).
        """
        if self.t >= self.weeks:
            raise IndexError(f"step at t = {self.t} of {self.weeks} weeks: the episode is over, call reset()")
        expected = (len(self.group), self.assets + 1)
        if tuple(target_weights.shape) != expected:
            raise ValueError(f"target_weights has shape {tuple(target_weights.shape)}, expected {expected}")
        outputs = self._kernel.step(self._books, target_weights, self.t)
        self._observed = outputs.observed
        self.t += 1
        info = {name: outputs.info[:, i] for i, name in enumerate(c.INFO)}
        return StepResult(self.state(), outputs.reward, info)
