"""JupyterLab as ``python course.py open`` starts it, in a real browser: notebooks run and contact no other host.

The file browser lists what learners need, code is folded, sliders outlive their kernel, and progress is one line.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import nbformat
import pytest

from tests.support.browsing import BROWSER, opened
from tools import cli, environment, install, project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="needs Chromium"),
]
TOKEN = "of-a-test"


FOLDED = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
# What a test runs in a cell, and the metadata of the cell.
SLIDER = """
import matplotlib.pyplot as plt
import mlm_tutorial as mlm

def draw(level):
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.axhline(level)
    return fig

mlm.slider(draw, alt="A line at a level", level=[0.25, 0.5, 0.75])
"""
PROGRESS = """
import pymc as pm
import mlm_tutorial as mlm

with pm.Model() as model:
    pm.Normal("x", shape=60)
idata = mlm.sample(model, seed=1)
"""
KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}
NOTEBOOKS = {"slider": [(SLIDER, {})], "progress": [(PROGRESS, {})], "folded": [("print(1)", {}), ("print(2)", FOLDED)]}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve a copy of notebook 01 and small ones, so that saving changes only copies; return folder and address."""
    folder = tmp_path_factory.mktemp("lab")
    notebooks = folder / "notebooks"
    (notebooks / "exercise_sources").mkdir(parents=True)
    for path in [*project.NOTEBOOKS.glob("01_*"), project.NOTEBOOKS / "jupytext.toml"]:
        shutil.copy(path, notebooks)
    for name, cells in NOTEBOOKS.items():
        made = [nbformat.v4.new_code_cell(code.strip(), metadata=metadata) for code, metadata in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=KERNEL), notebooks / f"{name}.ipynb")
    shutil.copytree(project.ROOT / "tools" / "jupyter", folder / "tools" / "jupyter")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(install, "set_up", lambda *wanted: None)
        patch.setattr(environment.Environment, "replace_this_process", lambda self, *command: list(command))
        patch.setattr(project, "ROOT", folder)
        more = [f"--IdentityProvider.token={TOKEN}", "--expose-app-in-browser"]  # the handle is for this test
        command = cli.main(["open", "--no-browser", "--no-warming", "--port", str(port), *more])
    home = folder / "home"  # the settings of a user must not matter
    home.mkdir()
    variables = environment.of_project().variables(JUPYTER_CONFIG_DIR=str(home), JUPYTER_DATA_DIR=str(home))
    for name in ("CI", "PYTEST_VERSION", "PYTEST_CURRENT_TEST"):  # there is no progress for builds and tests
        variables.pop(name, None)
    log = (folder / "log.txt").open("w", encoding="utf-8")
    with log, subprocess.Popen([sys.executable, *map(str, command)], stdout=log, stderr=log, env=variables) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{address}/api?token={TOKEN}")
            yield notebooks, address
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:  # now and then, when a kernel's connection has closed just before
                process.kill()


@contextmanager
def notebook(browser, lab, name):
    """Open a notebook, and no other that was open before, in JupyterLab; wait for its kernel."""
    with opened(browser, f"{lab[1]}/lab/tree/notebooks/{name}?token={TOKEN}&reset") as page:
        wait_for_kernel(page)
        yield page


def wait_for_kernel(page):
    page.wait_for_function(READY, timeout=90_000)


def do(page, command):
    page.evaluate(f"() => jupyterapp.commands.execute('{command}').then(() => true)")


def run_all(page, seconds=180):
    page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_function(ALL_RAN, timeout=1000 * seconds)
    page.wait_for_function(READY, timeout=1000 * seconds)
    assert page.evaluate(FAILED) == 0


def wait_for(address, seconds=60):
    """Wait until something answers at an address."""
    end = time.monotonic() + seconds
    while True:
        try:
            return urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            assert time.monotonic() < end, f"nothing answers at {address}"
            time.sleep(0.2)


READY = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
# Cells out of sight may not be on the page, so the notebook is asked.
WIDGETS = "jupyterapp.shell.currentWidget.content.widgets"
ALL_RAN = f"() => {WIDGETS}.filter(x => x.model.type === 'code').every(x => x.model.executionCount)"
FAILED = f"() => {WIDGETS}.flatMap(x => x.model.outputs?.toJSON() ?? []).filter(x => x.output_type === 'error').length"
TO_QUIZ = f"""() => jupyterapp.shell.currentWidget.content.scrollToItem(
    {WIDGETS}.findIndex(x => x.model.sharedModel.getSource().startsWith('mlm.quiz')), 'center')"""


def test_a_notebook_runs_in_jupyterlab_and_loads_nothing_from_elsewhere(browser, lab):
    (first,) = lab[0].glob("01_*.ipynb")
    with notebook(browser, lab, first.name) as page:
        page.locator(".jp-Notebook mjx-container").first.wait_for(timeout=60_000)
        run_all(page)
        page.evaluate(TO_QUIZ)
        page.locator(".MCButton").first.click()
        page.locator(".Feedback.correct, .Feedback.incorrect").first.wait_for(timeout=10_000)
        page.wait_for_timeout(1_000)  # jupyterquiz looks for MathJax 500 ms after it is shown
        # No prompt about news, and no notice of a newer version.
        assert page.locator(".Toastify__toast").count() == 0


def test_the_file_browser_lists_what_a_learner_needs(browser, lab):
    # The names do not depend on the server's defaults, so what must be there is asked for, too.
    assert {path.name for path in lab[0].iterdir()} >= {"jupytext.toml", "exercise_sources"}
    with notebook(browser, lab, "folded.ipynb") as page:
        page.locator(".jp-DirListing-item").first.wait_for(timeout=20_000)
        listed = page.locator(".jp-DirListing-itemText").all_inner_texts()
    (first,) = lab[0].glob("01_*.ipynb")
    assert sorted(listed) == sorted([first.name, *(f"{name}.ipynb" for name in NOTEBOOKS)])


def test_a_hidden_source_is_still_saved_with_its_notebook(browser, lab):
    (source,) = lab[0].glob("01_*.py")
    with notebook(browser, lab, source.with_suffix(".ipynb").name) as page:
        page.evaluate(f"() => {WIDGETS}[0].model.sharedModel.setSource('# 01 Saved in JupyterLab')")
        do(page, "docmanager:save")
    assert "# # 01 Saved in JupyterLab\n" in source.read_text(encoding="utf-8")


def test_a_folded_cell_shows_its_output_only_and_unfolds_and_stays_folded_when_saved(browser, lab):
    with notebook(browser, lab, "folded.ipynb") as page:
        run_all(page)
        page.wait_for_function("() => document.querySelectorAll('.jp-OutputArea-output').length === 2")
        assert page.evaluate(f"() => {WIDGETS}.map(x => x.inputHidden)") == [False, True]
        do(page, "docmanager:save")
        folded = page.locator(".jp-CodeCell .jp-Placeholder")
        assert folded.count() == 1
        folded.click()
        page.wait_for_function(f"() => !{WIDGETS}[1].inputHidden")
    cell = nbformat.read(lab[0] / "folded.ipynb", as_version=4).cells[1]
    assert cell.metadata.jupyter.source_hidden
    assert cell.metadata.tags == ["hide-input"]


def test_a_slider_moves_after_save_restart_and_reload(browser, lab):
    with notebook(browser, lab, "slider.ipynb") as page:
        run_all(page)
        assert moves(page)
        do(page, "docmanager:save")
        page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart().then(() => true)")
        wait_for_kernel(page)
    (cell,) = json.loads((lab[0] / "slider.ipynb").read_text(encoding="utf-8"))["cells"]
    assert set(cell["outputs"][0]["data"]) == {"image/png", "text/html", "text/plain"}
    with notebook(browser, lab, "slider.ipynb") as page:
        assert moves(page)
    # Somebody else's outputs may run no script: a figure stands for the slider.
    cell["outputs"][0]["data"]["text/html"] += "<!-- changed -->"
    foreign = nbformat.v4.new_notebook(cells=[nbformat.from_dict(cell)], metadata=KERNEL)
    nbformat.write(foreign, lab[0] / "foreign.ipynb")
    with notebook(browser, lab, "foreign.ipynb") as page:
        page.locator(".jp-OutputArea-output img").wait_for(timeout=20_000)
        assert page.evaluate("() => document.querySelector('.jp-OutputArea-output img').naturalWidth") > 100
        assert not page.locator(".jp-OutputArea-output input").is_visible()


def moves(page):
    """Return whether the figure changes when the slider does, by the keyboard, and no error is shown."""
    page.locator(".mlm-slider img").wait_for(timeout=20_000)
    read = "() => document.querySelector('.mlm-slider img').src"
    before = page.evaluate(read)
    control = page.locator(".mlm-slider input")
    control.focus()
    control.press("ArrowRight")
    after = page.evaluate(read)
    assert page.locator(".mlm-slider output").inner_text() == "0.5"
    assert page.locator("text=model not found").count() == 0
    assert page.evaluate("() => document.querySelector('.mlm-slider img').naturalWidth") > 100
    return before != after


def test_progress_ends_as_one_line(browser, lab):
    with notebook(browser, lab, "progress.ipynb") as page:
        run_all(page, seconds=300)
        outputs = page.evaluate(f"() => {WIDGETS}[0].model.outputs.toJSON()")
        text = page.locator(".jp-OutputArea-output").inner_text().strip()
        assert page.locator(".jp-OutputArea-output").bounding_box()["height"] < 40
    assert len(outputs) == 1
    assert re.fullmatch(r"4 chains of 1,000 draws, \d+ divergences?, in [\d.]+ s, after [\d.]+ s of compiling", text)
