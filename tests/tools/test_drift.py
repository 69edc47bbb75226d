"""Drift: a notebook runs as often as needed, and nothing stored changes."""

import json

import pytest

from tests.support.outputs import numbers, printed, stream
from tools import drift, project
from tools.console import CourseError


@pytest.fixture
def pair(tmp_path):
    """Return the source of a notebook that stores one number."""
    content = {"cells": [{"outputs": [stream("mean 1.50\n")]}]}
    (tmp_path / "01_a.ipynb").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path / "01_a.py"


def test_one_run_is_enough_where_nothing_differs(pair):
    result = drift.examine(pair, 5, run=lambda source, seed: printed("mean 1.50"))
    assert result["runs"] == 1
    assert drift.row_of("01_a", result)[:6] == ["01_a", 1, 1, 0, 0, 0]


def test_other_seeds_run_where_something_differs(pair):
    seeds = []

    def run(source, seed):
        seeds.append(seed)
        return printed(f"mean {1.6 + 0.1 * (seed or 0):.2f}")

    result = drift.examine(pair, 4, run=run)
    assert seeds == [None, None, 1, 2, 3, 4]
    assert [verdict.status for verdict in result["verdicts"]] == ["within"]
    assert drift.details({"01_a": result})[0][-1] == "within"


def test_run_that_fails_is_reported(pair):
    def run(source, seed):
        raise CourseError("NameError: x")

    result = drift.examine(pair, 2, run=run)
    assert result["failed"] == ["seed of the notebook: NameError: x"]
    assert "failed" in drift.row_of("01_a", result)


def test_rows_of_notebooks_that_did_not_run_stay_with_their_dates(pair, monkeypatch):
    folder = pair.parent
    monkeypatch.setattr(project, "NOTEBOOKS", pair.parent)
    monkeypatch.setattr(project, "RESULTS", pair.parent)
    row = {"numbers": 7, "date": "2020-01-02", "seeds": 3} | dict.fromkeys(drift.HEADER[2:-1], 0)
    old = {"notebooks": {"01_a": row, "02_b": row, "03_gone": row}}
    for name in ("01_a", "02_b"):
        (folder / f"{name}.py").touch()
    (folder / "drift.json").write_text(json.dumps(old), encoding="utf-8")
    result = drift.examine(pair, 5, run=lambda source, seed: printed("mean 1.50"))
    for _ in range(2):  # the second time it reads what it has written
        drift.keep_results([drift.row_of("01_a", result)], 5)
        stored = json.loads((folder / "drift.json").read_text(encoding="utf-8"))
        assert stored["notebooks"]["02_b"] == row | {"date": "2020-01-02", "seeds": 3}
        assert stored["notebooks"]["01_a"]["date"] > "2020-01-02"
        assert stored["notebooks"]["01_a"]["seeds"] == 5
        table = (folder / "tables" / "drift.md").read_text(encoding="utf-8").splitlines()
        assert [line.split(" | ")[0] for line in table[2:]] == ["| 01_a", "| 02_b"]
        assert table[3].endswith("| 2020-01-02 |")


def test_real_notebook_runs_with_its_own_seed_and_is_left_alone(tmp_path, monkeypatch):
    source = tmp_path / "01_a.py"
    kernel = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     name: python3\n# ---\n\n"
    code = "# %%\nimport os\n\nprint('seed', os.environ.get('MLM_SEED') or 5)\n"
    source.write_text(kernel + code, encoding="utf-8")
    monkeypatch.setenv("MLM_SEED", "3")  # the caller's own seed is ignored
    assert numbers(drift.run_fresh(source, None)) == [5]
    assert [path.name for path in tmp_path.iterdir()] == ["01_a.py"]
