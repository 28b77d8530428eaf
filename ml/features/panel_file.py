"""A feature panel in a file, for machines that hold no warehouse.

What belongs here: writing and reading a :class:`~ml.features.panel.FeaturePanel` as ``.npz``. What does not: where
panels come from.
"""

from pathlib import Path

import numpy as np

from ml.features.panel import FeaturePanel

_ARRAYS = ("features", "channels", "is_present", "is_stale")


class PanelFileError(ValueError):
    """A file that holds no panel; the message names the file and what it lacks."""


def save_panel(panel: FeaturePanel, file: Path) -> None:
    """Write a panel; arrays are named as its attributes, compressed."""
    arrays = {name: getattr(panel, name) for name in _ARRAYS}
    np.savez_compressed(
        file,
        dates=panel.dates.astype("datetime64[D]"),
        asset_ids=np.array(panel.asset_ids, dtype=str),
        **arrays,
    )


def load_panel(file: Path, source: str) -> FeaturePanel:
    """Read a panel.

    Parameters
    ----------
    file : pathlib.Path
        As :func:`save_panel` writes it.
    source : str
        Said in the panel.

    Raises
    ------
    PanelFileError
        An array is missing.
    """
    with np.load(file) as stored:
        missing = sorted({"dates", "asset_ids", *_ARRAYS} - set(stored.files))
        if missing:
            raise PanelFileError(f"{file} lacks {', '.join(missing)}: write it with ml.features.panel_file")
        return FeaturePanel(
            stored["dates"].astype("datetime64[D]"),
            tuple(str(one) for one in stored["asset_ids"]),
            stored["features"],
            stored["channels"],
            stored["is_present"],
            stored["is_stale"],
            source,
        )
