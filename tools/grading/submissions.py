"""What was handed in: a list of notebooks, with a reason for everything that cannot be graded.

Nothing below the folder of the class is followed if it is a link, at any level: a link may lead to another student's
folder, or to any file of this machine.
"""

import hashlib
import os
import re
import stat
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tools.grading.reading import Reader
from tools.grading.sources import Source, source_path
from tools.grading.text import clean, folded, readable

LARGEST = 20e6  # bytes; a notebook that is larger holds something else than answers
MOST_ENTRIES = 10_000  # files and folders of one student; more are an accident, or an attack
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_IGNORED = re.compile(r"^(\.|__MACOSX$|Thumbs\.db$)|^\.ipynb_checkpoints$")
#: The set whose table is made from a number, and that number where a student left it alone.
CAPSTONE, HANDED_OUT = "capstone", 2026


@dataclass
class Submission:
    """One notebook that was handed in, or the reason why there is none, and what grading found.

    Attributes
    ----------
    student : str
        Name, as text.
    file : str
        Path below the folder of the class, as the system has it, which need not be text.
    exercises : str
        Number of the set.
    points : dict of str to float
        By task.
    remarks : list of str
        What grading found.
    notes : list of str
        What the folder shows, such as two students of one name, or the number of a capstone's table.
    problem : str
        Why it was not graded; empty where it was.
    key : str
        Digest of the submission and of all that decides its points.
    number : int or None
        That of a capstone's table.
    """

    student: str
    file: str
    exercises: str = ""
    points: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    key: str = ""
    number: int | None = None

    def total(self) -> float:
        """Return the points of all tasks together."""
        return sum(self.points.values())


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
    with os.scandir(folder) as entries:
        entries = sorted((x for x in entries if not _IGNORED.search(x.name)), key=lambda x: os.fsencode(x.name))
    with Reader(list(sources)) as reader:
        for entry in entries:
            try:
                found += _of_student(entry, folder, sources, reader)
            except OSError as error:
                problem = f"this cannot be read: {clean(error.strerror)}"
                found.append(Submission(readable(entry.name), entry.name, problem=problem))
    _note_names_alike(found)
    _note_numbers_alike(found)
    return found


def _of_student(entry: os.DirEntry, folder: Path, sources: dict[str, Source], reader: Reader) -> list[Submission]:
    if _is_link(entry):
        return [Submission(readable(entry.name), entry.name, problem="this is a link, which is not followed")]
    if not entry.is_dir(follow_symlinks=False):
        return [_inspect(folder, entry.name, Path(entry.name).stem, sources, reader)]
    files, links = _files_below(entry)
    if len(files) > MOST_ENTRIES:
        problem = f"there are more than {MOST_ENTRIES:,} files and folders"
        return [Submission(readable(entry.name), entry.name, problem=problem)]
    notes = [f"a link was not followed: {readable(x)}" for x in links if not _is_notebook(x)][:5]
    notebooks = [x for x in files + links if _is_notebook(x)]
    if not notebooks:
        names = ", ".join(readable(os.path.basename(x)) for x in files[:5])
        problem = f"there is no notebook (.ipynb), only {names}" if files else "the folder is empty"
        return [Submission(readable(entry.name), entry.name, notes=notes, problem=clean(problem))]
    submissions = [_inspect(folder, x, entry.name, sources, reader) for x in sorted(notebooks, key=os.fsencode)]
    for submission in submissions:
        submission.notes = list(notes)
        same = [readable(x.file) for x in submissions if x.exercises == submission.exercises and submission.exercises]
        if len(same) > 1:
            submission.problem = clean(
                f"there are {len(same)} notebooks of this set: {', '.join(same)}; keep the one to grade"
            )
    return submissions


def _files_below(entry: os.DirEntry) -> tuple[list[str], list[str]]:
    """Return the files and the links below a student's folder, as paths below the folder of the class."""
    files, links, todo, seen = [], [], [entry.name], 0
    start = os.path.dirname(entry.path)
    while todo and seen <= MOST_ENTRIES:
        place = todo.pop()
        with os.scandir(os.path.join(start, place)) as entries:
            for each in entries:
                seen += 1
                if seen > MOST_ENTRIES:
                    return [place] * (MOST_ENTRIES + 1), []
                if _IGNORED.search(each.name):
                    continue
                path = os.path.join(place, each.name)
                if _is_link(each):
                    links.append(path)
                elif each.is_dir(follow_symlinks=False):
                    todo.append(path)
                else:
                    files.append(path)
    return sorted(files, key=os.fsencode), sorted(links, key=os.fsencode)


