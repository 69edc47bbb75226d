"""Each notebook is a pair of files that agree, stored as one complete run left it."""

import json
from pathlib import Path

import jupytext
import nbformat
import pytest
from jupytext.config import load_jupytext_config

from tools import notebooks

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
STEMS = sorted({path.stem for pattern in ("*.py", "*.ipynb") for path in NOTEBOOKS.glob(pattern)})
# Without notebooks the parametrized tests would be skipped, not fail; this one fails.
each_notebook = pytest.mark.parametrize("stem", STEMS)


def read(stem):
    return nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)


def code_cells(stem):
    return [cell for cell in read(stem).cells if cell.cell_type == "code" and cell.source.strip()]


def outputs(stem):
    return [(cell, output) for cell in code_cells(stem) for output in cell.outputs]


def test_there_are_notebooks():
    assert {stem[:2] for stem in STEMS} >= {"01", "04", "15"}


@each_notebook
def test_source_and_notebook_hold_the_same_cells(stem):
    source, notebook = NOTEBOOKS / f"{stem}.py", NOTEBOOKS / f"{stem}.ipynb"
    assert source.exists(), f"{source.name} is missing"
    assert notebook.exists(), f"{notebook.name} is missing: run `python course.py run {stem}`"
    config = load_jupytext_config(str(notebook))
    expected = jupytext.writes(jupytext.read(notebook), fmt="py:percent", config=config)
    message = f"the pair differs: run `python course.py run {stem}`"
    assert source.read_text(encoding="utf-8") == expected, message


@each_notebook
def test_outputs_are_those_of_one_complete_run(stem):
    counts = [cell.execution_count for cell in code_cells(stem)]
    assert counts == list(range(1, len(counts) + 1))


@each_notebook
def test_outputs_come_from_the_present_code(stem):
    content = json.loads((NOTEBOOKS / f"{stem}.ipynb").read_text(encoding="utf-8"))
    noted = content["metadata"].get("course", {}).get("outputs_of")
    assert noted == notebooks.code_digest(content), f"outputs are old: run `python course.py run {stem}`"


@each_notebook
def test_no_error_is_stored(stem):
    for cell, output in outputs(stem):
        expected = {"raises-exception", "nbval-raises-exception"} & set(cell.metadata.get("tags", []))
        assert output.output_type != "error" or expected, cell.source


@each_notebook
def test_nothing_on_stderr_is_stored(stem):
    for cell, output in outputs(stem):
        assert output.get("name") != "stderr", cell.source + "\n\nprinted\n\n" + output.text


@each_notebook
def test_kernel_exists_on_every_machine(stem):
    assert read(stem).metadata.kernelspec.name == "python3"


@each_notebook
def test_notebook_is_stored_clean(stem):
    notebook = read(stem)
    assert "widgets" not in notebook.metadata
    assert [cell.id for cell in notebook.cells] == [str(number) for number in range(len(notebook.cells))]
    assert not any("execution" in cell.metadata for cell in notebook.cells)


@each_notebook
def test_pairs_store_their_jupytext_filters(stem):
    # Without them JupyterLab refuses a pair whose .ipynb has the later date, as a copied folder may have.
    config = load_jupytext_config(str(NOTEBOOKS / f"{stem}.ipynb"))
    stored = read(stem).metadata.jupytext
    assert stored.cell_metadata_filter == config.cell_metadata_filter
    assert stored.notebook_metadata_filter == config.notebook_metadata_filter
