"""A rough fit of a layered sum, to say where chains start and in which units they walk.

None of it enters a model's density: a poor estimate here costs time, not correctness.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import diags_array
from scipy.sparse.linalg import lsqr

from mlm_tutorial.cells import Cells

__all__ = ["RoughEffects", "rough_effects"]


@dataclass(frozen=True, eq=False)
class RoughEffects:
    """Rough differences among contributors.

    Attributes
    ----------
    mean, variance : float
        Of a total: its average, and its variance about an additive fit of the means.
    means, variances : list of numpy.ndarray
        For each layer what each contributor adds to a total's mean and variance, shape (m_j,), as its own
        observations say, without pooling. Averages weighted by counts are zero.
    mean_scales, variance_scales : list of float
        For each layer the standard deviation of these effects beyond their standard errors.
    """

    mean: float
    variance: float
    means: list[np.ndarray]
    variances: list[np.ndarray]
    mean_scales: list[float]
    variance_scales: list[float]


def rough_effects(cells: Cells) -> RoughEffects:
    """Return a rough fit by moments and two ridge regressions, on means and on squared residuals.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    RoughEffects
    """
    variance = cells.residual_variance()
    mean, means, mean_scales, fitted = _effects(cells, cells.mean, cells.n / variance)
    squares = cells.sum_sq / cells.n + (cells.mean - fitted) ** 2
    # Residuals of a fit are smaller than errors; the variance is corrected for that.
    squares = squares * variance / np.average(squares, weights=cells.n)
    _, variances, variance_scales, _ = _effects(cells, squares, cells.n / (2 * variance**2))
    return RoughEffects(mean, variance, means, variances, mean_scales, variance_scales)


def _effects(cells: Cells, values: np.ndarray, precision: np.ndarray):
    """Return average, effects and their scales by layer, and fitted values, of `values` with known precisions."""
    center = np.average(values, weights=precision)
    deviation = values - center
    weights = [
        np.bincount(codes, precision, minlength=len(cells.labels[name]))
        for name, codes in zip(cells.layers, cells.codes.T, strict=True)
    ]
    scales = []
    for weight, codes in zip(weights, cells.codes.T, strict=True):
        average = np.bincount(codes, precision * deviation, minlength=len(weight)) / weight
        # E[w average^2] = w scale^2 + 1; not below a tenth of the average standard error.
        excess = weight @ average**2 - len(weight)
        scales.append(float(np.sqrt(max(excess, len(weight) / 100) / weight.sum())))
    prior = [np.full(len(weight), scale) for weight, scale in zip(weights, scales, strict=True)]
    by_column = np.concatenate([[np.sqrt(1 / precision.min())], *prior])
    root = np.sqrt(precision)
    design = cells.design()
    scaled = diags_array(root) @ design @ diags_array(by_column)
    fit = by_column * lsqr(scaled, root * deviation, damp=1.0)[0]
    residual = deviation - design @ fit
    effects, end = [], 1
    for weight, codes in zip(weights, cells.codes.T, strict=True):
        part = fit[end : (end := end + len(weight))]
        # Not shrunk: the ridge's estimate plus the average residual is what the contributor's own observations say.
        own = part + np.bincount(codes, precision * residual, minlength=len(weight)) / weight
        effects.append(own - np.average(own, weights=weight))
    return center, effects, scales, values - residual
