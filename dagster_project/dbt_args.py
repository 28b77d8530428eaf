"""Pure builders of dbt command lines; tested without dbt."""

CORE_SELECTION = "tag:core"
SERVING_SELECTION = "tag:serving"


def build_args(*, full_refresh: bool = False) -> list[str]:
    """Arguments of one ``dbt build``.

    The selection is the asset's own (dagster-dbt adds it), and the night's cut is the table
    ``ml.night``, not a ``--vars``: a changed variable would switch partial parsing off.

    Parameters
    ----------
    full_refresh : bool
        Rebuild incremental models from nothing.
    """
    return ["build", "--full-refresh"] if full_refresh else ["build"]
