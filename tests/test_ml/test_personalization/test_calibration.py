"""The estimate recovers known rates, and the confusion table counts what it says."""

import numpy as np
import polars as pl
import pytest

from ml.features.behaviour import BEHAVIOUR_SCHEMA
from ml.features.choices import SALE_CELLS
from ml.personalization.calibration import confusion, estimate_rates
from ml.personalization.rates import SALE_RATES
from ml.types import OBJECTIVES


@pytest.fixture(scope="module")
def population():
    """Three hundred harvesters (a third of them mixed) and two hundred random traders."""
    rng = np.random.default_rng(0)
    rates = np.ravel(SALE_RATES["tax_loss_harvesting"])
    available = rng.dirichlet(np.full(len(SALE_CELLS), 0.7), 500)
    chance = np.where(np.arange(500)[:, None] < 300, available * rates, available)
    sold = rng.multinomial(60, chance / chance.sum(axis=1, keepdims=True))
    users = [f"u{i:03d}" for i in range(500)]
    columns = {"user_id": users}
    columns |= {f"sold__{cell}": sold[:, i].astype(float) for i, cell in enumerate(SALE_CELLS)}
    columns |= {f"sold_expected__{cell}": 60 * available[:, i] for i, cell in enumerate(SALE_CELLS)}
    counts = pl.DataFrame(columns)
    absent = [pl.lit(0).cast(t).alias(n) for n, t in BEHAVIOUR_SCHEMA.items() if n not in columns]
    truth = pl.DataFrame(
        {
            "user_id": users,
            "archetype": ["tax_loss_harvesting"] * 300 + ["random_trader"] * 200,
            "second_archetype": ["long_term_gain" if i < 100 else None for i in range(500)],
            "switch_to": pl.Series([None] * 500, dtype=pl.String),
        }
    )
    return counts.with_columns(absent).select(*BEHAVIOUR_SCHEMA), truth


def test_estimate_leaves_mixed_users_out_and_recovers_the_pattern(population):
    counts, truth = population
    sale_rates, buy_rates = estimate_rates(counts, truth)
    harvester = sale_rates[OBJECTIVES.index("tax_loss_harvesting")]
    pure = counts.filter(pl.col("user_id").is_between(pl.lit("u100"), pl.lit("u299")))
    sold, expected = (pure[f"{prefix}21_120d_loss_5pct_on"].sum() for prefix in ("sold__", "sold_expected__"))
    cell = SALE_CELLS.index("21_120d_loss_5pct_on")
    assert harvester[cell] == pytest.approx((sold + 50) / (expected + 50), abs=0.005)
    assert harvester.argmax() in [i for i, name in enumerate(SALE_CELLS) if name.endswith("loss_5pct_on")]
    # Nobody else was seen, and nobody bought: nothing moves from 1.
    assert (np.delete(sale_rates, OBJECTIVES.index("tax_loss_harvesting"), axis=0) == 1.0).all()
    assert (buy_rates == 1.0).all()


def test_confusion_counts_every_user_once(population):
    table = confusion(*population)
    for row in table.iter_rows(named=True):
        assert sum(row[name] for name in OBJECTIVES) + row["not_identified"] == row["users"]
    harvesters = table.row(by_predicate=pl.col("archetype") == "tax_loss_harvesting", named=True)
    placebo = table.row(by_predicate=pl.col("archetype") == "random_trader", named=True)
    assert harvesters["tax_loss_harvesting"] > 0.6 * harvesters["users"]
    assert placebo["not_identified"] >= 0.97 * placebo["users"]
    assert placebo["top_share"] is None
