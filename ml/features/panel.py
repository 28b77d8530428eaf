"""A market as dense arrays over sessions and assets: what encoder and policy are trained and served on.

What belongs here: the shape that every source of market data is brought into (the feature store's rows,
a simulated market). What does not: the computation of features (SQL in ``dbt/``, its mirror for
simulated markets in ``compute.py``), normalisation (``ml/encoder``).
"""

from dataclasses import dataclass

import numpy as np

from ml.features.catalog import FEATURE_COLUMNS

N_FEATURES = len(FEATURE_COLUMNS)
CHANNELS = ("return", "range", "gap", "volume", "market")


class PanelError(ValueError):
    """A panel whose arrays do not fit together; the message names the array and both shapes."""


@dataclass(frozen=True, slots=True)
class FeaturePanel:
    """D sessions x N assets.

    Attributes
    ----------
    dates : ndarray of shape (D,)
        datetime64[D], ascending sessions.
    asset_ids : tuple of str
        N ids; they order the columns and decide nothing.
    features : ndarray of shape (D, N, 50)
        float32, raw values in catalog order; nan where the asset has no row.
    channels : ndarray of shape (D, N, 5)
        float32, one per name of :data:`CHANNELS`: log total return, log(high / low), log(open / previous
        close), log of dollar volume, log total return of the market; nan = missing.
    is_present : ndarray of shape (D, N)
        bool: the asset has a feature row and a price at that session.
    is_stale : ndarray of shape (D, N)
        bool: no bar for 5 sessions.
    source : str
        ``packaged``, ``files``, ``simulated:<seed>``...: said in metrics and model cards.
    """

    dates: np.ndarray
    asset_ids: tuple[str, ...]
    features: np.ndarray
    channels: np.ndarray
    is_present: np.ndarray
    is_stale: np.ndarray
    source: str

    def __post_init__(self) -> None:
        """Check that all arrays speak of the same sessions and assets."""
        shape = (len(self.dates), len(self.asset_ids))
        wanted = {
            "features": (*shape, N_FEATURES),
            "channels": (*shape, len(CHANNELS)),
            "is_present": shape,
            "is_stale": shape,
        }
        for name, expected in wanted.items():
            found = np.shape(getattr(self, name))
            if found != expected:
                raise PanelError(f"panel {self.source!r}: {name} has shape {found}, expected {expected}")
        if len(self.dates) > 1 and not (np.diff(self.dates.astype("datetime64[D]")).astype(int) > 0).all():
            raise PanelError(f"panel {self.source!r}: dates are not strictly ascending: sort by session")

    @property
    def total_return_log(self) -> np.ndarray:
        """Log total returns, (D, N)."""
        return self.channels[:, :, 0]

    def take(
        self, sessions: slice | np.ndarray | None = None, assets: np.ndarray | None = None
    ) -> "FeaturePanel":
        """The same panel with a choice of sessions and of assets (positions)."""
        rows = slice(None) if sessions is None else sessions
        columns = np.arange(len(self.asset_ids)) if assets is None else np.asarray(assets)
        return FeaturePanel(
            self.dates[rows],
            tuple(self.asset_ids[i] for i in columns),
            self.features[rows][:, columns],
            self.channels[rows][:, columns],
            self.is_present[rows][:, columns],
            self.is_stale[rows][:, columns],
            self.source,
        )
