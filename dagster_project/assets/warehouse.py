"""The dbt models as assets: everything above the Python steps, and everything below them."""

import contextlib
import importlib
import threading
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from dagster_project.dbt_args import CORE_SELECTION, SERVING_SELECTION, build_args
from dagster_project.dbt_metadata import with_metadata
from dagster_project.dbt_translator import TRANSLATOR
from dagster_project.partitions import nyse_sessions
from dagster_project.pools import WAREHOUSE_WRITER
from dagster_project.resources.dbt import MANIFEST_PATH, LakeDbt, dbt_project, prepare_dbt_process
from dagster_project.resources.lake import LakeResource

# Unit tests check the SQL, not the night's data: they run in the test suite.
_NOT_NIGHTLY = "resource_type:unit_test"
_NEEDED_LATER = (
    "great_expectations",
    "expectations.runner",
    "ml.tax.ledger",
    "ml.recommend.night",
    "ml.intent.parse",
)


def _build(context: dg.AssetExecutionContext, dbt: LakeDbt, lake: LakeResource) -> Iterator[Any]:
    warehouse = lake.open()
    prepare_dbt_process(warehouse.settings, context.run_id)
    _import_ahead()
    with warehouse.writer_lock():
        # A folder of its own per step, kept: dbt finds its parse cache there the next night.
        target_path = warehouse.settings.dbt_target / context.op_handle.name
        invocation = dbt.cli(build_args(), context=context, target_path=target_path)
        yield from with_metadata(invocation, warehouse)


def _import_ahead() -> None:
    """Import what later steps need in a thread, while this process waits for dbt's.

    Great Expectations alone takes 8 s to import. A failing import is left to the step that needs it.
    """

    def load() -> None:
        with contextlib.suppress(ImportError):
            for name in _NEEDED_LATER:
                importlib.import_module(name)

    threading.Thread(target=load, name="import-ahead", daemon=True).start()


def make_dbt_assets() -> list[dg.AssetsDefinition]:
    """The two dbt steps of a night; reads the manifest from disk."""

    @dbt_assets(
        manifest=MANIFEST_PATH,
        project=dbt_project(),
        select=CORE_SELECTION,
        exclude=_NOT_NIGHTLY,
        name="dbt_core",
        dagster_dbt_translator=TRANSLATOR,
        partitions_def=nyse_sessions,
        pool=WAREHOUSE_WRITER,
    )
    def dbt_core(context: dg.AssetExecutionContext, dbt: LakeDbt, lake: LakeResource):
        yield from _build(context, dbt, lake)

    @dbt_assets(
        manifest=MANIFEST_PATH,
        project=dbt_project(),
        select=SERVING_SELECTION,
        exclude=_NOT_NIGHTLY,
        name="dbt_serving",
        dagster_dbt_translator=TRANSLATOR,
        partitions_def=nyse_sessions,
        pool=WAREHOUSE_WRITER,
    )
    def dbt_serving(context: dg.AssetExecutionContext, dbt: LakeDbt, lake: LakeResource):
        yield from _build(context, dbt, lake)

    return [dbt_core, dbt_serving]
