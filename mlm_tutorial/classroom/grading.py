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
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import nbformat

from mlm_tutorial.classroom import sandbox
from mlm_tutorial.classroom.sources import Source, grade_id, grading_notebook, read_source
from mlm_tutorial.exercises import RAISES
from mlm_tutorial.files import write_whole
from mlm_tutorial.locking import Lock, LockedError

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "notebooks" / "exercise_sources"
LARGEST = 20e6  # bytes; a notebook that is larger holds something else than answers
SPACE_NEEDED = 10e6  # bytes; a notebook, its feedback page and nbgrader's database take a few
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
            names = ", ".join(x.name for x in files[:5])
            problem = f"there is no notebook (.ipynb), only {names}" if files else "the folder is empty"
            found.append(Submission(entry.name, entry.name, problem=problem))
        found += _only_one_a_set([_inspect(x, entry.name, folder, sources) for x in notebooks])
    return found


def _only_one_a_set(submissions: list[Submission]) -> list[Submission]:
    for submission in submissions:
        same = [x.file for x in submissions if x.exercises == submission.exercises and submission.exercises]
        if len(same) > 1:
            submission.problem = (
                f"there are {len(same)} notebooks of this set: {', '.join(same)}; keep the one to grade"
            )
    return submissions


def _inspect(path: Path, student: str, folder: Path, sources: dict[str, Source]) -> Submission:
    submission = Submission(student, str(path.relative_to(folder)))
    if path.is_symlink():
        submission.problem = "this is a link, not a file"
    elif path.suffix.lower() != ".ipynb":
        submission.problem = "this is not a notebook: its name does not end in .ipynb"
    elif path.stat().st_size > LARGEST:
        submission.problem = f"the file has {path.stat().st_size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}"
    else:
        try:
            notebook = read_notebook(path)
            submission.exercises = _set_of(notebook, path, sources)
            submission.key = _key(path, sources[submission.exercises])
        except ValueError as error:
            submission.problem = str(error)
    return submission


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook as students hand it in; raise ValueError with a reason if it is none."""
    content = path.read_bytes()
    if not content.strip():
        raise ValueError("the file is empty")
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except ValueError:
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
        if number in sources:
            return number
    raise ValueError("it cannot be told which set of exercises this notebook answers")


def _key(path: Path, source: Source) -> str:
    """Return a digest of a submission and of all that decides its points."""
    package = Path(__file__).resolve().parents[1]
    parts = [path, SOURCES / f"{source.name}.py", package / "exercises" / f"set_{source.number}.py"]
    parts += [package / "exercises" / name for name in ("__init__.py", "answers.py")]
    parts += [package / "classroom" / name for name in ("grading.py", "worker.py", "sources.py")]
    return hashlib.sha256(b"\0".join(part.read_bytes() for part in parts)).hexdigest()


def prepare_courses(sources: dict[str, Source], folder: Path) -> None:
    """Let nbgrader make the assignment of each set, so that each submission starts from a copy of it."""
    from nbgrader.apps.api import NbGraderAPI

    from mlm_tutorial.classroom.worker import course_config

    for source in sources.values():
        course = folder / source.number
        target = course / "source" / source.name
        target.mkdir(parents=True)
        nbformat.write(grading_notebook(source), target / f"{source.name}.ipynb")
        result = NbGraderAPI(config=course_config(course)).generate_assignment(source.name)
        if not result["success"]:
            raise RuntimeError(f"nbgrader could not make set {source.number}: {result.get('log')}")


def grade_submission(
    submission: Submission,
    source: Source,
    path: Path,
    course: Path,
    limits: sandbox.Limits,
    cell_seconds: int,
    hidden: Sequence[Path] = (),
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
    hidden : sequence of Path
        Folders that the submission must not see, where the system can hide them.

    Returns
    -------
    str
        The feedback page; empty where there is none.
    """
    from mlm_tutorial.classroom.worker import STUDENT

    submission.points = {task.number: 0.0 for task in source.tasks}
    notebook = read_notebook(path)
    submission.remarks = restore_checks(notebook, source)
    target = course / "submitted" / STUDENT / source.name
    target.mkdir(parents=True)
    nbformat.write(notebook, target / f"{source.name}.ipynb")
    closed = sandbox.can_close_off()
    job = {"name": source.name, "cell_seconds": cell_seconds, "sockets": closed}
    (course / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", "mlm_tutorial.classroom.worker", str(course)]
    home = course / "home"
    home.mkdir()
    if closed:
        readable = [ROOT, Path(sys.prefix), Path(sys.base_prefix)]
        command = sandbox.closed_off(command, course, readable, list(hidden))
    stopped = sandbox.run(command, limits, course / "log.txt", _variables(home))
    outcome = _read_outcome(course)
    if not stopped and "points" not in outcome:
        _require_space(course)
    submission.problem = stopped or outcome.get("problem", "")
    submission.remarks += outcome.get("remarks", [])
    for task in source.tasks:
        submission.points[task.number] = outcome.get("points", {}).get(grade_id("check", task.number), 0.0)
    page = course / "feedback.html"
    return page.read_text(encoding="utf-8") if page.exists() else ""


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


def _read_outcome(course: Path) -> dict:
    try:
        return json.loads((course / "outcome.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        lines = (course / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return {"problem": f"grading stopped without a result; its last line: {lines[-1][:200] if lines else 'none'}"}


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
) -> list[Submission]:
    """Grade everything in a folder, and write grades and feedback pages.

    Submissions that did not change since the last time are not graded again.

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

    Returns
    -------
    list of Submission
    """
    sources = read_sources()
    submissions = find_submissions(folder, sources)
    stored = output / "results"
    stored.mkdir(parents=True, exist_ok=True)
    todo, done = [], 0
    for submission in submissions:
        earlier = _stored_result(stored, submission)
        if submission.problem:
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
                submission = todo[position]
                source = sources[submission.exercises]
                course = scratch / f"submission-{position}" / "course"
                shutil.copytree(scratch / "courses" / source.number, course)
                path, hidden = folder / submission.file, (folder, output)
                page = grade_submission(submission, source, path, course, limits, cell_seconds, hidden)
                _store(output, submission, page, (course / "log.txt").read_bytes())
                return submission

            with ThreadPoolExecutor(max_workers=jobs) as pool:
                futures = {pool.submit(work, i): todo[i] for i in range(len(todo))}
                for future in as_completed(futures):
                    submission = futures[future]
                    try:
                        future.result()
                    except Exception as error:  # one submission must never stop the others
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
    readable = re.sub(r"[^\w.-]+", "_", Path(submission.file).with_suffix("").as_posix())[:80]
    return f"{readable}-{hashlib.sha256(submission.file.encode()).hexdigest()[:6]}"


def _stored_result(stored: Path, submission: Submission) -> dict | None:
    try:
        result = json.loads((stored / f"{_slug(submission)}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return result if submission.key and result.get("key") == submission.key else None


def _store(output: Path, submission: Submission, page: str, log: bytes) -> None:
    name = _slug(submission)
    if page:
        write_whole(output / "feedback" / f"{name}.html", page.encode("utf-8"))
    if submission.problem:
        write_whole(output / "logs" / f"{name}.txt", log)
    write_whole(output / "results" / f"{name}.json", json.dumps(asdict(submission)).encode("utf-8"))


def write_grades(path: Path, submissions: list[Submission], sources: dict[str, Source]) -> None:
    """Write the table of grades, one row a submission, for any spreadsheet."""
    present = sorted({x.exercises for x in submissions if x.exercises})
    tasks = [task.number for number in present for task in sources[number].tasks]
    lines = [["student", "set", *tasks, "points", "of", "problem", "remarks", "file"]]
    for x in submissions:
        of = sum(task.points for task in sources[x.exercises].tasks) if x.exercises else ""
        points = [f"{x.points[task]:g}" if task in x.points else "" for task in tasks]
        total = f"{x.total():g}" if x.points else "0"
        lines.append([x.student, x.exercises, *points, total, of, x.problem, "; ".join(x.remarks), x.file])
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([[_harmless(value) for value in line] for line in lines])
        file.flush()
        file.buffer.seek(0)
        write_whole(path, file.buffer.read())


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
    parser.add_argument("--jobs", type=int, default=2, help="notebooks graded at the same time (2)")
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
    limits = sandbox.Limits(options.seconds, options.memory * 1e9, options.processes)
    # nbgrader calls another program of this environment, which may not be active.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    try:
        output.mkdir(parents=True, exist_ok=True)
        with Lock(output / ".lock", f"grading {folder.name}"):
            submissions = grade_class(folder, output, limits, options.cell_seconds, options.jobs)
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
