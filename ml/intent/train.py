"""``python -m ml.intent.train [--out DIR]``: fit the objective classifier from the paraphrase grammar.

What belongs here: fitting, and the scores that the checkpoint records. What does not: features
(``classifier.py``), training texts (``paraphrases.py``).
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from ml.checkpoint import save_checkpoint
from ml.intent.classifier import BUCKETS, NGRAM_RANGE, WEIGHTS, count_ngrams, weigh
from ml.intent.paraphrases import training_texts

SEED: Final = 7
TEXTS_PER_LABEL: Final = 1500
HELD_OUT_SEED: Final = 8
HELD_OUT_PER_LABEL: Final = 200
INVERSE_REGULARISATION: Final = 20.0
MAX_ITERATIONS: Final = 500


def fit(texts: list[str], labels: list[str]) -> tuple[list[str], dict[str, np.ndarray]]:
    """Fit a softmax over hashed n-grams.

    Returns
    -------
    labels : list of str
        In the order of the columns.
    tensors : dict of str to ndarray
        inverse_frequency [BUCKETS], weights [BUCKETS, labels] and intercepts [labels], float32.
    """
    counts = count_ngrams(texts)
    present = np.bincount(counts.indices, minlength=BUCKETS)  # a text's buckets are distinct
    inverse_frequency = np.where(present > 0, np.log((1.0 + len(texts)) / (1.0 + present)) + 1.0, 0.0)
    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=MAX_ITERATIONS)
    model.fit(weigh(counts, inverse_frequency), labels)
    tensors = {
        "inverse_frequency": inverse_frequency.astype(np.float32),
        "weights": model.coef_.T.astype(np.float32),
        "intercepts": np.asarray(model.intercept_, dtype=np.float32),
    }
    return [str(label) for label in model.classes_], tensors


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ml.intent.train", description="Fit the objective classifier."
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="checkpoint folder to write")
    options = parser.parse_args(arguments)
    texts, labels = training_texts(TEXTS_PER_LABEL, SEED)
    print(f"fitting on {len(texts)} paraphrases of {len(set(labels))} labels ...", flush=True)
    columns, tensors = fit(texts, labels)
    held_out, truth = training_texts(HELD_OUT_PER_LABEL, HELD_OUT_SEED)
    features = weigh(count_ngrams(held_out), tensors["inverse_frequency"].astype(np.float64))
    predicted = np.array(columns)[np.argmax(features @ tensors["weights"] + tensors["intercepts"], axis=1)]
    accuracy = float(np.mean(predicted == np.array(truth)))
    digest = save_checkpoint(
        options.out,
        config={
            "labels": columns,
            "features": "char_wb n-grams, hashed, (1 + log count) * idf, unit length",
            "ngram_range": list(NGRAM_RANGE),
            "buckets": BUCKETS,
            "seed": SEED,
            "texts_per_label": TEXTS_PER_LABEL,
            "inverse_regularisation": INVERSE_REGULARISATION,
        },
        tensors=tensors,
        metrics={"paraphrases_held_out": len(held_out), "accuracy_held_out_paraphrases": round(accuracy, 4)},
    )
    print(f"accuracy on {len(held_out)} held-out paraphrases {accuracy:.1%}")
    print(f"wrote {options.out} (digest {digest[:12]})")
    print("next: python -m ml.intent.cases FILE.yaml --predictions OUT.jsonl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
