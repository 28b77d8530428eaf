"""HTML of the report: escaping, tables, figures, the page around them.

What belongs here: markup. What does not: what a table says (``tables.py``), drawing (``charts.py``).
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ml.backtest.statistics.intervals import Interval

_STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1a1f24; font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: .75rem; border-top: 1px solid #d5dbe1; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
p, li { max-width: 48rem; }
a { color: #0b5394; }
.warning { background: #fff6e0; border-left: 4px solid #b77400; padding: .6rem 1rem; margin: 1rem 0; max-width: 48rem; }
.facts { background: #f3f6f9; padding: .6rem 1rem .6rem 2rem; margin: 1rem 0; max-width: 52rem; }
nav ul { padding: 0; margin: 1rem 0; list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; }
.scroll { overflow-x: auto; margin: .75rem 0 1rem; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.35; }
caption { text-align: left; color: #48525c; padding: 0 0 .4rem; caption-side: top; }
caption span { display: block; max-width: min(48rem, calc(100vw - 2.5rem)); position: sticky; left: 0; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #e3e8ec; text-align: right; vertical-align: top; }
thead th { border-bottom: 2px solid #8a96a3; vertical-align: bottom; font-weight: 600; }
th:first-child { text-align: left; position: sticky; left: 0; background: #fff; font-weight: 500; min-width: 9rem;
  max-width: 17rem; overflow-wrap: anywhere; }
tbody tr:nth-child(even) > * { background: #f8fafb; }
td { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.text { text-align: left; white-space: normal; min-width: 8rem; }
th.text { text-align: left; }
td .range { display: block; color: #5a6570; font-size: .78rem; }
td.clear { font-weight: 650; }
figure { margin: 1rem 0 1.5rem; overflow-x: auto; }
figure img { width: 100%; max-width: 60rem; height: auto; display: block; }
figcaption { color: #48525c; font-size: .875rem; max-width: 48rem; }
footer { color: #48525c; font-size: .875rem; margin-top: 3rem; padding-bottom: 2rem; border-top: 1px solid #d5dbe1; }
@media (max-width: 40rem) { body { font-size: 15px; }
  header, main, footer { padding-left: .9rem; padding-right: .9rem; }
  figure img { min-width: 38rem; } figcaption { position: sticky; left: 0; max-width: calc(100vw - 2.5rem); }
  th:first-child { min-width: 7rem; max-width: 9rem; } }
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a table.

    Attributes
    ----------
    text : str
        What stands in it.
    span : str
        Its interval, in small type under it.
    is_clear : bool
        Whether the interval leaves 0 out: set in bold.
    is_text : bool
        Words rather than a number.
    """

    text: str
    span: str = ""
    is_clear: bool = False
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    caption : str
        What it shows, with units and setting; every table has one.
    columns : sequence of str
        Heads, that of the row's name first.
    rows : sequence of (str, sequence of Cell)
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing of the page: a data address, the words for who does not see it, and its caption."""

    source: str
    alternative: str
    caption: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a heading; ``parts`` are paragraphs (str), tables, figures in order."""

    key: str
    title: str
    parts: Sequence["str | Table | Figure"] = field(default_factory=tuple)


def number(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """Return a figure with a true minus sign; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−")


def interval_cell(found: Interval, digits: int = 2, *, tests_zero: bool = False, sign: bool = False) -> Cell:
    """Return an estimate over its 95 percent interval; bold where it is tested against 0 and leaves it out."""
    if not math.isfinite(found.estimate):
        return Cell("–")
    span = ""
    if math.isfinite(found.lower95):
        span = f"{number(found.lower95, digits, sign=sign)} to {number(found.upper95, digits, sign=sign)}"
    return Cell(number(found.estimate, digits, sign=sign), span, tests_zero and found.excludes_zero)


def p_value_cell(value: float) -> Cell:
    """Return a p-value, in bold below 5 percent."""
    if not math.isfinite(value):
        return Cell("–")
    return Cell("< 0.001" if value < 0.001 else number(value, 3), is_clear=value < 0.05)


def table_html(table: Table, note: str = "") -> str:
    """Return a table that scrolls on its own on a narrow screen; all text is escaped.

    Parameters
    ----------
    table : Table
    note : str
        Ends the caption.
    """
    words = {0} | {i + 1 for _, cells in table.rows[:1] for i, cell in enumerate(cells) if cell.is_text}
    kinds = [' class="text"' if i in words else "" for i in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{kind}>{html.escape(name)}</th>'
        for kind, name in zip(kinds, table.columns, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row">{_breakable(name)}</th>{"".join(map(_cell_html, cells))}</tr>'
        for name, cells in table.rows
    )
    label = html.escape(table.caption.partition(". ")[0])
    caption = html.escape(f"{table.caption} {note}".strip())
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">\n<table>\n'
        f"<caption><span>{caption}</span></caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _breakable(name: str) -> str:
    """Escaped, with places to break a line after underscores."""
    return html.escape(name).replace("_", "_<wbr>")


def _cell_html(cell: Cell) -> str:
    classes = " ".join(name for name, on in (("clear", cell.is_clear), ("text", cell.is_text)) if on)
    attribute = f' class="{classes}"' if classes else ""
    span = f'<span class="range">{html.escape(cell.span)}</span>' if cell.span else ""
    return f"<td{attribute}>{html.escape(cell.text)}{span}</td>"


def figure_html(figure: Figure) -> str:
    """Return a figure with its alternative text."""
    return (
        f'<figure tabindex="0"><img src="{html.escape(figure.source)}" alt="{html.escape(figure.alternative)}">\n'
        f"<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
    )


def _part_html(part: str | Table | Figure, note: str) -> str:
    if isinstance(part, Table):
        return table_html(part, note)
    if isinstance(part, Figure):
        return figure_html(part)
    return f"<p>{html.escape(part)}</p>"


def page_html(
    title: str,
    lead: str,
    warning: str,
    facts: Sequence[str],
    sections: Sequence[Section],
    footer: str,
    *,
    table_note: str = "",
) -> str:
    """Return the whole page: one file, nothing is fetched.

    Parameters
    ----------
    title, lead : str
        Heading, and the sentence under it.
    warning : str
        Stands first and again at the foot.
    facts : sequence of str
        What came out, in sentences.
    sections : sequence of Section
    footer : str
    table_note : str
        Ends the caption of every table.
    """
    links = "".join(f'<li><a href="#{html.escape(s.key)}">{html.escape(s.title)}</a></li>' for s in sections)
    body = "\n".join(
        f'<section aria-labelledby="{html.escape(s.key)}">\n<h2 id="{html.escape(s.key)}">{html.escape(s.title)}</h2>\n'
        + "\n".join(_part_html(part, table_note) for part in s.parts)
        + "\n</section>"
        for s in sections
    )
    items = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{html.escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{html.escape(title)}</h1>
<p>{html.escape(lead)}</p>
<p class="warning"><strong>{html.escape(warning)}</strong></p>
<ul class="facts">{items}</ul>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
<footer><p>{html.escape(warning)} {html.escape(footer)}</p></footer>
</body>
</html>
"""
