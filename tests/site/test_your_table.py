"""The page for analysts: its numbers are the stored ones, its lines run, and its sentences hold for its numbers."""

import json
import re

import pytest

import mlm_tutorial as mlm
from tests.support.pages import page_text, site_is_built
from tools import project

SOURCE = (project.BOOK / "your_table.md").read_text(encoding="utf-8")
STORED = json.loads((project.RESULTS / "benchmarks.json").read_text(encoding="utf-8"))["reml"]["rows"]
ROWS = {(row["case"], row["component"]): row for row in STORED}


def test_no_number_of_the_tables_is_typed():
    assert not re.search(r"\d\.\d", SOURCE)
    assert len(re.findall(r"```\{course-reml\} (\w+)", SOURCE)) == 3


@site_is_built
@pytest.mark.parametrize("case", ["gauge", "penicillin", "paste"])
def test_the_page_shows_the_stored_numbers_of_both(case):
    tables = re.findall(r"<table.*?</table>", page_text("book/your_table.html"), re.DOTALL)
    shown = [[float(x) for x in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", table)] for table in tables]
    wanted = []
    for (name, _), row in ROWS.items():
        if name == case:
            wanted += [row[key] for key in ("reml", "own_median", "own_lower", "own_upper")]
    (numbers,) = [found for found in shown if any(abs(x / wanted[0] - 1) < 0.005 for x in found)]
    for value in wanted:
        assert any(abs(x / value - 1) < 0.006 for x in numbers), value


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", SOURCE, re.DOTALL))
def test_the_lines_of_the_page_make_a_model(code, monkeypatch):
    given = []
    monkeypatch.setattr(mlm, "sample", lambda model, seed: given.append(model), raising=False)
    exec(code, {"mlm": mlm})
    assert len(given) == 1
    assert {"mu_baseline", "sigma_baseline"} <= {variable.name for variable in given[0].unobserved_RVs}


def test_what_the_page_says_of_its_numbers_holds():
    def seen(case, component):
        row = ROWS[case, component]
        return row["own_seen"] if row["contributors"] else row["own_median"]

    assert seen("gauge", "part") > 10 * max(seen("gauge", "operator"), seen("gauge", "residual"))
    operators = ROWS["gauge", "operator"]
    assert operators["own_upper"] > 100 * operators["own_lower"]
    assert seen("penicillin", "sample") > seen("penicillin", "plate") > seen("penicillin", "residual")
    assert seen("paste", "sample") > seen("paste", "batch")
    paste = {name: seen("paste", name) for case, name in ROWS if case == "paste"}
    assert paste["sample"] > sum(paste.values()) / 2
    batches = ROWS["paste", "batch"]
    assert batches["own_lower"] < 0.1
    assert batches["own_upper"] > seen("paste", "sample")


@site_is_built
def test_the_share_of_casks_is_that_of_the_stored_numbers():
    row = {name: found for (case, name), found in ROWS.items() if case == "paste"}
    share = row["sample"]["reml"] / sum(found["reml"] for found in row.values())
    assert re.search(rf"with REML.s numbers, {share:.0%}\.", page_text("book/your_table.html"))
