"""Moment estimates of a layered sum, for starting points and scales of the sampler.

None of it enters a model's density: a poor estimate here costs time, not correctness.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import diags_array
from scipy.sparse.linalg import lsqr
from scipy.special import log_ndtr

from mlm_tutorial.cells import Cells
from mlm_tutorial.identifiability import nested_in

__all__ = [
    "MomentEstimates",
    "SlopeEstimates",
    "center_of_excess",
    "moment_estimates",
    "parents_of",
    "scale_error",
    "sd_of_common_part",
    "slope_estimates",
    "starting_means",
    "starting_variances",
]


@dataclass(frozen=True, eq=False)
class MomentEstimates:
    """Moment estimates of the differences between contributors.

    Attributes
    ----------
    mean, variance : float
        Of a total: its average, and its variance about an additive fit of the means.
    means, variances : list of numpy.ndarray
        For each layer what each contributor adds to a total's mean and variance, shape (m_j,), estimated from
        its own observations without pooling. Averages weighted by counts are zero.
    shrunken_means : list of numpy.ndarray
        The same for means, each shrunk toward zero by its standard error; all layers together fit the cells' means.
    mean_scales, variance_scales : list of float
        For each layer the standard deviation of these effects beyond their standard errors.
    averages : list of float
        For each layer what its contributors add on average; zero where no row lacks the layer.
    """

    mean: float
    variance: float
    means: list[np.ndarray]
    variances: list[np.ndarray]
    shrunken_means: list[np.ndarray]
    mean_scales: list[float]
    variance_scales: list[float]
    averages: list[float]


def moment_estimates(cells: Cells) -> MomentEstimates:
    """Return estimates by moments and two ridge regressions, on means and on squared residuals.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    MomentEstimates
    """
    variance = cells.residual_variance()
    mean, _ = cells.total_moments()
    averages, shift = _averages(cells, variance)
    precision = cells.n / variance
    means, shrunken, mean_scales, fitted = _effects(cells, cells.mean - mean - shift, precision)
    squares = cells.sum_sq / cells.n + (cells.mean - mean - shift - fitted) ** 2
    # Residuals of a fit are smaller than errors; the variance is corrected for that.
    average = np.average(squares, weights=cells.n)
    squares = squares * variance / average if average > 0 else np.full(len(cells), variance)
    variances, _, variance_scales, _ = _effects(cells, squares - variance, cells.n / (2 * variance**2))
    return MomentEstimates(mean, variance, means, variances, shrunken, mean_scales, variance_scales, averages)


@dataclass(frozen=True, eq=False)
class SlopeEstimates:
    """Rough posterior of K slopes: normal, with the contributors' means taken out.

    Attributes
    ----------
    slopes : numpy.ndarray, shape (K,)
    root : numpy.ndarray, shape (K, K)
        A root of the covariance: ``root @ root.T``.
    effects, shrunken : list of numpy.ndarray
        For each layer the averages of the covariates of each contributor, estimated as the means of
        :class:`MomentEstimates` are, shape (m_j, K).
    net : Cells
        The cells less what the covariates add at these slopes.
    estimates : MomentEstimates
        Of these.
    """

    slopes: np.ndarray
    root: np.ndarray
    effects: list[np.ndarray]
    shrunken: list[np.ndarray]
    net: Cells
    estimates: MomentEstimates


def slope_estimates(cells: Cells, slope_sd: np.ndarray) -> SlopeEstimates:
    """Return the slopes' rough posterior, with the contributors' means integrated out at estimated scales.

    A mixed model's normal equations (Henderson 1975, *Best linear unbiased estimation and prediction under a selection
    model*), with scales from least squares residuals.

    Parameters
    ----------
    cells : Cells
        With covariates.
    slope_sd : numpy.ndarray, shape (K,)
        Prior standard deviations.
    """
    first = moment_estimates(cells.without_covariates())
    precision = cells.n / first.variance
    center, _ = cells.covariate_moments()
    x, (mean, _) = cells.x_mean - center, cells.total_moments()
    fitted, found = np.empty_like(x), []
    for k, column in enumerate(x.T):
        own, shrunken, _, fitted[:, k] = _effects(cells, column, precision, first.mean_scales)
        found.append((own, shrunken))
    between = precision[:, None] * (x - fitted)
    matrix = cells.x_products.sum(axis=0) / first.variance + between.T @ x
    right = cells.x_total.sum(axis=0) / first.variance + between.T @ (cells.mean - mean)
    # In units of the prior: slopes may differ by powers of ten.
    scaled = (matrix + matrix.T) / 2 * np.outer(slope_sd, slope_sd) + np.eye(len(slope_sd))
    root = slope_sd[:, None] * np.linalg.inv(np.linalg.cholesky(scaled)).T
    slopes = slope_sd * np.linalg.solve(scaled, right * slope_sd)
    net = cells.net_of(slopes)
    effects, shrunken = (
        [np.stack([column[j] for column in columns], axis=1) for j in range(len(cells.layers))]
        for columns in zip(*found, strict=True)
    )
    return SlopeEstimates(slopes, root, effects, shrunken, net, moment_estimates(net))


def starting_means(estimates: MomentEstimates, cells: Cells) -> np.ndarray:
    """Return a starting vector of means: baseline, averages of layers that may be absent, contributors."""
    baseline, averages, means = estimates.mean, [], []
    layers = zip(cells.layers, estimates.shrunken_means, estimates.averages, strict=True)
    for name, part, average in layers:
        means.append(part)
        # The contributors' average weighted by counts is `average`; the model's is not weighted.
        unweighted = average + part.mean() if name in cells.absent else 0.0
        baseline -= cells.counts(name).sum() / cells.n_observations * (unweighted - part.mean())
        if name in cells.absent:
            averages.append(unweighted)
    return np.concatenate([[baseline, *averages], *means])


def starting_variances(cells: Cells, prior_scale: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return starting variances of all components: equal shares, adjusted to the cells' spreads.

    A ridge regression of the cells' variances on the contributors; the variance of a sample variance is 2 V^2 / n.
    Chains that start with equal variances in every contributor may be hundreds of posterior standard deviations away.

    Parameters
    ----------
    cells : Cells
    prior_scale : numpy.ndarray, shape (1 + sum of m_j,)
        Prior scale of every standard deviation, baseline first.
    known : numpy.ndarray, shape (1 + sum of m_j,)
        Standard deviations that are known; NaN for the others.
    """
    variance = cells.residual_variance()
    design = cells.design()
    fixed = np.nan_to_num(known) ** 2
    free = np.isnan(known)
    spread = cells.sum_sq / cells.n + (cells.mean - cells.additive_means()) ** 2
    left = max(variance - np.average(design @ fixed, weights=cells.n), variance / 10)
    weight = np.sqrt(cells.n / 2) / variance
    by_column = np.where(free, prior_scale**2, 0.0)
    scaled = diags_array(weight) @ design @ diags_array(by_column)
    effect = by_column * lsqr(scaled, weight * (spread - design @ fixed - left), damp=1.0)[0]
    share = left / max(components_with_free_spread(cells, known), 1)
    return np.where(free, np.maximum(share + effect, share / 10), fixed)


