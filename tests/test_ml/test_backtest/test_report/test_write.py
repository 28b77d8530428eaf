import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ml.backtest.report.html import Cell, Table, interval_cell, number, p_value_cell, table_html
from ml.backtest.report.selection import ReportError
from ml.backtest.report.write import main, write_report
from ml.backtest.results import write_result
from ml.backtest.statistics.intervals import Interval
from ml.backtest.statistics.score_definitions import SCORES
from ml.backtest.statistics.sharpe import WEEKS_PER_YEAR
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.test_report.conftest import DRAWS, POLICY_PATHS

VOID = {"meta", "img", "wbr", "br", "link"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.attributes if name == tag]


@pytest.fixture(scope="module")
def report(trials, tmp_path_factory):
    return write_report(trials, tmp_path_factory.mktemp("report"), draws=DRAWS)


@pytest.fixture(scope="module")
def page(report):
    return Page(report[0].read_text(encoding="utf-8"))


def test_same_trials_give_the_same_bytes(trials, report, tmp_path):
    again = write_report(reversed(trials), tmp_path / "again", draws=DRAWS)
    for first, second in zip(report, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == ["index.html", "summary.json"]


def test_page_needs_nothing_from_elsewhere(report, page):
    text = report[0].read_text(encoding="utf-8")
    fetched = [v for _, a in page.attributes for k, v in a.items() if k in ("src", "href") and v]
    assert fetched and all(v.startswith(("data:image/svg+xml;base64,", "#")) for v in fetched)
    assert not re.search(r"@import|url\(|<script|<link|https?://", text)
    assert "default-src 'none'" in text


def test_page_can_be_read_by_everyone(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in page.all("img")) and len(page.all("img")) == 5
    assert all(head["scope"] in ("col", "row") for head in page.all("th"))
    assert len(page.all("table")) == len(page.all("caption")) > 8
    targets = {a["href"][1:] for a in page.all("a")}
    assert targets == {h["id"] for h in page.all("h2")} and len(targets) > 8


def test_page_says_what_to_bear_in_mind(page):
    text = " ".join(page.text)
    assert text.count("Not tax or investment advice.") >= 2
    assert text.count("Survivors only.") == len(page.all("table"))
    for told in (
        "Survivorship.",
        "closed",
        "Hansen's test",
        "14 sessions",
        "cannot give a p-value below 0.5",
    ):
        assert told in text, told


def test_what_comes_from_data_is_escaped(trials, tmp_path):
    evil = '<script>alert("1")</script>&_x'
    named = [
        replace(t, key=replace(t.key, strategy=evil), meta={**t.meta, "notes": [evil]})
        if t.key.strategy == "momentum_12_1"
        else t
        for t in trials
    ]
    path, data = write_report(named, tmp_path, draws=DRAWS)
    page = Page(path.read_text(encoding="utf-8"))
    assert page.all("script") == []
    assert evil in page.text  # the note, as words
    assert evil in json.loads(data.read_text(encoding="utf-8"))["baselines"]


def test_summary_has_every_score_with_its_bounds(report, trials):
    found = json.loads(report[1].read_text(encoding="utf-8"))
    assert list(found["objectives"]) == sorted(OBJECTIVES)
    for score in SCORES.values():
        for objective in score.objectives:
            value, low, high = (
                found["objectives"][objective][score.name + s] for s in ("", "_lower95", "_upper95")
            )
            if objective == "long_term_gains_only":  # void: it chose short-term gains
                assert (value, low, high) == (None, None, None)
            else:
                assert low < high, score.name
    assert found["meta"]["windows"] == ["development_2002_2004", "development_2005_2007"]
    assert found["meta"]["n_trials"] == len(trials) == found["meta"]["n_trials_logged"]
    assert {type(target["met"]) for target in found["targets"]} == {bool}
    names = [target["name"] for target in found["targets"]]
    assert len(names) == len(set(names)) == 9
    only = next(t for t in found["targets"] if t["name"].startswith("long_term_gains_only"))
    assert only["met"] is False


def test_summary_says_what_tax_alpha_is_against(report, with_policy, tmp_path):
    found = json.loads(report[1].read_text(encoding="utf-8"))
    assert found["meta"]["tax_alpha_against"] == "equal_weight_monthly"
    path, data = write_report(with_policy, tmp_path, draws=DRAWS)
    twin = "policy_without_harvesting"
    found, page = json.loads(data.read_text(encoding="utf-8")), Page(path.read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert (found["meta"]["strategy"], found["meta"]["tax_alpha_against"]) == ("policy", twin)
    lead = 1e4 * WEEKS_PER_YEAR * POLICY_PATHS["tax_loss_harvesting"][2]
    assert found["objectives"]["tax_loss_harvesting"]["tax_alpha_bp"] == pytest.approx(lead)
    assert f"ahead of the same targets with nothing harvested ({twin})" in text
    assert twin not in page.text, "a twin has a row of its own in a table of strategies"
    assert f"{twin}, tax_loss_harvesting" in found["baselines"]


def test_summary_holds_the_cross_table(with_policy, tmp_path):
    path, data = write_report(with_policy, tmp_path, draws=DRAWS)
    found = json.loads(data.read_text(encoding="utf-8"))
    assert len(found["cross"]) == 6 * 7 and len(found["diagonal"]) == 7
    assert {row["given"] for row in found["cross"]} == set(OBJECTIVES)
    for row in found["cross"]:
        own = found["objectives"][row["objective"]][row["score"]]
        if row["is_void"]:
            assert row["value"] is None
        elif row["given"] == row["objective"]:
            assert row["value"] == own
    harvest = next(row for row in found["diagonal"] if row["objective"] == "tax_loss_harvesting")
    assert harvest["is_best"] and harvest["difference_lower95"] > 0
    text = path.read_text(encoding="utf-8")
    assert "One strategy for six objectives" in text and "Told its own objective, policy is best" in text
    names = [target["name"] for target in found["targets"]]
    assert sum("not worse than its analytic experts" in name for name in names) == 6
    assert sum(name.startswith("one policy for six objectives") for name in names) == 2


def test_opened_tests_are_reported_apart(trials, tmp_path):
    opened = [
        replace(t, key=replace(t.key, window="test_2017_2022"))
        for t in trials
        if t.key.window == "development_2005_2007"
    ]
    told = []
    path, data = write_report([*trials, *opened], tmp_path, draws=DRAWS, n_logged=999, progress=told.append)
    found = json.loads(data.read_text(encoding="utf-8"))
    assert found["meta"]["windows_test"] == ["test_2017_2022"] and found["meta"]["n_trials_logged"] == 999
    assert set(found["objectives_test"]) == set(OBJECTIVES)
    assert len(found["cross_test"]) == 6 * 7 and len(found["diagonal_test"]) == 7
    assert "The test windows, opened" in path.read_text(encoding="utf-8")
    assert told[0] == "baselines" and told[-1] == "summary"


def test_a_few_trials_still_make_a_page(trials, tmp_path):
    few = [t for t in trials if t.key.window == "development_2002_2004" and t.key.strategy == "momentum_12_1"]
    path, data = write_report(few, tmp_path, draws=DRAWS)
    page = Page(path.read_text(encoding="utf-8"))
    assert "equal_weight_monthly is not among the trials" in " ".join(page.text)
    assert json.loads(data.read_text(encoding="utf-8"))["objectives"] == {}
    with pytest.raises(ReportError, match="no trial"):
        write_report([], tmp_path)


def test_command_reads_a_folder(trials, tmp_path, capsys):
    folder, out = tmp_path / "run", tmp_path / "page"
    for i, trial in enumerate(trials[:8]):
        write_result(trial, folder / "trials" / f"{i}.trial.npz")
    assert main([str(folder), "--output", str(out), "--draws", "39"]) == 0
    assert "open the page in a browser" in capsys.readouterr().out and (out / "index.html").exists()
    assert main([str(tmp_path / "nothing"), "--output", str(out)]) == 1
    assert "no report of" in capsys.readouterr().err


def test_figures_are_written_for_readers():
    assert [number(x, 1, sign=True) for x in (-1234.56, 0.04, -0.04, float("nan"))] == [
        "−1,234.6",
        "0.0",
        "0.0",
        "–",
    ]
    found = interval_cell(Interval(1.0, 0.5, 1.5, 0.2, 1.0, 0.01, 99), 1, tests_zero=True)
    assert found == Cell("1.0", "0.5 to 1.5", is_clear=True)
    assert not interval_cell(Interval(1.0, -0.5, 1.5, 0.2, 1.0, 0.01, 99), tests_zero=True).is_clear
    assert p_value_cell(0.0004) == Cell("< 0.001", is_clear=True) and not p_value_cell(0.2).is_clear
    Page(table_html(Table("a & b", ("x", "y"), [("r_1", [Cell("<", "1 to 2")])])))
