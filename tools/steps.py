"""Run a program as one step of a command, show progress, and explain a failure."""

import collections
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable

from tools import project
from tools.console import CourseError, say

HEARTBEAT = 15  # seconds
NEWEST_PYTHON = (3, 13)  # the newest on which every package of uv.lock was tested
SPACE_NEEDED = 2.0e9  # bytes; .venv and the cache of downloads take 1.3e9 together, and unpacking takes room
INDEX_VARIABLES = (
    *("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "npm_config_registry"),
    *("HTTPS_PROXY", "ALL_PROXY"),
)
DISK_FULL = (
    f"The disk is full. The course needs {SPACE_NEEDED / 1e9:.1f} GB in {project.ROOT} and, if that is on another "
    "disk, as much in the user's cache folder. Free some space, then run this again."
)
SIGNS_OF_FULL_DISK = (
    "No space left on device",
    "os error 28",
    "os error 112",
    "not enough space on the disk",
    "ENOSPC",
)
SIGNS_OF_NO_NETWORK = (
    "Failed to fetch",
    "error sending request",
    "NewConnectionError",
    "Max retries exceeded",
    "Connection refused",
    "Could not find a version that satisfies the requirement uv",
    # npm names errors as Node.js does.
    *("ECONNREFUSED", "ECONNRESET", "ENOTFOUND", "EAI_AGAIN", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT"),
    *("ENETUNREACH", "EHOSTUNREACH"),
    "Exit handler never called",  # all that npm prints if the server does not answer, up to 11.9 at least
)
SIGNS_OF_PROGRESS = ("Using", "Creating", "Downloading", "Building", "Prepared", "Installed", "Collecting")


def explain(step: str, lines: Iterable[str]) -> str:
    """Return an explanation of a step's failure, from the last lines that it printed."""
    output = "\n".join(lines)
    if any(sign in output for sign in SIGNS_OF_FULL_DISK):
        return DISK_FULL
    if any(sign in output for sign in SIGNS_OF_NO_NETWORK):
        used = [name for name in INDEX_VARIABLES if os.environ.get(name)]
        settings = f" and your setting of {', '.join(used)}" if used else ""
        return f"The package index cannot be reached. Check the internet connection{settings}, then run this again."
    hint = ""
    if sys.version_info[:2] > NEWEST_PYTHON:
        hint = f"\nThis Python may be too new for a package; try Python {dotted(NEWEST_PYTHON)}."
    return f"This step failed: {step}. Its last lines:\n{output}{hint}"


def dotted(version: Iterable) -> str:
    """Return a version written with dots."""
    return ".".join(str(part) for part in version)


def run_step(step: str, command: list, variables: dict[str, str] | None) -> float:
    """Run a command in the project's folder, and print a sign of life at least every 15 s.

    Parameters
    ----------
    step : str
        Description of the command, for messages.
    command : list
        Program and arguments.
    variables : dict of str to str or None
        Environment variables; None for those of this process.

    Returns
    -------
    float
        Peak memory in bytes of the largest process that it started, itself included; NaN on Windows.

    Raises
    ------
    CourseError
        If the command fails; the message explains why.
    """
    say(step)
    last: collections.deque[str] = collections.deque(maxlen=15)
    lines: queue.Queue[str | None] = queue.Queue()

    def read(stream):
        for line in stream:
            lines.put(line.rstrip())
        lines.put(None)

    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "encoding": "utf-8", "errors": "replace"}
    with subprocess.Popen([str(part) for part in command], cwd=project.ROOT, env=variables, **settings) as process:
        threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
        try:
            while True:
                try:
                    line = lines.get(timeout=HEARTBEAT)
                except queue.Empty:
                    say("still busy: " + step)
                    continue
                if line is None:
                    break
                last.append(line)
                if line.strip().startswith(SIGNS_OF_PROGRESS):
                    say("  " + line.strip())
            peak = wait_for(process)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise CourseError(explain(step, last))
    return peak


def wait_for(process: subprocess.Popen) -> float:
    """Wait until a process has ended; return the peak memory in bytes of it and its children."""
    if not hasattr(os, "wait4"):
        process.wait()
        return float("nan")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