def components_with_free_spread(cells: Cells, known: np.ndarray) -> int:
    """Return the number of components that have a standard deviation that is not known."""
    ends = np.cumsum([1, *(len(cells.labels[name]) for name in cells.layers)])
    return sum(bool(np.isnan(part).any()) for part in np.split(known, ends[:-1]))


def scale_error(scale: float, variances: np.ndarray) -> float:
    """Return the rough standard error of a layer's scale, estimated from one noisy effect of each contributor.

    The variance of effect k is ``scale**2 + variances[k]``, so the information on ``scale**2`` is the sum of
    ``1 / (2 (scale**2 + variances[k])**2)``. A scale near zero is known to the root
    of the standard error of its square.
    """
    of_square = np.sum(1 / (2 * (scale**2 + variances) ** 2)) ** -0.5
    return float(of_square / (2 * scale + np.sqrt(of_square)))


def _averages(cells: Cells, variance: float) -> tuple[list[float], np.ndarray]:
    """Return the average contribution of layers that rows may lack, and its effect on each cell about its mean."""
    present = np.array([[name in cells.absent for name in cells.layers]] * len(cells)) & (cells.codes >= 0)
    if not present.any():
        return [0.0] * len(cells.layers), np.zeros(len(cells))
    x: np.ndarray = present - np.average(present, axis=0, weights=cells.n)
    root = np.sqrt(cells.n)
    average = np.average(cells.mean, weights=cells.n)
    found = np.linalg.lstsq(x * root[:, None], (cells.mean - average) * root)[0]
    return found.tolist(), x @ found


