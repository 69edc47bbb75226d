"""A class of thirty is graded: right points, a reason for what cannot be graded, and nothing lost or changed."""

import csv
import hashlib
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from tests.support.classroom import FULL, NAME, RIGHT, make_class, notebook_with
from tools.grading import __main__ as command
from tools.grading.grading import Settings
from tools.grading.limits import Limits

pytest.importorskip("nbgrader", reason="grading needs the extra `teach`")
ROOT = Path(__file__).resolve().parents[2]
LIMITS = ["--cell-seconds", "30", "--memory", "1.5", "--seconds", "300"]


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def grade(folder, *options):
    command = [sys.executable, "-u", "-m", "tools.grading", str(folder), *LIMITS, *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def table(folder):
    text = (folder.with_name(folder.name + "_graded") / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(text.splitlines())}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade a class once; return its folder, what was expected, what was printed and the seconds."""
    folder = tmp_path_factory.mktemp("a class é") / "submissions"
    folder.mkdir()
    expected = make_class(folder)
    before = digests(folder)
    started = time.monotonic()
    printed = grade(folder)
    seconds = time.monotonic() - started
    return folder, expected, before, printed, seconds


@pytest.mark.slow
def test_every_student_gets_the_expected_points_and_reasons(graded):
    folder, expected, *_ = graded
    rows = {name.removeprefix("'"): row for name, row in table(folder).items()}
    assert len(table(folder)) == 30
    for student, wanted in expected.items():
        row = rows[student]
        got = {task: float(row[task]) for task in FULL if row[task]}
        if wanted.points:
            assert got == wanted.points, (student, row)
            assert float(row["points"]) == sum(wanted.points.values())
        else:
            assert float(row["points"]) == 0, (student, row)
        assert wanted.problem in row["problem"], (student, row)
        assert bool(row["problem"]) == bool(wanted.problem), (student, row)
        assert wanted.remark in row["remarks"], (student, row)


@pytest.mark.slow
def test_a_class_is_graded_within_fifteen_minutes_and_progress_is_shown(graded):
    *_, printed, seconds = graded
    assert seconds < 15 * 60
    counts = [int(number) for number in re.findall(r"^\[(\d+)/31\] ", printed, re.MULTILINE)]
    assert counts == list(range(1, 32))


@pytest.mark.slow
def test_nothing_that_was_handed_in_is_changed(graded):
    folder, _, before, *_ = graded
    assert digests(folder) == before


@pytest.mark.slow
def test_every_graded_submission_has_a_feedback_page_that_loads_nothing(graded):
    folder, expected, *_ = graded
    pages = {
        path.name: path.read_text(encoding="utf-8") for path in (folder.parent / "submissions_graded").rglob("*.html")
    }
    assert len(pages) == sum(bool(x.points) and not x.problem for x in expected.values())
    for name, page in pages.items():
        assert not re.search(r"(?:src|href)=[\"']?https?:[^>]*>", re.sub(r"<a [^>]*>", "", page)), name
        assert "<script>alert" not in page
    wrong = next(page for name, page in pages.items() if name.startswith("partly_right_1"))
    assert "standard deviations do not add" in wrong


@pytest.mark.slow
def test_a_table_of_grades_holds_no_formula(graded):
    folder, *_ = graded
    assert "'=cmd()" in table(folder)


@pytest.mark.slow
def test_only_what_changed_is_graded_again(graded):
    folder, expected, *_ = graded
    graded_before = table(folder)
    path = folder / "unchanged 1" / NAME
    original = path.read_bytes()
    nbformat.write(notebook_with({"01.1": RIGHT["01.1"]}), path)
    try:
        printed = grade(folder)
    finally:
        path.write_bytes(original)
    problems = sum(bool(x.problem) and not x.points for x in expected.values()) + 1  # one folder has two notebooks
    assert printed.count("unchanged, ") + problems + 1 == 31
    assert "unchanged 1: set 01, 1 of 7 points" in printed
    after = table(folder)
    assert float(after.pop("unchanged 1")["points"]) == 1
    assert after == {name: row for name, row in graded_before.items() if name != "unchanged 1"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["no such folder"], "is not a folder"), ([".", "--output", "grades"], "must not go into")],
)
def test_a_wrong_folder_is_refused(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err


def test_the_command_grades_within_the_limits_of_the_settings_unless_others_are_given(tmp_path):
    folder, output, settings = command.parse([str(tmp_path)])
    assert settings == Settings(hidden=(folder, output))
    assert command.parse([str(tmp_path), "--disk", "3"])[-1].limits == Limits(disk=3e9)


def test_the_class_is_not_smaller_than_it_claims(tmp_path):
    expected = make_class(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(expected) == 30
    assert sum(not x.points for x in expected.values()) >= 5
    shutil.rmtree(tmp_path)
