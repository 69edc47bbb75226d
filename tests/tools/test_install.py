"""Set-up: missing things are named, and an up-to-date environment is left alone."""

import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from tools import cli, environment, install, project, steps

ROOT = project.ROOT
CLOSED_PORT = "http://127.0.0.1:9/simple"


def test_full_disk_is_noticed_before_anything_is_installed(incomplete_copy, monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(install.shutil, "disk_usage", lambda path: usage(10**10, 10**10, 10**8))
    assert cli.main(["check"]) == 1
    message = capsys.readouterr().err
    assert "The disk is too full: the course needs 2.0 GB" in message
    assert "has 0.1 GB left" in message
    assert not project.VENV.exists()


def test_unreachable_index_is_reported_in_one_sentence(incomplete_copy, monkeypatch, tmp_path, capsys):
    uv = shutil.which("uv") or ROOT / ".course" / "uv" / "bin" / "uv"
    if not Path(uv).exists():
        pytest.skip("no uv on this machine")
    monkeypatch.setattr(install, "find_uv", lambda: str(uv))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", CLOSED_PORT)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):  # wheels of the lock file come from files.pythonhosted.org
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert cli.main(["check"]) == 1
    message = capsys.readouterr().err
    assert "The package index cannot be reached" in message
    assert "UV_DEFAULT_INDEX" in message
    assert "Traceback" not in message


def test_python_without_venv_reports_the_missing_package(incomplete_copy, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None)
    assert cli.main(["check"]) == 1
    assert f"apt install python{steps.dotted(sys.version_info[:2])}-venv" in capsys.readouterr().err


def test_up_to_date_environment_is_left_alone(monkeypatch):
    monkeypatch.setattr(install, "read_stamp", lambda: {**install.wanted_state(), "extras": ["dev", "student"]})
    monkeypatch.setattr(environment.Environment, "python", Path(sys.executable))
    monkeypatch.setattr(install, "run_step", lambda *args: pytest.fail("something was done"))
    install.set_up("student")
    install.set_up("dev")
