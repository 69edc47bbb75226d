"""From one source to the notebook of stubs and the notebook of solutions.

A source is a notebook in the percent format, named by a notebook's number and title, ``01_simulating_sums.py``, or by a
word, ``capstone.py``, whose tasks are ``capstone.1`` and so on. Tags say what a cell is:

``task:01.2``
    the text of a task; its heading ends in its level, ``## 01.2 A title (medium)``
``solution:01.2``
    the solution, with what a student is to write between ``### BEGIN SOLUTION: what to write`` and
    ``### END SOLUTION``
``check:01.2``
    the check
``mistake:01.2``
    a typical mistake, for tests alone; its first line is ``# earns:`` and words of the hint that it must earn
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "exercise_sources"
POINTS = {"easy": 1, "medium": 2, "hard": 3}
KINDS = ("task", "solution", "check", "mistake")
_REGION = re.compile(r"^( *)### BEGIN SOLUTION: (.+)\n((?:.*\n)*?) *### END SOLUTION$", re.MULTILINE)
_HEADING = re.compile(r"^## ((?:\d\d|[a-z]+)\.\d+) (.+) \((easy|medium|hard)\)$", re.MULTILINE)
_PROMPTS = {"code_prompt_show": "Show a solution", "code_prompt_hide": "Hide the solution"}
_FOLDED = {"jupyter": {"source_hidden": True}}  # in JupyterLab; the site reads the tag hide-input
_NOTICE = "This notebook is made from `notebooks/exercise_sources/{name}.py`: change that file, not this one."


class SourceError(ValueError):
    """The source of an exercise set is not as it should be."""


@dataclass(frozen=True)
class Task:
    """One task of a set: its number, title, level, and the sources of its cells."""

    number: str
    title: str
    level: str
    solution: str
    check: str
    mistakes: tuple[tuple[str, str], ...]

    @property
    def points(self) -> int:
        """Points that a right solution earns."""
        return POINTS[self.level]

    @property
    def message(self) -> str:
        """What the stub says when it is called."""
        return stub_message(self.number, _REGION.search(self.solution).group(2))


@dataclass(frozen=True)
class Source:
    """A set of exercises: cells as (kind, task number, cell), and the tasks."""

    name: str
    cells: tuple[tuple[str, str, NotebookNode], ...]
    tasks: tuple[Task, ...]

    @property
    def number(self) -> str:
        """Number of the set, that of its notebook; a set that belongs to none has a word instead."""
        return self.name.split("_")[0]

    def file(self, folder: str) -> str:
        """Return the name of its notebook in ``exercises`` or ``solutions``; tabs of JupyterLab show no folder."""
        return f"{self.number}_{folder}.ipynb"

    @property
    def setup(self) -> list[str]:
        """Code cells that belong to no task."""
        return [cell.source for kind, _, cell in self.cells if not kind and cell.cell_type == "code"]


def read_sources() -> dict[str, Source]:
    """Return all sets of exercises by number."""
    return {source.number: source for source in map(read_source, source_paths())}


def source_paths() -> list[Path]:
    """Return the files of all sets, in order."""
    return sorted(FOLDER.glob("*.py"))


def source_path(source: Source) -> Path:
    """Return the file of a set."""
    return FOLDER / f"{source.name}.py"


def stub_message(number: str, wanted: str) -> str:
    """Return the message of a stub's error."""
    return f"{number}: {wanted}"


def read_source(path: Path) -> Source:
    """Read the source of a set of exercises.

    Parameters
    ----------
    path : Path
        A file in the percent format.

    Returns
    -------
    Source

    Raises
    ------
    SourceError
        If a task lacks a part, has one twice, or its parts are out of order.
    """
    notebook = jupytext.read(path, fmt="py:percent")
    cells = [(*_role(cell, path), cell) for cell in notebook.cells]
    numbers = [number for kind, number, _ in cells if kind == "task"]
    if not numbers:
        raise SourceError(f"{path.name}: there is no cell tagged task:NN.M")
    tasks = tuple(_task(number, cells, path) for number in numbers)
    order = [(kind, number) for kind, number, _ in cells if kind and kind != "mistake"]
    expected = [(kind, task.number) for task in tasks for kind in ("task", "solution", "check")]
    if order != expected:
        raise SourceError(f"{path.name}: expected task, solution and check of each task in this order, got {order}")
    return Source(path.stem, tuple(cells), tasks)


def _role(cell: NotebookNode, path: Path) -> tuple[str, str]:
    roles = [tag.split(":", 1) for tag in cell.metadata.get("tags", []) if tag.split(":", 1)[0] in KINDS]
    if len(roles) > 1:
        raise SourceError(f"{path.name}: a cell has more than one role: {cell.metadata['tags']}")
    return tuple(roles[0]) if roles else ("", "")


