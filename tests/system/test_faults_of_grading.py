"""Grading that is attacked, killed, or out of disk: other students lose nothing, and the next run goes on."""

import csv
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.support.classroom import FULL, SOLUTIONS, hand_in, sandboxed
from tests.support.processes import finish, started, wait_until
from tools.grading import grading

ROOT = Path(__file__).resolve().parents[2]


ATTACK = """
import os, socket
attempts = {{
    "network": lambda: socket.create_connection(("127.0.0.1", {port}), timeout=3),
    "neighbour": lambda: print(open({neighbour!r}).read()),
    "solutions": lambda: open({solutions!r}).read(),
    "beside": lambda: open({beside!r}, "w").write("x"),
    "course": lambda: open({course!r}, "w").write("x"),
}}
for name, attempt in attempts.items():
    try:
        attempt()
        print(name, "came through")
    except OSError as error:
        print(name, "failed with", type(error).__name__)
"""
# Writes a result of its own to wherever the grader beside it may write, with a link to the neighbor's answers among
# it, and ends that grader.
FORGE = """
import glob, json, os, signal
for path in glob.glob(f"/proc/{{os.getppid()}}/fd/*"):
    try:
        with open(path, "w") as file:
            file.write(json.dumps({{"points": {{"check-01-1": 99}}}}) + chr(10))
    except OSError:
        pass
os.symlink({neighbour!r}, "feedback.html")
os.kill(os.getppid(), signal.SIGKILL)
"""
FORK = """
import subprocess, sys, time
children = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(40)"]) for _ in range(40)]
time.sleep(40)
"""


def grade(folder):
    limits = ["--cell-seconds", "60", "--memory", "2.5", "--processes", "24", "--jobs", "1"]
    return [sys.executable, "-u", "-m", "tools.grading", folder, *limits]


@pytest.mark.slow
@sandboxed
def test_a_notebook_cannot_escape_and_killed_grading_resumes(tmp_path):
    pytest.importorskip("nbgrader", reason="grading needs the extra `teach`")
    folder, output = tmp_path / "a class é", tmp_path / "a class é_graded"
    secret = f"secret-{os.getpid()}"
    hand_in(folder, "Neighbour")
    (folder / "Neighbour" / "answers.txt").write_text(secret)
    beside, stray = folder / "Neighbour" / "planted.txt", ROOT / "mlm_tutorial" / "planted.txt"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        places = {"neighbour": str(folder / "Neighbour" / "answers.txt"), "beside": str(beside), "course": str(stray)}
        places["solutions"] = str(ROOT / "notebooks" / "solutions" / SOLUTIONS)
        attack = ATTACK.format(port=listener.getsockname()[1], **places)
        hand_in(folder, "Attacker", attack)
        hand_in(folder, "Forger", FORGE.format(neighbour=places["neighbour"]))
        hand_in(folder, "Forker", FORK)
        # First the grader is killed when it has the first result, while it works on the second.
        with started(grade(folder), cwd=ROOT) as first:
            wait_until(lambda: "Attacker: set 01" in first.stdout.readline(), 120)
            second = finish(grade(folder), cwd=ROOT)
            assert second.returncode == 1
            assert f"grading a class é (process {first.pid})" in second.stderr
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
        assert not (output / "grades.csv").exists()
        third = finish(grade(folder), cwd=ROOT)
        assert third.returncode == 0, third.stdout + third.stderr
        assert "Attacker: unchanged" in third.stdout
        with pytest.raises(TimeoutError):
            listener.accept()
        # The same code succeeds without a sandbox; otherwise this test would prove nothing.
        free = finish([sys.executable, "-c", attack]).stdout
    assert [line for line in free.splitlines() if line.endswith("came through")] == [
        f"{name} came through" for name in ("network", "neighbour", "solutions", "beside", "course")
    ]
    for path in (beside, stray):
        path.unlink()
    text = (output / "grades.csv").read_text(encoding="utf-8-sig")
    rows = {row["student"]: row for row in csv.DictReader(text.splitlines())}
    for student in ("Attacker", "Neighbour"):
        assert {task: float(rows[student][task]) for task in FULL} == FULL
        assert rows[student]["problem"] == ""
    assert rows["Forker"]["problem"] == "stopped because it started more than 24 processes"
    assert float(rows["Forger"]["points"]) == 0
    assert rows["Forger"]["problem"].startswith("grading stopped without a result")
    (page,) = (output / "feedback").glob("Attacker*.html")
    page = page.read_text(encoding="utf-8")
    names = ("network", "neighbour", "solutions", "beside", "course")
    assert [f"{name} came through" in page for name in names] == [False] * len(names)
    assert page.count(" failed with ") >= len(names)
    assert not [path for path in output.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_full_disk_is_not_held_against_a_student(tmp_path, monkeypatch):
    hand_in(tmp_path / "class", "Ada")
    monkeypatch.setattr(grading, "prepare_courses", lambda sources, folder: None)
    monkeypatch.setattr(grading.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**5))
    with pytest.raises(OSError, match="No space left"):
        grading.grade_class(tmp_path / "class", tmp_path / "graded", grading.Settings())
    assert "Ada" not in (tmp_path / "graded" / "grades.csv").read_text(encoding="utf-8-sig")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only an administrator makes a small disk")
def test_grading_on_a_full_disk_keeps_earlier_grades(tmp_path):
    folder, output = tmp_path / "class", tmp_path / "class_graded"
    (folder / "Ada").mkdir(parents=True)
    output.mkdir()
    if finish(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", output]).returncode:
        pytest.skip("may not mount")
    try:
        assert finish(grade(folder), cwd=ROOT).returncode == 0
        before = (output / "grades.csv").read_bytes()
        (folder / "Ben").mkdir()
        with (output / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            file.writelines(b"x" * 4096 for _ in range(100))
        result = finish(grade(folder), cwd=ROOT)
        assert result.returncode == 1
        assert "The disk is full. Fix this, then run this again" in result.stderr
        assert "Traceback" not in result.stderr
        assert (output / "grades.csv").read_bytes() == before
        assert not list(output.glob("*.part"))
    finally:
        finish(["umount", output])
