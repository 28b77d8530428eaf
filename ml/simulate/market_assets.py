"""What the simulated assets are: class, sector, loadings, volatility, dividends, life (no prices).

Equities are calibrated on US stocks of 2010-2016 (``calibration.py``); the levels of the other classes are design
values, drawn wide and fitted to nothing.
"""

from dataclasses import dataclass

import numpy as np

from ml.simulate.counter_rng import normals, spawned_keys, uniforms
from ml.types import ASSET_CLASSES, SECTORS

ASSET_SPAWN = 12
MARKET_FUND = 0  # number of the broad equity fund that can serve as the benchmark

# Shares of the classes, in the order of ASSET_CLASSES.
CLASS_SHARES = (0.70, 0.12, 0.06, 0.03, 0.03, 0.02, 0.02, 0.02)
(EQUITY, EQUITY_ETF, BOND_ETF, REIT, COMMODITY_CLASS, CURRENCY, CRYPTO_CLASS, CASH_CLASS) = range(8)
SECTOR_SHARES = (0.06, 0.05, 0.14, 0.13, 0.07, 0.13, 0.15, 0.15, 0.05, 0.04, 0.03)
REAL_ESTATE = SECTORS.index("Real Estate")
# By sector: session volatility of its own factor, and years of duration (financials gain when yields rise).
_SECTOR_SCALE = np.array(
    (0.0085, 0.0052, 0.0035, 0.0038, 0.0050, 0.0050, 0.0055, 0.0045, 0.0050, 0.0070, 0.0070)
)
_SECTOR_DURATION = np.array((-8.0, -5.0, -4.0, -1.0, 5.0, 2.0, -8.0, -1.0, 5.0, 12.0, 8.0))

_USUAL_OWN_VOLATILITY = 0.0110  # a session, of the middle equity

# Columns of the trait table that the price kernel reads.
TRAITS = (
    "beta sector sector_loading duration commodity crypto own_volatility drift nu alpha gamma garch_beta "
    "jump_scale yield_ratio pays phase price shares turnover volume_link listed_at merged_at splits carry bounce "
    "trend"
).split()
T = {name: i for i, name in enumerate(TRAITS)}


@dataclass(frozen=True)
class AssetTraits:
    """Traits of the assets.

    Parameters
    ----------
    keys:
        uint64 key of each asset.
    table:
        [assets, len(TRAITS)] float64; ``listed_at`` and ``merged_at`` are session indices, the latter
        beyond any horizon where the asset is never bought out.
    asset_class, sector:
        Indices into ASSET_CLASSES and SECTORS (-1 without).
    expense_ratio_pct, duration_years, qualified_dividend_ratio:
        NaN where not applicable.
    age_days:
        Days between the first listing and the start of the simulation.
    """

    keys: np.ndarray
    table: np.ndarray
    asset_class: np.ndarray
    sector: np.ndarray
    expense_ratio_pct: np.ndarray
    duration_years: np.ndarray
    qualified_dividend_ratio: np.ndarray
    age_days: np.ndarray


def asset_id(number: int) -> str:
    """Return the identifier of the asset with this number (from 0)."""
    return f"SIM{number + 1:05d}"


