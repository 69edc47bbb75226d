"""Killed, full, locked, read-only: each ends in a clear message, and no partial file is taken for a complete one."""

import errno
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
import xarray as xr

import mlm_tutorial as mlm
from tests.support.processes import finish, posix, started, wait_until
from tools import cli, drift, environment, install, project, results, versions
from tools.benchmarks import __main__ as bench
from tools.lock import Lock, LockedError, only_writer, project_lock
from tools.stress import long_run, structures

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.slow
@posix
def test_killed_generation_leaves_complete_exercise_notebooks(tmp_path):
    undisturbed = tmp_path / "undisturbed"
    assert finish([sys.executable, "-m", "tools.grading.generate", undisturbed], cwd=ROOT).returncode == 0
    expected = {path.relative_to(undisturbed): path.read_bytes() for path in undisturbed.rglob("*.ipynb")}
    assert len(expected) == 2 * len(list((ROOT / "notebooks" / "exercise_sources").glob("*.py")))
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
