"""Grading of a class: each submission in a process of its own, and a table of grades."""

import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from mlm_tutorial.exercises import RAISES
from tools.grading import walls
from tools.grading.feedback import framed
from tools.grading.limits import Job, Settings, StoppedError, run
from tools.grading.results import checked_points, checked_remarks, forget, store, stored_result
from tools.grading.scratch import Scratch, remove_tree
from tools.grading.sources import Source, grade_id, grading_notebook, read_sources
from tools.grading.submissions import LARGEST, Submission, find_submissions, read_foreign
from tools.grading.table import write_grades
from tools.grading.text import clean

ROOT = Path(__file__).resolve().parents[2]
LARGEST_PAGE = 100_000_000  # bytes
LARGEST_OUTCOME = 1_000_000
SPACE_NEEDED = 10e6  # bytes; a notebook, its feedback page and nbgrader's database take a few


def prepare_courses(sources: dict[str, Source], folder: Path) -> None:
    """Let nbgrader make the assignment of each set, so that each submission starts from a copy of it."""
    from nbgrader.apps.api import NbGraderAPI

    from tools.grading.worker import course_config

    for source in sources.values():
        course = folder / source.number
        target = course / "source" / source.name
        target.mkdir(parents=True)
        nbformat.write(grading_notebook(source), target / f"{source.name}.ipynb")
        result = NbGraderAPI(config=course_config(course)).generate_assignment(source.name)
        if not result["success"]:
            raise RuntimeError(f"nbgrader could not make set {source.number}: {result.get('log')}")
        shutil.rmtree(course / "source")  # it holds the solutions, and grading needs only what was made of it


def grade_submission(
    submission: Submission,
    source: Source,
    content: bytes,
    course: Path,
    scratch: Path,
    settings: Settings,
    stop: threading.Event | None = None,
) -> str:
    """Grade one submission in a process of its own; note points, remarks and problems in it.

    Parameters
    ----------
    submission : Submission
    source : Source
        Its set of exercises.
    content : bytes
        The notebook that was handed in.
    course : Path
        The course made by :func:`prepare_courses`; it is only read.
    scratch : Path
        An empty folder.
    settings : Settings
    stop : threading.Event, optional
        Ends grading when it is set.

    Returns
    -------
    str
        The feedback page; empty where there is none.

    Raises
    ------
    OSError
        If the disk is full, for which no submission can be blamed.
    """
    given, log, result = scratch / "input", scratch / "log.txt", scratch / "result"
    given.mkdir()
    (given / "submission.ipynb").write_bytes(content)
    checks = [x for x in grading_notebook(source).cells if _name(x).startswith("check-")]
    job = {"name": source.name, "cell_seconds": settings.cell_seconds, "sockets": walls.can_sandbox(), "checks": checks}
    (given / "job.json").write_text(json.dumps(job), encoding="utf-8")
    reason, code = run(_job(course, given, scratch, settings, log, result), settings.limits, stop)
    outcome, page = _read_outcome(result, log, code, reason)
    if not reason and outcome.problem:
        _require_space(scratch)
    submission.problem = outcome.problem
    submission.remarks = outcome.remarks
    for task in source.tasks:
        points = outcome.points.get(grade_id("check", task.number), 0.0)
        submission.points[task.number] = min(max(points, 0.0), float(task.points))
    return framed(page) if page.strip() else ""


