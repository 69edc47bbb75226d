"""The share that each layer had: in one total, and in the variance of all totals."""

from collections.abc import Sequence
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from mlm_tutorial.cells import Cells, cell_statistics
from mlm_tutorial.layers import BASELINE, TOTAL
from mlm_tutorial.models import observations
from mlm_tutorial.sampling import posterior_of

__all__ = ["decompose", "variance_shares"]


def decompose(
    idata: xr.DataTree,
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = (),
    draws: int = 0,
    rng: int | np.random.Generator | None = None,
) -> xr.Dataset:
    r"""Split totals into the contributions of the baseline and of each layer.

    Given the parameters, the contributions to a total are jointly normal given their sum. With
    :math:`w_j = v_j / V`, :math:`M` the mean and :math:`V` the variance of the total,

    .. math:: E[y_j \mid x] = \mu_j + w_j (x - M), \quad \mathrm{Cov}[y \mid x] = \mathrm{diag}(v) - v v^T / V

    (a multivariate normal conditioned on a linear combination; Gelman et al. 2013, *Bayesian Data Analysis*,
    appendix A). The result is averaged over the draws of the posterior, so that it carries the parameters' uncertainty,
    including what only the prior says about how a layer's variance is shared.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    frame : data frame
        One row an observation.
    total, layers : str, list of str
        Names of the columns with the totals, and with the contributors of each layer.
    draws : int
        Number of joint draws of all contributions, each with parameters from another draw of the posterior.
    rng : int or numpy.random.Generator, optional
        A seed or a generator, for `draws`.

    Returns
    -------
    xarray.Dataset
        ``mean`` and ``sd`` of every contribution in the units of the total, dims (observation, component). Components
        are ``baseline`` and the layers; means add up to the total. With `draws`, also ``draws``, dims (sample,
        observation, component), each of which adds up to the total.

    Raises
    ------
    ValueError
        If the posterior lacks a layer or has one more, or the frame has a contributor that the posterior does not know;
        for other bad input as in :func:`cell_statistics`.
    """
    # The same checks as for a fit; one observation or one contributor is enough here.
    names = cell_statistics(frame, total, layers, partial=True).layers
    posterior = _stacked_posterior(idata, names)
    labels = {name: posterior[name].values.tolist() for name in names}
    x, codes = observations(frame, total, names, labels)
    unique, cell_of = np.unique(codes, axis=0, return_inverse=True)
    cell_of = cell_of.ravel()
    n_components = 1 + len(names)
    mean, second = np.empty((2, len(x), n_components))
    # One cell at a time: within it, the expected contribution is linear in x with coefficients that vary by draw.
    order = np.argsort(cell_of, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(cell_of, minlength=len(unique)))[:-1])
    for code, rows in zip(unique, groups, strict=True):
        mu, v, w = _cell_parameters(posterior, names, code)
        center = mu.sum(axis=0).mean()
        intercept = mu + w * (center - mu.sum(axis=0))
        a, b = intercept.mean(axis=1), w.mean(axis=1)
        deviation = (x[rows] - center)[:, None]
        mean[rows] = a + b * deviation
        between = (
            intercept.var(axis=1)
            + 2 * deviation * ((intercept - a[:, None]) * w).mean(axis=1)
            + deviation**2 * w.var(axis=1)
        )
        second[rows] = (v * (1 - w)).mean(axis=1) + between
    data = {
        "mean": (("observation", "component"), mean),
        "sd": (("observation", "component"), np.sqrt(second)),
    }
    if draws:
        rng = np.random.default_rng(rng)
        data["draws"] = (
            ("sample", "observation", "component"),
            _joint_draws(posterior, names, x, codes, draws, rng),
        )
    coords = {"observation": np.arange(len(x)), "component": [BASELINE, *names]}
    return xr.Dataset(data, coords)


