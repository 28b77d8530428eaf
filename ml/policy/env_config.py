"""Settings of the tax-lot environment and what one portfolio is.

What belongs here: constants of rewards and tax conventions, and the parameters of B portfolios. What does
not: drawing portfolios at random (``start_portfolios.py``), the environment (``env.py``).
Money is in units of the portfolio's initial value, so that 1.0 is what it began with.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import torch

WASH_DAYS: Final = 30
LOSS_LIMIT_USD: Final = 3000.0
LOSS_LIMIT_SEPARATE_USD: Final = 1500.0


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """Conventions of the environment.

    Attributes
    ----------
    lots_per_asset : int
        K: lots kept per asset; a further purchase folds the two closest in basis of one term.
    carry_discount : float
        What a carried loss is worth in the after-tax wealth, as a share of loss times the rate of its term.
    drawdown_weight : float
        Capital preservation: weight of a rise of the drawdown.
    shortfall_weight, shortfall_sigmas : float
        Capital preservation: weight of the return's shortfall below ``-shortfall_sigmas`` weekly
        standard deviations of the market (a proxy of CVaR).
    tracking_weight : float
        Harvesting: weight of the squared weekly tracking error against equal weight.
    harvest_loss_ratio, harvest_loss_usd : float
        A lot counts as harvestable from this loss on, as share of its cost and in USD.
    dust : float
        A lot that a sale leaves with less than this value is sold whole; a trade below it is not made.
    wealth_floor : float
        Wealth below counts as this, so that its logarithm stays finite.
    dtype : torch.dtype
        float32 for training, float64 for tests.
    kernel : {"numba", "cuda"} or None
        None: numba on the CPU, CUDA on a GPU.
    threads : int
        Of the CPU's kernel; results do not depend on it.
    """

    lots_per_asset: int = 8
    carry_discount: float = 0.5
    drawdown_weight: float = 2.0
    shortfall_weight: float = 0.5
    shortfall_sigmas: float = 1.65
    tracking_weight: float = 10.0
    harvest_loss_ratio: float = 0.05
    harvest_loss_usd: float = 50.0
    dust: float = 1e-7
    wealth_floor: float = 1e-4
    dtype: torch.dtype = torch.float32
    kernel: str | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if self.lots_per_asset < 2:
            raise ValueError(
                f"EnvConfig.lots_per_asset is {self.lots_per_asset}: give at least 2, or none can be folded"
            )
        if self.threads < 1:
            raise ValueError(f"EnvConfig.threads is {self.threads}: give at least 1")


@dataclass(frozen=True, slots=True)
class PortfolioParams:
    """Parameters and start lots of B portfolios; every tensor on the window's device.

    Attributes
    ----------
    group : Tensor of shape (B,)
        int64 position of the portfolio's universe in the window.
    initial_usd : Tensor of shape (B,)
        Value at the start in USD; only the harvest threshold of 50 USD needs it.
    short_rate, long_rate : Tensor of shape (B,)
        Marginal rates of the tax unit on short- and long-term gains; kept in tax-deferred accounts too.
    cost_ratio : Tensor of shape (B,)
        Cost per unit of value traded.
    is_tax_deferred : Tensor of shape (B,)
        bool: no tax, no wash sales.
    loss_limit_ratio : Tensor of shape (B,)
        Yearly deduction of losses against ordinary income, 3,000 USD (1,500) / ``initial_usd``.
    no_short_gains : Tensor of shape (B,)
        bool: no voluntary sale realises a short-term gain.
    cash : Tensor of shape (B,)
        At the start.
    lot_shares, lot_basis : Tensor of shape (B, N, K0)
        Open lots at the start, K0 <= K: shares (0: no lot) and basis per share.
    lot_day : Tensor of shape (B, N, K0)
        int32 day of purchase, days since 1970-01-01.
    weekly_flow : Tensor of shape (B, T) or None
        Deposits (> 0) and withdrawals (< 0) at each fill.
    """

    group: torch.Tensor
    initial_usd: torch.Tensor
    short_rate: torch.Tensor
    long_rate: torch.Tensor
    cost_ratio: torch.Tensor
    is_tax_deferred: torch.Tensor
    loss_limit_ratio: torch.Tensor
    no_short_gains: torch.Tensor
    cash: torch.Tensor
    lot_shares: torch.Tensor
    lot_basis: torch.Tensor
    lot_day: torch.Tensor
    weekly_flow: torch.Tensor | None = None

    def to(self, device: torch.device | str) -> "PortfolioParams":
        """The same portfolios on another device."""
        moved: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            moved[field.name] = None if value is None else value.to(device)
        return PortfolioParams(**moved)
