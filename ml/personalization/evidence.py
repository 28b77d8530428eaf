"""What choices reveal: fixed rates per objective, likelihood against a random trader, and abstention.

What belongs here: the step from counts to probabilities. What does not: counting (``ml/features``),
the rates (``rates.py``) and their estimate (``calibration.py``), stated goals and the mix that is served (``mix.py``).

The model
---------
At a sale session something is sold among the lots that could be sold. An objective k sells a lot of
cell c in proportion to a fixed rate r_kc; a random trader's rate is 1 everywhere, so that what he
sells is what he happens to hold. Over a user's sessions with counts n_c and random expectations E_c
(both from ``ml.features.choices``), with N = sum n_c,

    p_k(c) = r_kc E_c / sum r_kc' E_c',    p_0(c) = E_c / N,
    log-evidence of k = T * sum_c n_c log( (1 - e) p_k(c) / p_0(c) + e ),

the same for purchases, whose cells are terciles of the last week's and month's return and of
volatility. e = 0.1 is the share of choices made for reasons of life beyond what the rates hold; T is
1 for sales and 1/4 for purchases, which repeat themselves. Seven classes compete: six objectives
under the population prior and the random trader, whose posterior share flows back to the population.
A buy-and-hold makes no choice, so that nothing is revealed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from ml.features.choices import BUY_CELLS, SALE_CELLS
from ml.personalization.rates import BUY_RATES, SALE_RATES
from ml.types import OBJECTIVES

# Prior shares of the objectives among households: most save for growth over years, few trade actively
# (two in three households of Barber and Odean 2000 turn over less than 3 % a month).
POPULATION: Final = {
    "short_term_alpha": 0.10,
    "short_term_gain": 0.15,
    "long_term_gain": 0.35,
    "capital_preservation": 0.20,
    "tax_loss_harvesting": 0.10,
    "long_term_gains_only": 0.10,
}
POPULATION_VERSION: Final = "prior-1"

RANDOM_PRIOR: Final = 0.5
LIFE_SHARE: Final = 0.1
# Purchases repeat themselves (a monthly plan, a favourite sector): four of them weigh as one sale.
SALE_TEMPER: Final = 1.0
BUY_TEMPER: Final = 0.25
MAX_REVEALED: Final = 100.0
IDENTIFIED_PROBABILITY: Final = 0.70
IDENTIFIED_EVIDENCE: Final = 0.02  # nats over the random trader per choice, weighed as above


@dataclass(frozen=True, slots=True)
class Revealed:
    """What the trades of U users reveal.

    Attributes
    ----------
    user_ids : list of str
        U ids, in the order of the counts.
    probabilities : ndarray of shape (U, 6)
        Over :data:`ml.types.OBJECTIVES`; the population where nothing is revealed. Rows sum to 1.
    n_revealed : ndarray of shape (U,)
        Choices (four purchases as one), up to 100, times how far the random trader's probability
        fell below its prior: 0 where he explains them as well as anyone.
    n_choices : ndarray of shape (U,)
        Choices seen, uncapped.
    identified : ndarray of shape (U,)
        bool: largest probability and mean evidence over the random trader both beyond their thresholds.
    confidence : ndarray of shape (U,)
        Largest probability.
    evidence : ndarray of shape (U, 6)
        Log-evidence of each objective against the random trader, tempered, in nats.
    """

    user_ids: list[str]
    probabilities: np.ndarray
    n_revealed: np.ndarray
    n_choices: np.ndarray
    identified: np.ndarray
    confidence: np.ndarray
    evidence: np.ndarray


def population_vector() -> np.ndarray:
    """Give the population's shares in the order of the objectives; shape (6,)."""
    return np.array([POPULATION[name] for name in OBJECTIVES])


def revealed_probabilities(counts: pl.DataFrame) -> Revealed:
    """Turn counts of choices into probabilities over the objectives.

    Parameters
    ----------
    counts : polars.DataFrame
        From :func:`ml.features.behaviour.behaviour_counts`.

    Returns
    -------
    Revealed
    """
    sold = read_cells(counts, "sold__", "sold_expected__", SALE_CELLS)
    bought = read_cells(counts, "bought__", "bought_expected__", BUY_CELLS)
    sale_rates = np.array([np.ravel(SALE_RATES[name]) for name in OBJECTIVES])
    buy_rates = np.array([np.ravel(BUY_RATES[name]) for name in OBJECTIVES])
    evidence = SALE_TEMPER * log_evidence(*sold, sale_rates) + BUY_TEMPER * log_evidence(*bought, buy_rates)
    choices = sold[0].sum(axis=1) + bought[0].sum(axis=1)
    weighed = SALE_TEMPER * sold[0].sum(axis=1) + BUY_TEMPER * bought[0].sum(axis=1)
    population = population_vector()
    prior = np.append((1.0 - RANDOM_PRIOR) * population, RANDOM_PRIOR)
    # The constant shift keeps exp within range; it cancels in the posterior.
    score = np.log(prior) + np.column_stack([evidence, np.zeros(len(evidence))])
    posterior = np.exp(score - score.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    random = posterior[:, -1]
    probabilities = posterior[:, :-1] + random[:, None] * population
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    mean_evidence = evidence.max(axis=1) / np.maximum(weighed, 1.0)
    confidence = probabilities.max(axis=1)
    return Revealed(
        user_ids=counts["user_id"].to_list(),
        probabilities=probabilities,
        n_revealed=np.minimum(weighed, MAX_REVEALED) * np.maximum(1.0 - random / RANDOM_PRIOR, 0.0),
        n_choices=choices,
        identified=(confidence >= IDENTIFIED_PROBABILITY) & (mean_evidence >= IDENTIFIED_EVIDENCE),
        confidence=confidence,
        evidence=evidence,
    )


def log_evidence(chosen: np.ndarray, expected: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Log-likelihood of each objective's choices over that of a random trader, untempered.

    Parameters
    ----------
    chosen, expected : ndarray of shape (U, C)
        Counts per cell and what random choices would give; equal row sums.
    rates : ndarray of shape (6, C)
        Positive rates per objective and cell.

    Returns
    -------
    ndarray of shape (U, 6)
        0 where nothing was chosen.
    """
    total = expected.sum(axis=1)
    scale = np.divide(
        expected @ rates.T, total[:, None], out=np.ones((len(expected), len(rates))), where=total[:, None] > 0
    )
    ratio = (1.0 - LIFE_SHARE) * rates[None, :, :] / scale[:, :, None] + LIFE_SHARE
    return np.einsum("uc,ukc->uk", chosen, np.log(ratio))


def read_cells(
    counts: pl.DataFrame, prefix: str, expected: str, cells: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Read chosen and expected counts; both of shape (U, C)."""
    return (
        counts.select(f"{prefix}{cell}" for cell in cells)
        .to_numpy()
        .astype(np.float64)
        .reshape(-1, len(cells)),
        counts.select(f"{expected}{cell}" for cell in cells)
        .to_numpy()
        .astype(np.float64)
        .reshape(-1, len(cells)),
    )
