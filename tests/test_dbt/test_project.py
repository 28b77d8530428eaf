"""The shape of the dbt project: contracts, descriptions, tags, keys. Reads the manifest, opens no warehouse."""

import json
from pathlib import Path

import pytest
import yaml

from dagster_project.ml_tables import ML_TABLES, ml_tables
from dagster_project.sources.contracts import RAW_TABLES
from tests.test_dbt.lake import DBT_DIR, Lake

MARTS = ("core", "features", "tax", "serving", "audit")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict:
    lake = Lake(tmp_path_factory.mktemp("parse"))
    lake.dbt("parse")
    return json.loads((lake.home / "target" / "manifest.json").read_text())


@pytest.fixture(scope="module")
def models(manifest: dict) -> dict[str, dict]:
    return {n["name"]: n for n in manifest["nodes"].values() if n["resource_type"] == "model"}


def test_marts_have_enforced_contracts_and_descriptions(models: dict[str, dict]) -> None:
    marts = [m for m in models.values() if m["fqn"][1] == "marts"]
    assert {m["schema"] for m in marts} == set(MARTS)
    for model in marts:
        assert model["config"]["contract"]["enforced"], model["name"]
        assert model["description"].strip(), model["name"]
        for column in model["columns"].values():
            assert column["description"].strip(), (model["name"], column["name"])
            assert column["data_type"], (model["name"], column["name"])


def test_every_model_is_described_and_owned(models: dict[str, dict]) -> None:
    assert [m["name"] for m in models.values() if not m["description"].strip()] == []
    assert [m["name"] for m in models.values() if not m.get("group")] == []
    no_owner = [
        m["name"]
        for m in models.values()
        if m["fqn"][1] == "marts" and not m["config"]["meta"]["dagster"]["owners"]
    ]
    assert no_owner == []


def test_every_model_belongs_to_one_of_the_two_builds(models: dict[str, dict]) -> None:
    for model in models.values():
        assert len({"core", "serving"} & set(model["tags"])) == 1, model["name"]


def test_core_reads_nothing_that_python_writes_after_it(manifest: dict, models: dict[str, dict]) -> None:
    for model in models.values():
        if "core" in model["tags"]:
            upstream = [
                manifest["sources"].get(u) or manifest["nodes"][u] for u in model["depends_on"]["nodes"]
            ]
            late = [u["name"] for u in upstream if "serving" in u.get("tags", ()) or u["schema"] == "ml"]
            assert late in ([], ["night"]), (model["name"], late)


def test_only_staging_reads_sources(models: dict[str, dict]) -> None:
    readers = [
        m["name"] for m in models.values() if any(u.startswith("source.") for u in m["depends_on"]["nodes"])
    ]
    assert [name for name in readers if not name.startswith("stg_")] == []


def test_sources_carry_their_asset_key(manifest: dict) -> None:
    for source in manifest["sources"].values():
        assert source["config"]["meta"]["dagster"]["asset_key"] == [source["schema"], source["name"]]
        known = {"raw": RAW_TABLES, "ml": ml_tables()}[source["schema"]]
        assert source["name"] in known


@pytest.mark.parametrize("table", ["rec_portfolios", "rec_target_weights", "rec_lot_orders"])
@pytest.mark.parametrize("suffix", ["daily", "current"])
def test_serving_has_the_columns_of_the_python_tables(
    models: dict[str, dict], table: str, suffix: str
) -> None:
    columns = models[f"{table}__{suffix}"]["columns"]
    assert {n: c["data_type"].replace(", ", ",") for n, c in columns.items()} == {
        n: t.replace(", ", ",") for n, t in ML_TABLES[table].items()
    }
    assert list(columns) == list(ML_TABLES[table])


@pytest.mark.parametrize(
    ("mart", "table"),
    [
        ("tax_lots__daily", "tax_lots"),
        ("tax_realized_gains", "realized_gains"),
        ("tax_wash_sales", "wash_sales"),
        ("tax_form_8949", "form_8949"),
        ("tax_year_summary", "tax_year_summary"),
        ("tax_broker_differences", "broker_differences"),
    ],
)
def test_tax_marts_have_the_columns_of_the_python_tables(
    models: dict[str, dict], mart: str, table: str
) -> None:
    columns = models[mart]["columns"]
    assert {n: c["data_type"].replace(", ", ",") for n, c in columns.items()} == {
        n: t.replace(", ", ",") for n, t in ml_tables()[table].items()
    }


def test_seeds_are_described_owned_and_name_their_columns(manifest: dict) -> None:
    seeds = [n for n in manifest["nodes"].values() if n["resource_type"] == "seed"]
    assert {seed["name"] for seed in seeds} == {
        p.stem for p in (DBT_DIR.parent / "ml/tax/data").glob("*.csv")
    }
    for seed in seeds:
        header = (DBT_DIR / seed["original_file_path"]).read_text().splitlines()[0].split(",")
        assert set(header) == set(seed["columns"]), seed["name"]
        assert all(column["description"].strip() for column in seed["columns"].values()), seed["name"]
        assert seed["description"].strip()
        assert seed["config"]["meta"]["dagster"]["owners"]
        assert seed["tags"] == ["core"]


def test_serving_is_what_the_exposures_stand_on(manifest: dict, models: dict[str, dict]) -> None:
    exposed = {u for e in manifest["exposures"].values() for u in e["depends_on"]["nodes"]}
    for model in models.values():
        if model["schema"] in ("serving", "audit", "tax"):
            assert model["unique_id"] in exposed, model["name"]


def test_names_follow_their_layer(models: dict[str, dict]) -> None:
    prefixes = {
        "staging": ("stg_",),
        "intermediate": ("int_",),
        "core": ("dim_", "fct_"),
        "features": ("feat_",),
        "tax": ("tax_",),
        "serving": ("rec_",),
        "audit": ("audit_",),
    }
    for model in models.values():
        assert model["name"].startswith(prefixes[model["schema"]]), model["name"]


def test_there_are_unit_tests(manifest: dict) -> None:
    assert len(manifest["unit_tests"]) >= 3


def test_nothing_is_downloaded_and_nothing_phones_home() -> None:
    assert not (DBT_DIR / "packages.yml").exists()
    assert not (DBT_DIR / "dependencies.yml").exists()
    project = yaml.safe_load((DBT_DIR / "dbt_project.yml").read_text())
    assert project["flags"]["send_anonymous_usage_stats"] is False
    assert not (Path(DBT_DIR) / "__init__.py").exists(), "it would shadow the dbt package"


def test_one_thread(manifest: dict) -> None:
    profiles = yaml.safe_load((DBT_DIR / "profiles.yml").read_text())["taxloom"]["outputs"]
    assert {output["threads"] for output in profiles.values()} == {1}


def test_the_spill_folder_is_chosen_when_duckdb_starts() -> None:
    # As a setting it would be set anew on every connection, which DuckDB refuses once anything has spilled.
    outputs = yaml.safe_load((DBT_DIR / "profiles.yml").read_text())["taxloom"]["outputs"]
    for target in outputs.values():
        assert {"temp_directory", "memory_limit"} <= set(target["config_options"])
        assert "temp_directory" not in target["settings"]
