"""The 50 columns of the feature store: name, formula, window, unit and what stands in for a missing input.

The dbt contract of ``feat_asset_metadata__daily``, the Great Expectations suite, the Pandera schema and
the encoder's input order follow this list. What does not belong here: the computation itself, which is
SQL (``dbt/models/marts/features``), and normalisation, which the encoder owns.

Notation in formulas. Rows are NYSE sessions of one asset, ``t`` the row's session; a window of n sessions
is t-n+1 .. t. ``r`` is ``total_return_log`` of the price grid (null on a session without a bar, the return
over a gap standing on the next bar), ``m`` the market's, ``L`` the running sum of r, ``I`` that of the
price return (r without cash distributions), ``C`` the close. ``sd`` is the sample standard deviation. All
inputs are those known at the close of session t. Values are rounded to 10 decimals, so that the last bits
of a window sum, which depend on where its rows were cut, do not reach a reader.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from ml.types import ASSET_CLASSES, SECTORS

DECIMALS: Final = 10
# Below these the denominator of a ratio is rounding noise: per-session standard deviation of returns,
# the same in units of the mean return, annualised volatility, unexplained share of variance.
MIN_RETURN_SD: Final = 1e-6
MIN_SD_OF_MEAN: Final = 0.02
MIN_VOLATILITY: Final = 1e-5
MIN_UNEXPLAINED_SHARE: Final = 1e-12


@dataclass(frozen=True)
class FeatureSpec:
    """One column of the feature store.

    Attributes
    ----------
    family : str
        Group, and prefix of the column.
    name : str
        Measure, window and unit.
    formula : str
        The value, in the notation of this module's docstring.
    unit : str
        Unit of the value (``flag``, ``ratio``, ``log_usd``, ``pct``, ``days`` ...).
    window : int
        Sessions that the value looks back on, t included; 0 for a fact known at t.
    lag : int
        Sessions between t and the newest session that enters.
    null_rule : str
        When an input counts as missing.
    neutral : float
        Value of a row whose input is missing; such cells count in ``lifecycle__imputed_share_ratio``.
    """

    family: str
    name: str
    formula: str
    unit: str
    window: int
    lag: int
    null_rule: str
    neutral: float

    @property
    def column(self) -> str:
        """Column name, ``<family>__<name>``."""
        return f"{self.family}__{self.name}"

    @property
    def description(self) -> str:
        """One line for contracts and catalogues."""
        window = f" Window: {self.window} sessions." if self.window else ""
        lag = f" Newest input: {self.lag} sessions before." if self.lag else ""
        return f"{self.formula}. Unit: {self.unit}.{window}{lag} Missing: {self.null_rule}; then {self.neutral:g}."


def _flag(family: str, value: str, formula: str, null_rule: str, neutral: float) -> FeatureSpec:
    name = value.lower().replace(" ", "_")
    return FeatureSpec(family, name, formula, "flag", 0, 0, null_rule, neutral)


def _class_flags() -> Iterator[FeatureSpec]:
    for value in ASSET_CLASSES:
        rule = "no facts of the asset known (it counts as equity)"
        yield _flag("class", value, f"1 if asset_class is {value}, else 0", rule, float(value == "equity"))


def _sector_flags() -> Iterator[FeatureSpec]:
    for value in SECTORS:
        rule = "no facts known, or an equity or REIT without sector"
        yield _flag(
            "sector", value, f"1 if the GICS sector is {value}, else 0 (all 0 where none applies)", rule, 0.0
        )


def _measures(family: str, *rows: tuple[str, str, str, int, int, str, float]) -> Iterator[FeatureSpec]:
    for name, unit, formula, window, lag, null_rule, neutral in rows:
        yield FeatureSpec(family, name, formula, unit, window, lag, null_rule, neutral)


_AT_LEAST = "fewer than {} returns in the window"
_TOO_SHORT = "fewer sessions of history"

_NO_SHAPE = f", or sd(r) below {MIN_RETURN_SD:g} or {MIN_SD_OF_MEAN:g} of its mean (sd with n, not n - 1)"

_LIQUIDITY = _measures(
    "liquidity",
    (
        "market_cap_log_usd",
        "log_usd",
        "ln(shares outstanding x C), shares carried through the splits since they were known",
        0,
        0,
        "shares outstanding or the traded close unknown",
        20.7,
    ),
    (
        "dollar_volume_63d_log_usd",
        "log_usd",
        "ln(max(1, mean of C x volume over sessions with a volume))",
        63,
        0,
        "fewer than 21 sessions with a volume",
        16.1,
    ),
    (
        "turnover_63d_ratio",
        "ratio",
        "mean of C x volume over the window / market capitalisation at t",
        63,
        0,
        "market capitalisation unknown, or fewer than 21 sessions with a volume",
        0.005,
    ),
    (
        "amihud_63d_log",
        "log_per_usd",
        "ln(max(1e-16, mean of |exp(r) - 1| / (C x volume) over sessions with both)); Amihud (2002), "
        "Journal of Financial Markets 5(1)",
        63,
        0,
        "fewer than 21 sessions with a return and a positive volume",
        -20.7,
    ),
    (
        "corwin_schultz_spread_21d_ratio",
        "ratio",
        "mean of the two-day high-low spreads 2 (e^a - 1) / (1 + e^a), negative ones as 0, adjusted for overnight "
        "moves; Corwin and Schultz (2012), Journal of Finance 67(2)",
        22,
        0,
        "fewer than 10 two-day ranges in 21 sessions",
        0.005,
    ),
)

_RISK = _measures(
    "risk",
    ("volatility_21d_ann", "ann", "sd(r) x sqrt(252)", 21, 0, _AT_LEAST.format(15), 0.25),
    ("volatility_63d_ann", "ann", "sd(r) x sqrt(252)", 63, 0, _AT_LEAST.format(42), 0.25),
    ("volatility_252d_ann", "ann", "sd(r) x sqrt(252)", 252, 0, _AT_LEAST.format(126), 0.25),
    (
        "downside_deviation_63d_ann",
        "ann",
        "sqrt(mean of min(r, 0)^2) x sqrt(252)",
        63,
        0,
        _AT_LEAST.format(42),
        0.18,
    ),
    (
        "max_drawdown_252d_ratio",
        "ratio",
        "max over the window of 1 - exp(L_s - max of L over the 252 sessions up to s)",
        503,
        0,
        _AT_LEAST.format("126") + " of 252 sessions",
        0.25,
    ),
    (
        "skewness_126d",
        "number",
        "sample skewness of r with bias correction (G1)",
        126,
        0,
        _AT_LEAST.format(84) + _NO_SHAPE,
        0.0,
    ),
    (
        "excess_kurtosis_126d",
        "number",
        "sample excess kurtosis of r with bias correction (G2)",
        126,
        0,
        _AT_LEAST.format(84) + _NO_SHAPE,
        3.0,
    ),
    (
        "vol_of_vol_63d_ratio",
        "ratio",
        "sd / mean over 63 sessions of volatility_21d_ann",
        83,
        0,
        f"fewer than 42 sessions with volatility_21d_ann, or their mean below {MIN_VOLATILITY:g}",
        0.3,
    ),
)

_MOMENTUM = _measures(
    "momentum",
    ("return_5d_log", "log", "L_t - L_(t-5)", 6, 0, _TOO_SHORT, 0.0),
    ("return_21d_log", "log", "L_t - L_(t-21)", 22, 0, _TOO_SHORT, 0.0),
    ("return_63d_log", "log", "L_t - L_(t-63)", 64, 0, _TOO_SHORT, 0.0),
    ("return_126d_log", "log", "L_t - L_(t-126)", 127, 0, _TOO_SHORT, 0.0),
    ("return_252d_ex_21d_log", "log", "L_(t-21) - L_(t-252)", 253, 21, _TOO_SHORT, 0.0),
    (
        "distance_to_52w_high_ratio",
        "ratio",
        "exp(I_t - max of I over the window) - 1: split-adjusted close against its 252-session high",
        252,
        0,
        _AT_LEAST.format(126),
        -0.1,
    ),
)

_PAIRS = "fewer than {} sessions with both r and m{}"
_COMOVEMENT = _measures(
    "comovement",
    (
        "beta_252d",
        "ratio",
        "cov(r, m) / var(m) over sessions with both",
        252,
        0,
        _PAIRS.format(126, f", or sd(m) below {MIN_RETURN_SD:g}"),
        1.0,
    ),
    (
        "downside_beta_252d",
        "ratio",
        "cov(r, m) / var(m) over sessions with both and m < 0",
        252,
        0,
        _PAIRS.format(42, f" < 0, or their sd(m) below {MIN_RETURN_SD:g}"),
        1.0,
    ),
    (
        "market_correlation_252d",
        "ratio",
        "correlation of r and m over sessions with both",
        252,
        0,
        _PAIRS.format(126, f", or sd(r) or sd(m) below {MIN_RETURN_SD:g}"),
        0.5,
    ),
    (
        "idiosyncratic_volatility_252d_ann",
        "ann",
        "sqrt(residual sum of squares of r on m / (n - 2)) x sqrt(252), 0 where the unexplained share is below "
        f"{MIN_UNEXPLAINED_SHARE:g}",
        252,
        0,
        _PAIRS.format(126, f", or sd(r) or sd(m) below {MIN_RETURN_SD:g}"),
        0.2,
    ),
)

_INCOME = _measures(
    "income",
    (
        "dividend_yield_ttm_pct",
        "pct",
        "100 x sum over the window of dividends per share, in shares of t, / C_t",
        252,
        0,
        "accumulating prices, which hide dividends",
        0.0,
    ),
    (
        "qualified_dividend_ratio",
        "ratio",
        "share of dividends that is qualified; 0 for commodity, currency, crypto and cash",
        0,
        0,
        "unknown where it applies",
        0.8,
    ),
    (
        "expense_ratio_pct",
        "pct",
        "annual expense ratio; 0 where none applies",
        0,
        0,
        "unknown for an ETF",
        0.2,
    ),
    ("duration_years", "years", "duration; 0 where none applies", 0, 0, "unknown for a bond ETF", 6.0),
)

_LIFECYCLE = _measures(
    "lifecycle",
    (
        "listed_age_log_years",
        "log_years",
        "ln(1 + days since listing / 365.25), from the first bar where the listing date is unknown",
        0,
        0,
        "never",
        0.0,
    ),
    (
        "days_since_ex_dividend",
        "days",
        "calendar days since the last ex-dividend date with a bar on or after it, at most 400, 400 without one",
        0,
        0,
        "accumulating prices, which hide dividends",
        400.0,
    ),
    (
        "harvestable_drawdown_31d_ratio",
        "ratio",
        "1 - exp(I_t - max of I over the 31 calendar days up to t): 1 - split-adjusted close / its 31-day high",
        23,
        0,
        "never",
        0.0,
    ),
    (
        "imputed_share_ratio",
        "ratio",
        "share of the other 49 columns that took their neutral value",
        0,
        0,
        "never",
        0.0,
    ),
)

FEATURES: Final[tuple[FeatureSpec, ...]] = (
    *_class_flags(),
    *_sector_flags(),
    *_LIQUIDITY,
    *_RISK,
    *_MOMENTUM,
    *_COMOVEMENT,
    *_INCOME,
    *_LIFECYCLE,
)
FEATURE_COLUMNS: Final[tuple[str, ...]] = tuple(spec.column for spec in FEATURES)


def catalog_hash() -> str:
    """SHA-256 over every field of every feature, in order; part of ``compatibility_id``.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(
        json.dumps([asdict(spec) for spec in FEATURES], sort_keys=True).encode()
    ).hexdigest()


def contract_columns() -> list[dict[str, str]]:
    """Columns of the dbt contract of the feature store.

    Returns
    -------
    list of dict
        ``name``, ``data_type`` and ``description`` of the 50 features, in order.
    """
    return [
        {"name": spec.column, "data_type": "double", "description": spec.description} for spec in FEATURES
    ]
