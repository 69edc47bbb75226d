"""A class of students: submissions, expected grades, and where sandboxes can be tested."""

import csv
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tools.grading import walls
from tools.grading.sources import grade_id, read_source, solved, stub_notebook

SOURCE = read_source(Path(__file__).resolve().parents[2] / "notebooks" / "exercise_sources" / "01_simulating_sums.py")
NAME = SOURCE.file("exercises")
SOLUTIONS = SOURCE.file("solutions")
RIGHT = {task.number: solved(task.solution) for task in SOURCE.tasks}
FULL = {task.number: task.points for task in SOURCE.tasks}

sandboxed = pytest.mark.skipif(
    not walls.can_sandbox() and not ("CI" in os.environ and sys.platform == "linux"),
    reason="bubblewrap is not installed or may not make namespaces",
)


@dataclass(frozen=True)
class Expected:
    """The expected result of a submission: points by task, and words of the problem and of the remarks."""

    points: dict
    problem: str = ""
    remark: str = ""


def but(**points):
    """Return full points except for some tasks, as in ``but(t2=0)``."""
    return FULL | {f"01.{name[1:]}": value for name, value in points.items()}


def notebook_with(answers):
    """Return the stub notebook with some of its solutions replaced."""
    notebook = stub_notebook(SOURCE)
    for number, text in answers.items():
        cell_of(notebook, "solution", number).source = text
    return notebook


def cell_of(notebook, kind, number):
    """Return the cell of a task."""
    (cell,) = (x for x in notebook.cells if x.metadata.get("nbgrader", {}).get("grade_id") == grade_id(kind, number))
    return cell


def make_class(folder):
    """Write 30 submissions to a folder; return each student's expected result."""
    expected = {}

    def hand_in(student, answers, points, problem="", remark="", file=NAME, change=None):
        notebook = notebook_with(answers)
        if change:
            change(notebook)
        (folder / student).mkdir()
        nbformat.write(notebook, folder / student / file)
        expected[student] = Expected(points, problem, remark)

    def hand_in_bytes(student, content, problem, file=NAME):
        (folder / student).mkdir()
        if content is not None:
            (folder / student / file).write_bytes(content)
        expected[student] = Expected({}, problem)

    none = dict.fromkeys(FULL, 0)
    mistakes = {task.number: task.mistakes[0][1] for task in SOURCE.tasks}
    hand_in("right 1", RIGHT, FULL)
    hand_in("right 2", RIGHT, FULL)
    hand_in("Zoë Müller 学生", RIGHT, FULL)
    hand_in("=cmd()", RIGHT, FULL)
    hand_in("wrong file name", RIGHT, FULL, file="my homework (1).ipynb")
    hand_in("partly right 1", RIGHT | {"01.1": mistakes["01.1"]}, but(t1=0))
    hand_in("partly right 2", RIGHT | {"01.4": mistakes["01.4"]}, but(t4=0))
    hand_in("partly right 3", {"01.2": RIGHT["01.2"], "01.3": RIGHT["01.3"]}, but(t1=0, t4=0))
    hand_in("all wrong", mistakes, none)
    hand_in("unchanged 1", {}, none)
    hand_in("unchanged 2", {}, none)
    hand_in("syntax error", RIGHT | {"01.2": "def centered_means(:\n    return"}, but(t2=0))
    loop = "def centered_means(mu_baseline, mu_layer):\n    while True:\n        pass"
    hand_in("endless loop", RIGHT | {"01.2": loop}, but(t2=0), remark="took too long and was interrupted")
    hog = "centered_means = bytearray(10**11)"
    hand_in("memory hog", RIGHT | {"01.2": hog}, but(t2=0), remark="ran out of memory")
    # Release the memory, or the tasks after it have none left.
    leak = "hoard = []\ntry:\n    while True:\n        hoard.append(bytearray(10**7))\nfinally:\n    hoard.clear()"
    hand_in("memory leak", RIGHT | {"01.2": leak}, but(t2=0), remark="ran out of memory")
    leaves = "import os\nos._exit(0)"
    hand_in("os._exit", RIGHT | {"01.3": leaves}, none, problem="ended its own Python process")
    hand_in("talks much", RIGHT | {"01.2": "for i in range(30_000):\n    print(i)\n\n" + RIGHT["01.2"]}, FULL)
    hand_in("raises", RIGHT | {"01.1": "def total_sd(a, b):\n    raise KeyError('no')"}, but(t1=0))
    hand_in("warns", RIGHT | {"01.1": warns(RIGHT["01.1"])}, FULL)

    def delete_check(notebook):
        notebook.cells.remove(cell_of(notebook, "check", "01.2"))

    def delete_cells_of_a_task(notebook):
        delete_check(notebook)
        notebook.cells.remove(cell_of(notebook, "solution", "01.2"))

    def edit_check(notebook):
        cell_of(notebook, "check", "01.2").source = "pass"

    def lose_metadata(notebook):
        for cell in notebook.cells:
            cell.metadata = {}
        notebook.metadata = {}

    def windows_line_ends(notebook):
        for cell in notebook.cells:
            cell.source = cell.source.replace("\n", "\r\n")

    wrong_second = RIGHT | {"01.2": mistakes["01.2"]}
    hand_in("deleted check", wrong_second, but(t2=0), remark="check of 01.2 had been removed", change=delete_check)
    hand_in("deleted task", RIGHT, but(t2=0), remark="check of 01.2 had been removed", change=delete_cells_of_a_task)
    hand_in("edited check", wrong_second, but(t2=0), remark="check of 01.2 had been edited", change=edit_check)
    hand_in("lost metadata", RIGHT, FULL, remark="check of 01.1 had been removed", change=lose_metadata)
    hand_in("Windows line ends", RIGHT, FULL, change=windows_line_ends)
    path = folder / "Windows line ends" / NAME
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    hand_in_bytes("not a notebook", b"My answers are 5 and 7.", "its content is not JSON")
    hand_in_bytes("other JSON", json.dumps({"cells": 3}).encode(), "it has no list of cells")
    hand_in_bytes("empty file", b"", "the file is empty")
    hand_in_bytes("a text", b"see attachment", "there is no notebook (.ipynb), only answers.txt", file="answers.txt")
    hand_in_bytes("nothing", None, "the folder is empty")
    hand_in("two notebooks", RIGHT, {}, problem="there are 2 notebooks of this set")
    nbformat.write(notebook_with({}), folder / "two notebooks" / "old.ipynb")
    assert len(expected) == 30
    return expected


def warns(solution):
    """Return a solution that also warns and prints to the error stream, which must not cost its points."""
    lines = solution.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip().startswith("return"))
    noise = ["    import sys", "    import warnings", "    warnings.warn('careful')", "    print('!', file=sys.stderr)"]
    return "\n".join([*lines[:start], *noise, *lines[start:]])


def hand_in(folder, student, code="", answers=None):
    """Hand in right answers, with an extra cell before them."""
    notebook = notebook_with(RIGHT if answers is None else answers)
    if code:
        notebook.cells.insert(1, nbformat.v4.new_code_cell(code))
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook, folder / student / NAME)


def variables_without_bubblewrap(folder):
    """Return variables with a bubblewrap that is installed but does not work, as in many containers."""
    folder.mkdir(parents=True, exist_ok=True)
    stub = folder / "bwrap"
    stub.write_text("#!/bin/sh\nexit 1\n")
    stub.chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def table_of(output):
    """Return the rows of a table of grades by student."""
    text = (output / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(text.splitlines())}
