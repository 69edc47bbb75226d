"""The benchmarks measure what they claim, and their file of results is complete."""

import json
import os
import re
import subprocess
import sys
import time

import jsonschema
import numpy as np
import pandas as pd
import psutil
import pytest

import mlm_tutorial as mlm
from tests.support.problems import function
from tools import project
from tools.benchmarks import __main__ as command
from tools.benchmarks import (
    browser,
    cold,
    contributors,
    covariates,
    engines,
    problems,
    ratings,
    reml,
    report,
    rows,
    samplers,
    store,
    words,
)
from tools.benchmarks.workers import OutOfTimeError, Worker, measure, peak_memory

NUMBER = {"type": "number", "minimum": 0}
WHOLE = {"type": "integer", "minimum": 0}
TEXT = {"type": "string"}
SPREAD = {
    "type": "object",
    "properties": {"median": NUMBER, "min": NUMBER, "max": NUMBER, "repeats": {"type": "integer", "minimum": 1}},
    "required": ["median", "min", "max", "repeats"],
    "additionalProperties": False,
}


def table_of(required, measured=()):
    """Return the schema of a row: fields of every row, and fields of rows with measurements."""
    return {
        "type": "object",
        "properties": required | dict.fromkeys(measured, SPREAD),
        "required": list(required),
        "additionalProperties": False,
    }


ESS = [f"ess_{kind}_per_{unit}" for kind in ("bulk", "tail") for unit in ("second", "gradient")]
LEAST = ["min_ess_bulk", "min_ess_tail"]
ROWS = {
    "samplers": table_of(
        dict.fromkeys(("data", *samplers.WAY, "settings", "problem"), TEXT)
        | {"passed": {"type": "boolean"}, "tune": WHOLE, "draws": WHOLE, "target_accept": NUMBER},
        ["compile_seconds", "sampling_seconds", "gradients", *LEAST, *ESS],
    ),
    "rows": table_of(
        {"rows": WHOLE, "goal": {"enum": ["cells", "posterior"]}, "backend": TEXT, "problem": TEXT},
        ["seconds", "peak_bytes", "cells", "pass_seconds", "compile_seconds", "sampling_seconds"],
    ),
    "contributors": table_of(
        {"sizes": {"type": "array", "items": WHOLE}, "counts": TEXT, "pooled": {"type": "boolean"}}
        | {"problem": TEXT, "repeats": WHOLE, "passed": WHOLE},
        [
            "cells",
            "rows",
            "compile_seconds",
            "sampling_seconds",
            *LEAST,
            "ess_bulk_per_second",
            "ess_bulk_per_gradient",
        ],
    ),
    "calibration": table_of(
        dict.fromkeys(("replicates", "rows", "parameters", "failed"), WHOLE)
        | dict.fromkeys(("seconds", "compile_seconds", "seconds_per_replicate", "least_p"), NUMBER)
    ),
    "cold": table_of({"cache": TEXT}, [*cold.STAGES, "seconds", "peak_bytes"]),
    "reml": table_of(
        {"case": TEXT, "component": TEXT, "rows": WHOLE, "contributors": WHOLE, "reml": NUMBER}
        | {f"{key}_problem": TEXT for key in reml.MODELS.values()}
        | {f"{key}_{x}": NUMBER for key in reml.MODELS.values() for x in ("seen", "lower", "median", "upper")}
    ),
    "ratings": table_of(
        {"way": TEXT, "estimate": TEXT, "sizes": {"type": "object"}, "problem": TEXT},
        [
            *("seconds", "compile_seconds", "sampling_seconds", "peak_bytes", "max_rhat", *LEAST),
            *(f"{name}{end}" for name in (*ratings.LAYERS, ratings.RESIDUAL) for end in ("", "_lower", "_upper")),
        ],
    ),
}
ROWS["covariates"] = table_of(
    {"rows": WHOLE, "goal": {"enum": ["cells", "posterior"]}, "backend": TEXT},
    [f"{what}_{kind}" for what in ("seconds", "peak_bytes") for kind in ("without", "with")]
    + ["seconds", "peak_bytes", "pass_seconds", "compile_seconds", "sampling_seconds"],
)
ROWS["browser"] = table_of(
    {"table": TEXT, "rows": WHOLE, "cells": WHOLE, "rhat": NUMBER, "ess": WHOLE}, ["read_seconds", "fit_seconds"]
)
ROWS["tails"] = table_of(
    {"model": TEXT, "problem": TEXT, "days": WHOLE, "flights": WHOLE, "hour": NUMBER, "hour_seen": NUMBER}
    | {f"{kind}{end}": {"type": "number"} for kind in ("single", "together") for end in ("", "_error", "_days")}
)
ROWS["tails"]["properties"]["sampling_seconds"] = NUMBER
ROWS["samplers"]["properties"] |= {"prepare_seconds": NUMBER, "repeats_failed": WHOLE}
ROWS["cold"]["required"] += [*cold.STAGES, "seconds"]


