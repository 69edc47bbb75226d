"""Predictive distributions of new totals, for known contributors and for new ones."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import arviz as az
import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from mlm_tutorial.cells import REQUIRED
from mlm_tutorial.layers import TOTAL
from mlm_tutorial.levy import draw_totals, log_density, mixing_moments, slope
from mlm_tutorial.names import variable_of
from mlm_tutorial.new_rows import warn_of_lookalikes, warn_of_moved_contributors
from mlm_tutorial.parameters import Parameters, covariates_of, distinct_rows, in_blocks
from mlm_tutorial.rows import Rows, Table
from mlm_tutorial.sampling import posterior_of

__all__ = ["log_predictive_density", "predict"]

#: Newton's last step for a quantile, in units of the mixture's least standard deviation; the error is its square.
LAST_STEP = 1e-4

GOLDEN_RATIO = (1 + 5**0.5) / 2


def predict(
    idata: xr.DataTree,
    frame: Any,
    layers: Sequence[str],
    *,
    draws: int = 0,
    ci_prob: float | None = None,
    rng: int | np.random.Generator | None = None,
) -> xr.Dataset:
    r"""Return the predictive distribution of a new total for each row.

    Given the parameters, a total is normal: its mean M is the sum of the contributors' means, its variance V the sum of
    their variances. Averaged over the draws of the posterior it is a mixture of normals, with

    .. math:: F(x) = \frac{1}{S} \sum_s \Phi\!\left(\frac{x - M_s}{\sqrt{V_s}}\right)

    A contributor that is not in the posterior is drawn from the population of its layer, where the layer is pooled.
    With m known contributors, :math:`\bar\mu` the average of their means, and :math:`\tau` the standard deviation of
    means in the population,

    .. math:: \mu_\mathrm{new} \sim \mathrm{Normal}\!\left(\bar\mu, \tau \sqrt{1 + 1/m}\right), \quad
              \sigma_\mathrm{new}^2 = \mathrm{floor}^2 + \mathrm{excess}, \quad
              \mathrm{excess} \sim \mathrm{Exponential}(\mathrm{mean}\ \mathrm{spread}^2)

    The :math:`1/m` is there because a layer's means are deviations from the average of the m contributors, not from the
    population's. Where a layer's spreads are known and all equal, a new contributor has the same. The mean is
    integrated out exactly. The excess is drawn, once for every draw of the posterior, in strata and from a fixed seed:
    mean, sd and interval of a row depend only on its labels.

    In a posterior of :func:`tail_model` totals have skewness and heavy tails. Their intervals are those of normals
    given a random variance, one for every draw of the posterior and evenly spread; a new contributor's mean is drawn
    like the excess.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    frame : data frame
        One row per total to predict: any table that :func:`cell_statistics` takes. It is read in pieces, and
        needs no totals. Layers that may be absent in the model may be absent here. It has the model's covariates in
        columns of the same names.
    layers : list of str
        Names of the columns with the contributors of each layer.
    draws : int
        Number of joint draws of all rows' totals, each with parameters from another draw of the posterior. In one
        draw, rows with the same new label have the same new contributor.
    ci_prob : float, optional
        Probability of the equal-tailed intervals; ArviZ's default if None.
    rng : int or numpy.random.Generator, optional
        A seed or a generator, for `draws`.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``sd``, ``lower`` and ``upper`` of every total in its units, dim observation. With `draws`, also
        ``draws``, dims (sample, observation).

    Raises
    ------
    TypeError, KeyError
        For bad input as in :func:`cell_statistics`.
    ValueError
        If the posterior lacks a layer or has an extra one, a label is new in a layer that is not pooled or whose known
        spreads differ, or `ci_prob` is not between 0 and 1; for other bad input as in :func:`cell_statistics`.

    Warns
    -----
    UserWarning
        If each contributor of a layer belongs to one of another layer in the fit, and to another one here: a lot of
        tool A, say, that comes with tool B. It counts as the same. Or if a label that is new differs from a known
        one only in case, spaces or type.
    """
    prob = az.rcParams["stats.ci_prob"] if ci_prob is None else ci_prob
    if not 0 < prob < 1:
        raise ValueError(f"ci_prob must be between 0 and 1, got {ci_prob}")
    rows, parameters, populations = _read(idata, Table(frame, layers, covariates=covariates_of(idata)))
    marginal, codes = _with_one_new_contributor(parameters, populations, rows)
    unique, x, cell = distinct_rows(codes, rows.x)
    mean, sd, lower, upper = np.empty((4, len(unique)))
    for block in marginal.blocks(len(unique)):
        m, v = marginal.totals(unique[block], x=x[block])
        mean[block] = m.mean(axis=1)
        sd[block] = np.sqrt(v.mean(axis=1) + m.var(axis=1))
        m, v = _as_normals(marginal, m, v)
        for out, p in ((lower, (1 - prob) / 2), (upper, (1 + prob) / 2)):
            out[block] = mixture_quantile(p, m, np.sqrt(v), mean[block], sd[block])
    statistics = {"mean": mean, "sd": sd, "lower": lower, "upper": upper}
    data: dict[str, Any] = {name: ("observation", values[cell]) for name, values in statistics.items()}
    if draws:
        generator = np.random.default_rng(rng)
        data["draws"] = (("sample", "observation"), _joint_draws(parameters, populations, rows, draws, generator))
    return xr.Dataset(data, {"observation": np.arange(len(rows))})


def log_predictive_density(
    idata: xr.DataTree,
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = REQUIRED,
) -> xr.DataArray:
    r"""Return the logarithm of the predictive density at every row's total, for comparing models on new rows.

    The density is averaged over the S draws of the posterior before the logarithm is taken,

    .. math:: \log \frac{1}{S} \sum_s \mathrm{Normal}(x_i; M_{is}, V_{is})

    with M, V and new contributors as in :func:`predict`; for a posterior of :func:`tail_model` the density is that of
    :class:`mlm_tutorial.NormalInverseGaussian`. Each row is evaluated by itself: rows with the same new
    contributor do not inform one another. The sum over rows that the posterior has not seen estimates how well the
    model predicts (Vehtari, Gelman and Gabry 2017, *Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC*, section 2); on rows that it has seen, it is too high.

    Parameters
    ----------
    idata : xarray.DataTree
        A posterior with variables named as in :func:`cell_model`.
    frame : data frame
        One row per observation: any table that :func:`cell_statistics` takes, with the model's covariates. It is read
        in pieces.
    total : str
        Name of the column with the totals.
    layers : list of str
        Names of the columns with the contributors of each layer.

    Returns
    -------
    xarray.DataArray
        One logarithm per row, dim observation; totals are in their own units, so logarithms are of densities per unit.

    Raises
    ------
    TypeError, KeyError, ValueError
        As for :func:`predict`, and if a total is missing or infinite.

    Warns
    -----
    UserWarning
        As for :func:`predict`.
    """
    if layers is REQUIRED:
        raise TypeError("log_predictive_density() missing 1 required argument: 'layers'")
    rows, parameters, populations = _read(idata, Table(frame, layers, total, covariates_of(idata)))
    marginal, codes = _with_one_new_contributor(parameters, populations, rows)
    unique, covariates, cell = distinct_rows(codes, rows.x)
    # Rows with the same cell and total have the same density, and rounded totals repeat.
    totals = np.asarray(rows.totals)
    order = np.lexsort((totals, cell))
    x, c = totals[order], cell[order]
    first = np.r_[True, (x[1:] != x[:-1]) | (c[1:] != c[:-1])]
    out = np.empty(int(first.sum()))
    x, c = x[first], c[first]
    for block in marginal.blocks(len(out), 4):
        cells, local = np.unique(c[block], return_inverse=True)
        m, v = marginal.totals(unique[cells], x=covariates[cells])
        if marginal.tails is None:
            out[block] = _log_mixture_density(x[block], m, v, local)
        else:
            out[block] = _log_average(log_density(x[block, None] - m[local], v[local], *marginal.tails))
    value = np.empty(len(rows))
    value[order] = out[np.cumsum(first) - 1]
    return xr.DataArray(value, {"observation": np.arange(len(rows))}, "observation", "log_predictive_density")


@dataclass(frozen=True, eq=False)
class _Population:
    """The population of one layer in each draw: mean and sd of a new contributor's mean, and parts of its variance.

    ``average`` is the average of the known contributors' means, ``m`` their number.
    """

    average: np.ndarray
    tau: np.ndarray
    floor_sq: np.ndarray
    spread_sq: np.ndarray
    m: int


def _read(idata: xr.DataTree, table: Table) -> tuple[Rows, Parameters, dict[str, _Population]]:
    """Return rows, parameters, and the populations of the layers in which some labels are new."""
    parameters = Parameters.of(idata, table.layers)
    posterior = posterior_of(idata)
    pooled = [name for name in table.layers if variable_of("tau", name) in posterior]
    hint = {
        name: f"Layer {name!r} is not pooled, so nothing is known of contributors that were not in the data"
        for name in table.layers
        if name not in pooled
    }
    rows = table.rows(parameters.coordinates, parameters.absent, pooled, hint)
    warn_of_lookalikes(parameters, rows, stacklevel=4)
    warn_of_moved_contributors(idata, parameters, rows, stacklevel=4)
    populations = {name: _population(posterior, parameters, name, rows.new[name]) for name in pooled if rows.new[name]}
    return rows, parameters, populations


def _population(posterior: xr.Dataset, parameters: Parameters, layer: str, new: tuple) -> _Population:
    j = 1 + parameters.layers.index(layer)
    known, variance = parameters.mu[j][:-1], parameters.variance[j][:-1]
    by_draw = {
        kind: posterior[variable_of(kind, layer)].transpose("chain", "draw").values.astype(float).ravel()
        for kind in ("tau", "floor", "spread")
        if variable_of(kind, layer) in posterior
    }
    if "floor" in by_draw and "spread" in by_draw:
        floor_sq, spread_sq = by_draw["floor"] ** 2, by_draw["spread"] ** 2
    elif np.ptp(variance) == 0:
        floor_sq, spread_sq = np.full_like(by_draw["tau"], variance.flat[0]), np.zeros_like(by_draw["tau"])
    else:
        raise ValueError(
            f"column {layer!r} has the new label {new[0]!r}, and the spreads of layer {layer!r} are known but "
            "differ from one contributor to another, so that of a new one is not known"
        )
    return _Population(known.mean(axis=0), by_draw["tau"], floor_sq, spread_sq, len(known))


def _with_one_new_contributor(
    parameters: Parameters, populations: dict[str, _Population], rows: Rows
) -> tuple[Parameters, np.ndarray]:
    """Return parameters with an extra contributor in each layer with new labels, and codes that point to it.

    For a row by itself, all new contributors of a layer are alike. Their mean is integrated out, so that ``mu`` of the
    added contributor is its expectation, and ``variance`` holds the mean's variance besides its own.
    """
    if not populations:
        return parameters, rows.codes
    mu, variance, codes = list(parameters.mu), list(parameters.variance), rows.codes.copy()
    for name, population in populations.items():
        j = parameters.layers.index(name)
        v = population.floor_sq + population.spread_sq * stratified_exponentials(parameters.n_draws, name)
        average, between = population.average, population.tau**2 * (1 + 1 / population.m)
        if parameters.tails is None:
            v += between
        else:  # the mean is normal, and the rest is not
            average = average + np.sqrt(between) * ndtri(_stratified(parameters.n_draws, f"mean of {name}"))
        # Before the last row, which is that of an absent layer.
        mu[1 + j] = np.insert(mu[1 + j], population.m, average, axis=0)
        variance[1 + j] = np.insert(variance[1 + j], population.m, v, axis=0)
        codes[:, j] = np.minimum(codes[:, j], population.m)
    return replace(parameters, mu=mu, variance=variance), codes


def stratified_exponentials(n: int, layer: str) -> np.ndarray:
    """Return `n` standard exponentials, one per n-th part of the distribution, in an order set by the layer's name."""
    return -np.log1p(-_stratified(n, layer))


