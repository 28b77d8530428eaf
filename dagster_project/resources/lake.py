"""The warehouse as a Dagster resource."""

from dataclasses import replace
from pathlib import Path

import dagster as dg

from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings


class LakeResource(dg.ConfigurableResource):
    """Hands a step its warehouse.

    Attributes
    ----------
    home : str
        ``TAXLOOM_HOME`` to use instead of the environment's (tests); empty for the environment's.
    """

    home: str = ""

    def settings(self) -> Settings:
        """Settings of the environment, with this resource's home if it names one."""
        settings = Settings.from_env()
        if not self.home:
            return settings
        home = Path(self.home).absolute()
        return replace(settings, home=home, data_path=home / "warehouse" / "data")

    def open(self) -> Warehouse:
        """The warehouse; opens nothing yet."""
        return Warehouse(self.settings())
