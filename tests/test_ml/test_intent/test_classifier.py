"""The objective classifier: its training texts, its reproducibility, and what it adds to the grammar."""

import random
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml

from ml.intent import combine
from ml.intent.cases import predict, score
from ml.intent.classifier import count_ngrams, shipped_classifier, weigh
from ml.intent.paraphrases import NONE_LABEL, expand, mistype, training_texts
from ml.intent.parse import parse_goal
from ml.intent.train import SEED, TEXTS_PER_LABEL, fit
from ml.types import OBJECTIVES

HERE = Path(__file__).parent


def statements(name):
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


class TestParaphrases:
    def test_every_objective_and_none_has_texts_and_no_markup_is_left(self):
        texts, labels = training_texts(40, 3)
        assert set(labels) == {*OBJECTIVES, NONE_LABEL}
        assert not [text for text in texts if set("[]|<>") & set(text)]
        assert len(set(texts)) > 0.95 * len(texts)

    def test_a_seed_names_the_texts(self):
        assert training_texts(5, 1) == training_texts(5, 1)
        assert training_texts(5, 1) != training_texts(5, 2)

    def test_choices_nest(self):
        assert {expand("[a[1|2]|b]", random.Random(seed)) for seed in range(50)} == {"a1", "a2", "b"}

    def test_a_slip_changes_one_word(self):
        for seed in range(50):
            before, after = (
                "keep growing my money".split(),
                mistype("keep growing my money", random.Random(seed)).split(),
            )
            assert sum(a != b for a, b in zip(before, after, strict=True)) <= 1

    @pytest.mark.parametrize("name", ["cases.yaml", "statements.yaml", "statements_held_out.yaml"])
    def test_no_statement_is_a_training_text(self, name):
        texts = set(training_texts(TEXTS_PER_LABEL, SEED)[0])
        known = {" ".join(case["text"].lower().split()).rstrip(".") for case in statements(name)["cases"]}
        assert not {text for text in known if len(text.split()) > 3} & texts


class TestTraining:
    def test_the_shipped_weights_are_those_that_the_command_fits(self):
        model = shipped_classifier()
        labels, tensors = fit(*training_texts(TEXTS_PER_LABEL, SEED))
        assert tuple(labels) == model.labels
        np.testing.assert_allclose(tensors["inverse_frequency"], model.inverse_frequency, atol=1e-6)
        texts = [case["text"].lower() for case in statements("statements_held_out.yaml")["cases"]]
        features = weigh(count_ngrams(texts), tensors["inverse_frequency"].astype(float))
        scores = features @ tensors["weights"] + tensors["intercepts"]
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        np.testing.assert_allclose(
            scores / scores.sum(axis=1, keepdims=True), model.probabilities(texts), atol=0.02
        )

    def test_rows_are_probabilities_whatever_the_text(self):
        rows = shipped_classifier().probabilities(["", "\x00", "a" * 100_000, "🚀", "grow my money"])
        assert np.isfinite(rows).all() and (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1.0)


class TestCombination:
    def objectives(self, name):
        document = statements(name)
        found = score(document["cases"], [predict(case) for case in document["cases"]], [])["fields"][
            "objective"
        ]
        return found[0] / found[1]

    @pytest.mark.parametrize("name", ["statements.yaml", "statements_held_out.yaml"])
    def test_both_together_are_better_than_either(self, name, monkeypatch):
        together = self.objectives(name)
        cases = statements(name)["cases"]
        model = shipped_classifier()
        best = [
            model.labels[i] for i in model.probabilities([c["text"].lower() for c in cases]).argmax(axis=1)
        ]
        lines = [
            {"id": case["id"], "intent": {"objective": None if label == NONE_LABEL else label}}
            for case, label in zip(cases, best, strict=True)
        ]
        alone = score(cases, lines, [])["fields"]["objective"]
        monkeypatch.setattr(combine, "WHOLE_CUT_OFF", 2.0)
        monkeypatch.setattr(combine, "SENTENCE_CUT_OFF", 2.0)
        grammar = self.objectives(name)
        assert together > max(grammar, alone[0] / alone[1]) + 0.03

    def test_what_is_declined_is_not_taken_from_the_classifier(self):
        intent = parse_goal(
            "Harvesting losses isn't important to me. Give me growth for a decade.", date(2026, 1, 5)
        )
        assert (intent.objective, intent.tax.harvest_losses) == ("long_term_gain", False)
