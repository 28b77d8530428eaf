"""Which accounts a night covers when some were imported."""

import polars as pl

from dagster_project.assets.ingest import _covered_accounts
from dagster_project.sources.batches import typed_batch


def test_a_generated_night_covers_its_own_households_and_every_imported_account() -> None:
    stored = {
        "brokerage__accounts": pl.DataFrame(
            {
                "account_id": ["old", "mine", "file"],
                "user_id": ["s9", "me", "u1"],
                "source": ["simulated", "import", "files"],
            }
        ),
        "brokerage__users": pl.DataFrame(
            {"user_id": ["s9", "me", "u1"], "source": ["simulated", "import", "files"]}
        ),
    }
    accepted = {
        "brokerage__accounts": pl.DataFrame(
            {"account_id": ["new"], "user_id": ["s1"], "source": ["simulated"]}
        ),
        "brokerage__users": pl.DataFrame({"user_id": ["s1"], "source": ["simulated"]}),
    }
    batches = [
        typed_batch(
            "brokerage__accounts", "simulated", "x", pl.DataFrame({"account_id": ["new"], "user_id": ["s1"]})
        ),
        typed_batch("brokerage__users", "simulated", "x", pl.DataFrame({"user_id": ["s1"]})),
    ]
    covered = _covered_accounts("packaged", batches, stored, accepted)
    assert covered.rows() == [("mine", "me"), ("new", "s1")]
    covered = _covered_accounts("files", [], stored, {})
    assert covered.rows() == [("mine", "me"), ("file", "u1")]
