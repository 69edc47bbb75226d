"""Running a command with limits on time, memory, processes and disk, so that nothing of it outlives the grader.

The defaults of these limits, and of how a class is graded, are here and nowhere else.
"""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_LOOK = 0.2  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Limits:
    """What a command may use.

    Attributes
    ----------
    seconds : float
        Time from start to end.
    memory : float
        Bytes that all its processes together may hold in memory, with their files in memory. A single one gets no more
        than three quarters of that, so that a hungry notebook meets a MemoryError, and the grader beside it goes on.
    processes : int
        Processes at the same time, its own included.
    disk : float
        Bytes that its folder may hold, and that one file or what it prints may grow to.
    """

    seconds: float = 600
    memory: float = 4e9
    processes: int = 24
    disk: float = 1e9


@dataclass(frozen=True)
class Settings:
    """How a class is graded.

    Attributes
    ----------
    limits : Limits
        What each submission may use.
    cell_seconds : int
        Time that one cell may take.
    jobs : int
        Submissions graded at the same time.
    again : bool
        Whether to grade also what did not change.
    hidden : tuple of Path
        Folders that no submission may see: the class and the grades.
    """

    limits: Limits = field(default_factory=Limits)
    cell_seconds: int = 60
    jobs: int = 2
    again: bool = False
    hidden: tuple[Path, ...] = ()

    def within(self) -> dict:
        """Return the settings on which a result may depend."""
        return asdict(self.limits) | {"cell_seconds": self.cell_seconds}


@dataclass(frozen=True)
class Job:
    """A command, and where it runs.

    Attributes
    ----------
    command : list of str
    environment : dict of str to str
        Its variables, all of them.
    log : Path
        File for what it prints as errors, and as output where there is no `result`.
    result : Path, optional
        File for its output.
    folder : Path, optional
        Folder whose size is limited.
    memory_folders : tuple of str
        Folders in memory that the command sees as its own, and whose content counts as its memory.
    """

    command: list[str]
    environment: dict[str, str]
    log: Path
    result: Path | None = None
    folder: Path | None = None
    memory_folders: tuple[str, ...] = field(default=())


class StoppedError(Exception):
    """The grader was asked to stop while a command ran."""


def run(job: Job, limits: Limits, stop: threading.Event | None = None) -> tuple[str, int | None]:
    """Run a command within limits.

    Another process watches it, and ends all of it when this process ends, however that happens.

    Parameters
    ----------
    job : Job
    limits : Limits
    stop : threading.Event, optional
        Ends the command when it is set.

    Returns
    -------
    str
        Why it was stopped; empty where it ended by itself.
    int or None
        Its exit code; None where it was stopped.

    Raises
    ------
    StoppedError
        If `stop` was set.
    """
    content = asdict(job) | {"limits": asdict(limits)}
    variables = os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "tools.grading.supervisor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=variables,
        cwd=_ROOT,
        start_new_session=True,  # Ctrl-C reaches the grader, which stops the others in order
    ) as supervisor:
        # The pipe stays open as long as this process lives: its end tells the supervisor that nobody waits any more.
        with suppress(BrokenPipeError):
            supervisor.stdin.write(json.dumps(content, default=str).encode() + b"\n")
            supervisor.stdin.flush()
        while supervisor.poll() is None:
            if stop is not None and stop.is_set():
                with suppress(BrokenPipeError):
                    supervisor.stdin.close()
                supervisor.wait(30)
                raise StoppedError("grading was stopped")
            with suppress(subprocess.TimeoutExpired):
                supervisor.wait(_LOOK)
        answer = supervisor.stdout.read()
    try:
        reason, code = json.loads(answer)
    except ValueError:  # it was killed, which only a command without walls can do
        return "", None
    return reason, code
