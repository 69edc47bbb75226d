"""Run a command with limits on time, memory, processes and disk, and where the system allows it without a network.

Time is limited everywhere, memory, processes and disk everywhere but on Windows. Files and network are closed off by
bubblewrap (https://github.com/containers/bubblewrap), where it is installed and may make namespaces.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

#: Seconds between two looks at what a command is doing.
_INTERVAL = 0.25
#: What programs need of the system; nothing of anybody's own is there.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/nix")
#: Bytes for temporary files of a closed off command, which are held in memory.
_TEMPORARY = 500_000_000


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
    disk : float
        Bytes that its folder may hold, and that one file or what it prints may grow to.
    """

    seconds: float = 600.0
    memory: float = 4e9
    processes: int = 24
    disk: float = 1e9


@cache
def can_close_off() -> bool:
    """Return whether bubblewrap is there and works."""
    if shutil.which("bwrap") is None:
        return False
    probe = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def closed_off(command: list[str], writable: Path, readable: list[Path]) -> list[str]:
    """Return a command that runs another without a network, and with one folder that it can write.

    It sees the system's programs and settings and what is named here, and nothing else of the machine's files.

    Parameters
    ----------
    command : list of str
    writable : Path
        The one folder whose files the command may change.
    readable : list of Path
        Files and folders that it sees besides.
    """
    options = [part for path in _SYSTEM if Path(path).exists() for part in ("--ro-bind", path, path)]
    options += ["--dev", "/dev", "--proc", "/proc"]
    for path in ("/tmp", "/var/tmp", "/dev/shm"):
        options += ["--size", str(_TEMPORARY), "--tmpfs", path]
    # A path may lead through links, which are not there; so each is mounted where it is named and where it lies.
    places = {str(place): str(path.resolve()) for path in readable for place in (path.absolute(), path.resolve())}
    for place, path in sorted(places.items()):  # outer ones before those inside them
        options += ["--ro-bind", path, place]
    folder = str(writable.resolve())
    options += ["--bind", folder, folder, "--remount-ro", "/", "--chdir", folder]
    return ["bwrap", *options, "--unshare-all", "--die-with-parent", "--new-session", "--", *command]


def run(
    command: list[str], limits: Limits, log: Path, environment: dict[str, str], folder: Path | None = None
) -> tuple[str, int | None]:
    """Run a command within limits.

    Parameters
    ----------
    command : list of str
    limits : Limits
    log : Path
        File for what the command prints.
    environment : dict of str to str
    folder : Path, optional
        The folder whose size is limited.

    Returns
    -------
    str
        Why it was stopped; empty where it ended by itself.
    int or None
        Its exit code; None where it was stopped.
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
            preexec_fn=_limit(0.75 * limits.memory, limits.disk) if os.name == "posix" else None,
        )
        seen = {}
        try:
            while True:
                reason = _excess(process, limits, time.monotonic() - started, seen, folder)
                if reason:
                    return reason, None
                try:
                    return "", process.wait(_INTERVAL)
                except psutil.TimeoutExpired:
                    pass
        finally:
            _stop(process, seen)


def _limit(memory: float, disk: float):
    def limit():
        import resource

        # Data, not addresses: compilers reserve far more addresses than they ever fill.
        resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(disk), int(disk)))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return limit


def _excess(process: psutil.Process, limits: Limits, seconds: float, seen: dict, folder: Path | None) -> str:
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
    if folder is not None and _size(folder, limits.disk) > limits.disk:
        return f"stopped because it wrote more than {limits.disk / 1e9:.2g} GB, the disk limit"
    return ""


def _size(folder: Path, enough: float) -> int:
    """Return the bytes of a folder's files; stop counting where they are enough."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):  # it may be gone by now
                total += os.lstat(os.path.join(place, name)).st_size
        if total > enough:
            break
    return total


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
