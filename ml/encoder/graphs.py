"""Training steps as CUDA graphs: one launch a step instead of some two thousand.

A step of this small network is many short kernels, whose launching from Python takes ten times as long as
they run. Each batch shape is therefore captured once and replayed. What belongs here: capture, replay, the
short list of shapes. What does not: what a step does (``train.py``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch

from ml.encoder.config import TrainConfig

N_WIDTHS: Final = 7
_MULTIPLE: Final = 8

Step = Callable[[torch.Tensor, torch.Generator], dict[str, torch.Tensor]]
"""Cells (dates, width) on the device and a generator -> terms of the loss."""


def padded_shape(config: TrainConfig, assets: int) -> tuple[int, int]:
    """Dates and width of a batch of so many assets a date, from a short list.

    Widths grow by a constant factor from the fewest to the most assets, rounded up to multiples of 8; what a
    date lacks is padding. Every shape has about as many places.
    """
    few, many = config.fewest_assets_per_date, config.assets_per_date
    exact = np.geomspace(few, many, N_WIDTHS)
    widths = np.ceil(exact / _MULTIPLE - 1e-9).astype(int) * _MULTIPLE
    width = int(widths[np.searchsorted(widths, assets)])
    return max(1, round(config.dates_per_step * many / width)), width


@contextmanager
def side_stream(device: torch.device) -> Iterator[None]:
    """Work on a stream of its own, which graphs can be captured on; nothing on a CPU."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)


@dataclass
class _Captured:
    graph: torch.cuda.CUDAGraph
    cells: torch.Tensor
    terms: dict[str, torch.Tensor]


@dataclass
class GraphedSteps:
    """Runs steps; within :func:`side_stream`.

    Attributes
    ----------
    step : callable
        Must neither wait for the device nor copy from the host, and keep parameters and the optimiser's
        state where they are.
    device : torch.device
    """

    step: Step
    device: torch.device
    _shapes: dict[tuple[int, ...], _Captured | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take a generator and memory that all graphs share: they run one after the other."""
        self._generator = torch.Generator(self.device)
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, cells: np.ndarray, seed: int) -> dict[str, torch.Tensor]:
        """Run one step on cells (dates, width); the terms hold until the next step: graphs share their memory.

        The first step of each shape runs as it is: libraries take their memory and the optimiser its state
        there, which a graph must not do.
        """
        self._generator.manual_seed(seed)
        pinned = torch.from_numpy(cells).pin_memory()
        if cells.shape not in self._shapes:
            self._shapes[cells.shape] = None
            return self.step(pinned.to(self.device, non_blocking=True), self._generator)
        captured = self._shapes[cells.shape]
        if captured is None:
            captured = self._shapes[cells.shape] = self._capture(cells.shape)
        captured.cells.copy_(pinned, non_blocking=True)
        captured.graph.replay()
        return captured.terms

    def _capture(self, shape: tuple[int, ...]) -> _Captured:
        cells = torch.empty(shape, dtype=torch.int64, device=self.device)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)  # a replay draws from its seed of that moment
        with torch.cuda.graph(graph, pool=self._pool, stream=torch.cuda.current_stream(self.device)):
            terms = self.step(cells, self._generator)
        return _Captured(graph, cells, terms)
