"""The four analytic experts: momentum, growth, defensive and tax_aware, for all accounts at once.

What belongs here: the target portfolio of each expert, from market features, returns, holdings and
lots. What does not: the input panels (``panels.py``), the risk model (``covariance.py``), mixing experts
(``objectives.py``), orders, wash-sale locks and limits on names (``ml/recommend``).

Rules that hold for every expert
--------------------------------
* A target is >= 0 and sums to 1, cash last.
* An asset that is not tradeable (stale) keeps exactly its current weight: it is neither bought nor
  sold; what is left of the account is what the expert distributes.
* Names and positions decide nothing: permuting the assets permutes the targets. Ties are split
  evenly: every asset at the momentum cut is taken, equally correlated substitutes share the proceeds.
"""

from dataclasses import dataclass

import numpy as np

from ml.policy.covariance import SESSIONS_PER_YEAR, RiskModel, estimate_risk, min_variance_weights
from ml.policy.panels import REQUIRED_FEATURES, AccountPanel, MarketPanel
from ml.simplex import normalize_rows
from ml.types import EXPERTS

__all__ = ["AccountPanel", "MarketPanel", "MarketPlan", "expert_targets", "plan_market"]

CASH_BUFFER = 0.02  # cash that growth and tax_aware leave for fees and withdrawals
MIN_VOLATILITY_ANN = 0.05  # keeps a flat price from dividing by zero or taking a whole portfolio

MOMENTUM_TOP_SHARE = 0.30

GROWTH_DRIFT = 0.05  # share of the gap to the anchor closed each week, about half in a quarter
GROWTH_VOLATILITY_FLOOR_ANN = 0.10  # below it calm earns no further weight: a bill fund is not growth
GROWTH_TILT = 0.25

DEFENSIVE_CASH_MIN, DEFENSIVE_CASH_MAX = 0.10, 0.60
DEFENSIVE_CALM_VOLATILITY_ANN = 0.12  # market volatility up to which cash stays at its minimum
DEFENSIVE_CASH_SLOPE = 1.5  # cash share added per unit of annual market volatility above calm
USUAL_MARKET_VOLATILITY_ANN = 0.16  # where neither the panel nor the caller knows it

HARVEST_LOSS_RATIO, HARVEST_LOSS_USD = 0.05, 50.0
SAME_SERIES_CORRELATION = 0.9999  # above it the substitute is the same thing under another id
CORRELATION_DIGITS = 9
OVERWEIGHT_LIMIT = 0.20
TRIM_RATE = 0.25


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """What the experts derive from the market alone; computed once, used for every chunk of accounts.

    Attributes
    ----------
    tradeable : ndarray of shape (N,)
        bool.
    risk : RiskModel
        Volatility and correlation of the last year.
    momentum, growth_anchor, defensive : ndarray of shape (N + 1,)
        Portfolios that do not depend on the account, cash last, summing to 1.
    """

    tradeable: np.ndarray
    risk: RiskModel
    momentum: np.ndarray
    growth_anchor: np.ndarray
    defensive: np.ndarray


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
    known = features["risk__volatility_252d_ann"]
    volatility = np.maximum(
        np.where(np.isfinite(known) & (known > 0.0), known, risk.volatility_ann), MIN_VOLATILITY_ANN
    )
    return MarketPlan(
        tradeable=tradeable,
        risk=risk,
        momentum=_momentum(features, volatility, tradeable),
        growth_anchor=_growth_anchor(features, volatility, tradeable),
        defensive=_defensive(market, features, risk, tradeable),
    )