def validate(content):
    """Check the form of a file of results, and that spreads are in order and passed rows have their numbers."""
    for subset, found in content.items():
        assert set(found) == {"date", "seconds", "machine", "settings", "rows"}
        jsonschema.validate(found["rows"], {"type": "array", "minItems": 1, "items": ROWS[subset]})
        for row in found["rows"]:
            for value in row.values():
                if isinstance(value, dict) and "median" in value:
                    assert value["min"] <= value["median"] <= value["max"]
            if subset == "samplers":
                assert row["passed"] == ("ess_bulk_per_second" in row), row
                assert row["passed"] or row["problem"]


def stored(subset):
    """Return the stored results of one subset."""
    content = store.load()
    assert subset in content, f"not measured: python course.py bench {subset}"
    return content[subset]


@pytest.mark.parametrize("subset", command.SUBSETS)
def test_stored_results_are_complete_and_of_full_size(subset):
    content = stored(subset)
    validate({subset: content})
    assert not content["settings"]["quick"]
    if report.has_figure(subset):
        assert report.path_of_figure(subset).stat().st_size > 10_000
        assert "nan" not in report.alt(subset, content)


def test_stored_samplers_are_all_that_are_to_be_compared():
    wanted = samplers.cases(quick=False)
    measured = stored("samplers")["rows"]
    assert [{key: row[key] for key in case} for row, case in zip(measured, wanted, strict=True)] == wanted
    for data in samplers.LIMITS:
        of = {
            (tuple(row[x] for x in samplers.WAY), row["settings"]): [row[x] for x in ("tune", "draws", "target_accept")]
            for row in measured
            if row["data"] == data
        }
        assert of[samplers.FASTEST, samplers.OF_SLOWEST] == of[samplers.SLOWEST, samplers.LEAST]


def test_stored_rows_have_every_size_on_every_backend():
    measured = {(row["rows"], row["backend"]) for row in stored("rows")["rows"] if row["goal"] == "cells"}
    assert measured == {(n, name) for name, most in rows.BACKENDS.items() for n in rows.SIZES if n <= most}


def test_stored_contributors_are_all_cases():
    rows_ = stored("contributors")["rows"]
    assert [{key: row[key] for key in ("sizes", "counts", "pooled")} for row in rows_] == contributors.cases(False)


def test_stored_comparison_with_reml_has_every_component():
    measured = [(row["case"], row["component"]) for row in stored("reml")["rows"]]
    assert measured == [(case, name) for case, (_, layers) in reml.CASES.items() for name in (*layers, reml.RESIDUAL)]


def test_stored_ratings_are_fitted_in_every_way_and_in_time():
    measured = {row["way"]: row for row in stored("ratings")["rows"]}
    assert list(measured) == list(ratings.WAYS)
    for row in measured.values():
        assert row["sizes"] == ratings.SIZES
        assert row["problem"] == ""
    ours = measured["mlm_tutorial"]
    assert ours["max_rhat"]["max"] < 1.01
    assert min(ours[name]["min"] for name in LEAST) > 400
    assert ours["sampling_seconds"]["median"] < 90


def test_stored_passes_with_covariates_cost_no_more_than_their_numbers():
    """A row has as many numbers more as there are covariates; sampling knows cells only."""
    measured = stored("covariates")["rows"]
    of_backend = {row["backend"]: row for row in measured if row["goal"] == "cells"}
    assert list(of_backend) == list(covariates.BACKENDS)
    assert covariates.ratio(of_backend["polars"], "seconds") < 1 + len(covariates.SLOPES)
    assert covariates.ratio(of_backend["polars"], "peak_bytes") < 1.5
    few, many = (row["sampling_seconds"]["median"] for row in measured if row["goal"] == "posterior")
    assert many < 3 * few


