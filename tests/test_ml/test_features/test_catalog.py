"""The catalog: fifty columns, and everything that must follow it does."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from ml.features.catalog import FEATURE_COLUMNS, FEATURES, catalog_hash, contract_columns
from ml.types import ASSET_CLASSES, SECTORS

DBT = Path(__file__).resolve().parents[3] / "dbt"
MACROS = (DBT / "macros" / "features.sql").read_text()
MODEL = (DBT / "models" / "marts" / "features" / "feat_asset_metadata__daily.sql").read_text()


def test_families_have_the_sizes_of_the_design() -> None:
    sizes = Counter(spec.family for spec in FEATURES)
    assert dict(sizes) == {
        "class": 8,
        "sector": 11,
        "liquidity": 5,
        "risk": 8,
        "momentum": 6,
        "comovement": 4,
        "income": 4,
        "lifecycle": 4,
    }
    assert list(sizes) == list(dict.fromkeys(spec.family for spec in FEATURES)), (
        "families stand in one piece each"
    )


def test_names_are_unique_and_snake_case() -> None:
    assert len(set(FEATURE_COLUMNS)) == 50
    assert all(re.fullmatch(r"[a-z]+__[a-z0-9_]+", name) for name in FEATURE_COLUMNS)


def test_every_feature_says_what_it_is() -> None:
    for spec in FEATURES:
        assert spec.formula and spec.unit and spec.null_rule, spec.column
        assert spec.window >= 0 and 0 <= spec.lag <= max(spec.window, 0), spec.column
        assert len(spec.description) > 30, spec.column


def test_no_identifier_is_a_feature() -> None:
    words = {word for name in FEATURE_COLUMNS for word in re.split(r"_+", name)}
    assert not words & {"id", "symbol", "ticker", "name", "isin"}


def test_hash_is_stable_and_covers_the_formulas() -> None:
    assert catalog_hash() == catalog_hash()
    assert re.fullmatch(r"[0-9a-f]{64}", catalog_hash())


def test_dbt_contract_lists_the_columns_in_order() -> None:
    models = yaml.safe_load((DBT / "models" / "marts" / "features" / "_features__models.yml").read_text())[
        "models"
    ]
    (store,) = [m for m in models if m["name"] == "feat_asset_metadata__daily"]
    assert [c["name"] for c in store["columns"]] == ["as_of_date", "asset_id", "known_at", *FEATURE_COLUMNS]
    found = [{**c, "description": " ".join(c["description"].split())} for c in store["columns"][3:]]
    assert found == contract_columns()


def test_dbt_rebuilds_when_the_catalog_changes() -> None:
    (version,) = re.findall(r"macro feature_version\(\) %}{{ return\('([0-9a-f]+)'\) }}", MACROS)
    assert version == catalog_hash()[:16], "put catalog_hash()[:16] into dbt/macros/features.sql"


def test_dbt_neutral_values_are_those_of_the_catalog() -> None:
    block = MACROS.split("feature_neutral_values()")[1]
    found = {name: float(value) for name, value in re.findall(r"'(\w+__\w+)': (-?[\d.]+)", block)}
    computed = [spec for spec in FEATURES if spec.unit != "flag" and spec.name != "imputed_share_ratio"]
    assert found == {spec.column: spec.neutral for spec in computed}
    assert list(found) == [spec.column for spec in computed], "the model writes its columns in this order"


@pytest.mark.parametrize(("name", "values"), [("asset_classes", ASSET_CLASSES), ("sectors", SECTORS)])
def test_dbt_flags_are_those_of_the_vocabulary(name: str, values: tuple[str, ...]) -> None:
    (block,) = re.findall(rf"{{% set {name} = \[(.*?)\] %}}", MODEL, re.DOTALL)
    assert re.findall(r"'([^']+)'", block) == list(values)
