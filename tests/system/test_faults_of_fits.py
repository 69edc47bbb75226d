"""Fits after a kill, on unusual systems, and many of them in one process."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import finish, posix, started
from tools.grading import walls

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.mark.slow(60)
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


@pytest.mark.slow(50)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory that Linux notes")
def test_many_fits_do_not_leak_memory():
    # Each thread takes memory from an area of its own, so what a process holds goes up and down by 20 MB with the
    # order in which chains end. From one area ten fits grow it by 0.06 MB each, by 2.8 MB when results are kept.
    code = "from tools.stress.long_run import compiled, growth, refit\n"
    code += "print(growth(refit(compiled()), n=10, warmup=4))"
    result = finish([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"MALLOC_ARENA_MAX": "1"})
    assert result.returncode == 0, result.stderr
    assert float(result.stdout.split()[-1]) < 1e6
