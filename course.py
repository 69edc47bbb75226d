"""Set up, open and test the course: ``python course.py open``, ``python course.py test``.

Needs Python 3.12 or newer and nothing else. Everything is installed into ``.venv`` in the folder of the course,
in the versions of ``uv.lock``; nothing outside that folder changes, apart from the cache of downloads.
"""
# Only the standard library and the syntax of Python 3.6, so that an old Python can still report that it is too old.
# Everything else is in the folder `tools`, which needs a newer Python.

import os
import shlex
import shutil
import subprocess
import sys

OLDEST_PYTHON = (3, 12)


def starts(name):
    """Return whether a command called `name` exists and starts."""
    path = shutil.which(name)
    return bool(path) and subprocess.call([path, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


def too_old(version):
    """Return advice for a Python that is too old for the course; an empty text for any other."""
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return ""
    newer = next((name for name in ("python3.12", "python3.13") if starts(name)), None)
    if newer:
        advice = "This machine has a newer one; run: " + newer
    else:
        advice = "Install one from https://www.python.org/downloads/ or with your package manager, then run: python3.12"
    needed, found = (".".join(str(part) for part in parts) for parts in (OLDEST_PYTHON, version[:3]))
    message = "The course needs Python {} or newer; this is Python {}.\n{} {}"
    return message.format(needed, found, advice, " ".join(shlex.quote(part) for part in sys.argv))


def main():
    """Run one command; return the exit code."""
    problem = too_old(sys.version_info)
    if problem:
        print("\n" + problem, file=sys.stderr)
        return 1
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from tools.cli import main as run_command

    return run_command()


if __name__ == "__main__":
    sys.exit(main())
