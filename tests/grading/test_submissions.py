"""Reading what was handed in: no link is followed, no name hides another, and no notebook costs the grader itself."""

import json
import os
import shutil
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from tests.support.classroom import NAME, RIGHT, cell_of, hand_in, notebook_with
from tools.grading import reading
from tools.grading.results import slug
from tools.grading.sources import read_sources
from tools.grading.submissions import Submission, find_submissions
from tools.grading.worker import restore_checks

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def found_in(folder):
    return find_submissions(folder, read_sources())


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.symlink_to(target)
    except OSError:
        pytest.skip("this system makes no links")


def test_submissions_may_also_be_notebooks_named_like_their_students(tmp_path):
    nbformat.write(notebook_with({}), tmp_path / "Ada Lovelace.ipynb")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (submission,) = found_in(tmp_path)
    assert (submission.student, submission.exercises, submission.problem) == ("Ada Lovelace", "01", "")


@pytest.mark.slow(4)
@pytest.mark.parametrize("name", ["01_simulating_sums", "homework"])
def test_a_lesson_instead_of_its_exercises_has_a_reason(tmp_path, name):
    hand_in(tmp_path, "Ada")
    (tmp_path / "Ben").mkdir()
    shutil.copy(NOTEBOOKS / "01_simulating_sums.ipynb", tmp_path / "Ben" / f"{name}.ipynb")
    ada, ben = found_in(tmp_path)
    assert (ada.exercises, ada.problem) == ("01", "")
    assert (ben.exercises, ben.problem) == (
        "",
        "this is the lesson, not its exercises, which are in 01_exercises.ipynb",
    )


def test_a_lesson_beside_its_exercises_leaves_them_to_be_graded(tmp_path):
    hand_in(tmp_path, "Ada")
    shutil.copy(NOTEBOOKS / "01_simulating_sums.ipynb", tmp_path / "Ada")
    exercises, lesson = found_in(tmp_path)
    assert (exercises.exercises, exercises.problem) == ("01", "")
    assert "this is the lesson" in lesson.problem


def test_answers_among_cells_of_the_lesson_are_graded(tmp_path):
    notebook = notebook_with({})
    notebook.cells.append(nbformat.v4.new_code_cell('mlm.quiz("01")'))
    notebook.metadata.pop("course")
    nbformat.write(notebook, tmp_path / "Ada.ipynb")
    notebook.cells = [cell for cell in notebook.cells if "mlm.check(" not in cell.source]
    nbformat.write(notebook, tmp_path / "Ben 01.ipynb")
    assert [(x.exercises, x.problem) for x in found_in(tmp_path)] == [("01", "")] * 2


# Links


def test_a_link_to_a_notebook_is_not_followed(tmp_path):
    (tmp_path / "secret.ipynb").write_text("{}")
    link(tmp_path / "class" / "Eve" / "a.ipynb", tmp_path / "secret.ipynb")
    (submission,) = found_in(tmp_path / "class")
    assert submission.problem == "this is a link, which is not followed"


def test_a_folder_that_is_a_link_to_another_students_earns_nothing(tmp_path):
    hand_in(tmp_path, "Ada")
    link(tmp_path / "Eve", tmp_path / "Ada")
    ada, eve = found_in(tmp_path)
    assert (ada.student, ada.problem) == ("Ada", "")
    assert (eve.student, eve.problem, eve.key) == ("Eve", "this is a link, which is not followed", "")


def test_a_link_further_down_is_not_followed_and_is_remarked(tmp_path):
    hand_in(tmp_path, "Ada")
    hand_in(tmp_path, "Ben")
    link(tmp_path / "Eve" / "work" / "week 1", tmp_path / "Ada")
    link(tmp_path / "Ben" / "more", tmp_path / "Ada")
    _, ben, eve = found_in(tmp_path)
    assert eve.problem == "the folder is empty"
    assert ben.problem == ""
    for submission, name in ((ben, "Ben/more"), (eve, "Eve/work/week 1")):
        assert submission.notes == [f"a link was not followed: {name}"]


