"""Comparing stored outputs with fresh ones, reading what tools answer, and finding versions: on made-up data."""

import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import course
from tools import audit, drift, versions
from tools.outputs import read_outputs
from tools.storage import markdown_table, store

ROOT = Path(__file__).resolve().parents[2]


def printed(*texts):
    """Return the outputs of a notebook whose cells print these texts."""
    return read_outputs({"cells": [{"outputs": [stream(text)]} for text in texts]})


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(table):
    """Return the outputs of a notebook that shows a table."""
    data = {"text/html": table.to_html(), "text/plain": table.to_string()}
    return read_outputs({"cells": [{"outputs": [{"output_type": "execute_result", "data": data}]}]})


def statuses(stored, fresh, again=None, others=()):
    return [verdict.status for verdict in drift.compare(stored, fresh, again, others)]


def numbers(outputs):
    return [token.value for output in outputs for token in output.tokens if token.value is not None]


# --- words and numbers ---


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("mean +0.90, off by -1.4 of 1,234 rows", [0.90, -1.4, 1234.0]),
        ("cc_27 has layer_1 and x^2", [2.0]),
        ("p = 2.8e-38 (0, 5)", [2.8e-38, 0.0, 5.0]),
        ("from 2013-01-01 on", []),
        ("R-hat 1.01; 3 x 4", [1.01, 3.0, 4.0]),
        ("10,20 and 1,000", [10.0, 20.0, 1000.0]),
    ],
)
def test_numbers_are_found_and_names_are_none(text, values):
    assert numbers(printed(text)) == values


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.3 s of sampling", "seconds"),
        ("took 12.5 ms", "seconds"),
        ("7 minutes", "seconds"),
        ("cells are 11,221 times faster", "seconds"),
        ("numpy 2.5.5", "versions"),
        ("2026-11-25 10:00", "dates"),
        ("0.3 sd", ""),
        ("12 samples", ""),
    ],
)
def test_what_a_clock_or_a_version_says_is_named_as_such(text, why):
    (token,) = [token for token in printed(text)[0].tokens if token.value is not None or token.unjudged]
    assert token.unjudged == why


def test_numbers_of_a_table_know_their_row_and_column():
    table = pd.DataFrame({"ess": [55.0, 3813.5], "sampling_seconds": [7.2, 0.3]}, index=["latent", "cells"])
    for shape, label in ((table, "cells, ess"), (table.T, "ess, cells")):
        tokens = [token for token in shown(shape)[0].tokens if token.value is not None]
        assert {token.label: token.value for token in tokens}[label] == 3813.5
        assert sorted(token.unjudged for token in tokens) == ["", "", "seconds", "seconds"]


def test_labels_of_rows_are_words_also_where_they_are_numbers():
    assert numbers(shown(pd.DataFrame({"mean": [0.5, 0.25]}, index=[10, 20]))) == [0.5, 0.25]


def test_table_with_several_levels_of_labels_keeps_its_columns():
    index = pd.MultiIndex.from_product([["a", "b"], ["c", "d"]])
    labels = [token.label for token in shown(pd.DataFrame({"x": range(4)}, index=index))[0].tokens if token.label]
    assert labels[0] == "a c, x"
    assert labels[2] == "b c, x"


def test_stream_in_pieces_is_one_output():
    pieces = read_outputs({"cells": [{"outputs": [stream("mean 1"), stream(".5\n")]}]})
    assert pieces == printed("mean 1.5\n")


# --- verdicts ---


def test_equal_outputs_are_the_same_however_wide_they_are_printed():
    assert statuses(printed("mean 1.0   sd 2"), printed("mean  1.0 sd   2")) == ["same", "same"]


def test_exact_number_that_changed_is_reported_though_other_seeds_were_tried():
    stored, fresh = printed("sum 419.82"), printed("sum 421.82")
    assert statuses(stored, fresh, fresh, [fresh] * 5) == ["changed"]


