"""Coordinates in which the parameters of a layered sum are easy to sample.

A transform changes the coordinates of the sampler, not the model: prior and likelihood stay the same, and the density
in the new coordinates includes the logarithm of the Jacobian determinant.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Constant

from mlm_tutorial.moments import center_of_excess, sd_of_common_part

__all__ = ["IdentifiedScales", "LearnedScale", "PooledMeans", "PooledVariances", "SlopesAndMeans"]


class IdentifiedScales(Transform):
    r"""Coordinates for all standard deviations of a layered sum: what the data fix, and what they do not.

    The vector of standard deviations is ``[baseline, layer 1's contributors, layer 2's contributors, ...]``, without
    those that are known. Its coordinates are, in this order,

    - ``t``, which locates the average variance of a total (the data fix it),
    - ``c``, one number for each contributor that is not a reference: its variance minus the reference's, in units of a
      rough posterior scale (the data fix it),
    - ``logits``, one fewer than baseline and layers with a reference: how what is left over is shared among them (the
      prior alone decides).

    Rough posterior scales are :math:`d_{jk} = \min(V\sqrt{2/n_{jk}}, s_j^2)`. A contributor with
    :math:`d_{jk} < 3 s_j^2 / m_j` is well observed: its variance cannot be far below the others' by chance alone, and
    its difference is linear. The others are curved at their own scale, and positive by themselves.

    A layer's reference is its contributor with most observations, if that is well observed. Without a reference, what
    all contributors have in common is fixed by the prior, which keeps each of many positive, and every contributor has
    a coordinate of its own.

    Parameters
    ----------
    counts : sequence of array_like of int
        For each layer after the baseline, the observations of each contributor, shape (m_j,), at least one.
    prior_variance : sequence of float
        For each layer the prior mean :math:`s_j^2` of a variance.
    variance : float
        Rough variance V of one observation about its mean.
    n_observations : int, optional
        Number N of observations; by default the number that have the first layer.
    baseline : bool
        Whether the baseline is part of the vector; not where it is known. Then the first layer has a reference in any
        case.

    Notes
    -----
    With :math:`h = 3 V \sqrt{2/N}` and the sums and maxima over well observed contributors,

    .. math::

        l_j &= \max(0, \max_k -c_{jk} d_{jk}), \\
        L &= \textstyle\sum_j l_j + \sum_i \sum_k \frac{n_{ik}}{N} v_{ik}, \\
        A &= h\,\mathrm{softplus}(t - L / h), \\
        p &= \mathrm{softmax}(0, \mathrm{logits}), \\
        v_0 &= A p_0, \\
        v_{j,r_j} &= A p_j + l_j, \\
        v_{jk} &= v_{j,r_j} + c_{jk} d_{jk} \text{ or} \\
        &\phantom{=}\; d_{jk}\,\mathrm{softplus}(v_{j,r_j}/d_{jk} + c_{jk}), \\
        v_{ik} &= d_{ik}\,\mathrm{softplus}(c_{ik}),

    for layers j with a reference and layers i without.
    So :math:`A p_j` is the smallest variance among a layer's reference and well observed contributors.
    """

    name = "identified"
    ndim_supp = 1

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        prior_variance: Sequence[float],
        variance: float,
        n_observations: int | None = None,
        baseline: bool = True,
    ):
        self.baseline = int(baseline)
        total = np.sum(counts[0]) if n_observations is None else n_observations
        self.unit = 3 * variance * np.sqrt(2 / total)
        self.layers: list[_Variances] = []
        start, start_c = self.baseline, 1
        for n, s2 in zip(counts, prior_variance, strict=True):
            n = np.asarray(n)
            scale = np.minimum(variance * np.sqrt(2 / n), s2)
            well = scale < 3 * s2 / len(n)
            places = start + np.arange(len(n))
            reference = int(np.argmax(n))
            if well[reference] or (start == 0 and not baseline):
                others = np.delete(np.arange(len(n)), reference)
                places, scale, well = places[others], scale[others], well[others]
                reference, weights = start + reference, None
            else:
                reference, weights = None, n / total
            end_c = start_c + len(places)
            self.layers.append(_Variances(reference, places, scale, well, weights, slice(start_c, end_c)))
            start, start_c = start + len(n), end_c
        references = [layer.reference for layer in self.layers if layer.reference is not None]
        self.n_shares = self.baseline + len(references)
        # Where to find each standard deviation in [baseline, references, others]. A permutation's inverse.
        order = [np.array([0] * self.baseline + references, int), *(layer.places for layer in self.layers)]
        self.positions = np.argsort(np.concatenate(order))

    def forward(self, value, *inputs):
        """Return the coordinates of standard deviations, both of shape (1 + sum of m_j,)."""
        v = pt.as_tensor(value) ** 2
        c, left_over, above = [], [v[0]] * self.baseline, []
        for layer in self.layers:
            v_others = v[layer.places]
            if layer.reference is None:
                c.append(_softplus_inverse(v_others / layer.scale))
                above.append(pt.sum(layer.weights * v_others))
                continue
            v_reference = v[layer.reference]
            linear = (v_others - v_reference) / layer.scale
            curved = _softplus_inverse(v_others / layer.scale) - v_reference / layer.scale
            c.append(pt.where(layer.well, linear, curved))
            above.append(_floor(linear, layer.scale, layer.well))
            # v_reference - l_j, without cancellation.
            left_over.append(pt.min(pt.concatenate([v_reference[None], v_others[layer.well.nonzero()[0]]])))
        left_over = pt.stack(left_over)
        total = pt.sum(left_over)
        t = _softplus_inverse(total / self.unit) + sum(above, pt.as_tensor(0.0)) / self.unit
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
            + (self.n_shares - 1) * pt.log(total)
            + sum(pt.sum(slope) for slope in log_slopes)
        )

    def _variances(self, value):
        """Return variances, logarithms of the slopes of the softplus terms, log shares, and A."""
        t, logits = value[0], value[len(self.positions) - self.n_shares + 1 :]
        log_shares = pt.special.log_softmax(pt.concatenate([pt.zeros(1), logits]))
        alone, floors = {}, {}
        for j, layer in enumerate(self.layers):
            if layer.reference is None:
                alone[j] = layer.scale * pt.softplus(value[layer.c])
            else:
                floors[j] = _floor(value[layer.c], layer.scale, layer.well)
        above = [floors[j] if j in floors else pt.sum(layer.weights * alone[j]) for j, layer in enumerate(self.layers)]
        argument = t - sum(above, pt.as_tensor(0.0)) / self.unit
        total = self.unit * pt.softplus(argument)
        log_slopes = [-pt.softplus(-argument)]
        v = total * pt.exp(log_shares)
        references = v[self.baseline :] + (pt.stack(list(floors.values())) if floors else pt.zeros(0))
        others, share = [], self.baseline
        for j, layer in enumerate(self.layers):
            c = value[layer.c]
            if j in alone:
                others.append(alone[j])
                log_slopes.append(-pt.softplus(-c))
                continue
            curved = references[share - self.baseline] / layer.scale + c
            # A p_j + (l_j + c d) and not (A p_j + l_j) + c d: rounding could make the second zero.
            linear = v[share] + pt.maximum(0.0, floors[j] + c * layer.scale)
            others.append(pt.where(layer.well, linear, layer.scale * pt.softplus(curved)))
            log_slopes.append(pt.where(layer.well, 0.0, -pt.softplus(-curved)))
            share += 1
        ordered = pt.concatenate([v[: self.baseline], references, *others])
        return ordered[self.positions], log_slopes, log_shares, total


class _Variances(NamedTuple):
    """A layer's places in the vector of standard deviations and in the one of coordinates."""

    reference: int | None
    places: np.ndarray  # of the contributors that are not the reference
    scale: np.ndarray  # d of these
    well: np.ndarray  # which of these are well observed
    weights: np.ndarray | None  # n / N of these, without a reference
    c: slice


