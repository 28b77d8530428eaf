"""Step 1: one branch per pair (buy, none, sell), and the convex problem that follows from it.

What belongs here: the no-trade band, locks, cash needs. What does not: amounts (``optimize.py``).
Order of the rules: drift beyond the band; cash beyond its band; wash locks; cash needs; losses that
may be realised tonight lock the household's buys of the same asset.
"""

from dataclasses import dataclass

import numpy as np

from ml.recommend.book import Book
from ml.recommend.candidates import Pairs
from ml.recommend.inputs import RecommendSettings
from ml.recommend.locks import SaleLots, WashWindows
from ml.recommend.optimize import Problem
from ml.recommend.schema import USD_UNITS

# Above every drift and tax slope: short-term gains that only a cash need may realise go last.
_LAST_RESORT = 100.0


@dataclass
class Branches:
    """What each pair may do, and why.

    Attributes
    ----------
    branch : ndarray of shape (P,)
        int8: -1, 0, +1.
    wants : ndarray of shape (P,)
        int8: the direction of a drift beyond the band, before any lock.
    is_wash_locked, is_cash_need : ndarray of shape (P,)
        bool: a buy that a lock forbids; a sale opened by a cash need alone.
    level : ndarray of shape (R,)
        0 no cash need beyond the ordinary sales; 1 every name may be sold; 2 short-term gains too.
    floor : ndarray of shape (R,)
        Cash after the orders, share of V; lower than the reserve where that cannot be raised.
    shortfall : ndarray of shape (R,)
        Share of V by which the reserve cannot be met.
    lots : ndarray of shape (L,)
        bool: lots that may be sold tonight, in pairs with branch -1.
    """

    branch: np.ndarray
    wants: np.ndarray
    is_wash_locked: np.ndarray
    is_cash_need: np.ndarray
    level: np.ndarray
    floor: np.ndarray
    shortfall: np.ndarray
    lots: np.ndarray


def choose_branches(
    pairs: Pairs,
    lots: SaleLots,
    windows: WashWindows,
    household: np.ndarray,
    is_wash_exempt: np.ndarray,
    is_harvest: np.ndarray,
    settings: RecommendSettings,
) -> Branches:
    """Fix what each pair may do.

    Parameters
    ----------
    pairs : Pairs
        P pairs of R accounts.
    lots : SaleLots
        Lots of those pairs.
    windows : WashWindows
    household : ndarray of shape (R,)
        Position of each account's household.
    is_wash_exempt : ndarray of shape (N,)
    is_harvest : ndarray of shape (P,)
        bool: a loss is there to be harvested, so that a target below the weight counts inside the band too.
    settings : RecommendSettings

    Returns
    -------
    Branches
    """
    owner = household[pairs.account]
    wants = _beyond_band(pairs, is_harvest, settings)
    locked = (wants > 0) & windows.loss_sold[owner, pairs.asset]
    branch = np.where(locked, 0, wants).astype(np.int8)
    branch, is_need, level, floor, shortfall = _meet_cash_needs(branch, pairs, lots, settings.cost_ratio)
    usable = np.where(level[pairs.account[lots.pair]] == 2, lots.can_sell_forced, lots.can_sell)
    usable &= branch[lots.pair] < 0
    # A loss that may be realised tonight would be washed by any buy of the household tonight.
    losing = usable & lots.is_loss & ~is_wash_exempt[pairs.asset[lots.pair]]
    tonight = np.zeros_like(windows.loss_sold)
    tonight[owner[lots.pair[losing]], pairs.asset[lots.pair[losing]]] = True
    crossing = (branch > 0) & tonight[owner, pairs.asset]
    branch[crossing] = 0
    return Branches(branch, wants, locked | crossing, is_need, level, floor, shortfall, usable)


def harvest_pairs(
    pairs: Pairs, lots: SaleLots, book: Book, harvesting: np.ndarray, settings: RecommendSettings
) -> np.ndarray:
    """Pairs of harvesting accounts with a loss that counts and may be sold without washing.

    Parameters
    ----------
    book : Book
    harvesting : ndarray of shape (R,)
        bool: tax_loss_harvesting has the largest weight of the account's mix.

    Returns
    -------
    ndarray of shape (P,)
        bool.
    """
    gain, basis = book.lot_gain[lots.row], book.lot_basis[lots.row] / USD_UNITS
    counts = (gain <= -settings.loss_ratio * basis) & (gain <= -settings.loss_usd)
    chosen = counts & lots.can_sell & lots.is_loss & ~lots.is_washing
    has_loss = np.bincount(lots.pair[chosen], minlength=len(pairs.asset)) > 0
    return has_loss & harvesting[pairs.account]