def test_last_digit_of_an_exact_number_is_rounding():
    stored, fresh = printed("log density 0.0020371"), printed("log density 0.0020372")
    assert statuses(stored, fresh, fresh, [fresh] * 5) == ["rounding"]
    stored, fresh = printed("12 cells"), printed("13 cells")  # a count does not round
    assert statuses(stored, fresh, fresh, [fresh] * 5) == ["changed"]


def runs_with(seeds, shift=0.0):
    return [printed(f"estimate {10 + shift + np.random.default_rng(seed).normal():.3f}") for seed in seeds]


def test_difference_within_the_spread_of_seeds_is_no_change():
    for seed in range(100, 140):
        (stored,) = runs_with([seed])
        (fresh,) = runs_with([seed + 1000])
        assert statuses(stored, fresh, fresh, runs_with(range(5))) == ["within"]


def test_difference_beyond_the_spread_of_seeds_is_a_change():
    (stored,), (fresh,) = runs_with([100], shift=20.0), runs_with([100])
    verdicts = drift.compare(stored, fresh, fresh, runs_with(range(5)))
    assert [verdict.status for verdict in verdicts] == ["changed"]
    assert verdicts[0].distance > drift.limit(1, 6)


def test_false_alarms_are_as_rare_as_said():
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(500):
        runs = [printed(" ".join(f"{x:.5f}" for x in rng.normal(size=10))) for _ in range(7)]
        alarms += "changed" in statuses(runs[0], runs[1], runs[1], runs[2:])
    assert alarms <= 500 * drift.FALSE_ALARM + 4 * math.sqrt(500 * drift.FALSE_ALARM)


def test_p_values_are_compared_by_their_order_of_magnitude():
    others = [printed(f"p {p:.2g}") for p in (1e-30, 3e-36, 2e-41, 8e-33)]
    fresh = printed("p 5e-37")
    assert statuses(printed("p 4e-35"), fresh, fresh, others) == ["within"]
    assert statuses(printed("p 0.5"), fresh, fresh, others) == ["changed"]


def test_what_differs_between_two_runs_alike_may_be_off_by_a_factor():
    fresh, again = printed("rows x 6,900"), printed("rows x 7,012")
    for stored, status in (("7,440", "within"), ("14,000", "within"), ("70", "changed"), ("69,000", "changed")):
        assert statuses(printed(f"rows x {stored}"), fresh, again, [fresh] * 3) == [status]


def test_numbers_are_compared_though_the_words_beside_them_depend_on_the_seed():
    def run(seed, x):
        return printed(f"start {'abcdefghi'[seed]}: {x:.3f}")

    others = [run(seed, x) for seed, x in enumerate((10.3, 9.1, 10.9, 9.6), start=1)]
    fresh = run(0, 10.0)
    assert statuses(run(0, 9.5), fresh, fresh, others) == ["within"]
    assert statuses(run(0, 95.0), fresh, fresh, others) == ["changed"]
    longer = [printed(f"{output[0].tokens[0].text} 1 2 3") for output in others]
    assert statuses(run(0, 95.0), fresh, fresh, longer) == ["words vary"]


def test_changed_words_are_a_change_unless_they_depend_on_the_seed():
    stored, fresh = printed("worst: mu_layer_1"), printed("worst: mu_layer_2")
    assert statuses(stored, fresh, fresh, [fresh, fresh]) == ["changed"]
    assert statuses(stored, fresh, fresh, [fresh, stored]) == ["words vary"]


def test_new_warning_or_missing_figure_is_a_change():
    cell = [stream("mean 1")]
    stored = read_outputs({"cells": [{"outputs": cell}]})
    warned = read_outputs({"cells": [{"outputs": [*cell, stream("DeprecationWarning: old", "stderr")]}]})
    figure = {"output_type": "display_data", "data": {"image/png": "x", "text/plain": "<Figure>"}}
    drawn = read_outputs({"cells": [{"outputs": [figure, *cell]}]})
    assert statuses(stored, warned) == statuses(drawn, stored) == ["changed"]
    (verdict,) = drift.compare(stored, warned)
    assert (verdict.stored, verdict.fresh) == ("nothing", "stderr in cell 1")


