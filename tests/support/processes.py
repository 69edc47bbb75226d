"""Processes that tests start, wait for, and kill."""

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="stands in for programs by shell scripts, and kills them")


@contextmanager
def started(command, **settings):
    """Start a command in a process group of its own; end all remaining processes of it."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | settings
    with subprocess.Popen([str(part) for part in command], start_new_session=True, **settings) as process:
        try:
            yield process
        finally:
            for stop in (lambda: os.killpg(process.pid, signal.SIGKILL), process.kill):
                with suppress(ProcessLookupError):
                    stop()


def wait_until(true, seconds=60):
    """Wait until a condition is true; fail after a time limit."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def finish(command, **settings):
    return subprocess.run([str(x) for x in command], capture_output=True, text=True, timeout=300, **settings)
