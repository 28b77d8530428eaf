"""Column lineage of compiled SQL: through joins, stars, expressions, and unions by name."""

from pathlib import Path

from dagster_project.column_lineage import LineageCache, column_lineage

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
    node = {"unique_id": "model.x", "checksum": {"checksum": "1"}}
    cache = LineageCache(path)
    first = cache.get(node, "select close from raw.bars", SCHEMA, ["raw.bars"])
    cache.save()
    again = LineageCache(path)
    # The same model with other SQL text (the night's literals) is not computed anew ...
    assert again.get(node, "select 1 as other", SCHEMA, ["raw.bars"]) == first
    # ... a changed checksum is, and so are changed columns of a parent.
    changed = {**node, "checksum": {"checksum": "2"}}
    assert again.get(changed, "select 1 as other", SCHEMA, ["raw.bars"]) == {"other": []}
    wider = {**SCHEMA, "raw.bars": {**SCHEMA["raw.bars"], "volume": "double"}}
    assert again.get(node, "select volume from raw.bars", wider, ["raw.bars"]) == {
        "volume": [("raw.bars", "volume")]
    }
