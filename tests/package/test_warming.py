"""Notebooks run in the background: once, stoppably, and with a word about each failure."""

import os
import signal
import subprocess
import sys

import nbformat
import psutil
import pytest

from mlm_tutorial import warming
from tests.support.processes import started, wait_until


def notebook(path, *cells):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)
    return path


def runs(folder):
    """Return how often the notebook that leaves a line for each run was run."""
    file = folder / "runs.txt"
    return len(file.read_text().splitlines()) if file.exists() else 0


LEAVES_A_LINE = "with open('runs.txt', 'a') as file: print('run', file=file)"


def test_a_notebook_is_run_once_until_its_code_changes(tmp_path, capsys):
    path, stamps = notebook(tmp_path / "02_a.ipynb", LEAVES_A_LINE), tmp_path / "stamps.json"
    before = path.read_bytes()
    assert warming.warm([path], stamps) == ["02_a.ipynb"]
    assert "compiling the notebooks' models in the background" in capsys.readouterr().out
    assert warming.warm([path], stamps) == []
    assert capsys.readouterr().out == ""
    assert runs(tmp_path) == 1
    assert path.read_bytes() == before
    notebook(path, LEAVES_A_LINE, "2")
    assert warming.warm([path], stamps) == ["02_a.ipynb"]


def test_a_notebook_that_fails_is_named_and_the_next_one_is_run(tmp_path, capsys):
    paths = [notebook(tmp_path / "02_a.ipynb", "1 / 0"), notebook(tmp_path / "03_b.ipynb", "1")]
    assert warming.warm(paths, tmp_path / "stamps.json") == ["03_b.ipynb"]
    assert "02_a.ipynb was not run to its end: ZeroDivisionError" in capsys.readouterr().out


def test_nothing_is_run_where_memory_is_short(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(warming, "MEMORY_NEEDED", float("inf"))
    assert warming.warm([notebook(tmp_path / "02_a.ipynb", LEAVES_A_LINE)], tmp_path / "stamps.json") == []
    assert runs(tmp_path) == 0
    assert "too little free memory" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("how", ["interrupted", "its parent ends"])
def test_it_stops_with_its_kernel(tmp_path, how):
    path = notebook(tmp_path / "02_a.ipynb", LEAVES_A_LINE, "import time; time.sleep(600)")
    command = [sys.executable, "-m", "mlm_tutorial.warming", str(path)]
    if how == "its parent ends":
        # A server's folder that nobody serves: it waits, and its parent ends meanwhile.
        command += ["--beside-server", str(tmp_path)]
        parent = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(9)"
        command = [sys.executable, "-c", parent, *command]
    variables = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    with started(command, env=variables) as process:
        if how == "interrupted":
            wait_until(lambda: runs(tmp_path) == 1)
            kernel = psutil.Process(process.pid).children()
            assert kernel
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        else:
            wait_until(lambda: psutil.Process(process.pid).children())
            kernel = psutil.Process(process.pid).children()
            process.wait(20)
        assert not psutil.wait_procs(kernel, timeout=20)[1]
        assert not (tmp_path / "warmed.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="priorities of POSIX")
def test_it_runs_at_the_lowest_priority(tmp_path):
    path = notebook(tmp_path / "02_a.ipynb", "import os; open('nice.txt', 'w').write(str(os.nice(0)))")
    variables = os.environ | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    subprocess.run([sys.executable, "-m", "mlm_tutorial.warming", str(path)], env=variables, check=True)
    assert (tmp_path / "nice.txt").read_text() == "19"
    assert (tmp_path / "warmed.json").exists()
