"""Self-checks of the exercises: right, or a hint that names the likely mistake.

One module a set, ``set_01`` for the exercises of notebook 01, is loaded when one of its tasks is checked.
"""

import importlib
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
        Seed of the random inputs that a function is tried with. A right answer is right for every seed; where an
        answer is itself random, a right one is refused once in a million checks at most.

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
    checker = _checkers(task)[task]
    given = Answer(answer)
    try:
        # Warnings of NumPy inside a check that tries odd values would only frighten.
        with np.errstate(all="ignore"):
            praise = checker(given, np.random.default_rng(seed))
        result = Result(task, "right", praise or "")
    except NotDone as error:
        result = Result(task, "not done", str(error))
    except Hint as error:
        result = Result(task, "hint", str(error))
    except Exception as error:  # whatever else an answer can do to a check must not end in a traceback
        result = Result(
            task, "unreadable", f"this answer could not be read: {describe(answer)} ({type(error).__name__}: {error})"
        )
    if not result and os.environ.get(RAISES):
        raise WrongAnswer(str(result)) from None
    return result


def tasks() -> list[str]:
    """Return the numbers of all tasks, in order."""
    names = sorted(file.name for file in files(__name__).iterdir() if re.fullmatch(r"set_\d\d\.py", file.name))
    return [number for name in names for number in sorted(_load(name[4:6]))]


def _checkers(task: str) -> dict:
    known = tasks()
    if task not in known:
        raise ValueError(f"there is no task {task!r}; there are {', '.join(known)}")
    return _load(task[:2])


def _load(number: str) -> dict:
    return importlib.import_module(f"{__name__}.set_{number}").CHECKERS
