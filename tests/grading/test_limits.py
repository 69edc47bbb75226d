"""Limits hold however a notebook takes time, memory, processes and disk, and nothing of it outlives the grader.

Every loop here is bounded, and what is written stays in folders of the tests' own.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.support.classroom import sandboxed
from tools.grading import walls
from tools.grading.limits import Job, Limits, StoppedError, run
from tools.grading.scratch import Scratch, remove_tree

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="the system does not limit what a process takes")
linux = pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell what a process holds")


def job_of(folder, code, sandbox=False, disk=1e9):
    """Return a job that runs Python, in a folder or sandboxed, and prints to log.txt."""
    command = [sys.executable, "-c", code]
    if sandbox:
        command = walls.sandboxed(command, walls.needed_paths(ROOT), {}, [ROOT], disk)
        return Job(command, dict(os.environ), folder / "log.txt", memory_folders=walls.MEMORY_FOLDERS)
    return Job(command, dict(os.environ), folder / "log.txt", folder=folder)


def run_limited(folder, code, sandbox=False, **limits):
    limits = Limits(**({"seconds": 60.0, "memory": 5e8, "processes": 12} | limits))
    code = f"import os, sys, time\nos.chdir({walls.WORK if sandbox else str(folder)!r})\n{code}"
    reason, _ = run(job_of(folder, code, sandbox, limits.disk), limits)
    return reason, (folder / "log.txt").read_text()


def alive(mark):
    """Return the processes that have a mark among their arguments."""
    found = [p for p in psutil.process_iter(["cmdline", "status"]) if mark in " ".join(p.info["cmdline"] or [])]
    return [p for p in found if p.info["status"] != psutil.STATUS_ZOMBIE]


def wait_until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_program_that_ends_by_itself_is_not_stopped(tmp_path):
    assert run_limited(tmp_path, "print('done')") == ("", "done\n")


def test_time_is_limited(tmp_path):
    started = time.monotonic()
    reason, _ = run_limited(tmp_path, "time.sleep(40)", seconds=1.0)
    assert reason == "stopped after 1 seconds, the time limit"
    assert time.monotonic() - started < 20


# Memory


@linux
def test_memory_of_one_process_is_limited(tmp_path):
    _, printed = run_limited(tmp_path, "x = bytearray(10**9)")
    assert "MemoryError" in printed


CHILD = "import time; x = bytearray(10**8); x[:] = b'1' * 10**8; time.sleep(30)"
MEMORY = {
    "children": f"import subprocess\n[subprocess.Popen([sys.executable, '-c', {CHILD!r}]) for _ in range(6)]",
    "memfd": "f = os.fdopen(os.memfd_create('x'), 'wb')\nfor _ in range(40): f.write(b'x' * 10**7)\nf.flush()",
    "shared": "import mmap\nm = mmap.mmap(-1, 4 * 10**8)\nfor _ in range(40): m.write(b'x' * 10**7)",
}


@linux
@pytest.mark.parametrize("way", MEMORY)
@pytest.mark.parametrize("sandbox", [pytest.param(True, marks=sandboxed), False])
def test_memory_is_limited_however_it_is_taken(tmp_path, way, sandbox):
    reason, _ = run_limited(tmp_path, f"{MEMORY[way]}\ntime.sleep(30)", sandbox, memory=3e8)
    assert reason == "stopped because its processes held more than 0.3 GB, the memory limit"


@sandboxed
def test_folders_in_memory_count_as_memory(tmp_path):
    code = "for place in ('/tmp', '/dev/shm'):\n    f = open(f'{place}/x', 'wb')\n"
    code += "    for _ in range(18): f.write(b'x' * 10**7)\n    os.unlink(f.name) if place == '/tmp' else None\n"
    code += "    globals()[place] = f\ntime.sleep(30)"
    reason, _ = run_limited(tmp_path, code, sandbox=True, memory=3e8, disk=2e8)
    assert reason == "stopped because its processes held more than 0.3 GB, the memory limit"


@sandboxed
def test_files_without_content_count_as_memory(tmp_path):
    code = "for i in range(60_000): open(f'/tmp/{i}', 'w').close()\ntime.sleep(30)"
    reason, _ = run_limited(tmp_path, code, sandbox=True, memory=6e7)
    assert reason == "stopped because its processes held more than 0.1 GB, the memory limit"


# Disk


@posix
@pytest.mark.parametrize("files", [1, 20])
def test_what_is_written_is_limited(tmp_path, files):
    code = f"for i in range({files}):\n    open(f'{{i}}', 'wb').write(b'x' * (6 * 10**7 // {files}))\ntime.sleep(30)"
    reason, printed = run_limited(tmp_path, code, disk=3e7)
    if files == 1:
        assert "File too large" in printed
    else:
        assert reason == "stopped because it wrote more than 0.03 GB, the disk limit"


UNLINKED = """
files = []
for i in range(6):
    files.append(open(f"{i}", "wb", buffering=0))
    os.unlink(f"{i}")
    files[-1].write(b"x" * 10**7)
