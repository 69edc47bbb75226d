"""The samplers that are compared: each prepared once in a process of its own, and then asked for draws."""

import logging
import os
import time
import warnings

import numpy as np


def prepare(data: str, likelihood: str, coordinates: str, sampler: str):
    """Make a model, and compile it where that is a step of its own; return a function that samples and checks it."""
    import mlm_tutorial as mlm
    from tools.benchmarks import problems

    for name in ("pymc", "pytensor"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    frame, total, layers = problems.data(data)
    cells = mlm.cell_statistics(frame, total, layers)
    # With fixed scales, logarithms are good coordinates too: likelihoods and samplers are compared, not funnels.
    priors = mlm.Priors.from_cells(cells, pooled=False)
    if likelihood == "cells":
        model = mlm.cell_model(cells, priors, coordinates)
    elif coordinates == "log":
        model = mlm.observation_model(frame, total, layers, priors=priors)
    else:
        model = mlm.cell_model(one_cell_a_row(frame, total, cells), priors, coordinates)
    start = time.perf_counter()
    if sampler == "nutpie":
        # In log coordinates, low-rank adaptation diverges at settings at which the diagonal one passes.
        draw = _nutpie(model, **({"adaptation": "diag"} if coordinates == "log" else {}))
    else:
        draw = {"pymc": _pymc, "numpyro": _numpyro}[sampler](model)
    compile_seconds = time.perf_counter() - start

    def answer(prepare_only: bool = False, **settings) -> dict:
        if prepare_only:
            return {}
        tree, costs = draw(**settings)
        costs = {"compile_seconds": compile_seconds} | costs
        try:
            found = mlm.check_convergence(tree)
        except mlm.ConvergenceError as error:
            return {"problem": str(error)} | costs
        costs["gradients"] = int(tree["sample_stats"]["n_steps"].sum())
        for kind in ("bulk", "tail"):
            ess = float(found[f"min_ess_{kind}"])
            costs[f"min_ess_{kind}"] = ess
            costs[f"ess_{kind}_per_second"] = ess / costs["sampling_seconds"]
            costs[f"ess_{kind}_per_gradient"] = ess / costs["gradients"]
        return {"problem": ""} | costs

    return answer


def one_cell_a_row(frame, total, cells):
    """Return cells that hold one row each: the likelihood of rows, in the coordinates of :func:`mlm.cell_model`."""
    import mlm_tutorial as mlm
    from mlm_tutorial.rows import Table

    rows = Table(frame, cells.layers, total).rows(cells.labels)
    ones = np.ones(len(rows), int)
    return mlm.Cells(cells.layers, cells.labels, rows.codes, ones, rows.totals, np.zeros(len(rows)))


def _nutpie(model, **options):
    import mlm_tutorial as mlm

    compiled = mlm.compile_model(model)

    def draw(seed, tune, draws, target_accept):
        tree = mlm.sample(
            compiled, seed=seed, tune=tune, draws=draws, target_accept=target_accept, progress=False, **options
        )
        return tree, {"sampling_seconds": tree.attrs["sampling_seconds"]}

    return draw


def _pymc(model):
    import pymc as pm

    def draw(seed, tune, draws, target_accept):
        start = time.perf_counter()
        tree = pm.sample(**_of_both(model, seed, tune, draws, target_accept), nuts_sampler="pymc", cores=os.cpu_count())
        sampling = float(tree["posterior"].attrs["sampling_time"])
        return tree, {"compile_seconds": time.perf_counter() - start - sampling, "sampling_seconds": sampling}

    return draw


def _numpyro(model):
    import pymc as pm
    from jax import monitoring

    spans = []

    def note(event, duration, **_):
        if "/compile/" in event:
            end = time.perf_counter()
            spans.append((end - duration, end))

    monitoring.register_event_duration_secs_listener(note)

    def draw(seed, tune, draws, target_accept):
        spans.clear()
        start = time.perf_counter()
        tree = pm.sample(
            **_of_both(model, seed, tune, draws, target_accept),
            nuts_sampler="numpyro",
            nuts={"chain_method": "vectorized"},
        )
        compiling, whole = length(spans), time.perf_counter() - start
        return tree, {"compile_seconds": compiling, "sampling_seconds": whole - compiling}

    return draw


def length(spans) -> float:
    """Return the length of the union of intervals: compilations are reported inside each other."""
    length, reached = 0.0, -np.inf
    for start, end in sorted(spans):
        length += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return length


def _of_both(model, seed, tune, draws, target_accept) -> dict:
    """Return the arguments of pm.sample that do not depend on the sampler; chains start where nutpie's do."""
    return {
        "model": model,
        "random_seed": seed,
        "tune": tune,
        "draws": draws,
        "chains": 4,
        "initvals": getattr(model, "starts", None) or None,  # a model of single rows has none
        "target_accept": target_accept,
        "progressbar": False,
        "quiet": True,
        "compute_convergence_checks": False,
    }
