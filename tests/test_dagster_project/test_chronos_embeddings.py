"""The embeddings' asset: any Chronos by setting or run configuration, each embedding computed once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from dagster_project import chronos_model
from dagster_project.assets.chronos import chronos_embeddings
from dagster_project.assets.encoder import asset_embeddings
from dagster_project.ml_tables import ml_ddl
from dagster_project.resources.lake import LakeResource
from dagster_project.resources.warehouse import TableWrite
from dagster_project.sources.calendar import session_frame
from ml.chronos.embed import DEFAULT_MODEL, EmbeddingError, embed_prices, load_pipeline
from ml.chronos.model import open_whitening
from ml.models import CompatibilityError
from tests.fixtures.tiny_chronos import save_tiny_bolt, save_tiny_t5

DDL = [
    "create table core.dim_sessions (session_no integer, session_date date, close_at timestamptz)",
    "create table core.fct_asset_prices__daily "
    "(as_of_date date, asset_id varchar, session_no integer, total_return_log double)",
]
ASSETS = ("A", "B", "NEW")
SESSIONS = 140


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("TAXLOOM_CHRONOS", raising=False)
    monkeypatch.setattr(chronos_model, "WHITENING_WINDOWS", 300)


@pytest.fixture
def calendar() -> pl.DataFrame:
    """Sessions whose last two are in one week: a Monday and a Tuesday."""
    days = session_frame().sort("session_date").filter(pl.col("session_date") < pl.date(2016, 6, 15))
    tuesdays = days.with_row_index("row").filter(pl.col("session_date").dt.weekday() == 2)
    last = tuesdays["row"][-1]
    return days[last - SESSIONS + 1 : last + 1].with_columns(
        session_no=pl.int_range(pl.len(), dtype=pl.Int32)
    )


@pytest.fixture
def lake(tmp_path: Path, calendar: pl.DataFrame) -> LakeResource:
    lake = LakeResource(home=str(tmp_path / "home"))
    warehouse = lake.open()
    warehouse.bootstrap([*ml_ddl(), *DDL])
    rng = np.random.default_rng(0)
    prices = pl.DataFrame(
        [
            (day, asset, number, None if asset == "NEW" and number < SESSIONS - 5 else float(move))
            for asset in ASSETS
            for (number, day), move in zip(
                calendar.select("session_no", "session_date").iter_rows(),
                rng.normal(0, 0.02, SESSIONS),
                strict=True,
            )
        ],
        schema={
            "as_of_date": pl.Date, "asset_id": pl.String, "session_no": pl.Int32, "total_return_log": pl.Float64,
        },
        orient="row",
    )  # fmt: skip
    warehouse.write(
        "setup",
        [
            TableWrite("core.dim_sessions", calendar.select("session_no", "session_date", "close_at")),
            TableWrite("core.fct_asset_prices__daily", prices),
        ],
        "sessions and prices",
    )
    return lake


def _night(
    lake: LakeResource, calendar: pl.DataFrame, row: int = -1, config: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Materialise the asset for one session and return its metadata."""
    day, close = calendar["session_date"][row], calendar["close_at"][row]
    night = pl.DataFrame({"as_of_date": [day], "as_of_at": [close]})
    columns = lake.open().read("select * from ml.night limit 0").schema
    frame = night.select(
        night[name].cast(kind) if name in night.columns else pl.lit(None, kind).alias(name)
        for name, kind in columns.items()
    )
    lake.open().write("setup", [TableWrite("ml.night", frame, "true")], "the night")
    run = {"ops": {"ml__chronos_embeddings": {"config": dict(config)}}} if config else {}
    result = dg.materialize(
        _assets(chronos_embeddings), partition_key=day.isoformat(), resources={"lake": lake}, run_config=run
    )
    (event,) = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def _assets(definition: Any) -> list[Any]:
    # The decorator's result, which the type checker takes for the function under it.
    return [definition]


def _stored(lake: LakeResource) -> pl.DataFrame:
    return lake.open().read("select * from ml.chronos_embeddings order by model_id, as_of_date, asset_id")


