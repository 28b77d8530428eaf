"""``taxloom doctor``: each check says what it looked at, what it found, and the remedy."""

import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console

from dagster_project.query import QueryError, fetch
from dagster_project.settings import Settings

_PACKAGES = (
    "dagster",
    "dagster-dbt",
    "dbt-core",
    "dbt-duckdb",
    "duckdb",
    "great-expectations",
    "pandera",
    "polars",
)
_MIN_FREE_GIB = 2.0


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    ok : bool
        False is a problem that stops a night or hides a result.
    text : str
        What was found.
    remedy : str
        What to do; empty when ok.
    """

    ok: bool
    text: str
    remedy: str = ""


def run_doctor(settings: Settings) -> bool:
    """Run every check and print it; True if all are well."""
    console = Console(highlight=False)
    healthy = True
    for name, check in _CHECKS.items():
        finding = check(settings)
        mark = "[green]ok  [/]" if finding.ok else "[bold red]FAIL[/]"
        console.print(f"{mark} {name}: {finding.text}", soft_wrap=True)
        if finding.remedy:
            console.print(f"       -> {finding.remedy}", soft_wrap=True)
        healthy &= finding.ok
    console.print("all well" if healthy else "not well: see the remedies above")
    return healthy


def _python(settings: Settings) -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding(
        ok, f"{found}", "" if ok else "use Python 3.11 or 3.12: uv run --python 3.11 taxloom doctor"
    )


def _packages(settings: Settings) -> Finding:
    found, missing = [], []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    return Finding(
        not missing, ", ".join(found), f"run `uv sync`: missing {', '.join(missing)}" if missing else ""
    )


def _extensions(settings: Settings) -> Finding:
    from dagster_project.resources.attach import EXTENSIONS, WarehouseError, extension_directory

    try:
        folder = extension_directory(settings)
    except WarehouseError as error:
        return Finding(False, "DuckDB extensions incomplete", str(error))
    return Finding(True, f"{', '.join(EXTENSIONS)} in {folder}, signed, nothing downloaded")


def _disk(settings: Settings) -> Finding:
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free / 1024**3
    ok = free >= _MIN_FREE_GIB
    return Finding(
        ok, f"{free:.1f} GiB free at {settings.home}", "" if ok else "free space or move TAXLOOM_HOME"
    )


def _catalog(settings: Settings) -> Finding:
    if settings.catalog:
        return Finding(True, "PostgreSQL catalog (TAXLOOM_CATALOG)")
    if not settings.catalog_file.exists():
        return Finding(False, f"no warehouse at {settings.catalog_file}", "run `taxloom nightly`")
    connection = sqlite3.connect(f"file:{settings.catalog_file}?mode=ro", uri=True)
    try:
        result = connection.execute("pragma integrity_check").fetchone()[0]
    finally:
        connection.close()
    return Finding(
        result == "ok",
        f"{settings.catalog_file}: integrity {result}",
        "" if result == "ok" else "restore catalog and data together from a backup",
    )


def _history(settings: Settings) -> Finding:
    snapshots = fetch(settings, "select count(*) from lake.snapshots()")[1][0][0]
    ok = snapshots < 5000
    return Finding(
        ok,
        f"{snapshots} snapshots",
        ""
        if ok
        else "commits slow down with history: run the job warehouse_maintenance (`taxloom ui`, Jobs)",
    )


def _published(settings: Settings) -> Finding:
    rows = fetch(
        settings, "select as_of_date, published_at from ml.audit_nights order by as_of_date desc limit 1"
    )[1]
    if not rows:
        return Finding(False, "no night is published", "run `taxloom nightly`")
    return Finding(True, f"newest published night {rows[0][0]}, published {rows[0][1]:%Y-%m-%d %H:%M} UTC")


def _computing(settings: Settings) -> Finding:
    rows = fetch(
        settings,
        "select n.as_of_date from ml.night n where n.as_of_date not in (select as_of_date from ml.audit_nights)",
    )[1]
    if not rows:
        return Finding(True, "the night last begun was published")
    return Finding(
        False,
        f"the night of {rows[0][0]} was begun and not published (it runs now, or it failed)",
        f"run `taxloom nightly --as-of {rows[0][0]}` again; logs are in {settings.home / 'logs'}",
    )


def _quarantine(settings: Settings) -> Finding:
    rows = fetch(settings, "select reason, count(*) from raw.quarantine group by reason order by 2 desc, 1")[
        1
    ]
    if not rows:
        return Finding(True, "no row in quarantine")
    listed = ", ".join(f"{reason} {count}" for reason, count in rows)
    return Finding(True, f"{sum(count for _, count in rows)} rows in quarantine: {listed}")


def _warehouse_check(check: Callable[[Settings], Finding]) -> Callable[[Settings], Finding]:
    """A check that reads the warehouse: an unreadable warehouse is a finding, not a crash."""

    def guarded(settings: Settings) -> Finding:
        try:
            return check(settings)
        except QueryError as error:
            return Finding(False, str(error).splitlines()[0], "run `taxloom nightly`")

    return guarded


_CHECKS: dict[str, Callable[[Settings], Finding]] = {
    "python": _python,
    "packages": _packages,
    "duckdb extensions": _extensions,
    "disk": _disk,
    "catalog": _catalog,
    "history": _warehouse_check(_history),
    "published": _warehouse_check(_published),
    "last night": _warehouse_check(_computing),
    "quarantine": _warehouse_check(_quarantine),
}