def test_the_page_fits_every_table_in_time():
    """The ratings with 400 effective draws of every scale, as the page asks before it shows anything."""
    measured = {row["table"]: row for row in stored("browser")["rows"]}
    assert list(measured) == list(browser.TABLES_OF)
    for name, most in {"penicillin": 2, "flights": 5, "ratings": 60}.items():
        assert measured[name]["fit_seconds"]["max"] < most
    assert min(row["ess"] for row in measured.values()) > 400
    assert measured["ratings"]["rows"] == ratings.SIZES["rows"]


def test_every_number_on_the_page_is_measured():
    page = (project.ROOT / "book" / "benchmarks.md").read_text(encoding="utf-8")
    prose = re.sub(r"```.*?```|`[^`]*`|\]\([^)]*\)", "", page, flags=re.DOTALL)
    # The threshold of a failed replicate is part of the package, not a result.
    assert re.findall(r"\d[\d.,]*\d|\d", prose) == ["1.05"]
    assert re.findall(r"\{course-benchmark\} (\w+)", page) == list(command.SUBSETS)


# --- tables and sentences ---


def test_failed_ways_show_no_effective_size():
    good = store.spread([2.0, 1.0, 4.0])
    base = {"data": "cc_27 10000", "sampler": "nutpie", "tune": 1_000, "draws": 1_000, "target_accept": 0.8}
    measured = dict.fromkeys(("compile_seconds", "sampling_seconds", "gradients", *LEAST, *ESS), good)
    base["settings"] = samplers.LEAST
    best = base | {"likelihood": "cells", "coordinates": "identified", "passed": True, "problem": ""} | measured
    equal = best | {"settings": samplers.OF_SLOWEST, "ess_bulk_per_second": store.spread([3.0])}
    naive = base | {"likelihood": "rows", "coordinates": "log", "passed": False, "problem": "not converged. R-hat"}
    content = {"rows": [naive, best, equal]}
    _, lines = samplers.effective_draws(content)
    assert lines[1][:4] == ("cc_27, 10,000 rows", "cells", "identified", "nutpie")
    assert lines[1][6] == "2.00 (1.00 to 4.00)"
    assert lines[2][-5:] == ("not converged", "failed", "failed", "failed", "failed")
    assert samplers.speed_up(content, "cc_27 10000") is None
    assert "no two runs that pass" in report.claims("samplers", content)[0]
    slow = dict(naive, passed=True, problem="", **measured | {"ess_bulk_per_second": store.spread([0.01])})
    both = {"rows": [slow, best, equal]}
    assert samplers.speed_up(both, "cc_27 10000") == pytest.approx(300)
    assert samplers.speed_up(both, "cc_27 10000", samplers.LEAST) == pytest.approx(200)
    assert re.search("300 times at the same settings, and 200 times where", report.claims("samplers", both)[0])
    # If only the equal settings fail, the sentence must not blame the rows.
    failed = equal | {"passed": False, "problem": "not converged. R-hat"}
    (sentence,) = report.claims("samplers", {"rows": [slow, best, failed]})
    assert "200 times" in sentence
    assert "same settings" not in sentence


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.00012, "1.2e-04"), (0.0123, "0.0123"), (0.5, "0.500"), (1.234, "1.23"), (12.34, "12.3"),
     (123.4, "123"), (22_000.4, "22,000")],
)  # fmt: skip
def test_numbers_have_three_digits(value, text):
    assert words.number(value) == text


def test_results_of_one_subset_leave_the_others_alone(tmp_path):
    path = tmp_path / "results.json"
    store.save("cold", [{"a": 1.23456, "b": [float("nan"), 2]}], 1.0, {}, path)
    store.save("rows", [{"a": 1}], 1.0, {}, path)
    store.save("rows", [{"a": 2}], 1.0, {}, path)
    content = store.load(path)
    assert content["cold"]["rows"] == [{"a": 1.235, "b": [None, 2]}]
    assert content["rows"]["rows"] == [{"a": 2}]


# --- processes ---


def test_a_worker_is_another_process_and_answers_again():
    with Worker("tests.support.answers:sleepy", {"BENCHMARK_TEST": "x"}) as worker:
        one, two = worker.ask(60), worker.ask(60)
    assert one["pid"] == two["pid"] != os.getpid()
    assert one["variable"] == "x"
    assert "BENCHMARK_TEST" not in os.environ


