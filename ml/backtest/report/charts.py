"""Drawings of the report: wealth, drawdown, tax alpha, turnover, differences with their intervals.

What belongs here: matplotlib figures as SVG in a data address. What does not: which runs are drawn (``sections.py``).
"""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ml.backtest.report.html import Figure as PageFigure
from ml.backtest.report.html import number
from ml.backtest.report.selection import BENCHMARK, Run
from ml.backtest.statistics.intervals import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind; line styles repeat the distinction.
COLOURS: Final = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
STYLES: Final = ("-", "-", "-", "-", "--", "--", "--", ":")
_WIDTH: Final = 9.6


def wealth_chart(runs: Sequence[Run], setting: str) -> PageFigure:
    """Draw what one dollar became after tax, logarithmic."""
    figure, axes = _axes(4.6)
    for i, run in enumerate(runs):
        level = np.exp(np.concatenate([[0.0], np.cumsum(run.log_returns)]))
        axes.plot(_times(run), level, **_line(i), label=f"{run.label}: {number(float(level[-1]), 1)}")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylabel("USD after tax per USD at the start")
    ends = ", ".join(f"{r.label} {number(float(np.exp(r.log_returns.sum())), 1)}" for r in runs)
    return _finish(
        figure,
        axes,
        f"Lines of wealth after tax, logarithmic; at the end per USD: {ends}.",
        f"Accrued after-tax wealth, {setting}. The legend gives the end value of one dollar.",
    )


def drawdown_chart(runs: Sequence[Run], setting: str) -> PageFigure:
    """Draw how far wealth was below its highest point."""
    figure, axes = _axes(3.6)
    told = []
    for i, run in enumerate(runs):
        level = np.concatenate([[0.0], np.cumsum(run.log_returns)])
        below = 100 * np.expm1(level - np.maximum.accumulate(level))
        axes.plot(_times(run), below, **_line(i), label=run.label)
        told.append(f"{run.label} {number(float(-below.min()), 0)} %")
    axes.set_ylabel("% below the highest wealth")
    return _finish(
        figure,
        axes,
        f"Lines of drawdown after tax; the deepest: {', '.join(told)}.",
        f"Drawdown of accrued after-tax wealth, {setting}.",
    )


def tax_alpha_chart(lines: Mapping[str, tuple[Run, Run]], setting: str) -> PageFigure:
    """Draw the running sum of weekly after-tax log differences of pairs, in basis points.

    Parameters
    ----------
    lines : mapping of str to (Run, Run)
        Label to strategy and what it is compared with.
    setting : str
    """
    figure, axes = _axes(3.6)
    told = []
    for i, (label, (run, peer)) in enumerate(lines.items()):
        ahead = 1e4 * np.concatenate([[0.0], np.cumsum(run.log_returns - peer.log_returns)])
        axes.plot(_times(run), ahead, **_line(i), label=label)
        told.append(f"{label} {number(float(ahead[-1]), 0)}")
    axes.axhline(0, color="#666666", linewidth=0.8)
    axes.set_ylabel("bp ahead, summed")
    return _finish(
        figure,
        axes,
        "Lines of the summed after-tax lead over the same portfolio without harvesting; at the end in bp: "
        f"{', '.join(told)}.",
        f"Summed weekly differences of log wealth after tax, harvesting less {BENCHMARK}, {setting}.",
    )


def turnover_chart(values: Mapping[str, float], setting: str) -> PageFigure:
    """Draw mean one-sided turnover a year as bars."""
    figure, axes = _axes(0.9 + 0.27 * len(values))
    labels = list(values)
    amounts = [100 * values[label] for label in labels]
    axes.barh(range(len(labels)), amounts, color="#0072b2", height=0.65)
    axes.set_yticks(range(len(labels)), labels)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    top = max([*amounts, 1.0])
    for i, amount in enumerate(amounts):
        axes.text(amount + 0.01 * top, i, number(amount, 0), va="center", fontsize=9)
    axes.set_xlim(0, 1.1 * top)
    axes.set_xlabel("one-sided turnover, % of wealth a year")
    told = ", ".join(f"{label} {number(amount, 0)}" for label, amount in zip(labels, amounts, strict=True))
    return _finish(
        figure,
        axes,
        f"Bars of turnover in percent of wealth a year: {told}.",
        f"Mean one-sided turnover a year, {setting}.",
        has_legend=False,
    )


def interval_chart(rows: Mapping[str, Interval], axis: str, setting: str) -> PageFigure:
    """Draw estimates with their intervals beside a line at 0."""
    figure, axes = _axes(0.9 + 0.27 * len(rows))
    for i, found in enumerate(rows.values()):
        colour = "#0072b2" if found.lower95 > 0 else "#d55e00" if found.upper95 < 0 else "#7f7f7f"
        axes.plot([found.lower95, found.upper95], [i, i], color=colour, linewidth=2)
        axes.plot(found.estimate, i, "o", color=colour, markersize=5)
    axes.axvline(0, color="#333333", linewidth=0.9)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.margins(y=0.03)
    axes.invert_yaxis()
    axes.set_xlabel(axis)
    told = "; ".join(
        f"{label} {number(f.estimate, 1)} ({number(f.lower95, 1)} to {number(f.upper95, 1)})"
        for label, f in rows.items()
    )
    return _finish(
        figure,
        axes,
        f"Estimates with 95 percent intervals: {told}.",
        f"Paired differences from {BENCHMARK} with 95 % intervals, {setting}. Grey: not to be told from 0.",
        has_legend=False,
    )


def _times(run: Run) -> np.ndarray:
    """Ends of the weeks with the start before them, as datetime64[D]."""
    return np.concatenate([run.results[0].dates[:1], run.dates])


def _line(i: int) -> dict:
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": STYLES[i % len(STYLES)],
        "linewidth": 1.9 if i == 0 else 1.2,
    }


def _axes(height: float) -> "tuple[Figure, Axes]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    axes.tick_params(labelsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _finish(
    figure: "Figure", axes: "Axes", alternative: str, caption: str, *, has_legend: bool = True
) -> PageFigure:
    if has_legend:
        figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    source = f"data:image/svg+xml;base64,{base64.b64encode(_svg(figure, alternative)).decode()}"
    return PageFigure(source, alternative, caption)


def _svg(figure: "Figure", salt: str) -> bytes:
    """The figure's bytes: no date, ids from a hash of the words, text as text."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    seed = hashlib.blake2b(salt.encode(), digest_size=8).hexdigest()
    options: dict[Any, Any] = {
        "svg.hashsalt": seed,
        "svg.fonttype": "none",
        "font.family": "DejaVu Sans",
        "path.simplify_threshold": 0.3,
    }
    with mpl.rc_context(options):
        figure.savefig(
            buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return buffer.getvalue()
