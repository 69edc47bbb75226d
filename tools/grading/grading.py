"""Grade a class: ``python course.py grade FOLDER``.

The folder holds a folder for each student with the notebooks that the student handed in, or notebooks whose names are
the students'. Nothing in it is changed. Beside it, a folder with ``_graded`` at the end of its name receives
``grades.csv``, a feedback page for every submission, and a log where something failed.
"""

import argparse
import csv
import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat

from mlm_tutorial.atomic import write_atomically
from mlm_tutorial.exercises import RAISES
from tools.grading import sandbox
from tools.grading.sources import Source, grade_id, grading_notebook, read_source
from tools.lock import Lock, LockedError

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "notebooks" / "exercise_sources"
LARGEST = 20e6  # bytes; a notebook that is larger holds something else than answers
LARGEST_PAGE = 100e6
SPACE_NEEDED = 10e6  # bytes; a notebook, its feedback page and nbgrader's database take a few
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
#: The first thing on a feedback page, because what a student's code wrote there must not run in anybody's browser.
NO_SCRIPTS = (
    '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:\">"
)
IGNORED = re.compile(r"^(\.|__MACOSX$|Thumbs\.db$)|^\.ipynb_checkpoints$")


@dataclass
class Submission:
    """One notebook that was handed in, or the reason why there is none, and what grading found."""

    student: str
    file: str
    exercises: str = ""
    points: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    problem: str = ""
    key: str = ""

    def total(self) -> float:
        """Return the points of all tasks together."""
        return sum(self.points.values())


def read_sources() -> dict[str, Source]:
    """Return all sets of exercises by number."""
    return {source.number: source for source in map(read_source, sorted(SOURCES.glob("[0-9]*.py")))}


def find_submissions(folder: Path, sources: dict[str, Source]) -> list[Submission]:
    """List what was handed in, with a reason for everything that cannot be graded.

    Parameters
    ----------
    folder : Path
        A folder for each student, or notebooks named like the students.
    sources : dict of str to Source
        The sets of exercises.

    Returns
    -------
    list of Submission
        In the order of the students' names.
    """
    found = []
    for entry in sorted(path for path in folder.iterdir() if not IGNORED.search(path.name)):
        if not entry.is_dir():
            found.append(_inspect(entry, entry.stem, folder, sources))
            continue
        files = [x for x in sorted(entry.rglob("*")) if x.is_file() or x.is_symlink()]
        files = [x for x in files if not any(IGNORED.search(part) for part in x.relative_to(entry).parts)]
        notebooks = [x for x in files if x.suffix.lower() == ".ipynb"]
        if not notebooks:
            names = ", ".join(readable(x.name) for x in files[:5])
            problem = f"there is no notebook (.ipynb), only {names}" if files else "the folder is empty"
            found.append(Submission(readable(entry.name), entry.name, problem=problem))
        found += _only_one_a_set([_inspect(x, entry.name, folder, sources) for x in notebooks])
    return found


def _only_one_a_set(submissions: list[Submission]) -> list[Submission]:
    for submission in submissions:
        same = [readable(x.file) for x in submissions if x.exercises == submission.exercises and submission.exercises]
        if len(same) > 1:
            submission.problem = (
                f"there are {len(same)} notebooks of this set: {', '.join(same)}; keep the one to grade"
            )
    return submissions


def _inspect(path: Path, student: str, folder: Path, sources: dict[str, Source]) -> Submission:
    submission = Submission(readable(student), str(path.relative_to(folder)))
    if path.suffix.lower() != ".ipynb" and not path.is_symlink():
        submission.problem = "this is not a notebook: its name does not end in .ipynb"
        return submission
    try:
        notebook = read_notebook(path)
        submission.exercises = _set_of(notebook, path, sources)
        submission.key = _key(path, sources[submission.exercises])
    except ValueError as error:
        submission.problem = str(error)
    except Exception as error:  # whatever one notebook holds, the others are graded
        submission.problem = f"this cannot be read: {type(error).__name__}: {error}"[:300]
    return submission


def readable(name: str) -> str:
    """Return a file's name as text, where its bytes may be none, as after unpacking an archive of another system."""
    return os.fsencode(name).decode("utf-8", errors="replace")


