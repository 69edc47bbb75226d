"""Killed, full, locked, read-only: each ends in a clear message, and no partial file is taken for a complete one."""

import csv
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import numpy as np
import pytest
import xarray as xr

import mlm_tutorial as mlm
from tests.support.classroom import FULL, NAME, hand_in, sandboxed
from tools import cli, drift, environment, install, project, results, versions
from tools.benchmarks import __main__ as bench
from tools.grading import grading, walls
from tools.lock import Lock, LockedError, only_writer, project_lock
from tools.stress import long_run, structures

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="stands in for programs by shell scripts, and kills them")


@contextmanager
def started(command, **settings):
    """Start a command in a process group of its own; end all remaining processes of it."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True} | settings
    with subprocess.Popen([str(part) for part in command], start_new_session=True, **settings) as process:
        try:
            yield process
        finally:
            for stop in (lambda: os.killpg(process.pid, signal.SIGKILL), process.kill):
                with suppress(ProcessLookupError):
                    stop()


def wait_until(true, seconds=60):
    """Wait until a condition is true; fail after a time limit."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def finish(command, **settings):
    return subprocess.run([str(x) for x in command], capture_output=True, text=True, timeout=300, **settings)


# --- The lock -----------------------------------------------------------------------------------------------------


def test_a_lock_names_its_holder_and_does_not_outlive_it(tmp_path):
    path = tmp_path / "a é.lock"
    code = f"import time\nfrom tools.lock import Lock\nwith Lock({str(path)!r}, 'counting sheep'):\n"
    with started(
        [sys.executable, "-c", code + "    print('locked', flush=True)\n    time.sleep(60)"], cwd=ROOT
    ) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(LockedError, match=rf"counting sheep \(process {other.pid}\)"), Lock(path, "this"):
            pass
        other.kill()
        other.wait()
        with Lock(path, "this"):
            pass


COMMANDS = {
    "bench": lambda output: bench.main(["rows", "--quick", "--output", str(output)]),
    "structures": lambda output: structures.main(["--n", "1", "--output", str(output)]),
    "long_run": lambda output: long_run.main(["--n", "1"]),
    "drift": lambda output: drift.main(["01", "--store"]),
    "versions": lambda output: versions.try_versions("highest", environment.base_python(), True, []),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_second_measurement_for_the_same_file_is_refused_before_it_begins(tmp_path, monkeypatch, name):
    output = tmp_path / "drift.json"
    monkeypatch.setattr(project, "RESULTS", tmp_path)
    monkeypatch.setattr(results, "path_of", lambda part: output)
    monkeypatch.setattr(project, "CACHE", tmp_path)
    lock = project_lock("versions", "the first") if name == "versions" else only_writer(output, "the first")
    with lock, pytest.raises(LockedError, match=r"Another copy is at work.*the first \(process \d+\)"):
        COMMANDS[name](output)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    "program", [["-m", "tools.benchmarks", "rows", "--quick"], ["-m", "tools.stress.structures", "--n", "1"]]
)
def test_a_second_measurement_says_who_is_at_work(tmp_path, program):
    output = tmp_path / "results.json"
    with only_writer(output, "the first"):
        second = finish([sys.executable, *program, "--output", output], cwd=ROOT)
    assert second.returncode == 1
    assert "Another copy is at work on this folder: the first" in second.stderr
    assert "Traceback" not in second.stderr


# --- course.py ----------------------------------------------------------------------------------------------------


