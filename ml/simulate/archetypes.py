"""Investor archetypes: which kinds there are and how one investor's parameters are drawn.

Six archetypes are the objectives of :data:`ml.types.OBJECTIVES`; two placebos (a random trader and
a buy-and-hold investor) have no objective to find. Ranges follow published behaviour where there
is any (Odean 1998; Barber & Odean 2000; Ivkovic, Poterba & Weisbenner 2005) and are design values
otherwise. Every draw is addressed by the investor's key, so that no investor depends on another.
"""

from dataclasses import dataclass, field

import numpy as np

from ml.simulate.counter_rng import normals, uniforms
from ml.types import OBJECTIVES

RANDOM_TRADER, BUY_AND_HOLD = "random_trader", "buy_and_hold"
ARCHETYPES = (*OBJECTIVES, RANDOM_TRADER, BUY_AND_HOLD)
# Codes are numpy integers: the compiler would specialise every function on each plain constant.
ALPHA, SHORT_GAIN, LONG_GAIN, PRESERVATION, HARVEST, LONG_ONLY, RANDOM, HOLDER = map(np.int64, range(8))

# Columns of the parameter table: one float64 row per account.
PARAMETERS = (
    "archetype second second_share switch_after switch_to is_taxable attention positions cash_share "
    "noise_sell noise_buy december_hazard first_deposit contribution contribution_day withdraw_hazard "
    "plan_after plan_amount method fractional fee two_fill target stop uses_stop horizon signal_sign "
    "loser_hazard gain_hazard long_hazard trim harvest_threshold replace_delay equity_share sells_losses "
    "excluded_sector trade_rate add_share"
).split()
P = {name: i for i, name in enumerate(PARAMETERS)}
FIFO, HIFO, SPECIFIC = 0, 1, 2
METHODS = ("fifo", "hifo", "specific_id")


@dataclass(frozen=True)
class PopulationMix:
    """Shares of the archetypes (in the order of :data:`ARCHETYPES`) and of the complications.

    Parameters
    ----------
    shares:
        Non-negative, summing to 1.
    mixture_share:
        Share of investors who follow a second objective in 30 % of their decisions.
    switch_share:
        Share who change to another objective midway.
    ira_share, joint_share, goal_share:
        Share with an IRA beside, in a married_joint household of two, with goals in words.
    """

    shares: tuple[float, ...] = field(default=(0.04, 0.18, 0.29, 0.13, 0.10, 0.14, 0.05, 0.07))
    mixture_share: float = 0.10
    switch_share: float = 0.08
    ira_share: float = 0.25
    joint_share: float = 0.20
    goal_share: float = 0.40

    def __post_init__(self) -> None:
        """Refuse shares that are not a distribution over the eight archetypes."""
        if len(self.shares) != len(ARCHETYPES) or min(self.shares) < 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"shares {self.shares} must be {len(ARCHETYPES)} values >= 0 that sum to 1")


def draw_parameters(keys: np.ndarray, mix: PopulationMix) -> np.ndarray:
    """Return the parameter table [investors, len(PARAMETERS)] of the investors named by ``keys``.

    The table is that of the taxable account; :func:`ira_parameters` derives the IRA's.
    """
    table = np.zeros((len(keys), len(PARAMETERS)))
    _draw_objectives(table, keys, mix)
    _draw_tempo(table, keys)
    _draw_money(table, keys)
    _draw_account(table, keys)
    _draw_rules(table, keys)
    return table


