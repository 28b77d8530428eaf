"""Checkpoint folders: the only module that touches weight files.

What belongs here: writing and reading a folder of ``config.json``, ``model.safetensors``,
``metrics.json`` and ``manifest.json`` (SHA-256 of the others), and bare weight files for other libraries.
What does not: any model. Weights are safetensors, never pickle: reading one runs no code.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

CONFIG_FILE: Final = "config.json"
MODEL_FILE: Final = "model.safetensors"
METRICS_FILE: Final = "metrics.json"
MANIFEST_FILE: Final = "manifest.json"


class CheckpointError(Exception):
    """A checkpoint folder that is incomplete, altered or not one; the message names the file."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint folder holds.

    Attributes
    ----------
    config, metrics : dict
        As saved.
    tensors : dict of str to ndarray
        Weights by name.
    digest : str
        SHA-256 over the manifest's entries, 64 hex digits: names this checkpoint in audit tables.
    """

    config: dict[str, Any]
    tensors: dict[str, np.ndarray]
    metrics: dict[str, Any]
    digest: str


def save_checkpoint(
    folder: Path, config: dict[str, Any], tensors: dict[str, np.ndarray], metrics: dict[str, Any]
) -> str:
    """Write a checkpoint folder; equal contents give equal bytes.

    Parameters
    ----------
    folder : pathlib.Path
        Created if missing; other files in it (a model card) stay.
    config, metrics : dict
        JSON values.
    tensors : dict of str to ndarray
        Weights by name.

    Returns
    -------
    str
        The digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        CONFIG_FILE: _json(config),
        MODEL_FILE: _safetensors(tensors),
        METRICS_FILE: _json(metrics),
    }
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / MANIFEST_FILE).write_bytes(_json({"sha256": hashes}))
    return _digest(hashes)


def save_tensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """Write one safetensors file for another library to read; equal contents give equal bytes.

    Parameters
    ----------
    path : pathlib.Path
        File; its folder is created if missing.
    tensors : dict of str to ndarray
        Weights by the names that the other library expects.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_safetensors(tensors))


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder, checking every file against its manifest.

    Raises
    ------
    CheckpointError
        A file is missing, unreadable or differs from the manifest.
    """
    manifest = _read_json(folder, MANIFEST_FILE)
    hashes = manifest.get("sha256") if isinstance(manifest, dict) else None
    if not isinstance(hashes, dict) or set(hashes) != {CONFIG_FILE, MODEL_FILE, METRICS_FILE}:
        raise CheckpointError(
            f"{folder / MANIFEST_FILE} does not list the files of a checkpoint: save it anew"
        )
    for name, expected in hashes.items():
        found = hashlib.sha256(_read(folder, name)).hexdigest()
        if found != expected:
            raise CheckpointError(
                f"{folder / name} has SHA-256 {found}, its manifest says {expected}: restore or save it anew"
            )
    try:
        tensors = load(_read(folder, MODEL_FILE))
    except SafetensorError as error:
        raise CheckpointError(f"{folder / MODEL_FILE} is not a safetensors file: {error}") from error
    return Checkpoint(
        _read_json(folder, CONFIG_FILE), tensors, _read_json(folder, METRICS_FILE), _digest(hashes)
    )


def weights_digest(folder: Path) -> str:
    """SHA-256 over the configuration and every weight file of a folder that another library wrote.

    Names a model by what it computes, not by where it lies: the model card and the shards' index
    do not enter, neither does the folder's name.

    Parameters
    ----------
    folder : pathlib.Path
        Holds ``config.json`` and one or more ``*.safetensors``.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    CheckpointError
        No configuration or no safetensors file is there.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise CheckpointError(f"{folder} holds no .safetensors file: give a model saved as safetensors")
    hashes = {CONFIG_FILE: hashlib.sha256(_read(folder, CONFIG_FILE)).hexdigest()}
    for path in paths:
        with path.open("rb") as file:
            hashes[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return _digest(hashes)


def _safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    return save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)})


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _digest(hashes: dict[str, str]) -> str:
    listing = "".join(f"{name}:{hashes[name]}\n" for name in sorted(hashes))
    return hashlib.sha256(listing.encode()).hexdigest()


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{folder / name} cannot be read ({error.strerror}): save it anew") from error


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        return json.loads(_read(folder, name))
    except ValueError as error:
        raise CheckpointError(f"{folder / name} is not JSON: {error}") from error
