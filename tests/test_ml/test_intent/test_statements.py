"""Statements of the project's own: the parser is held to its aims on texts that it was not written on."""

from pathlib import Path

import pytest
import yaml

from ml.intent.cases import main, predict, score

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", ["statements.yaml", "statements_held_out.yaml"])
def test_aims(name):
    document = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    predictions = [predict(case) for case in document["cases"]]
    scores = score(document["cases"], predictions, document["meta"]["exclusion_equivalents"])

    def share(pair):
        return pair[0] / pair[1]

    assert share(scores["fields"]["objective"]) >= 0.90, scores["wrong"]
    assert share(scores["slots"]) >= 0.85, scores["wrong"]
    assert share(scores["places"]) < 0.02
    assert share(scores["cases_invented"]) < 0.10


class TestCommand:
    def write(self, folder, text):
        path = folder / "cases.yaml"
        path.write_text(text, encoding="utf-8")
        return [str(path), "--predictions", str(folder / "out.jsonl")]

    def lines(self, folder):
        import json

        return [json.loads(line) for line in (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]

    def test_every_case_gets_a_line_and_expected_may_be_absent(self, tmp_path, capsys):
        arguments = self.write(
            tmp_path,
            "cases:\n"
            "- {id: a, stated_at: 2026-01-01, text: growth over ten years}\n"
            "- {id: b, stated_at: 2026-01-01T10:00:00, text: 2026}\n"
            "- {id: 3, stated_at: nonsense, text: growth}\n"
            "- {id: d, stated_at: '2026-01-01', text: }\n"
            "- {id: e, stated_at: '2026-01-01'}\n"
            "- a string\n",
        )
        assert main(arguments) == 0
        found = self.lines(tmp_path)
        assert [line["id"] for line in found] == ["a", "b", 3, "d", "e", None]
        assert ["error" in line for line in found] == [False, False, True, False, True, True]
        assert found[0]["intent"]["objective"] == "long_term_gain"
        fields = {
            "objective",
            "secondary",
            "horizon_months",
            "liquidity",
            "risk_tolerance",
            "exclusions",
            "tax",
            "actionable",
        }
        assert all(set(line["intent"]) == fields for line in found)
        assert "nothing to score" in capsys.readouterr().out

    def test_no_score_prints_none_and_expected_changes_no_prediction(self, tmp_path, capsys):
        case = "cases:\n- {id: a, stated_at: '2026-01-01', text: grow my money over ten years"
        assert main([*self.write(tmp_path, f"{case}}}\n"), "--no-score"]) == 0
        without = self.lines(tmp_path)
        assert "%" not in capsys.readouterr().out
        assert main(self.write(tmp_path, f"{case}, expected: {{objective: capital_preservation}}}}\n")) == 0
        assert self.lines(tmp_path) == without
        assert "0 of 1" in capsys.readouterr().out

    def test_a_case_in_error_is_wrong_in_every_field(self, tmp_path, capsys):
        assert (
            main(
                self.write(
                    tmp_path, "cases:\n- {id: a, stated_at: x, text: y, expected: {objective: null}}\n"
                )
            )
            == 0
        )
        out = capsys.readouterr().out
        assert out.count("0 of 1 ") >= 8 and "1 could not be read" in out

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("2026-01-01", "2026-01-01"),
            ("!!timestamp 2026-01-01", "2026-01-01"),
            ("!!set {b, a}", ["a", "b"]),
            ("[1, two]", [1, "two"]),
            ("{k: [1]}", {"k": [1]}),
            ('"\\ud800"', "\\ud800"),
            (".nan", "nan"),
            ("null", None),
            ("true", True),
        ],
    )
    def test_any_id_is_named_in_its_line(self, tmp_path, capsys, written, read):
        case = f"cases:\n- id: {written}\n  stated_at: 2026-1-5\n  text: growth over ten years\n"
        case += "  expected: {objective: long_term_gain, horizon_months: [108, 132]}\n"
        assert main(self.write(tmp_path, case)) == 0
        (line,) = self.lines(tmp_path)
        assert line["id"] == read and "error" not in line
        assert "objective           1 of 1" in capsys.readouterr().out

    def test_equal_and_missing_ids_are_scored_each_by_its_own_line(self, tmp_path, capsys):
        cases = (
            "cases:\n"
            "- {stated_at: 2026-01-05, text: growth over ten years, expected: {objective: long_term_gain}}\n"
            "- {stated_at: 2026-01-05, text: harvest my losses, expected: {objective: tax_loss_harvesting}}\n"
            "- {id: a, stated_at: 2026-13-45, text: growth, expected: {objective: long_term_gain}}\n"
            "- {id: a, stated_at: 2026-01-05, text: growth, expected: {objective: long_term_gain}}\n"
        )
        assert main(self.write(tmp_path, cases)) == 0
        found = self.lines(tmp_path)
        assert [line["id"] for line in found] == [None, None, "a", "a"]
        assert "2026-13-45" in found[2]["error"] and sum("error" in line for line in found) == 1
        assert "objective           3 of 4" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("expected", "meta", "named"),
        [
            ("[1, 2]", "{}", "`expected` is list"),
            ("{exclusions: [tobacco]}", "{}", "`expected` cannot be used"),
            ("{horizon_months: 3}", "{}", "`expected` cannot be used"),
            ("{liquidity: {by: [x, y]}, objective: null}", "{}", "`expected` cannot be used"),
            ("{objective: long_term_gain}", "[1]", "`meta` is list"),
            ("{objective: long_term_gain}", "{exclusion_equivalents: 3}", "exclusion_equivalents"),
        ],
    )
    def test_labels_that_are_none_are_named_after_every_case_has_its_line(
        self, tmp_path, capsys, expected, meta, named
    ):
        cases = (
            f"meta: {meta}\ncases:\n"
            f"- {{id: a, stated_at: 2026-01-05, text: growth over ten years, expected: {expected}}}\n"
            "- {id: b, stated_at: 2026-01-05, text: growth, expected: {objective: long_term_gain}}\n"
        )
        assert main(self.write(tmp_path, cases)) == 1
        assert [line["intent"]["objective"] for line in self.lines(tmp_path)] == ["long_term_gain"] * 2
        printed = capsys.readouterr()
        assert named in printed.err and "objective" in printed.out

    @pytest.mark.parametrize("text", ["cases: 3", "[]", "{", "\x00"])
    def test_a_file_of_no_cases_is_an_error_that_names_it(self, tmp_path, capsys, text):
        assert main(self.write(tmp_path, text)) == 1
        assert "cases.yaml" in capsys.readouterr().err
