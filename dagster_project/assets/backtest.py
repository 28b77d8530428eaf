"""The backtest: every trial run and logged, its scores, its report. No part of a night."""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field

from dagster_project.ml_tables import ml_ddl
from dagster_project.pools import WAREHOUSE_WRITER
from dagster_project.provenance import step_metadata
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite, Warehouse

if TYPE_CHECKING:
    import polars as pl

    from ml.backtest.panel import BacktestPanel
    from ml.backtest.strategies import Strategy
    from ml.backtest.trials import Plan
    from ml.backtest.walk_forward import Window

GROUP = "backtest"
# The same rows through the same contracts, read from the source itself: any folder of bars can be judged
# without becoming part of what nights read.
MARKET_DEPS = [
    ["raw", name]
    for name in ("market__assets", "market__daily_bars", "market__corporate_actions", "market__rates")
]
_EVERY = 25  # trials between two lines of progress of the scoring


class BacktestConfig(dg.Config):
    """Run configuration of the three steps."""

    source: Literal["packaged", "files"] = Field(default="packaged", description="where prices come from")
    data: str | None = Field(default=None, description="folder of the source files")
    strategies: list[str] = Field(
        default=[], description="names of baselines; empty: all, unless own are given"
    )
    own_strategies: list[str] = Field(default=[], description="module:function each")
    policies: list[str] = Field(
        default=[], description="checkpoint folders of trained policies, each FOLDER or WINDOW=FOLDER"
    )
    encoder: str | None = Field(default=None, description="the policies' encoder; default: the packaged one")
    chronos: str | None = Field(default=None, description="the encoder's Chronos; default: the packaged one")
    costs_bp: list[int] = Field(default=[5, 10, 25], description="cost of a trade a side, in basis points")
    profiles: list[str] = Field(
        default=["untaxed", "P1", "P1_outside_20k", "P2", "P2_outside_20k"], description="tax profiles"
    )
    windows: list[str] = Field(default=[], description="names of windows; empty: all that are open")
    until: str | None = Field(default=None, description="last session to read (YYYY-MM-DD)")
    output: str | None = Field(
        default=None, description="folder of trials and report; default <home>/backtest"
    )
    report: str | None = Field(
        default=None, description="folder of the page and the summary; default: that of the trials"
    )
    open_test: str | None = Field(
        default=None, description="tag under which the final test is opened, for good"
    )


@dg.asset(
    key=["ml", "trials"],
    group_name=GROUP,
    description="Every backtest trial by itself: strategy, window, costs, tax profile, law, seed, with what the "
    "deflated Sharpe ratio counts. Added to, never taken from; an opened test is logged before its results are known.",
    owners=["team:research"],
    kinds={"python", "ducklake"},
    deps=MARKET_DEPS,
    pool=WAREHOUSE_WRITER,
)
def trials(context: dg.AssetExecutionContext, lake: LakeResource, config: BacktestConfig):
    """Read the panel, run what is missing, log every trial."""
    from ml.backtest.results import read_results
    from ml.backtest.run import run_plans
    from ml.backtest.trials import opened_rows, trial_rows

    warehouse, folder = lake.open(), output_folder(lake, config)
    warehouse.bootstrap(ml_ddl())
    read_snapshot = warehouse.snapshot_id()
    panel, plans = _plan(config)
    for note in panel.notes:
        context.log.info(note)
    if config.open_test is not None:
        _log_new(warehouse, context.run_id, opened_rows(plans, panel, config.open_test))
    report = run_plans(panel, plans, folder, test_tag=config.open_test, on_progress=_progress(context))
    rows = trial_rows(read_results(folder))
    written = _log_finished(warehouse, context.run_id, rows)
    return dg.MaterializeResult(
        metadata={
            **step_metadata(rows, read_snapshot=read_snapshot, write_snapshot=written, table="ml.trials"),
            "computed": report.computed,
            "finished_before": report.kept,
            "folder": dg.MetadataValue.path(str(folder)),
            "notes": list(panel.notes),
        }
    )


@dg.asset(
    key=["ml", "backtest_results"],
    group_name=GROUP,
    description="Each trial of the latest run with its scores and their 95 percent intervals against equal weight, its "
    "taxes, turnover and costs. Not tax or investment advice; packaged prices are of survivors.",
    owners=["team:research"],
    kinds={"python", "ducklake"},
    deps=[["ml", "trials"]],
    pool=WAREHOUSE_WRITER,
)
def backtest_results(context: dg.AssetExecutionContext, lake: LakeResource, config: BacktestConfig):
    """Score the trials of the latest run."""
    from dagster_project.backtest_tables import checked
    from ml.backtest.results import read_results
    from ml.backtest.tables import result_rows

    warehouse, folder = lake.open(), output_folder(lake, config)
    read_snapshot = warehouse.snapshot_id()

    def on_progress(done: int, total: int) -> None:
        if done % _EVERY == 0 or done == total:
            context.log.info(f"progress: scored {done} of {total} trials")

    rows = checked("backtest_results", result_rows(list(read_results(folder)), on_progress=on_progress))
    write = TableWrite("ml.backtest_results", rows, f"source = '{config.source}'")
    written = warehouse.write(context.run_id, [write], f"backtest of {config.source}")
    return dg.MaterializeResult(
        metadata=step_metadata(
            rows, read_snapshot=read_snapshot, write_snapshot=written, table="ml.backtest_results"
        )
    )