@pytest.fixture
def small_course(tmp_path):
    """Return a folder with course.py, the environment of this one, and a single notebook."""
    folder = tmp_path / "a course é, 2"
    for name in ("notebooks", ".venv/bin", ".course"):
        (folder / name).mkdir(parents=True)
    copy_packages(folder)
    for name in ("course.py", "pyproject.toml", "uv.lock", "notebooks/jupytext.toml"):
        shutil.copy(ROOT / name, folder / name)
    write_script(folder / ".venv" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    stamp = install.wanted_state() | {"folder": str(folder), "extras": ["dev", "student"]}
    (folder / ".venv" / "course.json").write_text(json.dumps(stamp), encoding="utf-8")
    return folder


def copy_packages(folder):
    """Copy the code, without compiled files."""
    for name in ("mlm_tutorial", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def write_script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def write_notebook(folder, code):
    kernel = ["jupyter:", "  kernelspec:", "    display_name: Python 3", "    language: python", "    name: python3"]
    text = "\n".join(["# ---", *(f"# {line}" for line in kernel), "# ---", "", "# %%", code, ""])
    (folder / "notebooks" / "01_a.py").write_text(text, encoding="utf-8")


@pytest.mark.slow
@posix
def test_a_killed_run_leaves_the_notebook_as_it_was_and_no_lock(small_course):
    stored = small_course / "notebooks" / "01_a.ipynb"
    run = [sys.executable, "course.py", "run"]
    write_notebook(
        small_course, "from pathlib import Path\nPath('begun').touch()\nimport time\ntime.sleep(25)\n'first'"
    )
    stored.write_bytes(b"as it was")
    with started(run, cwd=small_course) as first:
        wait_until((small_course / "notebooks" / "begun").exists)
        second = finish(run, cwd=small_course)
        assert second.returncode == 1
        assert f"Another copy is at work on this folder: running notebooks (process {first.pid})" in second.stderr
        assert "Traceback" not in second.stderr
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert stored.read_bytes() == b"as it was"
        # Processes of the first may still be running; they must not disturb the next.
        write_notebook(small_course, "print('second')")
        third = finish(run, cwd=small_course)
        assert third.returncode == 0, third.stdout + third.stderr
    notebook = nbformat.read(stored, 4)
    assert "second" in notebook.cells[0].outputs[0].text


@posix
def test_a_terminated_run_stops_what_it_started(small_course):
    write_notebook(small_course, "from pathlib import Path\nPath('begun').touch()\nimport time\ntime.sleep(100)")
    with started([sys.executable, "course.py", "run"], cwd=small_course) as process:
        wait_until((small_course / "notebooks" / "begun").exists)
        process.terminate()
        assert process.wait(20) == 130
        assert list((small_course / ".course" / "run").iterdir()) == []
        assert not (small_course / "notebooks" / "01_a.ipynb").exists()


UV = r"""
[ "$1" = --version ] && echo "uv 0.13.9" && exit
echo "home is $HOME"
if [ -e "$UV_PROJECT_ENVIRONMENT/bin" ]; then echo "found parts"; exit 3; fi
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
if [ -n "$SLOW" ]; then sleep 20; fi
if [ -n "$FULL" ]; then echo "No space left on device (os error 28)"; exit 2; fi
printf '#!/bin/sh\necho checked' > "$UV_PROJECT_ENVIRONMENT/bin/python"
chmod +x "$UV_PROJECT_ENVIRONMENT/bin/python"
"""


@pytest.fixture
def without_environment(small_course, tmp_path):
    """Return a course that is not set up, and variables with an installer that follows instructions."""
    shutil.rmtree(small_course / ".venv")
    (tmp_path / "bin").mkdir()
    write_script(tmp_path / "bin" / "uv", UV)
    return small_course, os.environ | {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}


@posix
def test_a_killed_set_up_is_repeated_and_a_second_one_waits(without_environment):
    folder, variables = without_environment
    check = [sys.executable, "course.py", "check"]
    with started(check, cwd=folder, env=variables | {"SLOW": "1"}) as first:
        wait_until((folder / ".venv" / "bin").exists)
        second = finish(check, cwd=folder, env=variables)
        assert second.returncode == 1
        assert f"setting up the course (process {first.pid})" in second.stderr
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    third = finish(check, cwd=folder, env=variables)
    assert third.returncode == 0, third.stdout + third.stderr
    assert "an earlier set-up was interrupted: making the environment again" in third.stdout
    assert third.stdout.endswith("checked\n")


@pytest.mark.slow
@posix
def test_a_killed_real_set_up_is_repeated_in_a_non_ascii_folder(tmp_path):
    folders = [ROOT, Path(sys.prefix).parent]  # a copy of the course may be tested with the environment of another
    candidates = [shutil.which("uv"), *(str(folder / ".course" / "uv" / "bin" / "uv") for folder in folders)]
    uv = next((uv for uv in candidates if uv and install.uv_version(uv) >= install.OLDEST_UV), None)
    if uv is None:
        give_up = pytest.fail if "CI" in os.environ else pytest.skip
        give_up("no uv: this environment was not made by course.py")
    folder = tmp_path / "a course é"
    copy_packages(folder)
    (folder / "notebooks").mkdir()
    files = ["course.py", "pyproject.toml", "uv.lock", "README.md", "LICENSE", "LICENSE-text"]
    for path in [*(ROOT / name for name in files), *(ROOT / "notebooks").glob("01*")]:
        shutil.copy(path, folder / path.relative_to(ROOT))
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    variables |= {"PATH": f"{Path(uv).parent}{os.pathsep}{os.environ['PATH']}", "UV_OFFLINE": "1"}
    # Copies, one package at a time, leave time to be killed between two.
    slowly = {"UV_CONCURRENT_INSTALLS": "1", "UV_LINK_MODE": "copy"}
    set_up = [sys.executable, "-c", "from tools.install import set_up; set_up('student')"]

    def found(pattern):
        return list(folder.glob(".venv/lib/python*/site-packages/" + pattern))

    def kill_once_there_is(pattern):
        """Kill a set-up while it runs; return its output if it ended before."""
        with started(set_up, cwd=folder, env=variables | slowly) as process:
            wait_until(lambda: found(pattern) or process.poll() is not None, 120)
            if process.poll() is not None:
                return process.stdout.read()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert not (folder / ".venv" / "course.json").exists()
        return ""

    ended = kill_once_there_is("*/METADATA")
    if "Network connectivity is disabled" in ended:
        if "CI" not in os.environ:
            pytest.skip("uv's cache does not hold every package of the course")
        del variables["UV_OFFLINE"]
        ended = kill_once_there_is("*/METADATA")
    assert ended == ""
    in_part = len(found("*/METADATA"))
    assert kill_once_there_is("numpy/__pycache__/*") == ""
    assert len(found("*/METADATA")) > in_part
    compiled_in_part = len(found("**/__pycache__"))

    whole = finish(set_up, cwd=folder, env=variables)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "an earlier set-up was interrupted: making the environment again" in whole.stdout
    assert len(found("**/__pycache__")) > compiled_in_part
    python = folder / ".venv" / "bin" / "python"
    consistent = finish([uv, "pip", "check", "--python", python], env=variables)
    assert consistent.returncode == 0, consistent.stderr
    code = "import jupyterlab, mlm_tutorial, nutpie, pymc\n"
    code += "for module in (jupyterlab, mlm_tutorial, nutpie, pymc):\n    print(module.__file__)"
    imported = finish([python, "-X", "utf8", "-c", code], cwd=tmp_path, env=variables)
    assert imported.returncode == 0, imported.stderr
    places = imported.stdout.splitlines()
    assert [Path(place).is_relative_to(folder) for place in places] == [True] * 4, places
    assert Path(places[1]) == folder / "mlm_tutorial" / "__init__.py"


@posix
def test_a_set_up_on_a_full_disk_is_reported_and_repeated(without_environment):
    folder, variables = without_environment
    check = [sys.executable, "course.py", "check"]
    first = finish(check, cwd=folder, env=variables | {"FULL": "1"})
    assert first.returncode == 1
    assert "The disk is full" in first.stderr
    assert finish(check, cwd=folder, env=variables).stdout.endswith("checked\n")


@posix
def test_a_home_that_cannot_be_written_is_replaced(without_environment, tmp_path, monkeypatch):
    folder, variables = without_environment
    result = finish(
        [sys.executable, "course.py", "check"], cwd=folder, env=variables | {"HOME": str(tmp_path / "none")}
    )
    assert result.returncode == 0, result.stdout + result.stderr
    monkeypatch.setenv("HOME", str(tmp_path / "none"))
    monkeypatch.setattr(project, "CACHE", folder / ".course")
    assert environment.of_project().variables()["HOME"] == str(folder / ".course" / "home")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.of_project().variables()["HOME"] == str(tmp_path)


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "The disk is full"), (errno.EROFS, "notebooks cannot be written: Read-only")]
)
def test_a_folder_that_cannot_be_written_is_named(monkeypatch, capsys, number, message):
    def fail(extra):
        raise OSError(number, os.strerror(number), "notebooks")

    monkeypatch.setattr(install, "set_up", fail)
    assert cli.main(["check"]) == 1
    assert message in capsys.readouterr().err


