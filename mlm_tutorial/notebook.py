"""Parts of every notebook of the course: a seed, a quiz and a line of versions."""

import json
import os
import platform
import re
from importlib.resources import files

from mlm_tutorial.libraries import IN_NOTEBOOKS, in_words

__all__ = ["notebook_seed", "quiz", "version_line"]

# White letters on each of these have a contrast of at least 4.5 to 1 (WCAG 2.2).
QUIZ_COLORS = {
    "--jq-multiple-choice-bg": "#345995",
    "--jq-many-choice-bg": "#8c3b2e",
    "--jq-numeric-bg": "#1f6078",
    "--jq-mc-button-bg": "#fafafa",
    "--jq-mc-button-border": "#767676",
    "--jq-numeric-input-bg": "#fafafa",
    "--jq-numeric-input-label": "#101010",
    "--jq-correct-color": "#2e7031",
    "--jq-incorrect-color": "#5e5e5e",
    "--jq-text-color": "#ffffff",
}

# jupyterquiz typesets mathematics where MathJax is there, and fetches it from another host where it does not find it,
# as in JupyterLab. No question of the course contains mathematics.
_MATHEMATICS = re.compile(r"typeof MathJax !==? *'undefined'")
_OTHER_HOST = re.compile(r"https?://[^\s'\"]+")


def notebook_seed(default: int) -> int:
    """Return the seed of a notebook: `default`, or the environment variable ``MLM_SEED`` where it is set.

    A statement that holds only for one lucky seed is not worth teaching. Run all notebooks with another seed by
    setting the variable.

    Parameters
    ----------
    default : int
        The notebook's own seed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the variable is set, but not to a non-negative integer.
    """
    given = os.environ.get("MLM_SEED", "")
    if not given:
        return default
    if not given.isdecimal():
        raise ValueError(f"the environment variable MLM_SEED must be a non-negative integer, got {given!r}")
    return int(given)


def quiz(notebook: str) -> None:
    """Show the quiz of a notebook, which answers without a kernel or a network.

    Parameters
    ----------
    notebook : str
        Two digits, such as ``"01"``.

    Raises
    ------
    ValueError
        If there is no quiz of that name.
    """
    from IPython.utils.capture import capture_output
    from jupyterquiz import display_quiz

    with capture_output(stdout=False, stderr=False) as captured:
        display_quiz(questions(notebook), colors=QUIZ_COLORS, max_width=720, shuffle_questions=False)
    for output in captured.outputs:
        if script := output.data.get("application/javascript"):
            output.data["application/javascript"] = _OTHER_HOST.sub("", _MATHEMATICS.sub("false", script))
        output.display()


def questions(notebook: str) -> list[dict]:
    """Return the questions of a notebook from the question bank, as jupyterquiz understands them."""
    bank = files("mlm_tutorial") / "data" / "questions"
    available = sorted(file.name.removesuffix(".json") for file in bank.iterdir() if file.name.endswith(".json"))
    if not re.fullmatch(r"\d\d", str(notebook)) or notebook not in available:
        raise ValueError(f"there is no quiz {notebook!r}; expected one of {', '.join(available)}")
    return json.loads((bank / f"{notebook}.json").read_text(encoding="utf-8"))


def version_line() -> str:
    """Return the versions of Python and the libraries that a notebook was run with."""
    return f"Python {platform.python_version()}, {in_words(IN_NOTEBOOKS)}"
