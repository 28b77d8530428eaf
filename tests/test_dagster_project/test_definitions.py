"""The code location: its keys, jobs and crons as a reviewed snapshot; loading it opens nothing."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.partitions import nyse_holidays, nyse_sessions

ROOT = Path(__file__).parents[2]
SNAPSHOT = ROOT / "tests" / "fixtures" / "definitions_snapshot.json"


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    from dagster_project.definitions import defs

    return defs


def _snapshot(defs: dg.Definitions) -> dict[str, object]:
    graph = defs.resolve_asset_graph()
    produced = [key for key in graph.get_all_asset_keys() if graph.get(key).is_materializable]
    repository = defs.get_repository_def()
    return {
        "assets": sorted("/".join(key.path) for key in produced),
        "checks_not_from_dbt": sorted(
            f"{'/'.join(key.asset_key.path)}:{key.name}"
            for key in graph.asset_check_keys
            if graph.get(key).blocking  # type: ignore[union-attr]
        ),
        "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        "schedules": {
            s.name: s.cron_schedule for s in sorted(repository.schedule_defs, key=lambda s: s.name)
        },
    }


def test_the_snapshot_is_current(defs: dg.Definitions) -> None:
    found = _snapshot(defs)
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
        pytest.fail(f"{SNAPSHOT} was missing and has been written: read it, then commit it")
    assert found == json.loads(SNAPSHOT.read_text()), (
        f"definitions changed: if that is meant, delete {SNAPSHOT} and run this test twice"
    )


def test_every_asset_has_group_owner_and_description(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        if node.is_materializable:
            assert node.group_name != "default", key
            assert node.owners, key
            assert node.description, key


def test_no_asset_is_left_unconnected(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    external = [key for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable]
    assert external == [], "a key that nothing produces is a misspelt dependency"


def test_partitions_are_the_sessions_of_the_exchange() -> None:
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start="1989-01-01", end="2030-12-31")
    expected = [str(day.date()) for day in calendar.sessions]
    keys = nyse_sessions.get_partition_keys()
    assert keys == [day for day in expected if keys[0] <= day <= keys[-1]]
    assert not {str(day) for day in nyse_holidays()} & set(expected)


_LOAD = """
import socket, sys

def refuse(*args, **kwargs):
    raise RuntimeError("loading the definitions opened a connection")

socket.socket.connect = refuse
import duckdb
duckdb.connect = refuse
import dagster_project.definitions
heavy = {"torch", "transformers", "great_expectations", "pandera", "skfolio", "exchange_calendars", "cvxpy"}
loaded = sorted(heavy & set(sys.modules))
assert not loaded, f"imported at definition time: {loaded}"
"""


def test_loading_opens_no_network_and_no_database(defs: dg.Definitions) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _LOAD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
