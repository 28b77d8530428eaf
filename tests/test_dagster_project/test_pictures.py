"""Pictures in metadata: PNG inside Markdown, the same for the same numbers."""

import base64

import polars as pl

from dagster_project.assets.encoder import report_pictures
from dagster_project.pictures import bars, curves, heatmap, histogram


def _png(text: str) -> bytes:
    data = base64.b64decode(text.split("base64,")[1].rstrip(")"))
    assert data.startswith(b"\x89PNG")
    return data


def test_curves_of_recorded_metrics_only() -> None:
    rows = pl.DataFrame(
        {"step": [1, 2, 3] * 2, "metric": ["a"] * 3 + ["b"] * 3, "value": [3.0, 2, 1, 1, 2, 3]}
    )
    one = curves(rows, {"losses": ("a", "absent"), "nothing": ("absent",)}, "training")
    assert _png(one.md_str) == _png(curves(rows, {"losses": ("a", "absent")}, "training").md_str)
    assert _png(one.md_str) != _png(curves(rows, {"losses": ("b",)}, "training").md_str)


def test_no_metrics_at_all_still_draws() -> None:
    empty = pl.DataFrame(schema={"step": pl.Int64, "metric": pl.String, "value": pl.Float64})
    _png(curves(empty, {"losses": ("a",)}, "training").md_str)


def test_histogram_and_heatmap() -> None:
    _png(histogram([0.1, 0.2, 0.2], "cosines", "cosine").md_str)
    _png(heatmap(["a", "b"], ["x", "y", "z"], [[1, 2, 3], [4, 5, 6]], "table").md_str)


def test_bars_of_many_labels_draw_some_of_them() -> None:
    many = bars([str(i) for i in range(40)], range(40), "cosines", "pairs")
    few = bars(["equity", "cash"], [0.2, 0.9], "gate", "mean gate")
    assert _png(many.md_str) != _png(few.md_str)


def test_an_encoders_reports_are_drawn_panel_by_panel() -> None:
    probes = [
        {"representation": name, "target": target, "score": score, "measure": "r2"}
        for target in ("sector", "volatility_next_21d")
        for name, score in (("embedding", 0.6), ("raw_features", 0.5))
    ]
    report = {
        "name": "walks",
        "gates": [{"asset_class": "equity", "gate_mean": 0.8, "cells": 9}],
        "cosines": [0, 3, 5, 1],
        "probes": probes,
    }
    drawn = report_pictures([report, {**report, "name": "flat", "probes": []}])
    assert list(drawn) == ["gate: walks", "cosines: walks", "probes: walks", "gate: flat", "cosines: flat"]
    for one in drawn.values():
        _png(one.md_str)
