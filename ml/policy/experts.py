"""The four analytic experts: momentum, growth, defensive and tax_aware, for all accounts at once.

What belongs here: the market side of each expert, from features and returns. What does not: what an expert wants of
an account (``teachers.py``), the input panels (``panels.py``), the risk model (``covariance.py``), mixing experts
(``objectives.py``), orders, wash-sale locks and limits on names (``ml/recommend``).

Rules that hold for every expert
--------------------------------
* A target is >= 0 and sums to 1, cash last.
* An asset that is not tradeable (stale) keeps exactly its current weight: it is neither bought nor
  sold; what is left of the account is what the expert distributes.
* Names and positions decide nothing: permuting the assets permutes the targets, ties share.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from ml.policy.account_state import AccountTax, free_weight, portfolio_state, rows_of
from ml.policy.covariance import SESSIONS_PER_YEAR, RiskModel, estimate_risk, min_variance_weights
from ml.policy.panels import REQUIRED_FEATURES, AccountPanel, MarketPanel
from ml.policy.teachers import CASH_BUFFER, account_targets
from ml.simplex import normalize_rows
from ml.types import EXPERTS

__all__ = ["AccountPanel", "MarketPanel", "MarketPlan", "expert_targets", "plan_market"]

# Full weight up to the first rank (a share of the assets, best first), none from the second on: without the ramp an
# asset at the cut would be bought and sold every other week.
MOMENTUM_TOP_SHARE, MOMENTUM_OUT_SHARE = 0.20, 0.40
GROWTH_TILT: Final = 1.0  # the last year's best asset weighs twice the middle one, the worst nothing

DEFENSIVE_CASH_MIN, DEFENSIVE_CASH_MAX = 0.35, 0.80
DEFENSIVE_CALM_VOLATILITY_ANN = 0.12  # market volatility up to which cash stays at its minimum
DEFENSIVE_CASH_SLOPE = 2.0  # cash share added per unit of annual market volatility above calm
USUAL_MARKET_VOLATILITY_ANN = 0.16  # where neither the panel nor the caller knows it
_CELLS: Final = 262_144  # account-assets of one pass: bounds the memory


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """What the experts derive from the market alone; computed once, used for every chunk of accounts.

    Attributes
    ----------
    tradeable : ndarray of shape (N,)
        bool.
    momentum, growth_anchor, defensive : ndarray of shape (N + 1,)
        Portfolios that do not depend on the account, cash last, summing to 1.
    """

    tradeable: np.ndarray
    momentum: np.ndarray
    growth_anchor: np.ndarray
    defensive: np.ndarray

    @property
    def portfolios(self) -> np.ndarray:
        """Momentum, growth and defensive, (3, N + 1): what :func:`ml.policy.teachers.account_targets` reads."""
        return np.stack([self.momentum, self.growth_anchor, self.defensive])


def plan_market(market: MarketPanel) -> MarketPlan:
    """Derive what does not depend on the account.

    Parameters
    ----------
    market : MarketPanel

    Returns
    -------
    MarketPlan
    """
    features = {name: np.asarray(market.features[name], dtype=np.float64) for name in REQUIRED_FEATURES}
    tradeable = np.asarray(market.tradeable, dtype=bool)
    risk = estimate_risk(market.returns)
    return MarketPlan(
        tradeable=tradeable,
        momentum=_momentum(features, tradeable),
        growth_anchor=_growth_anchor(features, tradeable),
        defensive=_defensive(market, features, risk, tradeable),
    )


def expert_targets(
    market: MarketPanel,
    accounts: AccountPanel,
    plan: MarketPlan | None = None,
    tax: AccountTax | None = None,
) -> np.ndarray:
    """Target portfolio of each expert for each account.

    Parameters
    ----------
    market : MarketPanel
        N assets.
    accounts : AccountPanel
        A accounts over the same assets.
    plan : MarketPlan, optional
        From :func:`plan_market`, where accounts come in chunks; computed if absent.
    tax : AccountTax, optional
        Without it, a year in which nothing was sold yet.

    Returns
    -------
    ndarray of shape (A, 4, N + 1)
        Order of :data:`ml.types.EXPERTS`, cash last; >= 0, each row sums to 1 within 1e-12.

    Raises
    ------
    ValueError
        If the two panels do not have the same number of assets.
    """
    plan = plan_market(market) if plan is None else plan
    assets = len(market.asset_ids)
    if np.shape(accounts.current_weights)[1] != assets + 1:
        raise ValueError(
            f"current_weights have {np.shape(accounts.current_weights)[1]} columns: "
            f"expected {assets} assets and cash"
        )
    state = portfolio_state(plan.tradeable, accounts, tax or AccountTax.untouched(accounts))
    free = torch.from_numpy(free_weight(accounts, assets))
    portfolios = torch.from_numpy(plan.portfolios)[None]
    targets = np.empty((len(accounts.account_ids), len(EXPERTS), assets + 1))
    chunk = max(1, _CELLS // max(assets, 1))
    for start in range(0, len(targets), chunk):
        rows = slice(start, start + chunk)
        targets[rows] = account_targets(portfolios, rows_of(state, rows), free[rows]).numpy()
    return normalize_rows(targets)


def _momentum(features: dict[str, np.ndarray], tradeable: np.ndarray) -> np.ndarray:
    """Hold the best assets by 12-1 momentum in equal parts; assets between the two ranks in part.

    Cash only where no asset has a year behind it.
    """
    past = features["momentum__return_252d_ex_21d_log"]
    eligible = tradeable & np.isfinite(past) & (features["class__cash"] != 1.0)
    portfolio = np.zeros(len(past) + 1)
    if eligible.any():
        ramp = (MOMENTUM_OUT_SHARE - _rank(past, eligible)) / (MOMENTUM_OUT_SHARE - MOMENTUM_TOP_SHARE)
        part = np.where(eligible, np.clip(ramp, 0.0, 1.0), 0.0)
        # Of very few assets every one may lie beyond the ranks: the best is held.
        part = part if part.any() else (eligible & (past == past[eligible].max())).astype(float)
        portfolio[:-1] = part / part.sum()
    portfolio[-1] = max(0.0, 1.0 - portfolio[:-1].sum())
    return portfolio


def _rank(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Share of the chosen that lie above each, 0 the best; equal values share a rank; (N,)."""
    ordered = np.sort(values[chosen])
    above = len(ordered) - np.searchsorted(ordered, values, side="right")
    equal = np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values, side="left")
    return (above + 0.5 * np.maximum(equal, 1)) / max(len(ordered), 1)