def test_a_worker_that_takes_too_long_is_ended():
    with Worker("tests.support.answers:sleepy") as worker:
        worker.ask(60)
        start = time.monotonic()
        with pytest.raises(OutOfTimeError, match="no answer within 0 s"):
            worker.ask(0.2, nap=60)
        assert time.monotonic() - start < 30
        assert not worker.process.is_alive()


def test_a_failure_in_a_worker_is_reported():
    with Worker("tests.support.answers:sleepy") as worker, pytest.raises(RuntimeError, match="ValueError: on purpose"):
        worker.ask(60, fail=True)


@pytest.mark.skipif(os.name != "posix", reason="the system ends processes in another way")
def test_measurements_that_are_ended_leave_no_process(tmp_path):
    command = [sys.executable, "-m", "tools.benchmarks", "calibration", "--output", str(tmp_path / "results.json")]
    process = psutil.Popen(command, cwd=project.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    started = time.monotonic()
    children = []
    # A new process that has not yet been told what to do says so when its parent ends; one that imports has been told.
    while not any(child.memory_info().rss > 60e6 for child in children) and time.monotonic() - started < 60:
        time.sleep(0.2)
        children = process.children(recursive=True)
    assert children
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Stopped" in said
    assert b"Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_the_peak_of_memory_is_that_of_the_worker_alone():
    assert peak_memory() > 1.5e8  # which a child would inherit, were it asked for `ru_maxrss`
    answer = measure("tests.support.answers:hungry", 60, n_bytes=300_000_000)
    assert 2.9e8 < answer["grown"] < 4e8
    assert answer["before"] < 1e8


# --- what is measured ---


def test_rows_as_cells_of_their_own_have_the_same_posterior_density():
    frame, total, layers = problems.data("cc_27 60")
    cells = mlm.cell_statistics(frame, total, layers)
    priors = mlm.Priors.from_cells(cells)
    single = engines.one_cell_a_row(frame, total, cells)
    assert single.n_observations == cells.n_observations == len(single)
    assert single.residual_variance() == pytest.approx(cells.residual_variance(), rel=1e-6)
    models = [mlm.cell_model(x, priors) for x in (cells, single)]
    differences = []
    for model in models:
        logp = function(model.value_vars, model.logp())
        start = [model.initial_point()[value.name] for value in model.value_vars]
        differences.append(logp(*(x + 0.1 for x in start)) - logp(*start))
    assert differences[0] == pytest.approx(differences[1], rel=1e-6)


def test_compilations_inside_of_compilations_count_once():
    assert engines.length([(0, 2), (1, 1.5), (1, 3), (5, 6)]) == 4
    assert engines.length([]) == 0


def test_all_backends_reduce_a_file_to_the_same_cells(tmp_path):
    path = tmp_path / "rows.parquet"
    rows.write(path, 2_000)
    expected = mlm.cell_statistics(pd.read_parquet(path), "total", list(problems.SIMULATED.names))
    for backend in ("polars", "duckdb", "pyarrow", "pyarrow batches", "pandas"):
        got = rows.reader_of(backend)(path)
        np.testing.assert_array_equal(got.n, expected.n)
        np.testing.assert_allclose(got.sum_sq, expected.sum_sq, rtol=1e-10)


def test_a_file_of_several_chunks_has_all_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK", 300)
    rows.write(tmp_path / "x.parquet", 1_000)
    frame = pd.read_parquet(tmp_path / "x.parquet")
    assert len(frame) == 1_000
    assert frame["total"].nunique() == 1_000


@pytest.mark.parametrize("unequal", [False, True])
def test_a_large_layer_has_the_stated_counts(unequal):
    cells = problems.one_large_layer(30, unequal)
    counts = cells.counts(cells.layers[0])
    assert len(cells.labels[cells.layers[0]]) == 30
    assert (counts.max() / counts.min() > 10) == unequal


def test_crossed_layers_have_nearly_as_many_cells_as_rows():
    cells = problems.crossed_layers((300, 100), 2_000)
    assert cells.n_observations == 2_000
    assert 0.8 * 2_000 < len(cells) < 2_000
    # A contributor without a row does not occur.
    assert all(0.9 * m < len(cells.labels[name]) <= m for name, m in zip(cells.layers, (300, 100), strict=True))


def test_ratings_have_the_stated_shape():
    frame = ratings.simulate()
    assert len(frame) == ratings.SIZES["rows"]
    assert {name: frame[name].nunique() for name in ratings.LAYERS} == {x: ratings.SIZES[x] for x in ratings.LAYERS}
    assert not frame.duplicated(["student", "teacher"]).any()
    assert frame.groupby("teacher")["department"].nunique().max() == 1
    for name in ("student", "teacher"):
        counts = frame[name].value_counts()
        assert counts.max() > 4 * counts.median()
    pd.testing.assert_frame_equal(frame, ratings.simulate())
    assert not frame.equals(ratings.simulate(seed=2))


def test_ratings_have_the_stated_scales():
    frame = ratings.simulate()
    assert frame["rating"].mean() == pytest.approx(ratings.MEAN, abs=0.2)
    # A teacher's few ratings differ by the residual and by students.
    within = (frame["rating"] - frame.groupby("teacher")["rating"].transform("mean")).std()
    assert within == pytest.approx(np.hypot(ratings.SCALES["student"], ratings.SCALES["residual"]), rel=0.02)


def test_ratings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="200 rows are too many for 10 students of 10 teachers"):
        ratings.simulate({"rows": 200, "student": 10, "teacher": 10, "department": 2})


