"""Declared lineage of Python-written tables: complete, about columns that exist, and true to the asset graph."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from dagster_project.ml_tables import ml_tables
from dagster_project.provenance import declared_lineage
from dagster_project.python_lineage import Declared, python_lineage
from dagster_project.python_lineage.learned import LEARNED_STEPS, LEARNED_TABLES
from dagster_project.resources.dbt import MANIFEST_PATH, ensure_manifest
from dagster_project.settings import Settings
from dagster_project.sources.contracts import RAW_TABLES
from ml.features.catalog import FEATURE_COLUMNS

# The tables as they are, and with those of the learned models whether these exist already or not.
NOW = {table: set(columns) for table, columns in ml_tables().items()}
LATER = {**{table: set(columns) for table, columns in LEARNED_TABLES.items()}, **NOW}
# Training appends to them, whichever phase it is: no asset stands for them.
LOGS = {"model_registry", "training_metrics"}


@pytest.fixture(scope="module")
def graph() -> Any:
    from dagster_project.definitions import defs

    return defs.resolve_asset_graph()


@pytest.fixture(scope="module")
def columns() -> dict[str, set[str]]:
    """Columns of the tables that Python reads, by schema.table: raw and ml contracts, dbt contracts."""
    manifest = json.loads(ensure_manifest(Settings.from_env()).read_text())
    contracts = {
        f"{node['schema']}.{node['name']}": set(node["columns"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["contract"]["enforced"]
    }
    raw = {f"raw.{name}": {c.name for c in table.all_columns} for name, table in RAW_TABLES.items()}
    written = {f"ml.{name}": set(table) for name, table in ml_tables().items()}
    return {**contracts, **raw, **written}


def declarations(tables: dict[str, set[str]] = NOW) -> Iterator[tuple[str, str, Declared]]:
    for table, entries in python_lineage(tables).items():
        for column, declared in entries.items():
            yield table, column, declared


def test_every_column_of_every_table_has_an_entry_and_none_has_two_meanings() -> None:
    written = ml_tables()
    declared = python_lineage()
    assert set(declared) == set(written)
    for table in written:
        missing = set(written[table]) - set(declared[table])
        assert not missing, f"ml.{table}: declare {sorted(missing)} in dagster_project/python_lineage"
        assert set(declared[table]) == set(written[table]), table


def test_a_column_has_sources_or_a_reason_why_it_has_none() -> None:
    for table, column, declared in declarations(LATER):
        assert bool(declared.sources) == (declared.origin is None), (table, column)
        assert list(declared.sources) == sorted(set(declared.sources)), (table, column)
        assert declared.via, (table, column)


@pytest.mark.parametrize("tables", [NOW, LATER], ids=["now", "with the learned models"])
def test_every_source_is_a_column_that_exists(
    columns: dict[str, set[str]], tables: dict[str, set[str]]
) -> None:
    known = {**columns, **{f"ml.{table}": names for table, names in tables.items()}}
    unknown = [
        (f"{table}.{column}", f"{source.table}.{source.column}")
        for table, column, declared in declarations(tables)
        for source in declared.sources
        if source.column not in known.get(source.table, ())
    ]
    assert unknown == []


def test_every_source_table_is_a_dependency_of_the_asset(graph: Any) -> None:
    lacking = set()
    for table, _, declared in declarations():
        if table in LOGS:
            continue
        parents = {".".join(key.path) for key in graph.get(dg.AssetKey(["ml", table])).parent_keys}
        lacking |= {(table, s.table) for s in declared.sources if s.table not in parents}
    assert lacking == set(), (
        "the asset (first) reads the table (second): add it to its deps, or drop the source"
    )


def test_features_reach_recommendations_through_the_encoder_and_the_policy() -> None:
    """All 50 columns enter the embedding; the embedding decides the weight; the catalog says which 50."""
    lineage = python_lineage(LATER)
    embedding = lineage["asset_embeddings"]["embedding"]
    assert (embedding.kind, embedding.via) == ("model", "encoder")
    features = {s.column for s in embedding.sources if s.table == "features.feat_asset_metadata__daily"}
    assert features == set(FEATURE_COLUMNS)
    assert len(features) == 50
    weight = lineage["rec_target_weights"]["target_weight"]
    assert (weight.kind, weight.via) == ("model", "policy")
    assert ("ml.asset_embeddings", "embedding") in {(s.table, s.column) for s in weight.sources}


def test_a_learned_step_counts_once_its_own_table_exists() -> None:
    before = {table: columns for table, columns in NOW.items() if table not in LEARNED_TABLES}
    without = python_lineage(before)
    assert not set(LEARNED_TABLES) & set(without)
    for step in LEARNED_STEPS:
        (table,) = {source.table for source in step.sources}
        name = table.removeprefix("ml.")
        added = python_lineage({**before, name: LATER[name]})
        for changed, decided in step.columns.items():
            for column in decided:
                old, new = without[changed][column], added[changed][column]
                assert old.via != step.via
                assert set(new.sources) == {*old.sources, *step.sources}
                assert (new.kind, new.via) == ("model", step.via)


def test_the_ui_gets_the_same_lineage() -> None:
    shown = declared_lineage("ml.account_cash").deps_by_column
    assert {(".".join(d.asset_key.path), d.column_name) for d in shown["cash_usd"]} == {
        ("core.fct_transactions", "amount_usd")
    }
    assert set(shown) == set(ml_tables()["account_cash"])


def test_every_chain_of_the_graph_ends_in_ingestion_or_a_seed(graph: Any) -> None:
    """From every asset every way back ends where rows enter: no asset that nothing feeds stands between."""
    roots = {key for key in graph.get_all_asset_keys() if not graph.get(key).parent_keys}
    seeds = {
        dg.AssetKey([node["schema"], node["name"]])
        for node in json.loads(MANIFEST_PATH.read_text())["nodes"].values()
        if node["resource_type"] == "seed"
    }
    raw = {dg.AssetKey(["raw", name]) for name in RAW_TABLES}
    # The head is trained on households that the code simulates, whose objectives alone are known.
    simulated = {dg.AssetKey(["ml", "personalization_checkpoint"])}
    assert roots == raw | seeds | simulated
    served = [key for key in graph.get_all_asset_keys() if key.path[0] == "serving"]
    assert served
    for key in served:
        ancestors = _ancestors(graph, key)
        assert raw & ancestors, key
        assert {a for a in ancestors if not graph.get(a).parent_keys} <= roots


def test_every_python_written_table_is_an_asset(graph: Any) -> None:
    keys = graph.get_all_asset_keys()
    assert [name for name in ml_tables() if dg.AssetKey(["ml", name]) not in keys and name not in LOGS] == []


def _ancestors(graph: Any, key: dg.AssetKey) -> set[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = [key]
    while waiting:
        new = graph.get(waiting.pop()).parent_keys - found
        found |= new
        waiting += new
    return found
