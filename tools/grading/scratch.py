"""Folders for the time of grading, removed whatever they hold, also after a run that was killed."""

import contextlib
import os
import secrets
import stat
import tempfile
from pathlib import Path

_PREFIX = "grading-"
_RECORD = ".scratch"  # in the output folder: where the folder of a run that is not over lies


class Scratch:
    """A folder for the time of a ``with`` block; on entering, what an earlier run left is removed.

    Parameters
    ----------
    output : Path
        The folder of grades, which notes where the scratch folder is. Nobody else may grade into it meanwhile.
    """

    def __init__(self, output: Path):
        self.output, self.record, self.path = output, output / _RECORD, None

    def __enter__(self) -> Path:
        """Make the folder."""
        self.output.mkdir(parents=True, exist_ok=True)
        self._clean_up()
        for draft in self.output.rglob("*.part"):  # of files that were being written
            draft.unlink(missing_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self.record.write_bytes(os.fsencode(self.path))
        return self.path

    def __exit__(self, *_) -> None:
        """Remove the folder."""
        self._clean_up()

    def _clean_up(self) -> None:
        try:
            path = Path(os.fsdecode(self.record.read_bytes()))
            status = os.lstat(path)
        except (OSError, ValueError):
            self.record.unlink(missing_ok=True)
            return
        own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if path.is_absolute() and path.name.startswith(_PREFIX) and stat.S_ISDIR(status.st_mode) and own:
            remove_tree(path)
        self.record.unlink(missing_ok=True)


def remove_tree(folder: Path) -> bool:
    """Remove a folder however deep it is, and follow no link; return whether nothing is left.

    Folders inside folders are moved up to the first level before they are emptied. So no path gets longer than the
    system allows, and no recursion deeper than Python does. Nobody else may be writing there.
    """
    if not _is_folder(folder):
        return not os.path.lexists(folder)
    moved, todo, mark = 0, [str(folder)], secrets.token_hex(8)  # a name that nobody foresaw
    while todo:
        place = todo.pop()
        with contextlib.suppress(OSError):
            os.chmod(place, 0o700)
        with contextlib.suppress(OSError):
            names = [entry.name for entry in os.scandir(place)]
            for name in names:
                path = os.path.join(place, name)
                with contextlib.suppress(OSError):
                    if not _is_folder(path):
                        _unlink(path)
                    elif place == str(folder):
                        todo.append(path)
                    else:
                        with contextlib.suppress(OSError):
                            os.chmod(path, 0o700)
                        moved += 1
                        target = os.path.join(folder, f".{mark}.{moved}")
                        os.rename(path, target)
                        todo.append(target)
        if place != str(folder):
            with contextlib.suppress(OSError):
                os.rmdir(place)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.lexists(folder)


def _is_folder(path: str | Path) -> bool:
    """Return whether a path is a folder and not a link to one."""
    return os.path.isdir(path) and not os.path.islink(path) and not os.path.isjunction(path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except PermissionError:  # Windows removes no file that is write-protected
        os.chmod(path, stat.S_IWRITE)
        os.unlink(path)
