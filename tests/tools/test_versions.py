"""Other versions: a Python is found, and an environment is compared with the declared versions."""

import re
import tomllib

import pytest

from tools import bounds, project, versions
from tools.console import CourseError
from tools.environment import base_python


def test_python_is_found_by_version_or_path(tmp_path):
    own = base_python()
    version = versions.python_version(own)
    assert versions.python_version(versions.find_python(version)) == version
    assert versions.find_python(own) == own
    for wanted in ("3.99", str(tmp_path / "python")):
        with pytest.raises(CourseError, match="no Python 3.99|neither a version"):
            versions.find_python(wanted)


def test_difference_to_the_lock_file_is_listed():
    lock = {"package": [{"name": n, "version": v, "source": {"registry": "r"}} for n, v in [("a", "1"), ("b", "2")]]}
    assert bounds.differences({"a": "1", "b": "2.1", "c": "3"}, lock) == [["b", "2", "2.1"], ["c", "", "3"]]


def test_lower_bound_that_nothing_reaches_is_named():
    extras = {name: [] for name in ("student", "dev", "site", "teach")} | {"student": ["duckdb>=1.5"]}
    table = {"dependencies": ["scipy>=1.15", "rich>=13"], "optional-dependencies": extras}
    (line,) = bounds.unreached_bounds(table, {"scipy": "1.18.0", "rich": "13.0.0", "duckdb": "1.5.0"})
    assert line.startswith("scipy is admitted from 1.15 on, but 1.18.0")


def test_every_extra_is_tried():
    extras = tomllib.loads((project.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    tried, waiting = set(), list(versions.EXTRAS)
    while waiting:
        name = waiting.pop()
        tried.add(name)
        for entry in extras[name]:
            included = re.match(r"mlm-tutorial\[(.*)\]", entry)
            waiting += included[1].split(",") if included else []
    assert tried == set(extras)


def test_every_requirement_states_a_lower_bound():
    table = tomllib.loads((project.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = [*table["dependencies"], *sum(table["optional-dependencies"].values(), [])]
    assert [entry for entry in entries if ">=" not in entry and not entry.startswith(table["name"])] == []


def test_report_of_pytest_is_read(tmp_path):
    report = tmp_path / "tests.xml"
    cases = '<testcase classname="t" name="a"/><testcase classname="t" name="b"><failure/></testcase>'
    cases += '<testcase classname="t" name="c"><skipped/></testcase>'
    head = '<testsuite tests="3" failures="1" errors="0" skipped="1" time="2.4">'
    report.write_text(f"<testsuites>{head}{cases}</testsuite></testsuites>", encoding="utf-8")
    found = versions.read_report(report)
    assert found == {"passed": 1, "failed": 1, "skipped": 1, "seconds": 2, "names_of_failed": ["t::b"]}


def test_numbers_of_some_tests_are_not_stored_as_those_of_all():
    with pytest.raises(CourseError, match="--store"):
        versions.try_versions("highest", "3.12", True, ["-k", "cells"])
