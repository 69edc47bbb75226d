"""Try the course with the oldest versions that it admits, or the newest that exist, in an environment of its own."""
# Only the standard library: this makes an environment, so it runs before there is one.

import glob
import json
import os
import re
import shutil
import subprocess
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import course

from .storage import RESULTS, circumstances, markdown_table, store

__all__ = ["RESOLUTIONS", "differences", "find_python", "read_report", "try_versions", "unreached_bounds"]

#: The ways of uv to choose a version: the oldest that pyproject.toml admits, or the newest that exists.
RESOLUTIONS = ("lowest-direct", "highest")
EXTRAS = ("dev", "site", "hub", "bench")  # with those that they include, these are all
#: Tests for pytest: the fast ones, and the slow ones that alone use what some extras install.
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
    course.CourseError
        If there is none.
    """
    if not re.fullmatch(r"3\.\d+", wanted):
        if not course.runs(wanted):
            raise course.CourseError(f"{wanted} is neither a version of Python, as in 3.13, nor a Python that starts.")
        return shutil.which(wanted)
    # A shim of pyenv is on the path also where it does not start, so its versions are looked up as well.
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    installed = sorted(glob.glob(f"{glob.escape(pyenv)}/versions/{wanted}.*/bin/python"))
    for candidate in (course.base_python(), f"python{wanted}", *installed):
        path = shutil.which(candidate)
        if path and python_version(path) == wanted:
            return path
    raise course.CourseError(f"This machine has no Python {wanted}. Install it, or name one: --python PATH.")


def python_version(path: str) -> str:
    """Return the version of an interpreter as in ``3.13``; empty where it does not start."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([path, "-c", ask], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    return answer.stdout.strip()


def differences(installed: dict, lock: dict) -> list[list[str]]:
    """Return which packages of an environment have another version than the lock file.

    Parameters
    ----------
    installed : dict of str to str
        Versions by name.
    lock : dict
        The content of ``uv.lock``.

    Returns
    -------
    list of list of str
        Name, version in ``uv.lock`` and version in the environment, sorted; an empty text where there is none.
        A package of the lock file that the environment has no use for is not in the list.
    """
    locked = {}
    for package in lock["package"]:  # one package can be locked at several versions, for several Pythons
        if "registry" in package.get("source", {}):
            locked.setdefault(package["name"], []).append(package["version"])
    rows = []
    for name, version in sorted(installed.items()):
        if version not in locked.get(name, []):
            rows.append([name, ", ".join(locked.get(name, [])), version])
    return rows


def unreached_bounds(project: dict, installed: dict) -> list[str]:
    """Return the lower bounds that an environment of the oldest versions does not reach.

    Such a bound states nothing: another package asks for a newer version.

    Parameters
    ----------
    project : dict
        The table ``project`` of ``pyproject.toml``.
    installed : dict of str to str
        Versions by name.

    Returns
    -------
    list of str
        One sentence for each.
    """
    found = set()
    for entry in [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]:
        match = re.match(r"([\w.-]+)(?:\[.*\])?>=([\w.]+)", entry)
        name, bound = match.groups() if match else (entry, None)
        version = installed.get(name)
        if bound and version and not same_version(bound, version):
            found.add(f"{name} is admitted from {bound} on, but {version} is the oldest that fits the other packages")
    return sorted(found)


def same_version(one: str, other: str) -> bool:
    """Return whether two versions differ in trailing zeros at most."""
    return re.sub(r"(\.0)+$", "", one) == re.sub(r"(\.0)+$", "", other)


def read_report(path: Path) -> dict:
    """Return how many tests passed, failed and were skipped, which failed, and how long it took.

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
        One of `RESOLUTIONS`.
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
        raise course.CourseError("--store keeps the numbers of all tests; leave out " + " ".join(more))
    interpreter = find_python(python)
    with course.locked("versions", "trying other versions"):
        return try_in_environment(resolution, interpreter, keep, more)


def try_in_environment(resolution: str, interpreter: str, keep: bool, more: list[str]) -> int:
    """Do what :func:`try_versions` says with one interpreter."""
    name = f"{resolution}-{python_version(interpreter)}"
    folder = course.PRIVATE / "versions" / name
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "tests.xml"
    report.unlink(missing_ok=True)  # that of an earlier run must not stand for this one
    installed = make_environment(resolution, interpreter, folder / "venv")

    course.fetch_proxy()
    course.say("running the tests; their report goes to " + str(report))
    marks = ["--ignore-glob=*.ipynb", "-m", TESTS, f"--junitxml={report}", "-p", "no:cacheprovider"]
    command = [str(course.environment_python()), "-m", "pytest", *marks, *more]
    code = subprocess.call(command, cwd=str(course.ROOT), env=course.environment_variables())
    if not report.exists():
        raise course.CourseError(f"The tests did not run to their end: pytest stopped with exit code {code}.")
    result = {**circumstances(), "python": python_version(interpreter), "resolution": resolution, **read_report(report)}
    result["site"] = build_site(folder / "site")
    lock = tomllib.loads((course.ROOT / "uv.lock").read_text(encoding="utf-8"))
    result["differences"] = differences(installed, lock)
    project = tomllib.loads((course.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    result["unreached"] = unreached_bounds(project, installed) if resolution == "lowest-direct" else []

    written = summary(name, result)
    (folder / "summary.md").write_text(written, encoding="utf-8")
    print(written)
    if keep:
        keep_result(name, result)
    return int(bool(code or result["site"] != "built" or result["unreached"]))


def make_environment(resolution: str, interpreter: str, venv: Path) -> dict:
    """Make an environment anew, let the commands of course.py use it, and return the versions in it by name."""
    uv = course.find_uv()
    variables = dict(os.environ, UV_PYTHON_DOWNLOADS="never")
    course.run_step(f"making {venv}", [uv, "venv", "--clear", "--python", interpreter, venv], variables)
    course.VENV = venv
    install = [uv, "pip", "install", "--python", course.environment_python(), "--resolution", resolution]
    install += ["--editable", f".[{','.join(EXTRAS)}]"]
    course.run_step(f"installing the {resolution} versions", install, variables)
    ask = [uv, "pip", "list", "--format", "json", "--python", str(course.environment_python())]
    answer = subprocess.run(ask, check=True, stdout=subprocess.PIPE, encoding="utf-8", env=variables)
    return {row["name"]: row["version"] for row in json.loads(answer.stdout) if "editable_project_location" not in row}


def build_site(output: Path) -> str:
    """Build the site with the environment, beside the usual one; return ``built`` or the last lines of the failure."""
    try:
        course.fetch_assets()
        build = ["-c", "from jupyter_book.cli.main import main; main()", "build", course.ROOT, "--all"]
        build += ["--config", course.BOOK / "_config.yml", "--toc", course.BOOK / "_toc.yml", "--path-output", output]
        output.mkdir(exist_ok=True)
        command = [course.environment_python(), *build, "-W", "--keep-going", "--quiet"]
        course.run_step("building the site", command, course.environment_variables())
    except course.CourseError as error:
        return str(error).replace(str(course.ROOT), ".")  # results are for everybody to see
    return "built"


def summary(name: str, result: dict) -> str:
    """Return what a run found, in Markdown."""
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
    path = RESULTS / "versions.json"
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    stored = dict(sorted({**stored, name: result}.items()))
    store("versions", stored, markdown_table(HEADER, [row_of(row) for row in stored.values()]))
