"""What the kernels read and write: names of columns, bundles of arrays, the compiler.

What belongs here: the order of columns and the shapes of arrays. What does not: arithmetic.
B portfolios, N assets, K lots, R fills of the wash window, G universes, T weeks.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from ml.compiled import PackageCompiler, source_hash
from ml.types import OBJECTIVES

# A product and a sum may become one instruction; nothing else is relaxed.
COMPILER: Final = PackageCompiler(source_hash(Path(__file__).parent), frozenset({"nsz", "contract"}))

# The wash window's columns: a fill's loss sale that may still be washed, and its unmatched purchase.
LOSS_SHARES, LOSS_SHORT, LOSS_LONG, LOSS_SHARE_DAYS, BOUGHT = range(5)
RING_COLUMNS: Final = 5

# An account's columns; INDEX and PEAK are the logarithms of the after-tax return index and of its peak.
CASH, SHORT_NET, LONG_NET, SHORT_CARRY, LONG_CARRY, DIVIDENDS, TAX_DUE = range(7)
PRETAX_VALUE, WEALTH, INDEX, PEAK = range(7, 11)
ACCOUNT_COLUMNS: Final = 11

# A portfolio's parameters; rates, limit and harvest are 0, 0, 0 and infinite in tax-deferred accounts.
SHORT_RATE, LONG_RATE, LOSS_LIMIT, COST, HARVEST_LEAST = range(5)
PARAMETER_COLUMNS: Final = 5
TAXABLE, NO_SHORT_GAINS = 1, 2  # bits of a portfolio's flags
TRADEABLE, DELISTED = 1, 2  # bits of an asset's flags

# What a step says of each asset, in shares of the value before tax (days and the lock apart).
O_WEIGHT, O_SHORT_GAIN, O_SHORT_LOSS, O_LONG_GAIN, O_LONG_LOSS = range(5)
O_DAYS_TO_LONG, O_HARVESTABLE, O_FREE, O_LOCKED = range(5, 9)
OBSERVED_COLUMNS: Final = 9

INFO: Final = (
    "turnover",
    "short_realized",
    "long_realized",
    "loss",
    "disallowed",
    "credited",
    "tax_paid",
    "involuntary",
    "cost",
    "flow",
    "dividends",
    "wealth",
    "pretax_value",
)
(
    I_TURNOVER,
    I_SHORT,
    I_LONG,
    I_LOSS,
    I_DISALLOWED,
    I_CREDITED,
    I_TAX_PAID,
    I_INVOLUNTARY,
    I_COST,
    I_FLOW,
    I_DIVIDENDS,
    I_WEALTH,
    I_PRETAX,
) = range(len(INFO))


REWARDS: Final = OBJECTIVES


class Market(NamedTuple):
    """G universes; prices and returns in the environment's dtype.

    Attributes
    ----------
    decision_price, fill_price, dividend : array of shape (G, T + 1, N)
        ``fill_price`` of a delisted asset is its last price; ``dividend`` is cash per share held at the fill.
    flags : array of shape (G, T + 1, N)
        uint8: ``TRADEABLE``, ``DELISTED``.
    fill_day, long_day : array of shape (G, T + 1)
        int32; a lot is long-term at a fill if its day is at most ``long_day``.
    open_fills : array of shape (G, T + 1)
        int32: how many fills before lie within 30 days.
    is_year_end : array of shape (G, T + 1)
        uint8.
    cash_return, equal, sigma : array of shape (G, T + 1)
        Simple return of cash; log return of equal weight; weekly standard deviation of the market.
    """

    decision_price: Any
    fill_price: Any
    dividend: Any
    flags: Any
    fill_day: Any
    long_day: Any
    open_fills: Any
    is_year_end: Any
    cash_return: Any
    equal: Any
    sigma: Any


class Holders(NamedTuple):
    """B portfolios' parameters: ``group`` (B,) int32, ``flags`` (B,) uint8, ``rates`` (B, 5), ``flow`` (B, T)."""

    group: Any
    flags: Any
    rates: Any
    flow: Any


class Books(NamedTuple):
    """B portfolios' state.

    The CPU keeps what assets hold in C blocks of 16 portfolios, one a lane; a GPU keeps the same tables portfolio
    by portfolio, (B, K, N) and (B, R, 5, N).

    Attributes
    ----------
    shares, basis : array of shape (C, N, K, 16)
        0 shares: a free slot. Slots in use come first, basis ascending (ties: later day first).
    day : array of shape (C, N, K, 16)
        int32 start of the holding period.
    ring : array of shape (C, N, R, 5, 16)
        The fill s stands in slot ``s % R``.
    account : array of shape (B, 11)
    held : array of shape (C, N, 16)
        Shares of all lots; written by the valuation.
    """

    shares: Any
    basis: Any
    day: Any
    ring: Any
    account: Any
    held: Any


class Outputs(NamedTuple):
    """What a step gives: ``observed`` (B, 9, N), ``info`` (B, 13), ``reward`` (B, 6).

    The CPU's kernel writes ``observed`` as (9, N, C, 16).
    """

    observed: Any
    info: Any
    reward: Any


# What a block of portfolios is given, one a lane: numbers, and whole numbers (days, truth values as 0 and 1).
G_VALUE, G_COST, G_LEAST, G_CASH, G_SCALE, G_NEED = range(6)
D_TODAY, D_LONG, D_FILLS, D_LONG_NEXT, D_FILLS_NEXT, D_TAXABLE, D_LEAVES = range(7)
# What passes over the assets add up for each portfolio of a block.
S_DIVIDENDS, S_PROCEEDS, S_OUTLAY, S_TURNOVER, S_INVOLUNTARY, S_COST, S_BOUGHT = range(7)
S_GAINS, S_LONG_GAIN, S_SHORT_LOSS, S_LONG_LOSS = range(7, 11)
S_SHORT_WASHED, S_LONG_WASHED, S_SHORT_LATER, S_LONG_LATER = range(11, 15)
S_VALUE, S_SHORT_OPEN, S_LONG_OPEN = range(15, 18)
SUMS: Final = 18


class Desk(NamedTuple):
    """Working tables of one block of 16 portfolios; the last axis is the lane.

    Attributes
    ----------
    group : array of shape (16,)
        Universe of each lane, -1 before the first block.
    target, change : array of shape (N, 16)
        Weights asked for; shares wanted more.
    decision, price, paid, following : array of shape (N, 16)
        Price of the decision and of the fill, dividend, price of the next decision.
    flags : array of shape (N, 16)
        int32.
    sold : array of shape (N, K, 16)
        Shares chosen for sale; zeros between assets' turns.
    has_sale : array of shape (N,)
    given, days, sums : array of shape (columns, 16)
    seen : array of shape (9, N, 16)
        What is seen, before it is divided by the value.
    """

    group: Any
    target: Any
    change: Any
    decision: Any
    price: Any
    paid: Any
    following: Any
    flags: Any
    sold: Any
    has_sale: Any
    given: Any
    days: Any
    sums: Any
    seen: Any


class Settings(NamedTuple):
    """Constants in the environment's dtype; ``zero`` and ``one`` keep compiled arithmetic in it."""

    zero: Any
    one: Any
    dust: Any
    wealth_floor: Any
    carry_discount: Any
    drawdown_weight: Any
    shortfall_weight: Any
    shortfall_sigmas: Any
    tracking_weight: Any
    harvest_loss_ratio: Any


def typed_settings(dtype: np.dtype, **values: float) -> Settings:
    """Constants of one floating type."""
    typed = {name: dtype.type(value) for name, value in {"zero": 0, "one": 1, **values}.items()}
    return Settings(**typed)