def _name(cell: nbformat.NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def _job(course: Path, given: Path, scratch: Path, settings: Settings, log: Path, result: Path) -> Job:
    """Return the job that grades a submission, with the walls that this machine offers."""
    worker = [sys.executable, "-m", "tools.grading.worker"]
    if not walls.can_sandbox():
        work = scratch / "work"
        work.mkdir()
        command = [*worker, str(course), str(given), str(work)]
        return Job(command, _variables(work), log, result, folder=scratch)
    hidden = [*settings.hidden, ROOT, scratch.parent]
    inputs = {"/inputs/course": course, "/inputs/submission": given}
    command = [*worker, *inputs, walls.WORK]
    command = walls.sandboxed(command, walls.needed_paths(ROOT), inputs, hidden, settings.limits.disk)
    variables = _variables(Path(walls.WORK))
    if walls.can_group():
        command = walls.grouped(command, settings.limits)
        variables |= {name: os.environ[name] for name in walls.GROUP_VARIABLES if name in os.environ}
    return Job(command, variables, log, result, memory_folders=walls.MEMORY_FOLDERS)


def _variables(home: Path) -> dict[str, str]:
    """Return the variables of a grading process: what a program needs, because the instructor's may hold secrets."""
    needed = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    own = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return kept | own | {"CI": "true", RAISES: "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _require_space(folder: Path) -> None:
    """Raise OSError where the disk is full: then it is not the notebook that failed."""
    if shutil.disk_usage(folder).free < SPACE_NEEDED:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


@dataclass(frozen=True)
class Outcome:
    """What a grading process left, which the submission's own code may have written instead."""

    points: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    problem: str = ""


def read_outcome(head: bytes, code: int | None) -> Outcome:
    """Return the outcome in the first line of a result; raise ValueError if that line is not an outcome."""
    if code != 0:
        raise ValueError("the grading process did not come to its end")
    try:
        left = json.loads(head)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(left, dict):
        raise ValueError("not a table")
    try:
        points = checked_points(left.get("points", {}))
    except OverflowError:
        raise ValueError("points that are not numbers") from None
    return Outcome(points, checked_remarks(left.get("remarks", [])), clean(left.get("problem", "")))


def _read_outcome(result: Path, log: Path, code: int | None, reason: str) -> tuple[Outcome, bytes]:
    """Return the outcome and the feedback page; the page is empty if grading was stopped."""
    if reason:
        return Outcome(problem=reason), b""
    try:
        with result.open("rb") as file:
            return read_outcome(file.readline(LARGEST_OUTCOME), code), file.read(LARGEST_PAGE)
    except (OSError, ValueError):
        lines = _end_of(log).decode("utf-8", errors="replace").strip().splitlines()
        last = clean(lines[-1], 200) if lines else "none"
        return Outcome(problem=f"grading stopped without a result; its last line: {last}"), b""


def _end_of(log: Path) -> bytes:
    """Return the last megabyte of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 1_000_000))
            return file.read(1_000_000)
    except OSError:
        return b""


def grade_class(
    folder: Path, output: Path, settings: Settings, report: Callable[[str], None] = print
) -> list[Submission]:
    """Grade everything in a folder, and write grades and feedback pages.

    Submissions that did not change since the last time are not graded again. One with a problem or a remark is, where
    the limits are others now. An interruption stops everything, and keeps what is done.

    Parameters
    ----------
    folder : Path
        What was handed in; see :func:`tools.grading.submissions.find_submissions`.
    output : Path
        Receives ``grades.csv``, ``feedback`` and ``logs``.
    settings : Settings
    report : function of str
        Called with a line about every submission.

    Returns
    -------
    list of Submission
    """
    sources = read_sources()
    with Scratch(output) as scratch:
        submissions = find_submissions(folder, sources)
        try:
            todo = _sort_out(submissions, output, settings, sources, report)
            _grade_all(todo, folder, output, scratch, settings, sources, report, len(submissions))
        finally:
            write_grades(output / "grades.csv", [x for x in submissions if x.points or x.problem], sources)
    return submissions


def _sort_out(
    submissions: list[Submission],
    output: Path,
    settings: Settings,
    sources: dict[str, Source],
    report: Callable[[str], None],
) -> list[Submission]:
    """Report what has a problem or did not change; return the others."""
    todo, done = [], 0
    for submission in submissions:
        earlier = None if settings.again else stored_result(output, submission, settings.within())
        if submission.problem:
            forget(output, submission)
            words = submission.problem
        elif earlier:
            submission.points, submission.remarks = earlier["points"], earlier["remarks"]
            submission.problem = earlier["problem"]
            words = f"unchanged, {_words(submission, sources)}"
        else:
            todo.append(submission)
            continue
        done += 1
        report(clean(f"[{done}/{len(submissions)}] {submission.student}: {words}", 1000))
    return todo


def _grade_all(
    todo: list[Submission],
    folder: Path,
    output: Path,
    scratch: Path,
    settings: Settings,
    sources: dict[str, Source],
    report: Callable[[str], None],
    count: int,
) -> None:
    courses, stop = scratch / "courses", threading.Event()
    prepare_courses({x.exercises: sources[x.exercises] for x in todo}, courses)

    def work(position: int) -> None:
        if stop.is_set():
            raise StoppedError("grading was stopped")
        _require_space(scratch)
        submission, own = todo[position], scratch / f"submission-{position}"
        try:
            own.mkdir()
            content = read_foreign(folder, submission.file, LARGEST)
            source = sources[submission.exercises]
            page = grade_submission(submission, source, content, courses / source.number, own, settings, stop)
            store(output, submission, page, _end_of(own / "log.txt"), settings.within())
        finally:
            if not remove_tree(own):
                submission.notes.append(f"its scratch folder {own} could not be removed")

    done = count - len(todo)
    pool = ThreadPoolExecutor(max_workers=settings.jobs)
    futures = {pool.submit(work, i): x for i, x in enumerate(todo)}
    try:
        for future in as_completed(futures):
            submission = futures[future]
            try:
                future.result()
                words = _words(submission, sources)
            except Exception as error:  # one submission must never stop the others
                if isinstance(error, StoppedError) or getattr(error, "errno", None) == errno.ENOSPC:
                    submission.points = {}
                    raise
                submission.problem = words = clean(f"grading failed: {type(error).__name__}: {error}")
            done += 1
            report(clean(f"[{done}/{count}] {submission.student}: {words}", 1000))
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _words(submission: Submission, sources: dict[str, Source]) -> str:
    if submission.problem:
        return submission.problem
    of = sum(task.points for task in sources[submission.exercises].tasks)
    said = submission.remarks + submission.notes
    return f"set {submission.exercises}, {submission.total():g} of {of} points{f' ({"; ".join(said)})' if said else ''}"
