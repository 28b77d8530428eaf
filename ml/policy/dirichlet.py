"""The Dirichlet over tradeable assets and cash that PPO acts with.

What belongs here: sampling, log-density and entropy under a mask. What does not: its mean
(``model.mean_weights``) and its concentration (``MoEPolicy.log_kappa``).

Without a mask, density and entropy have the bits of ``torch.distributions.Dirichlet``, gradients too: the
same operations in the same order, on one tensor.
"""

from dataclasses import dataclass
from typing import Final

import torch

ALPHA_MIN: Final = 0.05
SHARE_MIN: Final = 1e-6
"""Sampled shares are clipped here and renormalised before the density is taken."""


def standard_gamma(alpha: torch.Tensor, generator: torch.Generator | None) -> torch.Tensor:
    """Gamma draws of scale 1; ``torch.distributions.Gamma`` takes no generator."""
    return torch._standard_gamma(alpha, generator=generator)  # pyright: ignore[reportPrivateImportUsage]


@dataclass(frozen=True, slots=True)
class MaskedDirichlet:
    """Dirichlet over the entries of a mask; the other entries are no part of it.

    Attributes
    ----------
    alpha : Tensor of shape (B, M)
        Concentrations, > 0; 1 outside the mask, where they then add 0 to everything.
    mask : Tensor of shape (B, M)
        bool, at least one True a row.
    """

    alpha: torch.Tensor
    mask: torch.Tensor

    @classmethod
    def around(cls, mean: torch.Tensor, kappa: torch.Tensor, mask: torch.Tensor) -> "MaskedDirichlet":
        """Concentrations ``max(kappa * mean, 0.05)``, the mean renormalised over the mask."""
        inside = torch.where(mask, mean, 0)
        inside = inside / inside.sum(-1, keepdim=True).clamp(min=1e-12)
        return cls(torch.where(mask, (kappa[:, None] * inside).clamp(min=ALPHA_MIN), 1), mask)

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Shares (B, M), 0 outside the mask, each >= about 1e-6 inside, rows summing to 1."""
        gamma = standard_gamma(self.alpha.detach(), generator)
        return self._clipped(torch.where(self.mask, gamma, 0))

    def _clipped(self, raw: torch.Tensor) -> torch.Tensor:
        share = raw / raw.sum(-1, keepdim=True).clamp(min=1e-30)
        share = torch.where(self.mask, share.clamp(min=SHARE_MIN), 0)
        return share / share.sum(-1, keepdim=True)

    def log_prob(self, share: torch.Tensor) -> torch.Tensor:
        """Log density of shares inside the mask, (B,)."""
        spread = torch.xlogy(self.alpha - 1, share).sum(-1)
        return spread + torch.lgamma(self._total()) - torch.lgamma(self.alpha).sum(-1)

    def entropy(self) -> torch.Tensor:
        """Differential entropy, (B,)."""
        total, count = self._total(), self.mask.sum(-1)
        beta = torch.lgamma(self.alpha).sum(-1) - torch.lgamma(total)
        spread = (count - total) * torch.digamma(total)
        return beta - spread - ((self.alpha - 1) * torch.digamma(self.alpha)).sum(-1)

    def _total(self) -> torch.Tensor:
        return torch.where(self.mask, self.alpha, 0).sum(-1)
