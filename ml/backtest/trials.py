"""Trials: what is run, what names a trial, and the log of every one.

What belongs here: the plan of a run, the trial id (hash of settings, data and code), the rows of ``ml.trials``. What
does not: running (``run.py``), scores (``statistics``).
"""

import dataclasses
import datetime as dt
import hashlib
import importlib
import inspect
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

import ml
from ml.backtest.panel import BacktestPanel
from ml.backtest.profiles import ACTUAL_FROM, LAW_2026, LAW_ACTUAL, PROFILES, TAXED_PROFILES
from ml.backtest.results import FILE_SUFFIX, WITHOUT_HARVESTING, BacktestResult, TrialKey
from ml.backtest.strategies import Strategy
from ml.backtest.walk_forward import Window

COSTS_BP: Final = (5, 10, 25)
MAIN_COST_BP: Final = 10
MAIN_PROFILES: Final = ("untaxed", *TAXED_PROFILES)
FLAT_PROFILE: Final = "flat_35_15"
# Equal weight with and without harvesting, the pair behind the comparison with the literature.
HARVEST_PAIR: Final = ("equal_weight_monthly", "equal_weight_harvesting")
# Twins are there to measure tax alpha of objectives, which these windows do not judge.
NO_TWINS: Final = ("thirty_years", "paper_14_days")
BASELINES_ONLY: Final = (
    "The window thirty_years is for baselines that learn nothing: it reaches into the years of the final test, so "
    "nothing that is trained or chosen may be judged on it."
)

# What decides a trial's figures. Pages and statistics of finished trials are not among it.
_ENGINE: Final = (
    *(f"backtest/{name}.py" for name in (
        "baselines", "costs", "expert_strategies", "ledger", "lot_book", "optimizers", "panel", "profiles",
        "report_trial", "results", "simulate", "strategies", "trials", "walk_forward", "wealth", "year_to_date",
    )),
    *(f"policy/{name}.py" for name in (
        "account_state", "covariance", "experts", "objectives", "panels", "regime", "state", "teachers")),
    "simplex.py", "types.py",
)  # fmt: skip
_ENGINE_FOLDERS: Final = ("tax", "tax/bulk", "tax/data")
_LIBRARIES: Final = ("numpy", "numba", "skfolio")