# --- Posteriors ---------------------------------------------------------------------------------------------------

SAVING = """
import sys, numpy as np, xarray as xr
import mlm_tutorial as mlm
path, version, size = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
groups = ("posterior", "sample_stats", "observed_data", "constant_data")
tree = xr.DataTree.from_dict({g: xr.Dataset({"x": ("i", np.full(size, version))}) for g in groups})
print("saving", flush=True)
if len(sys.argv) > 4:
    import resource, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
mlm.save_posterior(tree, path)
print("saved", flush=True)
"""


GROUPS = ("posterior", "sample_stats", "observed_data", "constant_data")


def save_version(path, version):
    """Save a small tree that holds a number in all of its groups."""
    tree = xr.DataTree.from_dict({group: xr.Dataset({"x": ("i", np.full(10, version))}) for group in GROUPS})
    mlm.save_posterior(tree, path)


def version_in(path):
    """Return the number that a saved tree holds in all of its groups."""
    tree = xr.load_datatree(path, engine="h5netcdf")
    (version,) = {float(x) for group in GROUPS for x in (tree[group]["x"].min(), tree[group]["x"].max())}
    return version


def save(path, version, size, *more):
    return [sys.executable, "-c", SAVING, path, version, size, *more]


@posix
def test_a_posterior_is_complete_whenever_its_writer_is_killed(tmp_path):
    path = tmp_path / "posterior é.nc"
    save_version(path, 1)
    for delay in (0.0, 0.05):  # four groups of 40 MB take longer than that
        with started(save(path, 2, 5_000_000), cwd=ROOT) as process:
            assert process.stdout.readline() == "saving\n"
            wait_until(lambda: process.poll() is not None or list(tmp_path.glob("*.part")))
            time.sleep(delay)
            process.kill()
            assert process.wait() == -signal.SIGKILL
        assert version_in(path) == 1
        for part in tmp_path.glob("*.part"):
            part.unlink()
    save_version(path, 2)
    assert version_in(path) == 2


