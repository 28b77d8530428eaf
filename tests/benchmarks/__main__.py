"""``uv run python -m tests.benchmarks [NAME ...] [--json]``: run benchmarks and show their ratios.

A benchmark is a module ``tests/benchmarks/<name>.py`` with ``run() -> list[dict]``. Each row says what was
done (``work``), our figure (``ours``), the peer's import path and figure (``peer``, ``peer_value``), the
``ratio`` (above 1: ours is faster; without a peer it is target / ours), the ``unit`` of both figures, and in
``skipped`` either None or why there is no figure. A row may name its ``machine`` (an accelerator);
otherwise it is this computer. Figures go to stdout, progress to stderr.
"""

import argparse
import contextlib
import importlib
import importlib.util
import json
import math
import os
import platform
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

NAMES: Final = (
    "night",
    "features",
    "ledger",
    "wash_peer",
    "importers",
    "chronos",
    "encoder",
    "environment",
    "training",
    "backtest",
    "adapters",
    "behaviour",
    "goals",
    "orders",
)
COLUMNS: Final = ("name", "work", "ours", "peer", "peer_value", "ratio", "unit", "machine", "skipped")
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def available() -> tuple[str, ...]:
    """Names that have a module here, in the order of ``NAMES``."""
    return tuple(n for n in NAMES if importlib.util.find_spec(f"tests.benchmarks.{n}") is not None)


def machine() -> str:
    """CPU model and the number of cores that this process may use."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {len(os.sched_getaffinity(0))} cores"


def checked_row(name: str, row: Mapping[str, Any], default_machine: str) -> dict[str, Any]:
    """Return the row in column order; raise ValueError if it is not one that can be shown and compared."""
    unknown = sorted(set(row) - set(COLUMNS))
    if unknown:
        raise ValueError(f"benchmark {name!r}: unknown keys {unknown} in {dict(row)}; known: {list(COLUMNS)}")
    full = {column: row.get(column) for column in COLUMNS}
    full["name"] = full["name"] or name
    full["machine"] = full["machine"] or default_machine
    for key in ("name", "work", "unit", "machine"):
        if not isinstance(full[key], str) or not full[key]:
            raise ValueError(f"benchmark {name!r}: {key} must be a text, got {full[key]!r} in {dict(row)}")
    if full["skipped"] is not None:
        if not isinstance(full["skipped"], str) or not full["skipped"]:
            raise ValueError(
                f"benchmark {name!r}: skipped must be None or the reason, got {full['skipped']!r}"
            )
        return full
    needed = ["ours", "ratio"] if full["peer"] is None else ["ours", "ratio", "peer_value"]
    for key in needed:
        if not _is_positive_number(full[key]):
            raise ValueError(f"benchmark {name!r}: {key} must be a number above 0, got {full[key]!r}")
    if full["peer"] is None and full["peer_value"] is not None:
        raise ValueError(f"benchmark {name!r}: peer_value {full['peer_value']!r} without a peer")
    return full


def _is_positive_number(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    )


def run_benchmark(name: str, default_machine: str) -> list[dict[str, Any]]:
    """Run one benchmark; whatever it prints goes to stderr."""
    module = importlib.import_module(f"tests.benchmarks.{name}")
    with contextlib.redirect_stdout(sys.stderr):
        rows = module.run()
    if not rows:
        raise ValueError(f"benchmark {name!r} returned no row; say why in a row with `skipped`")
    return [checked_row(name, row, default_machine) for row in rows]


def run_all(names: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Run the benchmarks one after another; return all rows and the names that failed."""
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    here = machine()
    for number, name in enumerate(names, start=1):
        print(f"[{number}/{len(names)}] {name} ...", file=sys.stderr, flush=True)
        start = time.perf_counter()
        try:
            rows += run_benchmark(name, here)
        except Exception as error:  # one broken benchmark must not lose the others' figures
            traceback.print_exc()
            failed.append(name)
            reason = f"failed: {type(error).__name__}: {error}"
            blank = {"work": "-", "unit": "-", "skipped": reason}
            rows.append(checked_row(name, blank, here))
        print(
            f"[{number}/{len(names)}] {name}: {time.perf_counter() - start:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    return rows, failed


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Show the rows to a person."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"taxloom benchmarks on {machine()}")
    for column in ("name", "work", "ours", "peer", "peer_value", "ratio", "unit", "skipped"):
        is_figure = column in ("ours", "peer_value", "ratio")
        table.add_column(column, justify="right" if is_figure else "left", overflow="fold")
    for row in rows:
        table.add_row(
            row["name"],
            row["work"],
            _figure(row["ours"]),
            row["peer"] or "",
            _figure(row["peer_value"]),
            _figure(row["ratio"]),
            row["unit"],
            row["skipped"] or "",
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def parse_names(asked: Sequence[str]) -> tuple[str, ...]:
    """Return what to run; raise SystemExit(2) with the list if a name is unknown or has no module yet."""
    present = available()
    for name in asked:
        if name not in present:
            what = "is not available yet" if name in NAMES else "is not a benchmark"
            print(f"{name!r} {what}; available: {', '.join(present) or 'none'}", file=sys.stderr)
            raise SystemExit(EXIT_USAGE)
    return tuple(dict.fromkeys(asked)) or present


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(NAMES)}")
    parser.add_argument("--json", action="store_true", help="print one last line of JSON, not a table")
    arguments = parser.parse_args(argv)
    rows, failed = run_all(parse_names(arguments.names))
    if arguments.json:
        print(json.dumps({"rows": rows}))
    else:
        print_table(rows)
    return EXIT_FAILED if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
