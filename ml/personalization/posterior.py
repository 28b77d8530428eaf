"""From decisions under a user's head to his probabilities: mean responsibilities and the evidence for them.

What belongs here: the sums over a user's latest decisions, used alike for calibrating and for serving. What
does not: heads and adapters (``lora.py``), thresholds (``population.py``), frames (``serve.py``).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.personalization.evidence import MAX_REVEALED, RANDOM_PRIOR, population_vector
from ml.personalization.likelihood import decision_losses, mixed_log_p, responsibilities

LATEST_DECISIONS: Final = 250
PRIOR_STRENGTH: Final = 5.0  # decisions; as the population's share of the served mix (mix.py)


@dataclass(frozen=True, slots=True)
class Posterior:
    """What U users' decisions say.

    Attributes
    ----------
    probabilities : ndarray of shape (U, 6)
        (5 population + sum of responsibilities) / (5 + decisions); rows sum to 1.
    mean_evidence : ndarray of shape (U,)
        Nats a decision by which the mixture explains the choices better than the random trader.
    n_informative : ndarray of shape (U,)
        int64; decisions that count: weighed, among the latest 250.
    n_revealed : ndarray of shape (U,)
        Choices (four purchases as one), up to 100, times how far the random trader's probability fell
        below its prior, as ``evidence.Revealed.n_revealed``.
    """

    probabilities: np.ndarray
    mean_evidence: np.ndarray
    n_informative: np.ndarray
    n_revealed: np.ndarray


def user_posteriors(
    logits: np.ndarray,
    log_p: np.ndarray,
    user: np.ndarray,
    weights: np.ndarray,
    strength: np.ndarray,
    *,
    users: int,
    random_share: float,
) -> Posterior:
    """Sum responsibilities and evidence over each user's latest decisions.

    Parameters
    ----------
    logits : ndarray of shape (D, 6)
        Of each decision under its user's head.
    log_p : ndarray of shape (D, 7)
        From a choice model.
    user : ndarray of shape (D,)
        0 to U - 1, not decreasing; a user's decisions in the order of time.
    weights, strength : ndarray of shape (D,)
        Weight in the sums, 0 = left out; what the decision adds to ``n_revealed``.
    users : int
        U.
    random_share : float
        e.

    Returns
    -------
    Posterior
    """
    kept = _latest(user, weights, users)
    mixed = mixed_log_p(log_p[kept], random_share)
    weight, owner = weights[kept], user[kept]
    share = weight[:, None] * responsibilities(logits[kept], mixed)
    gained = weight * (-decision_losses(logits[kept], mixed) - log_p[kept, -1])
    mass = np.bincount(owner, weight, minlength=users)
    evidence = np.bincount(owner, gained, minlength=users)
    sums = np.column_stack([np.bincount(owner, column, minlength=users) for column in share.T])
    # The random trader's posterior share; the constant bounds exp without moving the result.
    odds = np.exp(np.clip(evidence, -50.0, 50.0)) * (1.0 - RANDOM_PRIOR) / RANDOM_PRIOR
    random = np.where(mass > 0, 1.0 / (1.0 + odds), RANDOM_PRIOR)
    revealed = np.minimum(np.bincount(owner, weight * strength[kept], minlength=users), MAX_REVEALED)
    return Posterior(
        probabilities=(sums + PRIOR_STRENGTH * population_vector()) / (mass + PRIOR_STRENGTH)[:, None],
        mean_evidence=np.divide(evidence, mass, out=np.zeros(users), where=mass > 0),
        n_informative=np.bincount(owner, minlength=users),
        n_revealed=revealed * np.maximum(1.0 - random / RANDOM_PRIOR, 0.0),
    )


def _latest(user: np.ndarray, weights: np.ndarray, users: int) -> np.ndarray:
    """Rows of weight above 0 among each user's latest 250 such."""
    kept = np.flatnonzero(weights > 0)
    counts = np.bincount(user[kept], minlength=users)
    ends = np.cumsum(counts)
    from_end = ends[user[kept]] - np.arange(len(kept))
    return kept[from_end <= LATEST_DECISIONS]
