"""course.py: an old Python gets a message, and every command runs as a process, from any folder."""

import ast
import os
import subprocess
import sys
import tomllib

import pytest

import course
from tools import environment
from tools.project import ROOT


def test_oldest_python_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = ".".join(map(str, course.OLDEST_PYTHON))
    assert project["requires-python"] == f">={oldest}"
    assert (ROOT / ".python-version").read_text().strip() == oldest


@pytest.mark.parametrize("newer", ["", "python3.13"])
def test_old_python_gets_a_message_with_advice(monkeypatch, newer):
    monkeypatch.setattr(course, "starts", lambda name: name == newer)
    message = course.too_old((3, 9, 18, "final", 0))
    assert "needs Python 3.12 or newer; this is Python 3.9.18" in message
    assert ("https://www.python.org" in message) != bool(newer)
    assert newer in message


@pytest.mark.parametrize("version", [(3, 12, 0), (3, 13, 1), (4, 0, 0)])
def test_new_python_passes(version):
    assert course.too_old(version) == ""


def test_real_old_pythons_get_the_message():
    names = [name for name in (f"python3.{minor}" for minor in range(6, 12)) if course.starts(name)]
    if not names:
        pytest.skip("no older Python on this machine")
    for name in names:
        result = subprocess.run([name, str(ROOT / "course.py"), "open"], capture_output=True, text=True)
        assert result.returncode == 1
        assert f"needs Python 3.12 or newer; this is Python {name[6:]}." in result.stderr
        assert "Traceback" not in result.stderr


def test_course_py_uses_only_syntax_of_python_3_6():
    ast.parse((ROOT / "course.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def run(*arguments, cwd, isolated=False):
    """Run course.py as a process; isolated, with nothing but the standard library."""
    python = [sys.executable, *(["-S", "-E"] if isolated else [])]
    return subprocess.run([*python, str(ROOT / "course.py"), *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["versions", "--python", "3.99"], "This machine has no Python 3.99. Install it, or name one: --python PATH."),
        (["versions", "--python", "no-such-file"], "no-such-file is neither a version of Python"),
        (["versions", "--store", "-k", "cells"], "--store keeps the numbers of all tests; leave out -k cells"),
        (["run", "99_none"], "No notebook's name starts with 99_none"),
    ],
)
def test_what_a_command_cannot_do_ends_in_a_message(tmp_path, arguments, message):
    result = run(*arguments, cwd=tmp_path, isolated=True)
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("arguments", [["fly"], [], ["check", "--fast"]])
def test_unknown_command_shows_the_usage(arguments, tmp_path):
    result = run(*arguments, cwd=tmp_path, isolated=True)
    assert result.returncode == 2
    assert "usage: course.py" in result.stderr


def test_help_works_from_another_folder(tmp_path):
    result = run("--help", cwd=tmp_path, isolated=True)
    assert result.returncode == 0
    for command in ("open", "test", "check", "run", "lint", "environment", "class", "versions"):
        assert f"\n    {command}" in result.stdout


THREADS_OF_A_PRODUCT = """
import os
import numpy as np
np.ones((600, 600)) @ np.ones((600, 600))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux, which lists a process's threads")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_a_matrix_operation_takes_one_thread_unless_told_otherwise(monkeypatch):
    for name in environment.THREADS:
        monkeypatch.delenv(name, raising=False)

    def threads():
        where = environment.of_project()
        command = [str(where.python), "-c", THREADS_OF_A_PRODUCT]
        return int(subprocess.check_output(command, env=where.variables(), text=True, timeout=120))

    assert threads() == 1
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert threads() == 2
