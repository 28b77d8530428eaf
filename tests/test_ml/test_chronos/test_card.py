"""The card says what its files say: every stage, score and identity."""

import json
import shutil
from pathlib import Path

import pytest

from ml.chronos.card import card, main
from ml.chronos.embed import DEFAULT_MODEL, EmbeddingError
from ml.chronos.model import open_whitening, whitening_folder
from tests.fixtures.tiny_chronos import save_tiny_bolt

SIMULATED = DEFAULT_MODEL.with_name("chronos-bolt-tiny-simulated")


@pytest.mark.parametrize("folder", [DEFAULT_MODEL, SIMULATED], ids=lambda folder: folder.name)
def test_the_shipped_card_is_what_its_files_give(folder: Path) -> None:
    text = card(folder)
    assert (folder / "README.md").read_text() == text
    training = json.loads((folder / "training.json").read_text())
    for stage in (training, *training["earlier"]):
        assert f"{stage['steps']:,} steps of {stage['config']['batch']:,} rows" in text
    whitening = open_whitening(folder)
    assert whitening.model_id[:16] in text and whitening.weights[:16] in text
    scores = json.loads((folder / "scores.json").read_text())
    for name, targets in scores["sets"].items():
        for target, one in targets.items():
            assert f"| {name} | {target} |" in text and f"{one['ratio']:.3f}" in text
    # A miss is said, whatever it is: no bound is left to the reader.
    bounds = {"price": 1.01, "absolute_return": 1.0}
    for name, targets in scores["sets"].items():
        for target, one in targets.items():
            misses = one["high"] > bounds["price"] if target == "price" else one["high"] >= bounds[target]
            if misses and not name.startswith("control"):
                assert any(note.startswith("Missed:") and name in note for note in scores["notes"]), name


def test_the_scores_in_the_card_are_of_these_weights() -> None:
    for folder in (DEFAULT_MODEL, SIMULATED):
        scores = json.loads((folder / "scores.json").read_text())
        assert scores["weights"] == open_whitening(folder).weights


def test_no_card_for_weights_that_the_whitening_is_not_of(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(DEFAULT_MODEL, folder)
    shutil.copytree(whitening_folder(DEFAULT_MODEL), whitening_folder(folder))
    main([str(folder)])
    assert (folder / "README.md").read_text().startswith("# set")
    for path in folder.glob("*.safetensors*"):
        path.unlink()
    save_tiny_bolt(folder)
    with pytest.raises(EmbeddingError, match="fit it anew"):
        card(folder)
