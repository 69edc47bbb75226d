"""Exercises: right answers pass, typical mistakes get their hint, nonsense gets a message, stubs say what to write."""

import contextlib
import functools
import io
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import mlm_tutorial as mlm
from mlm_tutorial import exercises
from tools import notebooks
from tools.grading.sources import read_source, solution_notebook, solved, source_paths, stub_notebook, stub_of

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
EVERY_SET = {path.stem: read_source(path) for path in source_paths()}
#: Those that belong to a notebook; the capstone belongs to all, and has a file of tests of its own.
SOURCES = {name: source for name, source in EVERY_SET.items() if name[0].isdigit()}
TASKS = [(source.name, task) for source in SOURCES.values() for task in source.tasks]
EVERY_TASK = [(source.name, task) for source in EVERY_SET.values() for task in source.tasks]
each_set = pytest.mark.parametrize("name", SOURCES)
every_set = pytest.mark.parametrize("name", EVERY_SET)
every_task = pytest.mark.parametrize(("name", "task"), EVERY_TASK, ids=[task.number for _, task in EVERY_TASK])


def fits_a_model(task):
    """Return whether a task's solution samples a posterior, which takes seconds each time."""
    return "mlm.sample(" in task.solution


def comes_after_a_fit(name, task):
    """Return whether the cells of a set up to a task's own sample a posterior."""
    tasks = EVERY_SET[name].tasks
    cells = [*EVERY_SET[name].setup, *(earlier.solution for earlier in tasks[: tasks.index(task) + 1])]
    return any("mlm.sample(" in cell for cell in cells)


def each_of(tasks, is_slow, seconds):
    """Return the decorator of a test of each task, with a mark where it is slow."""
    rows = [
        pytest.param(*row, marks=[pytest.mark.slow(seconds)] if is_slow(*row) else [], id=row[1].number)
        for row in tasks
    ]
    return pytest.mark.parametrize(("name", "task"), rows)


each_answer = each_of(TASKS, comes_after_a_fit, 10)
every_answer = each_of(EVERY_TASK, comes_after_a_fit, 10)
#: A check of a fit simulates what a fit would find, before it looks at the answer.
every_check = each_of(EVERY_TASK, lambda name, task: fits_a_model(task), 5)
#: Tasks whose answer does not sample a posterior.
QUICK = [(name, task) for name, task in TASKS if not fits_a_model(task)]


@pytest.fixture
def fits_of_one_model_are_made_once(monkeypatch):
    """Sample a model once for each set of options, because several mistakes of a task often share one fit."""
    sample, seen = mlm.sample, {}

    def remembered(model, *args, **options):
        if not isinstance(model, mlm.CellModel):
            return sample(model, *args, **options)
        data = [(variable.name, variable.get_value().tobytes()) for variable in model.data_vars]
        key = repr((type(model), model.coordinates, model.coords, model.priors, data, args, sorted(options.items())))
        if key not in seen:
            seen[key] = sample(model, *args, **options)
        return seen[key].copy(deep=True)

    monkeypatch.setattr(mlm, "sample", remembered)


@functools.cache
def names_after(name, i):
    """Return the names that a set defines with its first `i` tasks solved: a task may build on those before it."""
    if i == 0:
        namespace = {"__name__": "exercises"}
        for source in EVERY_SET[name].setup:
            exec(compile(source, f"<set-up of {name}>", "exec"), namespace)
        return namespace
    namespace, task = dict(names_after(name, i - 1)), EVERY_SET[name].tasks[i - 1]
    exec(compile(solved(task.solution), f"<solution {task.number}>", "exec"), namespace)
    return namespace


def outcome(name, task, code, seed=None, solved_before=None):
    """Run a version of a solution cell, after the solutions of earlier tasks, then the check; return the result."""
    if solved_before is None:
        solved_before = EVERY_SET[name].tasks.index(task)
    namespace = dict(names_after(name, solved_before))
    if seed is not None:
        namespace["rng"] = np.random.default_rng(seed)
    exec(compile(code, f"<{task.number}>", "exec"), namespace)
    check = task.check.strip()
    if seed is not None:
        check = re.sub(r"\)$", f", seed={seed})", check)
    return eval(check, namespace)


@functools.cache
def outcome_of_mistake(number, i):
    """Return the outcome of a task's i-th mistake, computed once: two tests use it, and some mistakes take seconds."""
    name, task = next((name, task) for name, task in EVERY_TASK if task.number == number)
    after_it = EVERY_SET[name].tasks.index(task) + 1  # some mistakes spoil what a right answer returns
    return outcome(name, task, task.mistakes[i][1], solved_before=after_it)