def test_seconds_and_versions_never_count_as_changed():
    stored, fresh = printed("0.3 s\nnumpy 2.5.5"), printed("9.9 s\nnumpy 2.6.0")
    assert statuses(stored, fresh) == ["seconds", "versions"]


# --- runs ---


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
        raise RuntimeError("NameError: x")

    result = drift.examine(pair, 2, run=run)
    assert result["failed"] == ["seed of the notebook: NameError: x"]
    assert "failed" in drift.row_of("01_a", result)


def test_rows_of_notebooks_that_did_not_run_stay_with_their_dates(pair, monkeypatch):
    book = pair.parent
    monkeypatch.setattr(drift, "NOTEBOOKS", pair.parent)
    row = {"numbers": 7, "date": "2020-01-02", "seeds": 3} | dict.fromkeys(drift.HEADER[2:-1], 0)
    old = {"notebooks": {"01_a": row, "02_b": row, "03_gone": row}}
    for name in ("01_a", "02_b"):
        (book / f"{name}.py").touch()
    (book / "drift.json").write_text(json.dumps(old), encoding="utf-8")
    result = drift.examine(pair, 5, run=lambda source, seed: printed("mean 1.50"))
    for _ in range(2):  # the second time it reads what it has written
        drift.keep_results([drift.row_of("01_a", result)], 5, book)
        stored = json.loads((book / "drift.json").read_text(encoding="utf-8"))
        assert stored["notebooks"]["02_b"] == row | {"date": "2020-01-02", "seeds": 3}
        assert stored["notebooks"]["01_a"]["date"] > "2020-01-02"
        assert stored["notebooks"]["01_a"]["seeds"] == 5
        table = (book / "tables" / "drift.md").read_text(encoding="utf-8").splitlines()
        assert [line.split(" | ")[0] for line in table[2:]] == ["| 01_a", "| 02_b"]
        assert table[3].endswith("| 2020-01-02 |")


def test_real_notebook_runs_with_its_own_seed_and_is_left_alone(tmp_path, monkeypatch):
    source = tmp_path / "01_a.py"
    kernel = "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     name: python3\n# ---\n\n"
    code = "# %%\nimport os\n\nprint('seed', os.environ.get('MLM_SEED', 5))\n"
    source.write_text(kernel + code, encoding="utf-8")
    monkeypatch.setenv("MLM_SEED", "3")  # that of whoever starts the comparison does not count
    assert numbers(drift.run_fresh(source, None)) == [5]
    assert [path.name for path in tmp_path.iterdir()] == ["01_a.py"]


# --- the audit ---

CLEAN = {"name": "numpy", "version": "2.5.5", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-2020-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "pandas", "skip_reason": "Dependency not found on PyPI and could not be audited: pandas (3.1.1)"}
NPM = {"metadata": {"dependencies": {"total": 3}}, "vulnerabilities": {}}


@pytest.mark.parametrize(
    ("packages", "code"),
    [
        ([CLEAN], audit.CLEAN),
        ([CLEAN, BAD], audit.VULNERABLE),
        ([CLEAN, SKIPPED], audit.NOT_AUDITED),
        ([SKIPPED], audit.NOT_AUDITED),
        ([BAD, SKIPPED], audit.VULNERABLE),
        ([], audit.NOT_AUDITED),
    ],
)
def test_only_a_package_that_was_looked_up_counts_as_audited(packages, code):
    assert audit.exit_code([audit.read_pip_audit(json.dumps({"dependencies": packages}), "")]) == code


def read_npm(answer, errors=""):
    return audit.read_npm_audit(answer, errors, "book/package-lock.json")


@pytest.mark.parametrize("read", [audit.read_pip_audit, read_npm])
@pytest.mark.parametrize("answer", ["", "not JSON", "[]", '{"message": "405 Method Not Allowed"}'])
def test_answer_that_is_none_is_not_clean(read, answer):
    found = read(answer, "ServiceError: connection refused\n")
    assert audit.exit_code([found]) == audit.NOT_AUDITED
    assert found.reason


