"""Run notebooks from their .py source, store complete runs only, and make the notebooks of exercises."""

import hashlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import environment, machine, project, results
from tools.console import CourseError
from tools.environment import Environment
from tools.steps import run_step

# Parts that change with every run: ids of cells, times, widgets' state, the version of Python.
_CHANGING = "metadata.widgets metadata.language_info.version cell.metadata.execution"


def find(names: Sequence[str]) -> list[Path]:
    """Return the sources of the notebooks whose names start with one of `names`; all sources without names."""
    starts = tuple(Path(name).name for name in names) or ("",)
    sources = [path for path in sorted(project.NOTEBOOKS.glob("*.py")) if path.name.startswith(starts)]
    if not sources:
        raise CourseError(f"No notebook's name starts with {' or '.join(starts)}.")
    return sources


def execute(source: Path, target: Path, folder: Path, where: Environment | None = None, **variables: str) -> float:
    """Run a notebook in a fresh kernel, without progress bars, and write it with its outputs.

    Parameters
    ----------
    source : pathlib.Path
        The notebook, in the percent format or as .ipynb.
    target : pathlib.Path
        The .ipynb to write.
    folder : pathlib.Path
        Folder that the kernel works in.
    where : Environment, optional
        The environment to run it in; by default, that of the course.
    **variables : str
        More environment variables.

    Returns
    -------
    float
        Peak memory in bytes of the kernel.

    Raises
    ------
    CourseError
        If a cell fails, with the last lines of its output.
    """
    where = where or environment.of_project()
    command = [where.python, "-m", "jupytext", "--to", "ipynb", "--execute", "--run-path", folder, "--output", target]
    return run_step("running " + source.name, [*command, source], where.variables(CI="true", **variables))


@contextmanager
def empty_compilation_cache() -> Iterator[dict[str, str]]:
    """Give the variables of a process that compiles everything anew.

    Its draws are those of every other such process; functions from a cache may round their last bit otherwise.
    """
    with tempfile.TemporaryDirectory() as compiled:
        flags = filter(None, [os.environ.get("PYTENSOR_FLAGS"), "base_compiledir=" + compiled])
        yield {"PYTENSOR_FLAGS": ",".join(flags)}


def run(source: Path, target: Path) -> float:
    """Run one notebook; the target changes only when every cell has run.

    The compilation cache is empty, so that seconds in the outputs are those of a first run.
    Return the peak memory in bytes of the kernel.
    """
    # Processes that a killed copy had started may still write to its draft; so every run has its own.
    (project.CACHE / "run").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=project.CACHE / "run") as folder, empty_compilation_cache() as variables:
        draft = Path(folder) / (source.stem + ".ipynb")
        peak = execute(source, draft, target.parent, **variables)
        where = environment.of_project()
        clean = [where.python, "-m", "nbstripout", "--keep-output", "--keep-count", "--extra-keys", _CHANGING, draft]
        run_step("cleaning " + source.name, clean, where.variables())
        sign(draft)
        os.replace(draft, target)
    os.utime(source)  # Jupytext expects the source to be the newer one of a pair
    return peak


def run_and_measure(sources: Sequence[Path], store_times: bool) -> dict[str, dict]:
    """Run notebooks one after another; return seconds and memory by name, and store them where asked."""
    measured = {}
    for source in sources:
        began = time.monotonic()
        peak = run(source, source.with_suffix(".ipynb"))
        row = {"seconds": round(time.monotonic() - began, 1)}
        if not math.isnan(peak):  # unknown on Windows, and JSON has no NaN
            row["peak_gb"] = round(peak / 1e9, 2)
        measured[source.stem] = row
        if store_times:
            note_times({source.stem: row})  # at once, so that a later failure loses nothing
    return measured


def note_times(measured: dict[str, dict]) -> None:
    """Store measured seconds and memory for the site's page of times."""
    measured = {name: {**row, "date": machine.today()} for name, row in measured.items()}
    notebooks = {**results.read("times").get("notebooks", {}), **measured}
    results.store("times", {"machine": machine.record(), "notebooks": dict(sorted(notebooks.items()))})


def sign(notebook: Path) -> None:
    """Record in a notebook which code its outputs come from, so that a test can detect old ones."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    content["metadata"].setdefault("course", {})["outputs_of"] = code_digest(content)
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def code_digest(content: dict) -> str:
    """Return a digest of the code cells of a notebook's content."""
    code = ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\0".join(code).encode("utf-8")).hexdigest()


def make_exercises(run_all: bool) -> None:
    """Make stubs and solutions from their sources; run the solutions that changed, or all."""
    drafts, where = project.CACHE / "exercises", environment.of_project()
    shutil.rmtree(drafts, ignore_errors=True)
    make = [where.python, "-m", "tools.grading.generate", drafts]
    run_step("making the notebooks of exercises", make, where.variables())
    made = {name: {path.name for path in (drafts / name).glob("*.ipynb")} for name in ("exercises", "solutions")}
    for draft in sorted((drafts / "exercises").glob("*.ipynb")):
        os.replace(draft, project.NOTEBOOKS / "exercises" / draft.name)
    for draft in sorted((drafts / "solutions").glob("*.ipynb")):
        stored = project.NOTEBOOKS / "solutions" / draft.name
        if run_all or not is_up_to_date(draft, stored):
            run(draft, stored)
        else:
            take_metadata(draft, stored)
    for folder, wanted in made.items():
        for path in (project.NOTEBOOKS / folder).glob("*.ipynb"):
            if path.name not in wanted:
                path.unlink()


def take_metadata(draft: Path, stored: Path) -> None:
    """Give the cells of a stored notebook the metadata of the same cells in a draft; its outputs stay."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (stored, draft))
    wanted = [cell["metadata"] for cell in new["cells"]]
    if [cell["metadata"] for cell in old["cells"]] != wanted:
        for cell, metadata in zip(old["cells"], wanted, strict=True):
            cell["metadata"] = metadata
        write_atomically(stored, json.dumps(old, indent=1, ensure_ascii=False) + "\n")


def is_up_to_date(draft: Path, stored: Path) -> bool:
    """Return whether a stored notebook has the cells of a draft, and outputs of just these."""
    if not stored.exists():
        return False
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (stored, draft))
    texts = [[(cell["cell_type"], "".join(cell["source"])) for cell in content["cells"]] for content in (old, new)]
    return texts[0] == texts[1] and old["metadata"].get("course", {}).get("outputs_of") == code_digest(new)