def expert_targets(market: MarketPanel, accounts: AccountPanel, plan: MarketPlan | None = None) -> np.ndarray:
    """Target portfolio of each expert for each account.

    Parameters
    ----------
    market : MarketPanel
        N assets.
    accounts : AccountPanel
        A accounts over the same assets.
    plan : MarketPlan, optional
        From :func:`plan_market`, where accounts come in chunks; computed if absent.

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
    current = np.asarray(accounts.current_weights, dtype=np.float64)
    if current.shape[1] != len(market.asset_ids) + 1:
        raise ValueError(
            f"current_weights have {current.shape[1]} columns: "
            f"expected {len(market.asset_ids)} assets and cash"
        )
    current = current / current.sum(axis=1, keepdims=True)
    targets = np.empty((len(current), len(EXPERTS), current.shape[1]))
    targets[:, EXPERTS.index("momentum")] = _around_stuck(plan.momentum, current, plan.tradeable)
    targets[:, EXPERTS.index("growth")] = _growth(plan.growth_anchor, current, plan.tradeable)
    targets[:, EXPERTS.index("defensive")] = _around_stuck(plan.defensive, current, plan.tradeable)
    targets[:, EXPERTS.index("tax_aware")] = _tax_aware(plan, accounts, current)
    return normalize_rows(targets)


def _around_stuck(portfolio: np.ndarray, current: np.ndarray, tradeable: np.ndarray) -> np.ndarray:
    """Give every account the portfolio, scaled to what its untradeable holdings leave."""
    stuck = np.where(np.append(tradeable, True), 0.0, current)
    return stuck + (1.0 - stuck.sum(axis=1, keepdims=True)) * portfolio


def _momentum(features: dict[str, np.ndarray], volatility: np.ndarray, tradeable: np.ndarray) -> np.ndarray:
    """Hold the top 30 % by 12-1 momentum per volatility, by inverse volatility; losers' slots in cash."""
    past = features["momentum__return_252d_ex_21d_log"]
    eligible = tradeable & np.isfinite(past) & (features["class__cash"] != 1.0)
    portfolio = np.zeros(len(past) + 1)
    if eligible.any():
        score = np.where(eligible, past / volatility, -np.inf)
        slots = max(1, int(np.ceil(MOMENTUM_TOP_SHARE * eligible.sum())))
        top = eligible & (score >= np.sort(score)[-slots])
        winners = top & (score > 0.0)
        if winners.any():
            share = np.where(winners, 1.0 / volatility, 0.0)
            portfolio[:-1] = share / share.sum() * (winners.sum() / top.sum())
    portfolio[-1] = max(0.0, 1.0 - portfolio[:-1].sum())
    return portfolio


def _growth_anchor(
    features: dict[str, np.ndarray], volatility: np.ndarray, tradeable: np.ndarray
) -> np.ndarray:
    """Half equal, half inverse volatility over all that can grow, tilted by the last year's steadiness."""
    idle = (features["class__cash"] == 1.0) | (features["class__currency"] == 1.0)
    broad = tradeable & ~idle
    if not broad.any():
        broad = tradeable
    portfolio = np.zeros(len(volatility) + 1)
    if broad.any():
        inverse = np.where(broad, 1.0 / np.maximum(volatility, GROWTH_VOLATILITY_FLOOR_ANN), 0.0)
        blend = 0.5 * broad / broad.sum() + 0.5 * inverse / inverse.sum()
        year = features["momentum__return_252d_ex_21d_log"] + features["momentum__return_21d_log"]
        # A bounded tilt by return per unit of risk; an unknown year is neutral.
        tilt = 1.0 + GROWTH_TILT * np.tanh(np.where(np.isfinite(year), year, 0.0) / volatility)
        portfolio[:-1] = (1.0 - CASH_BUFFER) * blend * tilt / (blend * tilt).sum()
    portfolio[-1] = max(0.0, 1.0 - portfolio[:-1].sum())
    return portfolio


def _growth(anchor: np.ndarray, current: np.ndarray, tradeable: np.ndarray) -> np.ndarray:
    """Put idle cash where the anchor wants more, then close a twentieth of the gap that is left."""
    goal = _around_stuck(anchor, current, tradeable)
    shortfall = np.maximum(goal - current, 0.0)[:, :-1]
    total = shortfall.sum(axis=1)
    spend = np.minimum(np.maximum(current[:, -1] - goal[:, -1], 0.0), total)
    moved = current.copy()
    moved[:, :-1] += shortfall * np.divide(spend, total, out=np.zeros_like(total), where=total > 0.0)[:, None]
    moved[:, -1] -= spend
    return np.maximum(moved + GROWTH_DRIFT * (goal - moved), 0.0)


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