@dg.asset(
    key=["ml", "backtest_report"],
    group_name=GROUP,
    description="One self-contained HTML page and summary.json: wealth, drawdown, tax alpha and turnover, tables with "
    "intervals, caveats of data and survivorship.",
    owners=["team:research"],
    kinds={"python"},
    deps=[["ml", "backtest_results"]],
)
def backtest_report(context: dg.AssetExecutionContext, lake: LakeResource, config: BacktestConfig):
    """Write the page and the summary beside the trials."""
    from ml.backtest.report import write_report
    from ml.backtest.results import read_results
    from ml.backtest.trials import FINISHED

    folder = output_folder(lake, config)
    # Of an opened test without a result yet, nobody has seen a figure.
    logged = lake.open().read(
        "select count(distinct trial_id) as n from ml.trials where source = ? and status = ?",
        [config.source, FINISHED],
    )["n"][0]

    def on_progress(part: str) -> None:
        context.log.info(f"progress: report, {part}")

    target = Path(config.report) if config.report else folder
    paths = write_report(list(read_results(folder)), target, n_logged=int(logged), progress=on_progress)
    return dg.MaterializeResult(metadata={path.name: dg.MetadataValue.path(str(path)) for path in paths})


def output_folder(lake: LakeResource, config: BacktestConfig) -> Path:
    """Where trials and report lie."""
    return Path(config.output) if config.output else lake.settings().home / "backtest"


def _plan(config: BacktestConfig) -> tuple["BacktestPanel", list["Plan"]]:
    from dagster_project.backtest_data import backtest_panel
    from ml.backtest.registry import baseline_names, chosen_strategies
    from ml.backtest.trials import Choices, chosen_windows, plan_trials
    from ml.backtest.walk_forward import make_windows

    until = dt.date.fromisoformat(config.until) if config.until else None
    panel = backtest_panel(config.source, Path(config.data) if config.data else None, until)
    choices = Choices(
        tuple(config.costs_bp), tuple(config.profiles), tuple(config.windows) or None, config.open_test
    )
    windows = make_windows(panel)
    strategies = chosen_strategies(config.strategies, config.own_strategies)
    strategies += _policies(config, panel, chosen_windows(windows, choices))
    return panel, plan_trials(windows, strategies, baseline_names(), choices)


def _policies(
    config: BacktestConfig, panel: "BacktestPanel", windows: "Sequence[Window]"
) -> "list[Strategy]":
    if not config.policies:
        return []
    from ml.backtest.policy_strategy import PolicyChoice, policy_strategies
    from ml.encoder.dataset import DEFAULT_MODEL
    from ml.models import ENCODER, WEIGHTS

    encoder = Path(config.encoder) if config.encoder else WEIGHTS / ENCODER
    chronos = Path(config.chronos) if config.chronos else DEFAULT_MODEL
    choices = [PolicyChoice.parse(text) for text in config.policies]
    return policy_strategies(choices, encoder, panel, windows, chronos)


def _progress(context: dg.AssetExecutionContext) -> Callable[[int, int, str], None]:
    def log(done: int, total: int, line: str) -> None:
        context.log.info(f"progress: {done} of {total} trials  {line}")

    return log


def _log_new(warehouse: Warehouse, run_id: str, rows: "pl.DataFrame") -> None:
    """Add rows whose trials are not in the log yet."""
    known = set(warehouse.read("select trial_id from ml.trials")["trial_id"].to_list())
    fresh = rows.filter(~rows["trial_id"].is_in(list(known)))
    if fresh.height:
        warehouse.write(run_id, [TableWrite("ml.trials", fresh)], f"test opened: {fresh.height} trials")


def _log_finished(warehouse: Warehouse, run_id: str, rows: "pl.DataFrame") -> int:
    """Add finished trials that the log lacks; the row of an opened one gets its result."""
    from dagster_project.backtest_tables import checked
    from ml.backtest.trials import FINISHED, OPENED

    stored = warehouse.read("select trial_id, status from ml.trials")
    finished = stored.filter(stored["status"] == FINISHED)["trial_id"].to_list()
    opened = set(stored.filter(stored["status"] == OPENED)["trial_id"].to_list()) & set(
        rows["trial_id"].to_list()
    )
    fresh = checked("trials", rows.filter(~rows["trial_id"].is_in(finished)))
    if fresh.is_empty():
        return warehouse.snapshot_id()
    names = ", ".join(f"'{name}'" for name in sorted(opened))
    where = f"status = '{OPENED}' and trial_id in ({names})" if opened else None
    return warehouse.write(run_id, [TableWrite("ml.trials", fresh, where)], f"{fresh.height} backtest trials")
