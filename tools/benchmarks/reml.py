"""Variances of contributors' means in public tables, estimated by REML and by pooled models."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tools.benchmarks.words import Table, number
from tools.benchmarks.workers import measure

#: Total and layers of each case; the first word is the table's name.
CASES = {
    "gauge": ("impedance", ["part", "operator"]),
    "gauge with pairs": ("impedance", ["part", "operator", "pair"]),
    "penicillin": ("diameter", ["plate", "sample"]),
    "paste": ("strength", ["batch", "sample"]),
}
#: Whether contributors have a spread of their own; if not, there is one residual, as in REML's model.
MODELS = {"one residual": "one", "own spreads": "own"}
RESIDUAL = "residual"
INTERVAL = 0.9
LIMIT = 300


def load(case: str) -> tuple[pd.DataFrame, str, list[str]]:
    """Return the table of a case, the name of its total, and those of its layers."""
    import mlm_tutorial as mlm

    total, layers = CASES[case]
    frame = getattr(mlm, f"load_{case.split()[0]}")()
    if "pair" in layers:
        frame["pair"] = frame["part"].astype(str) + frame["operator"]
    return frame, total, layers


def reml(frame: pd.DataFrame, total: str, layers: Sequence[str]) -> dict[str, float]:
    """Return REML's variances of the contributors' means, by layer, and of the residual.

    The model is the classical one, ``total = mean + one normal effect per layer + residual``, fitted by statsmodels.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per observation.
    total, layers : str, sequence of str
        Names of columns.

    Returns
    -------
    dict of str to float
        A variance for each layer, and one for ``"residual"``.

    Raises
    ------
    RuntimeError
        If the optimizer does not converge.
    """
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    columns = [pd.get_dummies(frame[name], dtype=float) for name in layers]
    # All rows are in one group, because crossed layers need that.
    effects = VCSpec(list(layers), [[list(x.columns)] for x in columns], [[x.to_numpy()] for x in columns])
    model = MixedLM(frame[total].to_numpy(float), np.ones((len(frame), 1)), np.zeros(len(frame)), exog_vc=effects)
    found = model.fit(reml=True)
    if not found.converged:
        raise RuntimeError(f"REML did not converge for {', '.join(layers)}")
    return dict(zip(model.exog_vc.names, map(float, found.vcomp), strict=True)) | {RESIDUAL: float(found.scale)}


def fit(frame: pd.DataFrame, total: str, layers: Sequence[str], spreads: str = "one", seed: int = 1, **priors) -> Any:
    """Return the posterior of the default model, or of the one with a single residual.

    Parameters
    ----------
    frame, total, layers
        As for :func:`reml`.
    spreads : {"one", "own"}
        Whether the residual is one, or every contributor has a spread of its own.
    seed : int
        Seed of the sampler.
    **priors
        For `Priors.from_cells`, such as ``pooled=False``.
    """
    import mlm_tutorial as mlm

    cells = mlm.cell_statistics(frame, total=total, layers=layers)
    known = dict.fromkeys(layers, 0) if spreads == "one" else None
    model = mlm.cell_model(cells, priors=mlm.Priors.from_cells(cells, known_sigma=known, **priors))
    return mlm.sample(model, seed=seed, progress=False)


def variances(idata: Any, layers: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Return draws of the quantities that REML estimates: variances of the contributors' means, and of the residual.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior.
    layers : sequence of str
        Its layers.

    Returns
    -------
    dict of str to dict of str to numpy.ndarray
        ``"seen"``: by component, the variance among the contributors in the table. ``"population"``: the variance of
        those from which they come, tau squared; only for pooled layers. The residual is the same in both: the
        baseline's variance and the average of each layer's.
    """
    from mlm_tutorial.names import dim_of, variable_of
    from mlm_tutorial.sampling import posterior_of

    posterior = posterior_of(idata)
    seen, population = {}, {}
    residual = posterior[variable_of("sigma", "baseline")] ** 2
    for name in layers:
        seen[name] = posterior[variable_of("mu", name)].var(dim_of(name), ddof=1)
        residual = residual + (posterior[variable_of("sigma", name)] ** 2).mean(dim_of(name))
        if variable_of("tau", name) in posterior:
            population[name] = posterior[variable_of("tau", name)] ** 2
    seen[RESIDUAL] = population[RESIDUAL] = residual
    return {
        kind: {name: np.ravel(draws) for name, draws in found.items()}
        for kind, found in (("seen", seen), ("population", population))
    }


