"""Cash dividends as a panel's features tell them: when an asset went ex, and about how much it paid.

What belongs here: the split of a total return into price and dividend. What does not: windows (``windows.py``).
"""

from typing import Final

import numpy as np

from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import FeaturePanel

_YIELD: Final = FEATURE_COLUMNS.index("income__dividend_yield_ttm_pct")
_DAYS_SINCE: Final = FEATURE_COLUMNS.index("lifecycle__days_since_ex_dividend")
_NONE_FROM: Final = 400.0
_YEAR_DAYS: Final = 365.0
_LONG_AGO: Final = 1e9


def dividend_ratio(panel: FeaturePanel) -> np.ndarray:
    """Dividend of each session as a share of that session's close, (D, N) float64; 0 where none.

    Notes
    -----
    A panel keeps no amounts, only the yield of the trailing year and the days since the last ex-date. A session
    goes ex where the ex-date moved; it pays the part of the year's dividends that falls to the days since the
    ex-date before (all of them after a year without one), so that a year's payments add up to the yield. Assets
    whose prices contain the dividends have a yield of 0 there, and pay nothing.
    """
    ratio = np.zeros(panel.is_present.shape)
    days = panel.dates.astype("datetime64[D]").astype(np.int64)[:, None]
    since = panel.features[:, :, _DAYS_SINCE].astype(np.float64)
    ex_day = np.where(since >= _NONE_FROM, -_LONG_AGO, days - since)  # nan where the asset has no row
    apart = np.minimum(np.diff(ex_day, axis=0), _YEAR_DAYS)
    paid = np.maximum(panel.features[1:, :, _YIELD], 0.0) / 100 * apart / _YEAR_DAYS
    ratio[1:] = np.where((apart > 0) & np.isfinite(paid), paid, 0.0)
    return ratio
