"""Pictures for asset metadata: figures as Markdown that the Dagster UI shows inline.

What belongs here: drawing rows of metrics. What does not: computing them.
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 90


def curves(metrics: pl.DataFrame, groups: dict[str, Sequence[str]], title: str) -> dg.MarkdownMetadataValue:
    """Draw training curves.

    Parameters
    ----------
    metrics : polars.DataFrame
        phase, step, metric, value.
    groups : dict of str to sequence of str
        Title of a panel -> metrics drawn in it; metrics that were never recorded are left out.
    title : str
        Of the whole figure, and its alternative text.
    """
    from matplotlib.figure import Figure

    seen = set(metrics["metric"].to_list())
    shown = {name: [m for m in chosen if m in seen] for name, chosen in groups.items()}
    shown = {name: chosen for name, chosen in shown.items() if chosen}
    # Two panels a row: the UI's window is not wide enough for more.
    columns = min(2, max(len(shown), 1))
    lines = -(-max(len(shown), 1) // columns)
    figure = Figure(figsize=(5.6 * columns, 3.0 * lines), dpi=DPI, layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels[max(len(shown), 1) :]:
        axes.set_axis_off()
    for axes, (name, chosen) in zip(panels, shown.items(), strict=False):
        first = chosen[0].partition("_")[0] + "_"
        shared = first if len(chosen) > 1 and all(m.startswith(first) for m in chosen) else ""
        for metric in chosen:
            rows = metrics.filter(pl.col("metric") == metric).sort("step")
            label = metric.removeprefix(shared)
            axes.plot(rows["step"].to_list(), rows["value"].to_list(), label=label, linewidth=1.2)
        _dress(axes, name, "step")
    figure.suptitle(title, fontsize=9)
    return _markdown(figure, title)


def histogram(values: Sequence[float], title: str, label: str) -> dg.MarkdownMetadataValue:
    """Draw how values are spread."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.0), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.hist(list(values), bins=40, color="#4477aa")
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    return _markdown(figure, title)


def bars(labels: Sequence[str], values: Sequence[float], title: str, label: str) -> dg.MarkdownMetadataValue:
    """Draw one bar a label; many labels (bins) are thinned so that none overlap."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2, 3.0), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.bar(range(len(labels)), list(values), width=0.9, color="#4477aa")
    shown = range(0, len(labels), max(1, len(labels) // 8))
    axes.set_xticks(list(shown), [labels[i] for i in shown], fontsize=7, rotation=30, ha="right")
    axes.set_title(title, fontsize=9)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    return _markdown(figure, title)


def heatmap(
    rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]], title: str
) -> dg.MarkdownMetadataValue:
    """Draw a table of numbers, each written in its cell."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.6 + 0.9 * len(columns), 1.0 + 0.4 * len(rows)), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    axes.imshow(values, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(columns)), columns, fontsize=7, rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    middle = (max(map(max, values)) + min(map(min, values))) / 2
    for i, line in enumerate(values):
        for j, value in enumerate(line):
            colour = "white" if value > middle else "black"
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_title(title, fontsize=9)
    return _markdown(figure, title)


def _dress(axes: "Axes", title: str, label: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _markdown(figure: "Figure", title: str) -> dg.MarkdownMetadataValue:
    buffer = io.BytesIO()
    # No date in the file: the same numbers give the same picture.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{data})")
