"""The state of a training on disk: everything that continuing an interrupted run needs.

What belongs here: what is kept and what must agree. What does not: the loop (``train.py``).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ml.checkpoint import load_checkpoint, save_checkpoint
from ml.policy.validation import Best

if TYPE_CHECKING:
    from ml.policy.train import TrainingRun

_MODEL, _ADAM, _BEST = "model.", "adam.", "best."


class ResumeError(ValueError):
    """A training state of another run; the message names what differs."""


def save_state(run: "TrainingRun", folder: Path) -> None:
    """Write network, optimiser, best network, step and history."""
    tensors = {f"{_MODEL}{name}": value for name, value in run.model.state_dict().items()}
    for name, parameter in run.model.named_parameters():
        state = run.optimiser.state.get(parameter, {})
        tensors |= {f"{_ADAM}{key}.{name}": value for key, value in state.items()}
    tensors |= {f"{_BEST}{name}": value for name, value in (run.best.tensors or {}).items()}
    arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
    best = None if run.best.tensors is None else [run.best.score, run.best.step]
    save_checkpoint(folder, _identity(run), arrays, {"step": run.step, "history": run.history, "best": best})


def load_state(run: "TrainingRun", folder: Path) -> None:
    """Continue from :func:`save_state`.

    Raises
    ------
    ResumeError
    """
    saved, ours = load_checkpoint(folder), _identity(run)
    differing = sorted(name for name in ours if saved.config.get(name) != ours[name])
    if differing:
        raise ResumeError(f"{folder} holds a run with another {', '.join(differing)}: use another folder")
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in saved.tensors.items()}
    run.model.load_state_dict(_part(tensors, _MODEL))
    for name, parameter in run.model.named_parameters():
        if f"{_ADAM}step.{name}" in tensors:
            # Adam counts its steps on the CPU.
            run.optimiser.state[parameter] = {
                key: tensors[f"{_ADAM}{key}.{name}"].to("cpu" if key == "step" else run.device)
                for key in ("step", "exp_avg", "exp_avg_sq")
            }
    if saved.metrics["best"] is not None:
        kept = {name: value.to(run.device) for name, value in _part(tensors, _BEST).items()}
        score, step = saved.metrics["best"]
        run.best = Best(float(score), int(step), kept)
    run.step, run.history = int(saved.metrics["step"]), list(saved.metrics["history"])


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)}


def _identity(run: "TrainingRun") -> dict[str, Any]:
    """What must agree for a state to be continued, as JSON gives it back."""
    train = run.config.as_dict()
    train["weights"] = {k: list(v) if isinstance(v, tuple) else v for k, v in train["weights"].items()}
    universes = [run.windows.sizes[0], run.left_out.sizes[0]]
    return {"train": train, "seed": run.seed, "universes": universes}