def _stratified(n: int, name: str) -> np.ndarray:
    """Return `n` numbers between 0 and 1, one in each n-th part, in an order set by a name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return (rng.permutation(n) + rng.random(n)) / n


def mixture_quantile(p: float, mu: np.ndarray, sigma: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return a quantile of each row's equal mixture of normals, from arrays of shape (C, S) and two of shape (C,).

    Newton's method on the normal score of the cdf, which is nearly a straight line, between bounds: at the least of the
    components' own quantiles the cdf is at most p, at the greatest at least p. Where a step leaves the bounds or is not
    half as long as the one before, the interval between the bounds is halved instead (Press et al. 2007, *Numerical
    Recipes*, section 9.4).
    """
    z = ndtri(p)
    mu = mu - mean[:, None]  # an offset would cost digits
    quantiles = mu + z * sigma
    low, high = quantiles.min(axis=1), quantiles.max(axis=1)
    x = np.clip(z * sd, low, high)
    last_step = LAST_STEP * sigma.min(axis=1)
    length = high - low
    active = np.arange(len(x))
    for _ in range(200):  # at most two for each halving
        at = x[active]
        deviation = (at[:, None] - mu) / sigma
        cdf = ndtr(deviation).mean(axis=1)
        density = (np.exp(-0.5 * deviation**2) / sigma).mean(axis=1) / np.sqrt(2 * np.pi)
        low[active] = np.where(cdf < p, at, low[active])
        high[active] = np.where(cdf < p, high[active], at)
        with np.errstate(all="ignore"):  # scores of 0 and 1 are infinite; such steps are not taken
            score = ndtri(cdf)
            new = at - (score - z) * np.exp(-0.5 * score**2) / np.sqrt(2 * np.pi) / density
        fits = (low[active] <= new) & (new <= high[active]) & (np.abs(new - at) <= length[active] / 2)
        new = np.where(fits, new, (low[active] + high[active]) / 2)
        # After half an interval the error is as large as what is left of it, after Newton's step of its square's order.
        error = np.where(fits, np.abs(new - at), (high[active] - low[active]) / LAST_STEP)
        x[active], length[active] = new, np.abs(new - at)
        going = (error > last_step[active]) & (high[active] - low[active] > np.spacing(np.abs(new)))
        if not going.any():
            break
        active, mu, sigma = active[going], mu[going], sigma[going]
    return mean + x