def _beyond_band(pairs: Pairs, is_harvest: np.ndarray, settings: RecommendSettings) -> np.ndarray:
    """Direction of drifts beyond the band; names that cash beyond its own band needs are let in too."""
    drift = pairs.target - pairs.weight
    band = np.maximum(settings.band_ratio, settings.band_relative * np.maximum(pairs.weight, pairs.target))
    can_buy = pairs.is_tradeable & ~pairs.is_excluded & (drift > 0.0)
    can_sell = pairs.is_tradeable & (drift < 0.0) & (pairs.weight > 0.0)
    outside = np.abs(drift) > band
    wants = np.where(
        can_buy & outside, 1, np.where(can_sell & (outside | pairs.is_excluded | is_harvest), -1, 0)
    )
    cash_drift = pairs.cash_target - pairs.cash_weight
    cash_band = np.maximum(
        settings.band_ratio, settings.band_relative * np.maximum(pairs.cash_weight, pairs.cash_target)
    )
    net = np.bincount(pairs.account, weights=np.where(wants != 0, drift, 0.0), minlength=len(cash_drift))
    # > 0: cash left idle by the trades so far; < 0: cash missing.
    idle = np.where(np.abs(cash_drift) > cash_band, -cash_drift - net, 0.0)
    side = np.sign(idle)[pairs.account]
    helps = (wants == 0) & ((can_buy & (side > 0)) | (can_sell & (side < 0)))
    size = np.where(helps, np.abs(drift), 0.0)
    order = np.lexsort((pairs.asset, -size, pairs.account))
    total = np.cumsum(size[order])
    first = pairs.start[:-1][pairs.account[order]]
    # `order` keeps accounts together, so a pair's account starts at the same place in it.
    before = total - size[order] - (total[first] - size[order][first]) if len(order) else total
    needed = np.zeros(len(size), dtype=bool)
    needed[order] = before < np.abs(idle)[pairs.account[order]] - 1e-12
    return np.where(helps & needed, side, wants).astype(np.int8)


def _meet_cash_needs(
    branch: np.ndarray, pairs: Pairs, lots: SaleLots, cost: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Open sales where cash must be raised: first every name under the mask, then without it."""
    with_mask = np.where(pairs.is_tradeable, lots.capacity(lots.can_sell), 0.0)
    without = np.where(pairs.is_tradeable, lots.capacity(lots.can_sell_forced), 0.0)

    def raised(per_pair: np.ndarray) -> np.ndarray:
        return (1.0 - cost) * np.bincount(pairs.account, weights=per_pair, minlength=len(pairs.reserve))

    need = pairs.reserve - pairs.cash_weight
    ordinary = raised(np.where(branch < 0, with_mask, 0.0))
    everything = raised(np.where(branch <= 0, with_mask, 0.0))
    last = raised(without)
    margin = 1e-9  # a need that only exact arithmetic could meet goes to the next level
    level = np.where(
        need <= np.maximum(ordinary - margin, 0.0), 0, np.where(need <= everything - margin, 1, 2)
    )
    level_of_pair = level[pairs.account]
    sellable = (level_of_pair == 1) & (branch <= 0) & (with_mask > 0.0)
    sellable |= (level_of_pair == 2) & (without > 0.0)
    is_need = sellable & (branch >= 0)
    branch = np.where(sellable, -1, branch).astype(np.int8)
    # A short-term gain may pay a debt or a stated need, never a purchase.
    branch[(level_of_pair == 2) & (branch > 0)] = 0
    most = pairs.cash_weight + last
    floor = np.where(level == 2, np.minimum(pairs.reserve, most), pairs.reserve)
    return branch, is_need, level, floor, np.maximum(pairs.reserve - most, 0.0)


def build_problem(pairs: Pairs, lots: SaleLots, branches: Branches, settings: RecommendSettings) -> Problem:
    """State the convex problem of the chosen branches.

    Returns
    -------
    Problem
        Its sellable lots are ``lots`` where ``branches.lots``, in the same order.
    """
    chosen = np.flatnonzero(branches.lots)
    penalty = np.where(lots.is_masked[chosen], _LAST_RESORT, 0.0)
    need = np.maximum(branches.floor - pairs.cash_weight, 0.0) / (1.0 - settings.cost_ratio)
    return Problem(
        start=pairs.start,
        branch=branches.branch,
        weight=pairs.weight,
        target=pairs.target,
        lot_start=np.searchsorted(lots.pair[chosen], np.arange(len(pairs.asset) + 1)),
        lot_slope=lots.slope[chosen] + penalty,
        lot_width=lots.width[chosen],
        cash_weight=pairs.cash_weight,
        cash_target=pairs.cash_target,
        floor=branches.floor,
        turnover=np.maximum(2.0 * settings.turnover_cap, need * (1.0 + 1e-9) + 1e-9),
        cost=settings.cost_ratio,
        kappa=settings.drift_aversion,
    )
