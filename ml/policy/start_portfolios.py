"""Random start portfolios of training: lots, tax rates, costs and sizes.

What belongs here: draws from a seed. What does not: what a portfolio is (``env_config.py``), random markets
and dates (``windows.py``).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch

from ml.policy.env_config import LOSS_LIMIT_SEPARATE_USD, LOSS_LIMIT_USD, PortfolioParams
from ml.policy.market_window import MarketWindow

# Federal marginal rates of one tax unit on short- and long-term gains, the net investment income tax of
# 3.8 % included from the bracket on in which its threshold lies (``ml/tax/data``, 2018-2026).
FEDERAL_RATES: Final = (
    (0.12, 0.0),
    (0.22, 0.15),
    (0.24, 0.15),
    (0.358, 0.188),
    (0.388, 0.188),
    (0.408, 0.238),
)
STATE_RATE_MAX: Final = 0.10
DEFERRED_SHARE: Final = 0.15
SEPARATE_SHARE: Final = 0.05
HELD_SHARE: Final = 0.6  # assets that a portfolio holds at the start
CASH_MAX: Final = 0.25
START_LOTS: Final = 4
OLDEST_DAYS: Final = 800
FLOW_MAX, NEED_MIN, NEED_MAX = 0.01, 0.05, 0.30
DRIFT_ANN, VOLATILITY_ANN = 0.08, 0.25  # of the path from a lot's basis to the start price


def random_portfolios(
    window: MarketWindow,
    per_universe: int,
    seed: int,
    *,
    no_short_gains_share: float = 0.0,
    flow_share: float = 0.0,
) -> PortfolioParams:
    """Draw portfolios for each universe of a window.

    Parameters
    ----------
    window : MarketWindow
    per_universe : int
        P; portfolio b lies in universe b // P.
    seed : int
        The same seed, window sizes and prices give the same portfolios on every device.
    no_short_gains_share : float
        Share of portfolios under the mask.
    flow_share : float
        Share of portfolios that save or spend up to 1 % of their first value every fourth week, half of which need
        5 to 30 % of it at once in one week.

    Returns
    -------
    PortfolioParams
        Worth 1 at the first decision, in 1 to 4 lots per held asset, aged 0 to 800 days; on the window's
        device, float64.
    """
    generator = torch.Generator().manual_seed(seed)
    groups, _, assets = window.sizes
    count = groups * per_universe
    device = window.decision_price.device
    group = torch.arange(groups).repeat_interleave(per_universe)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    listed = (window.is_tradeable & ~window.is_delisted)[:, 0].cpu()[group]
    price = window.decision_price[:, 0].cpu().double()[group]
    held = listed & (uniform(count, assets) < HELD_SHARE)
    size = held * -torch.log(uniform(count, assets).clamp(min=1e-12))
    total = size.sum(1, keepdim=True)
    cash = torch.where(total[:, 0] > 0, CASH_MAX * uniform(count), 1.0)
    value = size / total.clamp(min=1e-12) * (1 - cash)[:, None]
    part = uniform(count, assets, START_LOTS) * (uniform(count, assets, START_LOTS) < 0.6)
    part[..., 0] += 0.1
    part = part / part.sum(-1, keepdim=True)
    age = (uniform(count, assets, START_LOTS) * (OLDEST_DAYS + 1)).floor()
    years = age / 365
    noise = torch.randn(count, assets, START_LOTS, generator=generator, dtype=torch.float64)
    past = torch.exp(DRIFT_ANN * years + VOLATILITY_ANN * years.sqrt() * noise)
    shares = value[..., None] * part / price[..., None]

    federal = torch.tensor(FEDERAL_RATES, dtype=torch.float64)
    federal = federal[torch.randint(len(FEDERAL_RATES), (count,), generator=generator)]
    state = STATE_RATE_MAX * uniform(count)
    initial = 10 ** (4 + 2.5 * uniform(count))
    limit = torch.where(uniform(count) < SEPARATE_SHARE, LOSS_LIMIT_SEPARATE_USD, LOSS_LIMIT_USD)
    params = PortfolioParams(
        group=group,
        initial_usd=initial,
        short_rate=federal[:, 0] + state,
        long_rate=federal[:, 1] + state,
        cost_ratio=10 ** (-4 + 1.5 * uniform(count)),
        is_tax_deferred=uniform(count) < DEFERRED_SHARE,
        loss_limit_ratio=limit / initial,
        no_short_gains=uniform(count) < no_short_gains_share,
        cash=cash,
        lot_shares=shares,
        lot_basis=price[..., None] / past,
        lot_day=(window.fill_day[:, 0].cpu()[group][:, None, None] - age).int(),
    )
    if flow_share > 0:  # drawn last, so that all else is the same without flows
        params = replace(params, weekly_flow=_flows(uniform, count, window.sizes[1], flow_share))
    return params.to(device)


def _flows(uniform: Callable[..., torch.Tensor], count: int, weeks: int, share: float) -> torch.Tensor:
    """Deposits and withdrawals (B, T)."""
    has_flow, needs_cash = uniform(count) < share, uniform(count) < 0.5
    regular = FLOW_MAX * (2 * uniform(count) - 1)
    week, first = torch.arange(weeks), (4 * uniform(count)).floor()
    flow = regular[:, None] * (week % 4 == first[:, None])
    need = NEED_MIN + (NEED_MAX - NEED_MIN) * uniform(count)
    flow -= (need * needs_cash)[:, None] * (week == (weeks * uniform(count)).floor()[:, None])
    return flow * has_flow[:, None]
