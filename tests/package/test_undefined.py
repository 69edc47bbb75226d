"""A check that runs before its cells says which cell to run first; any other error is shown as always."""

import json
import subprocess
import sys

import pytest
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.manager import start_new_kernel

from tools import environment, project

SHELL = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
shell.run_cell("import mlm_tutorial as mlm")
shell.run_cell({cell!r})
"""
ABOVE = "which is not defined yet: run the cell above, which defines it, and then this check again."


def shown(cell):
    """Return the output of IPython for a cell that runs after the package is imported."""
    command = [sys.executable, "-c", SHELL.format(cell=cell)]
    return subprocess.run(command, cwd=project.ROOT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    "cell",
    [
        'mlm.check("01.1", total_sd)',
        'x = 1\nmlm.check(\n    "01.1",\n    total_sd,\n)',
        'mlm.check("01.1", total_sd())',
    ],
    ids=["one line", "several lines", "called"],
)
def test_a_check_of_what_is_not_defined_names_the_cell_to_run(cell):
    assert shown(cell) == f"01.1 needs total_sd, {ABOVE}"


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("total_sd", "total_sd"),
        ('print(other); mlm.check("01.1", total_sd)', "other"),
        ('%time mlm.check("01.1", total_sd)', "total_sd"),
        ('def f(): return other\nf(); mlm.check("01.1", f)', "other"),
    ],
    ids=["no check", "another name", "a command of IPython", "inside a function"],
)
def test_any_other_error_is_shown_as_always(cell, name):
    text = shown(cell)
    assert "Traceback (most recent call last)" in text
    assert text.endswith(f"NameError: name '{name}' is not defined")


def test_a_fresh_kernel_of_the_course_explains_a_check_before_anything_is_imported(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", environment.of_project().variables()["JUPYTER_PATH"])
    manager, client = start_new_kernel()
    try:
        found = []
        for cell in ('mlm.check("01.1", total_sd)', "import mlm_tutorial as mlm", 'mlm.check("01.1", total_sd)'):
            reply = client.execute_interactive(cell, output_hook=found.append, timeout=60)
        assert reply["content"]["status"] == "error"  # so that the cells after it do not run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    errors = [message["content"]["traceback"] for message in found if message["msg_type"] == "error"]
    set_up = f"01.1 needs mlm, {ABOVE.replace('cell above', 'first code cell of the notebook')}"
    assert errors == [[set_up], [f"01.1 needs total_sd, {ABOVE}"]]


def test_the_kernel_of_the_course_is_the_usual_one_with_an_extension():
    path = project.ROOT / "tools" / "jupyter" / "kernels" / "python3" / "kernel.json"
    ours, usual = json.loads(path.read_text(encoding="utf-8")), get_kernel_dict()
    assert ours["argv"] == ["python", *usual["argv"][1:], "--IPKernelApp.extensions=mlm_tutorial.undefined"]
    assert {ours[key] == usual[key] for key in ("display_name", "language")} == {True}