def _tax_aware(plan: MarketPlan, accounts: AccountPanel, current: np.ndarray) -> np.ndarray:
    """Harvest losses into substitutes, hold gains to long term, trim what is overweight, spread new cash."""
    deferred = np.asarray(accounts.is_tax_deferred, dtype=bool)[accounts.lot_account]
    movable = plan.tradeable[accounts.lot_asset]
    gain = np.asarray(accounts.lot_gain_ratio, dtype=np.float64)
    harvested = _sum_lots(accounts, current, movable & ~deferred & is_harvestable(accounts))
    harvested = np.minimum(harvested, current)[:, :-1]
    # A gain is free to trim once long-term, a loss always, and everything where no tax is due.
    free = deferred | (gain <= 0.0) | (np.asarray(accounts.lot_is_long_term, dtype=bool) & np.isfinite(gain))
    trimmable = _sum_lots(accounts, current, movable & free)[:, :-1]
    kept = current[:, :-1] - harvested
    left = np.maximum(np.minimum(trimmable, current[:, :-1]) - harvested, 0.0)
    trim = _overweight_trim(kept, left, plan.tradeable)
    target = np.empty_like(current)
    target[:, :-1] = kept - trim
    target[:, -1] = current[:, -1] + trim.sum(axis=1)
    _replace_harvested(target, harvested, plan)
    _spread_cash(target, harvested, plan.tradeable)
    return np.maximum(target, 0.0)


def is_harvestable(accounts: AccountPanel) -> np.ndarray:
    """Lots that lost at least 5 % of cost and 50 USD and still have a value to sell; shape (L,)."""
    gain = np.asarray(accounts.lot_gain_ratio, dtype=np.float64)
    value = np.asarray(accounts.lot_value_usd, dtype=np.float64)
    lost = np.isfinite(gain) & (gain <= -HARVEST_LOSS_RATIO) & (gain > -1.0) & (value > 0.0)
    ratio = np.where(lost, gain, 0.0)
    return lost & (-ratio * value / (1.0 + ratio) >= HARVEST_LOSS_USD)


def _sum_lots(accounts: AccountPanel, current: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Sum the weights of chosen lots per account and asset; shape (A, N + 1)."""
    flat = np.asarray(accounts.lot_account) * current.shape[1] + np.asarray(accounts.lot_asset)
    weights = np.asarray(accounts.lot_weight, dtype=np.float64)[chosen]
    return np.bincount(flat[chosen], weights=weights, minlength=current.size).reshape(current.shape)


def _overweight_trim(kept: np.ndarray, trimmable: np.ndarray, tradeable: np.ndarray) -> np.ndarray:
    """Trim a quarter of what exceeds 20 % (or twice equal weight), from trimmable lots only; shape (A, N)."""
    limit = max(OVERWEIGHT_LIMIT, 2.0 / max(int(tradeable.sum()), 1))
    return np.minimum(TRIM_RATE * np.maximum(kept - limit, 0.0), trimmable)


def _replace_harvested(target: np.ndarray, harvested: np.ndarray, plan: MarketPlan) -> None:
    """Move each harvested weight into the most correlated asset that the account does not harvest.

    A substitute is tradeable, has a history, is not the same series under another id and is not
    itself sold at a loss in the account. Equally correlated ones share; without any it stays cash.
    """
    candidates = plan.tradeable & plan.risk.has_history
    for asset in np.flatnonzero(harvested.any(axis=0)):
        rows = np.flatnonzero(harvested[:, asset] > 0.0)
        single = np.array([asset])
        closeness = plan.risk.correlation_block(single, np.arange(harvested.shape[1]))[0]
        closeness = closeness.round(CORRELATION_DIGITS)
        usable = candidates & (closeness < SAME_SERIES_CORRELATION)
        usable[asset] = False
        allowed = usable[None, :] & (harvested[rows] <= 0.0)
        closeness_here = np.where(allowed, closeness[None, :], -np.inf)
        best = allowed & (closeness_here == closeness_here.max(axis=1, keepdims=True))
        count = best.sum(axis=1)
        share = harvested[rows, asset] / np.maximum(count, 1)
        target[rows, :-1] += best * share[:, None]
        target[rows, -1] += np.where(count == 0, harvested[rows, asset], 0.0)


def _spread_cash(target: np.ndarray, harvested: np.ndarray, tradeable: np.ndarray) -> None:
    """Spread cash above the buffer evenly over tradeable assets that the account does not harvest."""
    open_to_buy = tradeable[None, :] & (harvested <= 0.0)
    count = open_to_buy.sum(axis=1)
    spend = np.where(count > 0, np.maximum(target[:, -1] - CASH_BUFFER, 0.0), 0.0)
    target[:, :-1] += open_to_buy * (spend / np.maximum(count, 1))[:, None]
    target[:, -1] -= spend
