"""Set-up: bring the course's environment up to date with ``uv.lock``, and detect a set-up that was killed."""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import environment, project
from tools.console import CourseError, say
from tools.lock import project_lock
from tools.steps import DISK_FULL, SPACE_NEEDED, dotted, run_step

OLDEST_UV = (0, 9)  # older ones were not tested with this uv.lock
UV_TO_INSTALL = "uv==0.13.9"


def stamp_path() -> Path:
    """Return the file that records what the environment was made from."""
    return project.VENV / "course.json"


def unfinished_path() -> Path:
    """Return the file that exists while packages are installed, and after an interrupted installation."""
    return project.CACHE / "unfinished"


def set_up(*extras: str) -> None:
    """Bring the environment up to date with uv.lock and some extras, such as ``student`` or ``dev``."""
    if not is_set_up(*extras):
        with project_lock("set-up", "setting up the course"):
            install(*extras)


def is_set_up(*extras: str) -> bool:
    """Return whether the environment is complete, up to date, and has some extras."""
    found = read_stamp()
    installed = found.pop("extras", [])
    complete = environment.of_project().python.exists() and not unfinished_path().exists()
    return complete and found == wanted_state() and set(extras) <= set(installed)


def wanted_state() -> dict[str, str]:
    """Return the inputs from which an up-to-date environment was made."""
    inputs = b"".join((project.ROOT / name).read_bytes() for name in ("pyproject.toml", "uv.lock"))
    return {"folder": str(project.ROOT), "python": sys.version.split()[0], "inputs": hashlib.sha256(inputs).hexdigest()}


def read_stamp() -> dict:
    """Return the state that the last successful set-up recorded; empty if there is none."""
    try:
        return json.loads(stamp_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def require_space() -> None:
    """Raise CourseError before a first set-up that would fill the disk."""
    free = shutil.disk_usage(project.ROOT).free
    if not stamp_path().exists() and free < SPACE_NEEDED:
        raise CourseError(
            f"The disk is too full: the course needs {SPACE_NEEDED / 1e9:.1f} GB, and {project.ROOT} has "
            f"{free / 1e9:.1f} GB left. Free some space, then run this again."
        )


def install(*extras: str) -> None:
    """Make the environment or change it, so that a later start can detect an interruption."""
    venv, unfinished = project.VENV, unfinished_path()
    state, found = wanted_state(), read_stamp()
    installed = found.pop("extras", [])
    require_space()
    if venv.exists() and unfinished.exists():
        say("an earlier set-up was interrupted: making the environment again")
        shutil.rmtree(venv)  # the installer would accept a partly installed package
    elif found and found.get("folder") != state["folder"]:
        say("the folder has moved: making its environment again")
        shutil.rmtree(venv)  # its commands contain the old path
    say(f"setting up the course in {venv} (a few minutes the first time)")
    variables = dict(environment.variables_with_home(), UV_PYTHON_DOWNLOADS="never", UV_PROJECT_ENVIRONMENT=str(venv))
    variables.pop("VIRTUAL_ENV", None)
    wanted = sorted({"student", *extras, *installed})
    # Imports with bytecode take a third of the time; students on a hub may not be able to write it.
    sync = [find_uv(), "sync", "--frozen", "--inexact", "--compile-bytecode", "--python", environment.base_python()]
    unfinished.touch()
    try:
        run_step("installing the packages", [*sync, *("--extra=" + name for name in wanted)], variables)
    except CourseError as error:
        if str(error) != DISK_FULL:  # the installer changes nothing before all downloads are complete
            unfinished.unlink()
        raise
    write_atomically(stamp_path(), json.dumps(dict(state, extras=wanted), indent=1))
    unfinished.unlink()
    say("ready")


def find_uv() -> str:
    """Return the path of a uv that can read uv.lock; install a private one when there is none."""
    private = environment.Environment(project.CACHE / "uv")
    uv = private.python.with_name("uv.exe" if os.name == "nt" else "uv")
    for candidate in (shutil.which("uv"), str(uv)):
        if candidate and uv_version(candidate) >= OLDEST_UV:
            return candidate
    if importlib.util.find_spec("ensurepip") is None:
        raise CourseError(
            "This Python cannot make virtual environments. On Debian and Ubuntu, run "
            f"`sudo apt install python{dotted(sys.version_info[:2])}-venv`, then run this again."
        )
    variables = environment.variables_with_home()
    make = [environment.base_python(), "-m", "venv", "--clear", private.folder]
    run_step("making an environment for uv, the installer", make, variables)
    pip = [private.python, "-m", "pip", "--disable-pip-version-check"]
    run_step("downloading uv", [*pip, "install", "--retries", "2", "--timeout", "20", UV_TO_INSTALL], variables)
    return str(uv)


def uv_version(command: str) -> tuple[int, ...]:
    """Return the version of a uv command; empty when it does not run."""
    try:
        answer = subprocess.check_output([command, "--version"], encoding="utf-8", stderr=subprocess.DEVNULL)
        return tuple(int(part) for part in answer.split()[1].split(".")[:2])
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return ()
