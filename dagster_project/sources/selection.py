"""Which batches a night reads: the one place where ``--source``, ``--data`` and ``--prices`` meet.

========== ======================= ==============================
source     market rows             household rows
========== ======================= ==============================
packaged   packaged                simulated on packaged prices
files      packaged, files or both files
simulated  simulated               simulated on simulated prices
========== ======================= ==============================
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from dagster_project.sources.batches import Batch, SourceError
from dagster_project.sources.files import brokerage_file_batches, has_bars, market_file_batches
from dagster_project.sources.packaged import packaged_market_batches
from dagster_project.sources.simulated import household_batches, simulated_market_batches

SourceName = Literal["packaged", "files", "simulated"]
PricesName = Literal["packaged", "files"]
SOURCE_NAMES: Final = ("packaged", "files", "simulated")


def market_batches(
    source: SourceName,
    *,
    data_dir: Path | None = None,
    prices: PricesName = "packaged",
    seed: int = 7,
    assets: int = 100,
    years: int = 10,
) -> list[Batch]:
    """Assets, bars, corporate actions and rates of a night.

    Parameters
    ----------
    source : {"packaged", "files", "simulated"}
        ``--source``.
    data_dir : Path, optional
        ``--data``; needed by the source ``files``.
    prices : {"packaged", "files"}
        ``--prices``, for the source ``files``: packaged prices and the symbols that only the
        folder has, or the folder's alone.
    seed, assets, years : int
        Size of the simulated market.

    Raises
    ------
    SourceError
        The source cannot be read at all; the message names the remedy.
    """
    if source == "packaged":
        return packaged_market_batches()
    if source == "simulated":
        return simulated_market_batches(assets=assets, years=years, seed=seed)
    folder = _folder(data_dir)
    if prices == "files":
        if not has_bars(folder):
            raise SourceError(
                f"--prices files needs {folder / 'bars.csv'} (or .parquet), which is not there: add it, or leave "
                "--prices out to use the packaged prices"
            )
        return market_file_batches(folder, yields_to=None)
    return [*packaged_market_batches(), *market_file_batches(folder, yields_to="packaged")]


def brokerage_batches(
    source: SourceName,
    market: Sequence[Batch],
    *,
    data_dir: Path | None = None,
    users: int = 500,
    seed: int = 7,
    cache_dir: Path | None = None,
) -> list[Batch]:
    """Users, accounts, transactions and goals of a night.

    Parameters
    ----------
    source : {"packaged", "files", "simulated"}
        ``--source``.
    market : sequence of Batch
        What ``market_batches`` returned: simulated households trade at its prices.
    data_dir : Path, optional
        ``--data``; needed by the source ``files``.
    users, seed : int
        ``--users`` and ``--seed`` of simulated households.
    cache_dir : Path, optional
        Where simulated households are kept between nights.

    Raises
    ------
    SourceError
        As in ``market_batches``.
    """
    if source == "files":
        return brokerage_file_batches(_folder(data_dir))
    return household_batches(market, users=users, seed=seed, cache_dir=cache_dir)


def _folder(data_dir: Path | None) -> Path:
    if data_dir is None:
        raise SourceError(
            "--source files needs --data DIR, the folder that holds accounts.csv and transactions.csv"
        )
    return data_dir
