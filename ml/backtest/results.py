"""What a trial of the backtest leaves: weekly paths, yearly tax figures, and where they are kept.

What belongs here: the record of one trial, its file, reading many. What does not: how a path is simulated
(``simulate.py``), scores and intervals (``statistics.py``), pages (``report.py``).
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

FILE_SUFFIX: Final = ".trial.npz"
# Lists the trials of the latest run to its end, relative to its own folder.
MANIFEST: Final = "run.json"
# Every entry of the archive carries this time, so that the same trial is the same bytes.
_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)

# Ends the name of a strategy's twin: the same targets, with nothing harvested.
WITHOUT_HARVESTING: Final = "_without_harvesting"

# Columns that identify a trial, in the order of every table.
KEY_COLUMNS: Final = ("window", "strategy", "objective", "cost_bp", "profile", "law", "seed")


@dataclass(frozen=True, slots=True, order=True)
class TrialKey:
    """What distinguishes one trial from another.

    Attributes
    ----------
    window : str
        ``development_2002_2004`` to ``development_2014_2016``, ``test_2017_2022``, ``thirty_years``,
        ``paper_14_days``.
    strategy : str
        For example ``equal_weight_monthly``; a user's function is ``module:function``; a twin ends with
        :data:`WITHOUT_HARVESTING`.
    objective : str
        One of :data:`ml.types.OBJECTIVES`, or ``none`` where the strategy knows no objective.
    cost_bp : int
        Cost of a trade in basis points of its value, each side.
    profile : str
        Tax profile: ``P1``, ``P1_outside_20k``, ``P2``, ``P2_outside_20k``, ``untaxed``.
    law : str
        ``law_2026`` (one law for all years) or ``actual`` (each year's own law, from 2010).
    seed : int
        Of strategies that draw; 0 for the others.
    """

    window: str
    strategy: str
    objective: str
    cost_bp: int
    profile: str
    law: str = "law_2026"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One trial. Weekly arrays have T entries, yearly ones Y; money is USD, weights and ratios are fractions.

    Attributes
    ----------
    key : TrialKey
    dates : ndarray of shape (T,)
        datetime64[D], last session of each week; the first is the session of the first fill's decision, before
        any trade.
    wealth_usd : ndarray of shape (T,)
        Accrued wealth V: what would be left if everything were sold at that close and all tax paid (tax of
        closed years that is still owed, tax of the running year, tax of the liquidation at that tax unit's
        marginal rates). Inference is on the differences of its logarithm.
    wealth_pretax_usd : ndarray of shape (T,)
        Market value plus cash, without any accrual; falls on the days on which tax is paid.
    cash_weight, turnover, active_share : ndarray of shape (T,)
        Cash as a share of market value; one-sided turnover since the last entry, as a share of market value;
        0.5 * sum |w - 1/N| over the assets that could be held (cash counts as held beyond 1/N).
    risk_free_return : ndarray of shape (T,)
        Simple return of cash since the last entry (3-month rate, 0 where it is not known).
    costs_usd : ndarray of shape (T,)
        Costs of trades since the last entry.
    tax_years : ndarray of shape (Y,)
        int64, ascending.
    tax_due_usd, federal_usd, niit_usd, state_usd : ndarray of shape (Y,)
        Tax that the portfolio adds to the unit's return of the year, by the exact ledger; negative where a
        loss is worth a deduction. The last year is as of the window's end.
    tax_paid_usd : ndarray of shape (Y,)
        Cash that left the portfolio for tax during that calendar year (for the year before).
    realized_short_usd, realized_long_usd : ndarray of shape (Y,)
        Recognised results by term (after disallowance), exact ledger.
    harvested_loss_usd : ndarray of shape (Y,)
        Losses realised, >= 0, before disallowance.
    disallowed_usd : ndarray of shape (Y,)
        Losses disallowed by wash sales, >= 0.
    voluntary_short_gain_usd, involuntary_short_gain_usd : ndarray of shape (Y,)
        Short-term gains (positive pieces alone) of sales the strategy chose, and of sales forced by tax payments
        or by an asset that left.
    turnover_year : ndarray of shape (Y,)
        One-sided turnover of the calendar year.
    carry_short_usd, carry_long_usd : ndarray of shape (Y,)
        Losses carried out of each year, >= 0.
    liquidation_tax_usd : ndarray of shape (T,)
        Tax accrued in ``wealth_usd``: wealth_pretax_usd - wealth_usd.
    meta : dict
        Settings, data and code that the trial id is the hash of, and remarks (plain JSON).
    """

    key: TrialKey
    dates: np.ndarray
    wealth_usd: np.ndarray
    wealth_pretax_usd: np.ndarray
    cash_weight: np.ndarray
    turnover: np.ndarray
    active_share: np.ndarray
    risk_free_return: np.ndarray
    costs_usd: np.ndarray
    liquidation_tax_usd: np.ndarray
    tax_years: np.ndarray
    tax_due_usd: np.ndarray
    federal_usd: np.ndarray
    niit_usd: np.ndarray
    state_usd: np.ndarray
    tax_paid_usd: np.ndarray
    realized_short_usd: np.ndarray
    realized_long_usd: np.ndarray
    harvested_loss_usd: np.ndarray
    disallowed_usd: np.ndarray
    voluntary_short_gain_usd: np.ndarray
    involuntary_short_gain_usd: np.ndarray
    turnover_year: np.ndarray
    carry_short_usd: np.ndarray
    carry_long_usd: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        weeks, years = len(self.dates), len(self.tax_years)
        for name in array_names():
            found, expected = getattr(self, name).shape, (weeks,) if name in WEEKLY else (years,)
            if found != expected:
                raise ValueError(f"{name} of trial {self.key} has shape {found}: expected {expected}")

    @property
    def trial_id(self) -> str:
        """Return the hash of settings, data and code that names the trial."""
        return str(self.meta["trial_id"])


WEEKLY: Final = (
    "dates", "wealth_usd", "wealth_pretax_usd", "cash_weight", "turnover", "active_share",
    "risk_free_return", "costs_usd", "liquidation_tax_usd",
)  # fmt: skip


def array_names() -> tuple[str, ...]:
    """Return the names of the arrays of a result, weekly before yearly."""
    return tuple(f.name for f in fields(BacktestResult) if f.name not in ("key", "meta"))


def write_result(result: BacktestResult, path: Path) -> None:
    """Write a trial; the file appears whole or not at all, and the same trial is the same bytes.

    Parameters
    ----------
    result : BacktestResult
    path : Path
        Its folder is made if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"key": {name: getattr(result.key, name) for name in KEY_COLUMNS}, "meta": result.meta}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    with zipfile.ZipFile(temporary, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry("trial.json"), json.dumps(header, sort_keys=True, indent=1))
        for name in array_names():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(getattr(result, name)), allow_pickle=False)
            archive.writestr(_entry(f"{name}.npy"), buffer.getvalue())
    temporary.replace(path)


def read_result(path: Path) -> BacktestResult:
    """Read a trial that :func:`write_result` wrote.

    Raises
    ------
    ValueError
        If the file is not a whole trial; it names the file and what to do.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read("trial.json"))
            arrays = {
                name: np.lib.format.read_array(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False)
                for name in array_names()
            }
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError, EOFError) as problem:
        raise ValueError(f"{path} is no trial of this version ({problem}): delete it and run again") from None
    return BacktestResult(TrialKey(**header["key"]), **arrays, meta=header["meta"])


def read_results(folder: Path) -> Iterator[BacktestResult]:
    """Read the trials of a folder, in the order of their keys.

    Parameters
    ----------
    folder : Path
        Output folder of a run. Where a run has ended, the trials of that run; without its manifest every
        trial below the folder.

    Yields
    ------
    BacktestResult
    """
    manifest = folder / MANIFEST
    if manifest.exists():
        paths = [folder / name for name in json.loads(manifest.read_text(encoding="utf-8"))["trials"]]
    else:
        paths = sorted(folder.rglob(f"*{FILE_SUFFIX}"))
    found = [read_result(path) for path in paths]
    yield from sorted(found, key=lambda result: result.key)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_ZIP_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
