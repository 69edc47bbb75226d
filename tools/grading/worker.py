"""Grading of one submission by nbgrader, in a process of its own: ``python -m tools.grading.worker COURSE INPUT WORK``.

COURSE is a course of nbgrader with the assignment, INPUT holds the submission and ``job.json``, WORK is empty. What
comes out goes to the standard output: a line of JSON with points, remarks or a problem, and then the feedback page.
Whoever starts this process limits what it may do, and trusts nothing that it says.
"""

import json
import logging
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from traitlets.config import Config

from tools.grading.reading import read_notebook

STUDENT = "student"


def course_config(folder: Path, cell_seconds: int | None = None, sockets: bool = False) -> Config:
    """Return nbgrader's settings for a course in a folder.

    Parameters
    ----------
    folder : Path
    cell_seconds : int, optional
        Time that one cell may take before it is interrupted; by default without limit.
    sockets : bool
        Whether to talk to the kernel by files, for where there is no network, not even within the machine.
    """
    config = Config()
    config.CourseDirectory.root = str(folder)
    config.CourseDirectory.db_url = f"sqlite:///{folder / 'gradebook.db'}"
    config.Execute.timeout = cell_seconds
    config.Execute.interrupt_on_timeout = True
    config.Execute.raise_on_iopub_timeout = False
    config.LimitOutput.max_lines = 200
    config.ClearSolutions.enforce_metadata = True
    config.HTMLExporter.sanitize_html = True  # what a student's cell displays must not run in the instructor's browser
    if sockets:
        config.ConnectionFileMixin.transport = "ipc"
        # Absolute, since kernel and client have folders of their own; short, since a socket's name has a limit.
        config.ConnectionFileMixin.ip = str(Path(tempfile.mkdtemp(prefix="k")) / "s")
    return config


def grade(course: Path, given: Path, work: Path) -> tuple[dict, str]:
    """Grade a submission.

    Returns
    -------
    dict
        Points by check and remarks, or a problem.
    str
        The feedback page; empty where there is none.
    """
    job = json.loads((given / "job.json").read_text(encoding="utf-8"))
    name, folder = job["name"], work / "course"
    try:
        notebook = read_notebook((given / "submission.ipynb").read_bytes())
    except ValueError as error:
        return {"problem": str(error)}, ""
    remarks = restore_checks(notebook, [nbformat.from_dict(cell) for cell in job["checks"]])
    shutil.copytree(course, folder)
    target = folder / "submitted" / STUDENT / name
    target.mkdir(parents=True)
    nbformat.write(notebook, target / f"{name}.ipynb")
    api = NbGraderAPI(config=course_config(folder, job["cell_seconds"], job["sockets"]))
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    result = api.autograde(name, STUDENT)
    said = "\n".join([result.get("log", ""), result.get("error", "")])
    print(said, flush=True)
    if not result["success"]:
        return {"problem": _explain(said), "remarks": remarks}, ""
    points = {}
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        for found in gradebook.find_submission(name, STUDENT).notebooks:
            points |= {grade.name: float(grade.score) for grade in found.grades}
    feedback = api.generate_feedback(name, STUDENT)
    remarks += _interruptions(folder, name)
    page = folder / "feedback" / STUDENT / name / f"{name}.html"
    text = _without_scripts(page.read_text(encoding="utf-8")) if feedback["success"] and page.exists() else ""
    return {"points": points, "remarks": remarks}, text


def restore_checks(notebook: nbformat.NotebookNode, checks: list[nbformat.NotebookNode]) -> list[str]:
    """Put back checks that were removed; return what was removed or edited.

    nbgrader restores edited ones itself, and stumbles where the cell before a missing one is missing as well.
    """
    remarks = []
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    for cell in checks:
        name = cell.metadata.nbgrader.grade_id
        number = name.removeprefix("check-").replace("-", ".")
        if name not in cells:
            cell["id"] = f"restored-{name}"
            notebook.cells.append(cell)
            remarks.append(f"the check of {number} had been removed and was put back")
        elif cells[name].source.strip() != cell.source.strip():
            remarks.append(f"the check of {number} had been edited and was put back")
    return remarks


def _interruptions(folder: Path, name: str) -> list[str]:
    """Return which cells were interrupted or ran out of memory."""
    path = folder / "autograded" / STUDENT / name / f"{name}.ipynb"
    remarks = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            kind = output.get("ename", "")
            if kind in ("CellTimeoutError", "KeyboardInterrupt", "MemoryError"):
                first = ("".join(cell["source"]).strip().splitlines() or [""])[0][:60]
                what = "ran out of memory" if kind == "MemoryError" else "took too long and was interrupted"
                remarks.append(f"the cell that starts with `{first}` {what}")
    return list(dict.fromkeys(remarks))


def _explain(error: str) -> str:
    if "DeadKernelError" in error or "Kernel died" in error:
        return "the notebook ended its own Python process while it ran (exit, or too much memory)"
    if "No space left on device" in error:
        return "stopped because it wrote more than the disk limit"
    kinds = re.findall(r"^\s*(?:\w+\.)*(\w+(?:Error|Exception|Exit)\b.{0,150})", error, re.MULTILINE)
    return f"nbgrader could not run the notebook: {kinds[-1] if kinds else 'see its log'}"


def _without_scripts(page: str) -> str:
    """Return a page without nbgrader's own scripts and metadata, which would show as text on a page without scripts."""
    page = re.sub(r"<script\b[^>]*>.*?</script>", "", page, flags=re.DOTALL | re.IGNORECASE)
    return re.sub(r"<(?:meta|link)\b[^>]*>", "", page.partition("</head>")[0]) + "".join(page.partition("</head>")[1:])


def main() -> None:
    """Grade, and print the outcome."""
    result = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything else prints goes to the log
    outcome, page = grade(*map(Path, sys.argv[1:4]))
    result.write(json.dumps(outcome).encode("ascii") + b"\n" + page.encode("utf-8", errors="replace"))
    result.close()


if __name__ == "__main__":
    main()
