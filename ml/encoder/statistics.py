"""Embedding statistics: the stored linear map from network outputs to embeddings as served.

What belongs here: fitting the map on training data, applying it. What does not: the network. The map is
part of the encoder: another map means other embeddings, thus another ``compatibility_id``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class EmbeddingStatistics:
    """z as served = (z - mean) @ matrix.

    Attributes
    ----------
    mean : Tensor of shape (64,)
        Over training cells.
    matrix : Tensor of shape (64, 64)
        Symmetric; inverse root of a covariance plus a floor.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def apply(self, z: torch.Tensor, is_asset: torch.Tensor) -> torch.Tensor:
        """Embeddings as served, (..., 64); 0 where there is no asset."""
        return torch.where(is_asset[..., None], (z - self.mean) @ self.matrix, 0.0)

    def to(self, device: torch.device | str) -> "EmbeddingStatistics":
        """The same map on another device."""
        return EmbeddingStatistics(self.mean.to(device), self.matrix.to(device))


def fit_statistics(
    z: torch.Tensor, group: torch.Tensor, floor: float, between_weight: float
) -> EmbeddingStatistics:
    """Symmetric whitening (axes keep their meaning) of the differences between assets of one group.

    The covariance is that within groups plus `between_weight` times that of the groups' means: a direction
    that all assets of a date and class share, such as the state of the market or the class itself, sets none
    of them apart and is scaled down, or the assets of a universe of one class would all point one way. The
    map stays linear and invertible, so nothing is lost.

    Parameters
    ----------
    z : Tensor of shape (n, 64)
        Network outputs of training cells.
    group : Tensor of shape (n,)
        int64, not negative: which date and class each cell is of; every cell counts alike.
    floor : float
        Added to every variance: a direction without variance is not blown up.
    between_weight : float
        1 whitens the total covariance.
    """
    z = z.double().cpu()
    _, group = torch.unique(group.cpu(), return_inverse=True)
    n_groups = int(group.max()) + 1
    counts = torch.bincount(group, minlength=n_groups)[:, None]
    means = torch.zeros(n_groups, z.shape[1], dtype=z.dtype).index_add_(0, group, z) / counts
    rows = z - means[group]
    centre = z.mean(0)
    spread = (means - centre) * counts.sqrt()
    within = rows.T @ rows / max(len(rows) - n_groups, 1)
    return _whitening(centre, within + between_weight * spread.T @ spread / len(rows), floor)


def fit_shared_statistics(
    sources: Sequence[tuple[torch.Tensor, torch.Tensor, float]], floor: float, between_weight: float
) -> EmbeddingStatistics:
    """The same map, where sources of unlike size count by their shares and not by their cells.

    Parameters
    ----------
    sources : sequence of (z, group, share)
        As `z` and `group` of :func:`fit_statistics`, and how much the source counts, above 0; shares need not
        sum to 1. Groups of different sources are different.
    floor, between_weight : float
        As there.
    """
    total = sum(share for _, _, share in sources)
    centre = sum(share / total * z.double().mean(0) for z, _, share in sources)
    covariance = torch.zeros(len(centre), len(centre), dtype=torch.float64)
    for z, group, share in sources:
        z = z.double()
        _, place, counts = torch.unique(group, return_inverse=True, return_counts=True)
        means = torch.zeros(len(counts), z.shape[1], dtype=z.dtype).index_add_(0, place, z) / counts[:, None]
        rows, spread = z - means[place], (means - centre)[place]
        covariance += share / total * (rows.T @ rows + between_weight * spread.T @ spread) / len(z)
    return _whitening(centre, covariance, floor)


def _whitening(centre: torch.Tensor, covariance: torch.Tensor, floor: float) -> EmbeddingStatistics:
    values, vectors = torch.linalg.eigh(covariance)
    matrix = (vectors / (values.clamp(min=0) + floor).sqrt()) @ vectors.T
    return EmbeddingStatistics(centre.float(), matrix.float())
