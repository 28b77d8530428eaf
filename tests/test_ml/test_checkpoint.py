"""Checkpoint folders: what is written is read, and nothing else passes for it."""

import json

import numpy as np
import pytest

from ml.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

TENSORS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.array([1.5], dtype=np.float32)}


def save(folder):
    return save_checkpoint(folder, {"labels": ["x", "ü"]}, TENSORS, {"accuracy": 0.5})


def test_round_trip(tmp_path):
    digest = save(tmp_path / "new" / "folder")
    found = load_checkpoint(tmp_path / "new" / "folder")
    assert (found.config, found.metrics, found.digest) == ({"labels": ["x", "ü"]}, {"accuracy": 0.5}, digest)
    assert set(found.tensors) == {"a", "b"}
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(found.tensors[name], tensor)


def test_equal_contents_give_equal_bytes_and_other_contents_another_digest(tmp_path):
    assert save(tmp_path / "one") == save(tmp_path / "two")
    for name in ("config.json", "model.safetensors", "metrics.json", "manifest.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert save_checkpoint(tmp_path / "two", {}, TENSORS, {}) != save(tmp_path / "one")


def test_a_model_card_beside_the_files_stays(tmp_path):
    (tmp_path / "README.md").write_text("card")
    save(tmp_path)
    assert (tmp_path / "README.md").read_text() == "card"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "metrics.json", "manifest.json"])
def test_a_missing_file_is_named(tmp_path, name):
    save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "metrics.json"])
def test_an_altered_file_is_named(tmp_path, name):
    save(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": {"config.json": "0"}}', '{"sha256": 3}'])
def test_a_manifest_that_is_none_is_refused(tmp_path, text):
    save(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        load_checkpoint(tmp_path)


def test_a_pickle_is_no_model(tmp_path):
    """Even with a matching manifest: weights are read as safetensors or not at all."""
    import hashlib
    import pickle

    save(tmp_path)
    data = pickle.dumps({"a": 1})
    (tmp_path / "model.safetensors").write_bytes(data)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["sha256"]["model.safetensors"] = hashlib.sha256(data).hexdigest()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="safetensors"):
        load_checkpoint(tmp_path)
