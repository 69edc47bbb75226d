"""What keeps a notebook from other files, from the network, and from the machine's memory and disk.

Files and network are shut off by bubblewrap (https://github.com/containers/bubblewrap), where it is installed and may
make namespaces. A control group of systemd limits memory, where one can be made.
"""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tools.grading.limits import Limits

#: What programs need of the system; nothing of anybody's own is there.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/nix")
#: Parts of /proc that belong to the whole machine, which an administrator could write to.
_KERNEL = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/pressure")
_SHARED_MEMORY = 250_000_000  # bytes of /dev/shm
#: Folders in memory of a sandboxed command.
MEMORY_FOLDERS = ("/tmp", "/dev/shm")
WORK = f"{MEMORY_FOLDERS[0]}/work"  # where it works
_THREADS = 50  # of one process, for a control group, which counts threads


@cache
def sandbox_options() -> tuple[str, ...] | None:
    """Return the options of bubblewrap that work on this machine; None where it cannot be used."""
    if shutil.which("bwrap") is None:
        return None
    usual = ["--unshare-all", "--die-with-parent", "--new-session", *kernel_options()]
    usual += ["--cap-drop", "ALL"] if _is_root() else []
    # Without namespaces of its own a command makes no folders in memory beside those that are limited.
    for options in ([*usual, "--unshare-user", "--disable-userns"], usual):
        probe = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", *options, "true"]
        if subprocess.run(probe, capture_output=True).returncode == 0:
            return tuple(options)
    return None


def kernel_options() -> list[str]:
    """Return the options that make settings of the kernel read-only, which bubblewrap leaves open to root."""
    options = ["--proc", "/proc"]
    for path in filter(os.path.exists, _KERNEL):
        options += ["--ro-bind", path, path]
    return options


def can_sandbox() -> bool:
    """Return whether bubblewrap is there and works."""
    return sandbox_options() is not None


def sandboxed(
    command: list[str], readable: list[Path], inputs: dict[str, Path], hidden: list[Path], disk: float
) -> list[str]:
    """Return a command that runs another without a network, and with one folder that it can write, `WORK`.

    It sees the system's programs and settings and what is named here, and nothing else of the machine's files. What it
    writes stays in memory, is limited to `disk` bytes, and is gone with it.

    Parameters
    ----------
    command : list of str
    readable : list of Path
        Files and folders that it sees where they are.
    inputs : dict of str to Path
        Files and folders that it sees elsewhere.
    hidden : list of Path
        Folders that it must not see even where they lie inside those that it sees.
    disk : float
        Bytes.
    """
    shown = {path: os.path.realpath(path) for path in SYSTEM if os.path.exists(path)}
    for path in readable:
        # A path may lead through links, which are not there; so each is mounted where it is named and where it lies.
        shown |= dict.fromkeys((os.path.abspath(path), os.path.realpath(path)), os.path.realpath(path))
    shown |= {place: os.path.realpath(path) for place, path in inputs.items()}
    mounts = {place: ["--ro-bind", path, place] for place, path in shown.items()}
    masked = [place for place in _masks(shown, hidden) if place not in mounts]
    for path in private_files("/etc"):
        if os.path.isdir(path):
            masked.append(path)
        else:
            mounts[path] = ["--ro-bind", "/dev/null", path]
    mounts |= {place: ["--tmpfs", place] for place in masked}
    mounts["/tmp"] = ["--size", str(int(disk)), "--tmpfs", "/tmp"]
    ordered = [part for place in sorted(mounts, key=lambda x: Path(x).parts) for part in mounts[place]]
    options = ["--dev", "/dev", "--size", str(min(int(disk), _SHARED_MEMORY)), "--tmpfs", "/dev/shm"]
    options += ["--symlink", "/tmp", "/var/tmp", "--dir", WORK, "--chdir", WORK]
    read_only = [part for place in ("/dev", *masked, "/") for part in ("--remount-ro", place)]
    return ["bwrap", *ordered, *options, *sandbox_options(), *read_only, "--", *command]


