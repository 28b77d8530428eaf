"""The 32 features of a decision: names, formulas and scales, read from running totals.

What belongs here: one documented expression per feature over the columns of ``decision_totals.py``. What
does not: the totals, the rows (``decisions.py``).

A share is shrunk to what is usual, (part + k * usual) / (whole + k) - usual, and scaled so that most users
fall in [-3, 3]; nothing seen yet gives 0, and everything is clipped to that range.
"""

from hashlib import sha256
from math import log

import polars as pl

DECISION_FEATURES_VERSION = 1  # raise it with every change of a formula, a scale or a total
SHRINK = 4.0
BOUND = 3.0
USUAL_PGR, USUAL_PLR = 0.2, 0.15


def _total(name: str) -> pl.Expr:
    return pl.col(name).fill_null(0.0)


def _share(part: str, whole: str, usual: float, scale: float) -> pl.Expr:
    """Give scale * (shrunk part / whole - usual)."""
    return scale * ((_total(part) + SHRINK * usual) / (_total(whole) + SHRINK) - usual)


def _log_over(value: pl.Expr, usual: float, scale: float = 1.0) -> pl.Expr:
    """Give scale * log((1 + value) / (1 + usual))."""
    return scale * ((1.0 + value).log() - pl.lit(1.0 + usual).log())


def _days_since(name: str) -> pl.Expr:
    return (pl.col("trade_date") - pl.col(name)).dt.total_days().cast(pl.Float64)


def _rate(sold: str, eligible: str, usual: float) -> pl.Expr:
    return (_total(sold) + SHRINK * usual) / (_total(eligible) + SHRINK)


_YEARS = (_days_since("first_date") / 365.25).clip(lower_bound=0.25)
_MEAN_GAP = pl.col("gap") / pl.col("gaps")
_GAP_VARIATION = ((pl.col("gap_squared") / pl.col("gaps") / _MEAN_GAP**2) - 1.0).clip(lower_bound=0.0).sqrt()
_PGR = _rate("gains_sold", "gains_eligible", USUAL_PGR)
_PLR = _rate("losses_sold", "losses_eligible", USUAL_PLR)

