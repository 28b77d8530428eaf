"""dbt as a Dagster resource over the DuckLake profile, and the manifest that definitions load.

What does not belong here: which models an asset builds (``assets/warehouse.py``) and how nodes
become Dagster assets (``dbt_translator.py``).
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from dagster_dbt import DbtCliResource, DbtProject
from packaging.version import Version

from dagster_project.resources.attach import attach_options, catalog_uri, extension_directory
from dagster_project.settings import DBT_PROJECT_DIR, PROJECT_ROOT, Settings

DBT_EXECUTABLE = str(Path(sys.executable).parent / "dbt")
MANIFEST_PATH = DBT_PROJECT_DIR / "target" / "manifest.json"
_SOURCE_SUFFIXES = {".sql", ".yml", ".csv", ".md"}


class ManifestError(RuntimeError):
    """dbt could not parse the project."""


def dbt_environment(settings: Settings, run_id: str = "") -> dict[str, str]:
    """Variables that ``dbt/profiles.yml`` and its hooks read.

    Parameters
    ----------
    settings : Settings
        Where the catalog and the data lie.
    run_id : str
        The Dagster run, written to the message of every commit.
    """
    options = attach_options(settings)
    return {
        "DBT_TAXLOOM_CATALOG_PATH": catalog_uri(settings),
        "DBT_TAXLOOM_DATA_PATH": options["data_path"],
        "DBT_TAXLOOM_EXT_DIR": str(settings.extension_dir),
        "DBT_TAXLOOM_MEMORY_LIMIT": settings.memory_limit,
        "DBT_TAXLOOM_TEMP_DIR": str(settings.home / "tmp"),
        "DBT_TAXLOOM_TARGET": "server" if settings.catalog else "embedded",
        "DBT_TAXLOOM_RUN_ID": run_id,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }


def _source_hash() -> str:
    """Hash of every file that dbt parses."""
    digest = hashlib.sha256()
    folders = [DBT_PROJECT_DIR, PROJECT_ROOT / "ml" / "tax" / "data"]
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in _SOURCE_SUFFIXES):
            relative = path.relative_to(PROJECT_ROOT)
            if relative.parts[:2] in {("dbt", "target"), ("dbt", "logs")}:
                continue
            digest.update(str(relative).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def ensure_manifest(settings: Settings) -> Path:
    """Parse the dbt project if its manifest is missing or older than its sources.

    Returns
    -------
    Path
        ``dbt/target/manifest.json``.

    Raises
    ------
    ManifestError
        ``dbt parse`` failed; its output is in the message.
    """
    stamp = MANIFEST_PATH.parent / "source_hash.txt"
    wanted = _source_hash()
    if MANIFEST_PATH.exists() and stamp.exists() and stamp.read_text() == wanted:
        return MANIFEST_PATH
    MANIFEST_PATH.parent.mkdir(parents=True, exist_ok=True)
    with (MANIFEST_PATH.parent / "parse.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if MANIFEST_PATH.exists() and stamp.exists() and stamp.read_text() == wanted:
            return MANIFEST_PATH
        print("parsing the dbt project (once after a change, about 10 s) ...", file=sys.stderr, flush=True)
        result = subprocess.run(
            [
                DBT_EXECUTABLE,
                "parse",
                "--project-dir",
                str(DBT_PROJECT_DIR),
                "--profiles-dir",
                str(DBT_PROJECT_DIR),
            ],
            env={**os.environ, **dbt_environment(settings)},
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise ManifestError(f"`dbt parse` failed in {DBT_PROJECT_DIR}:\n{result.stdout}\n{result.stderr}")
        stamp.write_text(wanted)
    return MANIFEST_PATH


class LakeDbt(DbtCliResource):
    """``DbtCliResource`` that leaves out what the night does not use: seconds before every command.

    dagster-dbt starts ``dbt --version`` and opens a second adapter in this process, with which it could
    fetch row counts and columns; ``dbt_metadata.py`` reads them from the warehouse instead. Both methods
    are private: dagster-dbt is pinned and a test covers the metadata.
    """

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))


def make_dbt_resource(settings: Settings) -> LakeDbt:
    """The resource for an installation; opens nothing."""
    return LakeDbt(
        project_dir=os.fspath(dbt_project().project_dir),
        profiles_dir=os.fspath(DBT_PROJECT_DIR),
        dbt_executable=DBT_EXECUTABLE,
        global_config_flags=["--no-use-colors", "--log-path", os.fspath(settings.home / "logs")],
    )


def dbt_project() -> DbtProject:
    """The project beside this package."""
    return DbtProject(project_dir=DBT_PROJECT_DIR)


def prepare_dbt_process(settings: Settings, run_id: str) -> None:
    """Set what the dbt child process reads: dagster-dbt hands it this process's environment."""
    extension_directory(settings)
    os.environ.update(dbt_environment(settings, run_id))


__all__ = [
    "LakeDbt",
    "ManifestError",
    "dbt_environment",
    "dbt_project",
    "ensure_manifest",
    "make_dbt_resource",
    "prepare_dbt_process",
]
