"""The report's words: what to bear in mind, how figures are made, names of settings.

What belongs here: text that does not depend on figures. What does not: tables, markup.
"""

from collections.abc import Sequence
from typing import Final

from ml.backtest.panel import SURVIVORSHIP
from ml.backtest.report.html import Section
from ml.backtest.report.selection import BENCHMARK, Setting, TrialSet

TITLE: Final = "taxloom backtest: after costs and after tax, with intervals"
LEAD: Final = (
    "Strategies decide at the close and trade at the next session, pay for every trade, and are taxed lot by "
    "lot by the exact ledger. Every figure with an uncertainty carries its 95 % interval."
)
WARNING: Final = "Not tax or investment advice."
PROFILE_NAMES: Final = {
    "untaxed": "before tax",
    "P1": "P1",
    "P1_outside_20k": "P1, 20 k outside",
    "P2": "P2",
    "P2_outside_20k": "P2, 20 k outside",
    "flat_35_15": "flat 35 % and 15 %",
}
# Stands at the end of every table's caption.
TABLE_NOTE: Final = "Survivors only."
LITERATURE: Final = (
    "Chaudhuri, Burnham and Lo (2020) report about 0.8 % a year with the wash-sale rule: the 500 largest US "
    "companies, 1926 to 2018, monthly, flat rates of 35 % and 15 % at which every loss is worth its rate at "
    "once, no costs, and no tax on what is not sold. The table goes from those assumptions to these, one at a "
    "time. Three things take the figure away. Lots age: without new money they rise above any loss, so that "
    "thirty years on one set of lots bring less than windows that begin anew every three years. The law pays "
    "later: a loss beyond the year's gains offsets 3,000 USD of income a year, the rest waits. And going back "
    "to the old weights after 31 days realises short-term gains on the replacements (the table above). The "
    "intervals are wide: read directions, not digits. Besides, the assets here are survivors, which fall for "
    "good less often."
)
_WINDOW_NAMES: Final = {
    "thirty_years": "thirty years",
    "paper_14_days": "14 sessions",
    "whole_panel": "the whole panel",
}


def describe(
    setting: Setting, *, with_profile: bool = True, with_cost: bool = True, with_windows: bool = True
) -> str:
    """Say a setting in words."""
    parts = []
    if with_windows:
        names = [_WINDOW_NAMES.get(w, w.replace("_", " ")) for w in setting.windows]
        years = [word for name in names for word in name.split() if word.isdigit()]
        kind = names[0].split()[0]
        parts.append(f"{kind} windows {years[0]}–{years[-1]}" if len(years) > 1 else ", ".join(names))
    if with_profile:
        parts.append(PROFILE_NAMES.get(setting.profile, setting.profile))
    if with_cost:
        parts.append(f"{setting.cost_bp} bp a side")
    if setting.law != "law_2026":
        parts.append(f"law: {setting.law}")
    return ", ".join(parts)


def tax_alpha_words(against: str) -> str:
    """Say what tax alpha is measured against, as a sentence of a caption."""
    if against == BENCHMARK:
        return f"Tax alpha: after-tax growth ahead of {against}."
    return f"Tax alpha: after-tax growth ahead of the same targets with nothing harvested ({against})."


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def caveats_section(trials: TrialSet, notes: Sequence[str]) -> Section:
    """What readers must know before they believe a figure.

    Parameters
    ----------
    trials : TrialSet
    notes : sequence of str
        Of the data, from the trials' records.
    """
    opened = ", ".join(trials.test)
    return Section(
        "caveats",
        "Bear in mind",
        (
            "Survivorship. The companies are those of which data vendors still had prices at the end: those "
            "that failed or were bought are missing. Levels of growth and Sharpe ratio are too high for every "
            "strategy, most for those that buy what fell (equal weight, harvesting). Differences between "
            "strategies suffer less, and not nothing.",
            "Dividends. Every asset counts as a share of an accumulating fund: its price follows total return, its "
            "dividends are reinvested inside and taxed only when shares are sold. After-tax growth is too high for "
            "every strategy that holds stocks; differences between strategies suffer less.",
            *(note for note in notes if note != SURVIVORSHIP),
            "Taxes are those of the stated profiles only. One law, the schedule of 2026 without indexing "
            "back, holds for all years, so that rates are not those that people paid then; each year's own "
            "law is a check beside it.",
            "Costs are a flat charge on each trade. Market impact, borrowing and account fees are not in them.",
            f"Test windows: {opened} (each opening is logged)."
            if opened
            else "Test windows (2017 on) are closed: no figure of a strategy that learns is from them. The "
            "baselines of the longest window run through them, since they learn nothing.",
        ),
    )


def methods_section(draws: int) -> Section:
    """How the figures are made."""
    return Section(
        "methods",
        "How the figures are made",
        (
            "Wealth is accrued after tax: what would be left if everything were sold at that close, lot by "
            "lot, and all tax paid, losses counted for what they can offset. Inference is on weekly "
            "differences of its logarithm, never on the dates on which tax is paid.",
            f"Intervals: stationary bootstrap (Politis and Romano) with {draws} resamples and automatic block "
            "length (Politis and White, corrected by Patton), studentised and symmetric; the sample's error "
            "is a prewhitened quadratic-spectral one. On 1,000 simulated paths of 780 weeks the 95 % interval "
            "held the true mean in 95.0 to 95.4 % and the true Sharpe ratio in 94.6 to 95.4 % (independent, "
            "AR(0.1), GARCH); at 312 weeks in 94.0 to 95.9 %: `python -m ml.backtest.coverage`. Drawdowns: "
            "percentiles over resampled paths, wide by nature.",
            "Differences are paired: the same weeks and the same resamples of both. The benchmark is "
            f"{BENCHMARK}.",
            "Tax alpha: growth of after-tax wealth ahead of the benchmark, in bp a year of log wealth. Of the "
            "strategy that knows objectives it is ahead of its twin, where that was run: the same experts or policy "
            "under the same objective, which see no loss worth harvesting and are the same in all else. Mean "
            "gain over 13 weeks: all overlapping quarters. Worst 5 % of weeks: mean loss (CVaR). Information "
            "ratio: mean over deviation of weekly differences, a year.",
            "A policy is compared with the analytic experts under the same objective by growth after tax, "
            "capital_preservation too; short_term_alpha by the information ratio.",
            "P1: 100,000 USD, married filing jointly, 150,000 USD of other income, no state tax. P2: "
            "1,000,000 USD, single, 400,000 USD, California. Outside: 20,000 USD of long-term gains a year "
            "from elsewhere, which losses offset.",
        ),
    )
