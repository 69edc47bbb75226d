"""A process that runs one command within limits: ``python -m tools.grading.supervisor``.

It reads its job as a line of JSON, watches the command and whatever that starts, and answers with a line of JSON. When
its standard input ends, whoever started it is gone: it ends the command with all its children, and itself.

On Linux it adopts processes that cut themselves loose from their parents, so that they are counted and ended as well.
"""

import contextlib
import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import psutil

_INTERVAL = 0.25  # seconds between two looks at what the command is doing
_FILE = 1024  # bytes of memory that a file without content takes
_LINUX = sys.platform == "linux"
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


class Watch:
    """A running command, everything that it started, and what all of them hold.

    Parameters
    ----------
    process : psutil.Popen
    job : dict
        As :func:`tools.grading.limits.run` writes it.
    """

    def __init__(self, process: psutil.Popen, job: dict):
        self.process, self.job, self.limits = process, job, job["limits"]
        self.started, self.seen, self.me = time.monotonic(), {process.pid: process}, psutil.Process()

    def look(self) -> str:
        """Return which limit is exceeded, if any."""
        self._find()
        alive = [each for each in self.seen.values() if _runs(each)]
        limits = self.limits
        memory, disk = held(alive, self.job["memory_folders"])
        for each in alive:
            with contextlib.suppress(psutil.Error):
                memory += each.memory_info().rss
        if time.monotonic() - self.started > limits["seconds"]:
            return f"stopped after {limits['seconds']:.0f} seconds, the time limit"
        if memory > limits["memory"]:
            return f"stopped because its processes held more than {limits['memory'] / 1e9:.1f} GB, the memory limit"
        if len(alive) > limits["processes"]:
            return f"stopped because it started more than {limits['processes']} processes"
        for path in filter(None, (self.job["log"], self.job["result"])):
            with contextlib.suppress(OSError):
                disk += os.stat(path).st_size
        if self.job["folder"]:
            disk += size(self.job["folder"], limits["disk"])
        if disk > limits["disk"]:
            return f"stopped because it wrote more than {limits['disk'] / 1e9:.2g} GB, the disk limit"
        return ""

    def end(self) -> None:
        """End the command and everything that it started."""
        # Halted first, parents before their children, until no new one is found: what is halted starts no more.
        halted = set()
        while True:
            self._find()
            found = [each for each in self.seen.values() if each.pid not in halted]
            if not found:
                break
            for each in found:
                halted.add(each.pid)
                with contextlib.suppress(psutil.Error):
                    each.suspend()
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        for each in self.seen.values():
            with contextlib.suppress(psutil.Error):
                each.kill()
        with contextlib.suppress(psutil.Error, subprocess.TimeoutExpired):
            self.process.wait(10)

    def _find(self) -> None:
        """Note children and orphans, and take the exit codes of orphans that have ended."""
        for parent in (self.me, self.process):
            with contextlib.suppress(psutil.Error):
                for child in parent.children(recursive=True):
                    self.seen.setdefault(child.pid, child)
        for pid, each in list(self.seen.items()):
            if pid == self.process.pid:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                if not each.is_running():
                    del self.seen[pid]
                elif os.name == "posix" and each.status() == psutil.STATUS_ZOMBIE and each.ppid() == self.me.pid:
                    os.waitpid(pid, os.WNOHANG)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def held(processes: list[psutil.Process], memory_folders: list[str]) -> tuple[int, int]:
    """Return the bytes of memory and of disk that processes hold in files that no folder shows.

    These are folders in memory of their own, files in memory (memfd), and files that are open but have been removed.
    """
    if not _LINUX:
        return 0, 0
    memory, disk, devices, files = 0, 0, set(), set()
    for process in processes:
        for place in memory_folders:
            with contextlib.suppress(OSError):
                # Opened once: while walls are put up, a path means one file system now and another a moment later.
                folder = os.open(f"/proc/{process.pid}/root{place}", os.O_PATH)
                try:
                    device, system = os.fstat(folder).st_dev, os.fstatvfs(folder)
                finally:
                    os.close(folder)
                outside = os.stat(place).st_dev if os.path.exists(place) else None
                if device != outside and device not in devices:
                    devices.add(device)
                    memory += (system.f_blocks - system.f_bfree) * system.f_frsize
                    memory += (system.f_files - system.f_ffree) * _FILE
    shared = os.stat("/dev/shm").st_dev if os.path.exists("/dev/shm") else None
    for process in processes:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{process.pid}/fd"):
                with contextlib.suppress(OSError):
                    status = os.stat(entry.path)
                    mark = (status.st_dev, status.st_ino)
                    if not stat.S_ISREG(status.st_mode) or status.st_nlink or mark in files:
                        continue
                    files.add(mark)
                    if os.readlink(entry.path).startswith("/memfd:") or status.st_dev == shared:
                        memory += status.st_blocks * 512
                    elif status.st_dev not in devices:
                        disk += status.st_blocks * 512
    return memory, disk


def size(folder: str, enough: float) -> int:
    """Return the bytes of a folder's files; stop counting where they are enough."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):  # it may be gone by now
                total += os.lstat(os.path.join(place, name)).st_size
        if total > enough:
            break
    return total


def _limit(limits: dict) -> None:
    """Limit this process, and so what it starts, by what the system itself holds to."""
    import resource

    # Data, not addresses: compilers reserve far more addresses than they ever fill.
    wanted = {resource.RLIMIT_DATA: int(0.75 * limits["memory"]), resource.RLIMIT_FSIZE: int(limits["disk"])}
    for kind, value in (wanted | {resource.RLIMIT_CORE: 0}).items():
        _, most = resource.getrlimit(kind)
        value = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (value, value))


def _adopt() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> None:
    """Run one job."""
    job = json.loads(sys.stdin.buffer.readline())
    gone = threading.Event()

    def wait_for_the_end():
        sys.stdin.buffer.read()
        gone.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: gone.set())
    if _LINUX:
        _adopt()
    reason, code = "", None
    with open(job["log"], "wb") as log, open(job["result"] or os.devnull, "wb") as result:
        if os.name == "posix":
            _limit(job["limits"])
        process = psutil.Popen(
            job["command"],
            stdin=subprocess.DEVNULL,
            stdout=result if job["result"] else log,
            stderr=log,
            env=job["environment"],
            start_new_session=True,
        )
        watch = Watch(process, job)
        try:
            while not gone.is_set():
                reason = watch.look()
                if reason:
                    break
                try:
                    code = process.wait(_INTERVAL)
                    break
                except psutil.TimeoutExpired:
                    pass
        finally:
            watch.end()
    print(json.dumps([reason, code]), flush=True)
    os._exit(0)  # the thread still waits


if __name__ == "__main__":
    main()