def test_there_is_a_set_for_every_notebook():
    assert list(SOURCES) == [path.stem for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
    assert exercises.tasks() == [task.number for _, task in EVERY_TASK]
    assert len(TASKS) >= 40


@each_set
def test_a_set_has_three_to_six_tasks_from_easy_to_hard(name):
    tasks = SOURCES[name].tasks
    assert 3 <= len(tasks) <= 6
    assert [task.number for task in tasks] == [f"{name[:2]}.{i}" for i in range(1, len(tasks) + 1)]
    levels = [("easy", "medium", "hard").index(task.level) for task in tasks]
    assert levels == sorted(levels)
    assert set(levels) == {0, 1, 2}


@each_set
def test_a_set_lists_its_tasks_with_their_points(name):
    first = SOURCES[name].cells[0][2].source
    assert [(number, points) for number, _, points in rows_of_tasks(first)] == [
        (task.number, str(task.points)) for task in SOURCES[name].tasks
    ]


@each_set
def test_each_task_serves_one_numbered_aim(name):
    items = taught(name)
    assert items == list(range(1, len(items) + 1))
    assert len(items) >= 3
    rows = rows_of_tasks(SOURCES[name].cells[0][2].source)
    assert len(rows) == len(SOURCES[name].tasks)
    for number, aim, _ in rows:
        assert int(aim) in items, f"{number} serves item {aim}, but the list has {len(items)}"


def rows_of_tasks(text):
    """Return number, aim and points of the tasks in the table at the top of a set."""
    assert "| task | aim | what it practises | points |" in text
    return re.findall(r"^\| (\d\d\.\d) \| (\d+) \|.*\| (\d) \|$", text, re.MULTILINE)


def taught(name):
    """Return the numbers of the items in a notebook's list of aims."""
    text = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    listed = text.split("**You will learn**")[1].split("**You need**")[0]
    assert not re.search(r"^# *[-*] ", listed, re.MULTILINE), "the list is numbered, so that exercises can refer to it"
    return [int(number) for number in re.findall(r"^# (\d+)\. \S", listed, re.MULTILINE)]


@each_answer
def test_the_right_answer_passes(name, task):
    """With another seed than in the notebook of solutions, which runs whenever it is made anew."""
    assert fits_a_model(task) == getattr(exercises.checkers_of(task.number)[task.number], "fits", False)
    result = outcome(name, task, solved(task.solution), 1)
    assert result, str(result)


@pytest.mark.slow(2)
@pytest.mark.parametrize(("name", "task"), QUICK, ids=[task.number for _, task in QUICK])
def test_the_right_answer_passes_under_four_more_seeds(name, task):
    for seed in (0, *range(2, 5)):
        result = outcome(name, task, solved(task.solution), seed)
        assert result, str(result)


@each_answer
@pytest.mark.usefixtures("fits_of_one_model_are_made_once")
def test_a_typical_mistake_earns_its_hint(name, task):
    assert len(task.mistakes) >= 3
    assert len({earns for earns, _ in task.mistakes}) >= 3
    for i, (earns, code) in enumerate(task.mistakes):
        result = outcome_of_mistake(task.number, i)
        assert result.outcome == "hint", f"{code}\n{result}"
        assert earns in result.message, f"{code}\n{result}"


@every_task
def test_a_stub_is_not_done_and_says_what_to_write(name, task):
    result = outcome(name, task, stub_of(task.solution, task.number), solved_before=0)
    assert result.outcome == "not done"
    assert result.message == task.message
    assert len(task.message) > 20


class Odd:
    """An object whose every use is an error."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name} here")

    def __repr__(self):
        raise RuntimeError("no text here")


def odd_function(*args, **kwargs):
    return Odd()


NONSENSE = {
    "none": None,
    "true": True,
    "number": -3.7,
    "huge": 10**400,
    "nan": float("nan"),
    "complex": 1j,
    "text": "nonsense",
    "bytes": b"x",
    "list": [],
    "nested list": [[1], [2, 3]],
    "dict": {},
    "set": {1, "a"},
    "array": np.zeros(0),
    "objects": np.array([None, "a"]),
    "frame": pd.DataFrame(),
    "dataset": xr.Dataset(),
    "odd object": Odd(),
    "class": dict,
    "no arguments": lambda: 1,
    "returns none": lambda *args, **kwargs: None,
    "returns text": lambda *args, **kwargs: "x",
    "returns nan": lambda *args, **kwargs: np.nan,
    "returns list": lambda *args, **kwargs: [],
    "returns array": lambda *args, **kwargs: np.full(3, np.inf),
    "returns frame": lambda *args, **kwargs: pd.DataFrame({"a": [1]}),
    "returns pair": lambda *args, **kwargs: (None, "x"),
    "returns odd object": odd_function,
    "raises": lambda *args, **kwargs: 1 / 0,
    "exits": lambda *args, **kwargs: exit(3),
}


@every_check
def test_nonsense_gets_a_hint_and_never_a_traceback(name, task):
    for what, answer in NONSENSE.items():
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            result = mlm.check(task.number, answer)
        assert result.outcome == "hint", f"{what}: {result}"
        assert result.message
        assert "Traceback" not in printed.getvalue()


@every_answer
def test_hints_and_stubs_do_not_reveal_the_solution(name, task):
    region = re.search(r"### BEGIN SOLUTION.*\n((?:.*\n)*?) *### END SOLUTION", task.solution).group(1)
    lines = [line.strip().removeprefix("return ") for line in region.splitlines()]
    secrets = [line for line in lines if len(line) > 12]
    said = [outcome_of_mistake(task.number, i).message for i in range(len(task.mistakes))] + [task.message]
    for secret in secrets:
        assert not any(secret in text for text in said), secret
        assert secret not in stub_of(task.solution, task.number)


@every_set
def test_notebooks_match_their_source(name):
    for folder, make in (("exercises", stub_notebook), ("solutions", solution_notebook)):
        stored = nbformat.read(NOTEBOOKS / folder / EVERY_SET[name].file(folder), as_version=4)
        made = make(EVERY_SET[name])
        for cell in stored.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        message = f"{folder}/{EVERY_SET[name].file(folder)} is old: run `python course.py exercises`"
        assert [dict(cell) for cell in stored.cells] == [dict(cell) for cell in made.cells], message
        assert stored.metadata.course.exercises == EVERY_SET[name].number


@every_set
def test_stub_notebooks_run_and_say_what_to_write(name):
    path = NOTEBOOKS / "exercises" / EVERY_SET[name].file("exercises")
    notebook = nbformat.read(path, as_version=4)
    namespace, results, printed = {"__name__": "exercises"}, [], io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        for cell in notebook.cells:
            if cell.source.startswith("mlm.check("):
                results.append(eval(cell.source, namespace))
            elif cell.cell_type == "code":
                exec(compile(cell.source, "<stub>", "exec"), namespace)
    assert [(result.outcome, result.message) for result in results] == [
        ("not done", task.message) for task in EVERY_SET[name].tasks
    ]
    assert "rror" not in printed.getvalue()
    assert "BEGIN SOLUTION" not in path.read_text(encoding="utf-8")


@every_set
def test_stored_solutions_pass_and_come_from_the_present_code(name):
    notebook = nbformat.read(NOTEBOOKS / "solutions" / EVERY_SET[name].file("solutions"), as_version=4)
    assert notebook.metadata.course.outputs_of == notebooks.code_digest(notebook)
    checks = [cell for cell in notebook.cells if cell.source.startswith("mlm.check(")]
    assert len(checks) == len(EVERY_SET[name].tasks)
    for cell, task in zip(checks, EVERY_SET[name].tasks, strict=True):
        assert cell.outputs[-1].data["text/plain"].startswith(f"{task.number} right.")
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


@each_set
def test_the_notebook_leads_to_its_exercises(name):
    text = (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8")
    assert f"](exercises/{SOURCES[name].file('exercises')})" in text


@pytest.mark.parametrize("task", ["99.1", "01.99", "1.1", "", None, 3, "01.1 "])
def test_an_unknown_task_lists_the_known_ones(task):
    with pytest.raises(ValueError, match=r"there is no task .*; there are 01\.1, 01\.2"):
        mlm.check(task, 1)


def test_in_grading_a_wrong_answer_is_an_error(monkeypatch):
    monkeypatch.setenv(exercises.RAISES, "1")
    with pytest.raises(exercises.WrongAnswer, match=r"^01\.1 not right yet"):
        mlm.check("01.1", lambda sigma_baseline, sigma_contributors: 3.0)


def test_warnings_are_not_errors_in_grading(monkeypatch, capsys):
    def total_sd(sigma_baseline, sigma_contributors):
        print("to the error stream", file=sys.stderr)
        return np.sqrt(sigma_baseline**2 + np.sum(np.square(sigma_contributors)))

    monkeypatch.setenv(exercises.RAISES, "1")
    assert mlm.check("01.1", total_sd)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "to the error stream" in printed.out


def test_an_error_in_an_answer_names_call_error_and_line(tmp_path):
    path = tmp_path / "answer.py"
    path.write_text("def total_sd(a, b):\n    return a / 0  # here\n", encoding="utf-8")
    namespace = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    message = mlm.check("01.1", namespace["total_sd"]).message
    assert message.startswith("total_sd(")
    assert "ZeroDivisionError" in message
    assert "return a / 0  # here" in message


def test_an_answer_cannot_change_what_it_is_compared_with():
    def changes_its_input(mu, sigma, p):
        p[:] = 1 / len(p)
        return np.sum(p * sigma**2), np.sum(p * (mu - np.sum(p * mu)) ** 2)

    assert "equally frequent" in mlm.check("01.4", changes_its_input).message


def test_a_result_shows_itself_as_text_and_as_a_page():
    result = mlm.check("01.1", "<b>")
    assert str(result) == repr(result)
    assert str(result).startswith("01.1 not right yet. ")
    assert "&lt;b&gt;" in result._repr_html_()
