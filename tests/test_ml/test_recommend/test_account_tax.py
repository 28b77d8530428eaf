"""What the night tells experts and policy of a tax unit's year: nets, what was carried in, what may be deducted."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from ml.recommend.policy_targets import _loss_limit_usd, _taxable_value, _year_so_far

ACCOUNTS = pl.DataFrame(
    {
        "user_id": ["u1", "u1", "u1", "u2", "u3"],
        "tax_unit_id": ["t1", "t1", "t1", "t2", "t3"],
        "is_tax_deferred": [False, False, True, False, False],
    }
)
YEARS = pl.DataFrame(
    {
        "tax_unit_id": ["t1", "t1", "t2", "t2"],
        "tax_year": [2021, 2022, 2022, 2021],
        # Schedule D of 2022: 500 of losses this year, and 4,000 carried in.
        "st_net_usd": [-7_000.0, -4_500.0, None, 100.0],
        "lt_net_usd": [0.0, 200.0, None, 0.0],
        "st_carryover_usd": [4_000.0, 1_300.0, None, 0.0],
        "lt_carryover_usd": [0.0, 0.0, None, 0.0],
    }
)


def test_carried_losses_count_once():
    """By hand: nets of the year alone, what came in beside them; lines 7 and 15 are their difference."""
    found, is_known = _year_so_far(ACCOUNTS, YEARS, 2022)
    np.testing.assert_allclose(found[:3], np.tile([-500.0, 200.0, 4_000.0], (3, 1)))
    assert found[0, :2].sum() - found[0, 2] == pytest.approx(-4_500.0 + 200.0)
    assert is_known.tolist() == [True, True, True, False, True]
    # A unit without a row has sold nothing; a year whose totals are refused says nothing.
    np.testing.assert_allclose(found[3:], 0.0)


def test_a_year_without_sales_keeps_what_was_carried_in():
    found, is_known = _year_so_far(ACCOUNTS, YEARS.filter(pl.col("tax_year") < 2022), 2022)
    np.testing.assert_allclose(found[0], [0.0, 0.0, 4_000.0])
    assert is_known.all()


def test_the_parts_of_a_unit_add_up_to_its_room():
    book = SimpleNamespace(value=np.array([60_000.0, 40_000.0, 500_000.0, 10_000.0, 0.0]))
    value = _taxable_value(ACCOUNTS, book)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(value[:4], [100_000.0, 100_000.0, 500_000.0, 10_000.0])
    assert value[4] > 0
    limit = _loss_limit_usd(ACCOUNTS, USERS, 2022) / value
    assert (limit[:2] * book.value[:2]).sum() == pytest.approx(3_000.0)


USERS = pl.DataFrame(
    {
        "user_id": ["u1", "u2", "u2", "u3"],
        "tax_year": [None, 2020, 2023, 2022],
        "filing_status": ["single", "married_separate", "single", None],
    }
)


def test_the_latest_filing_status_that_is_known_by_then_decides():
    assert _loss_limit_usd(ACCOUNTS, USERS, 2022).tolist() == [3_000.0, 3_000.0, 3_000.0, 1_500.0, 3_000.0]
    assert _loss_limit_usd(ACCOUNTS, USERS, 2023).tolist()[3] == 3_000.0
