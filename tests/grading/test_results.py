"""Text from a submission is cleaned in one place, no row takes the table with it, and no cell holds a formula."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.support.classroom import FULL, NAME, hand_in, table_of
from tools.grading import grading
from tools.grading.results import slug, store, stored_result
from tools.grading.sources import read_sources
from tools.grading.submissions import Submission
from tools.grading.table import harmless, write_grades
from tools.grading.text import clean, clean_lines

ODD_TEXTS = {
    "half of a character": "a\ud800b",
    "a command for the terminal": "a\x1b[2Jb",
    "a mark of direction": "a\u202eb",
    "an isolate": "a\u2066b",
    "an invisible character": "a\u200bb",
}


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_what_is_not_fit_to_print_becomes_a_question_mark(name):
    for function in (clean, clean_lines):
        text = function(ODD_TEXTS[name])
        assert text.startswith("a\ufffd")
        assert text.endswith("b")
        assert function(text) == text
        text.encode("utf-8")


@pytest.mark.parametrize("mark", ["\n", "\r\n", "\r", "\v", "\x85", "\u2028", "\u2029"])
def test_a_line_break_is_a_blank(mark):
    assert clean(f"Ada{mark}Ben,7") == "Ada Ben,7"
    assert clean_lines(f"Ada{mark}Ben") == "Ada\nBen"


def test_letters_of_all_scripts_stay():
    for text in ("Zoë Müller 学生", "علی\u200cرضا", "👩\u200d🔬", "e\u0301"):
        assert clean(text) == text


def test_a_text_is_not_longer_than_a_cell_can_show():
    assert len(clean("x" * 10**6)) == 300


# What a grading process left, which the submission may have written

FORGED = {
    "no JSON": "points",
    "a list": "[]",
    "points are a list": '{"points": [1]}',
    "points are texts": '{"points": {"check-01-1": "many"}}',
    "points are not finite": '{"points": {"check-01-1": NaN}}',
    "points are too large": '{"points": {"check-01-1": 1' + "0" * 400 + "}}",
    "deep": "[" * 100_000,
    "remarks are a table": '{"points": {"check-01-1": 1}, "remarks": {}}',
    "remarks are a text": '{"points": {"check-01-1": 1}, "remarks": "well done"}',
    "remarks are a number": '{"points": {"check-01-1": 1}, "remarks": 3}',
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_outcome_is_not_a_result(name):
    with pytest.raises(ValueError):
        grading.read_outcome(FORGED[name].encode(), 0)


def test_an_outcome_counts_only_when_grading_came_to_its_end():
    head = b'{"points": {"check-01-1": 1}, "remarks": ["good"]}'
    assert grading.read_outcome(head, 0) == grading.Outcome({"check-01-1": 1.0}, ["good"], "")
    for code in (-9, 1, None):
        with pytest.raises(ValueError):
            grading.read_outcome(head, code)


def forging(monkeypatch, content):
    """Let every grading process leave this."""

    def run(job, limits, stop=None):
        job.result.write_bytes(content)
        job.log.write_bytes(b"the last line\n")
        return "", 0

    monkeypatch.setattr(grading, "run", run)
    monkeypatch.setattr(grading, "prepare_courses", lambda sources, folder: None)


@pytest.mark.slow
def test_a_remark_that_no_file_can_hold_leaves_the_table_of_the_class(tmp_path, monkeypatch):
    hand_in(tmp_path / "class", "Ada")
    hand_in(tmp_path / "class", "Eve")
    head = {"points": {"check-01-1": 1}, "remarks": ["a\ud800b\u202ec\n=cmd()"]}
    forging(monkeypatch, json.dumps(head).encode() + b"\n<p>page")
    for words in ("set 01", "unchanged, set 01"):
        printed = []
        grading.grade_class(tmp_path / "class", tmp_path / "out", grading.Settings(), printed.append)
        rows = table_of(tmp_path / "out")
        assert sorted(rows) == ["Ada", "Eve"]
        assert rows["Eve"]["remarks"] == "a\ufffdb\ufffdc =cmd()"
        assert len(printed) == 2
        assert words in printed[1]
        for line in printed:
            assert line.isprintable()
            line.encode("utf-8")


def test_remarks_that_are_not_a_list_have_a_reason_that_can_be_read(tmp_path, monkeypatch):
    hand_in(tmp_path / "class", "Eve")
    forging(monkeypatch, b'{"points": {}, "remarks": {}}\n')
    grading.grade_class(tmp_path / "class", tmp_path / "out", grading.Settings(), print)
    problem = table_of(tmp_path / "out")["Eve"]["problem"]
    assert problem == "grading stopped without a result; its last line: the last line"


def test_points_stay_within_those_of_the_set(tmp_path, monkeypatch):
    hand_in(tmp_path / "class", "Eve")
    points = {"check-01-1": 99, "check-01-2": -5, "check-01-3": 1.5, "check-99-9": 7}
    forging(monkeypatch, json.dumps({"points": points}).encode() + b"\n")
    (eve,) = grading.grade_class(tmp_path / "class", tmp_path / "out", grading.Settings(), print)
    assert eve.points == {"01.1": 1, "01.2": 0, "01.3": 1.5, "01.4": 0}


def test_one_row_that_cannot_be_written_is_that_rows_problem(tmp_path):
    good = Submission("Ada", "Ada/a.ipynb", "01", points=dict.fromkeys(FULL, 1.0))
    bad = Submission("Eve", "Eve/a.ipynb", "01", points={"01.1": "x"})
    write_grades(tmp_path / "grades.csv", [bad, good], read_sources())
    rows = table_of(tmp_path)
    assert rows["Ada"]["points"] == "4"
    assert rows["Eve"]["problem"].startswith("this row could not be written")


@pytest.mark.slow
def test_a_line_that_cannot_be_printed_stops_nothing(tmp_path):
    hand_in(tmp_path / "class", "Zoë 学生", answers={})
    (tmp_path / "class" / "Zoë 学生" / NAME).write_text("")
    command = [sys.executable, "-m", "tools.grading", str(tmp_path / "class")]
    variables = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = subprocess.run(command, capture_output=True, env=variables, cwd=grading.ROOT, timeout=120)
    assert result.returncode == 0, result.stderr
    assert b"Zo? ??: the file is empty" in result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="the system's names are text")
def test_a_name_that_is_not_text_is_stored_and_listed(tmp_path):
    submission = Submission("M\ufffdller", os.fsdecode(b"M\xfcller/a.ipynb"), "01", dict.fromkeys(FULL, 0.0), key="k")
    store(tmp_path, submission, "page", b"log", {})
    write_grades(tmp_path / "grades.csv", [submission], read_sources())
    assert table_of(tmp_path)["M\ufffdller"]["file"] == "M\ufffdller/a.ipynb"
    assert stored_result(tmp_path, submission, {})


# What is kept from run to run


def found_again(folder, submission, **changes):
    """Store a result; return the stored result under the usual limits."""
    result = {"key": submission.key, "points": {}, "remarks": [], "problem": "", "limits": {"seconds": 600}} | changes
    (folder / "results").mkdir(exist_ok=True)
    (folder / "results" / f"{slug(submission)}.json").write_text(json.dumps(result))
    return stored_result(folder, submission, {"seconds": 600})


def test_a_result_of_another_version_of_the_exercise_is_not_used_again(tmp_path):
    submission = Submission("Ada", "Ada/a.ipynb", "01", key="new")
    assert found_again(tmp_path, submission)
    assert found_again(tmp_path, submission, key="old") is None


@pytest.mark.parametrize("changes", [{"points": []}, {"points": {"01.1": "x"}}, {"remarks": {}}, {"remarks": None}])
def test_a_stored_result_that_is_not_one_is_not_used_again(tmp_path, changes):
    assert found_again(tmp_path, Submission("Ada", "Ada/a.ipynb", "01", key="new"), **changes) is None


def test_what_met_a_limit_is_graded_again_within_other_limits(tmp_path):
    submission = Submission("Ada", "Ada/a.ipynb", "01", key="new")
    others = {"limits": {"seconds": 60}}
    assert found_again(tmp_path, submission, problem="stopped after 600 seconds, the time limit")
    assert found_again(tmp_path, submission, **others)
    assert found_again(tmp_path, submission, problem="stopped after 60 seconds, the time limit", **others) is None
    assert found_again(tmp_path, submission, remarks=["the cell that starts with `x` took too long"], **others) is None


def test_a_table_is_never_left_half_written(tmp_path, monkeypatch):
    path = tmp_path / "grades.csv"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_grades(path, [], {})
    assert path.read_bytes() == b"old"
    assert [x.name for x in tmp_path.iterdir()] == ["grades.csv"]


# Formulas

FORMULAS = [
    *("=1+1", "+1+1", "-1+1", "@SUM(1,1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1", "\u00a0=1+1", "\u2003=1+1"),
    *("\uff1d1+1", "\uff0b1+1", "\uff0d1+1", "\uff20SUM(1)", "\u202e=1+1", "\u200b=1+1", '"=1+1', "'=1+1"),
    *(";=1+1", ";;=1+1", "a;=1+1", "a; =1+1", 'a;"=1+1', "x\r\n=1+1", "x\n;=1+1"),
    *('=HYPERLINK("http://127.0.0.1")', "=cmd|' /C calc'!A0"),
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text(text):
    for cell in harmless(text).split(";"):
        assert cell.lstrip(' "\xa0\u2003\ufffd')[:1] not in list("=+-@\uff1d\uff0b\uff0d\uff20")
    assert "\n" not in harmless(text)
    assert "\r" not in harmless(text)


def test_ordinary_texts_stay():
    for text in ("Ada Lovelace", "Jean-Luc", "7", "0.5", "a; b; c", "x = 1", "the check of 01.1 had been edited"):
        assert harmless(text) == text


OFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.mark.slow
@pytest.mark.skipif(OFFICE is None and "CI" not in os.environ, reason="needs LibreOffice")
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_spreadsheet_program_evaluates_nothing_in_the_table(tmp_path, separator):
    submissions = [
        Submission(text, f"{i}/a.ipynb", "01", dict.fromkeys(FULL, 1.0), [text, text], [text], text)
        for i, text in enumerate(FORMULAS)
    ]
    write_grades(tmp_path / "grades.csv", submissions, read_sources())
    with (tmp_path / "raw.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[text, text] for text in FORMULAS])
    found = {}
    for name in ("grades", "raw"):
        # Separator, quotes, UTF-8, first line, then: all columns as usual, English, no quoted text, detect numbers,
        # and evaluate formulas, which is how a user gets them who answers a question with yes.
        options = f"{ord(separator)},34,76,1,,0,false,true,false,false,false,-1,true"
        command = [OFFICE, "--headless", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"]
        command += [f"--infilter=CSV:{options}", "--convert-to", "ods", "--outdir", str(tmp_path), f"{name}.csv"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        (book,) = list(tmp_path.glob(f"{name}*.ods")) or [pytest.fail(result.stderr + result.stdout)]
        with zipfile.ZipFile(book) as opened:
            found[name] = opened.read("content.xml").decode().count("table:formula")
    assert found["raw"] > 0, "this test would prove nothing"
    assert found["grades"] == 0
