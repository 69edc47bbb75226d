"""Compare the environment that runs this with ``uv.lock`` and ``pyproject.toml``: ``python -m tools.bounds``."""

import json
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import project


def installed_versions() -> dict[str, str]:
    """Return the versions of all packages of this environment by name, except the course's own."""
    found = {canonicalize_name(package.metadata["Name"]): package.version for package in distributions()}
    found.pop("mlm-tutorial", None)
    return found


def requirements(table: dict) -> Iterator[Requirement]:
    """Return every requirement of the table ``project`` of ``pyproject.toml``, extras included."""
    for entries in (table["dependencies"], *table["optional-dependencies"].values()):
        yield from map(Requirement, entries)


def lower_bound(requirement: Requirement) -> Version | None:
    """Return the lower bound of a requirement, or None if it has none."""
    bounds = [Version(part.version) for part in requirement.specifier if part.operator in (">=", "~=", "==")]
    return max(bounds, default=None)


def differences(installed: dict[str, str], lock: dict) -> list[list[str]]:
    """Return the packages of an environment whose versions differ from the lock file.

    Parameters
    ----------
    installed : dict of str to str
        Versions by name.
    lock : dict
        The content of ``uv.lock``.

    Returns
    -------
    list of list of str
        Name, version in ``uv.lock`` and version in the environment, sorted; an empty text where there is none.
        A package of the lock file that the environment does not need is not in the list.
    """
    locked: dict[str, list[str]] = {}
    for package in lock["package"]:  # one package can be locked at several versions, for several Pythons
        if "registry" in package.get("source", {}):
            locked.setdefault(package["name"], []).append(package["version"])
    return [
        [name, ", ".join(locked.get(name, [])), version]
        for name, version in sorted(installed.items())
        if version not in locked.get(name, [])
    ]


def unreached_bounds(table: dict, installed: dict[str, str]) -> list[str]:
    """Return the lower bounds that an environment of the oldest versions does not reach.

    Such a bound has no effect, because another package requires a newer version.

    Parameters
    ----------
    table : dict
        The table ``project`` of ``pyproject.toml``.
    installed : dict of str to str
        Versions by name.

    Returns
    -------
    list of str
        One sentence for each.
    """
    found = set()
    for requirement in requirements(table):
        bound, version = lower_bound(requirement), installed.get(canonicalize_name(requirement.name))
        if bound and version and Version(version) != bound:
            found.add(
                f"{requirement.name} is admitted from {bound} on, but {version} is the oldest that fits the other "
                "packages"
            )
    return sorted(found)


def main() -> None:
    """Print what differs, as JSON."""
    lock = tomllib.loads((project.ROOT / "uv.lock").read_text(encoding="utf-8"))
    table = tomllib.loads((project.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = installed_versions()
    found = {"differences": differences(installed, lock), "unreached": unreached_bounds(table, installed)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
