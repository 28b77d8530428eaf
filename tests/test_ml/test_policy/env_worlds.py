"""Small windows and portfolios for the environment's tests."""

from dataclasses import replace

import torch

from ml.policy.env_config import PortfolioParams
from ml.policy.market_window import MarketWindow
from ml.policy.start_portfolios import random_portfolios
from ml.policy.state import PortfolioState

FIRST_DAY = 19_000  # 2022-01-08


def make_window(
    groups: int = 2, weeks: int = 60, assets: int = 5, seed: int = 0, volatility: float = 0.04
) -> MarketWindow:
    """Random walks, fills a day after each decision, weeks of 6 to 8 days, one year end or more."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(groups, 2 * (weeks + 1), assets, generator=generator, dtype=torch.float64)
    price = 50 * torch.exp((volatility * noise).cumsum(1))
    wobble = torch.randint(-1, 2, (groups, weeks + 1), generator=generator)
    flags = torch.zeros(groups, weeks + 1, assets, dtype=torch.bool)
    return MarketWindow(
        decision_price=price[:, 0::2].clone(),
        fill_price=price[:, 1::2].clone(),
        fill_day=(FIRST_DAY + 7 * torch.arange(weeks + 1) + wobble).int(),
        is_tradeable=~flags,
        is_delisted=flags,
        embedding=torch.zeros(groups, weeks + 1, assets, 64),
        regime=torch.full((groups, weeks + 1, 5), 0.15),
        cash_return=torch.full((groups, weeks + 1), 0.0004, dtype=torch.float64),
    )


def priced_window(prices, days, assets: int = 1) -> MarketWindow:
    """One universe whose decisions and fills have the given price in every asset."""
    price = torch.tensor(prices, dtype=torch.float64)[None, :, None].expand(1, -1, assets).clone()
    flags = torch.zeros_like(price, dtype=torch.bool)
    weeks = price.shape[1]
    return MarketWindow(
        decision_price=price,
        fill_price=price,
        fill_day=torch.tensor([days], dtype=torch.int32),
        is_tradeable=~flags,
        is_delisted=flags,
        embedding=torch.zeros(1, weeks, assets, 64),
        regime=torch.full((1, weeks, 5), 0.15),
        cash_return=torch.zeros(1, weeks, dtype=torch.float64),
    )


def one_portfolio(assets: int = 1, cash: float = 1.0, lots=(), **changes) -> PortfolioParams:
    """One portfolio with lots (asset, shares, basis, day); rates 0.3 and 0.15, no cost."""
    slots = max([sum(lot[0] == n for lot in lots) for n in range(assets)] + [1])
    shares = torch.zeros(1, assets, slots, dtype=torch.float64)
    basis, day = torch.zeros_like(shares), torch.zeros(1, assets, slots, dtype=torch.int32)
    for n in range(assets):
        for k, (_, s, b, d) in enumerate(lot for lot in lots if lot[0] == n):
            shares[0, n, k], basis[0, n, k], day[0, n, k] = s, b, d
    params = PortfolioParams(
        group=torch.zeros(1, dtype=torch.int64),
        initial_usd=torch.full((1,), 1000.0),
        short_rate=torch.full((1,), 0.30, dtype=torch.float64),
        long_rate=torch.full((1,), 0.15, dtype=torch.float64),
        cost_ratio=torch.zeros(1, dtype=torch.float64),
        is_tax_deferred=torch.zeros(1, dtype=torch.bool),
        loss_limit_ratio=torch.full((1,), 0.05, dtype=torch.float64),
        no_short_gains=torch.zeros(1, dtype=torch.bool),
        cash=torch.full((1,), cash, dtype=torch.float64),
        lot_shares=shares,
        lot_basis=basis,
        lot_day=day,
    )
    return replace(params, **changes)


def random_params(
    window: MarketWindow, per_universe: int, seed: int, *, flows: bool = True
) -> PortfolioParams:
    """Random portfolios, some masked, with deposits and withdrawals."""
    params = random_portfolios(window, per_universe, seed, no_short_gains_share=0.4)
    generator = torch.Generator().manual_seed(seed + 1)
    shape = (len(params.group), window.sizes[1])
    flow = 0.2 * torch.randn(shape, generator=generator, dtype=torch.float64)
    flow = flow * (torch.rand(shape, generator=generator) < 0.1)
    return replace(params, weekly_flow=flow) if flows else params


def random_target(state: PortfolioState, generator: torch.Generator, moved: float = 0.5) -> torch.Tensor:
    """A sparse random portfolio mixed with the current one."""
    count, assets = state.weight.shape
    drawn = -torch.log(
        torch.rand(count, assets + 1, generator=generator, dtype=torch.float64).clamp(min=1e-9)
    )
    drawn = drawn * (torch.rand(count, assets + 1, generator=generator) < 0.6) + 1e-12
    drawn[:, -1] *= 0.3
    drawn = drawn / drawn.sum(1, keepdim=True)
    current = torch.cat([state.weight, state.cash_weight[:, None]], 1).double()
    return moved * drawn + (1 - moved) * current


def delisted(window: MarketWindow, asset: int, week: int) -> MarketWindow:
    """The same window where the asset of every universe has its last price in the week before ``week``."""
    gone = window.is_delisted.clone()
    gone[:, week:, asset] = True
    decision, fill = window.decision_price.clone(), window.fill_price.clone()
    decision[:, week:, asset] = fill[:, week - 1, None, asset]
    fill[:, week:, asset] = fill[:, week - 1, None, asset]
    return replace(
        window,
        is_delisted=gone,
        is_tradeable=window.is_tradeable & ~gone,
        decision_price=decision,
        fill_price=fill,
    )
