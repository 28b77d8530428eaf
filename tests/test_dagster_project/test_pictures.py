"""Pictures in metadata: PNG inside Markdown, the same for the same numbers."""

import base64

import polars as pl

from dagster_project.pictures import curves, heatmap, histogram


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
