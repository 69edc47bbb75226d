"""Grading that is stopped at any moment keeps what it has, leaves nothing running, and goes on the next time."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.support.classroom import hand_in, sandboxed, table_of, variables_without_bubblewrap

pytest.importorskip("nbgrader", reason="grading needs the extra `teach`")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="sends signals")]
ROOT = Path(__file__).resolve().parents[2]
both = pytest.mark.parametrize("sandbox", [pytest.param(True, marks=sandboxed), False])


@contextmanager
def started_grading(folder, scratch, sandbox, **settings):
    scratch.mkdir(exist_ok=True)
    variables = os.environ | {"TMPDIR": str(scratch)}
    if not sandbox:
        variables |= {"PATH": variables_without_bubblewrap(folder.parent / "stub")["PATH"]}
    command = [sys.executable, "-u", "-m", "tools.grading", str(folder), "--jobs", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=variables, start_new_session=True, **pipes) as grader:
        try:
            yield grader
        finally:
            grader.kill()


def helpers(scratch, mark=""):
    """Return the processes that grade in a scratch folder, in whatever group they are.

    The folder stands among their arguments, in a sleeper's comment or, for a supervisor, in its environment. Other
    tests grade at the same time: their processes are none of this test's.
    """
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        if "grading.supervisor" in words:
            with suppress(psutil.Error):  # it may end meanwhile
                words += process.environ().get("TMPDIR", "")
        if process.info["status"] != psutil.STATUS_ZOMBIE and mark in words and str(scratch) in words:
            found.append(process)
    return found


SLEEPER = """
import subprocess, sys, time
sleeper = "import time; time.sleep(90) #stopping-sleeper of SCRATCH"
middle = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}])"
subprocess.run([sys.executable, "-c", middle], start_new_session=True)
time.sleep(50)
"""


@pytest.mark.parametrize(
    ("name", "sandbox"),
    [
        # SIGTERM has the same handler; the supervisor sees neither, only the end of its pipe.
        pytest.param("SIGINT", True, marks=sandboxed),
        pytest.param("SIGKILL", True, marks=sandboxed),
        ("SIGKILL", False),
    ],
)
def test_a_stop_keeps_finished_results_ends_all_children_and_the_next_run_goes_on(tmp_path, name, sandbox):
    folder, output, scratch = tmp_path / "class", tmp_path / "class_graded", Path(tempfile.mkdtemp(dir=tmp_path))
    hand_in(folder, "Ada")
    for student in ("Ben", "Cleo", "Dora"):
        hand_in(folder, student, SLEEPER.replace("SCRATCH", str(scratch)))
    with started_grading(folder, scratch, sandbox) as grader:
        lines = []
        while not any("Ada: set 01" in line for line in lines):
            lines.append(grader.stdout.readline())
            assert lines[-1], lines
        assert lines[0].startswith("Walls:" if sandbox else "NO WALLS:")
        end = time.monotonic() + 40
        while not helpers(scratch, "stopping-sleeper"):
            assert time.monotonic() < end, "the second notebook does not start"
            time.sleep(0.2)
        assert helpers(scratch, "grading.supervisor"), "the supervisor is not seen"
        stopped = time.monotonic()
        os.kill(grader.pid, getattr(signal, name))
        left = grader.communicate(timeout=20)[0]
        assert time.monotonic() - stopped < 10
    while helpers(scratch):
        assert time.monotonic() - stopped < 10, "processes outlive the grader"
        time.sleep(0.1)
    if name == "SIGKILL":
        assert list(scratch.glob("grading-*"))
    else:
        assert grader.returncode == 130
        assert f"Stopped: what was graded is kept in {output}. Run this again to grade the rest." in left
        assert "Traceback" not in left
        assert "Cleo" not in left
        assert list(table_of(output)) == ["Ada"]
        assert list(scratch.iterdir()) == []
    for student in ("Ben", "Cleo", "Dora"):
        shutil.rmtree(folder / student)
    hand_in(folder, "Zoe", answers={})
    with started_grading(folder, scratch, sandbox) as grader:
        printed = grader.communicate(timeout=120)[0]
    assert "Ada: unchanged, set 01, 7 of 7 points" in printed
    assert "Zoe: set 01, 0 of 7 points" in printed
    assert sorted(table_of(output)) == ["Ada", "Zoe"]
    assert list(scratch.iterdir()) == []


DEEP = """
import os
for i in range(1500):
    os.mkdir("folder")
    open("file", "wb").write(b"x" * 1000)
    os.chdir("folder")
"""


@both
def test_a_notebook_that_nests_folders_takes_no_run_and_leaves_nothing(tmp_path, sandbox):
    folder, scratch = tmp_path / "class", tmp_path / "scratch"
    hand_in(folder, "Eve", DEEP)
    hand_in(folder, "Zoe", answers={})
    with started_grading(folder, scratch, sandbox) as grader:
        printed = grader.communicate(timeout=200)[0]
    assert grader.returncode == 0, printed
    rows = table_of(tmp_path / "class_graded")
    assert sorted(rows) == ["Eve", "Zoe"]
    assert rows["Zoe"]["problem"] == ""
    assert "could not be removed" not in printed
    assert list(scratch.iterdir()) == []
