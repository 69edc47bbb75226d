"""Run notebooks once in the background, so that readers find their models compiled.

``python -m mlm_tutorial.warming NOTEBOOK.ipynb ...`` executes them at low priority and discards what they show. What
stays is the compiled code in PyTensor's cache. `python course.py open` starts it beside the server, and whoever
installs a hub can run it before the class.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from pytensor import config

from mlm_tutorial.atomic import write_atomically
from mlm_tutorial.libraries import in_words, package_digest

__all__ = ["warm"]

#: Free memory that has to be left, in bytes: a notebook's kernel takes up to 2 GB, and the reader's own as much.
MEMORY_NEEDED = 4e9
_COMPILERS = ("llvmlite", "numba", "nutpie", "pymc", "pytensor")


def warm(notebooks: Sequence[Path], stamps: Path) -> list[str]:
    """Execute the notebooks whose code has not been executed with these versions before.

    Parameters
    ----------
    notebooks : sequence of pathlib.Path
        Files in the format .ipynb.
    stamps : pathlib.Path
        File that records what was executed.

    Returns
    -------
    list of str
        Names of the notebooks that were executed to their end.
    """
    try:
        done = json.loads(stamps.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        done = {}
    todo = {path: digest for path in notebooks if (digest := _digest(path)) != done.get(path.name)}
    if todo:
        say("compiling the notebooks' models in the background, at low priority, once; this takes minutes")
    started, executed = time.monotonic(), []
    for path, digest in todo.items():
        if psutil.virtual_memory().available < MEMORY_NEEDED:
            say(f"too little free memory to go on; {path.name} and the next ones compile when they are run")
            break
        content = nbformat.read(path, as_version=4)
        client = NotebookClient(content, timeout=None, resources={"metadata": {"path": str(path.parent)}})
        try:
            client.execute(stderr=subprocess.DEVNULL)
        except CellExecutionError as error:  # the reader will see it in the notebook itself
            say(f"{path.name} was not run to its end: {error.ename}: {error.evalue}")
            continue
        except (Exception, asyncio.CancelledError):
            # When this process is interrupted nbclient ends the kernel, and then fails in one of several ways.
            raise KeyboardInterrupt from None
        executed.append(path.name)
        done[path.name] = digest
        write_atomically(stamps, json.dumps(done, indent=1).encode())
    if executed:
        seconds = time.monotonic() - started
        say(f"the models of {len(executed)} of {len(todo)} notebooks are compiled, after {seconds:.0f} s")
    return executed


def say(text: str) -> None:
    """Print a line at once, marked as not the server's."""
    print(f"[course] {text}", flush=True)


def _digest(path: Path) -> str:
    """Return a digest of a notebook's code, this package's code, and the versions of what compiles them."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    parts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    parts += [package_digest(), in_words(_COMPILERS)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _end_with(parent: int) -> None:
    """Interrupt this process as Ctrl-C does once its parent has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)


def _wait_for_server(folder: Path) -> None:
    """Return when a Jupyter server serves a folder, or after two minutes."""
    from jupyter_server.serverapp import list_running_servers

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any(Path(server["root_dir"]) == folder for server in list_running_servers()):
            return
        time.sleep(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the notebooks that are named; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mlm_tutorial.warming", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path, help="files in the format .ipynb")
    parser.add_argument("--beside-server", type=Path, metavar="FOLDER", help="wait for the server, and end with it")
    options = parser.parse_args(arguments)
    os.environ["CI"] = "true"  # no progress bars
    if hasattr(os, "nice"):
        os.nice(19)
    else:
        psutil.Process().nice(psutil.IDLE_PRIORITY_CLASS)
    try:
        if options.beside_server:
            if os.name == "posix":
                threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
            _wait_for_server(options.beside_server)
        warm(options.notebooks, Path(config.base_compiledir) / "warmed.json")
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
