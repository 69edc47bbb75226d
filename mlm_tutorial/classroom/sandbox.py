"""Run a command with limits on time, memory and processes, and where the system allows it without a network.

Time, memory and the number of processes are limited everywhere but on Windows, where only time is. Files and network
are closed off by bubblewrap (https://github.com/containers/bubblewrap), where it is installed and may make namespaces.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

#: Seconds between two looks at what a command is doing.
_INTERVAL = 0.25


@dataclass(frozen=True)
class Limits:
    """What a command may use.

    Attributes
    ----------
    seconds : float
        Time from start to end.
    memory : float
        Bytes that all its processes together may hold in memory. A single one gets no more than three quarters of
        that, so that a hungry notebook meets a MemoryError, and the grader beside it goes on.
    processes : int
        Processes at the same time, its own included.
    """

    seconds: float = 600.0
    memory: float = 4e9
    processes: int = 24


@cache
def can_close_off() -> bool:
    """Return whether bubblewrap is there and works."""
    if shutil.which("bwrap") is None:
        return False
    probe = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def closed_off(command: list[str], writable: Path, readable: list[Path], hidden: list[Path]) -> list[str]:
    """Return a command that runs another without a network, and with one folder that it can write.

    Everything else on the machine can be read, but for temporary files, the user's home, and what is named as hidden.

    Parameters
    ----------
    command : list of str
    writable : Path
        The one folder whose files the command may change.
    readable : list of Path
        Folders to be seen although they lie in the user's home or among temporary files.
    hidden : list of Path
        Folders that must not be seen, wherever they are.
    """
    options = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    options += _mounts("--tmpfs", [Path(tempfile.gettempdir()), Path("/var/tmp"), Path("/run"), Path.home()])
    options += _mounts("--ro-bind", readable)
    options += _mounts("--tmpfs", hidden)
    options += [*_mounts("--bind", [writable]), "--chdir", str(writable.resolve())]
    return ["bwrap", *options, "--unshare-all", "--die-with-parent", "--new-session", "--", *command]


def _mounts(kind: str, folders: list[Path]) -> list[str]:
    """Return options of bubblewrap that mount folders, outer ones before those inside them."""
    existing = sorted({str(path.resolve()) for path in folders if path.is_dir()})
    return [part for path in existing for part in ((kind, path) if kind == "--tmpfs" else (kind, path, path))]


def run(command: list[str], limits: Limits, log: Path, environment: dict[str, str]) -> str:
    """Run a command within limits; return why it was stopped, or an empty string where it ended by itself.

    Parameters
    ----------
    command : list of str
    limits : Limits
    log : Path
        File for what the command prints.
    environment : dict of str to str
    """
    started = time.monotonic()
    with log.open("wb") as output:
        process = psutil.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=_limit_memory(0.75 * limits.memory) if os.name == "posix" else None,
        )
        seen = {}
        try:
            while True:
                reason = _excess(process, limits, time.monotonic() - started, seen)
                if reason:
                    return reason
                try:
                    process.wait(_INTERVAL)
                    return ""
                except psutil.TimeoutExpired:
                    pass
        finally:
            _stop(process, seen)


def _limit_memory(memory: float):
    def limit():
        import resource

        # Data, not addresses: compilers reserve far more addresses than they ever fill.
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _excess(process: psutil.Process, limits: Limits, seconds: float, seen: dict) -> str:
    """Return which limit the processes exceed, if any; note them in `seen`, so that orphans can be stopped too."""
    with contextlib.suppress(psutil.Error):
        for child in process.children(recursive=True):
            seen[child.pid] = child
    alive = [x for x in (process, *seen.values()) if x.is_running()]
    memory = 0
    for each in alive:
        with contextlib.suppress(psutil.Error):
            memory += each.memory_info().rss
    if seconds > limits.seconds:
        return f"stopped after {limits.seconds:.0f} seconds, the time limit"
    if memory > limits.memory:
        return f"stopped because its processes held more than {limits.memory / 1e9:.1f} GB, the memory limit"
    if len(alive) > limits.processes:
        return f"stopped because it started more than {limits.processes} processes"
    return ""


def _stop(process: psutil.Process, seen: dict) -> None:
    """Stop a command and everything that it started."""
    # Halted first, parents before their children, until no new one is found: what is halted starts no more.
    halted = set()
    while True:
        with contextlib.suppress(psutil.Error):
            for child in process.children(recursive=True):
                seen[child.pid] = child
        found = [each for each in (process, *seen.values()) if each.pid not in halted]
        if not found:
            break
        for each in found:
            halted.add(each.pid)
            with contextlib.suppress(psutil.Error):
                each.suspend()
                for child in each.children(recursive=True):
                    seen[child.pid] = child
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for each in (process, *seen.values()):
        with contextlib.suppress(psutil.Error):
            each.kill()
    with contextlib.suppress(psutil.Error, subprocess.TimeoutExpired):
        process.wait(10)
