"""Seconds of each stage from a cold kernel to a first converged posterior."""

import tempfile
import time

from tools.benchmarks import words
from tools.benchmarks.store import spread
from tools.benchmarks.words import Table, number
from tools.benchmarks.workers import measure, peak_memory

LIMIT = 300
#: Stages of a first fit, and their names in tables.
STAGES = {
    "import": "importing",
    "cells": "simulating and reducing rows",
    "model": "building the model",
    "compile": "compiling",
    "sample": "sampling",
    "check": "checking convergence, and sampling more where that asks for it",
}


def run(quick: bool = False, repeats: int = 3, report=print) -> list[dict]:
    """Measure new processes with an empty and with a filled compilation cache; return a row for each.

    `quick` compiles with whatever this machine's own cache holds.
    """
    answers = {"empty": [], "filled": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            variables = {} if quick else {"PYTENSOR_FLAGS": f"base_compiledir={cache}", "NUMBA_CACHE_DIR": cache}
            for name in ["filled"] if quick else answers:
                answers[name].append(measure("tools.benchmarks.cold:prepare", LIMIT, variables, rows=10_000))
    rows = []
    for name, measured in answers.items():
        if measured:
            keys = [key for key in measured[0] if key != "prepare_seconds"]
            rows.append({"cache": name} | {key: spread([answer[key] for answer in measured]) for key in keys})
            report(f"{name} cache: {rows[-1]['seconds']['median']:.1f} s")
    return rows


def prepare(rows: int):
    """Return a function that runs a reader's first fit in stages."""
    return lambda: _stages(rows)


def _stages(rows: int) -> dict:
    marks = [time.perf_counter()]

    def mark():
        marks.append(time.perf_counter())

    import arviz  # noqa: F401 - imported here because the time that this takes is measured
    import nutpie  # noqa: F401
    import pymc  # noqa: F401

    import mlm_tutorial as mlm

    mlm.check_convergence, mlm.cell_model, mlm.sample, mlm.cell_statistics  # noqa: B018 - loaded when first named
    mark()
    from tools.benchmarks.problems import SIMULATED

    cells = mlm.cell_statistics(SIMULATED.simulate(rows, rng=1), "total", list(SIMULATED.names))
    mark()
    model = mlm.cell_model(cells)
    mark()
    compiled = mlm.compile_model(model)
    mark()
    tree = mlm.sample(compiled, seed=1, progress=False)
    mark()
    try:
        mlm.check_convergence(tree)
    except mlm.ConvergenceError:  # one fit in some twenty: take more draws, as the message says
        mlm.check_convergence(mlm.sample(compiled, draws=4000, seed=1, progress=False))
    mark()
    stages = {name: after - before for name, before, after in zip(STAGES, marks, marks[1:], strict=False)}
    return stages | {"seconds": marks[-1] - marks[0], "peak_bytes": peak_memory()}


def stages(content: dict) -> Table:
    """Return the table of stages from a cold kernel to a posterior."""
    header = ("stage", *(f"{row['cache']} cache, s" for row in content["rows"]))
    table = [(text, *(words.spread(row[name]) for row in content["rows"])) for name, text in STAGES.items()]
    return header, [*table, ("together", *(words.spread(row["seconds"]) for row in content["rows"]))]


TABLES = [("Stages of a first posterior", stages)]


def claims(content: dict) -> list[str]:
    """Return the results in sentences."""
    sentences = []
    for row in content["rows"]:
        longest = sorted(STAGES, key=lambda name: -row[name]["median"])[:2]
        shares = " and ".join(f"{STAGES[x]} {row[x]['median'] / row['seconds']['median']:.0%}" for x in longest)
        together = number(row["seconds"]["median"])
        sentences.append(
            f"With an {row['cache']} cache, {together} s pass: {shares}."
            if row["cache"] == "empty"
            else f"With a {row['cache']} cache, {together} s pass: {shares}."
        )
    return sentences


DRAWN = "One bar for each state of the cache, divided into the seconds of the stages."


def draw(content: dict, plt):
    """Return the figure."""
    rows = content["rows"]
    figure, axis = plt.subplots(figsize=(8, 1.4 + 0.6 * len(rows)), layout="constrained")
    left = [0.0] * len(rows)
    for i, (name, text) in enumerate(STAGES.items()):
        width = [row[name]["median"] for row in rows]
        axis.barh([f"{row['cache']} cache" for row in rows], width, left=left, label=text, color=f"C{i}")
        left = [a + b for a, b in zip(left, width, strict=True)]
    axis.set(xlabel="seconds")
    axis.invert_yaxis()
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.35), ncols=3, frameon=False)
    return figure