# The benchmark


def run(quick: bool = False, repeats: int = 1, report: Callable[[str], None] = print) -> list[dict]:
    """Fit every case once with each model; return a row for each case and component."""
    rows = []
    for case in list(CASES)[:1] if quick else CASES:
        frame, total, layers = load(case)
        estimates = reml(frame, total, layers)
        found = {
            key: measure("tools.benchmarks.reml:prepare", LIMIT, case=case, spreads=key) for key in MODELS.values()
        }
        for name in (*layers, RESIDUAL):
            row = {"case": case, "rows": len(frame), "component": name, "reml": estimates[name]}
            row["contributors"] = int(frame[name].nunique()) if name != RESIDUAL else 0
            for key, answer in found.items():
                row[f"{key}_problem"] = answer["problem"]
                row |= {f"{key}_{x}": value for x, value in answer[name].items()}
            rows.append(row)
        report(f"{case}: {', '.join(answer['problem'] or 'passed' for answer in found.values())}")
    return rows


def prepare(case: str, spreads: str) -> Callable[[], dict]:
    """Return a function that fits a case and returns medians and intervals of the variances by component."""
    import mlm_tutorial as mlm

    frame, total, layers = load(case)

    def answer() -> dict:
        idata = fit(frame, total, layers, spreads)
        result = {"problem": ""}
        try:
            mlm.check_convergence(idata)
        except mlm.ConvergenceError as error:
            result["problem"] = str(error)
        draws = variances(idata, layers)
        limits = ((1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2)
        for name in (*layers, RESIDUAL):
            low, middle, high = np.quantile(draws["population"][name], limits)
            result[name] = {"seen": float(np.median(draws["seen"][name])), "lower": float(low)}
            result[name] |= {"median": float(middle), "upper": float(high)}
        return result

    return answer


# Tables and sentences


def compared(content: dict) -> Table:
    """Return the table of variances, a row for each component of each case."""
    header = ["table, rows", "variance of", "REML"]
    for words in MODELS:
        header += [f"{words}: in this table", f"{words}: in the population, with {INTERVAL:.0%} interval"]
    table = []
    for row in content["rows"]:
        line = [f"{row['case']}, {row['rows']}", row["component"], number(row["reml"])]
        if row["contributors"]:
            line[1] = f"{row['component']}, {row['contributors']}"
        for key in MODELS.values():
            if row[f"{key}_problem"]:
                line += ["not converged", ""]
                continue
            seen, median, low, high = (number(row[f"{key}_{x}"]) for x in ("seen", "median", "lower", "upper"))
            line += [seen if row["contributors"] else "", f"{median} ({low} to {high})"]
        table.append(tuple(line))
    return tuple(header), table


TABLES = [("Variances with REML and with pooled models", compared)]


def claims(content: dict) -> list[str]:
    """Return sentences on the coverage of REML's estimates by the models' intervals, and on the medians' distances."""
    sentences = []
    for words, key in MODELS.items():
        rows = [row for row in content["rows"] if not row[f"{key}_problem"]]
        if not rows:
            continue
        held = sum(row[f"{key}_lower"] <= row["reml"] <= row[f"{key}_upper"] for row in rows)
        away = max(abs(row[f"{key}_seen"] / row["reml"] - 1) for row in rows)
        sentences.append(
            f"With {words}, {held} of {len(rows)} {INTERVAL:.0%} intervals hold REML's estimate, and the median of the "
            f"variance in the table differs from it by at most {away:.0%}."
        )
    return sentences
