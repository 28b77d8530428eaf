"""From accounts and their lots to what policy and experts see of them.

What belongs here: the tax state that a night or a backtest gives, aggregation of lots by account and asset. What does
not: the state itself and its features (``state.py``), the environment's own lots (``env.py``).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ml.policy.env_config import LOSS_LIMIT_USD
from ml.policy.panels import AccountPanel
from ml.policy.state import PortfolioState

HARVEST_LOSS_RATIO, HARVEST_LOSS_USD = 0.05, 50.0


@dataclass(frozen=True, slots=True)
class AccountTax:
    """Tax state of A accounts at one session, money in shares of account value.

    Attributes
    ----------
    short_rate, long_rate : ndarray of shape (A,)
        Marginal rates.
    short_net, long_net : ndarray of shape (A,)
        Net results of the year to date.
    carryover : ndarray of shape (A,)
        Losses carried over, >= 0.
    loss_limit : ndarray of shape (A,)
        Yearly deduction of losses against other income.
    year_fraction : float
        0 on 1 January, 1 on 31 December.
    is_locked : ndarray of shape (A, N)
        bool: a loss of the asset was realised within 30 days.
    """

    short_rate: np.ndarray
    long_rate: np.ndarray
    short_net: np.ndarray
    long_net: np.ndarray
    carryover: np.ndarray
    loss_limit: np.ndarray
    year_fraction: float
    is_locked: np.ndarray

    @classmethod
    def untouched(cls, accounts: AccountPanel) -> "AccountTax":
        """A year in which nothing was sold yet, of single filers; values are read off the lots.

        An account without a lot of known value has nothing to harvest, whatever its limit.
        """
        count, assets = np.shape(accounts.current_weights)[0], np.shape(accounts.current_weights)[1] - 1
        zeros = np.zeros(count)
        worth = np.bincount(accounts.lot_account, accounts.lot_value_usd, count)
        share = np.bincount(accounts.lot_account, accounts.lot_weight, count)
        limit = np.divide(LOSS_LIMIT_USD * share, worth, out=np.zeros(count), where=worth > 0)
        return cls(zeros, zeros, zeros, zeros, zeros, limit, 0.5, np.zeros((count, assets), dtype=bool))

    def without_harvesting(self) -> "AccountTax":
        """The same year, in which no further loss is worth realising.

        With a yearly deduction of -inf :attr:`ml.policy.state.PortfolioState.loss_room` is 0 whatever the year's
        gains, so that nothing is worth harvesting. All else that experts and policy see stays: rates, nets, locks.
        """
        return replace(self, loss_limit=np.full_like(self.loss_limit, -np.inf, dtype=np.float64))


def portfolio_state(tradeable: np.ndarray, accounts: AccountPanel, tax: AccountTax) -> PortfolioState:
    """Aggregate lots into what the policy sees; float64 tensors on the CPU.

    A lot of unknown basis counts in the weight and has neither gain nor loss.

    Parameters
    ----------
    tradeable : ndarray of shape (N,)
        bool.
    accounts : AccountPanel
    tax : AccountTax

    Raises
    ------
    ValueError
        If panels and tax state do not fit together.
    """
    count, assets = len(accounts.account_ids), len(tradeable)
    check_shape("current_weights", accounts.current_weights, (count, assets + 1))
    check_shape("tax.is_locked", tax.is_locked, (count, assets))
    for name in ("short_rate", "long_rate", "short_net", "long_net", "carryover", "loss_limit"):
        check_shape(f"tax.{name}", getattr(tax, name), (count,))
    gain = _lot_gain(accounts)
    is_long = np.asarray(accounts.lot_is_long_term, dtype=bool)
    flat = np.asarray(accounts.lot_account) * assets + np.asarray(accounts.lot_asset)

    def summed(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(sum_lots(accounts, values, assets))

    taxable = ~np.asarray(accounts.is_tax_deferred, dtype=bool)[accounts.lot_account]
    days_left = np.full(count * assets, np.inf)
    waiting = ~is_long & (gain > 0)
    np.minimum.at(days_left, flat[waiting], np.asarray(accounts.lot_days_to_long_term)[waiting])
    days_left[~np.isfinite(days_left)] = 0.0
    weights = torch.from_numpy(np.array(accounts.current_weights, dtype=np.float64))

    def column(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(values, dtype=np.float64))

    return PortfolioState(
        weight=weights[:, :-1],
        short_gain=summed(np.maximum(gain, 0) * ~is_long),
        short_loss=summed(np.maximum(-gain, 0) * ~is_long),
        long_gain=summed(np.maximum(gain, 0) * is_long),
        long_loss=summed(np.maximum(-gain, 0) * is_long),
        harvestable=summed(np.asarray(accounts.lot_weight) * (is_harvestable(accounts) & taxable)),
        days_to_long=torch.from_numpy(days_left.reshape(count, assets)).clamp(max=366),
        is_locked=torch.from_numpy(np.array(tax.is_locked, dtype=bool)),
        is_tradeable=torch.from_numpy(np.array(tradeable, dtype=bool)).expand(count, -1),
        cash_weight=weights[:, -1],
        short_net=column(tax.short_net),
        long_net=column(tax.long_net),
        carryover=column(tax.carryover),
        loss_limit=column(tax.loss_limit),
        short_rate=column(tax.short_rate),
        long_rate=column(tax.long_rate),
        is_tax_deferred=torch.from_numpy(np.array(accounts.is_tax_deferred, dtype=bool)),
        year_fraction=torch.full((count,), float(tax.year_fraction), dtype=torch.float64),
    )


def rows_of(state: PortfolioState, rows: slice) -> PortfolioState:
    """Some accounts of a state."""
    return PortfolioState(**{name: getattr(state, name)[rows] for name in PortfolioState.__slots__})


def is_harvestable(accounts: AccountPanel) -> np.ndarray:
    """Lots that lost at least 5 % of cost and 50 USD and still have a value to sell; shape (L,)."""
    gain = np.asarray(accounts.lot_gain_ratio, dtype=np.float64)
    value = np.asarray(accounts.lot_value_usd, dtype=np.float64)
    lost = np.isfinite(gain) & (gain <= -HARVEST_LOSS_RATIO) & (gain > -1.0) & (value > 0.0)
    ratio = np.where(lost, gain, 0.0)
    return lost & (-ratio * value / (1.0 + ratio) >= HARVEST_LOSS_USD)


def free_weight(accounts: AccountPanel, assets: int) -> np.ndarray:
    """Weight in lots whose sale realises no short-term gain, (A, N): losses, long-term lots, all where no tax is due.

    A lot of unknown basis is not among them.
    """
    deferred = np.asarray(accounts.is_tax_deferred, dtype=bool)[accounts.lot_account]
    gain = np.asarray(accounts.lot_gain_ratio, dtype=np.float64)
    is_long = np.asarray(accounts.lot_is_long_term, dtype=bool) & np.isfinite(gain)
    weight = np.asarray(accounts.lot_weight, dtype=np.float64)
    return sum_lots(accounts, weight * (deferred | (gain <= 0.0) | is_long), assets)


def sum_lots(accounts: AccountPanel, values: np.ndarray, assets: int) -> np.ndarray:
    """Sum a value per lot (L,) by account and asset, (A, N)."""
    count = len(accounts.account_ids)
    flat = np.asarray(accounts.lot_account) * assets + np.asarray(accounts.lot_asset)
    return np.bincount(flat, weights=values, minlength=count * assets).reshape(count, assets)


def check_shape(name: str, values: np.ndarray, expected: tuple[int, ...]) -> None:
    """Refuse an array of another shape."""
    if np.shape(values) != expected:
        raise ValueError(f"{name} has shape {np.shape(values)}, expected {expected}")


def _lot_gain(accounts: AccountPanel) -> np.ndarray:
    """Unrealised result of each lot in shares of account value; 0 where the basis is unknown; (L,)."""
    ratio = np.asarray(accounts.lot_gain_ratio, dtype=np.float64)
    known = np.isfinite(ratio) & (ratio > -1.0)
    ratio = np.where(known, ratio, 0.0)
    return np.asarray(accounts.lot_weight, dtype=np.float64) * ratio / (1.0 + ratio)
