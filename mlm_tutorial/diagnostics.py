"""Can the answer be trusted: convergence, efficiency, recovery of a known truth, calibration."""

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import xarray as xr
from rich.progress import track

from mlm_tutorial.cells import Cells
from mlm_tutorial.layers import BASELINE, LayeredSum
from mlm_tutorial.models import Priors, cell_data, cell_model
from mlm_tutorial.sampling import CompiledModel, compile_model, posterior_of, sample_quickly, show_progress

__all__ = ["ConvergenceError", "calibrate", "check_convergence", "efficiency", "recovery"]


class ConvergenceError(RuntimeError):
    """The chains do not agree, move too little, or diverged. The message names the worst offenders."""


def check_convergence(
    idata: xr.DataTree,
    max_rhat: float = 1.01,
    min_ess: float = 400,
    max_divergences: int = 0,
) -> pd.Series:
    """Raise an error unless every parameter's chains have converged.

    Thresholds are those of Vehtari et al. (2021), *Rank-normalization, folding, and localization*.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior of two chains or more.
    max_rhat : float
        Largest rank-normalized split R-hat allowed.
    min_ess : float
        Least bulk and tail effective sample size allowed, in draws of all chains together.
    max_divergences : int
        Number of divergent transitions allowed.

    Returns
    -------
    pandas.Series
        ``max_rhat``, ``min_ess_bulk``, ``min_ess_tail`` and ``divergences``.

    Raises
    ------
    ConvergenceError
        If a threshold is missed or a statistic is undefined (one chain, or a parameter that never moved).
    ValueError
        If `idata` has no posterior.
    """
    statistics = _convergence_statistics(idata)
    divergences = _divergences(idata)
    problems = []
    checks = {
        "rhat": ("R-hat", lambda x: x <= max_rhat, f"at most {max_rhat}", "max"),
        "ess_bulk": ("bulk ESS", lambda x: x >= min_ess, f"at least {min_ess}", "min"),
        "ess_tail": ("tail ESS", lambda x: x >= min_ess, f"at least {min_ess}", "min"),
    }
    for column, (title, passes, expected, worst_is) in checks.items():
        failed = statistics[column][~passes(statistics[column])]
        if len(failed):
            # Undefined statistics first, then the worst.
            failed = failed.sort_values(ascending=worst_is == "min", na_position="first")
            worst = ", ".join(f"{name} {value:.4g}" for name, value in failed.head(3).items())
            problems.append(
                f"{title} should be {expected}, but {len(failed)} of {len(statistics)} parameters miss it: {worst}"
            )
    if divergences > max_divergences:
        problems.append(f"{divergences} divergent transitions, at most {max_divergences} expected")
    if problems:
        raise ConvergenceError("not converged. " + "; ".join(problems))
    return pd.Series(
        {
            "max_rhat": statistics["rhat"].max(),
            "min_ess_bulk": statistics["ess_bulk"].min(),
            "min_ess_tail": statistics["ess_tail"].min(),
            "divergences": divergences,
        },
        name="convergence",
    )


def efficiency(idata: xr.DataTree) -> pd.DataFrame:
    """Return how much the posterior is worth, and what it cost.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior made by :func:`sample`.

    Returns
    -------
    pandas.DataFrame
        One row: ``converged`` (whether :func:`check_convergence` passes), ``min_ess_bulk``, ``min_ess_tail``,
        ``gradients`` (evaluations, tuning included), ``compile_seconds``, ``sampling_seconds`` (tuning included),
        and for bulk and tail ``ess_..._per_second`` of sampling and ``ess_..._per_gradient``. Ratios are NaN where
        the chains did not converge: the ESS of chains that disagree means nothing.

    Raises
    ------
    ValueError
        If `idata` has no posterior, or does not carry the costs that :func:`sample` records.
    """
    missing = {"sampling_seconds", "gradients", "compile_seconds"} - set(idata.attrs)
    if missing:
        raise ValueError(f"expected a posterior made by mlm.sample; it lacks {sorted(missing)}")
    statistics = _convergence_statistics(idata)
    try:
        check_convergence(idata)
        converged = True
    except ConvergenceError:
        converged = False
    row = {"converged": converged}
    costs = {"second": idata.attrs["sampling_seconds"], "gradient": idata.attrs["gradients"]}
    ess = {kind: statistics[f"ess_{kind}"].min() for kind in ("bulk", "tail")}
    row |= {f"min_ess_{kind}": value for kind, value in ess.items()}
    row |= {key: idata.attrs[key] for key in ("gradients", "compile_seconds", "sampling_seconds")}
    for unit, cost in costs.items():
        for kind, value in ess.items():
            row[f"ess_{kind}_per_{unit}"] = value / cost if converged else np.nan
    return pd.DataFrame([row])


