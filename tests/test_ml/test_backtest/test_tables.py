"""Rows of the results table: scored against equal weight of the same setting, checked by their contract."""

import polars as pl
import pytest

from dagster_project.backtest_tables import checked
from ml.backtest.baselines import Cash, EqualWeight
from ml.backtest.results import read_results
from ml.backtest.run import run_plans
from ml.backtest.tables import RESULTS_SCHEMA, result_rows
from ml.backtest.trials import Choices, plan_trials, trial_rows
from ml.backtest.walk_forward import make_windows
from tests.test_ml.test_backtest.backtest_helpers import simulated_panel


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    panel, folder = simulated_panel(sessions=420), tmp_path_factory.mktemp("tables")
    strategies = (Cash("cash"), EqualWeight("equal_weight_monthly"))
    choices = Choices(costs_bp=(10,), profiles=("untaxed", "P1"))
    run_plans(panel, plan_trials(make_windows(panel), strategies, frozenset(), choices), folder)
    return list(read_results(folder))


def test_every_trial_is_scored_against_equal_weight_of_its_setting(results) -> None:
    rows = checked("backtest_results", result_rows(results))
    assert dict(rows.schema) == RESULTS_SCHEMA
    assert rows.height == len(results)
    own = rows.filter(
        (pl.col("strategy") == "equal_weight_monthly") & (pl.col("window_name") == "whole_panel")
    )
    assert (own["tax_alpha_bp"].abs() < 1e-9).all()
    assert own["after_tax_cagr_pct_lower95"].is_not_null().all()
    # Two weeks are too few for any score.
    short = rows.filter(pl.col("window_name") == "paper_14_days")
    assert short.height > 0
    assert short["after_tax_cagr_pct"].null_count() == short.height


def test_rows_that_break_the_contract_are_refused(results) -> None:
    import pandera.errors

    rows = trial_rows(results)
    assert checked("trials", rows).height == rows.height
    for bad in (
        pl.concat([rows, rows.head(1)]),
        rows.with_columns(objective=pl.lit("get_rich")),
        rows.with_columns(final_wealth_usd=pl.lit(-1.0)),
    ):
        with pytest.raises(pandera.errors.SchemaErrors):
            checked("trials", bad)
