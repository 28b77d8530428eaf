"""Column lineage of compiled SQL: through joins, stars, expressions, and unions by name."""

from pathlib import Path

from dagster_project.column_lineage import LineageCache, column_lineage, model_version

SCHEMA = {
    "raw.bars": {"asset_id": "varchar", "close": "double", "known_at": "timestamp"},
    "raw.assets": {"asset_id": "varchar", "name": "varchar"},
}


def test_a_column_names_every_source_column_it_is_computed_from() -> None:
    found = column_lineage(
        "with bars as (select * from lake.raw.bars) select bars.asset_id, assets.name, ln(close) + 1 as level, "
        "1 as one from bars join lake.raw.assets as assets on bars.asset_id = assets.asset_id",
        SCHEMA,
    )
    assert found == {
        "asset_id": [("raw.bars", "asset_id")],
        "name": [("raw.assets", "name")],
        "level": [("raw.bars", "close")],
        "one": [],
    }


def test_sides_of_a_union_by_name_are_paired_by_name_not_by_place() -> None:
    found = column_lineage(
        "with both_sides as (select asset_id, close, known_at from lake.raw.bars union all by name "
        "select name as label, asset_id from lake.raw.assets union all by name select close from lake.raw.bars) "
        "select * from both_sides",
        SCHEMA,
    )
    assert found == {
        "asset_id": [("raw.assets", "asset_id"), ("raw.bars", "asset_id")],
        "close": [("raw.bars", "close")],
        "known_at": [("raw.bars", "known_at")],
        "label": [("raw.assets", "name")],
    }


def test_lineage_is_kept_until_the_model_or_its_parents_change(tmp_path: Path) -> None:
    path = tmp_path / "lineage.json"
    cache = LineageCache(path)
    assert cache.find("1", SCHEMA, ["raw.bars"]) is None
    first = cache.get("1", "select close from raw.bars", SCHEMA, ["raw.bars"])
    cache.save()
    again = LineageCache(path)
    # The same model with other SQL text (the night's literals) is not computed anew ...
    assert again.get("1", "select 1 as other", SCHEMA, ["raw.bars"]) == first
    assert again.find("1", SCHEMA, ["raw.bars"]) == first
    # ... a changed version is, and so are changed columns of a parent.
    assert again.get("2", "select 1 as other", SCHEMA, ["raw.bars"]) == {"other": []}
    wider = {**SCHEMA, "raw.bars": {**SCHEMA["raw.bars"], "volume": "double"}}
    assert again.get("1", "select volume from raw.bars", wider, ["raw.bars"]) == {
        "volume": [("raw.bars", "volume")]
    }


def test_a_model_changes_its_version_with_its_source_and_with_the_macros_it_reaches() -> None:
    def version(
        sql: str = "1", macro: str = "a", inner: str = "b", unused: str = "c", dbts: str = "d"
    ) -> str:
        def entry(text: str, *used: str, package: str = "taxloom") -> dict:
            return {"macro_sql": text, "package_name": package, "depends_on": {"macros": list(used)}}

        node = {
            "package_name": "taxloom",
            "checksum": {"checksum": sql},
            "depends_on": {"macros": ["outer", "dbts"]},
        }
        macros = {
            "outer": entry(macro, "inner", "outer"),
            "inner": entry(inner),
            "unused": entry(unused),
            "dbts": entry(dbts, package="dbt"),
        }
        return model_version({"nodes": {"m": node}, "macros": macros}, "m")

    assert version() == version(unused="other") == version(dbts="other")
    assert len({version(), version(sql="2"), version(macro="x"), version(inner="x")}) == 4
