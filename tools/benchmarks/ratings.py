"""A large problem: ratings of a thousand teachers by thousands of students, with this package and with others.

The model is the classical one, with one residual: contributors shift totals and add no spread of their own.
"""

import importlib.util
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from tools.benchmarks.store import spreads
from tools.benchmarks.words import Table, number, size, spread
from tools.benchmarks.workers import OutOfTimeError, Worker, peak_memory

LAYERS = ["student", "teacher", "department"]
RESIDUAL = "residual"
#: Rows and contributors of InstEval, the ratings of lectures at ETH Zurich that come with lme4.
SIZES = {"rows": 73_421, "student": 2_972, "teacher": 1_128, "department": 14}
SMALL = {"rows": 100, "student": 40, "teacher": 20, "department": 3}
#: Standard deviations that lme4 finds in InstEval, and the mean of its ratings.
SCALES = {"student": 0.326, "teacher": 0.517, "department": 0.09, RESIDUAL: 1.178}
MEAN = 3.2
INTERVAL = 0.9
#: Seconds for one answer, and for all repeats of a way together; slow ways are repeated less often.
LIMIT, BUDGET = 400, 200


def simulate(sizes: dict[str, int] = SIZES, seed: int = 1) -> pd.DataFrame:
    """Simulate ratings: no student rates a teacher twice, and every teacher is of one department.

    Parameters
    ----------
    sizes : dict of str to int
        Number of ``"rows"``, and of contributors of each layer.
    seed : int
        Seed of truth and table.

    Returns
    -------
    pandas.DataFrame
        ``rating``, and for each layer a number from 0. Each contributor has at least one row, and counts are unequal.
    """
    rng = np.random.default_rng(seed)
    n = sizes["rows"]
    # The shapes make teachers' counts as unequal as exponential variables, students' and departments' less so.
    student, teacher = _unequal(rng, n, sizes["student"], 3.0), _unequal(rng, n, sizes["teacher"], 1.0)
    department = _unequal(rng, sizes["teacher"], sizes["department"], 3.0)[teacher]
    rng.shuffle(student)
    for _ in range(1_000):
        again = pd.DataFrame({"student": student, "teacher": teacher}).duplicated().to_numpy()
        if not again.any():
            break
        # Swapping students between rows leaves all counts as they are.
        moved = np.union1d(np.flatnonzero(again), rng.choice(n, again.sum()))
        student[moved] = rng.permutation(student[moved])
    else:
        raise ValueError(f"{n} rows are too many for {sizes['student']} students of {sizes['teacher']} teachers")
    columns = {"student": student, "teacher": teacher, "department": department}
    rating = MEAN + rng.normal(0, SCALES[RESIDUAL], n)
    for name, codes in columns.items():
        rating += rng.normal(0, SCALES[name], sizes[name])[codes]
    return pd.DataFrame({"rating": rating, **columns})


def _unequal(rng: np.random.Generator, n: int, m: int, shape: float) -> np.ndarray:
    """Return n codes below m in order, each at least once, whose probabilities are gamma variables of a shape."""
    return np.repeat(np.arange(m), 1 + rng.multinomial(n - m, rng.dirichlet(np.full(m, shape))))


# Ways to fit. Each returns numbers by name: seconds, standard deviations by layer, and other results it has.


