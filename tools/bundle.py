"""The course as one zip file, which the site offers: all files that git tracks, so that every command works from it.

Equal files give equal bytes: names are in order, and every entry has the same time. Executable files stay executable.
"""

import io
import os
import subprocess
import zipfile
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import project

#: Name of the file, and of the folder that it holds.
NAME, FOLDER = "decomposing-sums.zip", "decomposing-sums"
#: Folders that commands make; in a folder without git, they are the ones to leave out.
MADE = {".venv", ".course", "_build", "__pycache__", ".hypothesis", ".ipynb_checkpoints", ".mypy_cache"}
MADE |= {".pytest_cache", ".ruff_cache"}
_TIME = (2026, 1, 1, 0, 0, 0)


def files(root: Path | None = None) -> dict[str, bool]:
    """Return the files of the course, by name in their order, and whether each is executable.

    Parameters
    ----------
    root : pathlib.Path, optional
        Folder of the course; by default, this one.
    """
    root = root or project.ROOT
    found = _known_to_git(root) or _in_folder(root)
    return {name: found[name] for name in sorted(found) if (root / name).is_file()}


def _known_to_git(root: Path) -> dict[str, bool]:
    """Return the tracked files; none, if the folder is not the top of a repository."""
    if not (root / ".git").exists():
        return {}
    try:
        command = ["git", "-C", str(root), "ls-files", "--stage", "-z"]
        lines = subprocess.check_output(command, encoding="utf-8", stderr=subprocess.DEVNULL).split("\0")
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {line.split("\t", 1)[1]: line.startswith("100755") for line in lines if line}


def _in_folder(root: Path) -> dict[str, bool]:
    found = {}
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if name not in MADE and not name.endswith(".egg-info")]
        for name in names:
            path = Path(folder, name)
            if path.suffix not in (".lock", ".part", ".pyc") or name == "uv.lock":
                found[path.relative_to(root).as_posix()] = bool(path.stat().st_mode & 0o100)
    return found


def content(root: Path | None = None) -> bytes:
    """Return the bytes of the zip file of the course in a folder; by default, of this one."""
    root, written = root or project.ROOT, io.BytesIO()
    with zipfile.ZipFile(written, "w") as bundle:
        for name, executable in files(root).items():
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", _TIME)
            entry.create_system = 3  # of a system with permissions, on whichever it is made
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, (root / name).read_bytes())
    return written.getvalue()


def path() -> Path:
    """Return where the site's build finds the zip file."""
    return project.CACHE / "site" / "bundle" / NAME


def write() -> Path:
    """Write the zip file for the site's build; return its path."""
    write_atomically(path(), content())
    return path()
