"""Windows and portfolios as the environment's kernels read them.

What belongs here: checks, types, and what fill days say of terms, wash windows and years. What does not: state
(``env.py``) and arithmetic of a step (``kernels/``).
"""

import math
from typing import Final

import numpy as np
import torch

from ml.policy.env_config import WASH_DAYS, EnvConfig, PortfolioParams
from ml.policy.kernels.layout import DELISTED, NO_SHORT_GAINS, TAXABLE, TRADEABLE, Holders, Market
from ml.policy.market_window import REGIME_FEATURES, MarketWindow
from ml.policy.objectives import DECISION_STEP_SESSIONS
from ml.policy.state import year_fraction

_VOLATILITY: Final = REGIME_FEATURES.index("market_volatility_63d_ann")
_WEEKLY: Final = math.sqrt(DECISION_STEP_SESSIONS / 252)


class MarketRows:
    """A window as the kernels read it.

    Parameters
    ----------
    window : MarketWindow
    portfolios : PortfolioParams
        Their groups and flows must fit the window.
    dtype : torch.dtype
        Of prices.

    Attributes
    ----------
    market : Market
        Tensors on the window's device.
    group : Tensor of shape (B,)
        int64 universe of each portfolio.

    Raises
    ------
    ValueError
        If a price is not finite and positive, or a portfolio's group or sizes do not fit the window.
    """

    def __init__(self, window: MarketWindow, portfolios: PortfolioParams, dtype: torch.dtype) -> None:
        check_fit(window, portfolios)
        self.group = portfolios.group.long()
        days = window.fill_day.cpu().numpy().astype(np.int64)
        device = window.fill_day.device
        self._year_fraction = torch.tensor(year_fraction(days), dtype=dtype, device=device)
        self._listed = window.is_tradeable & ~window.is_delisted
        decision = window.decision_price.to(dtype).contiguous()
        paid = window.dividend
        dividend = torch.zeros_like(decision) if paid is None else paid.to(dtype).contiguous()
        self.market = Market(
            decision_price=decision,
            fill_price=torch.where(window.is_delisted, decision, window.fill_price.to(dtype)).contiguous(),
            dividend=dividend,
            flags=(self._listed * TRADEABLE + window.is_delisted * DELISTED).to(torch.uint8).contiguous(),
            fill_day=window.fill_day.int().contiguous(),
            long_day=torch.tensor(_long_days(days), dtype=torch.int32, device=device),
            open_fills=torch.tensor(_open_fills(days), dtype=torch.int32, device=device),
            is_year_end=torch.tensor(_year_ends(days), dtype=torch.uint8, device=device),
            cash_return=window.cash_return.to(dtype).contiguous(),
            equal=_equal_weight(decision, dividend, self._listed),
            sigma=(window.regime[..., _VOLATILITY].to(dtype) * _WEEKLY).contiguous(),
        )

    def is_tradeable(self, t: int) -> torch.Tensor:
        """Say which assets (B, N) are listed and can be traded at decision t."""
        return self._listed[:, t].index_select(0, self.group)

    def year_fraction(self, t: int) -> torch.Tensor:
        """Position (B,) of fill t in its year: 0 on 1 January, 1 on 31 December."""
        return self._year_fraction[:, t].index_select(0, self.group)


def holders_of(portfolios: PortfolioParams, weeks: int, config: EnvConfig) -> Holders:
    """The portfolios' parameters as the kernels read them."""
    dtype, taxable = config.dtype, ~portfolios.is_tax_deferred
    least = torch.where(taxable, config.harvest_loss_usd / portfolios.initial_usd.to(dtype), torch.inf)
    rates = (portfolios.short_rate, portfolios.long_rate, portfolios.loss_limit_ratio)
    columns = [rate.to(dtype) * taxable for rate in rates] + [portfolios.cost_ratio.to(dtype), least]
    flow = portfolios.weekly_flow
    if flow is None:
        flow = torch.zeros(len(taxable), weeks, device=taxable.device)
    flags = taxable * TAXABLE + (portfolios.no_short_gains & taxable) * NO_SHORT_GAINS
    return Holders(
        group=portfolios.group.int().contiguous(),
        flags=flags.to(torch.uint8),
        rates=torch.stack(columns, 1).to(dtype).contiguous(),
        flow=flow.to(dtype).contiguous(),
    )


def _equal_weight(price: torch.Tensor, dividend: torch.Tensor, listed: torch.Tensor) -> torch.Tensor:
    """Log return (G, T + 1) until the next decision of the assets tradeable at each; the last is 0."""
    held = listed[:, :-1].to(price.dtype)
    change = ((price[:, 1:] + dividend[:, :-1]) / price[:, :-1] - 1) * held
    equal = torch.log1p(change.sum(-1) / held.sum(-1).clamp(min=1))
    return torch.nn.functional.pad(equal, (0, 1)).contiguous()


def _long_days(days: np.ndarray) -> np.ndarray:
    """The latest holding period start that is long-term at each fill, by the calendar.

    The rule of :func:`ml.tax.holding_period.first_long_term_date` turned round: the day before the fill, a year
    earlier, but for the ends of months.
    """
    dates = days.astype("datetime64[D]")
    found = days - 368
    for back in (367, 366, 365):
        start = dates - back
        month = start.astype("datetime64[M]")
        is_last = (start + 1).astype("datetime64[M]") != month
        anniversary = (month + 12).astype("datetime64[D]") + (start - month.astype("datetime64[D]")) + 1
        first = np.where(is_last, (month + 13).astype("datetime64[D]"), anniversary)
        found = np.where(first <= dates, days - back, found)
    return found


def _year_ends(days: np.ndarray) -> np.ndarray:
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    ends = np.zeros(days.shape, dtype=bool)
    ends[:, :-1] = years[:, 1:] != years[:, :-1]
    return ends


def _open_fills(days: np.ndarray) -> np.ndarray:
    """Say how many of the fills before each lie within 30 days; (G, T + 1)."""
    rows = [np.arange(len(row)) - np.searchsorted(row, row - WASH_DAYS, side="left") for row in days]
    return np.stack(rows)


def check_fit(window: MarketWindow, portfolios: PortfolioParams) -> None:
    """Refuse prices that are not finite and positive, and portfolios that do not fit the window.

    Raises
    ------
    ValueError
        Naming the first bad value, its place and the remedy.
    """
    groups, weeks, assets = window.sizes
    for name in ("decision_price", "fill_price"):
        price = getattr(window, name)
        bad = ~(torch.isfinite(price) & (price > 0))
        if bad.any():
            place = tuple(bad.nonzero()[0].tolist())
            raise ValueError(
                f"MarketWindow.{name} at (universe, week, asset) {place} is {price[place].item()}: prices must "
                "be finite and > 0; carry the last price, and give padding the price 1"
            )
    group = portfolios.group
    if group.numel() and (int(group.min()) < 0 or int(group.max()) >= groups):
        raise ValueError(
            f"PortfolioParams.group reaches from {int(group.min())} to {int(group.max())}: the window has "
            f"{groups} universes, numbered from 0"
        )
    if portfolios.lot_shares.shape[1] != assets:
        raise ValueError(
            f"PortfolioParams.lot_shares has {portfolios.lot_shares.shape[1]} assets, the window {assets}"
        )
    flow = portfolios.weekly_flow
    if flow is not None and flow.shape[1] != weeks:
        raise ValueError(f"PortfolioParams.weekly_flow has {flow.shape[1]} weeks, the window {weeks}")