def test_a_fit_that_failed_shows_no_numbers():
    row = {"way": "mixedlm", "estimate": "REML", "sizes": ratings.SIZES, "problem": "no answer within 400 s"}
    content = {"rows": [row]}
    assert ratings.compared(content)[1] == [("mixedlm", "REML", "not finished", *[""] * 6)]
    assert len(ratings.scales(content)[1]) == 1
    assert ratings.claims(content) == [
        "On 73,421 ratings, 2,972 students, 1,128 teachers and 14 departments, the posterior's chains did not converge."
    ]
    numbers = dict.fromkeys(("seen", "lower", "median", "upper"), 1.0)
    row = {"case": "gauge", "component": "part", "rows": 90, "contributors": 10, "reml": 0.5, "own_problem": "R-hat"}
    row |= {"one_problem": ""} | {f"{key}_{x}": value for key in ("one", "own") for x, value in numbers.items()}
    assert reml.compared({"rows": [row]})[1][0][3:] == ("1.00", "1.00 (1.00 to 1.00)", "not converged", "")
    (sentence,) = reml.claims({"rows": [row]})
    assert "0 of 1 90% intervals" in sentence
    assert "at most 100%" in sentence


def test_unknown_subsets_are_named(capsys):
    with pytest.raises(SystemExit):
        command.main(["flights"])
    assert "unknown subset flights; there are samplers, rows" in capsys.readouterr().err


def test_a_subset_runs_and_is_stored_in_seconds(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rows, "POSTERIOR_BACKENDS", ())
    output = tmp_path / "results.json"
    command.main(["rows", "--quick", "--repeats", "1", "--output", str(output)])
    content = store.load(output)
    validate(content)
    assert [row["rows"] for row in content["rows"]["rows"]] == [1_000, 1_000, 5_000, 5_000]
    assert content["rows"]["rows"][0]["cells"]["median"] == 12
    assert "5,000 rows to cells, polars" in capsys.readouterr().out
    report.draw("rows", content["rows"], tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000


#: Notebook 16 fits what the subset `tails` does, and `built` below says why `browser` may be missing.
RUN_HERE = [subset for subset in command.SUBSETS if subset != "tails"]


@pytest.mark.slow(20)
@pytest.mark.versions
@pytest.mark.parametrize("subset", RUN_HERE)
def test_a_subset_runs_at_its_smallest(subset, tmp_path):
    built = "CI" in os.environ or (project.SITE / "book" / "apart.html").exists()  # other versions have no site
    if subset == "browser" and not built:
        pytest.skip("needs the site")
    output = tmp_path / "results.json"
    command.main([subset, "--quick", "--repeats", "1", "--output", str(output)])
    content = json.loads(output.read_text(encoding="utf-8"))
    assert set(content) == {subset}
    validate(content)
    found = content[subset]
    if subset == "samplers":
        assert found["rows"][0]["passed"]
    assert report.tables(subset, found)
    assert all(isinstance(sentence, str) for sentence in report.claims(subset, found))
    if report.has_figure(subset):
        report.draw(subset, found, tmp_path / "figure.png")
        assert report.alt(subset, found)
