"""The market side of the environment: weekly decisions of G universes as tensors.

What belongs here: the shapes that environment and policy meet in. What does not: how windows are cut
from panels (``windows.py``), portfolios (``env.py``).
"""

from dataclasses import dataclass, replace
from typing import Final

import torch

EMBEDDING_SIZE: Final = 64
REGIME_FEATURES: Final = (
    "market_volatility_21d_ann",
    "market_volatility_63d_ann",
    "market_return_63d_log",
    "market_return_252d_log",
    "dispersion_63d",  # standard deviation over assets of 63-day log returns
)


@dataclass(frozen=True, slots=True)
class MarketWindow:
    """T weekly decisions of G universes with N assets each; all tensors on one device.

    Prices are total-return indices (dividends reinvested in the fund: ``accumulating``), so that a lot's
    basis and value are both in units of the index, unless ``dividend`` is given.

    Attributes
    ----------
    decision_price : Tensor of shape (G, T + 1, N)
        Close at which the decision of week t is taken and the portfolio valued.
    fill_price : Tensor of shape (G, T + 1, N)
        Next session's open, or its close where there is no open; the last row is not used.
    fill_day : Tensor of shape (G, T + 1)
        int32 days since 1970-01-01 of the fill session: holding periods, wash windows, year ends.
    is_tradeable : Tensor of shape (G, T + 1, N)
        bool; False: not listed, stale or padding. An asset that goes from tradeable to delisted pays out
        at its last price where ``is_delisted`` says so.
    is_delisted : Tensor of shape (G, T + 1, N)
        bool, True from the first week after the last price on.
    embedding : Tensor of shape (G, T + 1, N, 64)
        Of each asset at the decision's close; zeros where not tradeable.
    regime : Tensor of shape (G, T + 1, 5)
        :data:`REGIME_FEATURES` at the decision's close.
    cash_return : Tensor of shape (G, T + 1)
        Simple return of cash from fill t to fill t + 1.
    expert_target : Tensor of shape (G, T + 1, 3, N + 1) or None
        Portfolios of momentum, growth anchor and defensive, cash last (``MarketPlan``): do not depend on
        the account; used by the warm start.
    dividend : Tensor of shape (G, T + 1, N) or None
        Cash per share paid at the fill on what is held before it, for prices that leave dividends out; taxed
        as qualified. None: none (the prices are total-return indices).
    """

    decision_price: torch.Tensor
    fill_price: torch.Tensor
    fill_day: torch.Tensor
    is_tradeable: torch.Tensor
    is_delisted: torch.Tensor
    embedding: torch.Tensor
    regime: torch.Tensor
    cash_return: torch.Tensor
    expert_target: torch.Tensor | None = None
    dividend: torch.Tensor | None = None

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(G, T, N)."""
        g, t1, n = self.decision_price.shape
        return g, t1 - 1, n

    def to(self, device: torch.device | str) -> "MarketWindow":
        """The same window on another device."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return replace(
            self, **{name: value.to(device) for name, value in values.items() if value is not None}
        )
