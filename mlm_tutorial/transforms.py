"""Coordinates in which the sampler finds a sum's parameters easy.

A transform changes where the sampler walks, not the model: prior and likelihood stay what they are, and the density in
the new coordinates carries the logarithm of the Jacobian determinant.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from scipy.linalg import cholesky, solve_triangular

__all__ = ["IdentifiedScales", "LinearTransform", "PooledMeans", "VarianceParts"]


class IdentifiedScales(Transform):
    r"""Coordinates for all standard deviations of a layered sum: what the data fix, and what they do not.

    The vector of standard deviations is ``[baseline, layer 1's contributors, layer 2's contributors, ...]``. Its
    coordinates are, in this order,

    - ``t``, which locates the total variance of the reference contributors
      :math:`T = v_0 + \sum_j v_{j,r_j}` (the data fix it),
    - ``c``, one number for each contributor that is no reference: its variance minus the reference's, in units of a
      rough posterior scale (the data fix it),
    - ``logits``, J numbers: how what is left over is shared among baseline and layers (the prior alone decides).

    A layer's reference is its contributor with most observations. Rough posterior scales are
    :math:`d_{jk} = \min(V\sqrt{2/n_{jk}}, s_j^2)`. A contributor with :math:`d_{jk} < 3 s_j^2 / m_j` is well observed:
    its difference is linear. The others are curved at their own scale, and positive by themselves.

    Parameters
    ----------
    counts : sequence of array_like of int
        For each layer after the baseline, the observations of each contributor, shape (m_j,).
    prior_variance : sequence of float
        For each layer the prior mean :math:`s_j^2` of a variance.
    variance : float
        Rough variance V of one observation about its mean.

    Notes
    -----
    With :math:`h = 3 V \sqrt{2/N}` and the sums and maxima over well observed contributors,

    .. math::

        l_j = \max(0, \max_k -c_{jk} d_{jk}), \quad A = h\,\mathrm{softplus}(t - \textstyle\sum_j l_j / h), \quad
        p = \mathrm{softmax}(0, \mathrm{logits}),

        v_0 = A p_0, \quad v_{j,r_j} = A p_j + l_j, \quad v_{jk} = v_{j,r_j} + c_{jk} d_{jk} \text{ or }
        d_{jk}\,\mathrm{softplus}(v_{j,r_j}/d_{jk} + c_{jk}).

    So :math:`A p_j` is the smallest variance among a layer's reference and well observed contributors.
    """

    name = "identified"
    ndim_supp = 1

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        prior_variance: Sequence[float],
        variance: float,
    ):
        self.n_layers = len(counts)
        self.unit = 3 * variance * np.sqrt(2 / np.sum(counts[0]))
        self.references = []  # positions in the vector of standard deviations
        self.others = []  # one array a layer: positions of the contributors that are no reference
        self.scales = []  # one array a layer: d of `others`
        self.well = []  # one array a layer: which of `others` are well observed
        start = 1
        for n, s2 in zip(counts, prior_variance, strict=True):
            m, r = len(n), int(np.argmax(n))
            others = np.delete(np.arange(m), r)
            rough = np.minimum(variance * np.sqrt(2 / np.asarray(n)), s2)
            scale = rough[others]
            self.references.append(start + r)
            self.others.append(start + others)
            self.scales.append(scale)
            self.well.append(scale < 3 * s2 / m)
            start += m
        self.size = start
        # Positions of each layer's coordinates in c.
        ends = np.cumsum([len(others) for others in self.others])
        self.slices = [slice(end - len(x), end) for x, end in zip(self.others, ends, strict=True)]
        # Where to find each standard deviation in [baseline, references, others]. A permutation's inverse.
        order = np.concatenate([[0], self.references, *self.others]).astype(int)
        self.positions = np.argsort(order)

    def forward(self, value, *inputs):
        """Return the coordinates of standard deviations, both of shape (1 + sum of m_j,)."""
        v = pt.as_tensor(value) ** 2
        c, left_over, floors = [], [v[0]], []
        for reference, others, scale, well in self._layers():
            v_reference, v_others = v[reference], v[others]
            linear = (v_others - v_reference) / scale
            curved = _softplus_inverse(v_others / scale) - v_reference / scale
            c.append(pt.where(well, linear, curved))
            floors.append(_floor(linear, scale, well))
            # v_reference - l_j, without the digits that the subtraction loses.
            left_over.append(pt.min(pt.concatenate([v_reference[None], v_others[well.nonzero()[0]]])))
        left_over = pt.stack(left_over)
        total = pt.sum(left_over)
        t = _softplus_inverse(total / self.unit) + sum(floors) / self.unit
        logits = pt.log(left_over[1:]) - pt.log(left_over[0])
        return pt.concatenate([t[None], *c, logits])

    def backward(self, value, *inputs):
        """Return the standard deviations at coordinates."""
        return pt.sqrt(self._variances(value)[0])

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the standard deviations' Jacobian, up to a constant."""
        v, log_slopes, log_shares, total = self._variances(value)
        return (
            -0.5 * pt.sum(pt.log(v))  # from variances to standard deviations
            + pt.sum(log_shares)
            + self.n_layers * pt.log(total)
            + sum(pt.sum(slope) for slope in log_slopes)
        )

    def _layers(self):
        return zip(self.references, self.others, self.scales, self.well, strict=True)

    def _variances(self, value):
        """Return variances, logarithms of the slopes of the softplus terms, log shares, and A."""
        t, c, logits = value[0], value[1 : -self.n_layers], value[-self.n_layers :]
        by_layer = [c[part] for part in self.slices]
        log_shares = pt.special.log_softmax(pt.concatenate([pt.zeros(1), logits]))
        floors = [_floor(c_j, scale, well) for c_j, scale, well in zip(by_layer, self.scales, self.well, strict=True)]
        argument = t - sum(floors) / self.unit
        total = self.unit * pt.softplus(argument)
        log_slopes = [-pt.softplus(-argument)]
        v = total * pt.exp(log_shares)
        floors = pt.stack(floors)
        references = v[1:] + floors
        others = []
        for j, (c_j, scale, well) in enumerate(zip(by_layer, self.scales, self.well, strict=True)):
            curved = references[j] / scale + c_j
            # A p_j + (l_j + c d) and not (A p_j + l_j) + c d: rounding could make the second zero.
            linear = v[1 + j] + pt.maximum(0.0, floors[j] + c_j * scale)
            others.append(pt.where(well, linear, scale * pt.softplus(curved)))
            log_slopes.append(pt.where(well, 0.0, -pt.softplus(-curved)))
        ordered = pt.concatenate([v[:1], references, *others])
        return ordered[self.positions], log_slopes, log_shares, total


