"""Grade one submission with nbgrader, in a process of its own: ``python -m tools.grading.worker FOLDER``.

The folder is a course of nbgrader with one submission; ``job.json`` says which. What comes out is ``outcome.json`` and
a feedback page. Whoever starts this process limits what it may do.
"""

import json
import logging
import re
import sys
import tempfile
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from traitlets.config import Config

STUDENT = "student"


def course_config(folder: Path, cell_seconds: int = 60, sockets: bool = False) -> Config:
    """Return nbgrader's settings for a course in a folder.

    Parameters
    ----------
    folder : Path
    cell_seconds : int
        Time that one cell may take before it is interrupted.
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


def grade(folder: Path) -> dict:
    """Grade the submission in a folder; return points by check, or what went wrong."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    name = job["name"]
    api = NbGraderAPI(config=course_config(folder, job["cell_seconds"], job["sockets"]))
    logging.getLogger("traitlets").setLevel(logging.WARNING)
    result = api.autograde(name, STUDENT)
    said = "\n".join([result.get("log", ""), result.get("error", "")])
    print(said, flush=True)
    if not result["success"]:
        return {"problem": _explain(said)}
    points = {}
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        for notebook in gradebook.find_submission(name, STUDENT).notebooks:
            points |= {grade.name: float(grade.score) for grade in notebook.grades}
    feedback = api.generate_feedback(name, STUDENT)
    outcome = {"points": points, "remarks": _interruptions(folder, name)}
    page = folder / "feedback" / STUDENT / name / f"{name}.html"
    if feedback["success"] and page.exists():
        (folder / "feedback.html").write_text(_self_contained(page.read_text(encoding="utf-8")), encoding="utf-8")
    return outcome


def _interruptions(folder: Path, name: str) -> list[str]:
    """Return which cells were interrupted or ran out of memory."""
    path = folder / "autograded" / STUDENT / name / f"{name}.ipynb"
    remarks = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            kind = output.get("ename", "")
            if kind in ("CellTimeoutError", "KeyboardInterrupt", "MemoryError"):
                first = "".join(cell["source"]).strip().splitlines()[0][:60]
                what = "ran out of memory" if kind == "MemoryError" else "took too long and was interrupted"
                remarks.append(f"the cell that starts with `{first}` {what}")
    return list(dict.fromkeys(remarks))


def _explain(error: str) -> str:
    if "DeadKernelError" in error or "Kernel died" in error:
        return "the notebook ended its own Python process while it ran (exit, or too much memory)"
    kinds = re.findall(r"^\s*(?:\w+\.)*(\w+(?:Error|Exception|Exit)\b.{0,150})", error, re.MULTILINE)
    return f"nbgrader could not run the notebook: {kinds[-1] if kinds else 'see its log'}"


def _self_contained(page: str) -> str:
    """Return a page without the scripts and styles that it would ask other hosts for."""
    page = re.sub(r"<script[^>]+src=[\"']https?:[^>]*>\s*</script>", "", page)
    return re.sub(r"<link[^>]+href=[\"']https?:[^>]*>", "", page)


def main() -> None:
    """Grade, and store the outcome."""
    folder = Path(sys.argv[1])
    outcome = grade(folder)
    (folder / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main()