def draw_assets(assets: int, sessions: int, seed: int, trend_ann: float = 0.0) -> AssetTraits:
    """Return the traits of ``assets`` assets; asset i does not depend on how many there are.

    ``trend_ann`` as in :func:`ml.simulate.market.simulate_market`.
    Late listings fall into the first 750 sessions, or the first half of a horizon shorter than 1500.
    """
    keys = spawned_keys(seed, ASSET_SPAWN, assets)
    number = np.arange(assets)
    # A golden-ratio sequence spreads the classes evenly over any number of assets.
    spread = (0.31 + number * 0.6180339887498949) % 1.0
    kind = np.searchsorted(np.cumsum(CLASS_SHARES)[:-1], spread, side="right")
    kind[number == MARKET_FUND] = EQUITY_ETF
    sector = np.searchsorted(np.cumsum(SECTOR_SHARES)[:-1], uniforms(keys, 1), side="right")
    thematic = (kind == EQUITY_ETF) & (uniforms(keys, 2) < 0.5) & (number != MARKET_FUND)
    sector = np.where(kind == REIT, REAL_ESTATE, np.where((kind == EQUITY) | thematic, sector, -1))
    table = np.zeros((assets, len(TRAITS)))
    table[:, T["sector"]] = sector
    _draw_risk(table, keys, kind, thematic)
    table[:, T["trend"]] = trend_ann / 252 * table[:, T["own_volatility"]] / _USUAL_OWN_VOLATILITY
    _draw_income(table, keys, kind)
    _draw_life(table, keys, kind, sessions)
    fund = table[MARKET_FUND] if assets else None
    if fund is not None:
        fund[[T["beta"], T["own_volatility"], T["jump_scale"]]] = 1.0, 0.0004, 0.0
        fund[[T["listed_at"], T["merged_at"]]] = 0, np.iinfo(np.int32).max
    fee = np.select([kind == EQUITY_ETF, kind == BOND_ETF], [0.05, 0.04], 0.3) * np.exp(
        0.7 * normals(keys, 60)
    )
    is_fund = (kind != EQUITY) & (kind != REIT) & (kind != CRYPTO_CLASS)
    qualified = np.select(
        [kind == EQUITY, kind == EQUITY_ETF, kind == REIT, kind == BOND_ETF, kind == CASH_CLASS],
        [np.where(uniforms(keys, 61) < 0.9, 1.0, 0.0), 0.95, 0.0, 0.0, 0.0],
        np.nan,
    )
    return AssetTraits(
        keys=keys,
        table=table,
        asset_class=kind,
        sector=sector,
        expense_ratio_pct=np.where(is_fund, np.round(fee, 4), np.nan),
        duration_years=np.where((kind == BOND_ETF) | (kind == CASH_CLASS), table[:, T["duration"]], np.nan),
        qualified_dividend_ratio=qualified,
        age_days=np.floor(365 * np.exp(1.2 + 0.9 * normals(keys, 62))),
    )


def class_name(kind: int) -> str:
    """Return the vocabulary's name of a class index."""
    return ASSET_CLASSES[kind]


def _by_class(kind: np.ndarray, values: tuple[float, ...]) -> np.ndarray:
    """Return one value per asset from one per class."""
    return np.array(values)[kind]


def _draw_risk(table: np.ndarray, keys: np.ndarray, kind: np.ndarray, thematic: np.ndarray) -> None:
    """Draw loadings, the asset's own GJR-GARCH-t and jumps (daily units)."""
    beta = _by_class(kind, (0.97, 1.0, 0.0, 0.95, 0.25, -0.03, 0.3, 0.0))
    spread = _by_class(kind, (0.28, 0.12, 0.01, 0.15, 0.2, 0.1, 0.3, 0.0))
    low = np.where(kind == EQUITY, 0.2, -0.5)
    table[:, T["beta"]] = np.clip(beta + spread * normals(keys, 10), low, 2.3)
    # Corporate and high-yield funds carry equity risk, government funds none.
    credit = uniforms(keys, 11)
    high_yield = (kind == BOND_ETF) & (credit < 0.2)
    table[high_yield, T["beta"]] = 0.38
    table[(kind == BOND_ETF) & (credit >= 0.2) & (credit < 0.4), T["beta"]] = 0.14
    duration = np.array([1.9, 4.5, 7.5, 17.0])[np.floor(4 * uniforms(keys, 12)).astype(int)]
    duration = np.where(high_yield, 3.5, duration)
    weight = np.select([kind == EQUITY, thematic, kind == REIT], [1.0, 0.9, 1.0], 0.0)
    sector = np.maximum(table[:, T["sector"]], 0).astype(int)
    table[:, T["duration"]] = np.select(
        [kind == BOND_ETF, kind == CASH_CLASS], [duration, 0.15], weight * _SECTOR_DURATION[sector]
    )
    table[:, T["sector_loading"]] = weight * _SECTOR_SCALE[sector] * np.exp(0.2 * normals(keys, 13))
    table[:, T["commodity"]] = np.where(kind == COMMODITY_CLASS, 0.008 * np.exp(0.4 * normals(keys, 14)), 0.0)
    table[:, T["crypto"]] = np.where(kind == CRYPTO_CLASS, 0.044 * np.exp(0.3 * normals(keys, 15)), 0.0)
    # The shorter a bond, the less its price moves on its own.
    term = np.where(kind == BOND_ETF, np.sqrt(duration / 7.5), 1.0)
    own = term * _by_class(kind, (0.0110, 0.0020, 0.0008, 0.0075, 0.0070, 0.0045, 0.046, 0.00003))
    wide = _by_class(kind, (0.28, 0.4, 0.3, 0.25, 0.4, 0.3, 0.3, 0.2))
    # Stocks that follow the market more also move more on their own.
    with_beta = np.where(kind == EQUITY, (np.maximum(table[:, T["beta"]], 0.1) / 0.97) ** 0.6, 1.0)
    table[:, T["own_volatility"]] = own * with_beta * np.exp(wide * normals(keys, 16))
    table[:, T["nu"]] = np.clip(6.4 * np.exp(0.27 * normals(keys, 17)), 4.0, 14.0)
    persistence = np.clip(0.990 + 0.008 * normals(keys, 18), 0.93, 0.998)
    gamma = np.where(kind == CRYPTO_CLASS, 0.0, 0.092)
    table[:, T["alpha"]] = np.clip(0.037 * np.exp(0.55 * normals(keys, 41)), 0.004, 0.11)
    table[:, T["gamma"]] = gamma
    table[:, T["garch_beta"]] = persistence - table[:, T["alpha"]] - 0.5 * gamma
    # Prices between bid and ask turn back a little the next session, some more than others.
    bounce = _by_class(kind, (-0.05, 0.0, 0.0, -0.05, 0.0, 0.0, 0.0, 0.0))
    spread = _by_class(kind, (0.05, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0, 0.0))
    table[:, T["bounce"]] = bounce + spread * normals(keys, 40)
    jump = np.where(
        kind == EQUITY, 0.0385 * np.exp(0.27 * normals(keys, 19)), np.where(kind == REIT, 0.02, 0.0)
    )
    table[:, T["jump_scale"]] = np.where(kind == CRYPTO_CLASS, 0.05, jump)
    table[:, T["drift"]] = _by_class(kind, (0.0, 0.0, 0.00004, 0.0, 0.00004, 0.0, 0.0008, 0.0))
    # Bonds and cash earn the short rate; equities earn it inside the market factor.
    table[:, T["carry"]] = ((kind == BOND_ETF) | (kind == CASH_CLASS)).astype(float)