def recovery(idata: xr.DataTree, truth: LayeredSum, ci_prob: float | None = None) -> pd.DataFrame:
    """Compare a posterior with the truth that its data were simulated from.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior.
    truth : LayeredSum
        Compared after centring, because the models' means sum to zero in every layer.
    ci_prob : float, optional
        Probability of the equal-tailed intervals; ArviZ's default if None.

    Returns
    -------
    pandas.DataFrame
        One row a parameter, indexed by its name with its label such as ``mu_layer_1[0]``: ``truth``, ``mean``, ``sd``,
        ``lower``, ``upper``, and ``covered``, whether the interval contains the truth.

    Raises
    ------
    ValueError
        If the posterior lacks a layer or a contributor of the truth.
    """
    posterior = posterior_of(idata)
    prob = az.rcParams["stats.ci_prob"] if ci_prob is None else ci_prob
    rows = {}
    for layer in truth.centered():
        for kind, truths in (("mu", layer.mu), ("sigma", layer.sigma)):
            name = f"{kind}_{layer.name}"
            if name not in posterior:
                raise ValueError(f"the posterior has no {name!r}; it has {', '.join(posterior)}")
            for label, true in zip(layer.labels, truths, strict=True):
                draws, row = posterior[name], name
                if layer.name != BASELINE:
                    row = f"{name}[{label}]"
                    if label not in draws[layer.name].values:
                        raise ValueError(f"the posterior of {name!r} has no contributor {label!r}")
                    draws = draws.sel({layer.name: label})
                rows[row] = {"truth": true} | _interval(draws.values.ravel(), prob)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table["covered"] = (table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])
    return table.rename_axis("parameter")