def _effects(cells: Cells, values: np.ndarray, precision: np.ndarray, scales: list[float] | None = None):
    """Return effects, shrunken effects and scales by layer, and fitted values, of `values` with known precisions."""
    by_layer = []
    for name, codes in zip(cells.layers, cells.codes.T, strict=True):
        has = codes >= 0
        by_layer.append((has, codes[has], np.bincount(codes[has], precision[has], minlength=len(cells.labels[name]))))
    given, scales = scales, []
    for has, codes, weight in by_layer:
        average = np.bincount(codes, (precision * values)[has], minlength=len(weight)) / weight
        average -= np.average(average, weights=weight)
        # E[w average^2] = w scale^2 + 1; not below a tenth of the average standard error.
        excess = weight @ average**2 - len(weight)
        scales.append(float(np.sqrt(max(excess, len(weight) / 100) / weight.sum())))
    scales = scales if given is None else given
    prior = [np.full(len(weight), scale) for (*_, weight), scale in zip(by_layer, scales, strict=True)]
    by_column = np.concatenate([[np.sqrt(cells.n_observations / precision.sum())], *prior])
    root = np.sqrt(precision)
    design = cells.design()
    scaled = diags_array(root) @ design @ diags_array(by_column)
    fit = by_column * lsqr(scaled, root * values, damp=1.0, atol=1e-10, btol=1e-10)[0]
    residual = values - design @ fit
    effects, shrunken, end = [], [], 1
    for has, codes, weight in by_layer:
        part = fit[end : (end := end + len(weight))]
        # Not shrunk: the ridge's estimate plus the average residual uses only the contributor's own observations.
        own = part + np.bincount(codes, (precision * residual)[has], minlength=len(weight)) / weight
        effects.append(own - np.average(own, weights=weight))
        shrunken.append(part - np.average(part, weights=weight))
    return effects, shrunken, scales, values - residual


def parents_of(cells: Cells) -> list[Mapping[int, np.ndarray]]:
    """Return for each layer the layers it is nested in, with the position there of each of its contributors."""
    found: list[Mapping[int, np.ndarray]] = []
    for finer, names in nested_in(cells).items():
        codes = cells.codes[:, cells.layers.index(finer)]
        has, first = np.unique(codes, return_index=True)
        first = first[has >= 0]
        coarser = [cells.layers.index(name) for name in names]
        found.append({i: cells.codes[first, i] for i in coarser})
    return found


def center_of_excess(
    mean: np.ndarray, scale: np.ndarray, variance: float, counts: np.ndarray, observed: np.ndarray
) -> np.ndarray:
    """Return the posterior mean of softplus^-1(e / scale) for each contributor's excess e, whose prior mean is `mean`.

    The contributor's `counts` normal observations have the variance ``variance - mean + e``, a tenth of `variance` at
    least, and the observed variance `observed`.
    """
    mean = np.broadcast_to(mean, np.shape(scale))[:, None]
    u = -np.log1p(-(np.arange(64) + 0.5) / 64)  # one point in each 64th of the exponential's probability
    v = np.maximum(variance - mean, variance / 10) + mean * u
    log_likelihood = -0.5 * counts[:, None] * (np.log(v) + np.maximum(observed, 0.0)[:, None] / v)
    weights = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    y = u * mean / scale[:, None]
    x = y + np.log(-np.expm1(-y))
    return np.sum(weights * x, axis=1) / weights.sum(axis=1)


def sd_of_common_part(mean: float, excesses: np.ndarray, errors: np.ndarray, variance: float) -> float:
    """Return the posterior standard deviation of what a layer's excesses have in common, given their prior mean.

    Rough `excesses` have the standard errors `errors`. Each is c too large, since nothing but the prior tells a common
    part c of all excesses from the floors: excesses are positive, and exponential with the given mean. Normal errors
    integrated out, each of m contributors adds ``c / mean + log Phi((excess - c) / error - error / mean)`` to the log
    density of c, which is flat otherwise, from ``mean - variance`` on: then floors have no variance left to give.
    """
    lowest = min(mean - variance, -variance / 10)
    low, high = lowest, np.max(excesses) + np.max(errors)
    for _ in range(20):  # every round sees the peak 25 times as large, unless it is seen well
        c = np.linspace(low, high, 401)
        # One at a time: of a hundred thousand contributors, all 401 would take gigabytes.
        log_density = np.array([np.sum(x / mean + log_ndtr((excesses - x) / errors - errors / mean)) for x in c])
        weights = np.exp(log_density - log_density.max())
        center = np.average(c, weights=weights)
        sd, step = np.sqrt(np.average((c - center) ** 2, weights=weights)), c[1] - c[0]
        if sd > 20 * step:
            break
        reach = 8 * max(sd, step)  # the density is log-concave: hardly any of it is farther away
        low, high = max(lowest, center - reach), center + reach
    return float(sd)
