"""The feature store's rows as a dense panel: what training and the night hand to encoder and policy.

What belongs here: frames in, :class:`ml.features.panel.FeaturePanel` out. What does not: the reading of
tables (``dagster_project``), features of simulated markets (``simulated_panel.py``).
"""

import numpy as np
import polars as pl

from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import CHANNELS, FeaturePanel, PanelError

PRICE_COLUMNS = ("as_of_date", "asset_id", "total_return_log", "dollar_volume_usd", "is_stale")
BAR_COLUMNS = ("as_of_date", "asset_id", "open", "high", "low", "close")


def panel_from_frames(
    prices: pl.DataFrame,
    features: pl.DataFrame,
    bars: pl.DataFrame,
    market: pl.DataFrame,
    *,
    exclude: tuple[str, ...] = (),
    source: str,
) -> FeaturePanel:
    """Bring a warehouse's rows into arrays.

    Parameters
    ----------
    prices : polars.DataFrame
        ``core.fct_asset_prices__daily``: :data:`PRICE_COLUMNS`; its sessions and assets span the panel.
    features : polars.DataFrame
        ``features.feat_asset_metadata__daily``: as_of_date, asset_id and the 50 columns; sessions without
        rows stay nan.
    bars : polars.DataFrame
        :data:`BAR_COLUMNS`, nullable: the bar of each session that has one.
    market : polars.DataFrame
        as_of_date, market_return_log.
    exclude : tuple of str
        Assets that are no part of the panel (benchmarks that nobody holds).
    source : str
        What the panel says of itself.

    Returns
    -------
    FeaturePanel
        Assets sorted by id, sessions ascending.

    Raises
    ------
    PanelError
        No rows, or an (asset, session) twice.
    """
    kept = prices.filter(~pl.col("asset_id").is_in(list(exclude))).select(PRICE_COLUMNS)
    if kept.is_empty():
        raise PanelError(f"panel {source!r}: no prices: run a night (`taxloom nightly`) first")
    days = kept["as_of_date"].unique().sort()
    ids = kept["asset_id"].unique().sort()
    place = _Places(days, ids, source)
    channels = np.full((len(days), len(ids), len(CHANNELS)), np.nan, dtype=np.float32)
    row, column = place.of(kept, "prices")
    channels[row, column, 0] = _floats(kept["total_return_log"])
    volume = _floats(kept["dollar_volume_usd"])
    with np.errstate(divide="ignore", invalid="ignore"):
        channels[row, column, 3] = np.where(volume > 0, np.log(volume), np.nan)
    stale = np.ones(channels.shape[:2], dtype=bool)
    stale[row, column] = kept["is_stale"].fill_null(True).to_numpy()
    priced = np.zeros_like(stale)
    priced[row, column] = True
    _fill_bars(channels, place, bars.filter(pl.col("asset_id").is_in(ids.implode())))
    index = place.rows(market["as_of_date"])
    seen = index >= 0
    channels[index[seen], :, 4] = _floats(market["market_return_log"])[seen, None]
    matrix = np.full((*stale.shape, len(FEATURE_COLUMNS)), np.nan, dtype=np.float32)
    described = features.filter(
        pl.col("asset_id").is_in(ids.implode()) & pl.col("as_of_date").is_in(days.implode())
    )
    row, column = place.of(described, "features")
    matrix[row, column] = described.select(pl.col(FEATURE_COLUMNS).cast(pl.Float32)).to_numpy()
    known = np.isfinite(matrix).any(axis=2)
    return FeaturePanel(
        days.to_numpy().astype("datetime64[D]"),
        tuple(ids.to_list()),
        matrix,
        channels,
        priced & known,
        stale,
        source,
    )


class _Places:
    """Positions of (session, asset) pairs."""

    def __init__(self, days: pl.Series, ids: pl.Series, source: str) -> None:
        self.days = {day: i for i, day in enumerate(days.to_list())}
        self.ids = {name: i for i, name in enumerate(ids.to_list())}
        self.source = source

    def rows(self, days: pl.Series) -> np.ndarray:
        return np.array([self.days.get(day, -1) for day in days.to_list()], dtype=np.int64)

    def of(self, frame: pl.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
        row = frame["as_of_date"].replace_strict(self.days, return_dtype=pl.Int64).to_numpy()
        column = frame["asset_id"].replace_strict(self.ids, return_dtype=pl.Int64).to_numpy()
        flat = row * len(self.ids) + column
        values, counts = np.unique(flat, return_counts=True)
        if (counts > 1).any():
            day, asset = divmod(int(values[counts > 1][0]), len(self.ids))
            raise PanelError(
                f"panel {self.source!r}: {name} holds {list(self.ids)[asset]} twice on "
                f"{list(self.days)[day]}: pass the latest known version of each row"
            )
        return row, column


def _fill_bars(channels: np.ndarray, place: _Places, bars: pl.DataFrame) -> None:
    """Range and gap; the gap is the total return less the day's own, so that splits do not show."""
    bars = bars.filter(pl.col("as_of_date").is_in(list(place.days)))
    row, column = place.of(bars, "bars")
    opened, high, low, close = (_floats(bars[name]) for name in BAR_COLUMNS[2:])
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.where((low > 0) & (high >= low), np.log(high / low), np.nan)
        own = np.where((opened > 0) & (close > 0), np.log(close / opened), np.nan)
    channels[row, column, 1] = width
    channels[row, column, 2] = channels[row, column, 0] - own


def _floats(values: pl.Series) -> np.ndarray:
    return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