def ira_parameters(table: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the parameters of the same investors' IRAs: smaller, few withdrawals, tax-blind."""
    ira = table.copy()
    ira[:, P["is_taxable"]] = 0.0
    for name in ("archetype", "second", "switch_to"):
        column = ira[:, P[name]]
        ira[:, P[name]] = np.where((column == HARVEST) | (column == LONG_ONLY), LONG_GAIN, column)
    ira[:, P["method"]] = FIFO
    ira[:, P["december_hazard"]] = 0.0
    ira[:, P["withdraw_hazard"]] = 0.0
    ira[:, P["plan_after"]] = -1.0
    ira[:, P["first_deposit"]] *= _between(keys, 60, 0.2, 0.9)
    # The annual limit of an IRA was 5,500 to 7,000 in the years covered; larger first sums are rollovers.
    ira[:, P["contribution"]] = np.minimum(ira[:, P["contribution"]] * 0.5, 450_00.0)
    return ira


def _between(keys: np.ndarray, purpose: int, low, high) -> np.ndarray:
    """Return uniform draws in [low, high), bounds scalar or per key."""
    return low + (high - low) * uniforms(keys, purpose)


def _pick(keys: np.ndarray, purpose: int, shares) -> np.ndarray:
    """Return category numbers with the given probabilities."""
    edges = np.cumsum(np.asarray(shares, dtype=float))[:-1]
    return np.searchsorted(edges, uniforms(keys, purpose), side="right")


def _draw_objectives(table: np.ndarray, keys: np.ndarray, mix: PopulationMix) -> None:
    """Draw archetype, second objective and switch; placebos have neither."""
    archetype = _pick(keys, 1, mix.shares)
    second = (archetype + 1 + np.floor(_between(keys, 2, 0, 5)).astype(int)) % 6
    other = (archetype + 1 + np.floor(_between(keys, 3, 0, 5)).astype(int)) % 6
    placebo = archetype >= RANDOM
    mixed = (uniforms(keys, 4) < mix.mixture_share) & ~placebo
    switches = (uniforms(keys, 5) < mix.switch_share) & ~placebo & ~mixed
    table[:, P["archetype"]] = archetype
    table[:, P["second"]] = np.where(mixed, second, archetype)
    table[:, P["second_share"]] = np.where(mixed, 0.3, 0.0)
    table[:, P["switch_after"]] = np.where(switches, np.floor(_between(keys, 6, 250, 900)), -1)
    table[:, P["switch_to"]] = np.where(switches, other, archetype)
    table[:, P["is_taxable"]] = 1.0


def _draw_tempo(table: np.ndarray, keys: np.ndarray) -> None:
    """Draw how often the investor looks, how many names are held and how much is noise."""
    archetype = table[:, P["archetype"]].astype(int)
    attention = np.array([0.28, 0.25, 0.08, 0.10, 0.20, 0.08, 0.12, 0.04])[archetype]
    names = np.array([4.2, 4.2, 3.0, 2.8, 3.4, 3.0, 2.8, 2.6])[archetype]
    table[:, P["attention"]] = attention * _between(keys, 10, 0.7, 1.3)
    spread = np.exp(0.85 * normals(keys, 11))
    table[:, P["positions"]] = np.clip(np.rint(1 + names * spread), 1, 30)
    # Sales a year that the rules produce, roughly; noise is 10 to 30 % of all sales.
    expected = np.array([14.0, 4.0, 1.1, 1.5, 3.0, 1.3, 5.0, 0.3])[archetype]
    noise = _between(keys, 12, 0.10, 0.30)
    rate = expected * noise / (1 - noise) / 252 * table[:, P["positions"]] / (1 + 1.4 * names)
    table[:, P["noise_sell"]] = np.where(archetype == HOLDER, 0.15 / 252, rate)
    table[:, P["noise_buy"]] = 0.6 * table[:, P["noise_sell"]]
    table[:, P["add_share"]] = _between(keys, 13, 0.15, 0.5)
    seller = uniforms(keys, 14) < 0.5
    hazard = _between(keys, 15, 0.003, 0.010)
    harvests = (archetype == HARVEST) | (archetype >= RANDOM)
    table[:, P["december_hazard"]] = np.where(seller & ~harvests, hazard, 0.0)


def _draw_money(table: np.ndarray, keys: np.ndarray) -> None:
    """Draw deposits, contributions, withdrawals and a planned need (cents)."""
    archetype = table[:, P["archetype"]].astype(int)
    wealth = np.clip(np.exp(np.log(28_000) + 1.1 * normals(keys, 20)), 2_000, 3_000_000)
    table[:, P["first_deposit"]] = np.rint(wealth / 50) * 50_00
    share = np.array([0.2, 0.3, 0.85, 0.6, 0.7, 0.7, 0.4, 0.5])[archetype]
    contributes = uniforms(keys, 21) < share
    monthly = np.clip(wealth * np.exp(-4.2 + 0.7 * normals(keys, 22)), 50, 5_000)
    table[:, P["contribution"]] = np.where(contributes, np.rint(monthly / 25) * 25_00, 0)
    table[:, P["contribution_day"]] = np.floor(_between(keys, 23, 0, 15))
    table[:, P["withdraw_hazard"]] = _between(keys, 24, 0.0, 0.5) / 252
    planned = uniforms(keys, 25) < 0.15
    table[:, P["plan_after"]] = np.where(planned, np.floor(_between(keys, 26, 120, 1000)), -1)
    amount = wealth * _between(keys, 27, 0.08, 0.35)
    table[:, P["plan_amount"]] = np.maximum(np.rint(amount / 500), 1) * 500_00
    cash = np.array([0.05, 0.05, 0.03, 0.0, 0.02, 0.03, 0.10, 0.03])[archetype]
    table[:, P["cash_share"]] = cash * _between(keys, 28, 0.3, 1.7)


def _draw_account(table: np.ndarray, keys: np.ndarray) -> None:
    """Draw lot method, fractional trading, fees and split fills."""
    archetype = table[:, P["archetype"]].astype(int)
    draw = uniforms(keys, 30)
    hifo = np.array([0.05, 0.05, 0.08, 0.05, 0.45, 0.0, 0.05, 0.05])[archetype]
    specific = np.array([0.03, 0.03, 0.10, 0.03, 0.30, 0.55, 0.05, 0.03])[archetype]
    table[:, P["method"]] = np.where(draw < hifo, HIFO, np.where(draw < hifo + specific, SPECIFIC, FIFO))
    table[:, P["fractional"]] = uniforms(keys, 31) < 0.8
    fee = np.where(uniforms(keys, 32) < 0.5, 1_00, 4_95)
    table[:, P["fee"]] = np.where(uniforms(keys, 33) < 0.08, fee, 0)
    table[:, P["two_fill"]] = np.where(table[:, P["method"]] == SPECIFIC, 0.0, 0.05)
    excludes = uniforms(keys, 34) < 0.12
    table[:, P["excluded_sector"]] = np.where(excludes, np.floor(_between(keys, 35, 0, 11)), -1)


def _draw_rules(table: np.ndarray, keys: np.ndarray) -> None:
    """Draw the numbers inside the archetypes' rules; hazards are per session."""
    table[:, P["target"]] = _between(keys, 40, 0.05, 0.15)
    table[:, P["stop"]] = _between(keys, 41, 0.05, 0.10)
    table[:, P["uses_stop"]] = uniforms(keys, 42) < 0.2
    table[:, P["horizon"]] = np.floor(np.exp(_between(keys, 43, np.log(4.0), np.log(21.0))))
    table[:, P["signal_sign"]] = np.where(uniforms(keys, 44) < 0.6, 1.0, -1.0)
    table[:, P["loser_hazard"]] = 0.0008 * _lognormal(keys, 45, 0.5)
    table[:, P["gain_hazard"]] = 0.0004 * _lognormal(keys, 46, 0.5)
    table[:, P["long_hazard"]] = 0.0012 * _lognormal(keys, 47, 0.6)
    table[:, P["trim"]] = _between(keys, 48, 0.3, 1.0)
    table[:, P["harvest_threshold"]] = _between(keys, 49, 0.05, 0.10)
    table[:, P["replace_delay"]] = np.floor(_between(keys, 50, 0, 4))
    table[:, P["equity_share"]] = _between(keys, 51, 0.10, 0.50)
    table[:, P["sells_losses"]] = uniforms(keys, 52) < 0.5
    table[:, P["trade_rate"]] = 0.02 * _lognormal(keys, 53, 0.7)


def _lognormal(keys: np.ndarray, purpose: int, sigma: float) -> np.ndarray:
    """Return log-normal draws of median 1."""
    return np.exp(sigma * normals(keys, purpose))
