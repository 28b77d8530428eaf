"""What the analytic experts are given: the market and the accounts, as arrays.

What belongs here: the two input panels and the checks of their shapes and ranges. What does not:
anything that decides (``experts.py``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

REQUIRED_FEATURES = (
    "class__equity",
    "class__currency",
    "class__cash",
    "risk__volatility_252d_ann",
    "momentum__return_21d_log",
    "momentum__return_252d_ex_21d_log",
)


@dataclass(frozen=True, slots=True)
class MarketPanel:
    """What the experts know of N assets at the close of ``as_of_date``.

    Attributes
    ----------
    as_of_date : datetime.date
        Session of the decision.
    asset_ids : tuple of str
        N ids; they order the columns and decide nothing.
    features : mapping of str to ndarray of shape (N,)
        At least :data:`REQUIRED_FEATURES`, by catalog name; nan = unknown. :meth:`from_matrix` takes
        a matrix in catalog order.
    returns : ndarray of shape (T, N)
        Daily log total returns of the last 252 sessions, oldest first; nan = missing.
    tradeable : ndarray of shape (N,)
        bool; False for stale assets.
    market_volatility_63d_ann : float
        Annualised volatility of the market over 63 sessions; nan = take the mean of the panel.
    """

    as_of_date: date
    asset_ids: tuple[str, ...]
    features: Mapping[str, np.ndarray]
    returns: np.ndarray
    tradeable: np.ndarray
    market_volatility_63d_ann: float

    def __post_init__(self) -> None:
        """Check names and shapes."""
        count = len(self.asset_ids)
        for name in REQUIRED_FEATURES:
            if name not in self.features:
                raise ValueError(f"market panel of {self.as_of_date} lacks the feature {name!r}: add it")
            if np.shape(self.features[name]) != (count,):
                raise ValueError(
                    f"feature {name!r} has shape {np.shape(self.features[name])}, not ({count},)"
                )
        if np.ndim(self.returns) != 2 or np.shape(self.returns)[1] != count:
            raise ValueError(f"returns have shape {np.shape(self.returns)}: expected (sessions, {count})")
        if np.shape(self.tradeable) != (count,):
            raise ValueError(f"tradeable has shape {np.shape(self.tradeable)}: expected ({count},)")

    @classmethod
    def from_matrix(
        cls,
        as_of_date: date,
        asset_ids: Sequence[str],
        matrix: np.ndarray,
        columns: Sequence[str],
        returns: np.ndarray,
        tradeable: np.ndarray,
        market_volatility_63d_ann: float,
    ) -> "MarketPanel":
        """Build a panel from a feature matrix of shape (N, F) whose columns are named in order."""
        position = {name: i for i, name in enumerate(columns)}
        missing = [name for name in REQUIRED_FEATURES if name not in position]
        if missing:
            raise ValueError(f"feature columns lack {missing}: pass the catalog's names in catalog order")
        features = {name: np.asarray(matrix)[:, position[name]] for name in REQUIRED_FEATURES}
        return cls(as_of_date, tuple(asset_ids), features, returns, tradeable, market_volatility_63d_ann)


@dataclass(frozen=True, slots=True)
class AccountPanel:
    """Holdings of A accounts and their L open lots.

    Attributes
    ----------
    account_ids : tuple of str
        A ids.
    current_weights : ndarray of shape (A, N + 1)
        Shares of account value, cash last, >= 0, rows summing to 1 within 1e-6.
    lot_account, lot_asset : ndarray of shape (L,)
        int positions into accounts and assets.
    lot_weight : ndarray of shape (L,)
        Lot value over account value.
    lot_gain_ratio : ndarray of shape (L,)
        (value - cost) / cost; nan = basis unknown: such a lot is held.
    lot_value_usd : ndarray of shape (L,)
        Value in USD.
    lot_is_long_term : ndarray of shape (L,)
        bool; must agree with ``lot_days_to_long_term <= 0``.
    lot_days_to_long_term : ndarray of shape (L,)
        Calendar days until a sale is long-term; <= 0 once it is.
    is_tax_deferred : ndarray of shape (A,)
        bool; in such accounts nothing is harvested and every lot may be trimmed.
    """

    account_ids: tuple[str, ...]
    current_weights: np.ndarray
    lot_account: np.ndarray
    lot_asset: np.ndarray
    lot_weight: np.ndarray
    lot_gain_ratio: np.ndarray
    lot_value_usd: np.ndarray
    lot_is_long_term: np.ndarray
    lot_days_to_long_term: np.ndarray
    is_tax_deferred: np.ndarray

    def __post_init__(self) -> None:
        """Check ranges and that the two lot terms agree."""
        weights = np.asarray(self.current_weights, dtype=np.float64)
        if weights.ndim != 2 or len(weights) != len(self.account_ids):
            expected = f"({len(self.account_ids)}, assets + 1)"
            raise ValueError(f"current_weights have shape {weights.shape}: expected {expected}")
        bad = ~((weights >= 0.0).all(axis=1) & (np.abs(weights.sum(axis=1) - 1.0) <= 1e-6))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(
                f"account {self.account_ids[row]!r}: current weights must be >= 0 and sum to 1, "
                f"the smallest is {weights[row].min()!r}, the sum {weights[row].sum()!r}; "
                "leave accounts with short positions or a cash debt out of the panel"
            )
        is_past = np.asarray(self.lot_days_to_long_term) <= 0
        if (np.asarray(self.lot_is_long_term, dtype=bool) != is_past).any():
            raise ValueError(
                "lot_is_long_term disagrees with lot_days_to_long_term <= 0: derive one from the other"
            )
