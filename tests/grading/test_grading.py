"""A class of thirty is graded: right points, a reason for what cannot be graded, and nothing lost or changed."""

import csv
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from tests.support.classroom import FULL, NAME, RIGHT, closed_off, make_class, notebook_with
from tools.grading import grading, sandbox

pytest.importorskip("nbgrader", reason="grading needs the extra `teach`")
ROOT = Path(__file__).resolve().parents[2]
LIMITS = ["--cell-seconds", "30", "--memory", "1.5", "--seconds", "300"]


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def grade(folder, *options):
    command = [sys.executable, "-u", "-m", "tools.grading.grading", str(folder), *LIMITS, *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def table(folder):
    text = (folder.with_name(folder.name + "_graded") / "grades.csv").read_text(encoding="utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(text.splitlines())}


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Grade a class once; return its folder, what was expected, what was printed and the seconds."""
    folder = tmp_path_factory.mktemp("a class é") / "submissions"
    folder.mkdir()
    expected = make_class(folder)
    before = digests(folder)
    started = time.monotonic()
    printed = grade(folder)
    seconds = time.monotonic() - started
    return folder, expected, before, printed, seconds


@pytest.mark.slow
def test_every_student_gets_the_expected_points_and_reasons(graded):
    folder, expected, *_ = graded
    rows = {name.removeprefix("'"): row for name, row in table(folder).items()}
    assert len(table(folder)) == 30
    for student, wanted in expected.items():
        row = rows[student]
        got = {task: float(row[task]) for task in FULL if row[task]}
        if wanted.points:
            assert got == wanted.points, (student, row)
            assert float(row["points"]) == sum(wanted.points.values())
        else:
            assert float(row["points"]) == 0, (student, row)
        assert wanted.problem in row["problem"], (student, row)
        assert bool(row["problem"]) == bool(wanted.problem), (student, row)
        assert wanted.remark in row["remarks"], (student, row)


@pytest.mark.slow
def test_a_class_is_graded_within_fifteen_minutes_and_progress_is_shown(graded):
    *_, printed, seconds = graded
    assert seconds < 15 * 60
    counts = [int(number) for number in re.findall(r"^\[(\d+)/31\] ", printed, re.MULTILINE)]
    assert counts == list(range(1, 32))


@pytest.mark.slow
def test_nothing_that_was_handed_in_is_changed(graded):
    folder, _, before, *_ = graded
    assert digests(folder) == before


@pytest.mark.slow
def test_every_graded_submission_has_a_feedback_page_that_loads_nothing(graded):
    folder, expected, *_ = graded
    pages = {
        path.name: path.read_text(encoding="utf-8") for path in (folder.parent / "submissions_graded").rglob("*.html")
    }
    assert len(pages) == sum(bool(x.points) and not x.problem for x in expected.values())
    for name, page in pages.items():
        assert not re.search(r"(?:src|href)=[\"']?https?:[^>]*>", re.sub(r"<a [^>]*>", "", page)), name
        assert "<script>alert" not in page
    wrong = next(page for name, page in pages.items() if name.startswith("partly_right_1"))
    assert "standard deviations do not add" in wrong


@pytest.mark.slow
def test_a_table_of_grades_holds_no_formula(graded):
    folder, *_ = graded
    assert "'=cmd()" in table(folder)


@pytest.mark.slow
def test_only_what_changed_is_graded_again(graded):
    folder, expected, *_ = graded
    graded_before = table(folder)
    path = folder / "unchanged 1" / NAME
    original = path.read_bytes()
    nbformat.write(notebook_with({"01.1": RIGHT["01.1"]}), path)
    try:
        printed = grade(folder)
    finally:
        path.write_bytes(original)
    problems = sum(bool(x.problem) and not x.points for x in expected.values()) + 1  # one folder has two notebooks
    assert printed.count("unchanged, ") + problems + 1 == 31
    assert "unchanged 1: set 01, 1 of 7 points" in printed
    after = table(folder)
    assert float(after.pop("unchanged 1")["points"]) == 1
    assert after == {name: row for name, row in graded_before.items() if name != "unchanged 1"}


@pytest.mark.parametrize(
    ("arguments", "message"), [(["no such folder"], "is no folder"), ([".", "--output", "grades"], "must not go into")]
)
def test_a_wrong_folder_is_refused(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        grading.main(arguments)
    assert message in capsys.readouterr().err


def test_submissions_may_also_be_notebooks_named_like_their_students(tmp_path):
    nbformat.write(notebook_with({}), tmp_path / "Ada Lovelace.ipynb")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    (submission,) = grading.find_submissions(tmp_path, grading.read_sources())
    assert (submission.student, submission.exercises, submission.problem) == ("Ada Lovelace", "01", "")


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret.ipynb").write_text("{}")
    folder = tmp_path / "class"
    (folder / "Eve").mkdir(parents=True)
    try:
        (folder / "Eve" / "a.ipynb").symlink_to(tmp_path / "secret.ipynb")
    except OSError:
        pytest.skip("this system makes no links")
    (submission,) = grading.find_submissions(folder, grading.read_sources())
    assert submission.problem == "this is a link, not a file"


def test_a_file_is_never_left_half_written(tmp_path, monkeypatch):
    path = tmp_path / "grades.csv"
    grading.write_atomically(path, b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        grading.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [x.name for x in tmp_path.iterdir()] == ["grades.csv"]


# The limits themselves


def run_limited(tmp_path, code, **limits):
    limits = sandbox.Limits(**({"seconds": 60.0, "memory": 5e8, "processes": 12} | limits))
    log = tmp_path / "log.txt"
    reason, _ = sandbox.run([sys.executable, "-c", code], limits, log, dict(os.environ), tmp_path)
    return reason, log.read_text()


def test_a_program_that_ends_by_itself_is_not_stopped(tmp_path):
    assert run_limited(tmp_path, "print('done')") == ("", "done\n")


def test_time_is_limited(tmp_path):
    started = time.monotonic()
    reason, _ = run_limited(tmp_path, "while True: pass", seconds=1.0)
    assert reason == "stopped after 1 seconds, the time limit"
    assert time.monotonic() - started < 20


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not limit the memory of a process")
def test_memory_of_one_process_is_limited(tmp_path):
    _, printed = run_limited(tmp_path, "x = bytearray(10**9)")
    assert "MemoryError" in printed


def test_memory_of_all_processes_together_is_limited(tmp_path):
    code = "import subprocess, sys, time\n"
    code += "c = 'x = bytearray(10**8); x[:] = b\"1\" * 10**8; import time; time.sleep(50)'\n"
    code += "[subprocess.Popen([sys.executable, '-c', c]) for _ in range(6)]\ntime.sleep(50)"
    reason, _ = run_limited(tmp_path, code, memory=3e8)
    assert "0.3 GB, the memory limit" in reason


def test_processes_are_limited_and_none_survives(tmp_path):
    mark = f"sleeper-{os.getpid()}"
    code = "import subprocess, sys, time\n"
    code += f"c = 'import time; time.sleep(50) #{mark}'\n"
    code += "[subprocess.Popen([sys.executable, '-c', c], start_new_session=True) for _ in range(30)]\ntime.sleep(50)"
    reason, _ = run_limited(tmp_path, code, memory=4e9)
    assert reason == "stopped because it started more than 12 processes"
    time.sleep(0.5)
    alive = [p for p in psutil.process_iter(["cmdline", "status"]) if mark in " ".join(p.info["cmdline"] or [])]
    assert [p for p in alive if p.info["status"] != psutil.STATUS_ZOMBIE] == []


@pytest.mark.skipif(os.name != "posix", reason="the system does not limit what a process writes")
@pytest.mark.parametrize("files", [1, 20])
def test_what_is_written_is_limited(tmp_path, files):
    code = "import time\nfor i in range(%d):\n    open(f'{i}', 'wb').write(b'x' * (6 * 10**7 // %d))\ntime.sleep(50)"
    reason, printed = run_limited(
        tmp_path, f"import os; os.chdir({str(tmp_path)!r})\n" + code % (files, files), disk=3e7
    )
    if files == 1:
        assert "File too large" in printed
    else:
        assert reason == "stopped because it wrote more than 0.03 GB, the disk limit"


@closed_off
def test_a_closed_off_program_sees_no_network_no_neighbour_and_writes_nowhere_else(tmp_path):
    neighbour, own = tmp_path / "class" / "Ada", tmp_path / "scratch" / "own"
    for folder in (neighbour, own):
        folder.mkdir(parents=True)
    (neighbour / "answers.txt").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        attempts = {
            "network": f"socket.create_connection(('127.0.0.1', {port}), timeout=3)",
            "neighbour": f"print(open({str(neighbour / 'answers.txt')!r}).read())",
            "writing beside": f"open({str(tmp_path / 'scratch' / 'x')!r}, 'w')",
            "writing to the course": f"open({str(ROOT / 'mlm_tutorial' / 'x')!r}, 'w')",
            "solutions": f"open({str(ROOT / 'notebooks' / 'solutions' / NAME)!r}).read()",
            "reading home": f"assert set(os.listdir({str(Path.home())!r})) & {{'.ssh', '.bashrc', '.profile'}}",
        }
        code = "import os, socket\n"
        for name, attempt in attempts.items():
            code += f"try:\n    {attempt}\n    print({name!r}, 'worked')\nexcept (OSError, AssertionError):\n    pass\n"
        code += "open('own.txt', 'w').write('fine')"
        readable = [ROOT / "mlm_tutorial", Path(sys.prefix), Path(sys.base_prefix)]
        command = sandbox.closed_off([sys.executable, "-c", code], own, readable)
        log = tmp_path / "log.txt"
        assert sandbox.run(command, sandbox.Limits(60, 1e9), log, dict(os.environ)) == ("", 0)
        # What it wrote among temporary files went to a folder of its own that is gone.
        assert not (tmp_path / "scratch" / "x").exists()
        assert not (ROOT / "mlm_tutorial" / "x").exists()
        # The same attempts succeed without the walls; otherwise this test would prove nothing.
        probe = subprocess.run([sys.executable, "-c", code], cwd=own, capture_output=True, text=True, timeout=60)
    for left in (tmp_path / "scratch" / "x", ROOT / "mlm_tutorial" / "x"):
        left.unlink(missing_ok=True)
    assert set(re.findall(r"^(.+) worked$", log.read_text(), re.MULTILINE)) <= {"writing beside"}
    assert "secret" not in log.read_text()
    assert (own / "own.txt").read_text() == "fine"
    worked = set(re.findall(r"^(.+) worked$", probe.stdout, re.MULTILINE))
    assert worked >= {"network", "neighbour", "writing beside", "writing to the course", "solutions"}


def test_the_class_is_not_smaller_than_it_claims(tmp_path):
    expected = make_class(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(expected) == 30
    assert sum(not x.points for x in expected.values()) >= 5
    shutil.rmtree(tmp_path)


def stored_result(folder, submission, **changes):
    """Store a result and return what is read of it within the usual limits."""
    result = {"key": submission.key, "points": {}, "remarks": [], "problem": "", "limits": {"seconds": 600}} | changes
    (folder / f"{grading._slug(submission)}.json").write_text(json.dumps(result))
    return grading._stored_result(folder, submission, {"seconds": 600})


def test_a_result_of_another_version_of_the_exercise_is_not_used_again(tmp_path):
    submission = grading.Submission("Ada", "Ada/a.ipynb", "01", key="new")
    assert stored_result(tmp_path, submission)
    assert stored_result(tmp_path, submission, key="old") is None


def test_what_met_a_limit_is_graded_again_within_other_limits(tmp_path):
    submission = grading.Submission("Ada", "Ada/a.ipynb", "01", key="new")
    others = {"limits": {"seconds": 60}}
    assert stored_result(tmp_path, submission, problem="stopped after 600 seconds, the time limit")
    assert stored_result(tmp_path, submission, **others)
    assert stored_result(tmp_path, submission, problem="stopped after 60 seconds, the time limit", **others) is None
    assert (
        stored_result(tmp_path, submission, remarks=["the cell that starts with `x` took too long"], **others) is None
    )


# Submissions that nobody makes by accident

ODD = {
    "deep": (b'{"cells": ' + b"[" * 200_000, "its content is not JSON"),
    "set is a list": (
        json.dumps({"cells": [], "metadata": {"course": {"exercises": ["01"]}}, "nbformat": 4, "nbformat_minor": 5}),
        "it cannot be told which set",
    ),
    "cells are numbers": (json.dumps({"cells": [1, 2], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}), ""),
    "surrogates": (
        b'{"cells": [{"cell_type": "code", "source": "\\ud800", "metadata": {}, "outputs": [], "execution_count": null,'
        b' "id": "a"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_a_problem_of_its_own(tmp_path, name):
    content, problem = ODD[name]
    (tmp_path / "Eve").mkdir()
    path = tmp_path / "Eve" / "homework.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (submission,) = grading.find_submissions(tmp_path, grading.read_sources())
    assert submission.problem
    assert problem in submission.problem


@pytest.mark.skipif(os.name != "posix", reason="the system has no such files")
def test_a_pipe_does_not_hold_up_grading(tmp_path):
    os.mkfifo(tmp_path / "Eve.ipynb")
    (submission,) = grading.find_submissions(tmp_path, grading.read_sources())
    assert submission.problem == "this is no ordinary file"


@pytest.mark.skipif(sys.platform != "linux", reason="the system's names are text")
def test_a_name_that_is_no_text_is_graded_and_listed(tmp_path):
    folder = tmp_path / "class"
    (folder / os.fsdecode(b"M\xfcller")).mkdir(parents=True)
    nbformat.write(notebook_with({}), folder / os.fsdecode(b"M\xfcller") / NAME)
    sources = grading.read_sources()
    (submission,) = grading.find_submissions(folder, sources)
    assert (submission.student, submission.exercises, submission.problem) == ("M\ufffdller", "01", "")
    assert (folder / submission.file).exists()
    submission.points = dict.fromkeys(FULL, 0.0)
    grading._store(tmp_path / "out", submission, "page", b"log", {})
    grading.write_grades(tmp_path / "out" / "grades.csv", [submission], sources)
    assert "M\ufffdller" in (tmp_path / "out" / "grades.csv").read_text(encoding="utf-8-sig")
    assert grading._stored_result(tmp_path / "out" / "results", submission, {})


FORGED = {
    "no JSON": "points",
    "a list": "[]",
    "points are a list": '{"points": [1]}',
    "points are texts": '{"points": {"check-01-1": "many"}}',
    "points are not finite": '{"points": {"check-01-1": NaN}}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_outcome_is_no_result(tmp_path, name):
    (tmp_path / "outcome.json").write_text(FORGED[name])
    (tmp_path / "log.txt").write_text("the end")
    outcome = grading._read_outcome(tmp_path, tmp_path / "log.txt", 0)
    assert outcome.points == {}
    assert outcome.problem == "grading stopped without a result; its last line: the end"


def test_an_outcome_counts_only_when_grading_came_to_its_end(tmp_path):
    (tmp_path / "outcome.json").write_text('{"points": {"check-01-1": 1}}')
    (tmp_path / "log.txt").write_text("")
    assert grading._read_outcome(tmp_path, tmp_path / "log.txt", 0).points == {"check-01-1": 1.0}
    assert grading._read_outcome(tmp_path, tmp_path / "log.txt", -9).points == {}


def test_scripts_on_a_feedback_page_do_not_run(tmp_path, browser):
    page = tmp_path / "page.html"
    forged = "<html><head><script>window.ran = true</script></head><body onload='window.ran = true'>hello"
    for start, ran in (("", True), (grading.NO_SCRIPTS, None)):
        page.write_text(start + forged)
        view = browser.new_page()
        view.goto(page.as_uri())
        assert view.evaluate("window.ran") is ran
        assert view.inner_text("body") == "hello"
        view.close()
