"""Active share against a plain sum over all assets and cash."""

import numpy as np
import polars as pl
import pytest

from ml.policy.alarms import MIN_ACTIVE_SHARE, MIN_ACTIVE_SHARE_OF, active_shares
from ml.types import CASH_ASSET_ID, OBJECTIVES

ASSETS = [f"A{i}" for i in range(5)]


def _weights(account: str, weights: list[float]) -> pl.DataFrame:
    """Rows as they are served: no row for an asset of weight 0, always one for cash."""
    rows = [(account, a, w) for a, w in zip([*ASSETS, CASH_ASSET_ID], weights, strict=True)]
    kept = [row for row in rows if row[2] > 0 or row[1] == CASH_ASSET_ID]
    return pl.DataFrame(kept, schema=["account_id", "asset_id", "target_weight"], orient="row")


def _portfolio(account: str, objective: str, status: str = "ok") -> dict[str, object]:
    return {"account_id": account, "status": status} | {
        f"p_{name}": 0.9 if name == objective else 0.02 for name in OBJECTIVES
    }


def test_equal_weight_is_zero_and_one_name_is_nearly_one() -> None:
    weights = pl.concat([_weights("a", [0.2] * 5 + [0.0]), _weights("b", [1.0, 0, 0, 0, 0, 0])])
    portfolios = pl.DataFrame([_portfolio("a", "long_term_gain"), _portfolio("b", "short_term_alpha")])
    table = active_shares(weights, portfolios, len(ASSETS))
    assert table["objective"].to_list() == ["short_term_alpha", "long_term_gain"]
    assert table["active_share"].to_list() == pytest.approx([0.8, 0.0])


def test_random_portfolios_against_the_definition() -> None:
    draws = np.random.default_rng(1).dirichlet(np.full(6, 0.4), 30)
    draws[draws < 0.05] = 0
    draws /= draws.sum(axis=1, keepdims=True)
    weights = pl.concat([_weights(f"a{i}", list(row)) for i, row in enumerate(draws)])
    portfolios = pl.DataFrame([_portfolio(f"a{i}", "tax_loss_harvesting") for i in range(30)])
    expected = 0.5 * (np.abs(draws[:, :5] - 0.2).sum(axis=1) + draws[:, 5])
    table = active_shares(weights, portfolios, len(ASSETS))
    assert table["active_share"][0] == pytest.approx(expected.mean())
    assert table["floor"].to_list() == [MIN_ACTIVE_SHARE_OF["tax_loss_harvesting"]]


def test_accounts_without_a_recommendation_do_not_count() -> None:
    portfolios = pl.DataFrame(
        [_portfolio("a", "long_term_gain"), _portfolio("b", "long_term_gain", "restricted")]
    )
    table = active_shares(_weights("a", [0.2] * 5 + [0.0]), portfolios, len(ASSETS))
    assert table["accounts"].to_list() == [1]
    assert table["floor"].to_list() == [MIN_ACTIVE_SHARE]
