"""A server that is killed while it saves leaves the old notebook or the new one, and no partial file."""

import asyncio
import os
import stat
import struct
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupytext import build_async_jupytext_contents_manager_class
from tornado.web import HTTPError

from mlm_tutorial.saving import AtomicContentsManager

#: Saves a longer version of a pair and is killed when the first third of the .py has been written.
KILLED = """
import asyncio, os, signal, sys, nbformat
from contextlib import contextmanager
from jupytext import build_async_jupytext_contents_manager_class
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from mlm_tutorial.saving import AtomicContentsManager

base = {"AtomicContentsManager": AtomicContentsManager, "AsyncLargeFileManager": AsyncLargeFileManager}[sys.argv[1]]

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
    manager = manager_of(AtomicContentsManager, folder)
    asyncio.run(manager.save({"type": "notebook", "content": notebook}, "pair.ipynb"))


def kill_while_saving(base, folder, extension):
    """Save another version with a server that dies in the middle of writing one of the files."""
    command = [sys.executable, "-c", KILLED, base.__name__, str(folder), extension]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == -9


def cells_of_py(folder):
    return [cell.source for cell in jupytext.read(folder / "pair.py").cells]


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
@pytest.mark.parametrize("extension", [".ipynb", ".py"])
def test_a_kill_while_saving_leaves_complete_files(tmp_path, extension):
    old_pair(tmp_path)
    kill_while_saving(AtomicContentsManager, tmp_path, extension)
    assert cells_of_py(tmp_path) == [f"old = {i}" for i in range(9)]
    written = [cell.source for cell in nbformat.read(tmp_path / "pair.ipynb", as_version=4).cells]
    word = "new" if extension == ".py" else "old"  # the .ipynb is written first
    assert written == [f"{word} = {i}" for i in range(9)]


@pytest.mark.skipif(os.name != "posix", reason="kills a process with a signal")
def test_the_servers_own_way_loses_cells(tmp_path):
    """If this fails, the class AtomicContentsManager is no longer needed."""
    old_pair(tmp_path)
    kill_while_saving(AsyncLargeFileManager, tmp_path, ".py")
    content = asyncio.run(manager_of(AsyncLargeFileManager, tmp_path).get("pair.ipynb"))["content"]
    assert len(content["cells"]) < 9


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(TypeError), AtomicContentsManager(root_dir=str(tmp_path)).atomic_writing(str(path)) as file:
        file.writelines(["half", None])
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    manager = AtomicContentsManager(root_dir=str(tmp_path))
    with manager.atomic_writing(str(link)) as file:
        file.write("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with manager.atomic_writing(str(tmp_path / "fresh.bin"), text=False) as file:
        file.write(b"\xff")
    Path(tmp_path / "usual").touch()
    assert (tmp_path / "fresh.bin").stat().st_mode == (tmp_path / "usual").stat().st_mode


def save(folder, name, text="new"):
    with AtomicContentsManager(root_dir=str(folder)).atomic_writing(str(folder / name)) as file:
        file.write(text)


@pytest.mark.parametrize("length", [245, 246, 250, 255])
def test_a_name_as_long_as_the_system_allows_is_saved(tmp_path, length):
    name = "n" * (length - 6) + ".ipynb"
    for text in ("first", "second"):
        save(tmp_path, name, text)
        assert (tmp_path / name).read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name != "posix", reason="hard links of POSIX")
def test_a_file_with_a_second_name_keeps_it(tmp_path):
    (tmp_path / "a.txt").write_text("a longer text than the new one")
    os.link(tmp_path / "a.txt", tmp_path / "b.txt")
    save(tmp_path, "a.txt")
    assert (tmp_path / "b.txt").read_text() == (tmp_path / "a.txt").read_text() == "new"
    assert (tmp_path / "a.txt").stat().st_nlink == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only an administrator has files of others")
def test_owner_and_group_stay(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    os.chown(path, 12345, 54321)
    path.chmod(0o664)
    save(tmp_path, "a.txt")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o664)
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="owners of POSIX")
def test_a_file_is_written_in_place_if_its_owner_cannot_be_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    before = path.stat().st_ino
    monkeypatch.setattr(os, "chmod", lambda *_: (_ for _ in ()).throw(PermissionError(1, "not yours")))
    save(tmp_path, "a.txt")
    assert (path.stat().st_ino, path.read_text()) == (before, "new")
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no space")
def test_a_full_disk_leaves_the_file_unchanged(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("old")
    os.link(tmp_path / "a.txt", tmp_path / "b.txt")
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, "a.txt", "a longer text")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="access lists of Linux")
def test_access_lists_stay(tmp_path):
    path, name = tmp_path / "a.txt", "system.posix_acl_access"
    path.write_text("old")
    # Version 2; then tag, permissions and user: the owner, user 12345, the group, the mask, all others.
    entries = [(1, 6, 2**32 - 1), (2, 6, 12345), (4, 4, 2**32 - 1), (16, 6, 2**32 - 1), (32, 0, 2**32 - 1)]
    wanted = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, name, wanted)
    except OSError:
        pytest.skip("this disk has no access lists")
    save(tmp_path, "a.txt")
    assert (os.getxattr(path, name), path.read_text()) == (wanted, "new")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_the_permissions_of_new_files_stay_the_same_for_other_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask holds for all threads"))
    save(tmp_path, "new.txt")
    save(tmp_path, "new.txt")


def test_a_link_that_leads_out_of_the_folder_is_refused_with_a_reason(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside.txt"
    root.mkdir()
    outside.write_text("old")
    try:
        (root / "link.txt").symlink_to(outside)
    except OSError:
        pytest.skip("this system makes no links")
    with pytest.raises(HTTPError, match="link.txt is a link to a file outside"):
        save(root, "link.txt")
    assert outside.read_text() == "old"


def test_a_file_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    access = os.access
    monkeypatch.setattr(os, "access", lambda name, mode: False if str(name) == str(path) else access(name, mode))
    manager = AtomicContentsManager(root_dir=str(tmp_path))
    with pytest.raises(HTTPError, match="403"), manager.atomic_writing(str(path)) as file:
        file.write("new")
    assert path.read_text() == "old"