def _growth_anchor(features: dict[str, np.ndarray], tradeable: np.ndarray) -> np.ndarray:
    """Hold all that can grow, more of what rose in the last year; an unknown year is neutral."""
    idle = (features["class__cash"] == 1.0) | (features["class__currency"] == 1.0)
    broad = tradeable & ~idle
    if not broad.any():
        broad = tradeable
    portfolio = np.zeros(len(tradeable) + 1)
    if broad.any():
        past = features["momentum__return_252d_ex_21d_log"]
        known = broad & np.isfinite(past)
        tilt = np.where(known, 1.0 + GROWTH_TILT * (1.0 - 2.0 * _rank(past, known)), 1.0)
        part = np.where(broad, tilt, 0.0)
        portfolio[:-1] = (1.0 - CASH_BUFFER) * part / part.sum()
    portfolio[-1] = max(0.0, 1.0 - portfolio[:-1].sum())
    return portfolio


def _market_volatility(market: MarketPanel) -> float:
    """Take the volatility as given, else that of the panel's mean return over its last 63 sessions."""
    given = float(market.market_volatility_63d_ann)
    if np.isfinite(given) and given >= 0.0:
        return given
    recent = np.asarray(market.returns, dtype=np.float64)[-63:]
    seen = np.isfinite(recent)
    days = seen.any(axis=1)
    if days.sum() < 21:
        return USUAL_MARKET_VOLATILITY_ANN
    mean = np.where(seen, recent, 0.0).sum(axis=1)[days] / seen.sum(axis=1)[days]
    return float(mean.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR))


def _defensive(
    market: MarketPanel, features: dict[str, np.ndarray], risk: RiskModel, tradeable: np.ndarray
) -> np.ndarray:
    """Minimum variance, with a cash share that rises with the market's volatility."""
    above_calm = max(0.0, _market_volatility(market) - DEFENSIVE_CALM_VOLATILITY_ANN)
    cash = min(DEFENSIVE_CASH_MIN + DEFENSIVE_CASH_SLOPE * above_calm, DEFENSIVE_CASH_MAX)
    volatility = risk.volatility_ann
    stocks = tradeable & (features["class__equity"] == 1.0)
    if stocks.any():
        # One company gone quiet (a takeover at a fixed price) must not become the whole portfolio.
        floor = 0.5 * float(np.median(volatility[stocks]))
        volatility = np.where(stocks, np.maximum(volatility, floor), volatility)
    portfolio = np.zeros(len(volatility) + 1)
    portfolio[:-1] = (1.0 - cash) * min_variance_weights(risk, volatility, tradeable)
    portfolio[-1] = max(0.0, 1.0 - portfolio[:-1].sum())
    return portfolio
