"""A virtual environment: its Python, its variables, and programs that run in it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import project

#: What limits the threads of a matrix operation in OpenBLAS (NumPy from PyPI), MKL (often from conda) and Accelerate
#: (macOS). By default each takes all cores, and with more processes than cores they wait for one another in a loop:
#: a least-squares fit of 1,400 rows took 0.3 s in place of 0.002 s beside four other processes.
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a folder.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is; it need not exist yet.
    """

    folder: Path

    @property
    def python(self) -> Path:
        """Path of its Python."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def program(self, name: str) -> Path:
        """Return the path of a program that is installed in it."""
        return self.python.with_name(name + (".exe" if os.name == "nt" else ""))

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment variables for programs that run in it."""
        variables = dict(variables_with_home(), VIRTUAL_ENV=str(self.folder), PYTHONUTF8="1", **more)
        variables = dict.fromkeys(THREADS, "1") | variables  # who sets one keeps it
        # Settings of JupyterLab: fetch no news, look for no newer version, do not ask whether to; do not list sources.
        # Of kernels: explain a check that runs too early.
        jupyter = project.ROOT / "tools" / "jupyter"
        folders = {"PATH": self.python.parent, "JUPYTER_CONFIG_PATH": jupyter, "JUPYTER_PATH": jupyter}
        for name, folder in folders.items():
            variables[name] = os.pathsep.join([str(folder), *filter(None, [variables.get(name)])])
        return variables

    def call(self, *arguments: object) -> int:
        """Run its Python in the project's folder; return the exit code."""
        command = [str(part) for part in (self.python, *arguments)]
        return subprocess.call(command, cwd=project.ROOT, env=self.variables())

    def replace_this_process(self, *arguments: object) -> int:
        """Run its Python in the project's folder in place of this program, so that signals and exit code are its own.

        Returns
        -------
        int
            The exit code, where the system cannot replace a process.
        """
        sys.stdout.flush()
        if os.name != "posix":
            return self.call(*arguments)
        command = [str(part) for part in (self.python, *arguments)]
        os.chdir(project.ROOT)
        os.execve(command[0], command, self.variables())


def of_project() -> Environment:
    """Return the environment of the course."""
    return Environment(project.VENV)


def variables_with_home() -> dict[str, str]:
    """Return the variables of this process; where its home cannot be written, with one inside the project's folder.

    The installer, the compiler, Jupyter and matplotlib all keep files in the user's home.
    """
    variables = dict(os.environ)
    if not os.access(os.path.expanduser("~"), os.W_OK | os.X_OK):
        home = project.CACHE / "home"
        home.mkdir(parents=True, exist_ok=True)
        variables.update(HOME=str(home), USERPROFILE=str(home))
    return variables


def base_python() -> str:
    """Return the base interpreter of this program, outside any virtual environment."""
    return getattr(sys, "_base_executable", None) or sys.executable