@pytest.mark.skipif(os.open not in os.supports_dir_fd, reason="the system opens no file below a folder that is open")
def test_a_link_that_takes_a_folders_place_after_the_look_is_not_followed(tmp_path, monkeypatch):
    from tools.grading import submissions

    hand_in(tmp_path, "Ada")
    link(tmp_path / "Eve", tmp_path / "Ada")
    monkeypatch.setattr(type(tmp_path), "is_symlink", lambda self: False)  # as if it had been a folder then
    with pytest.raises(ValueError):
        submissions.read_foreign(tmp_path, f"Eve/{NAME}", 1e6)
    assert submissions.read_foreign(tmp_path, f"Ada/{NAME}", 1e6)


# Names


@pytest.mark.slow(4)
@pytest.mark.parametrize(
    ("one", "other"), [("Ada", "ada"), ("Zo\u00eb", "Zoe\u0308"), ("Stra\u00dfe", "STRASSE"), ("Ada", "Ada ")]
)
def test_names_that_are_alike_are_remarked(tmp_path, one, other):
    hand_in(tmp_path, one)
    if (tmp_path / other).exists():
        pytest.skip("this disk takes both names for the same")
    hand_in(tmp_path, other)
    hand_in(tmp_path, "Ben")
    notes = {os.path.dirname(x.file): x.notes for x in found_in(tmp_path)}
    assert ["is like that of" in "".join(notes[name]) for name in (one, other, "Ben")] == [True, True, False]


def test_a_folder_and_a_notebook_of_one_name_are_remarked(tmp_path):
    hand_in(tmp_path, "Ada")
    nbformat.write(notebook_with({}), tmp_path / "Ada.ipynb")
    assert [x.notes != [] for x in found_in(tmp_path)] == [True, True]


def test_the_number_of_a_capstone_is_remarked_and_who_else_has_it(tmp_path):
    handed_out = (NOTEBOOKS / "exercises" / "capstone_exercises.ipynb").read_text(encoding="utf-8")
    for name, number in {"Ada": "7", "Ben": "2026", "Cem": "7", "Dora": "my_number"}.items():
        (tmp_path / f"{name}.ipynb").write_text(handed_out.replace("seed(2026)", f"seed({number})"), encoding="utf-8")
    hand_in(tmp_path, "Eve")
    assert {x.student: x.notes for x in found_in(tmp_path)} == {
        "Ada": ["number 7, as Cem"],
        "Ben": ["number 2026, as handed out"],
        "Cem": ["number 7, as Ada"],
        "Dora": [],
        "Eve": [],
    }


def test_file_names_of_submissions_have_enough_digits_not_to_collide():
    names = {slug(Submission("x", f"{i:06}/a.ipynb")) for i in range(30_000)}  # of 24 bits, some 27 pairs collide
    assert len({name[-16:] for name in names}) == 30_000
    assert all(len(name.rpartition("-")[2]) >= 16 for name in names)


def test_a_long_name_leaves_room_for_endings():
    assert len(slug(Submission("x", "\u5b66" * 80 + "/a.ipynb")).encode()) < 150


@pytest.mark.skipif(sys.platform != "linux", reason="the system's names are text")
def test_a_name_that_is_not_text_is_found(tmp_path):
    hand_in(tmp_path, os.fsdecode(b"M\xfcller"))
    (submission,) = found_in(tmp_path)
    assert (submission.student, submission.exercises, submission.problem) == ("M\ufffdller", "01", "")
    assert (tmp_path / submission.file).exists()


# Notebooks that nobody makes by accident

