"""Finding a model, and the digest that names it: by its weights, wherever it lies."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from ml.checkpoint import CheckpointError, weights_digest
from ml.chronos.embed import DEFAULT_MODEL, EmbeddingError, load_pipeline, load_whitening, raw_embeddings
from ml.chronos.model import find_chronos, has_whitening, open_whitening, whitening_folder
from ml.chronos.whiten import corpus_prices, fit_corpus_whitening, main
from tests.fixtures.tiny_chronos import save_tiny_bolt, save_tiny_chronos2, save_tiny_t5


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read at import
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_the_digest_is_of_configuration_and_weights_alone(tmp_path):
    first = save_tiny_bolt(tmp_path / "a")
    copy = shutil.copytree(first, tmp_path / "b")
    (copy / "README.md").write_text("another card")
    assert weights_digest(copy) == weights_digest(first)
    assert weights_digest(save_tiny_bolt(tmp_path / "c", seed=1)) != weights_digest(first)
    config = json.loads((copy / "config.json").read_text())
    config["chronos_config"]["input_patch_size"] = 8
    (copy / "config.json").write_text(json.dumps(config))
    assert weights_digest(copy) != weights_digest(first)
    for path in copy.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(CheckpointError, match=r"b holds no \.safetensors file"):
        weights_digest(copy)


def test_weights_exchanged_under_one_path_are_refused_with_the_remedy(tmp_path):
    folder = save_tiny_bolt(tmp_path / "m")
    main(["--model", str(folder), "--output", str(whitening_folder(folder)), "--windows", "60"])
    before = open_whitening(folder)
    assert has_whitening(whitening_folder(folder)) and before.weights == weights_digest(folder)
    save_tiny_bolt(folder, seed=1)
    with pytest.raises(EmbeddingError, match=r"m-whitening whitens .*/m holds .*ml\.chronos\.whiten --model"):
        open_whitening(folder)
    main(["--model", str(folder), "--output", str(whitening_folder(folder)), "--windows", "60"])
    assert open_whitening(folder).model_id != before.model_id


def test_the_shipped_whitenings_name_the_weights_beside_them():
    for folder in (DEFAULT_MODEL, DEFAULT_MODEL.with_name("chronos-bolt-tiny-simulated")):
        assert open_whitening(folder).weights == weights_digest(folder)


@pytest.mark.parametrize("save", [save_tiny_bolt, save_tiny_t5, save_tiny_chronos2])
def test_any_kind_of_chronos_gets_a_whitening(tmp_path, save):
    folder = save(tmp_path / "m")
    pipeline, told = load_pipeline(folder), []
    whitening, metrics = fit_corpus_whitening(
        pipeline,
        weights_digest(folder),
        windows=300,
        on_progress=lambda done, total: told.append((done, total)),
    )
    raw = raw_embeddings(pipeline, corpus_prices(9, 40))
    assert raw.shape[1] == len(whitening.mean) and whitening.components == min(128, raw.shape[1])
    assert np.isfinite(whitening.apply(raw)).all() and told == [(300, 300)]
    assert abs(metrics["mean_cosine_whitened"]) < 0.2


def test_a_whitening_that_names_no_weights_is_refused(tmp_path):
    whitening = load_whitening(whitening_folder(DEFAULT_MODEL))
    replace(whitening, weights="w").save(tmp_path, {})
    assert load_whitening(tmp_path).weights == "w"
    from ml.checkpoint import load_checkpoint, save_checkpoint

    saved = load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, {"model_id": "chronos-bolt-tiny", "window": 128}, saved.tensors, {})
    with pytest.raises(CheckpointError, match="no whitening that names its weights"):
        load_whitening(tmp_path)


def test_a_folder_is_itself_and_an_unknown_model_is_named(tmp_path, monkeypatch):
    assert find_chronos(tmp_path) == tmp_path
    for unknown in ("nobody/no-such-model", str(tmp_path / "missing" / "deep" / "er")):
        with pytest.raises(EmbeddingError, match="is no folder, and no hub id"):
            find_chronos(unknown)
    # A hub id is taken from the cache of the hub's client.
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda name, allow_patterns: str(tmp_path / name)
    )
    assert find_chronos("amazon/chronos-t5-small") == tmp_path / "amazon/chronos-t5-small"
