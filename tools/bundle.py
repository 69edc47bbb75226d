"""The course as one zip file, which the site offers: all files of the course, so that every command works from it.

Which files these are, git says: those that it tracks. Whoever unpacked the zip file has no git, and the zip file holds
a list of them. Anything else in the folder, such as what students handed in, is never packed.

Equal files give equal bytes: names are in order, and every entry has the same time. Executable files stay executable.
"""

import io
import json
import subprocess
import zipfile
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import project
from tools.console import CourseError

#: Name of the file, and of the folder that it holds.
NAME, FOLDER = "decomposing-sums.zip", "decomposing-sums"
#: The list of the other files in a zip file, and whether each is executable.
LIST = "tools/files.json"
_TIME = (2026, 1, 1, 0, 0, 0)


def files(root: Path | None = None) -> dict[str, bool]:
    """Return the files of the course, by name in their order, and whether each is executable.

    Parameters
    ----------
    root : pathlib.Path, optional
        Folder of the course; by default, this one.

    Raises
    ------
    CourseError
        If neither git nor a list says which files belong to the course.
    """
    root = root or project.ROOT
    found = _known_to_git(root) or _listed(root)
    if not found:
        raise CourseError(
            f"Which files of {root} belong to the course is not known: git does not list them, and there is no {LIST}. "
            "Use a clone of the repository in which `git status` works, or a folder unpacked from the site's zip file."
        )
    return {name: found[name] for name in sorted(found) if name != LIST and (root / name).is_file()}


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


def _listed(root: Path) -> dict[str, bool]:
    """Return the files of the zip file from which a folder was unpacked; none, if it was not."""
    try:
        return json.loads((root / LIST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def content(root: Path | None = None) -> bytes:
    """Return the bytes of the zip file of the course in a folder; by default, of this one."""
    root, written = root or project.ROOT, io.BytesIO()
    found = files(root)
    listed = json.dumps(found, indent=1).encode()
    with zipfile.ZipFile(written, "w") as bundle:
        for name in sorted([*found, LIST]):
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", _TIME)
            entry.create_system = 3  # of a system with permissions, on whichever it is made
            entry.external_attr = (0o100755 if found.get(name) else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, listed if name == LIST else (root / name).read_bytes())
    return written.getvalue()


def path() -> Path:
    """Return where the site's build finds the zip file."""
    return project.CACHE / "site" / "bundle" / NAME


def write() -> Path:
    """Write the zip file for the site's build; return its path."""
    write_atomically(path(), content())
    return path()
