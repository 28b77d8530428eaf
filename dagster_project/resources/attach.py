"""How a DuckDB is attached to the lake: extensions, catalog and options. Opens nothing."""

import importlib.util
import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from dagster_project.settings import Settings

EXTENSIONS: Final = ("ducklake", "sqlite_scanner", "postgres_scanner", "icu")
DUCKDB_VERSION: Final = metadata.version("duckdb")


class WarehouseError(RuntimeError):
    """The warehouse could not be opened, read or written; the message names the remedy."""


def _platform_name() -> str:
    """DuckDB's name of this platform, as its extension folders spell it."""
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[
        platform.machine().lower()
    ]
    system = {"linux": "linux", "darwin": "osx", "win32": "windows"}[sys.platform]
    return f"{system}_{machine}"


def extension_directory(settings: Settings) -> Path:
    """Lay the extensions that the PyPI packages ship where DuckDB looks for them; no download.

    Returns
    -------
    Path
        Value for DuckDB's ``extension_directory``.

    Raises
    ------
    WarehouseError
        A package ``duckdb-extension-*`` is missing.
    """
    target = settings.extension_dir / f"v{DUCKDB_VERSION}" / _platform_name()
    target.mkdir(parents=True, exist_ok=True)
    for name in EXTENSIONS:
        link = target / f"{name}.duckdb_extension"
        if link.exists():
            continue
        spec = importlib.util.find_spec(f"duckdb_extension_{name}")
        if spec is None or spec.origin is None:
            raise WarehouseError(
                f"DuckDB extension '{name}' is not installed: add the package "
                f"duckdb-extension-{name.replace('_', '-')}=={DUCKDB_VERSION} (run `uv sync`)"
            )
        source = Path(spec.origin).parent / "extensions" / f"v{DUCKDB_VERSION}" / link.name
        if not source.exists():
            raise WarehouseError(
                f"DuckDB extension '{name}' for v{DUCKDB_VERSION} is not at {source}: run `uv sync`"
            )
        part = link.with_suffix(f".{os.getpid()}")
        try:
            os.link(source, part)
        except OSError:  # another file system
            shutil.copyfile(source, part)
        part.replace(link)
    return settings.extension_dir


def catalog_uri(settings: Settings) -> str:
    """DuckLake's attach string of the catalog, embedded or shared."""
    if settings.catalog:
        return f"ducklake:postgres:{settings.catalog}"
    return f"ducklake:sqlite:{settings.catalog_file}"


def attach_options(settings: Settings) -> dict[str, str]:
    """Options of the ATTACH, shared by Python and the dbt profile."""
    options = {"data_path": str(settings.data_path)}
    if not settings.catalog:
        options |= {"meta_journal_mode": "WAL", "meta_busy_timeout": "10000"}
    return options