def _stacked_posterior(idata: xr.DataTree, names: Sequence[str]) -> xr.Dataset:
    """Return the parameters with all draws of all chains in one dimension, the last."""
    wanted = [f"{kind}_{name}" for name in (BASELINE, *names) for kind in ("mu", "sigma")]
    posterior = posterior_of(idata)
    for variable in wanted:
        if variable not in posterior:
            raise ValueError(f"the posterior has no {variable!r}; it has {', '.join(posterior.data_vars)}")
    for variable, values in posterior.data_vars.items():
        layer = variable.removeprefix("mu_")
        if layer != variable and layer in values.dims and layer not in names:
            raise ValueError(f"the posterior's totals are sums of all layers, but {layer!r} is not among {list(names)}")
    return posterior[wanted].stack(s=("chain", "draw"), create_index=False).transpose(..., "s")


def _cell_parameters(posterior: xr.Dataset, names, code):
    """Return means, variances and weights of one cell's components, each of shape (1 + J, draws)."""
    at = [{}, *({name: k} for name, k in zip(names, code, strict=True))]
    components = list(zip((BASELINE, *names), at, strict=True))
    mu = np.stack([posterior[f"mu_{name}"].isel(where).values for name, where in components])
    v = np.stack([posterior[f"sigma_{name}"].isel(where).values for name, where in components]) ** 2
    return mu, v, v / v.sum(axis=0)


def _joint_draws(posterior, names, x, codes, n_draws: int, rng) -> np.ndarray:
    """Return draws (n_draws, n, 1 + J): simulate from the model, then share out what is missing to the total."""
    picked = rng.choice(posterior.sizes["s"], size=n_draws, replace=n_draws > posterior.sizes["s"])
    chosen = posterior.isel(s=picked)
    mu, v = np.empty((2, n_draws, len(x), 1 + len(names)))
    for kind, out in (("mu", mu), ("sigma", v)):
        out[..., 0] = chosen[f"{kind}_{BASELINE}"].values[:, None]
        for j, name in enumerate(names):
            out[..., j + 1] = chosen[f"{kind}_{name}"].values[codes[:, j]].T
    v **= 2
    y = rng.normal(mu, np.sqrt(v))
    missing = x[:, None] - y.sum(axis=-1, keepdims=True)
    return y + v / v.sum(axis=-1, keepdims=True) * missing


def variance_shares(idata: xr.DataTree, cells: Cells, ci_prob: float | None = None) -> pd.DataFrame:
    r"""Return how the variance of the totals is shared among baseline and layers.

    By the law of total variance, with contributors as frequent as in `cells` and independent between layers,

    .. math:: \mathrm{Var}[x] = v_0 + \sum_j \left( \mathrm{Var}_k[\mu_{jk}] + E_k[v_{jk}] \right).

    The data fix the parts that come from means. How the spreads are shared among baseline and layers is not fixed by
    the data but by the prior; the sum of all parts is fixed again.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    cells : Cells
        For the frequencies of the contributors.
    ci_prob : float, optional
        Probability of the equal-tailed intervals; ArviZ's default if None.

    Returns
    -------
    pandas.DataFrame
        One row for each ``component`` and ``source`` (``means`` or ``spreads``), with ``mean``, ``sd``, ``lower`` and
        ``upper`` of its part in the variance, between 0 and 1. Means of the parts sum to 1.

    Raises
    ------
    ValueError
        If the posterior lacks a layer or has one more.
    """
    posterior = _stacked_posterior(idata, cells.layers)
    prob = az.rcParams["stats.ci_prob"] if ci_prob is None else ci_prob
    parts = {(BASELINE, "spreads"): posterior[f"sigma_{BASELINE}"].values ** 2}
    for name in cells.layers:
        p = cells.counts(name) / cells.n_observations
        mu = posterior[f"mu_{name}"].sel({name: list(cells.labels[name])}).values
        v = posterior[f"sigma_{name}"].sel({name: list(cells.labels[name])}).values ** 2
        parts[name, "means"] = p @ (mu - p @ mu) ** 2
        parts[name, "spreads"] = p @ v
    total = sum(parts.values())
    rows = []
    for (component, source), part in parts.items():
        share = part / total
        lower, upper = np.quantile(share, [(1 - prob) / 2, (1 + prob) / 2])
        rows.append((component, source, share.mean(), share.std(ddof=1), lower, upper))
    return pd.DataFrame(rows, columns=["component", "source", "mean", "sd", "lower", "upper"])
