"""Daily series of many assets as one compressed NumPy file, with a cut-off that is enforced.

What belongs here: bars in, arrays out. The file travels to a GPU that has no data libraries.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

_EPOCH = np.datetime64("1970-01-01")


class SeriesError(ValueError):
    """A series file or bar that cannot be used; the message names asset, value and remedy."""


@dataclass(frozen=True)
class DailySeries:
    """One asset, oldest day first.

    Attributes
    ----------
    asset_id : str
    dates : ndarray of datetime64[D]
    prices : ndarray of float64
        Adjusted closes, positive.
    volumes : ndarray of float64 or None
        None unless a positive volume is known on every day.
    """

    asset_id: str
    dates: np.ndarray
    prices: np.ndarray
    volumes: np.ndarray | None

    @property
    def log_returns(self) -> np.ndarray:
        """One fewer than prices."""
        return np.diff(np.log(self.prices))

    @property
    def log_volumes(self) -> np.ndarray | None:
        """Of the days that have a return."""
        return None if self.volumes is None else np.log(self.volumes[1:])


def series_of(asset_id: str, dates: np.ndarray, prices: np.ndarray, volumes: np.ndarray) -> DailySeries:
    """Check one asset's bars.

    Raises
    ------
    SeriesError
        Dates that do not ascend, or a price that is not positive and finite.
    """
    dates = dates.astype("datetime64[D]")
    if np.any(np.diff(dates).astype(int) <= 0):
        raise SeriesError(f"the bars of {asset_id} are not in ascending order of date: sort them, one a day")
    bad = ~(np.isfinite(prices) & (prices > 0))
    if bad.any():
        first = int(np.argmax(bad))
        raise SeriesError(
            f"{asset_id} has the adjusted close {prices[first]} on {dates[first]}: leave that bar out"
        )
    known = bool(np.all(np.isfinite(volumes) & (volumes > 0)))
    return DailySeries(asset_id, dates, prices.astype(np.float64), volumes if known else None)


def save_series(path: Path, series: list[DailySeries]) -> None:
    """Write a series file."""
    volumes = [np.full(len(s.prices), np.nan) if s.volumes is None else s.volumes for s in series]
    np.savez_compressed(
        path,
        asset_id=np.array([s.asset_id for s in series]),
        sizes=np.array([len(s.prices) for s in series]),
        days=np.concatenate([(s.dates - _EPOCH).astype(np.int32) for s in series]),
        prices=np.concatenate([s.prices for s in series]),
        volumes=np.concatenate(volumes),
    )


def load_series(path: Path, last: date | None = None) -> list[DailySeries]:
    """Read a series file or a Parquet file of bars (asset_id, trade_date, adjusted_close[, volume]).

    Parameters
    ----------
    path : pathlib.Path
        ``.npz`` or ``.parquet``.
    last : datetime.date or None
        Later days are dropped: the cut-off of training.

    Raises
    ------
    SeriesError
        The file is of neither kind, or a bar cannot be used.
    """
    if path.suffix == ".npz":
        series = _from_npz(path)
    elif path.suffix == ".parquet":
        series = _from_parquet(path)
    else:
        raise SeriesError(f"{path} is neither .npz nor .parquet: export daily bars as one of them")
    if last is None:
        return series
    kept = []
    for one in series:
        n = int(np.searchsorted(one.dates, np.datetime64(last), side="right"))
        if n:
            volumes = None if one.volumes is None else one.volumes[:n]
            kept.append(DailySeries(one.asset_id, one.dates[:n], one.prices[:n], volumes))
    return kept


def _from_npz(path: Path) -> list[DailySeries]:
    with np.load(path, allow_pickle=False) as file:
        sizes, ends = file["sizes"], np.cumsum(file["sizes"])
        days, prices, volumes = file["days"], file["prices"], file["volumes"]
        names = [str(name) for name in file["asset_id"]]
    return [
        series_of(name, _EPOCH + days[end - n : end].astype("timedelta64[D]"), prices[end - n : end],
                  volumes[end - n : end])
        for name, n, end in zip(names, sizes, ends, strict=True)
    ]  # fmt: skip


def _from_parquet(path: Path) -> list[DailySeries]:
    import polars as pl

    frame = pl.read_parquet(path).sort("asset_id", "trade_date")
    if "volume" not in frame.columns:
        frame = frame.with_columns(volume=pl.lit(None, pl.Float64))
    return [
        series_of(
            str(key[0]),
            bars["trade_date"].to_numpy(),
            bars["adjusted_close"].cast(pl.Float64).to_numpy(),
            bars["volume"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        )
        for key, bars in frame.group_by("asset_id", maintain_order=True)
    ]
