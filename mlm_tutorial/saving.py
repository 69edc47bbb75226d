"""How the Jupyter server writes files, so that a server that is killed while it saves leaves no half of a notebook."""

import os
import shutil
import tempfile
from contextlib import contextmanager

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class WholeFiles(AsyncLargeFileManager):
    """Write every file beside the old one, and put it in the old one's place when it is whole.

    The server's own way empties the file, writes into it, and keeps the old content in a hidden file meanwhile. It puts
    that back when it cannot read a notebook. Half a text file can be read, though: Jupytext then opens the pair with
    the cells that are left, or none, and the next save makes that final.
    """

    @contextmanager
    def atomic_writing(self, os_path, text=True, encoding="utf-8", **options):
        """Open a file for writing; it takes the place of the one at `os_path` when the block ends without an error."""
        target = os.path.realpath(os_path)
        folder, name = os.path.split(target)
        if not self.use_atomic_writing or (os.path.exists(target) and not os.access(folder, os.W_OK)):
            with super().atomic_writing(os_path, text=text, encoding=encoding, **options) as file:
                yield file
            return
        with self.perm_to_403(os_path):
            if os.path.exists(target) and not os.access(target, os.W_OK):
                raise PermissionError(13, f"File is not writable: {target}")
            options.pop("log", None)
            options.update({"mode": "w", "encoding": encoding, "newline": "\n"} if text else {"mode": "wb"})
            # A name of its own: two servers may save the same file at the same time.
            draft, path = tempfile.mkstemp(prefix=f".~{name}.", dir=folder)
            try:
                with open(draft, **options) as file:
                    if os.path.exists(target):
                        shutil.copymode(target, path)
                    else:
                        os.chmod(path, 0o666 & ~_umask())  # mkstemp lets only the owner read
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(path, target)
            except BaseException:
                os.unlink(path)
                raise


def _umask():
    """Return which permissions new files do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
