"""Running notebooks: measured times are kept, and are small enough."""

import json
import os

import nbformat

from tools import cli, notebooks, project

ROOT = project.ROOT


def test_times_of_some_notebooks_leave_those_of_others(monkeypatch, tmp_path):
    monkeypatch.setattr(project, "RESULTS", tmp_path)
    notebooks.note_times({"02_b": {"seconds": 2.0, "peak_gb": 0.2}})
    notebooks.note_times({"01_a": {"seconds": 1.0, "peak_gb": 0.1}})
    stored = json.loads((tmp_path / "times.json").read_text(encoding="utf-8"))
    assert [(name, row["seconds"]) for name, row in stored["notebooks"].items()] == [("01_a", 1.0), ("02_b", 2.0)]
    assert stored["machine"]["cores"] == os.cpu_count()


def test_every_notebook_is_fast_and_small_enough():
    stored = json.loads((ROOT / "results" / "times.json").read_text(encoding="utf-8"))["notebooks"]
    assert set(stored) == {path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")}
    assert max(row["seconds"] for row in stored.values()) <= 120  # with an empty cache
    assert max(row["peak_gb"] for row in stored.values()) < 2
    on_the_way = [row for name, row in stored.items() if not name.startswith("16")]  # which no later notebook needs
    assert sum(row["seconds"] for row in on_the_way) < 20 * 60


def test_a_stored_solution_takes_new_metadata_and_keeps_its_outputs(tmp_path):
    """Folding a cell changes no output, so it takes no run."""
    stored, draft = tmp_path / "stored.ipynb", tmp_path / "draft.ipynb"
    output = nbformat.v4.new_output("stream", text="1\n")
    cell = nbformat.v4.new_code_cell("print(1)", execution_count=1, outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), stored)
    folded = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)", metadata=folded)]), draft)
    notebooks.take_metadata(draft, stored)
    (found,) = nbformat.read(stored, as_version=4).cells
    assert found.metadata == folded
    assert (found.outputs, found.execution_count) == ([output], 1)


def test_unknown_notebook_is_named(capsys):
    assert cli.main(["run", "99_none"]) == 1
    assert "No notebook's name starts with 99_none" in capsys.readouterr().err
