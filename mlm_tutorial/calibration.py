"""Simulation-based calibration: the truth should look like one more draw of the posterior."""

from dataclasses import replace
from typing import Any

import arviz as az
import numpy as np
import pymc as pm
import xarray as xr

from mlm_tutorial.cells import Cells
from mlm_tutorial.known import known_vector
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.levy import log_density
from mlm_tutorial.models import CellModel, cell_model
from mlm_tutorial.names import COVARIATE, OWN, variable_of
from mlm_tutorial.priors import Priors
from mlm_tutorial.progress import counting, show_progress
from mlm_tutorial.sampling import CompiledModel, compile_model, sample_quickly
from mlm_tutorial.tails import TotalCounts, tail_model

__all__ = ["calibrate"]


def calibrate(
    cells: Cells | TotalCounts,
    n_simulations: int,
    seed: int,
    *,
    priors: Priors | None = None,
    coordinates: str = "identified",
    n_ranks: int = 100,
    draws: int = 500,
    tune: int = 500,
    chains: int = 2,
    progress: bool | None = None,
    compiled: CompiledModel | None = None,
) -> xr.Dataset:
    """Return ranks of the truth among draws of the posterior, over many simulated data sets.

    Parameters are drawn from the prior, cells from the model at these parameters, and the model is fitted to them. If
    model and sampler are right, the rank of the true value among draws of the posterior is uniform (Talts et al. 2018,
    *Validating Bayesian inference algorithms with simulation-based calibration*). The model is compiled once.

    Parameters
    ----------
    cells : Cells or TotalCounts
        The design: who contributes to which cell, and how many observations each has. Their totals are used
        only for default priors. With counts, the model is :func:`tail_model`, and totals are simulated row by row.
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
        Whether a line says how many replicates are done; default as in :func:`sample`.
    compiled : CompiledModel, optional
        The cell model of these cells, priors and coordinates, if it is compiled already.

    Returns
    -------
    xarray.Dataset
        Ranks of every parameter that is not known, named as in the posterior, with the dim ``simulation`` first, and of
        two quantities more: ``total``, the standard deviation of a total in each cell, and ``log_likelihood``, which
        depends on the simulated data, too. Where only some of a layer's standard deviations are known, theirs are NaN.
        Attributes are ``n_ranks``, ``seed``, and ``failed``, how many replicates had an R-hat
        above 1.05 or a divergence. These replicates count like any other.

    Raises
    ------
    ValueError
        If `n_simulations` is not positive or the draws are not a multiple of `n_ranks`.

    Notes
    -----
    A program that never looks at the data and returns its prior has uniform ranks for every parameter. Quantities that
    depend on the data expose it (Modrák et al. 2023, *Simulation-based calibration checking for Bayesian computation:
    the choice of test quantities shapes sensitivity*).
    """
    if n_simulations < 1:
        raise ValueError(f"n_simulations must be at least 1, got {n_simulations}")
    if draws * chains % n_ranks:
        raise ValueError(f"draws * chains must be a multiple of n_ranks, got {draws} * {chains} and {n_ranks}")
    design: Any = cells.by_row() if isinstance(cells, TotalCounts) else cells
    cells = design.cells if isinstance(design, TotalCounts) else design
    model = _model(design, priors, coordinates) if compiled is None else compiled.model
    for name, value in model.refit(design)[0].items():  # the model may have been fitted to other cells in between
        model[name].set_value(value.astype(model[name].dtype))
    rng = np.random.default_rng(seed)
    names = [variable_of(kind, name) for name in (BASELINE, *cells.layers) for kind in ("mu", "sigma")]
    names += [
        variable_of(kind, name)
        for name in cells.layers
        for kind in ("tau", "floor", "spread")
        if variable_of(kind, name) in model.named_vars
    ]
    names += [name for name in ("skewness", "tail_weight", "slope") if name in model.named_vars]
    observed = f"{OWN}counts" if isinstance(design, TotalCounts) else f"{OWN}cells"
    *parameters, simulated = pm.draw(
        [model[name] for name in (*names, observed)],
        draws=n_simulations,
        random_seed=int(rng.integers(2**31)),
        mode="FAST_COMPILE",  # compiling with numba takes longer than a few hundred draws
    )
    dims, coords = model.named_vars_to_dims, model.coords
    truths = xr.Dataset(
        {name: (("simulation", *dims.get(name, ())), v) for name, v in zip(names, parameters, strict=True)},
        coords={dim: list(coords[dim]) for dim in {dim for name in names for dim in dims.get(name, ())}},
    )
    truths = _with_totals(truths, cells)
    compiled = compiled or compile_model(model)
    ranks, failed, shown = [], 0, show_progress(progress)
    with counting(n_simulations, "Fitting simulated data sets", "simulated data sets fitted", shown) as count:
        for i in range(n_simulations):
            count(i)
            replicate = _replicate(design, simulated[i])
            named, divergences = sample_quickly(
                compiled.with_cells(replicate), names, int(rng.integers(2**31)), draws, tune, chains
            )
            # R-hat alone: effective sample sizes would take as long as the sampling.
            rhat = max(float(values.max()) for values in az.rhat(named).data_vars.values())  # NaN where nothing moves
            failed += divergences > 0 or rhat > 1.05
            posterior = _with_log_likelihood(_with_totals(named, cells), replicate)
            thinned = posterior.stack(s=("chain", "draw"), create_index=False)
            thinned = thinned.isel(s=slice(None, None, draws * chains // n_ranks))
            truth = _with_log_likelihood(truths.isel(simulation=i), replicate)
            ranks.append((thinned < truth).sum("s"))
    found = xr.concat(ranks, dim="simulation")
    return _without_known(found, model).assign_attrs(n_ranks=n_ranks, seed=seed, failed=int(failed))


def _model(design: Cells | TotalCounts, priors: Priors | None, coordinates: str) -> CellModel:
    if isinstance(design, Cells):
        return cell_model(design, priors, coordinates)
    if coordinates != "identified":
        raise ValueError(f"a model of counts has identified coordinates only, got {coordinates!r}")
    return tail_model(design, priors)


def _replicate(design: Any, simulated: np.ndarray) -> Any:
    """Return the same design with simulated data."""
    if isinstance(design, TotalCounts):
        return design.by_row(simulated)
    return replace(design, mean=simulated[:, 0], sum_sq=simulated[:, 1], x_total=simulated[:, 2:])


def _without_known(ranks: xr.Dataset, model: CellModel) -> xr.Dataset:
    """Return ranks without known standard deviations; where only some in a layer are known, theirs are NaN."""
    known = known_vector(model.cells, model.priors.known_sigma)
    ends = np.cumsum([1, *(len(model.cells.labels[name]) for name in model.cells.layers)])
    for name, part in zip((BASELINE, *model.cells.layers), np.split(known, ends[:-1]), strict=True):
        variable = variable_of("sigma", name)
        if not np.isnan(part).any():
            ranks = ranks.drop_vars(variable)
        elif not np.isnan(part).all():
            ranks[variable] = ranks[variable].where(xr.DataArray(np.isnan(part), dims=ranks[variable].dims[-1]))
    return ranks


def _with_totals(draws: xr.Dataset, cells: Cells) -> xr.Dataset:
    """Add the standard deviation of a total in every cell, which the data identify."""
    return draws.assign(total=np.sqrt(_of_cells(draws, cells, "sigma", power=2)))


def _with_log_likelihood(draws: xr.Dataset, data: Cells | TotalCounts) -> xr.Dataset:
    """Add the log likelihood of the data, up to a constant; `draws` have the totals already."""
    if isinstance(data, TotalCounts):
        at = {f"{OWN}cell": xr.DataArray(data.cell, dims="row")}
        mean, variance = _of_cells(draws, data.cells, "mu").isel(at), draws["total"].isel(at) ** 2
        deviation = xr.DataArray(data.value, dims="row") - mean
        each = xr.apply_ufunc(log_density, deviation, variance, draws["skewness"], draws["tail_weight"])
        return draws.assign(log_likelihood=each.sum("row"))
    cells = data
    n, mean, sum_sq = (xr.DataArray(values, dims=f"{OWN}cell") for values in (cells.n, cells.mean, cells.sum_sq))
    expected = _of_cells(draws, cells, "mu")
    if cells.covariates:
        center, _ = cells.covariate_moments()
        dims, slope, other = (f"{OWN}cell", COVARIATE), draws["slope"], f"{OWN}other"
        expected = expected + xr.dot(xr.DataArray(cells.x_mean - center, dims=dims), slope, dim=COVARIATE)
        products = xr.DataArray(cells.x_products, dims=(*dims, other))
        fitted = xr.dot(products, slope, slope.rename({COVARIATE: other}).drop_vars(other), dim=(COVARIATE, other))
        sum_sq = sum_sq - 2 * xr.dot(xr.DataArray(cells.x_total, dims=dims), slope, dim=COVARIATE) + fitted
    squares = sum_sq + n * (mean - expected) ** 2
    each = -n * np.log(draws["total"]) - squares / (2 * draws["total"] ** 2)
    return draws.assign(log_likelihood=each.sum(f"{OWN}cell"))


def _of_cells(draws: xr.Dataset, cells: Cells, kind: str, power: int = 1) -> xr.DataArray:
    """Return the sum of a power of the parameters that take part in each cell."""
    found = draws[variable_of(kind, BASELINE)] ** power
    for codes, name in zip(cells.codes.T, cells.layers, strict=True):
        values = draws[variable_of(kind, name)]
        dim = values.dims[-1]
        places = xr.DataArray(codes, dims=f"{OWN}cell")
        part = values.drop_vars(dim).isel({dim: places}) ** power
        found = found + part.where(places >= 0, 0.0)
    return found
