"""Atomic writes: a file is written beside its target, and replaces it when it is complete."""
# Only the standard library: the set-up uses this before anything is installed.

import os
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file atomically: no reader ever sees a partial file, even if this process is killed.

    Parameters
    ----------
    path : pathlib.Path
        The file; missing folders are made.
    content : bytes or str
        The new content; text is written as UTF-8.

    Raises
    ------
    OSError
        If the file cannot be written; an earlier file of that name is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