def _floor(c, scale, well):
    """Return l_j: how much variance the reference needs so that no well observed contributor's is negative."""
    if not well.any():
        return pt.as_tensor(0.0)
    return pt.maximum(0.0, pt.max(-c[well.nonzero()[0]] * scale[well]))


def _softplus_inverse(y):
    """Return x with log(1 + exp(x)) = y, stable for large and small y."""
    return y + pt.log(-pt.expm1(-y))


class LinearTransform(Transform):
    """Coordinates w of a vector ``center + matrix @ w``, with a constant Jacobian.

    Parameters
    ----------
    center : array_like of float, shape (K,)
    precision : array_like of float, shape (K, K)
        Rough posterior precision of the vector. The matrix is the inverse of its transposed Cholesky factor, so that w
        has unit variance and no correlation where the precision is right.
    """

    name = "linear"
    ndim_supp = 1

    def __init__(self, center: np.ndarray, precision: np.ndarray):
        self.center = np.asarray(center, dtype=float)
        self.factor = cholesky(precision, lower=True)
        self.matrix = solve_triangular(self.factor.T, np.eye(len(self.center)))

    def forward(self, value, *inputs):
        """Return the coordinates of a vector of shape (K,)."""
        return matvec(self.factor.T, value - self.center)

    def backward(self, value, *inputs):
        """Return the vector at coordinates of shape (K,)."""
        return self.center + matvec(self.matrix, value)

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the matrix."""
        return pt.as_tensor(-np.log(np.diag(self.factor)).sum())


def matvec(matrix, vector):
    """Return the product of a matrix of known shape and a vector.

    Numba takes half a minute to compile its calls of BLAS the first time. Small products do not need them.
    """
    if np.prod(matrix.shape) > 10_000:
        return pt.dot(matrix, vector)
    return pt.sum(matrix * vector, axis=1)


class _Layer(NamedTuple):
    """What standardizes the means of one layer."""

    center: object
    scale: object
    direction: object
    stretch: object


class PooledMeans(Transform):
    r"""Coordinates of contributors' means :math:`z_{jk} \sim \text{Normal}(0, \tau_j)` that fit every count.

    Where :math:`\tau_j` and one observation's variance V were known, the posterior of a mean with n observations would
    be normal with mean :math:`g\,\hat y` and variance :math:`\tau^2 (1 - g)`, :math:`g = \tau^2 / (\tau^2 + V/n)`
    (Gelman et al. 2013, *Bayesian Data Analysis*, section 5.4). The coordinates are standardized by it, at the current
    :math:`\tau_j`: a contributor with many observations is centered, one with few is non-centered, without a choice.

    The vector is ``[baseline, layer 1's contributors, ...]``, its standard deviations are those of the distribution
    that is transformed. Its layers' averages are not part of the sums-to-zero that a model makes of them; the baseline
    that the data fix is the one at the layers' weighted averages.

    Parameters
    ----------
    counts : sequence of array_like of int
        For each layer the observations of each contributor, shape (m_j,).
    effects : sequence of array_like of float
        For each layer rough means, shape (m_j,), whose average weighted by `counts` is zero.
    center : float
        Rough mean of all totals.
    variance : float
        Rough variance V of one observation about its mean.

    Notes
    -----
    With :math:`a_k = n_k/V`, :math:`s_k = \tau\sqrt{1-g_k}` and :math:`b_k = s_k a_k / \sqrt{\sum a}`, coordinates w
    give :math:`z_k = g_k (\hat y_k + \bar y) + s_k u_k` with :math:`\bar y = \sum a g \hat y / \sum a (1 - g)`,
    where :math:`u = w + (\rho - 1)\, b b^\top w / b^\top b` with
    :math:`\rho^{-2} = 1 - b^\top b` undoes that the data do not see a layer's weighted average.
    """

    name = "pooled_means"
    ndim_supp = 1

    def __init__(self, counts: Sequence[np.ndarray], effects: Sequence[np.ndarray], center: float, variance: float):
        self.precisions = [np.asarray(n) / variance for n in counts]
        self.effects = [np.asarray(x, dtype=float) for x in effects]
        self.center = float(center)
        self.unit = float(np.sqrt(variance / np.sum(counts[0])))
        ends = np.cumsum([1, *map(len, counts)])
        self.slices = [slice(start, end) for start, end in pairwise(ends)]

    def forward(self, value, *inputs):
        """Return the coordinates of means of shape (1 + sum of m_j,)."""
        parts = []
        for part, layer in zip(self.slices, self._layers(inputs), strict=True):
            u = (value[part] - layer.center) / layer.scale
            parts.append(u + (1 / layer.stretch - 1) * layer.direction * pt.sum(layer.direction * u))
        return pt.concatenate([((value[0] - self._baseline(value)) / self.unit)[None], *parts])

    def backward(self, value, *inputs):
        """Return the means at coordinates."""
        parts = []
        for part, layer in zip(self.slices, self._layers(inputs), strict=True):
            w = value[part]
            u = w + (layer.stretch - 1) * layer.direction * pt.sum(layer.direction * w)
            parts.append(layer.center + layer.scale * u)
        means = pt.concatenate([value[:1] * self.unit, *parts])
        return pt.concatenate([(means[0] + self._baseline(means))[None], *parts])

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the means' Jacobian, up to a constant."""
        return sum(pt.sum(pt.log(layer.scale)) + pt.log(layer.stretch) for layer in self._layers(inputs))

    def _layers(self, inputs):
        """Yield what standardizes each layer at the standard deviations among a normal's inputs."""
        *_, sd = inputs
        for part, precision, effect in zip(self.slices, self.precisions, self.effects, strict=True):
            tau = sd[part][0]
            odds = tau**2 * precision
            scale = tau / pt.sqrt(1 + odds)
            direction = scale * precision
            share = odds / (1 + odds)
            blind = pt.sum(precision / (1 + odds)) / precision.sum()  # 1 - b'b without the digits it loses
            # The layer's weighted average, which only the prior on all its means locates.
            average = pt.sum(precision * share * effect) / precision.sum() / blind
            yield _Layer(
                center=share * (effect + average),
                scale=scale,
                direction=direction / pt.sqrt(pt.sum(direction**2)),
                stretch=1 / pt.sqrt(blind),
            )

    def _baseline(self, means):
        """Return the baseline at which the weighted average of all totals is the rough one."""
        shifts = []
        for part, precision in zip(self.slices, self.precisions, strict=True):
            weight = precision / precision.sum() - 1 / len(precision)
            shifts.append(pt.sum(weight * means[part]))
        return self.center - sum(shifts)


class VarianceParts(Transform):
    r"""Coordinates of the parts that the variances of many contributors are made of.

    The vector is ``[baseline, floor of layer 1, ..., floor of layer J, excess of layer 1's contributors, ...]``; the
    variance of a contributor is its layer's floor plus its excess. Without `floors` they are left out, and an excess is
    all of a contributor's variance. All parts are exponential, with the means that the transformed distribution has.
    The coordinates are, in this order,

    - ``t``, which locates the average variance of a total: the sum of baseline, floors and each layer's average
      excess (the data fix it),
    - ``logits``, as many as floors: how the sum of baseline and floors is shared (the prior alone decides),
    - ``w``, one number for each contributor: its excess in units of its rough posterior scale, but for what all
      excesses of the layer have in common, which the data do not tell from baseline and floors.

    Parameters
    ----------
    counts : sequence of array_like of int
        For each layer the observations of each contributor, shape (m_j,).
    effects : sequence of array_like of float
        For each layer rough differences of the contributors' variances to the layer's average, shape (m_j,).
    scales : sequence of float
        For each layer a rough mean of its excesses.
    variance : float
        Rough variance V of one observation about its mean.
    floors : bool
        Whether layers have floors.

    Notes
    -----
    With :math:`\lambda_j` the mean excess of a layer and :math:`d_{jk} = v_{jk}\sqrt{2/n_{jk}}` the standard error of a
    contributor's variance from its own observations, :math:`v_{jk}` a rough variance of its totals,

    .. math::

        q_{jk} = (1/\lambda_j + 1/d_{jk})^{-1}, \quad e_{jk} = q_{jk}\,\mathrm{softplus}(x_{jk}), \quad
        A = h\,\mathrm{softplus}\Bigl(t - \sum_{jk} \frac{n_{jk}}{N} e_{jk} / h\Bigr), \quad
        h = 3V\sqrt{2/N}, \quad p = \mathrm{softmax}(0, \mathrm{logits}),

    and A p are baseline and floors. A contributor with few observations has an excess of the prior's size, and moves
    with it (non-centered); one with many has one of the size of its standard error (centered). All excesses of a layer
    can move together by about :math:`\lambda_j/m_j`, the prior scale of their common part, which may be many standard
    errors. So :math:`x_j = w_j + (\rho_j - 1)\, b_j b_j^\top w_j / b_j^\top b_j` with :math:`b_{jk} = 1/q_{jk}` and
    :math:`\rho_j^2 = 1 + (\lambda_j/m_j)^2\, b_j^\top b_j`, both at the rough :math:`\lambda_j` of `scales`.
    """

    name = "variance_parts"
    ndim_supp = 1

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        effects: Sequence[np.ndarray],
        scales: Sequence[float],
        variance: float,
        floors: bool,
    ):
        n = np.concatenate(list(counts))
        total = np.sum(counts[0])
        rough = np.maximum(variance + np.concatenate(list(effects)), variance / 4)
        errors, weights = rough * np.sqrt(2 / n), n / total
        self.unit = float(3 * variance * np.sqrt(2 / total))
        self.n_floors = 1 + floors * len(counts)  # the baseline is one
        ends = np.cumsum([self.n_floors, *map(len, counts)])
        self.slices = [slice(start, end) for start, end in pairwise(ends)]
        self.errors, self.weights = (np.split(x, ends[1:-1] - self.n_floors) for x in (errors, weights))
        self.directions, self.stretches = [], []
        for scale, error in zip(scales, self.errors, strict=True):
            b = 1 / scale + 1 / error
            self.directions.append(b / np.sqrt(b @ b))
            self.stretches.append(np.sqrt(1 + (scale / len(b)) ** 2 * (b @ b)))

    def forward(self, value, *inputs):
        """Return the coordinates of variances, both of shape (1 + J + sum of m_j,)."""
        floors, excesses = value[: self.n_floors], [value[part] for part in self.slices]
        t = _softplus_inverse(pt.sum(floors) / self.unit) + self._average(excesses) / self.unit
        w = [
            _along(_softplus_inverse(excess / scale), direction, 1 / stretch)
            for excess, scale, direction, stretch in zip(
                excesses, self._scales(inputs), self.directions, self.stretches, strict=True
            )
        ]
        return pt.concatenate([t[None], pt.log(floors[1:] / floors[0]), *w])

    def backward(self, value, *inputs):
        """Return the variances at coordinates."""
        log_floors, _, excesses, _ = self._parts(value, inputs)
        return pt.concatenate([pt.exp(log_floors), *excesses])

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the variances' Jacobian, up to a constant."""
        log_floors, argument, _, log_slopes = self._parts(value, inputs)
        # d floors / d(t, logits) has the determinant dA/dt A^J prod p, where A p are the floors.
        return pt.sum(log_floors) - _log_softplus(argument) - pt.softplus(-argument) + sum(log_slopes)

    def _scales(self, inputs):
        """Return the rough posterior scales of each layer's excesses."""
        *_, mean = inputs
        return [1 / (1 / mean[part] + 1 / error) for part, error in zip(self.slices, self.errors, strict=True)]

    def _parts(self, value, inputs):
        """Return logarithms of baseline and floors, what t leaves for them in units of h, excesses and their slopes."""
        excesses, log_slopes = [], []
        layers = zip(self.slices, self._scales(inputs), self.directions, self.stretches, strict=True)
        for part, scale, direction, stretch in layers:
            x = _along(value[part], direction, stretch)
            excesses.append(scale * pt.softplus(x))
            log_slopes.append(pt.sum(pt.log(scale) - pt.softplus(-x)))
        argument = value[0] - self._average(excesses) / self.unit
        log_shares = pt.special.log_softmax(pt.concatenate([pt.zeros(1), value[1 : self.n_floors]]))
        return np.log(self.unit) + _log_softplus(argument) + log_shares, argument, excesses, log_slopes

    def _average(self, excesses):
        """Return the sum of all layers' average excesses, each weighted by counts."""
        return sum(pt.sum(weight * x) for weight, x in zip(self.weights, excesses, strict=True))


def _along(vector, direction, stretch):
    """Return a vector, stretched along a direction of unit length."""
    return vector + (stretch - 1) * direction * pt.sum(direction * vector)


def _log_softplus(x):
    """Return log(log(1 + exp(x))), which is x where x is far below zero."""
    return pt.where(x < -30, x, pt.log(pt.softplus(pt.maximum(x, -30.0))))