def _floor(c, scale, well):
    """Return l_j: how much variance the reference needs so that no well observed contributor's is negative."""
    if not well.any():
        return pt.as_tensor(0.0)
    return pt.maximum(0.0, pt.max(-c[well.nonzero()[0]] * scale[well]))


def _softplus_inverse(y):
    """Return x with log(1 + exp(x)) = y, stable for large and small y."""
    return y + pt.log(-pt.expm1(-y))


class LearnedScale(Transform):
    r"""Coordinate of a positive scale whose square the data estimate with a given error, possibly close to zero.

    ``value**2 = unit * softplus(x)``: linear in the square where that is many errors from zero, logarithmic close to
    zero. In the logarithm alone, a scale that may be zero has a posterior with a narrow peak and a long tail.

    Parameters
    ----------
    unit : array_like of float
        Rough standard error of the square. A unit far above the square makes the coordinate its logarithm.
    """

    name = "learnedscale"
    ndim_supp = 0

    def __init__(self, unit: Sequence[float]):
        self.unit = np.asarray(unit, float)

    def forward(self, value, *inputs):
        """Return the coordinate of a value."""
        return _softplus_inverse(value**2 / self.unit)

    def backward(self, value, *inputs):
        """Return the value at a coordinate."""
        return (self.unit * pt.softplus(value)) ** 0.5

    def log_jac_det(self, value, *inputs):
        """Return the logarithm of the value's derivative."""
        # d value = unit / (2 value) sigmoid(x) dx
        log_value = (np.log(self.unit) + _log_softplus(value)) / 2
        return np.log(self.unit / 2) - log_value - pt.softplus(-value)


