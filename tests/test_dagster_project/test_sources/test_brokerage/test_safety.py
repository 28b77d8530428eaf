"""Files that are damaged, hostile or not what they seem: refused with a reason or read whole, never a crash."""

import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.sources.brokerage.load import safe_name
from dagster_project.sources.brokerage.reading import FORMATS, read_file
from tests.test_dagster_project.test_sources.test_brokerage.conftest import FIXTURES, Lake, counts

NAMES = sorted(path.name for path in FIXTURES.iterdir())
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>'
    "<FlexQueryResponse><FlexStatements>"
    '<FlexStatement accountId="&lol2;"></FlexStatement></FlexStatements></FlexQueryResponse>'
)
EXTERNAL = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    "<FlexQueryResponse><FlexStatements>"
    '<FlexStatement accountId="&e;"></FlexStatement></FlexStatements></FlexQueryResponse>'
)


def _refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    file = read_file(path)
    assert file.statement is None
    assert file.refused
    return file.refused


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf \n", "empty"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (bytes(range(256)) * 20, "binary"),
        (b"hello,world\n1,2\n", "format is not known"),
        (b'{"a": 1}', "no known format"),
        (b"[]", "nothing to import"),
        (b'[{"activity_type": "FILL", ', "cut off"),
        (BOMB.encode(), "document type"),
        (EXTERNAL.encode(), "document type"),
        (
            BOMB.replace("FlexQueryResponse", "OFX").replace("FlexStatement", "INVSTMTRS").encode(),
            "document type",
        ),
        (b"<html><body>Log in</body></html>", "no known format"),
        (b"OFXHEADER:100\nSECURITY:TYPE1\n\n<OFX></OFX>", "encrypted"),
        (
            b"<OFX><SIGNONMSGSRSV1><SONRS><STATUS><CODE>15500<SEVERITY>ERROR</STATUS></SONRS></SIGNONMSGSRSV1></OFX>",
            "sign-on",
        ),
        (b"<FlexQueryResponse><FlexStatements></FlexStatements></FlexQueryResponse>", "no FlexStatement"),
        (("<OFX>" + "<A>" * 90 + "</A>" * 90 + "</OFX>").encode(), "nested"),
        (b"[" * 200_000, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_imported_says_why(data: bytes, words: str, tmp_path: Path) -> None:
    assert words in _refused(tmp_path / "f", data)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "pipe", Path("/dev/zero")):
        assert read_file(path).refused


def test_a_forced_format_that_does_not_fit_is_refused() -> None:
    for name in NAMES:
        found = read_file(FIXTURES / name).format
        for other in set(FORMATS) - {found}:
            file = read_file(FIXTURES / name, other)
            assert file.refused is not None or file.format == found, (name, other)


def test_names_are_stored_without_paths_and_control_characters() -> None:
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name("a\x1b[31m\nb\u202ec") == "a_[31m_b_c"
    assert len(safe_name("x" * 999)) == 200


def test_entities_in_ofx_stay_text(tmp_path: Path) -> None:
    text = (
        (FIXTURES / "ofx_investment.ofx")
        .read_text()
        .replace("ALDR<", "AL&amp;R<")
        .replace("YOU BOUGHT", "&xxe;")
    )
    path = tmp_path / "a.ofx"
    path.write_text(text)
    lake = Lake({})
    lake.put([read_file(path)])
    assert "AL&R" in lake.frames["market__assets"]["symbol"].to_list()


def _sound(path: Path) -> None:
    """A file is refused with a reason and leaves nothing, or each of its rows ends exactly once."""
    file = read_file(path)
    if file.statement is None:
        assert file.refused
        return
    lake = Lake({})
    loaded = lake.put([file])
    item = loaded.files[0]
    assert set(item.outcomes) == item.statement.taken
    assert sum(counts(loaded).values()) == item.statement.rows
    accepted = {row for row, outcome in item.outcomes.items() if outcome == "accepted"}
    stored = loaded.result.accepted["brokerage__transactions"].filter(source_file=item.name)
    assert set(stored["source_line"].to_list()) <= accepted
    bad = {row for row, outcome in item.outcomes.items() if outcome == "quarantined"}
    seen = set(loaded.result.quarantine.filter(table_name="brokerage__transactions")["source_line"].to_list())
    assert bad <= seen | {row for row in bad if any(row in rows for rows in item.frame["rows"].to_list())}


