"""One posterior, many ways: likelihood of rows or cells, log or identified coordinates, three samplers."""

import itertools
import logging
import os
import time
import warnings
from contextlib import ExitStack

import numpy as np

from tools.benchmarks.store import spreads
from tools.benchmarks.workers import OutOfTimeError, Worker

SAMPLERS = ("nutpie", "pymc", "numpyro")
WAY = ("likelihood", "coordinates", "sampler")
#: Tuning steps, draws of each of four chains, target acceptance: the defaults, then more of everything. A way of
#: sampling climbs until its chains pass; ways that share coordinates start where the first of them has passed.
LADDER = [(1_000, 1_000, 0.9), (2_000, 10_000, 0.95), (4_000, 16_000, 0.99)]
#: The two ends of the comparison.
FASTEST, SLOWEST = ("cells", "identified", "nutpie"), ("rows", "log", "nutpie")
#: Which rung a way is measured at: the least at which it passes. The fastest way is measured at that of the slowest,
#: too, so that nothing differs between these two but likelihood and coordinates.
LEAST, OF_SLOWEST = "least that pass", "those of rows, log"
#: Seconds that one sampling with nutpie may take, by data; the others get half of it, or the whole would take hours.
LIMITS = {"cc_27 10000": 240, "flights": 60}
PREPARATION_LIMIT = 300
#: Seconds that all repeats of one way of sampling may take together; what takes long is repeated less often.
BUDGET = 300


def cases(quick: bool) -> list[dict]:
    """Return the ways to measure; those of one data set follow each other, cells first."""
    names = ("data", *WAY, "settings")
    chosen = []
    for data in ("cc_27 200",) if quick else LIMITS:
        ways = itertools.product(("cells", "rows"), ("identified", "log"), SAMPLERS)
        for way in (FASTEST, SLOWEST) if quick else ways:
            # A gradient of the flights' 327,346 rows takes hundreds of times as long as one of their cells: there, one
            # sampler is enough.
            if data != "flights" or way[0] == "cells" or way[2] == "nutpie":
                chosen.append((data, *way, LEAST))
        chosen.append((data, *FASTEST, OF_SLOWEST))
    return [dict(zip(names, case, strict=True)) for case in chosen]


def run(quick: bool = False, repeats: int = 3, report=print) -> list[dict]:
    """Measure every case; return a row for each."""
    chosen = cases(quick)
    with ExitStack() as stack:
        return _run(chosen, stack, repeats, report)


def _run(chosen, stack, repeats, report) -> list[dict]:
    rungs: dict[tuple, int] = {}
    answers: list[list[dict]] = [[] for _ in chosen]
    rows, workers = [], []
    for case, passed in zip(chosen, answers, strict=True):
        # Not all at once: they would compile at the same time.
        way = {name: case[name] for name in WAY}
        worker = stack.enter_context(Worker("tools.benchmarks.samplers:prepare", data=case["data"], **way))
        workers.append(worker)
        key = case["data"], case["coordinates"]
        row = case | {"passed": False, "problem": "", "rung": rungs.get(key, 0)}
        if case["settings"] == OF_SLOWEST:
            row["rung"] = next(x["rung"] for x in reversed(rows) if tuple(x[name] for name in WAY) == SLOWEST)
        limit = LIMITS.get(case["data"], 60) // (1 if case["sampler"] == "nutpie" else 2)
        try:
            row |= worker.ask(PREPARATION_LIMIT, prepare_only=True)
            while True:
                answer = worker.ask(limit, seed=1, **_settings(row["rung"]))
                row["problem"] = answer["problem"]
                if not answer["problem"]:
                    passed.append(answer)
                    rungs[key] = max(row["rung"], rungs.get(key, 0))
                    break
                if row["rung"] + 1 == len(LADDER) or case["settings"] != LEAST:
                    break
                row["rung"] += 1
        except OutOfTimeError:
            row["problem"] = f"no answer within {limit} s" + (f"; before, {row['problem']}" if row["problem"] else "")
        except RuntimeError as error:  # a sampler that fails does not end the comparison
            row["problem"] = f"error: {str(error).strip().splitlines()[-1]}"
        report(f"{_name(case)}: {row['problem'] or _summary(passed)}")
        rows.append(row)
    # One repeat of all before the next of any, so that a slow hour of the machine slows all alike.
    ended = set()
    for repeat in range(1, repeats):
        for worker, row, passed in zip(workers, rows, answers, strict=True):
            if worker not in ended and passed and (1 + repeat) * passed[0]["sampling_seconds"] < BUDGET:
                # Nothing is lost if the machine gets slow: it took less than the limit before.
                limit = 3 * LIMITS.get(row["data"], 60)
                try:
                    answer = worker.ask(limit, seed=1 + repeat, **_settings(row["rung"]))
                except OutOfTimeError:  # which ended the process
                    ended.add(worker)
                    continue
                # Which of the repeats pass is part of the result; their costs count all the same.
                row["repeats_failed"] = row.get("repeats_failed", 0) + bool(answer["problem"])
                if not answer["problem"]:
                    passed.append(answer)
    for row, passed in zip(rows, answers, strict=True):
        row["tune"], row["draws"], row["target_accept"] = LADDER[row.pop("rung")]
        row["passed"] = bool(passed)
        row |= spreads(passed)
    return rows


def _settings(rung: int) -> dict:
    return dict(zip(("tune", "draws", "target_accept"), LADDER[rung], strict=True))


def _name(case: dict) -> str:
    return ", ".join(case[key] for key in ("data", *WAY, "settings"))


def _summary(passed: list[dict]) -> str:
    return f"{passed[0]['ess_bulk_per_second']:,.1f} draws' worth a second"


# In the process of one case


def prepare(data: str, likelihood: str, coordinates: str, sampler: str):
    """Make a model, and compile it where that is a step of its own; return what samples and judges it."""
    import mlm_tutorial as mlm
    from tools.benchmarks import problems

    for name in ("pymc", "pytensor"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    frame, total, layers = problems.data(data)
    cells = mlm.cell_statistics(frame, total, layers)
    # With fixed scales, logarithms are good coordinates too: what is compared is likelihoods and samplers, not funnels.
    priors = mlm.Priors.from_cells(cells, pooled=False)
    if likelihood == "cells":
        model = mlm.cell_model(cells, priors, coordinates)
    elif coordinates == "log":
        model = mlm.observation_model(frame, total, layers, priors=priors)
    else:
        model = mlm.cell_model(_one_cell_a_row(frame, total, cells), priors, coordinates)
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


def _one_cell_a_row(frame, total, cells):
    """Return every row as a cell of its own: the likelihood of rows, in the coordinates of :func:`mlm.cell_model`."""
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
        compiling, whole = _length(spans), time.perf_counter() - start
        return tree, {"compile_seconds": compiling, "sampling_seconds": whole - compiling}

    return draw


def _length(spans) -> float:
    """Return the length of the union of intervals: compilations are noted inside of each other."""
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
