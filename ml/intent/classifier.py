"""The trained classifier of the objective: hashed character n-grams and a softmax.

What belongs here: features, loading and probabilities. What does not: fitting (``train.py``), when
its word counts (``parse.py``).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from ml.checkpoint import load_checkpoint

WEIGHTS: Final = Path(__file__).resolve().parents[1] / "weights" / "intent"
BUCKETS: Final = 2**15
NGRAM_RANGE: Final = (3, 5)
MAX_CLASSIFIED_CHARS: Final = 600

_HASHING: Final = HashingVectorizer(
    analyzer="char_wb",
    ngram_range=NGRAM_RANGE,
    n_features=BUCKETS,
    alternate_sign=False,
    norm=None,  # type: ignore[arg-type] - None is documented; the stub says str
)


def count_ngrams(texts: list[str]) -> sparse.csr_matrix:
    """Count hashed character n-grams within word borders, float64 [N, BUCKETS]."""
    return sparse.csr_matrix(_HASHING.transform([text[:MAX_CLASSIFIED_CHARS] for text in texts]))


def weigh(counts: sparse.csr_matrix, inverse_frequency: np.ndarray) -> sparse.csr_matrix:
    """Turn counts into unit vectors of (1 + log count) * inverse document frequency."""
    weighted = counts.copy()
    weighted.data = (1.0 + np.log(weighted.data)) * inverse_frequency[weighted.indices]
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return sparse.diags(scale).dot(weighted).tocsr()


@dataclass(frozen=True)
class ObjectiveClassifier:
    """A fitted classifier.

    Attributes
    ----------
    labels : tuple of str
        Objectives and ``none``, in the order of the columns.
    inverse_frequency : ndarray of shape (BUCKETS,)
    weights : ndarray of shape (BUCKETS, len(labels))
    intercepts : ndarray of shape (len(labels),)
    digest : str
        Of its checkpoint.
    """

    labels: tuple[str, ...]
    inverse_frequency: np.ndarray
    weights: np.ndarray
    intercepts: np.ndarray
    digest: str

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Probability of each label, float64 [N, len(labels)]; rows sum to 1."""
        features = weigh(count_ngrams(texts), self.inverse_frequency)
        scores = features @ self.weights + self.intercepts
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)


@cache
def shipped_classifier() -> ObjectiveClassifier:
    """Load the weights that ship with the package, once.

    Raises
    ------
    ml.checkpoint.CheckpointError
        The folder is incomplete or altered.
    """
    checkpoint = load_checkpoint(WEIGHTS)
    tensors = checkpoint.tensors
    return ObjectiveClassifier(
        labels=tuple(checkpoint.config["labels"]),
        inverse_frequency=tensors["inverse_frequency"].astype(np.float64),
        weights=tensors["weights"].astype(np.float64),
        intercepts=tensors["intercepts"].astype(np.float64),
        digest=checkpoint.digest,
    )