def calibrate(
    cells: Cells,
    n_simulations: int,
    seed: int,
    priors: Priors | None = None,
    coordinates: str = "identified",
    n_ranks: int = 100,
    draws: int = 500,
    tune: int = 500,
    chains: int = 2,
    progress: bool | None = None,
    compiled: CompiledModel | None = None,
) -> pd.DataFrame:
    """Check by simulation that the truth is like one more draw of the posterior.

    Parameters are drawn from the prior, cells from the model at these parameters, and the model is fitted to them. If
    model and sampler are right, the rank of the true value among draws of the posterior is uniform (Talts et al. 2018,
    *Validating Bayesian inference algorithms with simulation-based calibration*). The model is compiled once.

    Parameters
    ----------
    cells : Cells
        The design: who contributes to which cell, and how many observations each has. Their totals are used for
        default priors alone.
    n_simulations : int
        Number of replicates.
    seed : int
        Seed of all randomness.
    priors, coordinates
        As for :func:`cell_model`.
    n_ranks : int
        Draws, thinned from all chains, among which the truth is ranked: ranks go from 0 to `n_ranks`.
    draws, tune, chains : int
        As for :func:`sample`. ``draws * chains`` must be a multiple of `n_ranks`.
    progress : bool, optional
        Whether to show a progress bar; default as in :func:`sample`.
    compiled : CompiledModel, optional
        The cell model of these cells, priors and coordinates, if it is compiled already.

    Returns
    -------
    pandas.DataFrame
        Ranks, shape (n_simulations, number of parameters), with columns such as ``mu_layer_1[0]``, and ``total[i]``
        for the standard deviation of a total in cell i. ``attrs`` holds ``n_ranks``, ``seed``, and ``failed``, how
        many replicates had an R-hat above 1.05 or a divergence. These replicates count like any other.

    Raises
    ------
    ValueError
        If `n_simulations` is not positive or the draws are no multiple of `n_ranks`.
    """
    if n_simulations < 1:
        raise ValueError(f"n_simulations must be at least 1, got {n_simulations}")
    if draws * chains % n_ranks:
        raise ValueError(f"draws * chains must be a multiple of n_ranks, got {draws} * {chains} and {n_ranks}")
    priors = priors or Priors.from_cells(cells)
    model = cell_model(cells, priors, coordinates) if compiled is None else compiled.model
    rng = np.random.default_rng(seed)
    layers = (BASELINE, *cells.layers)
    names = [f"{kind}_{layer}" for layer in layers for kind in ("mu", "sigma")]
    *parameters, simulated = pm.draw(
        [model[name] for name in (*names, "cells")],
        draws=n_simulations,
        random_seed=int(rng.integers(2**31)),
        mode="FAST_COMPILE",  # a few hundred draws are made before numba would have compiled the function
    )
    truths = _flat(
        _with_totals(
            az.from_dict(
                {"prior": {k: v[None] for k, v in zip(names, parameters, strict=True)}},
                coords={layer: list(cells.labels[layer]) for layer in cells.layers},
                dims={f"{kind}_{x}": [x] for x in cells.layers for kind in ("mu", "sigma")},
            )["prior"].to_dataset(),
            cells,
        )
    )
    compiled = compiled or compile_model(model)
    ranks, failed = [], 0
    for i in track(range(n_simulations), "Calibrating", disable=not show_progress(progress)):
        replicate = _with_statistics(cells, simulated[i])
        data = cell_data(replicate, priors, coordinates)
        named, divergences = sample_quickly(
            compiled.with_data(**data), names, int(rng.integers(2**31)), draws, tune, chains
        )
        # R-hat alone: effective sample sizes would take as long as the sampling.
        rhat = max(float(values.max()) for values in az.rhat(named).data_vars.values())
        failed += divergences > 0 or rhat > 1.05
        posterior = _flat(_with_totals(named, cells))
        thinned = posterior.iloc[:: draws * chains // n_ranks]
        ranks.append((thinned < truths.iloc[i]).sum())
    table = pd.DataFrame(ranks).reset_index(drop=True)
    table.attrs = {"n_ranks": n_ranks, "seed": seed, "failed": int(failed)}
    return table


def _with_statistics(cells: Cells, statistics: np.ndarray) -> Cells:
    return Cells(cells.layers, cells.labels, cells.codes, cells.n, statistics[:, 0], statistics[:, 1])


def _with_totals(draws: xr.Dataset, cells: Cells) -> xr.Dataset:
    """Add the standard deviation of a total in every cell: what the data speak about."""
    variance = draws[f"sigma_{BASELINE}"] ** 2
    for j, name in enumerate(cells.layers):
        codes = xr.DataArray(cells.codes[:, j], dims="cell")
        variance = variance + draws[f"sigma_{name}"].isel({name: codes}).drop_vars(name) ** 2
    return draws.assign(total=np.sqrt(variance).assign_coords(cell=np.arange(len(cells))))


def _flat(draws: xr.Dataset) -> pd.DataFrame:
    """Return one row a draw, chain after chain, and one column a scalar parameter."""
    columns = {}
    for name, values in draws.data_vars.items():
        dims = [dim for dim in values.dims if dim not in ("chain", "draw")]
        stacked = values.transpose("chain", "draw", *dims)
        flat = stacked.values.reshape(stacked.sizes["chain"] * stacked.sizes["draw"], -1)
        for label, column in zip(_labels(values, dims), flat.T, strict=True):
            columns[f"{name}{label}"] = column
    return pd.DataFrame(columns)


def _labels(values: xr.DataArray, dims: list) -> list[str]:
    if not dims:
        return [""]
    index = pd.MultiIndex.from_product([values[dim].values.tolist() for dim in dims])
    return [f"[{', '.join(map(str, key))}]" for key in index]


def _convergence_statistics(idata: xr.DataTree) -> pd.DataFrame:
    """Return R-hat, bulk and tail ESS, one row a scalar parameter."""
    posterior = posterior_of(idata)
    columns = {
        "rhat": az.rhat(posterior),
        "ess_bulk": az.ess(posterior, method="bulk"),
        # The quantiles of Vehtari et al. (2021); ArviZ would take those of its default interval.
        "ess_tail": az.ess(posterior, method="tail", prob=(0.05, 0.95)),
    }
    return pd.DataFrame(
        {name: _flat(values.expand_dims(["chain", "draw"])).iloc[0] for name, values in columns.items()}
    )


def _divergences(idata: xr.DataTree) -> int:
    if "sample_stats" not in idata.children or "diverging" not in idata["sample_stats"]:
        return 0
    return int(idata["sample_stats"]["diverging"].sum())


def _interval(draws: np.ndarray, prob: float) -> dict[str, float]:
    lower, upper = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
    return {"mean": draws.mean(), "sd": draws.std(ddof=1), "lower": lower, "upper": upper}
