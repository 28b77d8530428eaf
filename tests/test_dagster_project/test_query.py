"""``taxloom sql``: only the result on stdout, exact numbers, exit status 1 on an SQL error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.query import QueryError, run_query
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home, None, home / "warehouse" / "data", "1GB")
    warehouse = Warehouse(settings)
    warehouse.bootstrap(
        ["create table if not exists serving.t (a integer, b decimal(20, 6), c varchar, d float[])"]
    )
    with warehouse.connection(read_only=False) as con:
        con.execute(
            "insert into serving.t values (1, 12345678901234.123456, 'x,\"y\"', [0.5]), (2, null, null, null)"
        )
    return settings


def test_csv_has_header_and_rows(settings: Settings) -> None:
    text = run_query(settings, "select * from serving.t order by a", "csv")
    assert text == 'a,b,c,d\n1,12345678901234.123456,"x,""y""",[0.5]\n2,,,\n'


def test_json_keeps_every_digit(settings: Settings) -> None:
    text = run_query(settings, "select a, b, c from serving.t order by a", "json")
    assert "12345678901234.123456" in text
    assert json.loads(text)[1] == {"a": 2, "b": None, "c": None}


def test_table_cuts_no_value(settings: Settings) -> None:
    text = run_query(settings, "select repeat('long ', 60) || '[end]' as words", "table")
    assert "[end]" in text
    assert "1 rows" in text


def test_names_resolve_with_and_without_schema(settings: Settings) -> None:
    assert run_query(settings, "select count(*) as n from t", "csv") == "n\n2\n"
    assert run_query(settings, "select count(*) as n from serving.t", "csv") == "n\n2\n"
    assert run_query(settings, "select count(*) as n from lake.serving.t", "csv") == "n\n2\n"


def test_writing_is_refused(settings: Settings) -> None:
    with pytest.raises(QueryError, match="read-only"):
        run_query(settings, "delete from serving.t", "csv")


def _cli(settings: Settings, *args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TAXLOOM_HOME": str(settings.home)}
    command = [sys.executable, "-m", "dagster_project.cli", "sql", *args]
    root = Path(__file__).parents[2]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=root, check=False)


def test_command_line_status_and_streams(settings: Settings) -> None:
    good = _cli(settings, "select 1 as one", "--format", "csv")
    assert (good.returncode, good.stdout) == (0, "one\n1\n")
    bad = _cli(settings, "select nonsense from nowhere")
    assert bad.returncode == 1
    assert bad.stdout == ""
    assert "nowhere" in bad.stderr