def fit_posterior(frame: pd.DataFrame, seed: int = 1, **sampler) -> dict:
    """Sample the pooled model with every contributor's own spread known to be 0, at the course's defaults.

    Parameters
    ----------
    frame : pandas.DataFrame
        As from :func:`simulate`.
    seed : int
        Seed of the sampler.
    **sampler
        For `mlm.sample`.
    """
    import mlm_tutorial as mlm
    from tools.benchmarks.reml import variances

    start = time.perf_counter()
    cells = mlm.cell_statistics(frame, total="rating", layers=LAYERS)
    model = mlm.cell_model(cells, priors=mlm.Priors.from_cells(cells, known_sigma=dict.fromkeys(LAYERS, 0)))
    idata = mlm.sample(model, seed=seed, progress=False, **sampler)
    found = {"seconds": time.perf_counter() - start}
    found |= {name: float(idata.attrs[name]) for name in ("compile_seconds", "sampling_seconds")}
    found |= _convergence(idata)
    for name, draws in variances(idata, LAYERS)["population"].items():
        limits = np.sqrt(np.quantile(draws, [(1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2]))
        found |= dict(zip((f"{name}_lower", name, f"{name}_upper"), map(float, limits), strict=True))
    return found


def _convergence(idata) -> dict:
    """Return the numbers of the convergence check, if defined, and its verdict as ``"problem"``."""
    import mlm_tutorial as mlm

    found, problem = {}, ""
    anything = {"max_rhat": np.inf, "min_ess": 0, "max_divergences": np.inf}
    for limits in ({}, anything):
        try:
            found = mlm.check_convergence(idata, **limits)
            break
        except mlm.ConvergenceError as error:
            problem = problem or str(error)
    names = ("max_rhat", "min_ess_bulk", "min_ess_tail")
    return {name: float(found[name]) for name in names if name in found} | {"problem": problem}


def fit_mixedlm(frame: pd.DataFrame, seed: int = 1) -> dict:
    """Estimate by REML with the package mixedlm; `seed` is not used."""
    from mixedlm import lmer

    start = time.perf_counter()
    result = lmer("rating ~ 1" + "".join(f" + (1 | {name})" for name in LAYERS), frame)
    found = {"seconds": time.perf_counter() - start, "problem": "" if result.converged else "not converged"}
    groups = result.VarCorr().groups
    return found | {name: groups[name].stddev["(Intercept)"] for name in LAYERS} | {RESIDUAL: float(result.sigma)}


def fit_gpboost(frame: pd.DataFrame, seed: int = 1) -> dict:
    """Estimate by maximum likelihood with the package GPBoost, which has no REML; `seed` is not used."""
    from gpboost import GPModel

    start = time.perf_counter()
    model = GPModel(group_data=frame[LAYERS].to_numpy(), likelihood="gaussian")
    model.fit(y=frame["rating"].to_numpy(), X=np.ones((len(frame), 1)))
    found = {"seconds": time.perf_counter() - start, "problem": ""}
    variances = np.ravel(model.get_cov_pars())  # the residual's first
    return found | dict(zip((RESIDUAL, *LAYERS), map(float, np.sqrt(variances)), strict=True))


#: How to fit, by the package that does, and what it estimates.
WAYS: dict[str, tuple[str, Callable[..., dict]]] = {
    "mlm_tutorial": ("posterior", fit_posterior),
    "mixedlm": ("REML", fit_mixedlm),
    "gpboost": ("maximum likelihood", fit_gpboost),
}


# The benchmark


def run(quick: bool = False, repeats: int = 3, report: Callable[[str], None] = print) -> list[dict]:
    """Fit one table in every way; return a row for each."""
    rows = []
    for way, (estimate, _) in WAYS.items():
        if quick and importlib.util.find_spec(way) is None:  # so that a quick run works without the extra `bench`
            report(f"{way}: not installed")
            continue
        row = {"way": way, "estimate": estimate, "sizes": SMALL if quick else SIZES, "problem": ""}
        answers = []
        with Worker("tools.benchmarks.ratings:prepare", way=way, sizes=row["sizes"]) as worker:
            try:
                while len(answers) < repeats:
                    answers.append(worker.ask(LIMIT, seed=1 + len(answers)))
                    row["problem"] = row["problem"] or answers[-1]["problem"]
                    if (1 + len(answers)) * answers[-1]["seconds"] > BUDGET:
                        break
            except OutOfTimeError as error:
                row["problem"] = str(error)
        row |= spreads(answers)
        report(f"{way}: {row['problem'] or spread(row['seconds']) + ' s'}")
        rows.append(row)
    return rows


def prepare(way: str, sizes: dict[str, int]) -> Callable[..., dict]:
    """Simulate the table, import the package, and return the function that fits."""
    frame = simulate(sizes)
    importlib.import_module(way)
    _, fit = WAYS[way]
    return lambda seed: fit(frame, seed) | {"peak_bytes": peak_memory()}


# Tables and sentences


def compared(content: dict) -> Table:
    """Return the table of ways to fit."""
    header = (
        "with", "estimates", "all, s", "compiling, s", "sampling, s", "least bulk ESS", "least tail ESS",
        "largest R-hat", "peak of memory",
    )  # fmt: skip
    lines = []
    for row in content["rows"]:
        line = [row["way"], row["estimate"]]
        if "seconds" not in row:
            lines.append((*line, "not finished", *[""] * 6))
            continue
        names = ("seconds", "compile_seconds", "sampling_seconds", "min_ess_bulk", "min_ess_tail")
        line += [spread(row[name]) if name in row else "" for name in names]
        line.append(f"{row['max_rhat']['max']:.3f}" if "max_rhat" in row else "")
        lines.append((*line, size(row["peak_bytes"]["median"])))
    return header, lines


def scales(content: dict) -> Table:
    """Return the table of standard deviations: simulated ones, and what each way finds."""
    names = (*LAYERS, RESIDUAL)
    lines = [("simulated", *(number(SCALES[name]) for name in names))]
    for row in content["rows"]:
        if "seconds" in row:
            lines.append((f"{row['way']}, {row['estimate']}", *(_scale(row, name) for name in names)))
    return ("standard deviation of", *names), lines


def _scale(row: dict, name: str) -> str:
    limits = [number(row[f"{name}_{x}"]["median"]) for x in ("lower", "upper") if f"{name}_{x}" in row]
    return number(row[name]["median"]) + (f" ({limits[0]} to {limits[1]})" if limits else "")


TABLES = [("One table, fitted by several packages", compared), (f"Scales, with {INTERVAL:.0%} intervals", scales)]


def claims(content: dict) -> list[str]:
    """Return sentences on the table, the time taken, and whether REML's estimates lie in the posterior's intervals."""
    found = {row["way"]: row for row in content["rows"] if "seconds" in row}
    sizes = content["rows"][0]["sizes"]
    counts = [f"{sizes[name]:,} {name}s" for name in LAYERS]
    table = f"{sizes['rows']:,} ratings, {', '.join(counts[:-1])} and {counts[-1]}"
    sentences = []
    ours = found.get("mlm_tutorial")
    if ours is None or ours["problem"]:
        sentences.append(f"On {table}, the posterior's chains did not converge.")
    else:
        ess = min(ours[f"min_ess_{kind}"]["min"] for kind in ("bulk", "tail"))
        sentences.append(
            f"On {table}, the posterior took {number(ours['sampling_seconds']['median'])} s of sampling, with an R-hat "
            f"of at most {ours['max_rhat']['max']:.3f} and an ESS of at least {ess:,.0f}."
        )
    if ours and "mixedlm" in found:
        reml = {name: found["mixedlm"][name]["median"] for name in (*LAYERS, RESIDUAL)}
        held = sum(ours[f"{x}_lower"]["median"] <= reml[x] <= ours[f"{x}_upper"]["median"] for x in reml)
        sentences.append(
            f"Its {INTERVAL:.0%} intervals hold {held} of {len(reml)} standard deviations that REML finds."
        )
    return sentences
