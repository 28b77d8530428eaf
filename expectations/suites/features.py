"""The feature store: exactly the catalog's 50 columns, each within what its formula can give."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import polars as pl

from expectations.spec import (
    Expect,
    Suite,
    between,
    holds,
    in_set,
    known_by_cutoff,
    not_empty,
    not_null,
    unique,
)
from ml.features.catalog import FEATURE_COLUMNS

KEY_COLUMNS: Final = ("as_of_date", "asset_id", "known_at")
FLAG_FAMILIES: Final = ("class__", "sector__")

# Hard limits follow from the formula (a ratio, a sample skewness of n values); None is open. Where the
# formula has no limit they are far beyond any market, so that only a unit error can reach them.
BOUNDS: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "liquidity__market_cap_log_usd": (-25.0, 40.0),
    "liquidity__dollar_volume_63d_log_usd": (0.0, 40.0),
    "liquidity__turnover_63d_ratio": (0.0, None),
    "liquidity__amihud_63d_log": (-37.0, 30.0),
    "liquidity__corwin_schultz_spread_21d_ratio": (0.0, 2.0),
    "risk__volatility_21d_ann": (0.0, 50.0),
    "risk__volatility_63d_ann": (0.0, 50.0),
    "risk__volatility_252d_ann": (0.0, 50.0),
    "risk__downside_deviation_63d_ann": (0.0, 50.0),
    "risk__max_drawdown_252d_ratio": (0.0, 1.0),
    "risk__skewness_126d": (-12.0, 12.0),
    "risk__excess_kurtosis_126d": (-3.0, 127.0),
    "risk__vol_of_vol_63d_ratio": (0.0, 10.0),
    "momentum__return_5d_log": (-10.0, 10.0),
    "momentum__return_21d_log": (-10.0, 10.0),
    "momentum__return_63d_log": (-10.0, 10.0),
    "momentum__return_126d_log": (-10.0, 10.0),
    "momentum__return_252d_ex_21d_log": (-10.0, 10.0),
    "momentum__distance_to_52w_high_ratio": (-1.0, 0.0),
    "comovement__beta_252d": (-1000.0, 1000.0),
    "comovement__downside_beta_252d": (-1000.0, 1000.0),
    "comovement__market_correlation_252d": (-1.0, 1.0),
    "comovement__idiosyncratic_volatility_252d_ann": (0.0, 50.0),
    "income__dividend_yield_ttm_pct": (0.0, None),
    "income__qualified_dividend_ratio": (0.0, 1.0),
    "income__expense_ratio_pct": (0.0, 100.0),
    "income__duration_years": (-100.0, 100.0),
    "lifecycle__listed_age_log_years": (0.0, 6.0),
    "lifecycle__days_since_ex_dividend": (0.0, 400.0),
    "lifecycle__harvestable_drawdown_31d_ratio": (0.0, 1.0),
    "lifecycle__imputed_share_ratio": (0.0, 1.0),
}
# Inside the limits and still worth a look: what a sound asset seldom shows.
UNUSUAL: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "liquidity__corwin_schultz_spread_21d_ratio": (None, 0.2),
    "liquidity__turnover_63d_ratio": (None, 1.0),
    "risk__volatility_63d_ann": (None, 3.0),
    "comovement__beta_252d": (-5.0, 5.0),
    "comovement__downside_beta_252d": (-10.0, 10.0),
    "income__dividend_yield_ttm_pct": (None, 25.0),
    "income__expense_ratio_pct": (None, 3.0),
    "lifecycle__imputed_share_ratio": (None, 0.5),
}
# The last bits of a window sum over doubles are not exact.
_ROUNDING: Final = 1e-9
_DERIVED: Final = ("is_known_by_cutoff", "missing_features", "class_flags", "sector_flags")


def _derive(as_of_at: datetime | None) -> list[pl.Expr]:
    families = [[c for c in FEATURE_COLUMNS if c.startswith(family)] for family in FLAG_FAMILIES]
    return [
        known_by_cutoff(as_of_at, "as_of_date"),
        _missing_names().alias("missing_features"),
        *(
            pl.sum_horizontal(columns).alias(name)
            for name, columns in zip(("class_flags", "sector_flags"), families, strict=True)
        ),
    ]


def _missing_names() -> pl.Expr:
    """Names of a row's missing features, joined; null where there is none."""
    names = [pl.when(pl.col(column).is_null()).then(pl.lit(column)) for column in FEATURE_COLUMNS]
    is_any = pl.any_horizontal(pl.col(column).is_null() for column in FEATURE_COLUMNS)
    return pl.when(is_any).then(pl.concat_str(names, separator=", ", ignore_nulls=True))


def _range(column: str) -> Expect:
    if column.startswith(FLAG_FAMILIES):
        return in_set(column, (0.0, 1.0), "a flag that is neither 0 nor 1")
    low, high = BOUNDS[column]
    return between(
        column,
        "a value that the formula cannot give",
        None if low is None else low - _ROUNDING,
        None if high is None else high + _ROUNDING,
    )


FEATURES = Suite(
    name="features",
    table="features.feat_asset_metadata__daily",
    title="The 50 point-in-time features of every asset",
    key=("as_of_date", "asset_id"),
    columns=(*KEY_COLUMNS, *FEATURE_COLUMNS),
    derive=_derive,
    expectations=(
        not_empty("no asset has features: nothing can be recommended"),
        Expect(
            "expect_table_columns_to_match_ordered_list",
            "the store is not the catalog: a column is missing, added or out of order",
            {"column_list": [*KEY_COLUMNS, *FEATURE_COLUMNS, *_DERIVED]},
        ),
        *not_null(KEY_COLUMNS, "a vector that cannot be placed"),
        Expect(
            "expect_column_values_to_be_null",
            "a missing value: the catalog's null rule was not applied",
            {"column": "missing_features"},
        ),
        unique(("as_of_date", "asset_id"), "an asset with two vectors on one session"),
        holds("is_known_by_cutoff", "a feature that was not known at the session's close: look-ahead"),
        *(_range(column) for column in FEATURE_COLUMNS),
        between("class_flags", "an asset that is not of exactly one class", 1, 1),
        between("sector_flags", "an asset in more than one sector", 0, 1),
        *(
            between(column, "unusual for a sound asset: check its bars", low, high, severity="warning")
            for column, (low, high) in UNUSUAL.items()
        ),
    ),
)

SUITES = (FEATURES,)