_FORMULAS: dict[str, tuple[pl.Expr, str]] = {
    "tempo_decisions_per_year": (
        _log_over(_total("decisions") / _YEARS, 12.0),
        "log decisions a year over 12",
    ),
    "tempo_days_since_decision": (_log_over(_days_since("last_decision_date"), 14.0), "log days over 14"),
    "tempo_decisions": (_log_over(_total("decisions"), 20.0), "log decisions so far over 20"),
    "tempo_sell_share": (
        6.0 * ((_total("sells") + SHRINK * 0.3) / (_total("buys") + _total("sells") + SHRINK) - 0.3),
        "sells among orders, usual 0.3",
    ),
    "tempo_orders_per_decision": (
        2.0 * (((_total("buys") + _total("sells") + SHRINK) / (_total("decisions") + SHRINK)).log() - 0.2),
        "log orders a decision, usual 1.2",
    ),
    "tempo_gap_variation": (
        3.0 * (_GAP_VARIATION - 1.0) * pl.col("gaps") / (pl.col("gaps") + SHRINK),
        "standard deviation over mean of the days between decisions, usual 1; a monthly plan has less",
    ),
    "gain_pgr": (
        6.0 * (_PGR - USUAL_PGR),
        "gains sold over gains eligible on sale days, usual 0.2 (Odean 1998)",
    ),
    "gain_plr": (6.0 * (_PLR - USUAL_PLR), "losses sold over losses eligible on sale days, usual 0.15"),
    "gain_pgr_over_plr": (
        _PGR.log() - _PLR.log() - log(USUAL_PGR / USUAL_PLR),
        "log of their ratio, usual 1.33",
    ),
    "gain_share": (_share("gains", "units", 0.6, 4.0), "gains among taxable sales, usual 0.6"),
    "gain_large_share": (
        _share("large_gains", "gains", 0.7, 4.0),
        "gains of 5 % and more among gains, usual 0.7",
    ),
    "gain_large_loss_share": (
        _share("large_losses", "losses", 0.6, 4.0),
        "losses of 5 % and more among losses, usual 0.6",
    ),
    "gain_quick_share": (_share("quick_gains", "gains", 0.15, 6.0), "gains within 20 days, usual 0.15"),
    "gain_days_held": (
        (_total("log_days") + SHRINK * 5.0) / (_total("units") + SHRINK) - 5.0,
        "mean log(1 + days held) of sales, usual 5",
    ),
    "tax_long_share": (_share("long_units", "units", 0.4, 4.0), "sales after 365 days, usual 0.4"),
    "tax_wait": (
        3.0
        * (_total("gains_after_wait") - _total("gains_before_wait"))
        / (_total("gains_after_wait") + _total("gains_before_wait") + SHRINK),
        "gains on days 366 to 430 less those on days 300 to 365, over both",
    ),
    "tax_short_loss_share": (
        _share("short_losses", "losses", 0.6, 4.0),
        "losses within 365 days among losses, usual 0.6",
    ),
    "tax_year_end_loss_share": (
        _share("year_end_losses", "losses", 0.2, 6.0),
        "losses of November and December among losses, usual 0.2",
    ),
    "tax_replaced_loss_share": (
        _share("replaced_losses", "loss_sales", 0.15, 6.0),
        "loss sales followed within 5 days by a purchase of like size of another asset, usual 0.15",
    ),
    "risk_buy_volatility": (
        3.0 * _total("buy_volatility") / (_total("ranked_buys") + SHRINK),
        "mean tercile of volatility of purchases, -1 to 1",
    ),
    "risk_calm_share": (_share("calm_buys", "ranked_buys", 0.33, 4.0), "purchases of the calm third"),
    "risk_wild_share": (_share("wild_buys", "ranked_buys", 0.33, 4.0), "purchases of the wild third"),
    "risk_assets": (_log_over(_total("assets"), 6.0), "log of distinct assets traded over 6"),
    "risk_order_concentration": (
        (_total("usd_squared") * (_total("buys") + _total("sells")) / (_total("usd") ** 2)).log(),
        "log of orders times their Herfindahl index in USD; 0 where all are alike",
    ),
    "risk_sell_volatility": (
        3.0 * _total("sell_volatility") / (_total("ranked_sells") + SHRINK),
        "mean tercile of volatility of what was sold, -1 to 1",
    ),
    "style_week_return": (
        3.0 * _total("buy_week") / (_total("ranked_buys") + SHRINK),
        "mean tercile of the last week's return of purchases, -1 to 1: momentum above 0",
    ),
    "style_month_return": (
        3.0 * _total("buy_month") / (_total("ranked_buys") + SHRINK),
        "the same of the last month",
    ),
    "style_week_extreme": (
        _share("buy_week_extreme", "ranked_buys", 0.67, 6.0),
        "purchases outside the middle third of the week, usual 0.67: a signal of either sign",
    ),
    "style_month_extreme": (
        _share("buy_month_extreme", "ranked_buys", 0.67, 6.0),
        "the same of the month",
    ),
    "context_year_end": (
        (pl.col("trade_date").dt.month() >= 11).cast(pl.Float64),
        "1 in November and December",
    ),
    "context_market_month": (
        pl.col("market_month"),
        "the mean asset's return of 21 sessions over its volatility, at the session before",
    ),
    "context_deposited": (
        (_days_since("last_deposit_date") <= 10).cast(pl.Float64),
        "1 within 10 days after a deposit",
    ),
}
DECISION_FEATURES: tuple[str, ...] = tuple(_FORMULAS)
DECISION_FEATURE_NOTES: dict[str, str] = {name: note for name, (_, note) in _FORMULAS.items()}
# What a head was trained on: names, order and notes, and the version for a formula changed under its note.
DECISION_FEATURES_HASH = sha256(
    repr((DECISION_FEATURES_VERSION, list(DECISION_FEATURE_NOTES.items()))).encode()
).hexdigest()


def feature_expressions() -> list[pl.Expr]:
    """The features as Float32 in [-3, 3], over decisions joined with the totals before them."""
    return [
        pl.when(formula.is_finite())
        .then(formula.clip(-BOUND, BOUND))
        .fill_null(0.0)
        .cast(pl.Float32)
        .alias(name)
        for name, (formula, _) in _FORMULAS.items()
    ]