def _is_link(entry: os.DirEntry) -> bool:
    return entry.is_symlink() or entry.is_junction()


def _is_notebook(path: str) -> bool:
    return path.lower().endswith(".ipynb")


def _inspect(folder: Path, file: str, student: str, sources: dict[str, Source], reader: Reader) -> Submission:
    submission = Submission(readable(student), file)
    if not _is_notebook(file):
        submission.problem = "this is not a notebook: its name does not end in .ipynb"
        return submission
    try:
        content = read_foreign(folder, file, LARGEST)
        submission.exercises = reader.set_of(content, Path(readable(file)).stem)
        submission.key = _key(content, sources[submission.exercises])
        if submission.exercises == CAPSTONE:
            found = re.search(rb"notebook_seed\((\d{1,18})\)", content)
            submission.number = int(found[1]) if found else None
    except ValueError as error:
        submission.problem = clean(error)
    except Exception as error:  # whatever one notebook holds, the others are graded
        submission.problem = clean(f"this cannot be read: {type(error).__name__}: {error}")
    return submission


def _note_names_alike(submissions: list[Submission]) -> None:
    """Note where two students' names look alike, or are the same for some disks."""
    names = defaultdict(set)
    for submission in submissions:
        names[folded(submission.student)].add(Path(submission.file).parts[0])
    for submission in submissions:
        own = Path(submission.file).parts[0]
        others = sorted(readable(x) for x in names[folded(submission.student)] - {own})
        if others:
            submission.notes.append(clean(f"its name is like that of {', '.join(others)}: is it the same student?"))


def _note_numbers_alike(submissions: list[Submission]) -> None:
    """Note the number of each capstone's table, and who else has the same table."""
    for submission in (x for x in submissions if x.number is not None):
        others = [x.student for x in submissions if x.number == submission.number and x is not submission]
        text = f"number {submission.number}"
        text += ", as handed out" if submission.number == HANDED_OUT else ""
        submission.notes.append(clean(text + (f", as {', '.join(others)}" if others else "")))


def read_foreign(folder: Path, file: str, largest: float) -> bytes:
    """Return the content of a file that somebody else made.

    A link could lead to any file of this machine, and a pipe or a device may never end.

    Parameters
    ----------
    folder : Path
        Where to start; only what is below it may be somebody else's.
    file : str
        Path of the file below it.
    largest : float
        Bytes.

    Raises
    ------
    ValueError
        If it is not an ordinary, small file, or lies behind a link.
    """
    try:
        with open(_open_without_links(folder, Path(file).parts), "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("this is not an ordinary file")
            if status.st_size > largest:
                raise ValueError(f"the file has {status.st_size / 1e6:.0f} MB, more than {largest / 1e6:.0f}")
            return opened.read(int(largest))
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from None


def _open_without_links(folder: Path, parts: tuple[str, ...]) -> int:
    """Open a file below a folder; return its descriptor."""
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink() or path.is_junction():
            raise ValueError("this is a link, which is not followed")
    if os.open not in os.supports_dir_fd:
        return os.open(path, os.O_RDONLY | _CAREFUL)
    # Step by step, so that no link takes a folder's place in between.
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        return os.open(parts[-1], os.O_RDONLY | _CAREFUL, dir_fd=place)
    finally:
        os.close(place)


def _key(content: bytes, source: Source) -> str:
    """Return a digest of a submission and of all that decides its points."""
    here = Path(__file__).resolve().parent
    exercises = here.parents[1] / "mlm_tutorial" / "exercises"
    parts = [source_path(source), exercises / f"set_{source.number}.py"]
    parts += sorted(path for path in exercises.glob("*.py") if not path.name.startswith("set_"))
    parts += sorted(here.glob("*.py"))
    return hashlib.sha256(b"\0".join([content, *(part.read_bytes() for part in parts)])).hexdigest()