time.sleep(30)
"""


@linux
def test_files_that_are_removed_and_still_open_count(tmp_path):
    if os.stat(tmp_path).st_dev == os.stat("/dev/shm").st_dev:
        pytest.skip("this folder is in memory")
    reason, _ = run_limited(tmp_path, UNLINKED, disk=3e7)
    assert reason == "stopped because it wrote more than 0.03 GB, the disk limit"


@sandboxed
@pytest.mark.parametrize("place", [".", "/tmp", "/var/tmp", "/dev/shm"])
def test_a_sandboxed_notebook_meets_a_full_disk_in_every_folder(tmp_path, place):
    _, printed = run_limited(tmp_path, f"os.chdir({place!r})\n{UNLINKED}", sandbox=True, disk=3e7)
    assert "No space left on device" in printed


@posix
def test_what_is_printed_is_limited(tmp_path):
    code = "for _ in range(60): os.write(1, b'x' * 10**6)\ntime.sleep(30)"
    started = time.monotonic()
    _, printed = run_limited(tmp_path, code, disk=3e7)
    assert 2e7 < len(printed) <= 3e7
    assert time.monotonic() - started < 20


# Processes

SLEEPER = "import time; time.sleep(50) #{mark}"
#: Starts a process whose parent ends, so that it has none of its own any more.
LOOSE = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True)"


def loose(mark, count):
    """Return code that starts processes which cut themselves loose."""
    middle = LOOSE.format(sleeper=SLEEPER.format(mark=mark))
    return f"import subprocess\nfor _ in range({count}): subprocess.run([sys.executable, '-c', {middle!r}])\n"


@pytest.mark.parametrize("sandbox", [pytest.param(True, marks=sandboxed), False])
def test_processes_are_limited_and_none_survives(tmp_path, sandbox):
    mark = f"sleeper-{os.getpid()}"
    code = f"import subprocess\nc = {SLEEPER.format(mark=mark)!r}\n"
    code += "[subprocess.Popen([sys.executable, '-c', c], start_new_session=True) for _ in range(30)]\ntime.sleep(50)"
    reason, _ = run_limited(tmp_path, code, sandbox, memory=4e9)
    assert reason == "stopped because it started more than 12 processes"
    wait_until(lambda: not alive(mark), 5)


@linux
@pytest.mark.parametrize("sandbox", [pytest.param(True, marks=sandboxed), False])
def test_processes_that_cut_themselves_loose_are_counted_and_ended(tmp_path, sandbox):
    mark = f"loose-{os.getpid()}"
    assert run_limited(tmp_path, loose(mark, 3), sandbox, memory=4e9)[0] == ""
    wait_until(lambda: not alive(mark), 5)
    reason, _ = run_limited(tmp_path, f"{loose(mark, 14)}time.sleep(50)", sandbox, memory=4e9)
    assert reason == "stopped because it started more than 12 processes"
    wait_until(lambda: not alive(mark), 5)


# Stopping

GRADER = """
import os, sys
from pathlib import Path
from tests.grading.test_limits import job_of, loose
from tools.grading.limits import Limits, run
code = "import sys, time\\n" + loose({mark!r}, 2) + "time.sleep(50)"
run(job_of(Path({folder!r}), code, {sandbox}), Limits(60, 4e9))
"""


@pytest.mark.slow(4)
@linux
@pytest.mark.parametrize("sandbox", [pytest.param(True, marks=sandboxed), False])
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM"])
def test_nothing_outlives_a_grader_that_is_killed(tmp_path, sandbox, name):
    mark = f"orphan-{os.getpid()}-{name}-{sandbox}"
    code = GRADER.format(mark=mark, folder=str(tmp_path), sandbox=sandbox)
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as grader:
        wait_until(lambda: len(alive(f"#{mark}")) >= 2)
        os.kill(grader.pid, getattr(signal, name))
    wait_until(lambda: not [p for p in alive(mark) if p.pid != os.getpid()], 5)


def test_a_command_is_stopped_when_asked(tmp_path):
    stop, mark = threading.Event(), f"stopped-{os.getpid()}"
    threading.Timer(1.5, stop.set).start()
    started = time.monotonic()
    with pytest.raises(StoppedError):
        run(job_of(tmp_path, SLEEPER.format(mark=mark)), Limits(), stop)
    assert time.monotonic() - started < 15
    assert not alive(mark)


# Scratch folders


@posix
@pytest.mark.parametrize("depth", [10, 1600])
def test_a_tree_is_removed_however_deep_it_is_and_no_link_is_followed(tmp_path, depth):
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    for folder in (outside, tree):
        folder.mkdir()
    (outside / "file.txt").write_text("stays")
    code = "import os, sys\nos.chdir(sys.argv[1])\nfor i in range(int(sys.argv[2])):\n    os.mkdir('folder')\n"
    code += "    open('file', 'w').close()\n    os.symlink(sys.argv[3], 'link')\n    os.chdir('folder')\n"
    code += "os.mkdir('closed')\nos.chmod('closed', 0)\nos.mkdir('read')\nos.chmod('.', 0o500)"
    subprocess.run([sys.executable, "-c", code, str(tree), str(depth), str(outside)], check=True)
    assert remove_tree(tree)
    assert not tree.exists()
    assert (outside / "file.txt").read_text() == "stays"


def test_what_a_run_that_was_killed_left_is_removed_by_the_next(tmp_path):
    first = Scratch(tmp_path)
    left = first.__enter__()
    (left / "submission-1" / "work").mkdir(parents=True)
    (tmp_path / "grades.csv.123.part").write_text("half")
    with Scratch(tmp_path) as scratch:
        assert not left.exists()
        assert scratch.is_dir()
    assert not scratch.exists()
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_record_that_points_elsewhere_removes_nothing(tmp_path):
    valued, output = tmp_path / "valued", tmp_path / "out"
    for folder in (valued, output):
        folder.mkdir()
    (tmp_path / "grading-link").symlink_to(valued)
    for text in (str(valued), str(tmp_path / "grading-link"), "grading-relative", "/", "", "\0"):
        (output / ".scratch").write_text(text)
        with Scratch(output):
            assert valued.is_dir()
