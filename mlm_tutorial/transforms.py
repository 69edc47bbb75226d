"""Coordinates in which the sampler finds a sum's parameters easy.

A transform changes where the sampler walks, not the model: prior and likelihood stay what they are, and the density in
the new coordinates carries the logarithm of the Jacobian determinant.
"""

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from scipy.linalg import cholesky, solve_triangular

__all__ = ["IdentifiedScales", "LinearTransform"]


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
    whiten : bool
        Whether to take out of t and c what the reference's own error puts into them all. All differences are to one
        contributor; with hundreds of others, their common part is the widest direction by far.

    Notes
    -----
    With :math:`h = 3 V \sqrt{2/N}` and the sums and maxima over well observed contributors,

    .. math::

        l_j = \max(0, \max_k -c_{jk} d_{jk}), \quad A = h\,\mathrm{softplus}(t - \textstyle\sum_j l_j / h), \quad
        p = \mathrm{softmax}(0, \mathrm{logits}),

        v_0 = A p_0, \quad v_{j,r_j} = A p_j + l_j, \quad v_{jk} = v_{j,r_j} + c_{jk} d_{jk} \text{ or }
        d_{jk}\,\mathrm{softplus}(v_{j,r_j}/d_{jk} + c_{jk}).

    So :math:`A p_j` is the smallest variance among a layer's reference and well observed contributors.

    With `whiten`, these t and c are linear functions of the coordinates. Where variances have independent errors of
    size d, c has the covariance :math:`I + q q^\top` with :math:`q_k = d_{jr}/d_{jk}`, so c is its symmetric square
    root times the coordinates; and what c says about the reference's error,
    :math:`\sum_k d_{jr} q_k c_k / (1 + q^\top q)`, is subtracted from T.
    """

    name = "identified"
    ndim_supp = 1

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        prior_variance: Sequence[float],
        variance: float,
        whiten: bool = False,
    ):
        self.whiten = whiten
        self.n_layers = len(counts)
        self.unit = 3 * variance * np.sqrt(2 / np.sum(counts[0]))
        self.references = []  # positions in the vector of standard deviations
        self.others = []  # one array a layer: positions of the contributors that are no reference
        self.scales = []  # one array a layer: d of `others`
        self.well = []  # one array a layer: which of `others` are well observed
        start = 1
        self.ratios = []  # one array a layer: the reference's rough scale in units of each of `others`
        self.pulls = []  # one array a layer: how t moves with c where the reference is off
        for n, s2 in zip(counts, prior_variance, strict=True):
            m, r = len(n), int(np.argmax(n))
            others = np.delete(np.arange(m), r)
            rough = np.minimum(variance * np.sqrt(2 / np.asarray(n)), s2)
            scale = rough[others]
            ratio = rough[r] / scale
            self.ratios.append(ratio)
            self.pulls.append(rough[r] / self.unit / (1 + ratio @ ratio) * ratio)
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
        if self.whiten:
            t = t + sum(pt.sum(pull * c_j) for pull, c_j in zip(self.pulls, c, strict=True))
            c = [_stretched(c_j, ratio, -0.5) for c_j, ratio in zip(c, self.ratios, strict=True)]
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
        if self.whiten:
            by_layer = [_stretched(c_j, ratio, 0.5) for c_j, ratio in zip(by_layer, self.ratios, strict=True)]
            t = t - sum(pt.sum(pull * c_j) for pull, c_j in zip(self.pulls, by_layer, strict=True))
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


def _stretched(c, ratio, power):
    """Return ``(I + ratio ratio')**power @ c``."""
    square = ratio @ ratio
    return c + ((1 + square) ** power - 1) / square * ratio * pt.sum(ratio * c)


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
