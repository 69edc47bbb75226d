r"""Totals as sums of increments of one Lévy process, of normal-inverse-Gaussian kind, given their parameters.

Each contribution has its own mean and variance; all share a skewness :math:`\rho` and a tail weight :math:`\kappa`, see
``NormalInverseGaussian``. A contribution is normal given its own random variance, an inverse Gaussian
with mean :math:`v_j (1 - \rho^2)`; these variances add up to that of the total.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import kve
from scipy.stats import geninvgauss

#: Nodes of the integral over p from 0 to `REACH`, beyond which its weight exp(-p^2) is below 1e-18.
N_NODES, REACH = 80, 6.5


def _log_k1e_over_z(z: np.ndarray) -> np.ndarray:
    return np.log(kve(1, z) / z)


def log_density(deviation, variance, skewness, tail_weight):
    """Return the log density of a total's deviation from its mean, see ``NormalInverseGaussian``.

    Parameters
    ----------
    deviation, variance, skewness, tail_weight : array_like of float
        Their shapes broadcast.
    """
    front = log_front(variance, skewness, tail_weight, np)
    return front + log_rest(deviation, variance, skewness, tail_weight, np, _log_k1e_over_z)


def log_front(variance, skewness, tail_weight, library: Any):
    """Return the part of the log density that is the same for all totals of a cell, in NumPy or ``pytensor.tensor``."""
    alpha = 1 / (tail_weight * (1 - skewness**2))
    return library.log(variance * alpha**3 * (1 - skewness**2) ** 1.5 / np.pi)


def log_rest(deviation, variance, skewness, tail_weight, library: Any, log_k1e_over_z: Callable):
    """Return the part of the log density that differs from total to total, see :func:`log_front`.

    Parameters
    ----------
    deviation, variance, skewness, tail_weight : array_like
        Their shapes broadcast.
    library : module
        NumPy or ``pytensor.tensor``.
    log_k1e_over_z : callable
        The logarithm of exp(z) K_1(z) / z in that library.
    """
    _, t, z0, z = _without_units(deviation, variance, skewness, tail_weight, library)
    # Divided once: a division, and what its derivative adds, takes as long as some ten multiplications.
    t_by_sum = t * (1 / (z + z0))
    # z - z0 without cancellation, where both are large.
    further = t_by_sum * (2 * skewness * z0 + t)
    return t_by_sum * (skewness * further - t) + log_k1e_over_z(z)


def _without_units(deviation, variance, skewness, tail_weight, library: Any = np):
    """Return alpha, and t, z_0 and z as in ``NormalInverseGaussian``."""
    rest = 1 - skewness**2
    alpha = 1 / (tail_weight * rest)
    t, z0 = alpha * deviation, variance * alpha**2 * rest
    return alpha, t, z0, library.sqrt(z0**2 + 2 * skewness * t * z0 + t**2)


def local_variance(deviation, variance, skewness, tail_weight) -> np.ndarray:
    r"""Return the factor a(x) of the covariance of contributions given their total x; the variance V for normals.

    The contributions are increments of one process, so that given the total x their covariance is
    :math:`a(x)\,(\mathrm{diag}(w) - w w^T)` with :math:`w_j = v_j / V`: with the characteristic function
    :math:`e^{\delta\psi}` of the total and f its density, a f is the inverse Fourier transform of
    :math:`-\delta\psi'' e^{\delta\psi}`. For a normal, a is V. Here :math:`\psi'' = -\alpha^2 / g^3` with
    :math:`g^2 = \alpha^2 - (\beta + is)^2`, and as :math:`e^{-\delta g} / g` transforms to
    :math:`e^{\beta y} K_0(\alpha\sqrt{\delta^2 + y^2}) / \pi`, two integrations over :math:`\delta` give

    .. math:: a = \frac{z}{\alpha^2 K_1(z)}
        \int_0^\infty r\, K_0\Big(\sqrt{(r + \alpha\delta)^2 + \alpha^2 y^2}\Big) dr,
        \quad z = \alpha\sqrt{\delta^2 + y^2}.

    Parameters
    ----------
    deviation, variance, skewness, tail_weight : array_like of float
        Their shapes broadcast; the deviation is that of the total from its mean.

    Returns
    -------
    numpy.ndarray
        In the square of the totals' unit.
    """
    deviation, variance, skewness, tail_weight = np.broadcast_arrays(deviation, variance, skewness, tail_weight)
    alpha, _, z0, z = _without_units(deviation, variance, skewness, tail_weight)
    d = z0 * np.sqrt(1 - skewness**2)
    # The root in K_0 as z + p^2: then the integrand is smooth, and exp(-p^2) ends it.
    node, weight = np.polynomial.legendre.leggauss(N_NODES)
    integral = np.zeros(z.shape)
    for p, w in zip((node + 1) * REACH / 2, weight * REACH / 2, strict=True):
        root = np.sqrt(d**2 + 2 * z * p**2 + p**4)
        r = p**2 * (2 * z + p**2) / (root + d)  # root - d
        integral += w * 2 * p * np.exp(-(p**2)) * r * (z + p**2) / root * kve(0, z + p**2)
    return z * integral / (alpha**2 * kve(1, z))


def mixing_moments(variance, skewness, tail_weight):
    """Return mean and shape of the inverse Gaussian from which the random variance is drawn."""
    rest = 1 - skewness**2
    return variance * rest, (variance / tail_weight) ** 2 * rest


def draw_totals(mean, variance, tails, rng: np.random.Generator) -> np.ndarray:
    """Return draws of totals with these means and variances; `tails` is skewness and tail weight, None for normals."""
    noise = rng.standard_normal(np.shape(mean))
    if tails is None:
        return mean + np.sqrt(variance) * noise
    skewness, tail_weight = tails
    expected, shape = mixing_moments(variance, skewness, tail_weight)
    z = rng.wald(expected, shape)
    return mean + slope(skewness, tail_weight) * (z - expected) + np.sqrt(z) * noise


def slope(skewness, tail_weight):
    """Return beta: how far the mean of a contribution moves with its random variance."""
    return skewness / (tail_weight * (1 - skewness**2))


def draw_variances_given_total(deviation, variances, skewness, tail_weight, rng: np.random.Generator) -> np.ndarray:
    r"""Return joint draws of the random variances of all contributions, given their total.

    That of the total is generalized inverse Gaussian given x, with index -1 (Barndorff-Nielsen 1997, section 2). It is
    split by the inverse Gaussian bridge (Ribeiro and Webber 2003, *A Monte Carlo method for the normal inverse Gaussian
    option valuation model using an inverse Gaussian bridge*): with m the ratio of two parts' :math:`\delta`, the ratio
    of the parts has the density of an inverse Gaussian with mean m times 1 plus the ratio.

    Parameters
    ----------
    deviation : array_like, shape (...)
        Of the total from its mean.
    variances : numpy.ndarray, shape (..., J)
        Variances of the contributions; 0 for one without.
    skewness, tail_weight : array_like, shape (...)
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (..., J)
    """
    variance = variances.sum(axis=-1)
    deviation, skewness, tail_weight, variance = np.broadcast_arrays(deviation, skewness, tail_weight, variance)
    alpha, _, _, z = _without_units(deviation, variance, skewness, tail_weight)
    left = z / alpha**2 * geninvgauss.rvs(-1, z, random_state=rng)
    out = np.zeros(np.broadcast_shapes(variances.shape, (*variance.shape, 1)))
    delta = np.broadcast_to(variances, out.shape) * (alpha * (1 - skewness**2) ** 1.5)[..., None]
    after = np.cumsum(delta[..., ::-1], axis=-1)[..., ::-1]  # of this part and all later ones
    for j in range(out.shape[-1] - 1):
        first, others = delta[..., j], after[..., j + 1]
        both = (first > 0) & (others > 0)
        m = others[both] / first[both]
        ratio = rng.wald(m, others[both] ** 2 / left[both])
        ratio = np.where(rng.random(m.shape) < 1 / (1 + m), ratio, m**2 / ratio)
        out[..., j] = np.where(first > 0, left, 0)
        out[both, j] = left[both] / (1 + ratio)
        left = left - out[..., j]
    out[..., -1] = left
    return out
