"""Reading of notebooks that others made, in a process with limits: ``python -m tools.grading.reading SETS``.

A notebook of a few megabytes can cost seconds and gigabytes to read. So the grader hands its bytes to this process,
and goes on with the next one where it takes too long or too much memory.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

READ_SECONDS = 10  # for one notebook; a large one with pictures takes less than one
START_SECONDS = 120  # for the process, before its first notebook; a loaded machine takes some of the ten
MOST_CELLS = 5_000
READ_MEMORY = 1_000_000_000  # bytes
_ROOT = Path(__file__).resolve().parents[2]


class Reader:
    """A process that reads notebooks, for the time of a ``with`` block; another one is started when one has died.

    Parameters
    ----------
    sets : list of str
        Numbers of the sets of exercises that there are.
    """

    def __init__(self, sets: list[str]):
        self.sets, self.process = sets, None

    def __enter__(self):
        """Return itself; the process starts with the first notebook."""
        return self

    def __exit__(self, *_):
        """End the process."""
        self._end()

    def set_of(self, content: bytes, name: str) -> str:
        """Return which set of exercises a notebook answers.

        Parameters
        ----------
        content : bytes
            The notebook's file.
        name : str
            The file's name, without its ending.

        Raises
        ------
        ValueError
            If it is not a notebook, cannot be told, or takes more than the limits to read; the message says which.
        """
        if self.process is None:
            command = [sys.executable, "-m", "tools.grading.reading", *self.sets]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            variables = os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"}
            self.process = subprocess.Popen(command, env=variables, cwd=_ROOT, **pipes)
            self._answer(START_SECONDS)  # that it is ready
        head = json.dumps({"bytes": len(content), "name": name}).encode() + b"\n"
        answer = self._answer(READ_SECONDS, head + content)
        if not answer.endswith(b"\n"):
            self._end()
            raise ValueError(
                f"reading this notebook takes more than {READ_SECONDS} seconds or {READ_MEMORY / 1e9:.0f} GB of memory"
            )
        found = json.loads(answer)
        if found["problem"]:
            raise ValueError(found["problem"])
        return found["exercises"]

    def _answer(self, seconds: float, question: bytes = b"") -> bytes:
        """Return the line with which the process answers; it is killed where it takes longer."""
        timer = threading.Timer(seconds, self.process.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.write(question)
                self.process.stdin.flush()
            return self.process.stdout.readline(10_000)
        finally:
            timer.cancel()

    def _end(self) -> None:
        if self.process is not None:
            self.process.kill()
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.process = None


def read_notebook(content: bytes):
    """Return a notebook as students hand it in; raise ValueError with a reason if it is none.

    Metadata for nbgrader that it could not read are left out, as if they had been removed.
    """
    import nbformat  # only here, because the grader's own process never reads one

    if not content.strip():
        raise ValueError("the file is empty")
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("this is not a notebook: its content is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("cells"), list):
        raise ValueError("this is not a notebook: it has no list of cells")
    if len(data["cells"]) > MOST_CELLS:
        raise ValueError(f"this notebook has {len(data['cells']):,} cells, more than {MOST_CELLS:,}")
    try:
        notebook = nbformat.reads(json.dumps(data), as_version=4)
        nbformat.validate(notebook)
    except MemoryError:
        raise
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"this is not a valid notebook: {first[0][:150]}") from None
    for cell in notebook.cells:
        cell.source = cell.source.replace("\r\n", "\n").replace("\r", "\n")
        marks = cell.metadata.get("nbgrader", {})
        if not isinstance(marks, dict) or not isinstance(marks.get("grade_id", ""), str):
            del cell.metadata["nbgrader"]
    return notebook


def set_of(notebook, name: str, sets: list[str]) -> str:
    """Return which set a notebook answers: as it says itself, else by its checks, else by its name.

    A lesson has a name like that of its set, and its file is easily handed in instead. It has a quiz, which no set has.
    """
    said = notebook.metadata.get("course", {})
    text = "\n".join(cell.source for cell in notebook.cells)
    checked = re.findall(r"mlm\.check\([\"'](\w+)\.\d", text)
    named = re.findall(r"\d+|[^\W\d_]+", name.lower())
    answers = any("nbgrader" in cell.metadata for cell in notebook.cells)
    lesson = re.search(r"mlm\.quiz\([\"'](\w+)[\"']\)", text)
    for number in [said.get("exercises") if isinstance(said, dict) else None, *checked]:
        if isinstance(number, str) and number in sets:
            return number
    if lesson and lesson[1] in sets and not answers:
        raise ValueError(f"this is the lesson, not its exercises, which are in {lesson[1]}_exercises.ipynb")
    for number in named:
        if number in sets:
            return number
    raise ValueError("it cannot be told which set of exercises this notebook answers")


def main() -> None:
    """Read notebooks from the standard input, and answer each with a line of JSON."""
    sets = sys.argv[1:]
    if os.name == "posix":
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_DATA, (READ_MEMORY, READ_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grader ends this process itself
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is not an answer
    import nbformat  # noqa: F401, so that the time of the first notebook is its own

    print("ready", file=answers, flush=True)
    while head := sys.stdin.buffer.readline():
        asked = json.loads(head)
        if os.name == "posix":
            signal.alarm(2 * READ_SECONDS)  # where the grader is not there any more
        found = {"exercises": "", "problem": ""}
        try:
            notebook = read_notebook(sys.stdin.buffer.read(asked["bytes"]))
            found["exercises"] = set_of(notebook, asked["name"], sets)
        except ValueError as error:
            found["problem"] = str(error)[:300]
        except MemoryError:
            os._exit(1)
        except Exception as error:
            found["problem"] = f"this cannot be read: {type(error).__name__}: {error}"[:300]
        if os.name == "posix":
            signal.alarm(0)
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()
