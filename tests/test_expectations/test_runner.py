"""run_suite tells passed, failed and errored apart, and says what is wrong where."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import polars as pl
import pytest

from expectations.report import outcome_markdown
from expectations.runner import EXAMPLES_PER_FAILURE, run_suite
from expectations.spec import Expect, Suite, between, in_set, not_empty, not_null, unique
from expectations.suites import SUITES, get_suite

TOY = Suite(
    name="toy",
    table="core.toy",
    title="A toy",
    key=("row_id",),
    columns=("row_id", "size_usd", "kind"),
    expectations=(
        not_empty("no rows"),
        *not_null(("row_id",), "no id"),
        unique(("row_id",), "repeated id"),
        between("size_usd", "a size below zero", low=0),
        in_set("kind", ("a", "b"), "an unknown kind", severity="warning"),
    ),
)


@pytest.fixture(autouse=True)
def _toy_suite(monkeypatch):
    monkeypatch.setitem(SUITES, "toy", TOY)


def toy_frame(**changes):
    columns = {"row_id": ["r1", "r2", "r3"], "size_usd": [1.0, 0.0, None], "kind": ["a", "b", None]}
    return pl.DataFrame({**columns, **changes})


def test_good_data_passes():
    outcome = run_suite("toy", toy_frame())
    assert outcome.status == "passed"
    assert not outcome.is_blocking
    assert outcome.row_count == 3
    assert outcome.statistics == {"evaluated": 5, "successful": 5, "failed": 0, "errored": 0}
    assert (outcome.failures, outcome.exceptions) == ((), ())


def test_bad_data_fails_with_count_and_key_of_the_rows():
    outcome = run_suite("toy", toy_frame(size_usd=[1.0, -2.0, float("inf")]))
    assert outcome.status == "failed"
    assert outcome.is_blocking
    (failure,) = outcome.failures
    assert (failure.expectation, failure.column) == ("expect_column_values_to_be_between", "size_usd")
    assert (failure.severity, failure.unexpected_count) == ("critical", 1)
    assert failure.examples == ({"size_usd": -2.0, "row_id": "r2"},)


def test_an_infinity_breaks_an_upper_bound(monkeypatch):
    bounded = Suite("bounded", "t", "t", ("row_id",), (), (between("size_usd", "too big", high=1e9),))
    monkeypatch.setitem(SUITES, "bounded", bounded)
    outcome = run_suite("bounded", toy_frame(size_usd=[1.0, 2.0, float("inf")]))
    assert outcome.failures[0].unexpected_count == 1


def test_a_warning_fails_without_blocking():
    outcome = run_suite("toy", toy_frame(kind=["a", "b", "c"]))
    assert outcome.status == "failed"
    assert outcome.severity == "warning"
    assert not outcome.is_blocking


def test_a_missing_column_is_errored_not_failed():
    outcome = run_suite("toy", toy_frame().drop("size_usd"))
    assert outcome.status == "errored"
    assert outcome.is_blocking
    (error,) = outcome.exceptions
    assert error.column == "size_usd"
    assert "size_usd" in error.message
    assert outcome.statistics == {"evaluated": 5, "successful": 4, "failed": 0, "errored": 1}


def test_errored_wins_over_failed_and_keeps_both():
    outcome = run_suite("toy", toy_frame(kind=["a", "b", "c"]).drop("size_usd"))
    assert outcome.status == "errored"
    assert [f.column for f in outcome.failures] == ["kind"]
    assert [e.column for e in outcome.exceptions] == ["size_usd"]


def test_a_preparation_that_lacks_a_column_is_errored_and_names_it():
    outcome = run_suite("transactions", pl.DataFrame({"transaction_id": ["t1"], "kind": ["buy"]}))
    assert outcome.status == "errored"
    assert outcome.statistics["errored"] == outcome.statistics["evaluated"]
    assert "core.fct_transactions lacks the columns account_id" in outcome.exceptions[0].message


def test_empty_frame_fails_the_row_count_alone():
    outcome = run_suite("toy", toy_frame().clear())
    assert [f.why for f in outcome.failures] == ["no rows"]
    assert outcome.failures[0].examples == (0,)
    assert outcome.failures[0].unexpected_count is None


def test_pandas_and_polars_frames_with_decimals_agree():
    sizes = [Decimal("1.5"), Decimal("-2.000001"), None]
    frame = toy_frame(size_usd=pl.Series(sizes, dtype=pl.Decimal(20, 6)))
    as_pandas = pd.DataFrame({"row_id": ["r1", "r2", "r3"], "size_usd": sizes, "kind": ["a", "b", None]})
    ours, theirs = run_suite("toy", frame), run_suite("toy", as_pandas)
    assert ours.failures[0].examples == ({"size_usd": -2.000001, "row_id": "r2"},)
    assert [f.unexpected_count for f in ours.failures] == [f.unexpected_count for f in theirs.failures] == [1]


def test_the_given_frame_is_left_as_it_was():
    frame = pd.DataFrame({"row_id": ["r1"], "size_usd": [Decimal(1)], "kind": ["a"]})
    before = frame.copy()
    run_suite("toy", frame)
    pd.testing.assert_frame_equal(frame, before)


def test_examples_are_few_and_serialise():
    n = 50
    frame = pl.DataFrame({"row_id": [f"r{i}" for i in range(n)], "size_usd": [-1.0] * n, "kind": ["a"] * n})
    (failure,) = run_suite("toy", frame).failures
    assert failure.unexpected_count == n
    assert len(failure.examples) == EXAMPLES_PER_FAILURE
    json.dumps(failure.examples)


def test_equal_expectations_are_refused(monkeypatch):
    twice = Suite("twice", "t", "t", ("row_id",), (), (unique(("row_id",), "a"), unique(("row_id",), "b")))
    monkeypatch.setitem(SUITES, "twice", twice)
    with pytest.raises(ValueError, match="two of them are the same"):
        run_suite("twice", toy_frame())


def test_an_unknown_suite_lists_the_known():
    with pytest.raises(KeyError, match=r"no expectation suite named 'nope'.*prices"):
        get_suite("nope")


def test_a_cutoff_without_time_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        run_suite("toy", toy_frame(), as_of_at=datetime(2022, 1, 3, 21))
    assert run_suite("toy", toy_frame(), as_of_at=datetime(2022, 1, 3, 21, tzinfo=UTC)).status == "passed"


def test_between_without_bounds_is_refused():
    with pytest.raises(ValueError, match="give low, high or both"):
        between("size_usd", "nothing")


def test_markdown_shows_failures_and_errors_on_one_line_each():
    frame = toy_frame(kind=["a", "b", "x|y\nz"]).drop("size_usd")
    outcome = run_suite("toy", frame)
    lines = outcome_markdown(outcome).splitlines()
    assert lines[0] == "**toy** on `core.toy`: ERRORED, 3 of 5 expectations hold over 3 rows."
    (failure,) = [line for line in lines if line.startswith("| warning")]
    assert r"x\|y" in failure
    assert any("size_usd" in line for line in lines if line.startswith("| expect_"))
    assert outcome_markdown(outcome) == outcome_markdown(run_suite("toy", frame))


@pytest.mark.parametrize("suite", list(SUITES.values()), ids=list(SUITES))
def test_every_suite_is_well_formed(suite):
    assert set(suite.key) <= set(suite.columns)
    assert all(isinstance(e, Expect) and e.why for e in suite.expectations)
    assert any(e.severity == "critical" for e in suite.expectations)


def test_suites_import_without_great_expectations_and_without_its_analytics():
    code = (
        "import sys, expectations.runner, expectations.suites, expectations.report; "
        "assert 'great_expectations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
