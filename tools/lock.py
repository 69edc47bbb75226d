"""A lock on a folder, so that two copies of one program do not write the same files.

The operating system holds the lock for an open file and drops it when the process ends, however it ends: a killed
process leaves no lock behind.
"""
# Only the standard library: the set-up uses this before anything is installed.

import errno
import os
import sys
from pathlib import Path

from tools import project
from tools.console import CourseError

_BYTE = 1 << 20  # on Windows others cannot read a locked range, so lock a byte behind the text


class LockedError(CourseError):
    """Another process holds the lock; the message says which, and what it is doing."""


class Lock:
    """Hold a lock while a ``with`` block runs, or raise `LockedError` at once.

    Parameters
    ----------
    path : path
        The lock's file. It is not deleted; once unlocked, its content has no meaning.
    doing : str
        Description of this process's work, which others read.
    """

    def __init__(self, path, doing):
        self.path, self.doing, self.file = Path(path), doing, None

    def __enter__(self):
        """Take the lock."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a+", encoding="utf-8")
        try:
            _lock(self.file.fileno())
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                self.file.seek(0)
                other = self.file.read().strip()
                self.file.close()
                raise LockedError(
                    f"Another copy is at work on this folder: {other or 'it did not record its task'}. "
                    "Wait until it is done, or stop it, then run this again."
                ) from None
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
                self.file.close()
                raise
            # Some network drives have no locks; the course must work there, too.
        self.file.truncate(0)
        self.file.write(f"{self.doing} (process {os.getpid()})\n")
        self.file.flush()
        return self

    def __exit__(self, *_):
        """Release the lock."""
        self.file.truncate(0)
        self.file.close()


def project_lock(name, doing):
    """Return a lock that only one command holds in this copy of the project."""
    return Lock(project.CACHE / (name + ".lock"), doing)


def only_writer(path, doing):
    """Return a lock of one file of results, from before the measurement until it is written."""
    return Lock(Path(path).with_name(Path(path).name + ".lock"), doing)


def exit_with(main):
    """End the program with the exit code of `main`; if another copy is at work, print a message first."""
    try:
        sys.exit(main())
    except LockedError as error:
        sys.exit(str(error))


def _lock(descriptor):
    if os.name == "nt":
        import msvcrt

        os.lseek(descriptor, _BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
