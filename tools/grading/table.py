"""The table of grades, which opens in any spreadsheet program and holds no formula."""

import csv
import io
import re
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools.grading.sources import Source
from tools.grading.submissions import Submission
from tools.grading.text import clean, readable

LONGEST_CELL = 2000  # characters; spreadsheets stop at 32,767
#: How a formula starts. Spreadsheet programs skip blanks before it, and some read the wide or small signs as well.
_STARTS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u207c\u207a\u207b\u208c\u208a\u208b\u2212"
_SECOND = re.compile(rf"""([;|][\s"';|]*)(?=[{re.escape(_STARTS)}])""")


def write_grades(path: Path, submissions: list[Submission], sources: dict[str, Source]) -> None:
    """Write the table of grades, one row for each submission.

    A row that cannot be written as it is becomes a row that says so.
    """
    present = sorted({x.exercises for x in submissions if x.exercises in sources})
    tasks = [task.number for number in present for task in sources[number].tasks]
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["student", "set", *tasks, "points", "of", "problem", "remarks", "file"])
    for submission in submissions:
        try:
            row = _row(submission, tasks, sources)
        except Exception as error:  # the others' grades do not depend on this one
            problem = f"this row could not be written: {type(error).__name__}"
            row = [readable(submission.student), "", *[""] * len(tasks), "0", "", problem, "", ""]
        table.writerow([harmless(value) for value in row])
    write_atomically(path, text.getvalue().encode("utf-8-sig", errors="replace"))


def _row(submission: Submission, tasks: list[str], sources: dict[str, Source]) -> list[str]:
    x = submission
    of = sum(task.points for task in sources[x.exercises].tasks) if x.exercises else ""
    points = [f"{x.points[task]:g}" if task in x.points else "" for task in tasks]
    total = f"{x.total():g}" if x.points else "0"
    remarks = "; ".join(map(clean, x.remarks + x.notes))
    return [readable(x.student), x.exercises, *points, total, of, clean(x.problem), remarks, readable(x.file)]


def harmless(value: object) -> str:
    """Return a text that no spreadsheet program takes for a formula, also where it splits cells at semicolons."""
    text = _SECOND.sub(r"\1'", clean(value, LONGEST_CELL))
    start = re.sub(r"""^[\s"';\ufffd]+""", "", text)[:1]
    return "'" + text if start and start in _STARTS else text
