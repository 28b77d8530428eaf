"""Embedding statistics: the stored linear map from network outputs to embeddings as served.

What belongs here: fitting the map on training data, applying it. What does not: the network. The map is
part of the encoder: another map means other embeddings, thus another ``compatibility_id``.
"""

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
        Symmetric; inverse root of the covariance within dates plus a floor.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def apply(self, z: torch.Tensor, is_asset: torch.Tensor) -> torch.Tensor:
        """Embeddings as served, (..., 64); 0 where there is no asset."""
        return torch.where(is_asset[..., None], (z - self.mean) @ self.matrix, 0.0)

    def to(self, device: torch.device | str) -> "EmbeddingStatistics":
        """The same map on another device."""
        return EmbeddingStatistics(self.mean.to(device), self.matrix.to(device))


def fit_statistics(z: torch.Tensor, date: torch.Tensor, floor: float) -> EmbeddingStatistics:
    """Whitening of the differences between assets of one date (symmetric, so that axes keep their meaning).

    Within dates, because a portfolio chooses among the assets of one date: what all of them share then
    stays small beside what sets them apart.

    Parameters
    ----------
    z : Tensor of shape (n, 64)
        Network outputs of training cells.
    date : Tensor of shape (n,)
        int64, 0 .. number of dates - 1: which date each cell is of.
    floor : float
        Added to every variance: a direction without variance is not blown up.
    """
    z = z.double().cpu()
    date = date.cpu()
    n_dates = int(date.max()) + 1
    counts = torch.bincount(date, minlength=n_dates).clamp(min=1)[:, None]
    means = torch.zeros(n_dates, z.shape[1], dtype=z.dtype).index_add_(0, date, z) / counts
    rows = z - means[date]
    covariance = rows.T @ rows / max(len(rows) - n_dates, 1)
    values, vectors = torch.linalg.eigh(covariance)
    matrix = (vectors / (values.clamp(min=0) + floor).sqrt()) @ vectors.T
    return EmbeddingStatistics(z.mean(0).float(), matrix.float())
