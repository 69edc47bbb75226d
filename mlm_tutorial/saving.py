"""Atomic saves for the Jupyter server: one that is killed while it saves leaves no partial notebook."""

import errno
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError


class AtomicContentsManager(AsyncLargeFileManager):
    """Write every file beside the old one, and replace the old one when it is complete.

    By default, the server empties the file, writes into it, and keeps the old content in a hidden file meanwhile, which
    it restores when it cannot read a notebook. A truncated text file can be read, though: Jupytext then opens the pair
    with the remaining cells, or none, and the next save makes the loss permanent.

    The new file has the old one's owner, group, permissions and access lists. Where this user cannot give it these, or
    the old one has a second name (a hard link), the finished draft is copied into the old file instead.
    """

    @contextmanager
    def atomic_writing(self, os_path, text=True, encoding="utf-8", **options):
        """Open a file for writing; it replaces the one at `os_path` when the block ends without an error."""
        target = self._target(os_path)
        folder = os.path.dirname(target)
        if not self.use_atomic_writing or (os.path.exists(target) and not os.access(folder, os.W_OK)):
            with super().atomic_writing(target, text=text, encoding=encoding, **options) as file:
                yield file
            return
        with self.perm_to_403(os_path):
            old = os.stat(target) if os.path.exists(target) else None
            if old and not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, f"File is not writable: {target}")
            options.pop("log", None)
            options.update({"mode": "w", "encoding": encoding, "newline": "\n"} if text else {"mode": "wb"})
            # A name of its own, because two servers may save the same file at the same time; and a short one, because
            # the file's own name may be as long as the system allows.
            draft = os.path.join(folder, f".~{secrets.token_hex(8)}")
            kind = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            # The system gives a new file the usual permissions; a draft of an old one is the owner's alone at first.
            descriptor = os.open(draft, kind, 0o600 if old else 0o666)
            try:
                with open(descriptor, **options) as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                if old and (old.st_nlink > 1 or not _made_alike(draft, target, old)):
                    _copy_into(draft, target)
                    os.unlink(draft)
                else:
                    os.replace(draft, target)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(draft)
                raise

    def _target(self, os_path):
        """Return the file that a path refers to; refuse a link that leads out of the server's folder."""
        if not os.path.islink(os_path):
            return os_path
        target, root = os.path.realpath(os_path), os.path.realpath(self.root_dir)
        if not Path(target).is_relative_to(root):
            name = os.path.basename(os_path)
            raise HTTPError(403, f"{name} is a link to a file outside the server's folder, and was not changed")
        return target


def _made_alike(draft, target, old):
    """Give a draft the owner, permissions and attributes of a file; return whether that worked."""
    if os.name != "posix":
        shutil.copymode(target, draft)
        return True
    try:
        new = os.stat(draft)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.chown(draft, old.st_uid, old.st_gid)
        os.chmod(draft, old.st_mode & 0o7777)
        if hasattr(os, "listxattr"):  # Linux keeps access lists there, too
            wanted, found = _attributes(target), _attributes(draft)
            for name in found.keys() - wanted.keys():
                os.removexattr(draft, name)
            for name, value in wanted.items():
                if found.get(name) != value:
                    os.setxattr(draft, name, value)
        return True
    except OSError:
        return False


def _attributes(path):
    try:
        return {name: os.getxattr(path, name) for name in os.listxattr(path)}
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA):
            return {}
        raise


def _copy_into(draft, target):
    """Copy a draft into a file, which keeps its inode; if the disk lacks space, the file is not changed."""
    with open(draft, "rb") as source, open(target, "r+b") as file:
        before, wanted = os.fstat(file.fileno()).st_size, os.fstat(source.fileno()).st_size
        if hasattr(os, "posix_fallocate") and wanted > before:
            try:
                os.posix_fallocate(file.fileno(), before, wanted - before)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    file.truncate(before)
                    raise
        shutil.copyfileobj(source, file)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