EMPTY = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}
ODD = {
    "deep": (b'{"cells": ' + b"[" * 200_000, "its content is not JSON"),
    "set is a list": (
        json.dumps(EMPTY | {"cells": [], "metadata": {"course": {"exercises": ["01"]}}}),
        "it cannot be told which set",
    ),
    "cells are numbers": (json.dumps(EMPTY | {"cells": [1, 2]}), "this is not a valid notebook"),
    "surrogates": (
        b'{"cells": [{"cell_type": "code", "source": "\\ud800", "metadata": {}, "outputs": [], "execution_count": null,'
        b' "id": "a"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "it cannot be told which set",
    ),
}


@pytest.mark.slow(4)
@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_a_problem_of_its_own(tmp_path, name):
    content, problem = ODD[name]
    hand_in(tmp_path, "Ada")
    (tmp_path / "Eve").mkdir()
    (tmp_path / "Eve" / "homework.ipynb").write_bytes(content if isinstance(content, bytes) else content.encode())
    ada, eve = found_in(tmp_path)
    assert problem in eve.problem
    assert ada.problem == ""


@pytest.mark.skipif(os.name != "posix", reason="the system has no such files")
def test_a_pipe_does_not_hold_up_grading(tmp_path):
    os.mkfifo(tmp_path / "Eve.ipynb")
    (submission,) = found_in(tmp_path)
    assert submission.problem == "this is not an ordinary file"


def test_thousands_of_files_are_not_gone_through(tmp_path):
    for i in range(11):
        (tmp_path / "Eve" / f"{i}").mkdir(parents=True)
        for j in range(1000):
            (tmp_path / "Eve" / f"{i}" / f"{j}").touch()
    (submission,) = found_in(tmp_path)
    assert submission.problem == "there are more than 10,000 files and folders"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Windows does not limit the memory of a process")
@pytest.mark.parametrize("many", ["cells", "lists"])
def test_a_notebook_of_hundreds_of_thousands_of_parts_costs_the_grader_itself_nothing(tmp_path, many):
    cells, lists = ['{"cell_type":"raw","source":"","metadata":{},"id":"a"}'], ["[]"]
    cells, lists = (cells * 330_000, lists) if many == "cells" else (cells, lists * 6_000_000)
    metadata = f'{{"x": [{",".join(lists)}]}}'
    text = f'{{"cells": [{",".join(cells)}], "metadata": {metadata}, "nbformat": 4, "nbformat_minor": 5}}'
    assert 17e6 < len(text) < 20e6
    hand_in(tmp_path, "Ada")
    (tmp_path / "Eve.ipynb").write_text(text)
    hand_in(tmp_path, "Zoe")
    before, started = psutil.Process().memory_info().rss, time.monotonic()
    ada, eve, zoe = found_in(tmp_path)
    reason = "reading this notebook takes more than 10 seconds or 1 GB of memory"
    assert eve.problem == (reason if many == "lists" else "this notebook has 330,000 cells, more than 5,000")
    assert (ada.problem, zoe.problem) == ("", "")
    assert time.monotonic() - started < reading.READ_SECONDS + 20
    assert psutil.Process().memory_info().rss - before < 2e8


@pytest.mark.skipif(os.name != "posix", reason="a script stands for a slow Python")
def test_a_slow_start_of_the_reader_is_no_notebooks_fault(tmp_path, monkeypatch):
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\nsleep 3\nexec "{sys.executable}" "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setattr(reading, "READ_SECONDS", 2.5)
    with reading.Reader(["01"]) as reader:
        assert reader.set_of(json.dumps(EMPTY | {"cells": []}).encode(), "01_exercises") == "01"


@pytest.mark.parametrize("marks", [[], ["check-01-1"], "check-01-1", {"grade_id": ["check-01-1"]}, 3])
def test_metadata_that_are_not_nbgraders_count_as_a_check_that_is_missing(marks):
    notebook = notebook_with(RIGHT)
    check = cell_of(notebook, "check", "01.1")
    wanted = nbformat.from_dict(json.loads(json.dumps(check)))
    check.metadata["nbgrader"] = marks
    read = reading.read_notebook(json.dumps(notebook).encode())
    assert restore_checks(read, [wanted]) == ["the check of 01.1 had been removed and was put back"]