def _log_mixture_density(x: np.ndarray, mu: np.ndarray, variance: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Return the logarithm of the mixtures' densities at x, shape (N,); `component` indexes the rows of mu."""
    log_scale = -0.5 * np.log(2 * np.pi * variance)
    terms = x[:, None] - mu[component]
    terms *= terms
    terms *= (-0.5 / variance)[component]
    terms += log_scale[component]
    return _log_average(terms)


def _log_average(terms: np.ndarray) -> np.ndarray:
    """Return the logarithm of the average over draws, from logarithms of shape (N, S), which are overwritten."""
    largest = terms.max(axis=1)
    terms -= largest[:, None]
    return largest + np.log(np.exp(terms, out=terms).mean(axis=1))


def _as_normals(parameters: Parameters, mu: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return totals (C, S) with tails as normals given one random variance in each draw, spread evenly over the draws.

    The random variance is made from a normal and a uniform number (Michael, Schucany and Haas 1976, *Generating random
    variates using transformations with multiple roots*), the same for all cells.
    """
    if parameters.tails is None:
        return mu, variance
    skewness, tail_weight = parameters.tails
    mean, shape = mixing_moments(variance, skewness, tail_weight)
    # Evenly spread points of a square, in an order that has nothing to do with that of the draws.
    k = np.random.default_rng(0).permutation(parameters.n_draws)
    first, second = (k + 0.5) / len(k), (k * GOLDEN_RATIO) % 1
    y = mean / shape * ndtri(first) ** 2
    root = 1 / (1 + y / 2 + np.sqrt(y + y**2 / 4))
    z = mean * np.where(second < 1 / (1 + root), root, 1 / root)
    return mu + slope(skewness, tail_weight) * (z - mean), z


def _joint_draws(
    parameters: Parameters,
    populations: dict[str, _Population],
    rows: Rows,
    n_draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return draws (n_draws, N) in which rows with the same new label have the same contributor."""
    size = parameters.n_draws
    picked = rng.choice(size, size=n_draws, replace=n_draws > size)
    out = np.empty((n_draws, len(rows)))
    widest = max(len(rows), *(len(labels) for labels in rows.new.values()))
    for block in in_blocks(n_draws, widest):
        s = picked[block]
        mean, variance = (
            np.tile(values[0][s, None], (1, len(rows))) for values in (parameters.mu, parameters.variance)
        )
        for j, name in enumerate(parameters.layers):
            mu, v = (values[1 + j][:, s].T for values in (parameters.mu, parameters.variance))
            if name in populations:
                new = _draw_contributors(populations[name], s, len(rows.new[name]), rng)
                # Known ones, new ones, and the zero of an absent layer.
                mu, v = (np.hstack([a[:, :-1], b, a[:, -1:]]) for a, b in zip((mu, v), new, strict=True))
            mean += mu[:, rows.codes[:, j]]
            variance += v[:, rows.codes[:, j]]
        mean += parameters.of_covariates(rows.x, s).T
        tails = None if parameters.tails is None else tuple(values[s, None] for values in parameters.tails)
        out[block] = draw_totals(mean, variance, tails, rng)
    return out


def _draw_contributors(population: _Population, s: np.ndarray, n: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Return means and variances of `n` new contributors in some draws, each of shape (len(s), n)."""
    tau = population.tau[s, None]
    # All new contributors of a draw share the distance between the two averages.
    shift = rng.standard_normal((len(s), 1)) / np.sqrt(population.m)
    mu = population.average[s, None] + tau * (shift + rng.standard_normal((len(s), n)))
    return mu, population.floor_sq[s, None] + population.spread_sq[s, None] * rng.standard_exponential((len(s), n))
