"""Rank-2 adapters on the objective head: their start, their 76 numbers, and the adapted head.

What belongs here: softmax((W + B A) x + b) for many users at once. What does not: the loss
(``likelihood.py``), the fit (``fit.py``), W and b (``population.py``).

An adapter is A (2, 32) and B (6, 2) per user, as ``peft.LoraConfig(r=2, lora_alpha=2)`` on
``nn.Linear(32, 6)``; lora_alpha / r = 1. Hu et al. 2021, arXiv:2106.09685.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from ml.types import OBJECTIVES

N_FEATURES: Final = 32
N_OBJECTIVES: Final = len(OBJECTIVES)
RANK: Final = 2
ADAPTER_SIZE: Final = RANK * (N_FEATURES + N_OBJECTIVES)


@dataclass(frozen=True, slots=True)
class Head:
    """The shared objective head.

    Attributes
    ----------
    weight : ndarray of shape (6, 32)
        float32; rows by :data:`ml.types.OBJECTIVES`.
    bias : ndarray of shape (6,)
        float32.
    """

    weight: np.ndarray
    bias: np.ndarray

    def __post_init__(self) -> None:
        """Refuse weights of another shape."""
        if self.weight.shape != (N_OBJECTIVES, N_FEATURES) or self.bias.shape != (N_OBJECTIVES,):
            raise ValueError(
                f"head of shapes {self.weight.shape} and {self.bias.shape}, expected "
                f"{(N_OBJECTIVES, N_FEATURES)} and {(N_OBJECTIVES,)}: train the population head anew"
            )

    def logits(self, x: np.ndarray) -> np.ndarray:
        """Logits of the shared head, (D, 6)."""
        return x @ self.weight.T + self.bias


def start_down(seed: int) -> torch.Tensor:
    """Give the A that every user starts from, float32 (2, 32).

    One start for all: a user's adapter then depends neither on his place nor on who else is fitted.
    The draw is peft's, ``kaiming_uniform_(a=sqrt(5))`` from a generator with this seed.
    """
    generator = torch.Generator().manual_seed(seed)
    down = torch.empty(RANK, N_FEATURES)
    torch.nn.init.kaiming_uniform_(down, a=5.0**0.5, generator=generator)
    return down


def pack(down: torch.Tensor, up: torch.Tensor) -> np.ndarray:
    """Lay A (U, 2, 32) and B (U, 6, 2) out as rows of 76 numbers, A first, each row by row."""
    return torch.cat([down.flatten(1), up.flatten(1)], dim=1).cpu().numpy()


def unpack(adapters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read A (U, 2, 32) and B (U, 6, 2) from rows of 76 numbers.

    Raises
    ------
    ValueError
        Rows of another length.
    """
    rows = np.asarray(adapters, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != ADAPTER_SIZE:
        raise ValueError(f"adapters of shape {rows.shape}, expected (U, {ADAPTER_SIZE}): fit them anew")
    split = RANK * N_FEATURES
    return rows[:, :split].reshape(-1, RANK, N_FEATURES), rows[:, split:].reshape(-1, N_OBJECTIVES, RANK)


def adapted_logits(x: np.ndarray, user: np.ndarray, head: Head, adapters: np.ndarray) -> np.ndarray:
    """Logits of each decision under its user's head, float32 (D, 6).

    Parameters
    ----------
    x : ndarray of shape (D, 32)
    user : ndarray of shape (D,)
        Row of ``adapters`` of each decision.
    head : Head
    adapters : ndarray of shape (U, 76)
    """
    down, up = unpack(adapters)
    reduced = np.einsum("df,drf->dr", x, down[user])
    return head.logits(x) + np.einsum("dr,dkr->dk", reduced, up[user])
