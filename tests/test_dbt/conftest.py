"""Fixtures of the dbt tests."""

from pathlib import Path

import pytest

from tests.test_dbt.lake import Lake


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for the tests of a module, empty but for its calendar."""
    return Lake(Path(tmp_path_factory.mktemp("lake")))
