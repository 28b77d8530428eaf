"""Training the quick set anew: how long it takes, and how far it is from the quick set that ships.

Where the set in use is of another profile, the quick one lies beside it (``ml/weights/encoder-quick``).

A night of a few households brings the packaged prices; then ``taxloom train`` runs as a user would run it.
On the machine that trained the shipped set the tensors are equal to the bit; another processor's kernels
sum in another order, and 400 steps carry that further: there the distance only tells how far.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ml.checkpoint import load_checkpoint
from ml.models import KINDS, WEIGHTS

ROOT = Path(__file__).parents[2]
TARGET_S = 240.0


def run() -> list[dict[str, Any]]:
    """Train all three phases and compare each with what ships."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TAXLOOM_HOME": folder}
        environment.pop("DAGSTER_HOME", None)
        _run(environment, "nightly", "--users", "20")
        begun = time.perf_counter()
        _run(environment, "train", "--profile", "quick")
        seconds = time.perf_counter() - begun
        distances = {kind: _distance(kind, Path(folder) / "artifacts" / kind) for kind in KINDS}
    text = ", ".join(f"{kind} {value:.2g}" for kind, value in distances.items())
    return [
        {
            "name": "training",
            "work": f"all phases, profile quick (target {TARGET_S:g} s); distance to the shipped quick set: {text}",
            "ours": round(seconds, 1),
            "peer": None,
            "peer_value": None,
            "ratio": round(TARGET_S / seconds, 2),
            "unit": "s",
            "machine": "",
            "skipped": None,
        }
    ]


def _run(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "dagster_project.cli", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command)} failed:\n{re.sub(r'^.*?(?=train:)', '', result.stderr)[-2000:]}"
        )


def _distance(kind: str, folder: Path) -> float:
    """Norm of the difference of all tensors over that of the shipped ones; 0 is bit for bit."""
    (trained,) = [path for path in folder.iterdir() if path.is_dir()]
    quick = WEIGHTS / f"{kind}-quick"
    shipped = load_checkpoint(quick if quick.exists() else WEIGHTS / kind).tensors
    ours = load_checkpoint(trained).tensors
    if set(ours) != set(shipped):
        raise RuntimeError(f"{kind}: the shipped set has other tensors: train and ship it anew")
    gap = sum(float(np.square(ours[name].astype(np.float64) - shipped[name]).sum()) for name in shipped)
    size = sum(float(np.square(shipped[name].astype(np.float64)).sum()) for name in shipped)
    return (gap / size) ** 0.5