class Groups:
    """Which layer each entry of a vector belongs to: sums over layers, and a number of each layer for its entries.

    Both take one operation in a graph, whatever the number of layers is; a compiler's time goes by operations.

    Parameters
    ----------
    sizes : sequence of int
        Number of entries of each layer; a layer's entries follow each other.
    """

    def __init__(self, sizes: Sequence[int]):
        self.n = len(sizes)
        self.of = np.repeat(np.arange(self.n), sizes)

    def sums(self, values):
        """Return the sum of each layer's entries, shape (J,)."""
        return _sums_by(self.of, values, self.n)

    def each(self, values):
        """Return the value of its layer for each entry."""
        return values[self.of]


class _Level(NamedTuple):
    """Layers of which none is nested in another; those that they are nested in are on levels before."""

    layers: list[int]
    groups: Groups
    above: list[np.ndarray]  # for each entry the positions of its coarser ones in the vector of all levels before


class _Standard(NamedTuple):
    """Quantities that standardize the means of one level, one for each of its contributors or layers."""

    center: object
    scale: object
    direction: object
    stretch: object


class PooledMeans(Transform):
    r"""Coordinates of contributors' means :math:`z_{jk} \sim \text{Normal}(0, \tau_j)` that fit every count.

    If :math:`\tau_j` and one observation's variance V were known, the posterior of a mean with n observations would
    be normal with mean :math:`g\,\hat y` and variance :math:`\tau^2 (1 - g)`, :math:`g = \tau^2 / (\tau^2 + V/n)`
    (Gelman et al. 2013, *Bayesian Data Analysis*, section 5.4). The coordinates are standardized by it, at the current
    :math:`\tau_j`: a contributor with many observations is centered, one with few is non-centered.

    A layer that is nested in coarser ones is standardized given their means, and the coarser ones with the nested one
    integrated out: :math:`1/(\tau_b^2 + V/n_l)` of a finer contributor l takes the place of :math:`n/V`. So a
    coarser and a finer mean, of which the data fix the sum, are not strongly correlated (hierarchical centering:
    Gelfand, Sahu and Carlin 1995, *Efficient parametrisations for normal linear mixed models*).

    The vector is ``[baseline, averages of layers that may be absent, layer 1's contributors, ...]``, its standard
    deviations are those of the distribution that is transformed. A model subtracts each layer's average; the transform
    keeps it. The baseline that the data fix is the one at the layers' weighted averages.

    Parameters
    ----------
    counts : sequence of array_like of int
        For each layer the observations of each contributor, shape (m_j,).
    effects, shrunken : sequence of array_like of float
        For each layer a rough mean of each contributor given all other layers, from its own observations and shrunk
        toward zero by its standard error, shape (m_j,).
    center : float
        Rough mean of all totals.
    variance : float
        Rough variance V of one observation about its mean.
    parents : sequence of mapping of int to array_like of int, optional
        For each layer the layers that it is nested in, and the positions there to which its contributors belong.
    averages : mapping of int to float, optional
        For each layer that may be absent the rough average of what it adds, weighted by counts.
    n_observations : int, optional
        Number of observations; by default the number that have the first layer.

    Notes
    -----
    With :math:`P_k` the precision of the data about a contributor, :math:`n_k/V` or the sum over nested ones,
    :math:`s_k = \tau\sqrt{1-g_k}` and :math:`b_k = s_k P_k / \sqrt{\sum P}`, coordinates w give
    :math:`z_k = g_k (\hat y_k - c) + s_k u_k` with :math:`c = \sum P (1 - g) \hat y / \sum P (1 - g)`,
    where :math:`u = w + (\rho - 1)\, b b^\top w / b^\top b` with
    :math:`\rho^{-2} = 1 - b^\top b` corrects for a layer's weighted average, which the data do not identify.
    """

    name = "pooledmeans"  # without an underscore: PyMC derives a variable's name from that of its value
    ndim_supp = 1

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        effects: Sequence[np.ndarray],
        shrunken: Sequence[np.ndarray],
        center: float,
        variance: float,
        parents: Sequence[Mapping[int, np.ndarray]] | None = None,
        averages: Mapping[int, float] | None = None,
        n_observations: int | None = None,
    ):
        n = [np.asarray(x, dtype=float) for x in counts]
        sizes = [len(x) for x in n]
        self.parents = [{}] * len(n) if parents is None else list(parents)
        self.averages = np.array(list((averages or {}).values()), float)
        total = float(n[0].sum() if n_observations is None else n_observations)
        self.precisions = [x / variance for x in n]
        self.weights = [x / x.sum() for x in n]  # shares of the observations that have the layer
        self.center = float(center)
        presence = np.array([x.sum() / total for x in n])  # share of the observations that have a layer
        self.presence = presence[list(averages or {})]
        unit = np.concatenate([[1.0], np.maximum(self.presence * (1 - self.presence), 1 / total)])
        self.units = np.sqrt(variance / total / unit)
        # Weighted averages minus plain ones, of all layers in a total, and of each that may be absent.
        offsets = [weights - 1 / len(weights) for weights in self.weights]
        self.offset = np.concatenate([share * offset for share, offset in zip(presence, offsets, strict=True)])
        of_layer = np.repeat(np.arange(len(n)), sizes)
        self.offsets = np.array([np.where(of_layer == j, np.concatenate(offsets), 0.0) for j in averages or {}])
        self.shrunken = [np.asarray(x, dtype=float) for x in shrunken]
        self.sums = self.with_coarser(effects, self.shrunken)
        self.coarse_to_fine = sorted(range(len(n)), key=lambda j: len(self.parents[j]))
        # The vector is taken level by level, and put back into the order of its layers.
        starts = np.cumsum([0, *sizes])
        self.firsts = starts[:-1]
        order = np.concatenate([np.arange(starts[j], starts[j + 1]) for j in self.coarse_to_fine])
        where = np.argsort(order)
        self.levels = []
        for depth in sorted({len(above) for above in self.parents}):
            layers = [j for j in self.coarse_to_fine if len(self.parents[j]) == depth]
            above = zip(*([where[starts[i] + at] for i, at in self.parents[j].items()] for j in layers), strict=True)
            groups = Groups([sizes[j] for j in layers])
            self.levels.append(_Level(layers, groups, [np.concatenate(places) for places in above]))
        self.order = order if len(self.levels) > 1 else None

    def with_coarser(self, effects: Sequence[np.ndarray], shrunken: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the sums of each contributor's effect and those of the coarser ones that it belongs to, by layer."""
        return [
            np.asarray(effect, float) + sum(shrunken[i][at] for i, at in above.items())
            for effect, above in zip(effects, self.parents, strict=True)
        ]

    def forward(self, value, *inputs, shifts=None):
        """Return the coordinates of means of shape (1 + sum of m_j,), or longer where layers may be absent.

        `shifts` are taken from the rough means, by layer: from those of sums with coarser ones, and from shrunken ones.
        """
        head, means = value[: len(self.units)], value[len(self.units) :]
        parts, found = [], []
        for level, z, standard in self._standardized(means, found, inputs, shifts):
            u = (z - standard.center) / standard.scale
            parts.append(_along(level.groups, u, standard.direction, 1 / standard.stretch))
            found.append(z)
        return pt.concatenate([(head - self._head(means, head[1:])) / self.units, self._by_layer(parts)])

    def backward(self, value, *inputs, shifts=None):
        """Return the means at coordinates; `shifts` as for :meth:`forward`."""
        found = []
        for level, w, standard in self._standardized(value[len(self.units) :], found, inputs, shifts):
            u = _along(level.groups, w, standard.direction, standard.stretch)
            found.append(standard.center + standard.scale * u)
        means = self._by_layer(found)
        steps = value[: len(self.units)] * self.units
        if not len(self.averages):
            return pt.concatenate([steps + self._head(means, None), means])
        averages = steps[1:] + self._average_head(means)
        return pt.concatenate([steps[:1] + self._head(means, averages)[:1], averages, means])

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the means' Jacobian, up to a constant."""
        found, log_det = [], 0.0
        for _, _, standard in self._standardized(value[len(self.units) :], found, inputs):
            log_det += pt.sum(pt.log(standard.scale)) + pt.sum(pt.log(standard.stretch))
            found.append(standard.center)  # scale and stretch do not depend on the means
        return log_det

    def _by_layer(self, parts):
        """Return the vector of all layers, given those of the levels."""
        joined = _joined(parts)
        return joined if self.order is None else joined[np.argsort(self.order)]

    def _standardized(self, vector, found, inputs, shifts=None):
        """Yield each level, its part of a vector, and what standardizes it.

        `found` are the means of the levels before, to which the caller adds those of each level.
        """
        *_, sd = inputs
        # Fixed scales stay NumPy arrays: what follows is then computed here, not compiled.
        sd = (sd.data if isinstance(sd, Constant) else sd)[len(self.units) :]
        precisions, sums = self._evidence(sd, shifts)
        if self.order is not None:
            vector, sd = vector[self.order], sd[self.order]
        start = 0
        for level in self.levels:
            part = slice(start, start := start + len(level.groups.of))
            effect = _joined([sums[j] for j in level.layers])
            if level.above:
                coarser = _joined(found)
                effect = effect - sum(coarser[at] for at in level.above)
            precision = _joined([precisions[j] for j in level.layers])
            yield level, vector[part], self._standard(level, sd[part], precision, effect)

    def _standard(self, level, tau, precision, effect):
        """Return centers, scales and directions for a level's means, from how the data estimate each mean.

        `precision` is that of the estimate and `effect` the estimate, `tau` the prior standard deviation of each mean.
        """
        groups = level.groups
        odds = tau**2 * precision
        share = odds / (1 + odds)
        scale = tau / (1 + odds) ** 0.5
        direction = scale * precision
        left = precision / (1 + odds)
        # What a layer's weighted average is taken to be; only the prior on all its means locates it.
        average = groups.sums(left * effect) / groups.sums(left)
        weights = precision / groups.each(groups.sums(precision))
        return _Standard(
            center=share * (effect - groups.each(average)),
            scale=scale,
            direction=direction / groups.each(groups.sums(direction**2)) ** 0.5,
            stretch=groups.sums(weights / (1 + odds)) ** -0.5,  # of 1 - b'b without cancellation
        )

    def _evidence(self, sd, shifts):
        """Return the data's precision about each contributor, nested layers integrated out, and its estimated sum."""
        precisions, sums, shrunken = list(self.precisions), list(self.sums), self.shrunken
        if shifts is not None:
            sums, shrunken = (
                [x - shift for x, shift in zip(values, given, strict=True)]
                for values, given in zip((sums, shrunken), shifts, strict=True)
            )
        for j in reversed(self.coarse_to_fine):
            found = []
            for b in self._children(j):
                weight = 1 / (sd[self.firsts[b]] ** 2 + 1 / precisions[b])
                others = [i for i in self.parents[b] if i != j and i not in self.parents[j]]
                target = sums[b] - sum(shrunken[i][self.parents[b][i]] for i in others)
                into, size = self.parents[b][j], len(self.precisions[j])
                precision = _sums_by(into, weight, size)
                found.append((precision, _sums_by(into, weight * target, size) / precision))
            if len(found) == 1:
                precisions[j], sums[j] = found[0]
            elif found:
                # What several nested layers leave unknown adds up; each has counted the observations' own variance.
                variance = sum(1 / precision for precision, _ in found) - (len(found) - 1) / self.precisions[j]
                precisions[j] = 1 / variance
                sums[j] = sum(p * x for p, x in found) / sum(p for p, _ in found)
        return precisions, sums

    def _children(self, j):
        """Return the layers that are nested in layer j, with no other layer between."""
        nested = [b for b, above in enumerate(self.parents) if j in above]
        return [b for b in nested if not any(c in self.parents[b] for c in nested)]

    def _average_head(self, means):
        """Return averages of layers that may be absent for which the weighted averages are the rough ones."""
        return self.averages - self.offsets @ means

    def _head(self, means, averages):
        """Return baseline and averages for which the weighted averages are the rough ones."""
        baseline = self.center - pt.sum(self.offset * means)
        if not len(self.averages):
            return baseline[None]
        return pt.concatenate([(baseline - pt.sum(self.presence * averages))[None], self._average_head(means)])


class SlopesAndMeans(Transform):
    r"""Coordinates of contributors' means and K slopes, where covariates differ from one contributor to another.

    The data fix a contributor's mean at its own average covariates, so its mean at the overall average moves with the
    slopes, the more the better it is observed. The vector is that of :class:`PooledMeans`, then the slopes. With
    :math:`\hat\beta` and :math:`L L^\top` rough posterior means and covariances of the slopes,

    .. math:: \beta = \hat\beta + L u,

    and the other coordinates are those of :class:`PooledMeans` with
    :math:`\hat y_k - \hat x_k^\top (\beta - \hat\beta)` for its :math:`\hat y_k`, where :math:`\hat x_k` are estimated
    from covariates as :math:`\hat y_k` is from totals.

    Parameters
    ----------
    means : PooledMeans
        Made from totals less what covariates add to them at the rough slopes.
    slopes : array_like of float, shape (K,)
        Rough slopes.
    root : array_like of float, shape (K, K)
        L, a root of their rough posterior covariance.
    effects, shrunken : sequence of array_like of float
        For each layer the covariates' averages of each contributor, estimated as the rough means of
        :class:`PooledMeans` are, shape (m_j, K).
    """

    name = "slopesandmeans"
    ndim_supp = 1

    def __init__(
        self,
        means: PooledMeans,
        slopes: np.ndarray,
        root: np.ndarray,
        effects: Sequence[np.ndarray],
        shrunken: Sequence[np.ndarray],
    ):
        self.means, self.slopes, self.root = means, np.asarray(slopes, float), np.asarray(root, float)
        self.inverse = np.linalg.inv(self.root)
        self.shrunken, self.sums = list(shrunken), means.with_coarser(effects, shrunken)

    def forward(self, value, *inputs):
        """Return the coordinates of means and slopes."""
        value, k = pt.as_tensor(value), len(self.slopes)
        step = value[-k:] - self.slopes
        means = self.means.forward(value[:-k], *self._of_means(inputs), shifts=self._shifts(step))
        return pt.concatenate([means, _product(self.inverse, step)])

    def backward(self, value, *inputs):
        """Return means and slopes at coordinates."""
        k = len(self.slopes)
        step = _product(self.root, value[-k:])
        means = self.means.backward(value[:-k], *self._of_means(inputs), shifts=self._shifts(step))
        return pt.concatenate([means, self.slopes + step])

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the Jacobian, up to a constant."""
        # Slopes move the means and not the other way round: the matrix is triangular.
        return self.means.log_jac_det(value[: -len(self.slopes)], *self._of_means(inputs))

    def _shifts(self, step):
        """Return how far rough means, and their sums with coarser ones, fall in each layer for a step of the slopes."""
        return [[_product(x, step) for x in values] for values in (self.sums, self.shrunken)]

    def _of_means(self, inputs):
        """Return the parameters of the distribution, of which the last two are vectors, without those of the slopes."""
        *rest, mu, sd = inputs
        k = len(self.slopes)
        return (*rest, *((x.data if isinstance(x, Constant) else x)[:-k] for x in (mu, sd)))


def _product(matrix, vector):
    """Return a matrix times a short vector, without BLAS, which PyTensor may not find."""
    return pt.sum(matrix * vector, axis=1)


def _joined(parts):
    """Return vectors as one; NumPy's if all are."""
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if all(isinstance(x, np.ndarray) for x in parts) else pt.concatenate(parts)


def _sums_by(into, values, size):
    """Return the sums of values that have the same index in `into`."""
    if isinstance(values, np.ndarray):
        return np.bincount(into, values, minlength=size)
    return pt.inc_subtensor(pt.as_tensor(np.zeros(size))[into], values)


class PooledVariances(Transform):
    r"""Coordinates of the parts of many contributors' variances: baseline, floors and excesses.

    The vector is ``[baseline, floor of layer 1, ..., floor of layer J, excess of layer 1's contributors, ...]``,
    without parts that are known; the variance of a contributor is its layer's floor plus its excess. All parts are
    exponential, with the means that the transformed distribution has.
    The coordinates are, in this order,

    - ``t``, which locates the average variance of a total: the sum of baseline, floors and each layer's average
      excess (the data fix it),
    - ``logits``, one fewer than baseline and floors: how their sum is shared (the prior alone decides),
    - ``w``, one number for each contributor: its excess in units of its rough posterior scale, up to a common shift of
      all excesses in a layer, which the data cannot distinguish from the baseline and the floors.

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
    n_observations : int, optional
        Number N of observations; by default the number that have the first layer.
    baseline : bool
        Whether the baseline is part of the vector; not where it is known.

    Notes
    -----
    With :math:`\lambda_j` the mean excess of a layer and :math:`d_{jk} = v_{jk}\sqrt{2/n_{jk}}` the standard error of a
    contributor's variance from its own observations, :math:`v_{jk}` a rough variance of its totals,

    .. math::

        q_{jk} &= (\lambda_j^{-r_{jk}} + d_{jk}^{-r_{jk}})^{-1/r_{jk}}, \\
        e_{jk} &= q_{jk}\,\mathrm{softplus}(x_{jk}), \\
        A &= h\,\mathrm{softplus}\Bigl(t - \sum_{jk} \frac{n_{jk}}{N} e_{jk} / h\Bigr), \\
        h &= 3V\sqrt{2/N}, \quad p = \mathrm{softmax}(0, \mathrm{logits}),

    and A p are baseline and floors. A contributor with few observations has an excess of the prior's size, and moves
    with it (non-centered); one with many has one of the size of its standard error (centered). Where a rough mean
    excess, or the contributor's own, is more than two standard errors, :math:`r_{jk} = 2`: an excess of many standard
    errors then hardly moves in its coordinate with :math:`\lambda_j`, of which it says so much. Elsewhere
    :math:`r_{jk} = 1`, which mixes better where data and prior say about as much.

    All excesses of a layer can move together, by about :math:`\lambda_j/m_j` where they are known and by more where
    they are not: by :math:`s_j`, see ``sd_of_common_part``. So
    :math:`x_j = w_j + (\rho_j - 1)\, b_j b_j^\top w_j / b_j^\top b_j + q_j g_j` with :math:`b_{jk} = 1/q_{jk}` and
    :math:`\rho_j^2 = 1 + s_j^2\, b_j^\top b_j`, both at the rough :math:`\lambda_j` of `scales`. What a contributor's
    own observations say about its excess grows with :math:`\lambda_j`. So that w does not, :math:`q_{jk} g_{jk}` is at
    the rough :math:`\lambda_j` the posterior mean of :math:`x_{jk}` given :math:`\lambda_j`.
    """

    name = "pooledvariances"
    ndim_supp = 1

    def __init__(
        self,
        counts: Sequence[np.ndarray],
        effects: Sequence[np.ndarray],
        scales: Sequence[float],
        variance: float,
        n_observations: int | None = None,
        baseline: bool = True,
    ):
        n, effect = np.concatenate([[], *counts]), np.concatenate([[], *effects])
        total = np.sum(counts[0]) if n_observations is None else n_observations
        observed = variance + effect
        self.errors, self.weights = np.maximum(observed, variance / 4) * np.sqrt(2 / n), n / total
        self.unit = float(3 * variance * np.sqrt(2 / total))
        self.n_floors = baseline + len(counts)  # the baseline is one
        self.groups = Groups([len(x) for x in counts])
        rough = self.groups.each(np.asarray(scales, float))
        excess = rough + effect
        self.known = np.maximum(rough, excess) > 2 * self.errors
        b = 1 / self._unit_of(rough, np)
        self.drifts = b * center_of_excess(rough, 1 / b, variance, n, observed)
        length = self.groups.sums(b**2)
        self.directions = b / np.sqrt(self.groups.each(length))
        together = [
            sd_of_common_part(scale, excess[self.groups.of == j], self.errors[self.groups.of == j], variance)
            for j, scale in enumerate(scales)
        ]
        self.stretches = np.sqrt(1 + np.square(together) * length)

    def forward(self, value, *inputs):
        """Return the coordinates of variances, both of shape (1 + J + sum of m_j,)."""
        floors, excesses = value[: self.n_floors], value[self.n_floors :]
        scale = self._scale(inputs)
        t = _softplus_inverse(pt.sum(floors) / self.unit) + self._average(excesses) / self.unit
        x = _softplus_inverse(excesses / scale) - scale * self.drifts
        w = _along(self.groups, x, self.directions, 1 / self.stretches)
        return pt.concatenate([t[None], pt.log(floors[1:] / floors[0]), w])

    def backward(self, value, *inputs):
        """Return the variances at coordinates."""
        log_floors, _, excesses, _ = self._parts(value, inputs)
        return pt.concatenate([pt.exp(log_floors), excesses])

    def log_jac_det(self, value, *inputs):
        """Return the log determinant of the variances' Jacobian, up to a constant."""
        log_floors, argument, _, log_slope = self._parts(value, inputs)
        # d floors / d(t, logits) has the determinant dA/dt A^J prod p, where A p are the floors.
        return pt.sum(log_floors) - _log_softplus(argument) - pt.softplus(-argument) + log_slope

    def _scale(self, inputs):
        """Return the rough posterior scale of each excess."""
        *_, mean = inputs
        return self._unit_of(mean[self.n_floors :], pt)

    def _unit_of(self, mean, library):
        """Return q for mean excesses, computed by NumPy or PyTensor."""
        apart = library.sqrt(mean**-2.0 + self.errors**-2.0)
        return 1 / library.where(self.known, apart, 1 / mean + 1 / self.errors)

    def _parts(self, value, inputs):
        """Return logarithms of baseline and floors, what t leaves for them in units of h, excesses, and their slope."""
        scale = self._scale(inputs)
        x = _along(self.groups, value[self.n_floors :], self.directions, self.stretches) + scale * self.drifts
        excesses = scale * pt.softplus(x)
        argument = value[0] - self._average(excesses) / self.unit
        log_shares = pt.as_tensor(np.zeros(1))
        if self.n_floors > 1:  # PyTensor would compile C code for the constant
            log_shares = pt.special.log_softmax(pt.concatenate([log_shares, value[1 : self.n_floors]]))
        log_floors = np.log(self.unit) + _log_softplus(argument) + log_shares
        return log_floors, argument, excesses, pt.sum(pt.log(scale) - pt.softplus(-x))

    def _average(self, excesses):
        """Return the sum of all layers' average excesses, each weighted by counts."""
        return pt.sum(self.weights * excesses)


def _along(groups, vector, direction, stretch):
    """Return a vector with each layer's part stretched along a direction of unit length."""
    return vector + direction * groups.each((stretch - 1) * groups.sums(direction * vector))


def _log_softplus(x):
    """Return log(log(1 + exp(x))), which is x where x is far below zero."""
    return pt.where(x < -30, x, pt.log(pt.softplus(pt.maximum(x, -30.0))))
