"""The report's sections on the baselines: what each table and drawing compares.

What belongs here: choosing figures for readers. What does not: computing them (``comparisons.py``), markup
(``html.py``), the parts that are words alone (``words.py``).
"""

import math
from typing import Final

import numpy as np

from ml.backtest.report.charts import (
    drawdown_chart,
    interval_chart,
    turnover_chart,
    wealth_chart,
)
from ml.backtest.report.comparisons import ALL_CASH, Comparisons
from ml.backtest.report.html import Cell, Figure, Section, Table, interval_cell, number, p_value_cell
from ml.backtest.report.selection import BENCHMARK, PAPER_14_DAYS, UNTAXED, Run, Setting
from ml.backtest.report.words import PROFILE_NAMES, describe
from ml.backtest.results import BacktestResult

# Told apart in a drawing; further runs stand in the tables alone.
_LINES: Final = 7
# A step from one cost to the next that moves a block's growth by more than this is named.
_LARGE_STEP_PCT: Final = 1.0
Parts = list[str | Table | Figure]


def profile_name(profile: str) -> str:
    """The profile in words, or as it is."""
    return PROFILE_NAMES.get(profile, profile)


def drawn(figures: Comparisons, setting: Setting) -> list[Run]:
    """Runs that a drawing shows: the benchmark, some fixed ones, and those that end highest and lowest."""
    runs = figures.strategies(setting)
    fixed = [r for r in runs if r.strategy in (BENCHMARK, figures.trials.harvester(), "cash", "buy_and_hold")]
    rest = sorted((r for r in runs if r not in fixed), key=lambda r: (-r.log_returns.sum(), r.label))
    spare = max(0, _LINES - len(fixed))
    chosen = rest if len(rest) <= spare else [*rest[: spare - spare // 2], *rest[len(rest) - spare // 2 :]]
    return fixed + chosen


def long_section(figures: Comparisons) -> Section | None:
    """The longest window: before tax, after tax by profile, ahead of equal weight, drawings."""
    windows = figures.trials.long
    setting = figures.trials.setting(windows)
    runs = figures.strategies(setting)
    if not runs:
        return None
    parts: Parts = [
        "Baselines alone: nothing here was learned, and nothing that is learned may be chosen by it. Every "
        "asset has prices over the whole span, which only survivors have: the level of every row is too good "
        "to be true; compare rows, not levels."
        if windows == ("thirty_years",)
        else "The windows joined one after the other: at the end of each everything is sold and a new start made.",
        before_tax_table(figures, windows),
        wealth_chart(drawn(figures, setting), describe(setting)),
        after_tax_table(figures, windows),
        *ahead_parts(figures, windows),
        # Seven lines of drawdown hide each other; cash has none to show.
        drawdown_chart([r for r in drawn(figures, setting) if r.strategy != "cash"][:4], describe(setting)),
        turnover_chart({run.label: run.yearly_mean("turnover") for run in runs}, describe(setting)),
    ]
    title = "Thirty years of baselines" if windows == ("thirty_years",) else "The whole span"
    return Section("long", title, parts)


def before_tax_table(figures: Comparisons, windows: tuple[str, ...]) -> Table:
    """Growth, Sharpe ratio, risk and turnover without any tax."""
    setting = figures.trials.setting(windows, profile=UNTAXED)
    rows = []
    for run in figures.strategies(setting):
        scores = [
            figures.score(name, run, setting)
            for name in ("after_tax_cagr_pct", "max_drawdown_pct", "cvar95_pct")
        ]
        cells = [
            interval_cell(scores[0]),
            interval_cell(figures.sharpe(run)),
            Cell(number(_daily_sharpe(run))),
            *map(interval_cell, scores[1:]),
            Cell(number(100 * run.yearly_mean("turnover"), 0)),
        ]
        rows.append((run.label, cells))
    return Table(
        f"Before tax, {describe(setting, with_profile=False)}. Weekly figures with 95 % intervals. Sharpe "
        "ratios a year with a risk-free rate of 0; the daily one is what skfolio's own walk-forward gives.",
        (
            "strategy",
            "growth, % a year",
            "Sharpe, weekly",
            "Sharpe, daily",
            "largest drawdown, %",
            "worst 5 % of weeks, %",
            "turnover, % a year",
        ),
        rows,
    )


def _daily_sharpe(run: Run) -> float:
    """From the trial's own record, risk-free 0; of one window alone, and none for cash."""
    ratios = [result.meta.get("daily", {}).get("sharpe_rf0", math.nan) for result in run.results]
    return ratios[0] if len(ratios) == 1 and run.mean_cash <= ALL_CASH else math.nan


def after_tax_table(figures: Comparisons, windows: tuple[str, ...]) -> Table:
    """Growth after tax by profile."""
    profiles = figures.trials.profiles(windows)
    settings = [figures.trials.setting(windows, profile=p) for p in profiles]
    rows = [
        (
            run.label,
            [
                interval_cell(figures.score("after_tax_cagr_pct", other, s))
                if (other := figures.run(s, *run.identity))
                else Cell("–")
                for s in settings
            ],
        )
        for run in figures.strategies(settings[0])
    ]
    return Table(
        f"Growth after tax, % a year with 95 % intervals, {describe(settings[0], with_profile=False)}: all "
        "sold at the end and all tax paid.",
        ("strategy", *map(profile_name, profiles)),
        rows,
    )


def ahead_parts(figures: Comparisons, windows: tuple[str, ...]) -> Parts:
    """Paired differences from equal weight by profile, with tests of all of them together."""
    profiles = (UNTAXED, *figures.trials.profiles(windows))
    settings = [figures.trials.setting(windows, profile=p) for p in profiles]
    main = figures.trials.setting(windows)
    peer, runs = figures.benchmark(main), figures.strategies(main)
    if peer is None or len(runs) < 2:
        return [f"No comparison: {BENCHMARK} is not among the trials of these windows, or alone."]
    adjusted = figures.step_down(runs, peer)
    others = [run for run in runs if run.identity != peer.identity]
    rows = []
    for run in others:
        cells = [
            interval_cell(figures.alpha(other, s), 0, tests_zero=True, sign=True)
            if (other := figures.run(s, *run.identity))
            else Cell("–")
            for s in settings
        ]
        rows.append((run.label, [*cells, p_value_cell(adjusted[run.identity])]))
    table = Table(
        f"Growth ahead of {BENCHMARK}, bp a year, paired, with 95 % intervals, "
        f"{describe(main, with_profile=False)}. Bold: the interval leaves 0 out. Last column: step-down "
        f"p-value of the difference under {profile_name(main.profile)}, adjusted for all {len(others)} rows "
        "(Romano and Wolf).",
        ("strategy", "before tax", *map(profile_name, profiles[1:]), "adjusted p"),
        rows,
    )
    superior = figures.superior(runs, peer)
    told = (
        f"Does the best of these {len(others)} beat {BENCHMARK} beyond luck? Hansen's test: p = "
        f"{number(superior.consistent, 3)} (between {number(superior.lower, 3)} and "
        f"{number(superior.upper, 3)})."
        if superior
        else "Too few weeks for a test of all together."
    )
    chart = interval_chart(
        {run.label: figures.alpha(run, main) for run in others}, "bp a year after tax", describe(main)
    )
    return [table, told, chart]


def cost_section(figures: Comparisons) -> Section | None:
    """After-tax growth at each cost, and under the law of each year."""
    windows = figures.trials.long
    costs = figures.trials.common_costs(windows)
    settings = [figures.trials.setting(windows, cost_bp=cost) for cost in costs]
    parts: Parts = []
    if len(costs) > 1:
        rows = [
            (run.label, [_growth_cell(figures, run, s) for s in settings])
            for run in figures.strategies(settings[-1])
        ]
        parts.append(
            Table(
                f"Growth after tax, % a year, by cost a side, {describe(settings[0], with_cost=False)}.",
                ("strategy", *(f"{cost} bp" for cost in costs)),
                rows,
            )
        )
    parts += cost_paths(figures)
    parts += _law_parts(figures)
    return Section("costs", "Other costs, other law", parts) if parts else None


def cost_paths(figures: Comparisons) -> Parts:
    """How far a path turns on its costs beyond the costs themselves, on the development windows.

    A loss that passes its threshold a session earlier sells a stock before it falls further or recovers, and everything
    after it differs: two costs are two draws of one strategy, not one draw less its costs.
    """
    windows, chooser = figures.trials.development, figures.trials.chooser()
    costs = figures.trials.common_costs(windows) if windows else ()
    if chooser is None or len(costs) < 2:
        return []
    growth = {
        (cost, run.identity, result.key.window): _yearly_log(result)
        for cost in costs
        for run in figures.strategies(figures.trials.setting(windows, cost_bp=cost))
        if run.strategy == chooser
        for result in run.results
    }
    steps = []
    for (cost, identity, window), value in growth.items():
        place = costs.index(cost) + 1
        if place < len(costs) and (costs[place], identity, window) in growth:
            steps.append(
                (100 * (growth[costs[place], identity, window] - value), cost, costs[place], identity, window)
            )
    if not steps:
        return []
    change, low, high, identity, window = max(steps, key=lambda step: abs(step[0]))
    large = sum(abs(step[0]) > _LARGE_STEP_PCT for step in steps)
    return [
        f"Paths turn on their costs: of {len(steps)} steps from one cost to the next in a development window, "
        f"{large} moved the growth of {chooser} by more than {_LARGE_STEP_PCT:g} % a year, most of it beyond the cost; "
        f"the largest, {identity[1]} in {window} from {low} to {high} bp, by {number(change, 1, sign=True)} %. "
        "A loss that passes its threshold a session earlier sells a volatile stock before it recovers, and every later "
        "decision differs. Two costs are two draws: read differences with their intervals, not across a row."
    ]


def _yearly_log(result: BacktestResult) -> float:
    years = (result.dates[-1] - result.dates[0]).astype("timedelta64[D]").astype(float) / 365.25
    return float(np.log(result.wealth_usd[-1] / result.wealth_usd[0]) / years)


def _law_parts(figures: Comparisons) -> Parts:
    keys = {(r.key.window, r.key.law) for r in figures.trials.results}
    both = tuple(w for w in figures.trials.windows if {(w, "actual"), (w, "law_2026")} <= keys)
    both = tuple(w for w in both if w in figures.trials.development) or both[:1]
    if not both:
        return []
    settings = [figures.trials.setting(both, law=law) for law in ("law_2026", "actual")]
    rows = [
        (run.label, [_growth_cell(figures, run, s) for s in settings])
        for run in figures.strategies(settings[1])
    ]
    if not rows:
        return []
    return [
        Table(
            "A check: growth after tax, % a year, one law for all years and each year's own law, "
            f"{describe(settings[0])}.",
            ("strategy", "law of 2026", "law of each year"),
            rows,
        )
    ]


def _growth_cell(figures: Comparisons, run: Run, setting: Setting) -> Cell:
    other = figures.run(setting, *run.identity)
    return interval_cell(figures.score("after_tax_cagr_pct", other, setting)) if other else Cell("–")


def paper_section(figures: Comparisons) -> Section | None:
    """The paper's setting, 14 days without cost or tax, beside the same days and the whole span here."""
    free = Setting((PAPER_14_DAYS,), UNTAXED, 0)
    runs = figures.strategies(free)
    if not runs:
        return None
    ours = figures.trials.setting((PAPER_14_DAYS,))
    whole = figures.trials.setting(figures.trials.development)
    rows = []
    for run in sorted(runs, key=lambda r: (-r.log_returns.sum(), r.label)):
        same, long = figures.run(ours, *run.identity), figures.run(whole, *run.identity)
        cells = [
            Cell(number(100 * float(np.expm1(run.log_returns.sum())), sign=True)),
            Cell(number(100 * float(np.expm1(same.log_returns.sum())), sign=True) if same else "–"),
            interval_cell(figures.score("after_tax_cagr_pct", long, whole)) if long else Cell("–"),
            interval_cell(figures.alpha(long, whole), 0, tests_zero=True, sign=True) if long else Cell("–"),
        ]
        rows.append((run.label, cells))
    table = Table(
        "The setting of the paper, 14 sessions without costs and tax, ordered by its return; beside it the "
        f"same days under {describe(ours, with_windows=False)}, and {describe(whole)}.",
        (
            "strategy", "14 days, free, %", "14 days after cost and tax, %", "growth after tax, % a year",
            f"ahead of {BENCHMARK}, bp a year",
        ),
        rows,
    )  # fmt: skip
    told = (
        "Fourteen days without costs order strategies by what the market did in these days. The order says "
        "nothing of the years beside it; no interval is printed because three weekly figures allow none."
    )
    return Section("paper", "The paper's own setting", [table, told])
