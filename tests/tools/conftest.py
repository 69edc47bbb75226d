"""Fixtures for the tests of the tools."""

import shutil

import pytest

from tools import project


@pytest.fixture
def incomplete_copy(tmp_path, monkeypatch):
    """Point the commands at a folder that holds the project's files but no environment."""
    folder = tmp_path / "a course é"
    folder.mkdir()
    for name in ("pyproject.toml", "uv.lock", "README.md", "LICENSE", "LICENSE-text"):
        shutil.copy(project.ROOT / name, folder)
    paths = {"ROOT": "", "NOTEBOOKS": "notebooks", "VENV": ".venv", "CACHE": ".course"}
    for name, path in paths.items():
        monkeypatch.setattr(project, name, folder / path)
    return folder
