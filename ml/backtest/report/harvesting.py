"""The report's section on mechanical harvesting: what it brought, what of that is tax, and the literature's figure.

What belongs here: the pair with and without harvesting, taken apart. What does not: other strategies
(``sections.py``).
"""

import math

import numpy as np

from ml.backtest.report.charts import tax_alpha_chart
from ml.backtest.report.comparisons import Comparisons
from ml.backtest.report.html import Cell, Section, Table, interval_cell, number
from ml.backtest.report.sections import Parts, profile_name
from ml.backtest.report.selection import BENCHMARK, UNTAXED, Run, Setting
from ml.backtest.report.words import LITERATURE, describe, sentence

FLAT_PROFILE = "flat_35_15"


def harvest_section(figures: Comparisons) -> Section | None:
    """Mechanical harvesting against the same targets without it; None where it was not run."""
    harvester = figures.trials.harvester()
    windows = figures.trials.long
    main = figures.trials.setting(windows)
    if harvester is None or figures.run(main, harvester) is None or figures.benchmark(main) is None:
        return None
    lines, facts = {}, []
    for profile in figures.trials.profiles(windows):
        setting = figures.trials.setting(windows, profile=profile)
        run, peer = figures.run(setting, harvester), figures.benchmark(setting)
        if run and peer:
            lines[profile_name(profile)] = (run, peer)
            facts.append((profile_name(profile), _facts(run, peer)))
    made = Table(
        f"What harvesting did, {describe(main, with_profile=False)}; USD over the whole span. The last three "
        f"columns are differences from {BENCHMARK}.",
        (
            "profile", "losses realised", "disallowed as wash sales", "short-term gains chosen", "tax paid",
            "tax of selling all at the end", "costs",
        ),
        facts,
    )  # fmt: skip
    parts: Parts = [
        alpha_table(figures, harvester, windows),
        "From tax alone: the lead after tax less the lead of the same two portfolios before tax, week by "
        "week. The rest is what the replacements earned or lost against what they replaced, which nobody can "
        "plan.",
        tax_alpha_chart(lines, describe(main, with_profile=False)),
        made,
        *literature_parts(figures, harvester),
    ]
    return Section("harvesting", "Mechanical tax-loss harvesting", parts)


def alpha_table(figures: Comparisons, harvester: str, windows: tuple[str, ...]) -> Table:
    """Tax alpha by profile and cost, what of it is tax, and tracking error."""
    costs = figures.trials.costs(windows)
    rows = []
    for profile in (UNTAXED, *figures.trials.profiles(windows)):
        cells = [
            _alpha_cell(figures, harvester, figures.trials.setting(windows, profile=profile, cost_bp=cost))
            for cost in costs
        ]
        setting = figures.trials.setting(windows, profile=profile)
        run = figures.run(setting, harvester)
        if run is None:
            continue
        cells.append(
            Cell("–")
            if profile == UNTAXED
            else interval_cell(figures.tax_part(harvester, setting), 0, tests_zero=True, sign=True)
        )
        cells.append(interval_cell(figures.score("tracking_error_pct", run, setting)))
        rows.append((profile_name(profile), cells))
    main = figures.trials.setting(windows)
    return Table(
        f"Tax alpha of {harvester}: growth ahead of {BENCHMARK}, bp a year, paired, with 95 % intervals, by "
        f"cost a side, {describe(main, with_profile=False, with_cost=False)}. Last two columns at "
        f"{main.cost_bp} bp. Bold: the interval leaves 0 out.",
        ("profile", *(f"{cost} bp" for cost in costs), "from tax alone", "tracking error, % a year"),
        rows,
    )


def _alpha_cell(figures: Comparisons, harvester: str, setting: Setting) -> Cell:
    run = figures.run(setting, harvester)
    return interval_cell(figures.alpha(run, setting), 0, tests_zero=True, sign=True) if run else Cell("–")


def _facts(run: Run, peer: Run) -> list[Cell]:
    last = sum(float(r.liquidation_tax_usd[-1]) for r in run.results)
    last -= sum(float(r.liquidation_tax_usd[-1]) for r in peer.results)
    values = [
        run.total("harvested_loss_usd"),
        run.total("disallowed_usd"),
        run.total("voluntary_short_gain_usd"),
        run.total("tax_paid_usd") - peer.total("tax_paid_usd"),
        last,
        run.total("costs_usd") - peer.total("costs_usd"),
    ]
    return [Cell(number(value, 0)) for value in values]


def literature_parts(figures: Comparisons, harvester: str) -> Parts:
    """From the literature's assumptions to ours, one at a time; nothing without trials at its flat rates."""
    groups = dict.fromkeys(w for w in (figures.trials.long, figures.trials.development) if w)
    columns = [w for w in groups if figures.run(Setting(w, FLAT_PROFILE, 0), harvester)]
    if not columns:
        return []
    rows = [
        (
            "flat 35 % and 15 %, no costs, tax still owed on gains not counted",
            [
                Cell(number(_unaccrued_lead(figures, harvester, Setting(w, FLAT_PROFILE, 0)), 0, sign=True))
                for w in columns
            ],
        ),
        (
            "the same with that tax counted",
            [_alpha_cell(figures, harvester, Setting(w, FLAT_PROFILE, 0)) for w in columns],
        ),
        (
            "of it from tax alone",
            [_tax_cell(figures, harvester, Setting(w, FLAT_PROFILE, 0)) for w in columns],
        ),
    ]
    for profile in (FLAT_PROFILE, *figures.trials.profiles(columns[0])):
        settings = [figures.trials.setting(w, profile=profile) for w in columns]
        name = f"{profile_name(profile)}, {settings[0].cost_bp} bp: from tax alone"
        rows.append((name, [_tax_cell(figures, harvester, s) for s in settings]))
    table = Table(
        f"From the literature's assumptions to these: growth of {harvester} ahead of {BENCHMARK}, bp a year.",
        (
            "assumption",
            *(sentence(describe(Setting(w), with_profile=False, with_cost=False)) for w in columns),
        ),
        rows,
    )
    return [LITERATURE, table]


def _tax_cell(figures: Comparisons, harvester: str, setting: Setting) -> Cell:
    return interval_cell(figures.tax_part(harvester, setting), 0, tests_zero=True, sign=True)


def _unaccrued_lead(figures: Comparisons, harvester: str, setting: Setting) -> float:
    """Lead of wealth before the tax on what is not sold yet; tax that was paid is paid. An estimate alone."""
    run, peer = figures.run(setting, harvester), figures.benchmark(setting)
    if run is None or peer is None:
        return math.nan
    growth = [
        sum(float(np.log(r.wealth_pretax_usd[-1] / r.wealth_pretax_usd[0])) for r in of.results)
        for of in (run, peer)
    ]
    return 1e4 * (growth[0] - growth[1]) / run.n_years