def read_foreign(path: Path, largest: float) -> bytes:
    """Return the content of a file that somebody else made; raise ValueError where it is no ordinary, small file.

    A link could lead to any file of this machine, and a pipe or a device may never end.
    """
    if path.is_symlink():
        raise ValueError("this is a link, not a file")
    try:
        descriptor = os.open(path, os.O_RDONLY | _CAREFUL)  # nor one that took the file's place just now
    except OSError as error:
        raise ValueError(error.strerror) from None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("this is no ordinary file")
        if status.st_size > largest:
            raise ValueError(f"the file has {status.st_size / 1e6:.0f} MB, more than {largest / 1e6:.0f}")
        return file.read(int(largest))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as students hand it in; raise ValueError with a reason if it is none."""
    content = read_foreign(path, LARGEST)
    if not content.strip():
        raise ValueError("the file is empty")
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("this is not a notebook: its content is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise ValueError("this is not a notebook: it has no list of cells")
    try:
        notebook = nbformat.reads(json.dumps(data), as_version=4)
        nbformat.validate(notebook)
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"this is not a valid notebook: {first[0][:150]}") from None
    for cell in notebook.cells:
        cell.source = cell.source.replace("\r\n", "\n").replace("\r", "\n")
    return notebook


def _set_of(notebook: nbformat.NotebookNode, path: Path, sources: dict[str, Source]) -> str:
    """Return which set a notebook answers: as it says itself, else by its checks, else by its name."""
    said = notebook.metadata.get("course", {})
    checked = re.findall(r"mlm\.check\([\"'](\d\d)\.\d", "\n".join(cell.source for cell in notebook.cells))
    named = re.findall(r"(?<!\d)\d\d(?!\d)", path.stem)
    for number in [said.get("exercises") if isinstance(said, dict) else None, *checked, *named]:
        if isinstance(number, str) and number in sources:
            return number
    raise ValueError("it cannot be told which set of exercises this notebook answers")


def _key(path: Path, source: Source) -> str:
    """Return a digest of a submission and of all that decides its points."""
    package = ROOT / "mlm_tutorial"
    parts = [path, SOURCES / f"{source.name}.py", package / "exercises" / f"set_{source.number}.py"]
    parts += [package / "exercises" / name for name in ("__init__.py", "answers.py", "answered_models.py")]
    parts += [ROOT / "tools" / "grading" / name for name in ("grading.py", "worker.py", "sources.py")]
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


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
    path: Path,
    course: Path,
    limits: sandbox.Limits,
    cell_seconds: int,
) -> str:
    """Grade one submission in a process of its own; note points, remarks and problems in it.

    Parameters
    ----------
    submission : Submission
    source : Source
        Its set of exercises.
    path : Path
        The file that was handed in; it is only read.
    course : Path
        A copy of the course made by :func:`prepare_courses`.
    limits : Limits
    cell_seconds : int
        Time that one cell may take.

    Returns
    -------
    str
        The feedback page; empty where there is none.

    Raises
    ------
    OSError
        If the disk is full, for which no submission can be blamed.
    """
    from tools.grading.worker import STUDENT

    notebook = read_notebook(path)
    submission.remarks = restore_checks(notebook, source)
    target = course / "submitted" / STUDENT / source.name
    target.mkdir(parents=True)
    nbformat.write(notebook, target / f"{source.name}.ipynb")
    closed = sandbox.can_close_off()
    job = {"name": source.name, "cell_seconds": cell_seconds, "sockets": closed}
    (course / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", "tools.grading.worker", str(course)]
    home = course / "home"
    home.mkdir()
    if closed:
        seen = [ROOT / "mlm_tutorial", Path(sys.prefix), Path(sys.base_prefix)]
        command = sandbox.closed_off(command, course, seen)
    log = course.parent / "log.txt"  # where the submission cannot put a link in its place
    stopped, code = sandbox.run(command, limits, log, _variables(home), course)
    outcome = _read_outcome(course, log, code)
    if not stopped and outcome.problem:
        _require_space(course)
    submission.problem = stopped or outcome.problem
    submission.remarks += outcome.remarks
    for task in source.tasks:
        given = outcome.points.get(grade_id("check", task.number), 0.0)
        submission.points[task.number] = min(max(given, 0.0), float(task.points))
    try:
        page = read_foreign(course / "feedback.html", LARGEST_PAGE).decode("utf-8", errors="replace")
    except ValueError:
        return ""
    return NO_SCRIPTS + page


def _variables(home: Path) -> dict[str, str]:
    """Return the variables of a grading process: what a program needs, because the instructor's may hold secrets."""
    needed = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    own = {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return kept | own | {"CI": "true", RAISES: "1"}


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


def _read_outcome(course: Path, log: Path, code: int | None) -> Outcome:
    try:
        if code != 0:
            raise ValueError("the grading process did not come to its end")
        left = json.loads(read_foreign(course / "outcome.json", 1e6))
        points = {str(name): float(value) for name, value in left.get("points", {}).items()}
        if not all(map(math.isfinite, points.values())):
            raise ValueError("points that are no numbers")
        remarks = [str(remark)[:300] for remark in left.get("remarks", [])[:20]]
        return Outcome(points, remarks, str(left.get("problem", ""))[:300])
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        lines = _end_of(log).decode("utf-8", errors="replace").strip().splitlines()
        last = lines[-1][:200] if lines else "none"
        return Outcome(problem=f"grading stopped without a result; its last line: {last}")


def _end_of(log: Path) -> bytes:
    """Return the last megabyte of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 1_000_000))
        return file.read()


def restore_checks(notebook: nbformat.NotebookNode, source: Source) -> list[str]:
    """Put back checks that were removed; return what was removed or edited.

    nbgrader restores edited ones itself, and stumbles where the cell before a missing one is missing as well.
    """
    remarks = []
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    for cell in grading_notebook(source).cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if not name.startswith("check-"):
            continue
        number = name.removeprefix("check-").replace("-", ".")
        if name not in cells:
            cell["id"] = f"restored-{name}"
            notebook.cells.append(cell)
            remarks.append(f"the check of {number} had been removed and was put back")
        elif cells[name].source.strip() != cell.source.strip():
            remarks.append(f"the check of {number} had been edited and was put back")
    return remarks


def grade_class(
    folder: Path,
    output: Path,
    limits: sandbox.Limits,
    cell_seconds: int = 60,
    jobs: int = 2,
    report: Callable[[str], None] = print,
    again: bool = False,
) -> list[Submission]:
    """Grade everything in a folder, and write grades and feedback pages.

    Submissions that did not change since the last time are not graded again. One with a problem or a remark is, where
    the limits are others now.

    Parameters
    ----------
    folder : Path
        What was handed in; see :func:`find_submissions`.
    output : Path
        Receives ``grades.csv``, ``feedback`` and ``logs``.
    limits : Limits
        What each submission may use.
    cell_seconds : int
        Time that one cell may take.
    jobs : int
        Submissions graded at the same time.
    report : function of str
        Called with a line about every submission.
    again : bool
        Whether to grade also what did not change.

    Returns
    -------
    list of Submission
    """
    sources = read_sources()
    submissions = find_submissions(folder, sources)
    stored = output / "results"
    stored.mkdir(parents=True, exist_ok=True)
    todo, done = [], 0
    within = asdict(limits) | {"cell_seconds": cell_seconds}
    for submission in submissions:
        earlier = None if again else _stored_result(stored, submission, within)
        if submission.problem:
            _forget(output, submission)
            done += 1
            report(f"[{done}/{len(submissions)}] {submission.student}: {submission.problem}")
        elif earlier:
            submission.points, submission.remarks = earlier["points"], earlier["remarks"]
            submission.problem = earlier["problem"]
            done += 1
            report(f"[{done}/{len(submissions)}] {submission.student}: unchanged, {_outcome(submission, sources)}")
        else:
            todo.append(submission)
    try:
        with tempfile.TemporaryDirectory(prefix="grading") as scratch:
            scratch = Path(scratch).resolve()
            needed = {x.exercises: sources[x.exercises] for x in todo}
            prepare_courses(needed, scratch / "courses")

            def work(position: int) -> Submission:
                _require_space(scratch)
                submission = todo[position]
                source = sources[submission.exercises]
                course = scratch / f"submission-{position}" / "course"
                shutil.copytree(scratch / "courses" / source.number, course)
                path = folder / submission.file
                page = grade_submission(submission, source, path, course, limits, cell_seconds)
                _store(output, submission, page, _end_of(course.parent / "log.txt"), within)
                return submission

            with ThreadPoolExecutor(max_workers=jobs) as pool:
                futures = {pool.submit(work, i): todo[i] for i in range(len(todo))}
                for future in as_completed(futures):
                    submission = futures[future]
                    try:
                        future.result()
                    except Exception as error:  # one submission must never stop the others
                        if getattr(error, "errno", None) == errno.ENOSPC:
                            submission.points = {}
                            pool.shutdown(cancel_futures=True)
                            raise
                        submission.problem = f"grading failed: {type(error).__name__}: {error}"[:300]
                    done += 1
                    report(f"[{done}/{len(submissions)}] {submission.student}: {_outcome(submission, sources)}")
    finally:
        write_grades(output / "grades.csv", [x for x in submissions if x.points or x.problem], sources)
    return submissions


def _outcome(submission: Submission, sources: dict[str, Source]) -> str:
    if submission.problem:
        return submission.problem
    of = sum(task.points for task in sources[submission.exercises].tasks)
    remarks = f" ({'; '.join(submission.remarks)})" if submission.remarks else ""
    return f"set {submission.exercises}, {submission.total():g} of {of} points{remarks}"


def _slug(submission: Submission) -> str:
    """Return a file name for a submission, readable and without two being alike."""
    short = re.sub(r"[^\w.-]+", "_", Path(submission.file).with_suffix("").as_posix())[:80]
    return f"{short}-{hashlib.sha256(os.fsencode(submission.file)).hexdigest()[:6]}"


def _stored_result(stored: Path, submission: Submission, within: dict) -> dict | None:
    try:
        result = json.loads((stored / f"{_slug(submission)}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not submission.key or result.get("key") != submission.key:
        return None
    hindered = result["problem"] or result["remarks"]
    return result if not hindered or result.get("limits") == within else None


def _store(output: Path, submission: Submission, page: str, log: bytes, within: dict) -> None:
    _forget(output, submission)
    name = _slug(submission)
    if page:
        write_atomically(output / "feedback" / f"{name}.html", page.encode("utf-8"))
    if submission.problem:
        write_atomically(output / "logs" / f"{name}.txt", log)
    result = asdict(submission) | {"limits": within}
    write_atomically(output / "results" / f"{name}.json", json.dumps(result).encode("utf-8"))


def _forget(output: Path, submission: Submission) -> None:
    """Remove what is left of an earlier version of a submission."""
    name = _slug(submission)
    for path in (f"results/{name}.json", f"feedback/{name}.html", f"logs/{name}.txt"):
        (output / path).unlink(missing_ok=True)


def write_grades(path: Path, submissions: list[Submission], sources: dict[str, Source]) -> None:
    """Write the table of grades, one row a submission, for any spreadsheet."""
    present = sorted({x.exercises for x in submissions if x.exercises})
    tasks = [task.number for number in present for task in sources[number].tasks]
    lines = [["student", "set", *tasks, "points", "of", "problem", "remarks", "file"]]
    for x in submissions:
        of = sum(task.points for task in sources[x.exercises].tasks) if x.exercises else ""
        points = [f"{x.points[task]:g}" if task in x.points else "" for task in tasks]
        total = f"{x.total():g}" if x.points else "0"
        lines.append([x.student, x.exercises, *points, total, of, x.problem, "; ".join(x.remarks), readable(x.file)])
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([[_harmless(value) for value in line] for line in lines])
        file.flush()
        file.buffer.seek(0)
        write_atomically(path, file.buffer.read())


def _harmless(value: object) -> str:
    """Return a text that a spreadsheet does not take for a formula."""
    text = str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t")) else text


def main(arguments: list[str] | None = None) -> int:
    """Grade a class from the command line."""
    parser = argparse.ArgumentParser(prog="course.py grade", description="Grade the notebooks of a class.")
    parser.add_argument("folder", type=Path, help="a folder for each student, or notebooks named like the students")
    parser.add_argument("--output", type=Path, help="where grades and feedback go (default: FOLDER_graded beside it)")
    parser.add_argument("--cell-seconds", type=int, default=60, help="time that one cell may take (60)")
    parser.add_argument("--seconds", type=int, default=600, help="time that one notebook may take (600)")
    parser.add_argument("--memory", type=float, default=4.0, help="gigabytes that one notebook may use (4)")
    parser.add_argument("--processes", type=int, default=24, help="processes that one notebook may have (24)")
    parser.add_argument("--disk", type=float, default=1.0, help="gigabytes that one notebook may write (1)")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks graded at the same time (2)")
    parser.add_argument("--again", action="store_true", help="grade also what did not change since the last time")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    if not folder.is_dir():
        parser.error(f"{options.folder} is no folder; expected one that holds what the students handed in")
    output = (options.output or folder.with_name(folder.name + "_graded")).resolve()
    if output == folder or folder in output.parents:
        parser.error("grades must not go into the folder of submissions, where students' files are")
    started = time.monotonic()
    if sandbox.can_close_off():
        print("Each notebook runs without a network and sees no other student's files.", flush=True)
    else:
        print(
            "Notebooks can use the network and read your files: bubblewrap is not installed or may not be used here. "
            "Limits on time and memory hold.",
            flush=True,
        )
    limits = sandbox.Limits(options.seconds, options.memory * 1e9, options.processes, options.disk * 1e9)
    # nbgrader calls another program of this environment, which may not be active.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        output.mkdir(parents=True, exist_ok=True)
        with Lock(output / ".lock", f"grading {folder.name}"):
            submissions = grade_class(folder, output, limits, options.cell_seconds, options.jobs, again=options.again)
    except LockedError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        what = "The disk is full" if error.errno == errno.ENOSPC else f"{error.filename}: {error.strerror}"
        print(f"\n{what}. Mend this, then run this again: what was graded is kept in {output}.", file=sys.stderr)
        return 1
    failed = sum(bool(x.problem) for x in submissions)
    minutes = (time.monotonic() - started) / 60
    print(f"{len(submissions)} submissions in {minutes:.1f} minutes, {failed} not graded: see the column problem.")
    print(f"Grades are in {output / 'grades.csv'}, feedback pages in {output / 'feedback'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
