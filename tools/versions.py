"""Test the course with the oldest versions that it allows, or the newest that exist, in an environment of its own."""
# Only the standard library: this makes an environment, so it runs where none exists yet.

import glob
import json
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tools import install, machine, npm, project, results, site
from tools.console import CourseError, say
from tools.environment import Environment, base_python
from tools.lock import project_lock
from tools.results import markdown_table
from tools.steps import run_step

__all__ = ["find_python", "read_report", "try_versions"]

EXTRAS = ("dev", "site", "hub", "bench")  # together with the extras that they include, these are all
#: Markers for pytest: the fast tests, and the slow tests of packages that no fast test uses.
TESTS = "not slow or versions"
HEADER = ["Python", "versions", "passed", "failed", "skipped", "site", "other versions than uv.lock", "date"]


def find_python(wanted: str) -> str:
    """Return the path of an interpreter.

    Parameters
    ----------
    wanted : str
        A version as in ``3.13``, or a path.

    Raises
    ------
    CourseError
        If there is none.
    """
    if not re.fullmatch(r"3\.\d+", wanted):
        if not python_version(wanted):
            raise CourseError(f"{wanted} is neither a version of Python, as in 3.13, nor a Python that starts.")
        return shutil.which(wanted) or wanted
    # A shim of pyenv is on the path even if it does not start, so its versions are looked up as well.
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    installed = sorted(glob.glob(f"{glob.escape(pyenv)}/versions/{wanted}.*/bin/python"))
    for candidate in (base_python(), f"python{wanted}", *installed):
        path = shutil.which(candidate)
        if path and python_version(path) == wanted:
            return path
    raise CourseError(f"This machine has no Python {wanted}. Install it, or name one: --python PATH.")


def python_version(path: str) -> str:
    """Return the version of an interpreter as in ``3.13``; empty where it does not start."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([path, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    except OSError:
        return ""
    return answer.stdout.strip()


def read_report(path: Path) -> dict:
    """Return the numbers of tests that passed, failed and were skipped, the names of failures, and the seconds.

    Parameters
    ----------
    path : pathlib.Path
        A report of pytest in the format of JUnit.
    """
    suite = ElementTree.parse(path).getroot().find("testsuite")
    count = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    failed = [
        f"{case.get('classname')}::{case.get('name')}"
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    bad = count["failures"] + count["errors"]
    return {
        "passed": count["tests"] - bad - count["skipped"],
        "failed": bad,
        "skipped": count["skipped"],
        "seconds": round(float(suite.get("time"))),
        "names_of_failed": failed,
    }


def try_versions(resolution: str, python: str, keep: bool, more: list[str]) -> int:
    """Make an environment, run tests and build the site in it, and report; return the exit code.

    Parameters
    ----------
    resolution : str
        How uv chooses a version: ``lowest-direct`` for the oldest that pyproject.toml allows, ``highest`` for the
        newest that exists.
    python : str
        A version as in ``3.13``, or a path.
    keep : bool
        Whether to store the numbers for the site.
    more : list of str
        More arguments for pytest.

    Returns
    -------
    int
    """
    if keep and more:
        raise CourseError("--store keeps the numbers of all tests; leave out " + " ".join(more))
    interpreter = find_python(python)
    with project_lock("versions", "trying other versions"):
        return try_in_environment(resolution, interpreter, keep, more)


def try_in_environment(resolution: str, interpreter: str, keep: bool, more: list[str]) -> int:
    """Do the work of :func:`try_versions` with one interpreter."""
    name = f"{resolution}-{python_version(interpreter)}"
    folder = project.CACHE / "versions" / name
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "tests.xml"
    report.unlink(missing_ok=True)  # an earlier report must not be taken for this run's
    where = make_environment(resolution, interpreter, folder / "venv")

    npm.fetch_proxy(where)
    say("running the tests; their report goes to " + str(report))
    marks = ["--ignore-glob=*.ipynb", "-m", TESTS, f"--junitxml={report}", "-p", "no:cacheprovider"]
    code = where.call("-m", "pytest", *marks, *more)
    if not report.exists():
        raise CourseError(f"The tests did not run to their end: pytest stopped with exit code {code}.")
    result = {"date": machine.today(), **machine.record(), "python": python_version(interpreter)}
    result |= {"resolution": resolution, **read_report(report), "site": build_site(folder / "site", where)}
    result |= compare_with_lock(where, resolution)

    written = summary(name, result)
    (folder / "summary.md").write_text(written, encoding="utf-8")
    print(written)
    if keep:
        keep_result(name, result)
    return int(bool(code or result["site"] != "built" or result["unreached"]))


def make_environment(resolution: str, interpreter: str, venv: Path) -> Environment:
    """Make an environment with every extra, in other versions than those of uv.lock."""
    uv, where = install.find_uv(), Environment(venv)
    variables = dict(os.environ, UV_PYTHON_DOWNLOADS="never")
    run_step(f"making {venv}", [uv, "venv", "--clear", "--python", interpreter, venv], variables)
    # Compiled as in a set-up: where Python compiles at import, old modules warn, and warnings are errors in the tests.
    command = [uv, "pip", "install", "--compile-bytecode", "--python", where.python, "--resolution", resolution]
    command += ["--editable", f".[{','.join(EXTRAS)}]"]
    run_step(f"installing the {resolution} versions", command, variables)
    return where


def compare_with_lock(where: Environment, resolution: str) -> dict:
    """Return the differences of an environment to uv.lock, and the lower bounds that it does not reach."""
    # A module of its own, run there: it needs `packaging`, which this Python may not have.
    command = [str(where.python), "-m", "tools.bounds"]
    answer = subprocess.run(command, cwd=project.ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8")
    found = json.loads(answer.stdout)
    return {**found, "unreached": found["unreached"] if resolution == "lowest-direct" else []}


def build_site(output: Path, where: Environment) -> str:
    """Build the site with an environment; return ``built`` or the last lines of the failure."""
    try:
        output.mkdir(exist_ok=True)
        site.build(output, where=where)
    except CourseError as error:
        return str(error).replace(str(project.ROOT), ".")  # results are published
    return "built"


def summary(name: str, result: dict) -> str:
    """Return the findings of a run, in Markdown."""
    parts = [f"## {name}\n\n" + markdown_table(HEADER, [row_of(result)])]
    if result["names_of_failed"]:
        parts.append("Failed:\n\n" + "".join(f"- `{test}`\n" for test in result["names_of_failed"]))
    if result["site"] != "built":
        parts.append(f"The site was not built:\n\n```\n{result['site']}\n```\n")
    if result["unreached"]:
        parts.append("Lower bounds to raise:\n\n" + "".join(f"- {line}\n" for line in result["unreached"]))
    parts.append("Difference to uv.lock:\n\n" + markdown_table(["package", "uv.lock", "here"], result["differences"]))
    return "\n".join(parts)


def row_of(result: dict) -> list:
    """Return a result as a row of the table."""
    chosen = {"lowest-direct": "oldest", "highest": "newest"}[result["resolution"]]
    site = "built" if result["site"] == "built" else "failed"
    numbers = [result[column] for column in ("passed", "failed", "skipped")]
    return [result["python"], chosen, *numbers, site, len(result["differences"]), result["date"]]


def keep_result(name: str, result: dict) -> None:
    """Store a result for the site, and leave those of other environments as they are."""
    stored = dict(sorted({**results.read("versions"), name: result}.items()))
    results.store("versions", stored, markdown_table(HEADER, [row_of(row) for row in stored.values()]))