@posix
def test_a_full_disk_leaves_the_old_posterior(tmp_path):
    path = tmp_path / "posterior.nc"
    save_version(path, 1)
    result = finish(save(path, 2, 1_000_000, 9_000_000), cwd=ROOT)
    assert result.returncode == 1
    assert "OSError" in result.stderr
    assert version_in(path) == 1
    assert [x.name for x in tmp_path.iterdir()] == ["posterior.nc"]


# --- Generating ---------------------------------------------------------------------------------------------------


@posix
def test_killed_generation_leaves_complete_exercise_notebooks(tmp_path):
    undisturbed = tmp_path / "undisturbed"
    assert finish([sys.executable, "-m", "tools.grading.generate", undisturbed], cwd=ROOT).returncode == 0
    expected = {path.relative_to(undisturbed): path.read_bytes() for path in undisturbed.rglob("*.ipynb")}
    assert len(expected) == 22
    folder = tmp_path / "killed"
    command = [sys.executable, "-m", "tools.grading.generate", folder]
    for n in (1, 8, 15):
        with started(command, cwd=ROOT) as process:
            wait_until(lambda n=n: process.poll() is not None or len(list(folder.rglob("*.ipynb"))) >= n)
            process.kill()
        found = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.ipynb")}
        assert n <= len(found)
        assert all(content == expected[path] for path, content in found.items())
    assert finish(command, cwd=ROOT).returncode == 0
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.ipynb")} == expected


