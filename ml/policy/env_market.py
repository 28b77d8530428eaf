"""The market of an episode seen from each portfolio: prices, flags, calendar.

What belongs here: rows of a window gathered by portfolio, and what fill days say of wash windows and years.
What does not: anything that a portfolio owns (``env.py``).
"""

from dataclasses import dataclass

import numpy as np
import torch

from ml.policy.env_config import WASH_DAYS, PortfolioParams
from ml.policy.market_window import MarketWindow


@dataclass(frozen=True, slots=True)
class Fill:
    """One week's fill, gathered for each portfolio.

    Attributes
    ----------
    price : Tensor of shape (B, N)
        Delisted assets: their last price.
    today : Tensor of shape (B, 1, 1)
        int32 day.
    is_open : Tensor of shape (B, 1, R)
        bool: which earlier fills lie within 30 days.
    is_tradeable, is_delisted : Tensor of shape (B, N)
        bool.
    flow : Tensor of shape (B,)
        Deposit > 0, withdrawal < 0.
    """

    price: torch.Tensor
    today: torch.Tensor
    is_open: torch.Tensor
    is_tradeable: torch.Tensor
    is_delisted: torch.Tensor
    flow: torch.Tensor


class MarketRows:
    """A window's rows for B portfolios.

    Parameters
    ----------
    window : MarketWindow
    portfolios : PortfolioParams
        Their groups and flows.
    dtype : torch.dtype
        Of prices.

    Attributes
    ----------
    group : Tensor of shape (B,)
        int64 universe of each portfolio.
    wash_fills : int
        R: the most fills that lie within 30 days before another.

    Raises
    ------
    ValueError
        If a price is not finite and positive, or a portfolio's group or sizes do not fit the window.
    """

    def __init__(self, window: MarketWindow, portfolios: PortfolioParams, dtype: torch.dtype) -> None:
        check_fit(window, portfolios)
        self._window, self._dtype, self._flow = window, dtype, portfolios.weekly_flow
        self.group = portfolios.group.long()
        days = window.fill_day.cpu().numpy().astype(np.int64)
        device = window.fill_day.device
        self._year_fraction = torch.tensor(_year_fraction(days), dtype=dtype, device=device)
        self._is_year_end = torch.tensor(_year_ends(days), device=device)
        is_open = _open_fills(days)
        self.wash_fills = is_open.shape[-1]
        self._is_open = torch.tensor(is_open, device=device)

    def _row(self, rows: torch.Tensor, t: int) -> torch.Tensor:
        return rows[:, t].index_select(0, self.group)

    def decision_price(self, t: int) -> torch.Tensor:
        """Price (B, N) at decision t."""
        return self._row(self._window.decision_price, t).to(self._dtype)

    def cash_return(self, t: int) -> torch.Tensor:
        """Simple return (B,) of cash from fill t to the next."""
        return self._row(self._window.cash_return, t).to(self._dtype)

    def today(self, t: int) -> torch.Tensor:
        """Day (B, 1, 1) of fill t, int32."""
        return self._row(self._window.fill_day, t).int()[:, None, None]

    def is_tradeable(self, t: int) -> torch.Tensor:
        """Say which assets (B, N) are listed and can be traded at decision t."""
        return self._row(self._window.is_tradeable, t) & ~self._row(self._window.is_delisted, t)

    def is_open(self, t: int) -> torch.Tensor:
        """Say which of the R fills before t, oldest first, lie within 30 days of it; (B, 1, R)."""
        return self._row(self._is_open, t)[:, None]

    def is_year_end(self, t: int) -> torch.Tensor:
        """Say whether the fill after t lies in another year; (B,)."""
        return self._row(self._is_year_end, t)

    def year_fraction(self, t: int) -> torch.Tensor:
        """Position (B,) of fill t in its year: 0 on 1 January, 1 on 31 December."""
        return self._row(self._year_fraction, t)

    def fill(self, t: int) -> Fill:
        """Gather fill t."""
        window, flow = self._window, self._flow
        is_delisted = self._row(window.is_delisted, t)
        price = self._row(window.fill_price, t).to(self._dtype)
        return Fill(
            price=torch.where(is_delisted, self.decision_price(t), price),
            today=self.today(t),
            is_open=self.is_open(t),
            is_tradeable=self.is_tradeable(t),
            is_delisted=is_delisted,
            flow=torch.zeros_like(price[:, 0]) if flow is None else flow[:, t].to(self._dtype),
        )


def _year_fraction(days: np.ndarray) -> np.ndarray:
    dates = days.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    start, after = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    return (dates - start).astype(np.int64) / ((after - start).astype(np.int64) - 1)


def _year_ends(days: np.ndarray) -> np.ndarray:
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    ends = np.zeros(days.shape, dtype=bool)
    ends[:, :-1] = years[:, 1:] != years[:, :-1]
    return ends


def _open_fills(days: np.ndarray) -> np.ndarray:
    """Say for each fill which of the R before it, oldest first, lie within 30 days; (G, T + 1, R)."""
    fills = 1
    while (days[:, fills + 1 :] - days[:, : -fills - 1] <= WASH_DAYS).any():
        fills += 1
    never = np.full((days.shape[0], fills), np.iinfo(np.int32).min, dtype=np.int64)
    padded = np.concatenate([never, days], axis=1)
    past = np.stack([padded[:, back : back + days.shape[1]] for back in range(fills)], axis=-1)
    return days[..., None] - past <= WASH_DAYS


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
