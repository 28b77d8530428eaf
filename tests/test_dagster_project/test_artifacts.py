"""Trained models: kept by content, used once promoted, refused where they do not fit."""

from pathlib import Path

import numpy as np
import pytest

from dagster_project.ml_tables import ml_ddl
from dagster_project.resources import artifacts as module
from dagster_project.resources.artifacts import PROMOTED, TRAINED, Artifacts
from dagster_project.resources.warehouse import Warehouse
from dagster_project.settings import Settings
from ml.checkpoint import CheckpointError, save_checkpoint
from ml.models import KINDS, CompatibilityError, ModelRef, describe_model


def _write(folder: Path, kind: str, compatibility_id: str, requires: dict[str, str], value: float) -> Path:
    config = {
        "kind": kind,
        "compatibility_id": compatibility_id,
        "requires": requires,
        "profile": "quick",
    }
    save_checkpoint(folder, config, {"w": np.full(3, value, dtype=np.float32)}, {})
    return folder


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artifacts:
    for kind in KINDS:
        _write(
            tmp_path / "packaged" / kind,
            kind,
            f"{kind}-0",
            {"encoder": "encoder-0"} if kind == "policy" else {},
            0,
        )
    monkeypatch.setattr(
        module, "packaged_model", lambda kind: describe_model(tmp_path / "packaged" / kind, kind)
    )
    settings = Settings(tmp_path / "home", None, tmp_path / "home" / "warehouse" / "data", "1GB")
    warehouse = Warehouse(settings)
    warehouse.bootstrap(ml_ddl())
    return Artifacts(settings, warehouse)


def _train(
    store: Artifacts, kind: str, compatibility_id: str, requires: dict[str, str], value: float = 1.0
) -> ModelRef:
    with store.staging(kind) as folder:
        model = store.keep(kind, _write(folder, kind, compatibility_id, requires, value))
    store.record("run", [model], TRAINED)
    return model


def test_packaged_models_are_in_use_until_something_is_promoted(store: Artifacts) -> None:
    assert {kind: model.compatibility_id for kind, model in store.in_use().items()} == {
        kind: f"{kind}-0" for kind in KINDS
    }
    encoder = _train(store, "encoder", "encoder-1", {})
    assert store.in_use()["encoder"].compatibility_id == "encoder-0"
    assert store.newest_trained("encoder") == encoder


def test_encoder_and_policy_come_into_use_together_or_not_at_all(store: Artifacts) -> None:
    encoder = _train(store, "encoder", "encoder-1", {})
    policy = _train(store, "policy", "policy-1", {"encoder": "encoder-1"})
    for alone in ([encoder], [policy]):
        with pytest.raises(CompatibilityError, match="taxloom train --phase policy"):
            store.promote("run", alone, "")
    assert store.history().filter(event=PROMOTED).is_empty(), "a refused promotion left a row"
    store.promote("run", [encoder, policy], "")
    assert store.in_use()["policy"] == policy
    assert store.in_use()["encoder"] == encoder


def test_a_snapshot_keeps_the_models_of_its_time(store: Artifacts) -> None:
    before = store.warehouse.snapshot_id()
    encoder = _train(store, "encoder", "encoder-0", {})
    store.promote("run", [encoder], "")
    assert store.in_use()["encoder"].model_id == encoder.model_id
    assert store.in_use(before)["encoder"].model_id != encoder.model_id


def test_a_mismatch_written_past_promotion_is_refused_with_the_remedy(store: Artifacts) -> None:
    encoder = _train(store, "encoder", "encoder-1", {})
    store.record("run", [encoder], PROMOTED)
    with pytest.raises(
        CompatibilityError, match=r"policy .* was trained on the encoder .*encoder-0.*promote"
    ):
        store.in_use()


def test_equal_contents_have_one_folder_and_altered_ones_are_refused(store: Artifacts) -> None:
    first = _train(store, "encoder", "encoder-1", {})
    assert _train(store, "encoder", "encoder-1", {}) == first
    assert _train(store, "encoder", "encoder-1", {}, value=2.0).folder != first.folder
    weights = first.folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(CheckpointError, match="SHA-256"):
        store.find(first.model_id)


def test_a_failed_training_leaves_no_folder(store: Artifacts) -> None:
    def train_and_fail() -> None:
        with store.staging("encoder") as folder:
            (folder / "half").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train_and_fail()
    assert list((store.root / "encoder").iterdir()) == []


def test_models_are_found_by_the_first_digits_of_their_id(store: Artifacts) -> None:
    model = _train(store, "personalization", "p-1", {})
    assert store.find(model.model_id[:8]) == model
    with pytest.raises(CompatibilityError, match="0 models"):
        store.find("zz")
    with pytest.raises(CompatibilityError, match="4 models"):
        store.find("")


def test_a_folder_of_another_kind_is_refused(store: Artifacts, tmp_path: Path) -> None:
    _write(tmp_path / "x", "encoder", "e", {}, 0)
    with pytest.raises(CheckpointError, match="kind 'encoder', not 'policy'"):
        describe_model(tmp_path / "x", "policy")
