"""The batched tax-lot environment: B portfolios trade weekly, with costs, lots, wash sales and tax years.

What belongs here: a week's order of events and the state between weeks. What does not: lots
(``lot_book.py``), wash sales (``wash_window.py``), netting (``tax_account.py``), rewards (``rewards.py``).
Torch on any device; no loop over portfolios, assets or lots, no branch on data.

A step: deposits, withdrawals and tax due; sales at the fill (delisted assets pay out, then what the target
asks, then what cash needs); purchases with what is left; year end; cash earns its return; valuation at the
next decision's close. Whatever a target asks, cash never falls below 0.
"""

from dataclasses import dataclass

import torch

from ml.policy.env_config import WASH_DAYS, EnvConfig, PortfolioParams
from ml.policy.env_market import Fill, MarketRows
from ml.policy.lot_book import LotBook
from ml.policy.market_window import MarketWindow
from ml.policy.rewards import RewardInputs, RewardTracker
from ml.policy.sales import Sale, SaleOrder, sell
from ml.policy.state import PortfolioState
from ml.policy.tax_account import TaxAccount, TaxRates
from ml.policy.wash_window import Disallowed, LossSale, WashWindow


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
        of forced sales and payouts), cost, flow (withdrawals after any cut), wealth (after tax) and
        pretax_value at the next decision.
    """

    state: PortfolioState
    reward: torch.Tensor
    info: dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class LotView:
    """Lots of the moment, for tests and for the tax_aware expert.

    Attributes
    ----------
    lots : LotBook
    price : Tensor of shape (B, N)
        Of the decision.
    harvestable_value : Tensor of shape (B, N)
        Value of lots with a loss of at least 5 % of cost and 50 USD, in units of the initial value; 0 in
        tax-deferred accounts.
    free_value : Tensor of shape (B, N)
        Value of lots that can be sold without a short-term gain: losses and long-term lots; all lots in
        tax-deferred accounts.
    """

    lots: LotBook
    price: torch.Tensor
    harvestable_value: torch.Tensor
    free_value: torch.Tensor


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
    cash : Tensor of shape (B,)
    lot_book : LotBook
    account : TaxAccount

    Raises
    ------
    ValueError
        If a price is not finite and positive, or a portfolio's group is not in the window.
    """

    def __init__(
        self, window: MarketWindow, portfolios: PortfolioParams, config: EnvConfig | None = None
    ) -> None:
        self.config = config or EnvConfig()
        self.window, self.portfolios = window, portfolios
        self.groups, self.weeks, self.assets = window.sizes
        dtype = self.config.dtype
        self._market = MarketRows(window, portfolios, dtype)
        self.group = self._market.group
        taxable = ~portfolios.is_tax_deferred
        self._taxable = taxable.to(dtype)
        self._rates = TaxRates(
            portfolios.short_rate.to(dtype) * taxable,
            portfolios.long_rate.to(dtype) * taxable,
            portfolios.loss_limit_ratio.to(dtype) * taxable,
        )
        self._cost = portfolios.cost_ratio.to(dtype)
        self._may_take_short_gains = ~(portfolios.no_short_gains & taxable)
        self._rewards = RewardTracker(window, self.config, self.group)
        self.reset()

    def reset(self) -> PortfolioState:
        """Go back to the start lots and week 0."""
        given, config = self.portfolios, self.config
        self.t = 0
        self.cash = given.cash.to(config.dtype).clone()
        self.lot_book = LotBook.from_start(
            given.lot_shares, given.lot_basis, given.lot_day, config.lots_per_asset, config.dtype
        ).in_runs(self._market.today(0))
        self.account = TaxAccount.empty(self.cash)
        self.wash = WashWindow.empty(self.lot_book.shares[..., 0], self._market.wash_fills)
        self._rewards.reset(self.cash)
        self._value()
        return self.state()

    def _value(self) -> None:
        """Value the portfolios at the coming decision, before and after tax."""
        self.price = self._market.decision_price(self.t)
        lots = self.lot_book
        gain = lots.shares * (self.price[..., None] - lots.basis)
        is_long = lots.is_long(self._market.today(self.t))
        self.pretax_value = self.cash + (lots.shares.sum(-1) * self.price).sum(-1)
        tax = self.account.tax_if_realised(
            (gain * ~is_long).sum((-1, -2)),
            (gain * is_long).sum((-1, -2)),
            self._rates,
            self.config.carry_discount,
        )
        self.wealth = self.pretax_value - self.account.tax_due - tax

    def state(self) -> PortfolioState:
        """What the policy sees at the coming decision; values in shares of the value before tax."""
        lots, given, t = self.lot_book, self.portfolios, self.t
        value = self.pretax_value.clamp(min=self.config.wealth_floor)
        gain = lots.shares * (self.price[..., None] - lots.basis)
        is_long = lots.is_long(self._market.today(t))
        days_left = torch.where((gain > 0) & ~is_long, 366 - (self._market.today(t) - lots.day), 367).amin(-1)

        def share(x: torch.Tensor) -> torch.Tensor:
            return x.sum(-1) / value[:, None]

        return PortfolioState(
            weight=share(lots.shares * self.price[..., None]),
            short_gain=share(gain.relu() * ~is_long),
            short_loss=share((-gain).relu() * ~is_long),
            long_gain=share(gain.relu() * is_long),
            long_loss=share((-gain).relu() * is_long),
            days_to_long=torch.where(days_left > 366, 0, days_left).to(value.dtype),
            harvestable=self.lots().harvestable_value / value[:, None],
            is_locked=self.wash.is_locked(self._market.is_open(t)),
            is_tradeable=self._market.is_tradeable(t),
            cash_weight=self.cash / value,
            short_net=self.account.short_net / value,
            long_net=self.account.long_net / value,
            carryover=(self.account.short_carry + self.account.long_carry) / value,
            short_rate=given.short_rate.to(value.dtype),
            long_rate=given.long_rate.to(value.dtype),
            is_tax_deferred=given.is_tax_deferred,
            year_fraction=self._market.year_fraction(t),
        )

    def lots(self) -> LotView:
        """Lots of the moment and what of them is harvestable or free to sell."""
        lots, config = self.lot_book, self.config
        value = lots.shares * self.price[..., None]
        cost = lots.shares * lots.basis
        loss = cost - value
        least = (config.harvest_loss_usd / self.portfolios.initial_usd).to(value.dtype)[:, None, None]
        taxable = ~self.portfolios.is_tax_deferred[:, None, None]
        harvestable = (loss >= config.harvest_loss_ratio * cost) & (loss >= least) & taxable
        free = (loss >= 0) | lots.is_long(self._market.today(self.t)) | ~taxable
        return LotView(lots, self.price, (value * harvestable).sum(-1), (value * free).sum(-1))

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
        """
        if self.t >= self.weeks:
            raise IndexError(f"step at t = {self.t} of {self.weeks} weeks: the episode is over, call reset()")
        t, before = self.t, (self.pretax_value, self.wealth)
        fill = self._market.fill(t)
        lots = self.lot_book.in_runs(fill.today)
        change = target_weights[:, :-1].to(self.cash.dtype) * self.pretax_value[:, None] / self.price
        change = change - lots.shares.sum(-1)
        is_traded = fill.is_tradeable & (change.abs() * fill.price >= self.config.dust)
        change = torch.where(is_traded, change, 0)

        inflow, outflow = fill.flow.relu(), (-fill.flow).relu()
        owed = outflow + self.account.tax_due
        sale = self._sell(lots, change, fill, owed - self.cash - inflow)
        available = self.cash + inflow + sale.value - sale.cost
        tax_paid = torch.minimum(self.account.tax_due, available)
        withdrawn = torch.minimum(outflow, available - tax_paid)
        available = (available - tax_paid - withdrawn).clamp(min=0)
        lots, losses, washed_sale = self._wash_sale(lots.without(sale.sold), sale, fill)

        spend = change.relu() * fill.price
        outlay = spend.sum(-1) * (1 + self._cost)
        spend = spend * (available / outlay.clamp(min=1e-30)).clamp(max=1)[:, None]
        spend = torch.where(spend >= self.config.dust, spend, 0)
        self.lot_book, washed_purchase = self._buy(lots, spend, fill, losses)
        bought = spend.sum(-1)
        self.cash = (available - bought * (1 + self._cost)).clamp(min=0)

        booked = self._book(sale, washed_sale, washed_purchase, tax_paid)
        self.account = self.account.closed(self._market.is_year_end(t), self._rates)
        self.cash = self.cash * (1 + self._market.cash_return(t))
        self.t = t + 1
        self._value()
        flow = inflow - withdrawn
        week = RewardInputs(
            before[0],
            self.pretax_value,
            before[1],
            self.wealth,
            flow,
            tax_paid,
            booked["credited"],
            booked["disallowed"],
        )
        info = booked | {
            "turnover": (sale.value + bought) / 2 / before[0].clamp(min=self.config.wealth_floor),
            "tax_paid": tax_paid,
            "involuntary": sale.involuntary,
            "cost": sale.cost + bought * self._cost,
            "flow": flow,
            "wealth": self.wealth,
            "pretax_value": self.pretax_value,
        }
        return StepResult(self.state(), self._rewards.rewards(week, t), info)

    def _sell(self, lots: LotBook, change: torch.Tensor, fill: Fill, shortfall: torch.Tensor) -> Sale:
        order = SaleOrder(
            quantity=(-change).relu(),
            price=fill.price,
            cost_ratio=self._cost[:, None] * ~fill.is_delisted,
            is_delisted=fill.is_delisted,
            can_be_forced=fill.is_tradeable,
            may_take_short_gains=self._may_take_short_gains,
            shortfall=shortfall,
            today=fill.today,
            dust=self.config.dust,
        )
        return sell(lots, order)

    def _wash_sale(self, lots: LotBook, sale: Sale, fill: Fill) -> tuple[LotBook, LossSale, Disallowed]:
        """Disallow losses against purchases before the sale; their basis goes to recent lots.

        What is left of a lot cannot replace shares sold from it (Rev. Rul. 56-602), only those of others.
        """
        recent = lots.shares * (fill.today - lots.day <= WASH_DAYS)
        losses = sale.loss_sale(self._taxable)
        is_cut = (recent > 0) & (sale.sold > 0)
        cut_loss = (sale.sold * (is_cut & (sale.gain < 0))).sum(-1)
        cut_usable = torch.minimum((recent * is_cut).sum(-1), (losses.shares - cut_loss).relu())
        recent_shares = recent.sum(-1)
        usable = (recent * ~is_cut).sum(-1) + cut_usable
        self.wash, disallowed, rest = self.wash.match_sale(losses, usable, fill.is_open)
        added = (disallowed.short + disallowed.long) / torch.where(recent_shares > 0, recent_shares, 1)
        basis = lots.basis + torch.where(recent > 0, added[..., None], 0)
        return LotBook(lots.shares, basis, lots.day), rest, disallowed

    def _buy(
        self, lots: LotBook, spend: torch.Tensor, fill: Fill, losses: LossSale
    ) -> tuple[LotBook, Disallowed]:
        """Buy for ``spend`` (B, N), wash earlier losses, and move the wash window on."""
        quantity = spend / fill.price
        self.wash, disallowed, unused = self.wash.match_purchase(quantity, fill.is_open)
        self.wash = self.wash.advanced(losses, unused * self._taxable[:, None])
        added = (disallowed.short + disallowed.long) / torch.where(quantity > 0, quantity, 1)
        basis = fill.price * (1 + self._cost[:, None]) + added
        day = fill.today[..., 0] - disallowed.tacked_days
        return lots.with_purchase(quantity, basis, day, fill.today), disallowed

    def _book(
        self, sale: Sale, washed_sale: Disallowed, washed_purchase: Disallowed, tax_paid: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Book results, disallowed losses and the tax paid; what a report needs of them."""
        taxable = self._taxable

        def total(gain: torch.Tensor) -> torch.Tensor:
            return gain.sum((-1, -2)) * taxable

        gain, loss = sale.gain.relu(), (-sale.gain).relu()
        short_gain, long_gain = total(gain * ~sale.is_long), total(gain * sale.is_long)
        short_loss, long_loss = total(loss * ~sale.is_long), total(loss * sale.is_long)
        short_washed, long_washed = washed_sale.short.sum(-1), washed_sale.long.sum(-1)
        account = self.account.with_payment(tax_paid).with_results(short_gain, long_gain)
        discount, zero = self.config.carry_discount, torch.zeros_like(short_gain)
        allowed = (short_washed - short_loss, long_washed - long_loss)
        without = account.tax_if_realised(zero, zero, self._rates, discount)
        credited = without - account.tax_if_realised(*allowed, self._rates, discount)
        short_later, long_later = washed_purchase.short.sum(-1), washed_purchase.long.sum(-1)
        self.account = account.with_results(allowed[0] + short_later, allowed[1] + long_later)
        return {
            "short_realized": short_gain - short_loss,
            "long_realized": long_gain - long_loss,
            "loss": short_loss + long_loss,
            "disallowed": short_washed + long_washed + short_later + long_later,
            "credited": credited,
        }
