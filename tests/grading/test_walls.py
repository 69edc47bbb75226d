"""What a notebook that means harm can reach: files, the network, the kernel, and other students' folders.

These tests open files and connect to this machine, and write nothing but files in folders of their own.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.classroom import SOLUTIONS, sandboxed
from tools.grading import __main__ as command
from tools.grading import limits, walls

ROOT = Path(__file__).resolve().parents[2]


def tried(folder, attempts, hidden=(), readable=()):
    """Return the names of the attempts that work within the walls, from lines of Python by name."""
    code = "import ctypes, os, socket\n"
    for name, attempt in attempts.items():
        code += f"try:\n    {attempt}\n    print({name!r})\nexcept (OSError, AssertionError):\n    pass\n"
    paths = [*walls.needed_paths(ROOT), *readable]
    line = walls.sandboxed([sys.executable, "-c", code], paths, {}, [ROOT, *hidden], 1e8)
    log, result = folder / "log.txt", folder / "result.txt"
    job = limits.Job(line, dict(os.environ), log, result, memory_folders=walls.MEMORY_FOLDERS)
    assert limits.run(job, limits.Limits(60, 1e9)) == ("", 0), log.read_text()
    # The same code without walls; a test of attempts that never work would prove nothing.
    free = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    return result.read_text().splitlines(), free.stdout.splitlines()


@sandboxed
def test_a_notebook_sees_no_network_no_neighbor_and_writes_nowhere_else(tmp_path):
    neighbor, beside, stray = tmp_path / "class" / "Ada", tmp_path / "beside.txt", ROOT / "mlm_tutorial" / "stray.txt"
    neighbor.mkdir(parents=True)
    (neighbor / "answers.txt").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        attempts = {
            "network": f"socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), timeout=3)",
            "neighbor": f"open({str(neighbor / 'answers.txt')!r}).read()",
            "writing to the course": f"open({str(stray)!r}, 'w')",
            "solutions": f"open({str(ROOT / 'notebooks' / 'solutions' / SOLUTIONS)!r}).read()",
            "sources": f"os.listdir({str(ROOT / 'notebooks' / 'exercise_sources')!r})",
            "writing a file": "open('own.txt', 'w').write('fine')",
        }
        held, free = tried(tmp_path, attempts)
    stray.unlink(missing_ok=True)
    assert held == ["writing a file"]
    assert free == list(attempts)
    # What it calls its temporary files is its own folder in memory.
    assert "beside" not in tried(tmp_path, {"beside": f"assert os.path.exists({str(tmp_path)!r})"})[0]
    assert not beside.exists()


@sandboxed
def test_home_is_not_there(tmp_path):
    (tmp_path / "home").mkdir()
    listing = "assert len([x for x in os.listdir(os.path.expanduser('~')) if x[:1] == '.' and x not in {allowed}]) > 0"
    python = [part for path in walls.needed_paths(ROOT) for part in path.parts]
    held, _ = tried(tmp_path, {"home": listing.format(allowed=python)})
    assert held == []


@sandboxed
def test_no_setting_of_the_kernel_opens_for_writing(tmp_path):
    code = (
        "files = [os.path.join(place, name) for start in os.listdir('/proc') if not start.isdigit() "
        "and start not in ('self', 'thread-self') for place, _, names in "
        "([('/proc', [], [start])] if os.path.isfile('/proc/' + start) else os.walk('/proc/' + start)) "
        "for name in names]; assert len(files) > 500; opened = [path for path in files if opens(path)]; "
        "print('OPENED', opened); assert opened"
    )
    helper = (
        "def opens(path):\n"
        "    try:\n        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))\n        return True\n"
        "    except OSError:\n        return False\n"
    )
    line = walls.sandboxed(
        [sys.executable, "-c", f"import os\n{helper}{code}"], walls.needed_paths(ROOT), {}, [ROOT], 1e8
    )
    result = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert "OPENED []" in result.stdout, result.stdout + result.stderr
    assert "AssertionError" in result.stderr


@sandboxed
def test_what_not_every_user_may_read_is_not_there(tmp_path):
    paths = walls.private_files("/etc")
    if not paths:
        pytest.skip("this machine keeps no secrets in /etc")
    attempts = {
        path: f"assert os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}, 'rb').read(1)"
        for path in paths
    }
    held, free = tried(tmp_path, attempts)
    assert held == []
    assert free or os.geteuid() != 0


@sandboxed
def test_only_folders_in_memory_of_limited_size_can_be_written(tmp_path):
    code = (
        "rows = [line.split() for line in open('/proc/mounts')]\n"
        "for _, place, kind, options, *_ in rows:\n"
        "    try:\n        open(os.path.join(place, 'probe'), 'w').close()\n"
        "    except OSError:\n        continue\n"
        "    print(place, kind, 'size=' in options)\n"
    )
    line = walls.sandboxed([sys.executable, "-c", f"import os\n{code}"], walls.needed_paths(ROOT), {}, [ROOT], 1e8)
    result = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert sorted(result.stdout.splitlines()) == ["/dev/shm tmpfs True", "/tmp tmpfs True"], result.stderr


@sandboxed
def test_a_notebook_makes_no_namespaces_of_its_own(tmp_path):
    if "--disable-userns" not in walls.sandbox_options():
        assert "This bubblewrap is old" in walls.described(limits.Limits())
        return
    new_user = "assert ctypes.CDLL(None).unshare(0x10000000) == 0"
    assert tried(tmp_path, {"a user": new_user})[0] == []


@sandboxed
@pytest.mark.parametrize("linked", [False, True])
def test_a_class_or_course_under_a_folder_of_the_system_is_hidden(tmp_path, monkeypatch, linked):
    system = tmp_path / "opt"
    for name in ("course/solutions", "class/Ada", "class_graded", "programs"):
        (system / name).mkdir(parents=True)
        (system / name / "file.txt").write_text("x")
    shown = system
    if linked:  # a folder of the system may itself be a link
        shown = tmp_path / "link"
        shown.symlink_to(system)
    monkeypatch.setattr(walls, "SYSTEM", (*walls.SYSTEM, str(shown)))
    attempts = {
        name: f"open({str(shown / name / 'file.txt')!r}).read()"
        for name in ("course/solutions", "class/Ada", "class_graded", "programs")
    }
    hidden = [system / name for name in ("course", "class", "class_graded")]
    held, free = tried(tmp_path, attempts, hidden)
    assert held == ["programs"]
    assert len(free) == 4
    # What is needed of the course is still there.
    package = system / "course" / "package"
    package.mkdir()
    (package / "file.txt").write_text("x")
    attempts["package"] = f"open({str(package / 'file.txt')!r}).read()"
    assert tried(tmp_path, attempts, hidden, [package])[0] == ["programs", "package"]


def test_a_class_or_its_grades_inside_what_notebooks_read_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "python"))
    inner, outer = tmp_path / "python" / "class", tmp_path / "class"
    for folder in (inner, outer):
        folder.mkdir(parents=True)
    for arguments in ([str(inner)], [str(outer), "--output", str(tmp_path / "python" / "graded")]):
        with pytest.raises(SystemExit):
            command.main(arguments)
        assert "which every notebook may read; move it elsewhere" in capsys.readouterr().err


# What is said before anything is graded


def first_lines(monkeypatch, sandbox, group, root):
    monkeypatch.setattr(walls, "sandbox_options", lambda: sandbox)
    monkeypatch.setattr(walls, "can_group", lambda: group)
    monkeypatch.setattr(walls.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    return walls.described(limits.Limits(memory=4e9, disk=1e9)).splitlines()


def test_without_bubblewrap_the_first_line_says_that_nothing_holds(monkeypatch):
    (line,) = first_lines(monkeypatch, None, group=True, root=False)
    assert line.startswith("NO WALLS: notebooks can use the network, read and change your files, and fill the disk")


def test_with_bubblewrap_the_first_line_says_how_memory_is_held(monkeypatch):
    (line,) = first_lines(monkeypatch, ("--disable-userns",), group=True, root=False)
    assert line.startswith("Walls: each notebook runs without a network")
    assert "the system holds it to 4 GB of memory" in line
    (line,) = first_lines(monkeypatch, ("--disable-userns",), group=False, root=False)
    assert "its memory is watched, and may exceed 4 GB for a moment" in line


@pytest.mark.parametrize("sandbox", [None, ("--disable-userns",)])
def test_root_is_warned(monkeypatch, sandbox):
    _, line = first_lines(monkeypatch, sandbox, group=False, root=True)
    assert line == "You are root: what gets past a wall may do anything to this machine. Grade as another user."
    assert len(first_lines(monkeypatch, sandbox, group=False, root=False)) == 1


# Control groups

STAND_IN = """#!/bin/sh
echo "$@" >> {record}
while [ "$1" != "--" ]; do shift; done
shift
if [ "$1" = sh ]; then echo {answer}; else exec "$@"; fi
"""


@pytest.mark.skipif(os.name != "posix", reason="stands in for a program by a shell script")
@pytest.mark.parametrize(("answer", "kept"), [(64 << 20, True), ("max", False)])
def test_a_control_group_is_used_where_the_kernel_keeps_to_it(tmp_path, monkeypatch, answer, kept):
    record = tmp_path / "record.txt"
    (tmp_path / "systemd-run").write_text(STAND_IN.format(record=record, answer=answer))
    (tmp_path / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    walls.can_group.cache_clear()
    try:
        assert walls.can_group() == kept
    finally:
        walls.can_group.cache_clear()
    line = walls.grouped([sys.executable, "-c", "import os; print(sorted(os.environ))"], limits.Limits(memory=2e9))
    result = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert "DBUS_SESSION_BUS_ADDRESS" not in result.stdout
    assert "--property=MemoryMax=2000000000 --property=MemorySwapMax=0" in record.read_text()


@sandboxed
@pytest.mark.skipif(not walls.can_group(), reason="systemd makes no control groups here")
@pytest.mark.parametrize("way", ["memfd", "tmpfs", "children"])
def test_a_control_group_holds_memory_however_it_is_taken(tmp_path, way):
    ways = {
        "memfd": "f = os.fdopen(os.memfd_create('x'), 'wb')\nfor _ in range(30): f.write(b'x' * 10**7)",
        "tmpfs": "f = open('x', 'wb')\nfor _ in range(30): f.write(b'x' * 10**7)",
        "children": (
            "for _ in range(4):\n    if os.fork() == 0:\n"
            "        x = b'x' * 10**8\n        time.sleep(3)\n        os._exit(0)\n"
            "assert not any(os.wait()[1] for _ in range(4))"
        ),
    }
    line = walls.sandboxed(
        [sys.executable, "-c", f"import os, time\n{ways[way]}\ntime.sleep(2)\nprint('through')"],
        walls.needed_paths(ROOT), {}, [ROOT], 1e9,
    )  # fmt: skip
    result = subprocess.run(walls.grouped(line, limits.Limits(memory=1.5e8)), capture_output=True, timeout=60)
    assert b"through" not in result.stdout
