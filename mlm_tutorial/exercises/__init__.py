"""Self-checks of the exercises: right, or a hint that names the likely mistake.

One module a set, ``set_01`` for the exercises of notebook 01 and ``set_capstone`` for the capstone, is loaded when one
of its tasks is checked.
"""

import contextlib
import importlib
import io
import os
import re
from importlib.resources import files

import numpy as np

from mlm_tutorial.exercises.answers import Answer, Hint, NotDone, Result, WrongAnswer, describe

__all__ = ["Result", "WrongAnswer", "check"]

#: Where this is set, a wrong answer is an error: grading counts errors.
RAISES = "MLM_CHECK_RAISES"


def check(task: str, answer: object, seed: int = 0) -> Result:
    """Check the answer to an exercise.

    Parameters
    ----------
    task : str
        Number of the task, such as ``"03.2"``.
    answer : function or object
        What the task asks for: the function, uncalled, or the value of one that takes no arguments.
    seed : int
        Seed of the random inputs that a function is tried with; for the capstone, that of its table. A right answer is
        right for every seed; where an answer is itself random, a right one is refused once in a million checks at most.

    Returns
    -------
    Result
        True where the answer is right. It shows itself as a sentence: that it is right, or a hint.

    Raises
    ------
    ValueError
        If there is no such task.
    WrongAnswer
        Instead of returning, where the environment variable ``MLM_CHECK_RAISES`` is set and the answer is not right.
    """
    grading = bool(os.environ.get(RAISES))
    with _errors_as_output() if grading else contextlib.nullcontext():
        result = _outcome(task, checkers_of(task)[task], answer, seed)
    if grading and not result:
        raise WrongAnswer(str(result))
    return result


@contextlib.contextmanager
def _errors_as_output():
    """Print what an answer writes to the error stream, warnings included, as output: nbgrader takes it for an error."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    finally:
        print(said.getvalue(), end="")


def _outcome(task: str, checker, answer: object, seed: int) -> Result:
    """Return the outcome of a check; whatever the answer does, no error leaves it."""
    given = Answer(answer)
    try:
        # Warnings of NumPy inside a check that tries odd values would only frighten.
        with np.errstate(all="ignore"):
            praise = checker(given, np.random.default_rng(seed))
        return Result(task, "right", praise or "")
    except NotDone as error:
        return Result(task, "not done", str(error))
    except Hint as error:
        return Result(task, "hint", str(error))
    except Exception as error:  # whatever else an answer can do to a check must not end in a traceback
        problem = f"this answer could not be read: {describe(answer)} ({type(error).__name__}: {error})"
        return Result(task, "unreadable", problem)


def tasks() -> list[str]:
    """Return the numbers of all tasks, in order; this loads every set."""
    return [task for number in _sets() for task in sorted(_load(number))]


def checkers_of(task: str) -> dict:
    """Return the checks of a task's set, and load no other set: some need PyMC, which takes seconds to import."""
    number = task.rpartition(".")[0] if isinstance(task, str) else ""
    if number in _sets() and task in _load(number):
        return _load(number)
    raise ValueError(f"there is no task {task!r}; there are {', '.join(tasks())}")


def _sets() -> list[str]:
    names = [file.name for file in files(__name__).iterdir()]
    found = [re.fullmatch(r"set_(\d\d|[a-z]+)\.py", name) for name in names]
    return sorted(match.group(1) for match in found if match)


def _load(number: str) -> dict:
    return importlib.import_module(f"{__name__}.set_{number}").CHECKERS
