"""Settings of one installation, read from ``TAXLOOM_*`` environment variables in this module alone.

What does not belong here: the choices of one night (source, users, seed), which are run
configuration (``NightConfig`` in ``assets/ingest.py``), and anything that computes.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DBT_PROJECT_DIR = PROJECT_ROOT / "dbt"

# Nothing in this project phones home; these switches are read by the libraries at import.
TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


@dataclass(frozen=True)
class Settings:
    """Where an installation keeps its state.

    Attributes
    ----------
    home : Path
        Root of everything that taxloom writes (``TAXLOOM_HOME``, default ``.taxloom`` in the
        project root). Absolute: DuckLake stores the data path as given.
    catalog : str or None
        ``TAXLOOM_CATALOG``: a ``postgres://`` URL of a shared catalog; None is the embedded SQLite one.
    data_path : Path
        ``TAXLOOM_DATA_PATH``: the folder of the Parquet files (default ``home/warehouse/data``).
    memory_limit : str
        ``TAXLOOM_MEMORY_LIMIT``: DuckDB's memory limit per connection.
    chronos : str
        ``TAXLOOM_CHRONOS``: folder or hub id of the Chronos model that embeds prices; empty (the default) is
        the packaged one.
    intent_url : str or None
        ``TAXLOOM_INTENT_URL``: base URL of an OpenAI-compatible server that reads goals; None (the
        default) reads them offline.
    intent_model : str
        ``TAXLOOM_INTENT_MODEL``: the model to ask for.
    intent_key : str or None
        ``TAXLOOM_INTENT_KEY``: its key; never shown.
    """

    home: Path
    catalog: str | None
    data_path: Path
    memory_limit: str
    chronos: str = ""
    intent_url: str | None = None
    intent_model: str = ""
    intent_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls) -> "Settings":
        """Read the environment; unset variables take the embedded default."""
        home = Path(os.environ.get("TAXLOOM_HOME") or PROJECT_ROOT / ".taxloom").expanduser().absolute()
        data_path = os.environ.get("TAXLOOM_DATA_PATH")
        catalog = os.environ.get("TAXLOOM_CATALOG") or None
        if catalog and not catalog.startswith(("postgres://", "postgresql://")):
            scheme = catalog.split(":", 1)[0]
            raise ValueError(
                f"TAXLOOM_CATALOG has the scheme '{scheme}:'; give a postgres:// URL, or unset it "
                "for the embedded SQLite catalog"
            )
        return cls(
            home=home,
            catalog=catalog,
            data_path=Path(data_path).expanduser().absolute() if data_path else home / "warehouse" / "data",
            memory_limit=os.environ.get("TAXLOOM_MEMORY_LIMIT", "3GB"),
            chronos=os.environ.get("TAXLOOM_CHRONOS", ""),
            intent_url=os.environ.get("TAXLOOM_INTENT_URL") or None,
            intent_model=os.environ.get("TAXLOOM_INTENT_MODEL", ""),
            intent_key=os.environ.get("TAXLOOM_INTENT_KEY") or None,
        )

    @property
    def catalog_file(self) -> Path:
        """The embedded catalog's file."""
        return self.home / "warehouse" / "catalog.sqlite"

    @property
    def extension_dir(self) -> Path:
        """Where DuckDB finds its extensions (linked from the PyPI packages)."""
        return self.home / "duckdb_extensions"

    @property
    def dagster_home(self) -> Path:
        """The Dagster instance: run history, event log (``DAGSTER_HOME`` wins when it is set)."""
        return Path(os.environ.get("DAGSTER_HOME") or self.home / "dagster")

    @property
    def dbt_target(self) -> Path:
        """Where dbt writes its manifest, run results and log."""
        return self.home / "dbt_target"


def apply_process_environment(settings: Settings) -> None:
    """Set the variables that child libraries read: telemetry off, the Dagster home."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    os.environ["TAXLOOM_HOME"] = str(settings.home)
