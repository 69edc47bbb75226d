"""A server that is killed while it saves leaves the old notebook or the new one, and nothing in between."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext import build_async_jupytext_contents_manager_class
from tornado.web import HTTPError

from mlm_tutorial.saving import WholeFiles

#: Saves a longer version of a pair and is killed when the first third of the .py has been written.
KILLED = """
import asyncio, os, signal, sys, nbformat
from contextlib import contextmanager
from jupytext import build_async_jupytext_contents_manager_class
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from mlm_tutorial.saving import WholeFiles

base = {"WholeFiles": WholeFiles, "AsyncLargeFileManager": AsyncLargeFileManager}[sys.argv[1]]

class Killed(base):
    @contextmanager
    def atomic_writing(self, os_path, *args, **kwargs):
        with super().atomic_writing(os_path, *args, **kwargs) as file:
            class Dying:
                def write(self, content):
                    file.write(content[: len(content) // 3])
                    file.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
            yield Dying() if os_path.endswith(sys.argv[3]) else file

manager = build_async_jupytext_contents_manager_class(Killed)(root_dir=sys.argv[2])
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"new = {i}") for i in range(9)])
notebook.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
asyncio.run(manager.save({"type": "notebook", "content": notebook}, "pair.ipynb"))
"""


def manager_of(base, folder):
    return build_async_jupytext_contents_manager_class(base)(root_dir=str(folder))


def old_pair(folder):
    """Store a pair of nine cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"old = {i}") for i in range(9)])
    notebook.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    manager = manager_of(WholeFiles, folder)
    asyncio.run(manager.save({"type": "notebook", "content": notebook}, "pair.ipynb"))


def kill_while_saving(base, folder, extension):
    """Save another version with a server that dies in the middle of writing one of the files."""
    command = [sys.executable, "-c", KILLED, base.__name__, str(folder), extension]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == -9


def cells_of_py(folder):
    return [cell.source for cell in jupytext.read(folder / "pair.py").cells]


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
@pytest.mark.parametrize("extension", [".ipynb", ".py"])
def test_a_kill_while_saving_leaves_whole_files(tmp_path, extension):
    old_pair(tmp_path)
    kill_while_saving(WholeFiles, tmp_path, extension)
    assert cells_of_py(tmp_path) == [f"old = {i}" for i in range(9)]
    written = [cell.source for cell in nbformat.read(tmp_path / "pair.ipynb", as_version=4).cells]
    word = "new" if extension == ".py" else "old"  # the .ipynb is written first
    assert written == [f"{word} = {i}" for i in range(9)]


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_the_servers_own_way_loses_cells(tmp_path):
    """If this fails, the class WholeFiles is no longer needed."""
    old_pair(tmp_path)
    kill_while_saving(AsyncLargeFileManager, tmp_path, ".py")
    content = asyncio.run(manager_of(AsyncLargeFileManager, tmp_path).get("pair.ipynb"))["content"]
    assert len(content["cells"]) < 9


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(TypeError), WholeFiles(root_dir=str(tmp_path)).atomic_writing(str(path)) as file:
        file.writelines(["half", None])
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    manager = WholeFiles(root_dir=str(tmp_path))
    with manager.atomic_writing(str(link)) as file:
        file.write("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with manager.atomic_writing(str(tmp_path / "fresh.bin"), text=False) as file:
        file.write(b"\xff")
    Path(tmp_path / "usual").touch()
    assert (tmp_path / "fresh.bin").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_file_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    access = os.access
    monkeypatch.setattr(os, "access", lambda name, mode: False if str(name) == str(path) else access(name, mode))
    manager = WholeFiles(root_dir=str(tmp_path))
    with pytest.raises(HTTPError, match="403"), manager.atomic_writing(str(path)) as file:
        file.write("new")
    assert path.read_text() == "old"
