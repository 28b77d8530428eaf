"""How a computation runs, where that can change its last bits.

What belongs here: thread counts. What does not: seeds, which are arguments of what uses them.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def fixed_threads(count: int) -> Iterator[None]:
    """Run torch with a fixed number of threads: sums of floats depend on how they are split.

    Parameters
    ----------
    count : int
        Threads of each operation, >= 1; what was set before is set again afterwards.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
