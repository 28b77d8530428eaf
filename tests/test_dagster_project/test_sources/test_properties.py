"""However a folder is mangled: no crash, every row read has one outcome, the untouched rows load."""

import random
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CELLS = ["", "-1", "0", "1e9", "1e400", "NaN", "-inf", "1,5", "2022-01-05", "9999-12-31", "\x00", '"', "ACME", "é",
         "total", "t2", "a1", "sell", "€5", "true", "{kind}", "x" * 1_100, "\n", "\r", ";", "€"]  # fmt: skip
LINES = [
    "",
    ",,,,,,,",
    "Total,,,",
    "a,b,c,d,e,f,g,h,i,j,k",
    '"open',
    "\ufeff",
    "Page 1 of 2",
    "note: one, two, three and four",
]
SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def edits(draw):
    """Seeded edits of one file: cells replaced, lines inserted, dropped, repeated or cut, bytes changed."""
    return [
        (
            draw(st.sampled_from(["assets", "bars", "users", "accounts", "transactions", "goals"])),
            draw(st.sampled_from(["cell", "line", "drop", "repeat", "cut", "byte"])),
            draw(st.integers(0, 2**16)),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]


def mangle(data: bytes, how: str, seed: int) -> bytes:
    rng = random.Random(seed)
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    if how == "cell":
        cells = lines[at].split(b",")
        cells[rng.randrange(len(cells))] = rng.choice(CELLS).encode()
        lines[at] = b",".join(cells)
    elif how == "line":
        lines.insert(at, rng.choice(LINES).encode())
    elif how == "drop":
        del lines[at]
    elif how == "repeat":
        lines.insert(at, lines[at])
    elif how == "cut":
        lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
    elif data:
        position = rng.randrange(len(data))
        return data[:position] + bytes([rng.randrange(256)]) + data[position + 1 :]
    return b"\n".join(lines)


@SETTINGS
@given(edits())
def test_counts_sum_for_any_mangled_folder(folder, check_counts, changes):
    originals = {path: path.read_bytes() for path in folder.path.iterdir()}
    try:
        for stem, how, seed in changes:
            path = folder.path / f"{stem}.csv"
            path.write_bytes(mangle(path.read_bytes(), how, seed))
        result = folder.ingest()
        check_counts(result)
        places = result.quarantine.drop_nulls("source_line").select(
            "table_name", "source_file", "source_line"
        )
        assert places.is_unique().all()
        assert result.quarantine.filter(pl.col("reason").str.starts_with("schema_")).is_empty()
    finally:
        for path, data in originals.items():
            path.write_bytes(data)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_readable_file_or_a_problem(data):
    from dagster_project.sources.files import read_file

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "goals.csv"
        path.write_bytes(data)
        batch = read_file(path, "goals")
    assert batch.problem is not None
    if not batch.frame.is_empty():
        lines = batch.frame["source_line"]
        assert lines.is_sorted()
        assert lines.n_unique() == len(lines)


@SETTINGS
@given(st.lists(st.integers(0, 11), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_split_and_overlapping_imports_hold_the_same_rows_as_one(folder, merge, cuts, rng):
    """Importing a file in overlapping pieces accepts each row exactly once."""
    header = "account_id,traded_at,kind,symbol,quantity,price_usd,amount_usd"
    rows = [f"a1,2022-01-{day:02d},buy,ACME,{day},10,{-10 * day}" for day in range(3, 15)]
    whole = "\n".join([header, *rows])
    try:
        folder.write("transactions.csv", whole)
        expected = folder.ingest().accepted["brokerage__transactions"]["content_key"].sort()
        start = rng.randrange(12)
        folder.write("transactions.csv", "\n".join([header, *[rows[cut] for cut in sorted(set(cuts))]]))
        first = folder.ingest()
        folder.write("transactions.csv", "\n".join([header, *rows[start:], *rows[:start]]))
        second = folder.ingest(merge(first))
        keys = merge(first, second)["brokerage__transactions"]["content_key"]
        assert keys.is_unique().all()
        assert keys.sort().equals(expected)
    finally:
        folder.write("transactions.csv", whole)