def test_npm_answers_are_read():
    assert audit.exit_code([read_npm(json.dumps(NPM))]) == audit.CLEAN
    bad = NPM | {"vulnerabilities": {"d3": {"range": "<8", "severity": "high"}}}
    assert read_npm(json.dumps(bad)).vulnerable == ["d3 <8: high"]


def test_audit_that_reaches_nobody_says_so(monkeypatch, capsys):
    monkeypatch.setattr(audit, "audit_python", lambda uv: audit.Audit("uv.lock", missed=3, reason="refused"))
    monkeypatch.setattr(audit, "audit_npm", lambda folder: read_npm(json.dumps(NPM)))
    assert audit.main(["uv"]) == audit.NOT_AUDITED
    assert "NOT AUDITED: uv.lock" in capsys.readouterr().out


# --- versions ---


def test_python_is_found_by_version_or_path(tmp_path):
    own = course.base_python()
    version = versions.python_version(own)
    assert versions.python_version(versions.find_python(version)) == version
    assert versions.find_python(own) == own
    for wanted in ("3.99", str(tmp_path / "python")):
        with pytest.raises(course.CourseError, match="no Python 3.99|neither a version"):
            versions.find_python(wanted)


def test_difference_to_the_lock_file_is_listed():
    lock = {"package": [{"name": n, "version": v, "source": {"registry": "r"}} for n, v in [("a", "1"), ("b", "2")]]}
    assert versions.differences({"a": "1", "b": "2.1", "c": "3"}, lock) == [["b", "2", "2.1"], ["c", "", "3"]]


def test_lower_bound_that_nothing_reaches_is_named():
    extras = {name: [] for name in ("student", "dev", "site", "teach")} | {"student": ["duckdb>=1.5"]}
    project = {"dependencies": ["scipy>=1.15", "rich>=13"], "optional-dependencies": extras}
    (line,) = versions.unreached_bounds(project, {"scipy": "1.18.0", "rich": "13.0.0", "duckdb": "1.5.0"})
    assert line.startswith("scipy is admitted from 1.15 on, but 1.18.0")


def test_every_extra_is_tried():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    tried, waiting = set(), list(versions.EXTRAS)
    while waiting:
        name = waiting.pop()
        tried.add(name)
        for entry in extras[name]:
            included = re.match(r"mlm-tutorial\[(.*)\]", entry)
            waiting += included[1].split(",") if included else []
    assert tried == set(extras)


def test_every_requirement_states_a_lower_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    assert [entry for entry in entries if ">=" not in entry and not entry.startswith(project["name"])] == []


def test_report_of_pytest_is_read(tmp_path):
    report = tmp_path / "tests.xml"
    cases = '<testcase classname="t" name="a"/><testcase classname="t" name="b"><failure/></testcase>'
    cases += '<testcase classname="t" name="c"><skipped/></testcase>'
    head = '<testsuite tests="3" failures="1" errors="0" skipped="1" time="2.4">'
    report.write_text(f"<testsuites>{head}{cases}</testsuite></testsuites>", encoding="utf-8")
    found = versions.read_report(report)
    assert found == {"passed": 1, "failed": 1, "skipped": 1, "seconds": 2, "names_of_failed": ["t::b"]}


def test_numbers_of_some_tests_are_not_stored_as_those_of_all():
    with pytest.raises(course.CourseError, match="--store"):
        versions.try_versions("highest", "3.12", True, ["-k", "cells"])


def test_numbers_are_stored_with_their_table(tmp_path):
    store("made_up", {"x": 1}, markdown_table(["a|b"], [[1]]), tmp_path)
    assert json.loads((tmp_path / "made_up.json").read_text(encoding="utf-8")) == {"x": 1}
    assert (tmp_path / "tables" / "made_up.md").read_text(encoding="utf-8") == "| a\\|b |\n| --- |\n| 1 |\n"