def _task(number: str, cells: list, path: Path) -> Task:
    where = f"{path.name}, task {number}"
    parts = {kind: [cell.source for k, n, cell in cells if (k, n) == (kind, number)] for kind in KINDS}
    for kind in ("task", "solution", "check"):
        if len(parts[kind]) != 1:
            raise SourceError(f"{where}: expected one cell tagged {kind}:{number}, got {len(parts[kind])}")
    heading = _HEADING.search(parts["task"][0])
    if not heading or heading.group(1) != number or number.rpartition(".")[0] != path.stem.split("_")[0]:
        raise SourceError(f"{where}: expected a heading such as `## {number} A title (easy)`")
    if len(_REGION.findall(parts["solution"][0])) != 1:
        raise SourceError(
            f"{where}: expected one region from `### BEGIN SOLUTION: what to write` to `### END SOLUTION`"
        )
    mistakes = []
    for source in parts["mistake"]:
        earns = re.match(r"# earns: (.+)\n", source)
        if not earns:
            raise SourceError(f"{where}: a mistake starts with the line `# earns: words of its hint`")
        mistakes.append((earns.group(1), source))
    solution, check = parts["solution"][0], parts["check"][0]
    return Task(number, heading.group(2), heading.group(3), solution, check, tuple(mistakes))


def stub_of(solution: str, number: str) -> str:
    """Return a solution with its region replaced by an error that says what to write."""

    def replace(region):
        message = stub_message(number, region.group(2))
        return f"{region.group(1)}raise NotImplementedError({json.dumps(message, ensure_ascii=False)})"

    return _REGION.sub(replace, solution)


def solved(solution: str) -> str:
    """Return a solution without the marks around its region."""
    return _REGION.sub(lambda region: region.group(3).rstrip("\n"), solution)


def stub_notebook(source: Source) -> NotebookNode:
    """Return the notebook that students get: stubs, and checks that nbgrader can count."""
    points = {task.number: task.points for task in source.tasks}
    cells = []
    for kind, number, cell in source.cells:
        if kind == "mistake":
            continue
        text = stub_of(cell.source, number) if kind == "solution" else cell.source
        cells.append(_cell(cell, text, _nbgrader(kind, number, points), tags=_own_tags(cell)))
    return _notebook(source, cells)


def solution_notebook(source: Source) -> NotebookNode:
    """Return the notebook with solutions; JupyterLab and the site fold them below the stubs."""
    cells = []
    for kind, number, cell in source.cells:
        if kind == "mistake":
            continue
        tags = _own_tags(cell)
        if kind == "solution":
            stub = f"```python\n{stub_of(cell.source, number)}\n```"
            cells.append(nbformat.v4.new_markdown_cell(stub))
            cells.append(_cell(cell, solved(cell.source), {"mystnb": _PROMPTS, **_FOLDED}, tags=[*tags, "hide-input"]))
        else:
            cells.append(
                _cell(cell, cell.source, {}, tags=[*tags, *(["nbval-check-output"] if kind == "check" else [])])
            )
    return _notebook(source, cells)


def grading_notebook(source: Source) -> NotebookNode:
    """Return the source of an assignment in nbgrader's sense: solutions between its own marks."""
    notebook = stub_notebook(source)
    solutions = {grade_id("solution", task.number): task.solution for task in source.tasks}
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in solutions:
            cell.source = re.sub(r"(### BEGIN SOLUTION).*", r"\1", solutions[name])
    return notebook


def grade_id(kind: str, number: str) -> str:
    """Return nbgrader's name of a cell, which may hold no dots."""
    return f"{kind}-{number.replace('.', '-')}"


def _own_tags(cell: NotebookNode) -> list[str]:
    return [tag for tag in cell.metadata.get("tags", []) if tag.split(":", 1)[0] not in KINDS]


def _nbgrader(kind: str, number: str, points: dict[str, int]) -> dict:
    """Return nbgrader's metadata of a cell (its schema version 3)."""
    if kind not in ("solution", "check"):
        return {}
    checks = kind == "check"
    fields = {"cell_type": "code", "grade": checks, "grade_id": grade_id(kind, number), "locked": checks}
    fields |= {"schema_version": 3, "solution": not checks, "task": False} | (
        {"points": points[number]} if checks else {}
    )
    return {"nbgrader": fields}


def _cell(cell: NotebookNode, text: str, metadata: dict, tags: list[str]) -> NotebookNode:
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    kept = {name: cell.metadata[name] for name in ("jupyter", "mystnb") if name in cell.metadata}
    return make(text, metadata=kept | metadata | ({"tags": tags} if tags else {}))


def _notebook(source: Source, cells: list[NotebookNode]) -> NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=cells)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = str(number)
    notebook.metadata = nbformat.from_dict(
        {
            "course": {"exercises": source.number, "notice": _NOTICE.format(name=source.name)},
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook
