"""JupyterLab as ``python course.py open`` starts it, in a real browser: a notebook runs and contacts no other host."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.support.browsing import BROWSER, opened
from tools import cli, environment, install, project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="needs Chromium"),
]
TOKEN = "of-a-test"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve a copy of notebook 01, so that saving changes only the copy; return the address of the notebook."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for path in [*project.NOTEBOOKS.glob("01_*"), project.NOTEBOOKS / "jupytext.toml"]:
        shutil.copy(path, folder / "notebooks")
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
    log = (folder / "log.txt").open("w", encoding="utf-8")
    with log, subprocess.Popen([sys.executable, *map(str, command)], stdout=log, stderr=log, env=variables) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{address}/api?token={TOKEN}")
            (notebook,) = (folder / "notebooks").glob("*.ipynb")
            yield f"{address}/lab/tree/notebooks/{notebook.name}?token={TOKEN}"
        finally:
            process.terminate()
            process.wait(30)


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
    const kernel = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}"""
# Cells out of sight may not be on the page, so the notebook is asked.
WIDGETS = "jupyterapp.shell.currentWidget.content.widgets"
ALL_RAN = f"() => {WIDGETS}.filter(x => x.model.type === 'code').every(x => x.model.executionCount)"
FAILED = f"() => {WIDGETS}.flatMap(x => x.model.outputs?.toJSON() ?? []).filter(x => x.output_type === 'error').length"
TO_QUIZ = f"""() => jupyterapp.shell.currentWidget.content.scrollToItem(
    {WIDGETS}.findIndex(x => x.model.sharedModel.getSource().startsWith('mlm.quiz')), 'center')"""


def test_a_notebook_runs_in_jupyterlab_and_loads_nothing_from_elsewhere(browser, lab):
    with opened(browser, lab) as page:
        page.locator(".jp-Notebook mjx-container").first.wait_for(timeout=60_000)
        page.wait_for_function(READY, timeout=60_000)
        page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(ALL_RAN, timeout=180_000)
        assert page.evaluate(FAILED) == 0
        page.evaluate(TO_QUIZ)
        page.locator(".MCButton").first.click()
        page.locator(".Feedback.correct, .Feedback.incorrect").first.wait_for(timeout=10_000)
        page.wait_for_timeout(1_000)  # jupyterquiz looks for MathJax 500 ms after it is shown
        # No prompt about news, and no notice of a newer version.
        assert page.locator(".Toastify__toast").count() == 0
