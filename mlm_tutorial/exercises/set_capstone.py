"""Checks of the capstone: one claim each, graded against what was planted in the table of the seed."""

import numpy as np

from mlm_tutorial.exercises.answers import Answer, Hint
from mlm_tutorial.exercises.capstone import FOUND, QUESTIONS, draw, judged


def _checker(name: str):
    def check(answer: Answer, rng: np.random.Generator) -> str:
        verdict, feedback = judged(name, answer.value(), draw(rng))
        if verdict != FOUND:
            raise Hint(feedback)
        return feedback

    return check


CHECKERS = {f"capstone.{number}": _checker(name) for number, name in enumerate(QUESTIONS, 1)}
