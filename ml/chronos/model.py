"""Finding a Chronos model and the whitening that belongs to it.

A model is a folder or a hub id; what counts is its weights' digest, never its name. What belongs here:
resolving names, checking that a whitening was fitted on those very weights. What does not: computing
embeddings (``embed.py``), fitting (``whiten.py``), which model an installation uses (``dagster_project``).
"""

from pathlib import Path
from typing import Final

from ml.checkpoint import MANIFEST_FILE, weights_digest
from ml.chronos.embed import EmbeddingError, Whitening, load_whitening

_HUB_FILES: Final = ["config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json"]


def find_chronos(model: str | Path) -> Path:
    """The folder of a model.

    Parameters
    ----------
    model : str or pathlib.Path
        A folder, or a hub id such as ``amazon/chronos-t5-small``: taken from the local hub cache, fetched
        into it unless the hub is switched off (``HF_HUB_OFFLINE=1``).

    Raises
    ------
    EmbeddingError
        No such folder, and no such model in the cache or on a hub that can be reached.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(str(model), allow_patterns=_HUB_FILES))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EmbeddingError(
            f"{model} is no folder, and no hub id whose files are in the local cache or can be fetched: give the "
            "folder of a Chronos model, or fetch it once with the hub reachable"
        ) from error


def whitening_folder(model: Path) -> Path:
    """Where a model's whitening lies by convention: the folder beside, with ``-whitening`` appended."""
    return model.with_name(f"{model.name}-whitening")


def open_whitening(model: Path, folder: Path | None = None) -> Whitening:
    """The whitening of a model's embeddings, refused if it was fitted on other weights.

    Parameters
    ----------
    model : pathlib.Path
        The model's folder.
    folder : pathlib.Path, optional
        The whitening's; by default the one beside.

    Raises
    ------
    EmbeddingError
        It was fitted on other weights than the folder holds.
    CheckpointError
        Either folder is incomplete or altered.
    """
    place = folder or whitening_folder(model)
    whitening, weights = load_whitening(place), weights_digest(model)
    if whitening.weights != weights:
        raise EmbeddingError(
            f"{place} whitens the embeddings of weights {whitening.weights[:12]}, {model} holds {weights[:12]}: "
            f"fit it anew (python -m ml.chronos.whiten --model {model} --output {place})"
        )
    return whitening


def has_whitening(folder: Path) -> bool:
    """Whether a folder holds a saved whitening, sound or not."""
    return (folder / MANIFEST_FILE).is_file()