# A test window is opened before its results are known, and stays so in the log if the run does not end.
OPENED, FINISHED = "opened", "finished"
STATUSES: Final = (OPENED, FINISHED)
TRIALS_SCHEMA: Final = {
    "trial_id": pl.String,
    "status": pl.String,
    "window_name": pl.String,
    "strategy": pl.String,
    "objective": pl.String,
    "cost_bp": pl.Int32,
    "profile": pl.String,
    "law": pl.String,
    "seed": pl.Int64,
    "source": pl.String,
    "data_digest": pl.String,
    "code_version": pl.String,
    "is_test": pl.Boolean,
    "test_tag": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "weeks": pl.Int32,
    "final_wealth_usd": pl.Float64,
    "final_pretax_usd": pl.Float64,
    "mean_weekly_log": pl.Float64,
    "volatility_weekly_log": pl.Float64,
    "sharpe_weekly": pl.Float64,
    "skewness_weekly": pl.Float64,
    "kurtosis_weekly": pl.Float64,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Trials of one strategy in one window, simulated together.

    Attributes
    ----------
    window : Window
    strategy : Strategy
    keys : tuple of TrialKey
    """

    window: Window
    strategy: Strategy
    keys: tuple[TrialKey, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Choices:
    """What a run computes; None: the default.

    Attributes
    ----------
    costs_bp : tuple of int
    profiles : tuple of str
        Of :data:`ml.backtest.profiles.PROFILES`.
    windows : tuple of str or None
        Names; None: all but the test.
    test_tag : str or None
        Opens the test window, under this tag.
    """

    costs_bp: tuple[int, ...] = COSTS_BP
    profiles: tuple[str, ...] = MAIN_PROFILES
    windows: tuple[str, ...] | None = None
    test_tag: str | None = None


def plan_trials(
    windows: Sequence[Window], strategies: Sequence[Strategy], baselines: frozenset[str], choices: Choices
) -> list[Plan]:
    """List what a run computes.

    Parameters
    ----------
    windows : sequence of Window
    strategies : sequence of Strategy
    baselines : frozenset of str
        Names of strategies that learn nothing: they alone run in ``thirty_years``, which overlaps the test.
    choices : Choices

    Returns
    -------
    list of Plan
        Besides every cost and profile under one law: actual law in windows from 2010 on at 10 bp; the harvesting
        pair without costs and at the literature's flat rates; everything at zero cost in ``paper_14_days``.

    Raises
    ------
    ValueError
        A window or profile that is not there, or a test window without its tag.
    """
    wanted = chosen_windows(windows, choices)
    unknown = [name for name in choices.profiles if name not in PROFILES]
    if unknown:
        raise ValueError(f"profile {unknown[0]!r} is unknown: use {', '.join(PROFILES)}")
    plans = []
    for window in wanted:
        for strategy in strategies:
            if not _runs_in(strategy, window, baselines):
                continue
            keys = _keys(window, strategy, choices)
            plans.append(Plan(window, strategy, tuple(dict.fromkeys(keys))))
    return plans


def _runs_in(strategy: Strategy, window: Window, baselines: frozenset[str]) -> bool:
    only = getattr(strategy, "only_windows", ())
    is_twin = strategy.name.endswith(WITHOUT_HARVESTING)
    if (only and window.name not in only) or (is_twin and window.name in NO_TWINS):
        return False
    return window.name != "thirty_years" or strategy.name in baselines


def chosen_windows(windows: Sequence[Window], choices: Choices) -> list[Window]:
    """The windows that a run opens.

    Raises
    ------
    ValueError
        A window that is not there, or the test asked for by name without its tag.
    """
    names = [w.name for w in windows]
    for name in choices.windows or ():
        if name not in names:
            raise ValueError(f"window {name!r} is not in these data: there are {', '.join(names)}")
    found = [w for w in windows if choices.windows is None or w.name in choices.windows]
    closed = [w.name for w in found if w.is_test and choices.test_tag is None]
    if closed and choices.windows is not None:
        raise ValueError(
            f"window {closed[0]!r} is closed: open it with --open-test TAG, which is logged for good"
        )
    return [w for w in found if w.name not in closed]


def _keys(window: Window, strategy: Strategy, choices: Choices) -> Iterable[TrialKey]:
    costs = choices.costs_bp if window.name != "paper_14_days" else (0, MAIN_COST_BP)
    is_pair = strategy.name in HARVEST_PAIR
    for objective in strategy.objectives:
        for seed in strategy.seeds:

            def key(cost: int, profile: str, law: str = LAW_2026, objective=objective, seed=seed) -> TrialKey:
                return TrialKey(window.name, strategy.name, objective, cost, profile, law, seed)

            for cost in costs:
                for profile in choices.profiles:
                    yield key(cost, profile)
            if window.law_from >= ACTUAL_FROM and MAIN_COST_BP in costs:
                for profile in choices.profiles:
                    if profile in TAXED_PROFILES:
                        yield key(MAIN_COST_BP, profile, LAW_ACTUAL)
            if is_pair and choices.profiles == MAIN_PROFILES and not window.is_test:
                for cost in (0, MAIN_COST_BP):
                    for profile in (*choices.profiles, FLAT_PROFILE):
                        yield key(cost, profile)


@lru_cache(maxsize=1)
def code_version() -> str:
    """Hash of the code and libraries that decide a trial's figures."""
    root = Path(ml.__file__).parent
    paths = [root / name for name in _ENGINE]
    for folder in _ENGINE_FOLDERS:
        paths += sorted(p for p in (root / folder).iterdir() if p.suffix in (".py", ".csv"))
    found = hashlib.blake2b(digest_size=16)
    for path in paths:
        found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    for name in _LIBRARIES:
        found.update(f"{name}=={version(name)}".encode())
    return found.hexdigest()


def trial_settings(key: TrialKey, strategy: Strategy, window: Window, panel: BacktestPanel) -> dict[str, Any]:
    """Everything that a trial's figures depend on, as plain JSON."""
    source = inspect.getsourcefile(_code_of(strategy))
    own = Path(source).read_bytes() if source else b""
    return {
        "key": dataclasses.asdict(key),
        "strategy": {
            "schedule": strategy.schedule,
            "lot_method": strategy.lot_method,
            "min_trade_ratio": strategy.min_trade_ratio,
            "source": hashlib.blake2b(own, digest_size=16).hexdigest(),
            "settings": str(getattr(strategy, "settings", "")),
        },
        "window": {
            "start_date": str(panel.dates[window.start]),
            "end_date": str(panel.dates[window.end]),
            "train_until": str(panel.dates[window.train_until]),
        },
        "profile": dataclasses.asdict(PROFILES[key.profile]),
        "data": panel.digest,
        "code": code_version(),
    }


def _code_of(strategy: Strategy) -> Any:
    function = getattr(strategy, "function", None)
    if function is None:
        return type(strategy)
    return function if inspect.isfunction(function) else importlib.import_module(type(function).__module__)


def trial_id(settings: dict[str, Any]) -> str:
    """Hash of a trial's settings."""
    text = json.dumps(settings, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def trial_path(folder: Path, key: TrialKey, identity: str) -> Path:
    """Where a trial is kept below the output folder."""
    name = "".join(x if x.isalnum() or x in "-_." else "_" for x in key.strategy)
    return folder / "trials" / key.window / name / f"{identity}{FILE_SUFFIX}"


def trial_rows(results: Iterable[BacktestResult]) -> pl.DataFrame:
    """Rows of ``ml.trials``: one per trial, with what the deflated Sharpe ratio counts.

    Parameters
    ----------
    results : iterable of BacktestResult

    Returns
    -------
    polars.DataFrame
        :data:`TRIALS_SCHEMA`, in the order of keys.
    """
    rows = [_row(result) for result in sorted(results, key=lambda r: r.key)]
    return pl.DataFrame(rows, schema=TRIALS_SCHEMA, orient="row")


def _row(result: BacktestResult) -> tuple[Any, ...]:
    key, meta = result.key, result.meta
    moves = np.diff(np.log(result.wealth_usd))
    excess = moves - np.log1p(result.risk_free_return[1:])
    centred = excess - excess.mean()
    spread = float(excess.std(ddof=1)) if len(excess) > 1 else 0.0
    # A path that never moves has no Sharpe ratio and counts as zero.
    is_flat = spread < 1e-9
    scale = max(float(np.sqrt(np.mean(centred**2))), 1e-300)
    return (
        result.trial_id, FINISHED, key.window, key.strategy, key.objective, key.cost_bp, key.profile, key.law, key.seed,
        meta["source"], meta["settings"]["data"], meta["settings"]["code"], meta["is_test"], meta["test_tag"],
        _date(result.dates[0]), _date(result.dates[-1]), len(moves), float(result.wealth_usd[-1]),
        float(result.wealth_pretax_usd[-1]), float(moves.mean()),
        float(moves.std(ddof=1)) if len(moves) > 1 else 0.0,
        0.0 if is_flat else float(excess.mean() / spread),
        0.0 if is_flat else float(np.mean(centred**3) / scale**3),
        3.0 if is_flat else float(np.mean(centred**4) / scale**4),
    )  # fmt: skip


def opened_rows(plans: Sequence[Plan], panel: BacktestPanel, test_tag: str) -> pl.DataFrame:
    """Rows of ``ml.trials`` that say which test trials are about to be run; figures are null.

    Parameters
    ----------
    plans : sequence of Plan
        Those of closed windows are logged, the others are not.
    panel : BacktestPanel
    test_tag : str
        Tag under which the test is opened.
    """
    rows = []
    for plan in plans:
        if not plan.window.is_test:
            continue
        for key in plan.keys:
            meta = trial_meta(key, plan, panel, test_tag)
            known = (
                meta["trial_id"], OPENED, key.window, key.strategy, key.objective, key.cost_bp, key.profile, key.law,
                key.seed, panel.source, panel.digest, code_version(), True, test_tag,
                _date(panel.dates[plan.window.start]), _date(panel.dates[plan.window.end]),
            )  # fmt: skip
            rows.append(known + (None,) * (len(TRIALS_SCHEMA) - len(known)))
    return pl.DataFrame(rows, schema=TRIALS_SCHEMA, orient="row")


def trial_meta(key: TrialKey, plan: Plan, panel: BacktestPanel, test_tag: str | None) -> dict[str, Any]:
    """What a trial's file says beside its figures: id, settings, source, notes."""
    settings = trial_settings(key, plan.strategy, plan.window, panel)
    if plan.window.is_test:
        # Opening the test again under another tag is another trial.
        settings["test_tag"] = test_tag
    return {
        "trial_id": trial_id(settings),
        "settings": settings,
        "source": panel.source,
        "is_test": plan.window.is_test,
        "test_tag": test_tag if plan.window.is_test else None,
        "notes": [*panel.notes, *((BASELINES_ONLY,) if plan.window.whole_history_only else ())],
    }


def _date(value: np.datetime64) -> dt.date:
    return value.astype("datetime64[D]").astype(object)