def _masks(shown: dict[str, str], hidden: list[Path]) -> list[str]:
    """Return where hidden folders would show inside what is shown."""
    found = []
    for folder in map(os.path.realpath, hidden):
        for place, path in shown.items():
            if folder != path and Path(folder).is_relative_to(path):
                found.append(os.path.join(place, os.path.relpath(folder, path)))
    return found


@cache
def private_files(folder: str) -> tuple[str, ...]:
    """Return files and folders that not every user of this machine may read, such as those with passwords."""
    found = []
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = os.path.join(place, name)
            try:
                mode = os.lstat(path).st_mode
            except OSError:
                continue
            wanted = 0o005 if name in folders else 0o004
            if not os.path.islink(path) and mode & wanted != wanted:
                found.append(path)
        folders[:] = [name for name in folders if os.path.join(place, name) not in found]
    return tuple(found)


def needed_paths(root: Path) -> list[Path]:
    """Return the paths that a grading process reads: this package and Python.

    Parameters
    ----------
    root : Path
        The folder of the course.
    """
    package = [root / "mlm_tutorial", root / "tools" / "__init__.py", root / "tools" / "grading"]
    python = [Path(sys.prefix), Path(sys.base_prefix)]
    return [*package, *(path for path in python if str(path) not in SYSTEM)]


def inside(folder: Path, paths: list[Path]) -> Path | None:
    """Return the first of some paths that a folder lies in, or None."""
    place = Path(os.path.realpath(folder))
    return next((path for path in paths if place.is_relative_to(os.path.realpath(path))), None)


@cache
def can_group() -> bool:
    """Return whether systemd makes control groups whose memory is limited, for this user."""
    if shutil.which("systemd-run") is None:
        return False
    # What it answers is read back from the kernel, since some machines accept the limit without enforcing it.
    ask = "cat /sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/memory.max"
    probe = [*_group_command(64 << 20, 100), "sh", "-c", ask]
    try:
        result = subprocess.run(probe, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0 and result.stdout.strip() == str(64 << 20).encode()


def grouped(command: list[str], limits: Limits) -> list[str]:
    """Return a command that runs another in a control group, which holds its memory to the limit, however taken."""
    # The variables that systemd-run needs lead to the user's services, which are no business of a notebook.
    hide = ["env", *(part for name in GROUP_VARIABLES for part in ("-u", name))]
    return [*_group_command(int(limits.memory), _THREADS * limits.processes), *hide, *command]


GROUP_VARIABLES = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")


def _group_command(memory: int, tasks: int) -> list[str]:
    user = [] if _is_root() else ["--user"]
    properties = [f"--property=MemoryMax={memory}", "--property=MemorySwapMax=0", f"--property=TasksMax={tasks}"]
    return ["systemd-run", *user, "--scope", "--quiet", "--collect", *properties, "--"]


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def described(limits: Limits) -> str:
    """Return one line that says which walls stand on this machine, and a second one where root grades."""
    memory, disk = f"{limits.memory / 1e9:g} GB of memory", f"{limits.disk / 1e9:g} GB, in memory"
    if not can_sandbox():
        line = (
            "NO WALLS: notebooks can use the network, read and change your files, and fill the disk, because "
            "bubblewrap is not installed or may not be used here. Time is limited"
        )
        line += ", memory and processes are watched." if os.name == "posix" else "."
    else:
        line = "Walls: each notebook runs without a network, sees no other student's files, and writes at most "
        if can_group():
            line += f"{disk}; the system holds it to {memory}."
        else:
            line += f"{disk}; its memory is watched, and may exceed {limits.memory / 1e9:g} GB for a moment, because "
            line += "systemd-run makes no control group here."
        if "--disable-userns" not in sandbox_options():
            line += " This bubblewrap is old: a hostile notebook can take more memory."
    if _is_root():
        line += "\nYou are root: what gets past a wall may do anything to this machine. Grade as another user."
    return line