def _draw_income(table: np.ndarray, keys: np.ndarray, kind: np.ndarray) -> None:
    """Draw dividend yield (a year), payments a year and the session of the quarter on which they fall."""
    median = _by_class(kind, (0.021, 0.016, 0.028, 0.038, 0.0, 0.0, 0.0, 0.02))
    table[:, T["yield_ratio"]] = median * np.exp(0.62 * normals(keys, 20) * (kind == EQUITY))
    pays = _by_class(kind, (4, 4, 12, 4, 0, 0, 0, 12))
    silent = (kind == EQUITY) & (uniforms(keys, 21) >= 0.844)
    table[:, T["pays"]] = np.where(silent, 0, pays)
    table[:, T["phase"]] = np.floor(63 * uniforms(keys, 22))


def _draw_life(table: np.ndarray, keys: np.ndarray, kind: np.ndarray, sessions: int) -> None:
    """Draw first price, shares, trading, listing and buy-out."""
    price = np.exp(np.log(45.0) + 0.7 * normals(keys, 30))
    price = np.where(
        kind == CASH_CLASS, 100.0, np.where(kind == BOND_ETF, 60.0 + 60.0 * uniforms(keys, 31), price)
    )
    table[:, T["price"]] = np.round(np.clip(price, 5.0, 800.0), 2)
    value = np.exp(np.log(7e9) + 1.5 * normals(keys, 32))
    table[:, T["shares"]] = np.rint(value / table[:, T["price"]] / 1e4) * 1e4
    table[:, T["turnover"]] = 0.006 * np.exp(0.5 * normals(keys, 33))
    table[:, T["volume_link"]] = 0.112 * np.exp(0.25 * normals(keys, 34))
    late = uniforms(keys, 35) < 0.2
    window = min(750.0, 0.5 * sessions)
    table[:, T["listed_at"]] = np.where(late, np.floor(uniforms(keys, 36) * window), 0)
    # Buy-outs: 1.2 % of the equities a year, none in the first year after listing.
    wait = -np.log(np.maximum(uniforms(keys, 37), 1e-12)) / 0.012 * 252
    merged = np.where(kind == EQUITY, table[:, T["listed_at"]] + 252 + np.floor(wait), np.inf)
    table[:, T["merged_at"]] = np.minimum(merged, np.iinfo(np.int32).max)
    table[:, T["splits"]] = ((kind == EQUITY) | (kind == EQUITY_ETF) | (kind == REIT)).astype(float)