# --- Grading ------------------------------------------------------------------------------------------------------

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
        places["solutions"] = str(ROOT / "notebooks" / "solutions" / NAME)
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


# --- Elsewhere ----------------------------------------------------------------------------------------------------

# What course.py does for every command, from a home that is there and cannot be written.
HAND_OVER = """
import os, sys
from pathlib import Path
from tools import environment, project
home, project.CACHE, *command = Path(os.environ["HOME"]), *map(Path, sys.argv[1:])
try:
    (home / "x").touch()
except OSError:
    environment.Environment.python = Path(sys.executable)
    environment.of_project().replace_this_process(*command)
raise SystemExit(f"{home} can be written")
"""
KILLED = """
import mlm_tutorial as mlm
truth = mlm.PRESETS["cc_27"]
cells = mlm.cell_statistics(truth.simulate(10_000, rng=1), layers=truth.names)
compiled = mlm.compile_model(mlm.cell_model(cells))
print("sampling", flush=True)
mlm.sample(compiled, seed=1, tune=10_000_000, progress=False)
print("sampled", flush=True)
"""
AWAY_FROM_HOME = """
import locale, sys
locale.setlocale(locale.LC_ALL, "")
if "--comma" in sys.argv:
    assert locale.localeconv()["decimal_point"] == ","
from mlm_tutorial.__main__ import main
code = main()
import matplotlib.pyplot as plt
import pandas as pd
plt.plot([0.5, 1.5])
plt.savefig(sys.argv[1] + "/figure.png")
pd.DataFrame({"x": [0.5]}).to_csv(sys.argv[1] + "/table.csv", index=False)
raise SystemExit(code)
"""


@pytest.mark.slow
@posix
def test_a_fit_works_after_a_kill_on_an_unusual_system(tmp_path):
    work, home, private = tmp_path / "arbeit ä ö", tmp_path / "home", tmp_path / ".course"
    work.mkdir()
    home.mkdir(mode=0o555)
    variables = os.environ | {"HOME": str(home)}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"):
        variables.pop(name, None)
    command = [sys.executable, "-c", HAND_OVER, private, "-c"]
    if os.geteuid() == 0:  # who may write everywhere, but not through a mount that is read-only
        if not walls.can_sandbox() and "CI" not in os.environ:
            pytest.skip("no home is read-only to an administrator without bubblewrap")
        command = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", home, home, "--", *command]
    comma = []
    if shutil.which("localedef"):  # 1 is a warning
        made = finish(["localedef", "-i", "de_DE", "-f", "UTF-8", work / "de_DE.UTF-8"]).returncode <= 1
        comma = ["--comma"] if made else []
    if not comma and "CI" in os.environ:
        pytest.fail("no locale with decimal commas: install Debian's package `locales`")
    if comma:
        variables |= {"LOCPATH": str(work), "LC_ALL": "de_DE.UTF-8"}
    with started([*command, KILLED], cwd=ROOT, env=variables) as killed:
        assert killed.stdout.readline() == "sampling\n"
        time.sleep(2)
        assert killed.poll() is None
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        assert killed.stdout.read() == ""
    result = finish([*command, AWAY_FROM_HOME, work, *comma], cwd=ROOT, env=variables)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "OK: this machine is ready." in result.stdout
    assert (work / "figure.png").stat().st_size > 1000
    assert (work / "table.csv").read_text().split() == ["x", "0.5"]
    assert list(home.iterdir()) == []
    assert list((private / "home").iterdir()) != []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory that Linux notes")
def test_many_fits_do_not_leak_memory():
    # What a process holds goes up and down by several megabytes from fit to fit, so the slope needs many of them, in a
    # process that other tests have left nothing in. A result that is kept holds 1.8 MB; a kernel that kept them all
    # grew by 1.1 MB per fit.
    code = "from tools.stress.long_run import compiled, growth, refit\n"
    code += "print(growth(refit(compiled()), n=40, warmup=8))"
    result = finish([sys.executable, "-c", code], cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.split()[-1]) < 0.6e6
