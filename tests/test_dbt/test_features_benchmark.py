"""The ``features`` benchmark runs, small: its rows are complete and its figures are measured."""

import pytest

from tests.benchmarks.features import run


@pytest.mark.slow
def test_small_run_gives_complete_rows() -> None:
    rows = run(assets=4, years=1)
    assert len(rows) == 4
    for row in rows:
        assert set(row) == {"name", "work", "ours", "peer", "peer_value", "ratio", "unit", "skipped"}
        assert row["name"] == "features"
        assert row["ours"] > 0
        assert row["ratio"] > 0
        assert (row["peer"] is None) == (row["peer_value"] is None)