@pytest.mark.parametrize(("save", "width"), [(save_tiny_t5, 32), (save_tiny_bolt, 128)])
def test_another_chronos_embeds_the_night(
    lake: LakeResource, calendar: pl.DataFrame, tmp_path: Path, save: Any, width: int
) -> None:
    folder = save(tmp_path / "model")
    said = _night(lake, calendar, config={"model": str(folder)})
    stored = _stored(lake)
    # Monday and Tuesday of two assets; the new one has too short a history.
    assert said["computed"] == stored.height == 4 and set(stored["asset_id"]) == {"A", "B"}
    assert set(stored["model_id"]) == {said["model_id"]} and len(said["model_id"]) == 64
    (place,) = (tmp_path / "home" / "artifacts" / "chronos").iterdir()
    whitening = open_whitening(folder, place)
    assert whitening.model_id == said["model_id"] and whitening.components == width
    # The same numbers by hand, from the bare prices.
    moves = (
        lake.open()
        .read(
            "select total_return_log from core.fct_asset_prices__daily where asset_id = 'B' order by as_of_date"
        )["total_return_log"]
        .to_numpy()
    )
    prices = np.exp(np.cumsum(moves))[-whitening.window - 1 :]
    wanted = embed_prices(load_pipeline(folder), whitening, prices[None])[0]
    np.testing.assert_allclose(stored["embedding"][-1].to_numpy(), wanted, atol=2e-3)
    assert stored["asset_id"][-1] == "B" and stored["as_of_date"][-1] == calendar["session_date"][-1]


def test_a_night_computes_only_what_is_missing(
    lake: LakeResource, calendar: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _night(lake, calendar, row=-2)["computed"] == 2
    monday = _stored(lake)
    said = _night(lake, calendar)
    assert (said["computed"], said["already_stored"]) == (2, 2)
    assert _stored(lake).filter(as_of_date=monday["as_of_date"][0]).equals(monday)

    def load(*_: object) -> None:
        raise AssertionError("a model was loaded though nothing is missing")

    monkeypatch.setattr("ml.chronos.embed.load_pipeline", load)
    again = _night(lake, calendar)
    assert (again["computed"], again["already_stored"]) == (0, 4)
    assert said["model_id"] == again["model_id"] == open_whitening(DEFAULT_MODEL).model_id


def test_another_model_recomputes_and_the_first_one_s_rows_stay(
    lake: LakeResource, calendar: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_tiny_bolt(tmp_path / "model")
    monkeypatch.setenv("TAXLOOM_CHRONOS", str(folder))
    first = _night(lake, calendar)
    save_tiny_bolt(folder, seed=1)  # other weights under the same path
    second = _night(lake, calendar)
    assert (second["computed"], second["already_stored"], second["of_other_models"]) == (4, 0, 4)
    assert second["model_id"] != first["model_id"]
    save_tiny_bolt(folder)
    back = _night(lake, calendar)
    assert (back["computed"], back["already_stored"], back["model_id"]) == (0, 4, first["model_id"])
    assert _stored(lake).group_by("model_id").len()["len"].to_list() == [4, 4]


def test_the_run_configuration_goes_before_the_environment(
    lake: LakeResource, calendar: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAXLOOM_CHRONOS", "nobody/no-such-model")
    with pytest.raises(EmbeddingError, match="nobody/no-such-model is no folder"):
        _night(lake, calendar)
    said = _night(lake, calendar, config={"model": str(DEFAULT_MODEL)})
    assert said["weights"] == open_whitening(DEFAULT_MODEL).weights


def test_a_whitening_of_other_weights_is_refused(
    lake: LakeResource, calendar: pl.DataFrame, tmp_path: Path
) -> None:
    folder = save_tiny_bolt(tmp_path / "model")
    open_whitening(DEFAULT_MODEL).save(tmp_path / "model-whitening", {})
    with pytest.raises(EmbeddingError, match="fit it anew"):
        _night(lake, calendar, config={"model": str(folder)})
    assert _stored(lake).is_empty()


def test_an_encoder_refuses_a_session_embedded_by_another_chronos(
    lake: LakeResource, calendar: pl.DataFrame, tmp_path: Path
) -> None:
    said = _night(lake, calendar, config={"model": str(save_tiny_bolt(tmp_path / "model"))})
    session = calendar["session_date"][-1].isoformat()
    with pytest.raises(CompatibilityError, match=rf"of model '{said['model_id'][:12]}'.*TAXLOOM_CHRONOS"):
        dg.materialize(_assets(asset_embeddings), partition_key=session, resources={"lake": lake})
    assert lake.open().read("select * from ml.asset_embeddings").is_empty()
