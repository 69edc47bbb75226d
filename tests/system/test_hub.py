"""A small class on a JupyterHub: three students, one for each process that is killed.

``python course.py class`` installs what this needs, and tries thirty students.
"""

import asyncio
import importlib.util
import json
import os
import re
import sys

import pytest

from tools import npm, project
from tools.commands import CONTENTS_MANAGER

sys.path.append(str(project.BOOK / "_ext"))
MISSING = [
    what
    for what, there in (
        ("Linux or macOS", os.name == "posix"),
        ("JupyterHub (python course.py class)", importlib.util.find_spec("jupyterhub") is not None),
        ("its proxy (python course.py class)", npm.proxy_is_installed()),
    )
    if not there
]


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason="needs " + " and ".join(MISSING))
def test_nobody_loses_work_when_kernel_server_hub_or_proxy_is_killed(tmp_path):
    import psutil

    from tools.hub.lesson import hold_class
    from tools.hub.server import Hub

    with Hub(tmp_path) as hub:
        listening = [one.laddr.ip for process in (hub.process, hub.proxy) for one in listeners(process.pid)]
        assert set(listening) == {"127.0.0.1"}
        measured = asyncio.run(hold_class(hub, 3, stagger=1))
        running = [process for *_, process in hub.processes()]
        assert len(running) == 6  # a server and a kernel each
    assert measured["finished"] == 3
    assert not psutil.wait_procs(running, timeout=10)[1], "something of the hub goes on after its end"


def listeners(pid):
    """Return the sockets that a process listens on."""
    import psutil

    return [one for one in psutil.Process(pid).net_connections("inet") if one.status == psutil.CONN_LISTEN]


def test_lock_of_the_proxy_names_no_address():
    folder = project.ROOT / npm.PROXY
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    assert lock["packages"][""]["dependencies"] == wanted["dependencies"]
    assert not any("resolved" in package for package in lock["packages"].values())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_guide_sets_what_the_class_has_tried():
    guide = (project.BOOK / "instructors.md").read_text(encoding="utf-8")
    settings = re.findall(r"^(c\.\S+) = (.*?)(?:  +#.*)?$", guide, re.MULTILINE)
    tried = (project.ROOT / "tools" / "hub" / "server.py").read_text(encoding="utf-8")
    assert len(settings) == 3
    for name, value in settings:
        assert f"{name} = " in tried
        assert f"{name} = {value}" in tried or CONTENTS_MANAGER in value


def test_seats_fill_the_memory_that_is_left_and_no_more():
    pytest.importorskip("docutils")  # comes with the site
    from trust_hub import SYSTEM_MB, measurement, seat_of_heaviest, seats

    measured = {"hub_mb": 200, "shared_mb": 100}
    assert seats((SYSTEM_MB + 300 + 30 * 400) / 1000, 400, measured) == 30
    assert seats((SYSTEM_MB + 299 + 30 * 400) / 1000, 400, measured) == 29
    assert seats(1, 400, measured) == 0
    stored = measurement()
    assert stored["finished"] == stored["students"] >= 30
    assert stored["seat"]["mb"]["max"] < seat_of_heaviest(stored)[1]
