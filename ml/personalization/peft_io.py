"""One user's adapter as a folder that peft loads.

What belongs here: the layout that ``peft.PeftModel.from_pretrained`` expects, and the base module it is
loaded onto. What does not: fitting (``fit.py``), writing weight files (``ml/checkpoint.py``).

    base = objective_head(head)
    model = peft.PeftModel.from_pretrained(base, folder)
    model(x)  # logits (D, 6)
"""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from ml.checkpoint import save_tensors
from ml.personalization.lora import N_FEATURES, N_OBJECTIVES, RANK, Head, unpack

MODULE: Final = "head"
WEIGHTS_FILE: Final = "adapter_model.safetensors"


class ObjectiveHead(nn.Module):
    """The shared head as a torch module: x (D, 32) to logits (D, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(N_FEATURES, N_OBJECTIVES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the objectives."""
        return self.head(x)


def objective_head(head: Head) -> ObjectiveHead:
    """Build the module with the weights of a trained head."""
    module = ObjectiveHead()
    with torch.no_grad():
        module.head.weight.copy_(torch.from_numpy(head.weight))
        module.head.bias.copy_(torch.from_numpy(head.bias))
    return module


def export_adapter(adapter: np.ndarray, folder: Path) -> None:
    """Write ``adapter_config.json`` and ``adapter_model.safetensors``.

    Parameters
    ----------
    adapter : ndarray of shape (76,)
        A user's row of ``ml.user_adapters``.
    folder : pathlib.Path
        Created if missing.

    Raises
    ------
    ValueError
        An adapter of another length.
    """
    from peft import LoraConfig

    down, up = unpack(np.asarray(adapter, np.float32)[None, :])
    # The task is left open: no language model stands behind the head.
    config = LoraConfig(
        r=RANK, lora_alpha=RANK, lora_dropout=0.0, bias="none", target_modules=[MODULE], inference_mode=True
    )
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    prefix = f"base_model.model.{MODULE}"
    save_tensors(
        folder / WEIGHTS_FILE, {f"{prefix}.lora_A.weight": down[0], f"{prefix}.lora_B.weight": up[0]}
    )
