"""``taxloom export-adapter``: one user's adapter as a PEFT folder, with the shared head beside it."""

from pathlib import Path

from rich.console import Console

from dagster_project.query import QueryError, fetch
from dagster_project.settings import Settings


def export_user_adapter(settings: Settings, user: str, output: Path) -> None:
    """Write the adapter that the latest night fitted, and print how to load it.

    Raises
    ------
    QueryError
        The user has no adapter; the message names some who do.
    """
    from dagster_project.resources.artifacts import Artifacts
    from dagster_project.resources.warehouse import Warehouse
    from ml.personalization.peft_io import export_adapter

    _, rows = fetch(
        settings,
        "select as_of_date, model_id, n_decisions, adapter from ml.user_adapters where user_id = ? "
        "order by as_of_date desc limit 1",
        [user],
    )
    if not rows:
        _, some = fetch(settings, "select distinct user_id from ml.user_adapters order by 1 limit 3")
        known = ", ".join(row[0] for row in some) or "nobody yet: run `taxloom nightly` first"
        raise QueryError(f"user {user!r} has no adapter (no decision yet?); users with one: {known}")
    night, model_id, decisions, adapter = rows[0]
    head = Artifacts(settings, Warehouse(settings)).find(model_id)
    export_adapter(adapter, output)
    console = Console(highlight=False)
    console.print(f"adapter of {user}, night of {night}, {decisions} decisions: {output}", soft_wrap=True)
    console.print(f"fits the head {model_id[:12]} in {head.folder}", soft_wrap=True)
    console.print(
        "load: peft.PeftModel.from_pretrained(objective_head(load_population(HEAD).head), FOLDER), with "
        "load_population of ml.personalization.population and objective_head of ml.personalization.peft_io",
        soft_wrap=True,
    )
