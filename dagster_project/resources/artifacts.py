"""Trained models of an installation: their folders, and which of them a night uses.

Folders lie under ``<home>/artifacts/<kind>/<first digits of the id>``; what was trained and what is
promoted are rows of ``ml.model_registry``, which is only ever added to. Until something is promoted, the
models that ship with the project are in use. What does not belong here: training, and what a model does.
"""

import datetime as dt
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dagster_project.resources.warehouse import TableWrite, Warehouse
from dagster_project.settings import Settings
from ml.models import KINDS, CompatibilityError, ModelRef, describe_model, packaged_model, require_compatible

TRAINED, PROMOTED = "trained", "promoted"
PACKAGED = "packaged"


@dataclass(frozen=True)
class Artifacts:
    """The models of one installation.

    Parameters
    ----------
    settings : Settings
        Names the folder.
    warehouse : Warehouse
        Holds ``ml.model_registry``.
    """

    settings: Settings
    warehouse: Warehouse

    @property
    def root(self) -> Path:
        """Folder of all trained models."""
        return self.settings.home / "artifacts"

    @contextmanager
    def staging(self, kind: str) -> Iterator[Path]:
        """Give a folder to train into; what :meth:`keep` did not take is removed."""
        parent = self.root / kind
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".training-", dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, kind: str, staged: Path) -> ModelRef:
        """Move a finished checkpoint to its place; the same contents land in the same place."""
        model = describe_model(staged, kind)
        place = self._place(kind, model.model_id)
        if not place.exists():
            staged.rename(place)
        return describe_model(place, kind)

    def record(self, run_id: str, models: list[ModelRef], event: str, note: str = "") -> None:
        """Add rows to the registry.

        Parameters
        ----------
        event : str
            ``trained`` or ``promoted``.
        """
        now = dt.datetime.now(dt.UTC)
        rows = pl.DataFrame(
            {
                "kind": [model.kind for model in models],
                "model_id": [model.model_id for model in models],
                "event": [event] * len(models),
                "event_at": pl.Series([now] * len(models), dtype=pl.Datetime("us", "UTC")),
                "compatibility_id": [model.compatibility_id for model in models],
                "requires": [json.dumps(dict(model.requires), sort_keys=True) for model in models],
                "profile": [model.profile for model in models],
                "location": [self._location(model) for model in models],
                "run_id": [run_id] * len(models),
                "note": [note] * len(models),
            }
        )
        names = ", ".join(f"{model.kind} {model.model_id[:12]}" for model in models)
        self.warehouse.write(run_id, [TableWrite("ml.model_registry", rows)], f"{names} {event}")

    def history(self, snapshot: int | None = None) -> pl.DataFrame:
        """Every row of the registry, oldest first."""
        return self.warehouse.read(
            "select * from ml.model_registry order by event_at, kind, model_id", snapshot=snapshot
        )

    def newest_trained(self, kind: str) -> ModelRef:
        """The model of a kind that was trained last, promoted or not; the packaged one without any."""
        rows = self.history().filter((pl.col("kind") == kind) & (pl.col("event") == TRAINED))
        return self._load(kind, rows["location"][-1]) if rows.height else packaged_model(kind)

    def in_use(self, snapshot: int | None = None) -> Mapping[str, ModelRef]:
        """The models that a night uses: of each kind the one promoted last.

        Raises
        ------
        CompatibilityError
            They were not trained for each other.
        CheckpointError
            A folder is missing or was altered.
        """
        chosen = self._promoted(snapshot)
        require_compatible(chosen)
        return chosen

    def find(self, prefix: str) -> ModelRef:
        """The one model whose id begins with ``prefix``, packaged ones included.

        Raises
        ------
        CompatibilityError
            None or several do.
        """
        rows = self.history().select("kind", "model_id", "location").unique()
        known = {row["model_id"]: (row["kind"], row["location"]) for row in rows.iter_rows(named=True)}
        known.update({packaged_model(kind).model_id: (kind, PACKAGED) for kind in KINDS})
        matching = sorted(model_id for model_id in known if model_id.startswith(prefix))
        if len(matching) != 1:
            listed = ", ".join(sorted(model_id[:12] for model_id in matching or known))
            raise CompatibilityError(
                f"{len(matching)} models have an id that begins with {prefix!r}: give one of {listed}"
            )
        return self._load(*known[matching[0]])

    def promote(self, run_id: str, models: list[ModelRef], note: str) -> None:
        """Put models into use together; a set that does not fit what stays in use is refused.

        Raises
        ------
        CompatibilityError
            As :meth:`in_use`, before anything is written.
        """
        require_compatible({**self._promoted(), **{model.kind: model for model in models}})
        self.record(run_id, models, PROMOTED, note)

    def _promoted(self, snapshot: int | None = None) -> dict[str, ModelRef]:
        rows = self.history(snapshot).filter(pl.col("event") == PROMOTED)
        chosen = {}
        for kind in KINDS:
            places = rows.filter(pl.col("kind") == kind)["location"]
            chosen[kind] = self._load(kind, places[-1]) if len(places) else packaged_model(kind)
        return chosen

    def _place(self, kind: str, model_id: str) -> Path:
        return self.root / kind / model_id[:16]

    def _location(self, model: ModelRef) -> str:
        if model.folder.is_relative_to(self.root):
            return str(model.folder.relative_to(self.root))
        return PACKAGED

    def _load(self, kind: str, location: str) -> ModelRef:
        return packaged_model(kind) if location == PACKAGED else describe_model(self.root / location, kind)
