"""The choices of one night: where rows come from and how many households are simulated.

They are run configuration of the ingest step. A scheduled run takes them from ``TAXLOOM_SOURCE``,
``TAXLOOM_DATA``, ``TAXLOOM_PRICES``, ``TAXLOOM_USERS`` and ``TAXLOOM_SEED``.
"""

import os
from typing import Literal

import dagster as dg
from pydantic import Field

INGEST_OP = "ingest"


class NightConfig(dg.Config):
    """Run configuration of the ingest step."""

    source: Literal["packaged", "files", "simulated"] = Field(
        default="packaged",
        description="packaged prices with simulated households, your files, or all simulated",
    )
    data: str | None = Field(default=None, description="folder of the files source")
    prices: Literal["packaged", "files"] = Field(
        default="packaged",
        description="for files: packaged prices plus the symbols of the folder's bars that packaged lacks, "
        "or the folder's bars alone",
    )
    users: int = Field(default=500, ge=1, description="number of simulated households' users")
    seed: int = Field(default=7, ge=0, description="seed of everything simulated")

    def run_config(self) -> dict[str, object]:
        """As Dagster run configuration."""
        values = {key: value for key, value in self.model_dump().items() if value is not None}
        return {"ops": {INGEST_OP: {"config": values}}}

    @classmethod
    def from_env(cls) -> "NightConfig":
        """The scheduled night's choices."""
        names = {"source": "SOURCE", "data": "DATA", "prices": "PRICES", "users": "USERS", "seed": "SEED"}
        values = {key: os.environ.get(f"TAXLOOM_{name}") for key, name in names.items()}
        return cls.model_validate({key: value for key, value in values.items() if value})


def price_sources(source: str, prices: str) -> str:
    """Sources of the night's bars in order of priority, as ``ml.night.price_sources`` holds them."""
    return {"packaged": "packaged,files", "files": "files"}[prices] if source == "files" else source


def household_source(source: str) -> str:
    """Value of the column ``source`` of the households that a night covers.

    Packaged prices come without households: theirs are simulated.
    """
    return "simulated" if source == "packaged" else source
