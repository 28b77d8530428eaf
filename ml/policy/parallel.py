"""Data-parallel training: several processes, started by torchrun, each with its own portfolios.

What belongs here: who a process is, its share of a configuration, means over all processes. What does not: the loop
(``train.py``). Each process plays its own universes and averages gradients before they are clipped, so that all hold
the same weights after every step.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import torch
import torch.distributed as dist

from ml.policy.config import PolicyConfigError, TrainConfig


@dataclass(frozen=True, slots=True)
class Workers:
    """One of ``count`` processes.

    Attributes
    ----------
    rank : int
        0 writes, prints and evaluates.
    count : int
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def joined(cls, device: str = "cpu") -> "Workers":
        """The processes that torchrun started, joined over NCCL (GPUs) or gloo (CPU); alone without torchrun."""
        if not dist.is_available() or not dist.is_torchelastic_launched():
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if torch.device(device).type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size())

    def device(self, device: str) -> str:
        """The process's own device: ``cuda`` alone names a GPU a process."""
        if self.count > 1 and device == "cuda":
            return f"cuda:{self.rank % torch.cuda.device_count()}"
        return device

    def share(self, config: TrainConfig) -> TrainConfig:
        """What one process plays and learns from at once.

        Raises
        ------
        PolicyConfigError
            Universes or batches that do not divide.
        """
        names = ("universes", "batch", "warm_batch")
        for name in names:
            if getattr(config, name) % self.count:
                raise PolicyConfigError(
                    f"{name} is {getattr(config, name)}: {self.count} processes cannot share it evenly; take a multiple"
                )
        return replace(config, **{name: getattr(config, name) // self.count for name in names})

    def seed(self, entropy: list[int]) -> list[int]:
        """Entropy of the process's own draws; that of a process alone is as given."""
        return [*entropy, self.rank] if self.rank else entropy

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes."""
        if self.count == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = self.mean(torch.cat([grad.flatten() for grad in grads]))
        for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Mean of a tensor over the processes."""
        if self.count == 1:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total / self.count


ALONE: Final = Workers()


def leave() -> None:
    """End the process group, where there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
