"""Progress: one line, in a notebook or a terminal, that ends as one line; silent in tests and builds."""

import _thread
import io
import re
import signal
import sys
import threading
import time
from types import SimpleNamespace

import IPython.display
import numpy as np
import psutil
import pymc as pm
import pytest

import mlm_tutorial as mlm
from mlm_tutorial import progress
from tests.support.problems import small_cells, small_compiled

DONE = r"4 chains of 1,000 draws, \d+ divergences?, in \d+\.\d s"


class Screen:
    """What a notebook shows: outputs, and every text that each of them had."""

    def __init__(self):
        self.outputs = []

    def display(self, content, raw, display_id):
        assert raw
        assert display_id is True
        texts = [content["text/plain"]]
        self.outputs.append(texts)
        return SimpleNamespace(update=lambda content, raw: texts.append(content["text/plain"]))


@pytest.fixture
def notebook(monkeypatch):
    """Return the screen of a notebook that the test runs in."""
    screen = Screen()
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", screen.display)
    return screen


class Terminal(io.StringIO):
    """An error stream that somebody watches."""

    def isatty(self):
        return True

    def line(self):
        """Return the last text of the line."""
        return self.getvalue().rstrip("\n").rsplit("\r", 1)[-1].rstrip()


@pytest.fixture(scope="module")
def wide():
    """Return a model whose draws take long enough to be interrupted."""
    with pm.Model() as model:
        pm.Normal("x", shape=60)
    return mlm.compile_model(model)


def test_progress_is_off_in_tests_and_builds(monkeypatch):
    assert not progress.show_progress(None)  # pytest runs
    assert progress.show_progress(True)
    monkeypatch.delenv("PYTEST_VERSION")
    monkeypatch.delenv("CI", raising=False)
    assert progress.show_progress(None)
    assert not progress.show_progress(False)
    monkeypatch.setenv("CI", "true")
    assert not progress.show_progress(None)


def test_a_fit_leaves_one_output_of_one_line(notebook, wide):
    mlm.sample(wide, seed=1, progress=True)
    (texts,) = notebook.outputs
    assert texts[0] == "Sampling 4 chains"
    assert re.fullmatch(DONE, texts[-1])
    between = r"Sampling 4 chains: [\d,]+ of [\d,]+ draws, \d+ divergences?"
    assert all(re.fullmatch(between, text) for text in texts[1:-1])


def test_a_model_that_is_compiled_first_says_so_on_the_same_line(notebook):
    with pm.Model() as model:
        pm.Normal("x")
    mlm.sample(model, seed=1, draws=50, tune=50, chains=1, progress=True)
    (texts,) = notebook.outputs
    assert texts[0] == "Compiling the model"
    assert re.fullmatch(r"1 chain of 50 draws, \d+ divergences?, in \d+\.\d s, after \d+\.\d s of compiling", texts[-1])


def test_a_terminal_keeps_one_line(monkeypatch, wide):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    mlm.sample(wide, seed=1, progress=True)
    assert re.fullmatch(DONE, terminal.line())
    assert terminal.getvalue().count("\n") == 1


def test_a_shorter_text_covers_a_longer_one(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = progress.ProgressLine()
    line.show("a long text")
    line.end("short")
    assert terminal.getvalue() == "\ra long text\rshort      \n"


def test_nothing_is_written_where_nobody_watches(capfd, wide):
    mlm.sample(wide, seed=1, draws=20, progress=True)  # the error stream is a file here
    mlm.sample(wide, seed=1, draws=20)
    assert capfd.readouterr() == ("", "")


def test_nothing_changes_a_line_after_its_end(notebook):
    line = progress.ProgressLine()
    line.show("one")
    line.end("two")
    line.show("three")  # as a late report from nutpie's thread would
    assert notebook.outputs == [["one", "two"]]


@pytest.fixture
def interruptible():
    """Let an interruption reach Python: a shell has what it starts in the background ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("tune", [10, 20_000], ids=["while drawing", "while tuning"])
def test_a_fit_that_is_stopped_says_how_far_it_was_and_leaves_no_thread(notebook, wide, tune):
    mlm.sample(wide, seed=1, draws=20, progress=True)
    before = psutil.Process().num_threads()
    shown = len(notebook.outputs)

    def interrupt_once_it_moves():
        limit = time.monotonic() + 120  # a busy machine may take long to begin
        while time.monotonic() < limit:
            if len(notebook.outputs) > shown and re.search(r"\b[1-9][\d,]* of ", notebook.outputs[-1][-1]):
                break
            time.sleep(0.01)
        _thread.interrupt_main()

    stop = threading.Thread(target=interrupt_once_it_moves)
    stop.start()
    mlm.sample(wide, seed=1, draws=20_000, tune=tune, progress=True)
    stop.join()
    texts = notebook.outputs[-1]
    found = re.fullmatch(r"Stopped after ([\d,]+) of ([\d,]+) draws", texts[-1])
    done, wanted = (int(number.replace(",", "")) for number in found.groups())
    assert done < wanted == 4 * (20_000 + tune)
    time.sleep(2 * progress.INTERVAL)
    assert notebook.outputs[-1] == texts
    assert psutil.Process().num_threads() <= before


def test_a_fit_that_fails_ends_its_line(notebook):
    with pm.Model() as model:
        pm.Data("x", np.array([1.0]))
        pm.Normal("y", 0, 1, observed=np.array([np.nan]) * model["x"])
        pm.Normal("z")
    with pytest.raises(Exception):  # noqa: B017 - whatever nutpie raises where the density is not a number
        mlm.sample(model, seed=1, progress=True)
    assert notebook.outputs[0][-1].startswith("Stopped after ")


def test_a_callback_of_ones_own_is_called_instead(wide):
    seen = []
    mlm.sample(wide, seed=1, progress=True, progress_callback=lambda chains: seen.append(len(chains)))
    assert set(seen) == {4}


def test_calibration_leaves_one_line(notebook):
    options = {"n_ranks": 10, "draws": 20, "tune": 50, "chains": 1, "compiled": small_compiled()}
    mlm.calibrate(small_cells(), 3, seed=1, progress=True, **options)
    (texts,) = notebook.outputs
    assert texts[0] == "Fitting simulated data sets: 0 of 3"
    assert re.fullmatch(r"3 simulated data sets fitted in \d+\.\d s", texts[-1])


def test_a_loop_that_is_stopped_says_where(notebook):
    def stop_at_two():
        with progress.counting(5, "Counting", "counted", True) as count:
            for number in range(5):
                count(number)
                if number == 2:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_at_two()
    assert notebook.outputs == [["Counting: 0 of 5", "Stopped: 2 of 5 counted"]]


def test_a_script_is_not_a_notebook():
    assert not progress.in_notebook()
