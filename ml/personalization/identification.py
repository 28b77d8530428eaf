"""Who counts as identified: thresholds chosen on users whose truth is known, and the figures that judge them.

What belongs here: accuracy, identified shares, the choice of thresholds. What does not: probabilities and
evidence (``posterior.py``), training (``population.py``).
"""

from typing import Final

import numpy as np

from ml.personalization.posterior import Posterior
from ml.types import OBJECTIVES

_PROBABILITIES: Final = tuple(round(0.30 + 0.02 * i, 2) for i in range(33))
_EVIDENCES: Final = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08)


def choose_thresholds(
    posterior: Posterior, archetypes: np.ndarray, *, placebo_share: float, accuracy: float
) -> tuple[float, float, dict[str, float]]:
    """Choose the thresholds that identify most users within the limits on placebos and errors.

    Parameters
    ----------
    posterior : Posterior
        Of U users whose truth is known.
    archetypes : ndarray of shape (U,)
        str; names of objectives or placebos.
    placebo_share : float
        At most this share of the placebos may be identified.
    accuracy : float
        At least this share of the identified must be right.

    Returns
    -------
    probability_threshold, evidence_threshold : float
        The strictest pair where no pair keeps the limits.
    figures : dict of str to float
        What the pair gives: identified_share, accuracy_of_identified, random_trader,
        buy_and_hold and placebos.
    """
    best, best_figures = (_PROBABILITIES[-1], _EVIDENCES[-1]), {"identified_share": -1.0}
    confidence, seen = posterior.probabilities.max(axis=1), posterior.n_informative > 0
    for probability in _PROBABILITIES:
        for evidence in _EVIDENCES:
            identified = seen & (confidence >= probability) & (posterior.mean_evidence >= evidence)
            figures = identification_figures(posterior.probabilities, identified, archetypes)
            keeps = figures["placebos"] <= placebo_share and figures["accuracy_of_identified"] >= accuracy
            if keeps and figures["identified_share"] > best_figures["identified_share"]:
                best, best_figures = (probability, evidence), figures
    if best_figures["identified_share"] < 0:
        identified = seen & (confidence >= best[0]) & (posterior.mean_evidence >= best[1])
        best_figures = identification_figures(posterior.probabilities, identified, archetypes)
    return *best, best_figures


def identification_figures(
    probabilities: np.ndarray, identified: np.ndarray, archetypes: np.ndarray
) -> dict[str, float]:
    """Accuracy and identified shares; 0 where a group is empty.

    Returns
    -------
    dict of str to float
        accuracy (largest probability is the archetype's), log_loss, identified_share and
        accuracy_of_identified over users with an objective; the identified share of random_trader, of
        buy_and_hold and of both together (placebos).
    """
    own = np.array([OBJECTIVES.index(name) if name in OBJECTIVES else -1 for name in archetypes])
    has = own >= 0
    right = probabilities.argmax(axis=1) == own

    def mean(values: np.ndarray) -> float:
        return float(values.mean()) if len(values) else 0.0

    return {
        "accuracy": mean(right[has]),
        "log_loss": mean(-np.log(np.maximum(probabilities[has, own[has]], 1e-12))),
        "identified_share": mean(identified[has]),
        "accuracy_of_identified": mean(right[has & identified]),
        "random_trader": mean(identified[archetypes == "random_trader"]),
        "buy_and_hold": mean(identified[archetypes == "buy_and_hold"]),
        "placebos": mean(identified[np.isin(archetypes, ("random_trader", "buy_and_hold"))]),
    }
