"""The Dirichlet rule worked by hand, and the rows of ml.user_mixes."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.behaviour import BEHAVIOUR_SCHEMA
from ml.features.choices import SALE_CELLS
from ml.personalization.evidence import POPULATION, population_vector
from ml.personalization.mix import MIX_SCHEMA, dirichlet_mix, stated_strength, stated_vectors, user_mixes
from ml.types import OBJECTIVES

NIGHT = date(2022, 12, 28)


def counts_of(users: dict[str, dict[str, float]]) -> pl.DataFrame:
    rows = [{"user_id": user, **values} for user, values in users.items()]
    frame = pl.DataFrame(rows, schema=BEHAVIOUR_SCHEMA)
    numeric = [name for name, dtype in BEHAVIOUR_SCHEMA.items() if dtype.is_numeric()]
    return frame.with_columns(pl.col(numeric).fill_null(0))


def intents_of(*rows: tuple[str, datetime, str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "statement_id": [f"s{i}" for i in range(len(rows))],
            "user_id": [row[0] for row in rows],
            "stated_at": [row[1] for row in rows],
            "objective": [row[2] for row in rows],
            "secondary": [row[3] for row in rows],
        },
        schema={
            "statement_id": pl.String,
            "user_id": pl.String,
            "stated_at": pl.Datetime("us", "UTC"),
            "objective": pl.String,
            "secondary": pl.String,
        },
    )


def users_of(*ids: str) -> pl.DataFrame:
    return pl.DataFrame({"user_id": list(ids)}, schema={"user_id": pl.String})


class TestRule:
    def test_worked_by_hand(self):
        # 20 choices reveal short_term_alpha; growth and harvesting stated 18 months ago (25 left).
        revealed = np.array([[1.0, 0, 0, 0, 0, 0]])
        stated = stated_vectors(np.array([2]), np.array([4]))
        n_stated = stated_strength(np.array([18 * 365.25 / 12]))
        mix = dirichlet_mix(revealed, np.array([20.0]), stated, n_stated)
        expected = np.array(
            [
                5 * 0.10 + 20,  # short_term_alpha
                5 * 0.15,
                5 * 0.35 + 25 * 0.8,  # long_term_gain
                5 * 0.20,
                5 * 0.10 + 25 * 0.2,  # tax_loss_harvesting
                5 * 0.10,
            ]
        )
        np.testing.assert_allclose(mix[0], expected / 50.0, atol=1e-12)

    def test_strength_halves_every_eighteen_months(self):
        month = 365.25 / 12
        np.testing.assert_allclose(
            stated_strength(np.array([0, 18 * month, 36 * month, np.nan, -3])), [50, 25, 12.5, 0, 50]
        )

    def test_a_primary_alone_counts_in_full(self):
        vectors = stated_vectors(np.array([0, 1, -1, 3]), np.array([-1, 1, 2, 5]))
        np.testing.assert_allclose(vectors[0], [1, 0, 0, 0, 0, 0])
        np.testing.assert_allclose(vectors[1], [0, 1, 0, 0, 0, 0])
        np.testing.assert_allclose(vectors[2], 0)
        np.testing.assert_allclose(vectors[3], [0, 0, 0, 0.8, 0, 0.2])

    @settings(max_examples=30, deadline=None)
    @given(st.integers(0, 10_000))
    def test_always_a_simplex_between_its_parts(self, seed):
        rng = np.random.default_rng(seed)
        revealed, stated = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(6), 4)
        mix = dirichlet_mix(revealed, rng.uniform(0, 100, 4), stated, rng.uniform(0, 50, 4))
        np.testing.assert_allclose(mix.sum(axis=1), 1.0, atol=1e-12)
        parts = np.stack([revealed, stated, np.tile(population_vector(), (4, 1))])
        assert (mix <= parts.max(axis=0) + 1e-12).all()
        assert (mix >= parts.min(axis=0) - 1e-12).all()


class TestRows:
    def test_without_history_and_statement_the_population(self):
        row = user_mixes(users_of("u1", "u1"), counts_of({}), intents_of(), as_of_date=NIGHT)
        assert row.height == 1
        assert row.schema == pl.Schema(MIX_SCHEMA)
        record = row.row(0, named=True)
        assert {name: float(record[f"p_{name}"]) for name in OBJECTIVES} == pytest.approx(POPULATION)
        assert record["identified"] is False
        assert record["n_revealed"] == record["n_stated"] == 0.0
        for name in ("revealed_long_term_gain", "confidence", "disagreement", "stated_objective"):
            assert record[name] is None

    def test_statement_alone(self):
        stated = intents_of(("u1", datetime(2022, 12, 28, 15, tzinfo=UTC), "capital_preservation", None))
        record = user_mixes(users_of("u1"), counts_of({}), stated, as_of_date=NIGHT).row(0, named=True)
        assert record["stated_objective"] == "capital_preservation"
        assert record["n_stated"] == 50.0
        assert record["p_capital_preservation"] == Decimal("0.927272727")  # 51 / 55
        assert record["disagreement"] is None

    def test_latest_objective_wins_and_a_cash_note_does_not_revoke_it(self):
        intents = intents_of(
            ("u1", datetime(2020, 1, 2, tzinfo=UTC), "short_term_alpha", None),
            ("u1", datetime(2022, 1, 3, 15, tzinfo=UTC), "long_term_gain", "tax_loss_harvesting"),
            ("u1", datetime(2022, 6, 1, tzinfo=UTC), None, None),
            ("u1", datetime(2023, 1, 3, 15, tzinfo=UTC), "short_term_gain", None),
        )
        record = user_mixes(users_of("u1"), counts_of({}), intents, as_of_date=NIGHT).row(0, named=True)
        assert record["stated_objective"] == "long_term_gain"
        months = (NIGHT - date(2022, 1, 3)).days / (365.25 / 12)
        assert record["n_stated"] == pytest.approx(50 * 0.5 ** (months / 18), abs=1e-8)

    def test_disagreement_is_the_distance_of_stated_and_revealed(self):
        harvester = {
            "n_sale_choices": 60,
            "sold__21_120d_loss_5pct_on": 60.0,
            "sold_expected__21_120d_loss_5pct_on": 15.0,
            "sold_expected__21_120d_loss_below_5pct": 15.0,
            "sold_expected__21_120d_gain_5pct_on": 30.0,
        }
        stated = intents_of(("u1", datetime(2022, 12, 27, 15, tzinfo=UTC), "short_term_alpha", None))
        record = user_mixes(users_of("u1"), counts_of({"u1": harvester}), stated, as_of_date=NIGHT).row(
            0, named=True
        )
        assert record["identified"]
        assert record["revealed_tax_loss_harvesting"] > Decimal("0.9")
        assert record["confidence"] == record["revealed_tax_loss_harvesting"]
        assert record["disagreement"] == pytest.approx(
            1 - float(record["revealed_short_term_alpha"]), abs=1e-6
        )

    def test_rows_sum_to_exactly_one_and_repeat_to_the_byte(self):
        rng = np.random.default_rng(0)
        users = {}
        for i in range(40):
            sold = rng.integers(0, 10, len(SALE_CELLS)).astype(float)
            expected = rng.dirichlet(np.ones(len(SALE_CELLS))) * sold.sum()
            users[f"u{i:02d}"] = {f"sold__{c}": v for c, v in zip(SALE_CELLS, sold, strict=True)} | {
                f"sold_expected__{c}": v for c, v in zip(SALE_CELLS, expected, strict=True)
            }
        counts = counts_of(users)
        first = user_mixes(users_of(*users), counts, intents_of(), as_of_date=NIGHT)
        for prefix in ("p_", "revealed_"):
            totals = first.select(pl.sum_horizontal(f"{prefix}{name}" for name in OBJECTIVES)).to_series()
            assert totals.to_list() == [Decimal(1)] * 40
        assert first["user_id"].is_sorted()
        assert first.equals(
            user_mixes(users_of(*reversed(users)), counts.reverse(), intents_of(), as_of_date=NIGHT)
        )