_FUZZ = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@given(name=st.sampled_from(NAMES), share=st.floats(0, 1))
@_FUZZ
def test_truncated_copies(name: str, share: float, tmp_path: Path) -> None:
    data = (FIXTURES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * share)])
    _sound(path)
    if name.endswith((".xml", ".ofx", ".json")) and data[: int(len(data) * share)].strip() != data.strip():
        assert read_file(path).refused, "a cut file of one document is never loaded in part"


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 10**6), count=st.integers(1, 12))
@_FUZZ
def test_copies_with_damaged_bytes(name: str, seed: int, count: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    data = bytearray((FIXTURES / name).read_bytes())
    for _ in range(count):
        at = rng.randrange(len(data))
        action = rng.randrange(3)
        if action == 0:
            data[at] = rng.randrange(256)
        elif action == 1:
            del data[at : at + rng.randrange(1, 30)]
        else:
            data[at:at] = bytes(
                rng.choice(b'",;<>&\n\r\x00()$-0123456789') for _ in range(rng.randrange(1, 6))
            )
    path = tmp_path / name
    path.write_bytes(bytes(data))
    _sound(path)


@given(name=st.sampled_from([n for n in NAMES if n.endswith(".csv")]), seed=st.integers(0, 10**6))
@_FUZZ
def test_copies_with_lines_in_another_order(name: str, seed: int, tmp_path: Path) -> None:
    lines = (FIXTURES / name).read_text().splitlines(keepends=True)
    random.Random(seed).shuffle(lines)
    path = tmp_path / name
    path.write_text("".join(lines))
    _sound(path)


@given(
    cells=st.lists(
        st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=8, max_size=8),
        min_size=1,
        max_size=6,
    ),
)
@_FUZZ
def test_any_cells_under_a_header(cells: list[list[str]], tmp_path: Path) -> None:
    import csv
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["Date", "Action", "Symbol", "Description", "Quantity", "Price", "Fees & Comm", "Amount"])
    writer.writerows([["01/04/2023", "Buy", *row[2:]] for row in cells] + cells)
    path = tmp_path / "a.csv"
    path.write_text(buffer.getvalue(), newline="")
    _sound(path)


@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from(
                ["id", "account_id", "activity_type", "date", "net_amount", "qty", "symbol", "side", "price"]
            ),
            st.one_of(
                st.none(),
                st.integers(),
                st.floats(),
                st.text(max_size=8),
                st.lists(st.integers(), max_size=2),
            ),
        ),
        max_size=6,
    )
)
@_FUZZ
def test_any_json_under_the_right_keys(rows: list[dict], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    sound = {"activity_type": "CSD", "account_id": "a", "date": "2023-01-03", "net_amount": "1"}
    path.write_text(json.dumps([sound, *rows]))
    _sound(path)


_MEASURE = """
import resource, sys
from pathlib import Path
from dagster_project.sources.brokerage.reading import read_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
statement = read_file(Path(sys.argv[1])).statement
rows = statement.frame().height
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def write_flex(path: Path, megabytes: int) -> int:
    """A Flex statement of about that size, as the broker writes it (1.5 kB a trade); returns its trades."""
    filler = " ".join(f'unusedAttribute{n}="{"x" * 12}"' for n in range(30))
    size, number = 0, 0
    with path.open("w") as handle:
        handle.write('<FlexQueryResponse><FlexStatements count="1"><FlexStatement accountId="U1"><Trades>\n')
        while size < megabytes << 20:
            number += 1
            size += handle.write(
                f'<Trade accountId="U1" currency="USD" fxRateToBase="1" assetCategory="STK" symbol="S{number % 500}" '
                f'isin="" conid="{number % 500}" tradeID="{number}" dateTime="202301{number % 28 + 1:02d};103000" '
                f'quantity="10" tradePrice="20" proceeds="-200" netCash="-201" ibCommission="-1" buySell="BUY" '
                f"{filler}/>\n"
            )
        handle.write("</Trades></FlexStatement></FlexStatements></FlexQueryResponse>\n")
    return number


@pytest.mark.slow
def test_a_large_file_streams_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    trades = write_flex(path, 50)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 0, done.stderr[-500:]
    rows, grown = (int(cell) for cell in done.stdout.split())
    assert rows == trades
    assert grown < 150, f"reading 50 MB took {grown} MiB beyond the libraries"
