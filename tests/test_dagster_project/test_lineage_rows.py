"""Rows of ml.column_lineage from a small dbt project: order, names, origins, depth, and what the cache spares."""

from pathlib import Path
from typing import Any

import pytest

from dagster_project.column_lineage import LineageCache
from dagster_project.lineage_rows import (
    COLUMN_LINEAGE_SCHEMA,
    NotCompiledError,
    dbt_lineage,
    lineage_frame,
    plain_sql,
)
from dagster_project.python_lineage import Declared, Source

BUILT = {"raw.bars": {"asset_id": "varchar", "close": "double"}}


def _model(name: str, code: str, *parents: str, macros: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "unique_id": name,
        "resource_type": "model",
        "package_name": "p",
        "schema": "mart",
        "name": name,
        "raw_code": code,
        "checksum": {"checksum": code},
        "depends_on": {"nodes": list(parents), "macros": list(macros)},
    }


def _manifest(*models: dict[str, Any]) -> dict[str, Any]:
    return {
        "nodes": {model["unique_id"]: model for model in models},
        "sources": {
            "source.bars": {
                "resource_type": "source",
                "schema": "raw",
                "name": "bars",
                "source_name": "raw",
                "unique_id": "source.bars",
            }
        },
        "macros": {},
    }


# Named so that neither the order of names nor of the manifest is the order of the graph.
MANIFEST = _manifest(
    _model("a_last", "select *, 1 as one from {{ ref('z_first') }}", "z_first"),
    _model(
        "z_first",
        "{# a note #}with bars as (select * from {{ source('raw', 'bars') }}) "
        "select asset_id, ln(close) as level from bars",
        "source.bars",
    ),
)
PYTHON = {
    "out": {
        "level": Declared((Source("mart.a_last", "level"),), "policy", "model"),
        "made_at": Declared((), "step", origin="clock"),
    }
}


def _walk(manifest: dict[str, Any], cache: LineageCache):
    def sql_of(unique_id: str) -> str:
        sql = plain_sql(manifest, unique_id)
        if sql is None:
            raise NotCompiledError(f"{unique_id} is not compiled")
        return sql

    return dbt_lineage(manifest, BUILT, cache, sql_of)


def test_models_that_do_not_exist_yet_are_followed_through_their_sql(tmp_path: Path) -> None:
    dbt = _walk(MANIFEST, LineageCache(tmp_path / "c.json"))
    frame = lineage_frame(MANIFEST, dbt, PYTHON, "v1")
    assert dbt.errors == {}
    assert dict(frame.schema) == dict(COLUMN_LINEAGE_SCHEMA)
    rows = {
        (".".join(row[:3]), row[3], ".".join(row[4:7]) if row[4] else None, *row[7:10])
        for row in frame.rows()
    }
    assert rows == {
        ("mart.z_first.asset_id", 1, "raw.bars.asset_id", "dbt", "z_first", None),
        ("mart.z_first.level", 1, "raw.bars.close", "dbt", "z_first", None),
        ("mart.a_last.asset_id", 2, "mart.z_first.asset_id", "dbt", "a_last", None),
        ("mart.a_last.level", 2, "mart.z_first.level", "dbt", "a_last", None),
        ("mart.a_last.one", 0, None, "dbt", "a_last", "constant"),
        ("ml.out.level", 3, "mart.a_last.level", "model", "policy", None),
        ("ml.out.made_at", 0, None, "python", "step", "clock"),
    }
    versions = dict(frame.select("via", "code_version").unique().rows())
    assert versions["policy"] == versions["step"] == "v1"
    assert len(versions["z_first"]) == 64


def test_the_rows_do_not_depend_on_the_order_of_the_manifest(tmp_path: Path) -> None:
    turned = {**MANIFEST, "nodes": dict(reversed(MANIFEST["nodes"].items()))}
    one = lineage_frame(MANIFEST, _walk(MANIFEST, LineageCache(tmp_path / "1.json")), PYTHON, "v1")
    two = lineage_frame(turned, _walk(turned, LineageCache(tmp_path / "2.json")), PYTHON, "v1")
    assert one.equals(two)


def test_nothing_is_computed_twice(tmp_path: Path) -> None:
    cache = LineageCache(tmp_path / "c.json")
    first = _walk(MANIFEST, cache)
    cache.save()

    def refuse(unique_id: str) -> str:
        raise AssertionError(f"{unique_id} was computed again")

    again = dbt_lineage(MANIFEST, BUILT, LineageCache(tmp_path / "c.json"), refuse)
    assert again.models == first.models


def test_a_model_with_other_jinja_is_named_and_the_others_have_their_lineage(tmp_path: Path) -> None:
    manifest = _manifest(*MANIFEST["nodes"].values(), _model("late", "select {{ macro() }} as x"))
    dbt = _walk(manifest, LineageCache(tmp_path / "c.json"))
    assert dbt.errors == {"mart.late": "late is not compiled"}
    assert set(dbt.models) == {"a_last", "z_first"}


def test_rows_of_an_earlier_build_are_no_circle(tmp_path: Path) -> None:
    manifest = _manifest(_model("grid", "select level as level from lake.mart.grid", "source.bars"))
    dbt = dbt_lineage(
        manifest,
        {**BUILT, "mart.grid": {"level": "double"}},
        LineageCache(tmp_path / "c.json"),
        lambda unique_id: manifest["nodes"][unique_id]["raw_code"],
    )
    (row,) = lineage_frame(manifest, dbt, {}, "v1").rows(named=True)
    assert (row["upstream_table"], row["origin"]) == (None, "earlier_build")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("select * from {{ ref('z_first') }}", "select * from mart.z_first"),
        ("select * from {{ref('z_first')}} {#- why -#}", "select * from mart.z_first "),
        ("select * from {{ ref('z_first') }} {% if true %}x{% endif %}", None),
        ("select {{ var('x') }} from {{ ref('z_first') }}", None),
    ],
)
def test_plain_sql_knows_what_it_can_render(code: str, expected: str | None) -> None:
    manifest = _manifest(*MANIFEST["nodes"].values(), _model("m", code, "z_first"))
    assert plain_sql(manifest, "m") == expected
