"""Steps: a failure is explained, and a long step shows progress."""

import os
import subprocess
import sys

import pytest

from tools import project, steps
from tools.console import CourseError

ROOT = project.ROOT
CLOSED_PORT = "http://127.0.0.1:9/simple"


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
    assert message in steps.explain("trying", output.splitlines())


def test_step_that_fails_shows_its_last_lines(capsys):
    command = [sys.executable, "-c", "print('first'); print('the reason'); raise SystemExit(3)"]
    with pytest.raises(CourseError, match="first\nthe reason"):
        steps.run_step("trying", command, None)
    assert "trying" in capsys.readouterr().out


def test_long_step_shows_progress(monkeypatch, capsys):
    monkeypatch.setattr(steps, "HEARTBEAT", 0.1)
    steps.run_step("waiting", [sys.executable, "-c", "import time; time.sleep(0.5)"], None)
    assert "still busy: waiting" in capsys.readouterr().out


def test_step_returns_the_memory_of_what_it_started():
    hog = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = b\"1\" * 300_000_000'])"
    if not hasattr(os, "wait4"):
        pytest.skip("this system notes no memory")
    # From a small process: the system counts what the one that starts another holds at that moment.
    code = "import sys; from tools.steps import run_step; "
    code += f"print('peak', run_step('using memory', [sys.executable, '-c', {hog!r}], None))"
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 3e8 < float(printed.split("peak")[1]) < 6e8
