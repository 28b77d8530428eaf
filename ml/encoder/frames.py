"""The night's embeddings as rows: stored Chronos vectors in, one vector an asset and session out.

What belongs here: frames around :class:`ml.encoder.embed.EncoderServer`. What does not: the network.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from ml.encoder.embed import EncoderServer
from ml.features.panel import FeaturePanel

EMBEDDINGS_SCHEMA = {
    "state_date": pl.Date,
    "asset_id": pl.String,
    "model_id": pl.String,
    "embedding": pl.List(pl.Float32),
}


def embed_sessions(
    server: EncoderServer, panel: FeaturePanel, sessions: Sequence[date], chronos: pl.DataFrame, model_id: str
) -> pl.DataFrame:
    """Embed the assets of some sessions of a panel.

    Parameters
    ----------
    server : EncoderServer
    panel : FeaturePanel
        Holds the sessions, and as many before them as a window reads.
    sessions : sequence of datetime.date
    chronos : polars.DataFrame
        asset_id, as_of_date, embedding: stored Chronos embeddings; assets without one are embedded
        without that branch.
    model_id : str
        The encoder's id, written beside each vector.

    Returns
    -------
    polars.DataFrame
        :data:`EMBEDDINGS_SCHEMA`, a row per session and asset that is present, sorted.

    Raises
    ------
    ValueError
        A session is not in the panel.
    """
    place = {day: i for i, day in enumerate(panel.dates.astype(object).tolist())}
    missing = [day for day in sessions if day not in place]
    if missing:
        raise ValueError(f"the panel {panel.source!r} lacks the session {missing[0]}: read a longer one")
    rows = np.array([place[day] for day in sessions])
    size = server.chronos_size
    vectors = np.zeros((len(rows), len(panel.asset_ids), size), dtype=np.float32)
    known = np.zeros(vectors.shape[:2], dtype=bool)
    order = {day: i for i, day in enumerate(sessions)}
    column = {name: i for i, name in enumerate(panel.asset_ids)}
    for asset_id, day, vector in chronos.select("asset_id", "as_of_date", "embedding").iter_rows():
        if day in order and asset_id in column:
            vectors[order[day], column[asset_id]] = vector
            known[order[day], column[asset_id]] = True
    # One session a pass: an embedding's last bits do not depend on the other sessions of the week.
    found = np.concatenate(
        [
            server.embed_panel(panel, rows[i : i + 1], vectors[i : i + 1], known[i : i + 1])
            for i in range(len(rows))
        ]
    )
    keys = [
        (day, name, model_id, found[i, n].tolist())
        for i, day in enumerate(sessions)
        for n, name in enumerate(panel.asset_ids)
        if panel.is_present[rows[i], n]
    ]
    return pl.DataFrame(keys, schema=EMBEDDINGS_SCHEMA, orient="row").sort("state_date", "asset_id")
