"""Parameters of a layered sum as variables of a PyMC model, in plain or in identified coordinates."""

from functools import cached_property
from itertools import pairwise

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from mlm_tutorial.cells import Cells
from mlm_tutorial.constants import changeable
from mlm_tutorial.known import known_vector
from mlm_tutorial.layers import BASELINE
from mlm_tutorial.moments import (
    MomentEstimates,
    SlopeEstimates,
    moment_estimates,
    parents_of,
    scale_error,
    slope_estimates,
    starting_means,
    starting_variances,
)
from mlm_tutorial.names import COVARIATE, dim_of, parameter_names, variable_of
from mlm_tutorial.priors import Priors
from mlm_tutorial.transforms import (
    Groups,
    IdentifiedScales,
    LearnedScale,
    PooledMeans,
    PooledVariances,
    SlopesAndMeans,
)

KNOWN_SIGMA = "mlm_known_sigma"

#: Contributors of a layer from which on the posterior of their mean excess is as good as normal far from zero.
MANY_CONTRIBUTORS = 20


class ParameterBuilder:
    """Means and standard deviations of a layered sum, with those that a model has to estimate.

    Parameters
    ----------
    cells : Cells
    priors : Priors

    Attributes
    ----------
    components : tuple of str
        ``"baseline"``, then the layers.
    slices : list of slice
        Where each component is in a vector of all contributors, baseline first.
    known : numpy.ndarray, shape (1 + sum of m_j,)
        Known standard deviations, NaN for those to estimate.
    prior_values : dict of str to numpy.ndarray
        Numbers of the priors that a model in identified coordinates was built with; none before it is built.
    """

    def __init__(self, cells: Cells, priors: Priors):
        self.cells, self.priors = cells, priors
        self.components = (BASELINE, *cells.layers)
        ends = np.cumsum([0, 1, *(len(cells.labels[name]) for name in cells.layers)])
        self.slices = [slice(start, end) for start, end in pairwise(ends)]
        self.known = known_vector(cells, priors.known_sigma)
        self.prior_values = {}
        self.absent = [name for name in cells.layers if name in cells.absent]
        # For each layer the positions of its contributors whose spread is not known.
        self.free = [np.flatnonzero(np.isnan(self.known[part])) for part in self.slices[1:]]
        self.baseline_is_free = bool(np.isnan(self.known[0]))
        self.spreading = [j for j, free in enumerate(self.free) if len(free)]
        # Layers that add variance to a total; the others are known to add none.
        self.with_spread = [j for j, part in enumerate(self.slices[1:]) if not np.all(self.known[part] == 0)]

    @cached_property
    def slopes(self) -> SlopeEstimates | None:
        """Rough slopes of the covariates; None where there are none."""
        return slope_estimates(self.cells, self.slope_sds) if self.cells.covariates else None

    @property
    def slope_sds(self) -> np.ndarray:
        """Prior standard deviations of the slopes, shape (K,)."""
        return np.array([self.priors.slope_sd_of(name) for name in self.cells.covariates], float)

    @property
    def net(self) -> Cells:
        """The cells less what their covariates add at rough slopes."""
        return self.slopes.net if self.slopes else self.cells

    @cached_property
    def estimates(self) -> MomentEstimates:
        """Moment estimates of the cells, less what covariates add."""
        return self.slopes.estimates if self.slopes else moment_estimates(self.cells)

    @property
    def n_free(self) -> int:
        """Number of means and standard deviations to estimate."""
        n_means = self.known.size - len(self.cells.layers) + len(self.cells.covariates)
        return n_means + int(np.isnan(self.known).sum())

    # Plain coordinates: a variable of its own for everything that has a prior.

    def plain_slopes(self):
        """Add the slopes to the model in context; return them, or None without covariates."""
        if not self.cells.covariates:
            return None
        return pm.Normal("slope", 0, self.slope_sds, dims=COVARIATE)

    def plain(self) -> tuple[dict, dict]:
        """Add plain variables to the model in context; return means and standard deviations by component."""
        cells, priors = self.cells, self.priors
        mu = {BASELINE: pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)}
        sigma = {}
        known = self._known_data()
        if self.baseline_is_free:
            sigma[BASELINE] = pm.Weibull("sigma_baseline", 2, priors.sigma_scale_of(BASELINE))
        else:
            sigma[BASELINE] = pm.Deterministic("sigma_baseline", known[0])
        for name, part, free in zip(cells.layers, self.slices[1:], self.free, strict=True):
            mu[name] = self._plain_mean(name)
            variable, dim = variable_of("sigma", name), dim_of(name)
            if len(free) == len(cells.labels[name]):
                if priors.pooled:
                    variance = self._plain_variance(name, free)
                    sigma[name] = pm.Deterministic(variable, pm.math.sqrt(variance), dims=dim)
                else:
                    sigma[name] = pm.Weibull(variable, 2, priors.sigma_scale_of(name), dims=dim)
            elif len(free):
                if priors.pooled:
                    found = pm.math.sqrt(self._plain_variance(name, free))
                else:
                    found = pm.Weibull(f"mlm_{variable}", 2, priors.sigma_scale_of(name), shape=len(free))
                sigma[name] = pm.Deterministic(variable, known[part][free].set(found), dims=dim)
            else:
                sigma[name] = pm.Deterministic(variable, known[part], dims=dim)
        return mu, sigma

    def _plain_mean(self, name):
        scale = self.priors.mu_sd_of(name)
        if self.priors.pooled:
            scale = pm.HalfNormal(variable_of("tau", name), scale)
        if name not in self.cells.absent:
            return pm.ZeroSumNormal(variable_of("mu", name), sigma=scale, dims=dim_of(name))
        average = pm.Normal(f"mlm_average_{dim_of(name)}", 0, self.priors.mu_sd_of(name))
        if len(self.cells.labels[name]) == 1:
            return pm.Deterministic(variable_of("mu", name), average[None], dims=dim_of(name))
        deviation = pm.ZeroSumNormal(f"mlm_deviation_{dim_of(name)}", sigma=scale, dims=dim_of(name))
        return pm.Deterministic(variable_of("mu", name), average + deviation, dims=dim_of(name))

    def _plain_variance(self, name, free):
        half = self.priors.sigma_scale_of(name) / np.sqrt(2)
        floor = pm.Weibull(variable_of("floor", name), 2, half)
        spread = pm.Weibull(variable_of("spread", name), 2, half)
        return floor**2 + pm.Exponential(variable_of("excess", name), scale=spread**2, shape=len(free))

    def _known_data(self):
        """Add known standard deviations as data; return those of all contributors, zero where not known."""
        places = np.flatnonzero(~np.isnan(self.known))
        if not len(places):
            return None
        names = parameter_names("sigma", self.cells.layers, self.cells.labels)
        pm.modelcontext(None).add_coord("mlm_known", [names[k] for k in places])
        known = pm.Data(KNOWN_SIGMA, self.known[places], dims="mlm_known")
        return pt.as_tensor(np.zeros(self.known.size))[places].set(known)

    # Identified coordinates: one vector per kind of parameter, each with a transform.

    def identified(self) -> tuple:
        """Add vectors in identified coordinates to the model in context; return means, variances, slopes or None."""
        pooled = self.priors.pooled
        mu, slopes = self._identified_means()
        if slopes is not None:
            slopes = pm.Deterministic("slope", slopes, dims=COVARIATE)
        known = self._known_data()
        if not np.isnan(self.known).any():
            variance = known**2
        else:
            found = self._pooled_variances() if pooled else self._identified_variances()
            variance = self._with_known(found, known)
        for kind, values in (("mu", mu), ("sigma", pm.math.sqrt(variance))):
            pm.Deterministic(f"{kind}_{BASELINE}", values[0])
            for name, part in zip(self.cells.layers, self.slices[1:], strict=True):
                pm.Deterministic(variable_of(kind, name), values[part], dims=dim_of(name))
        return mu, variance, slopes

    def starts(self, cells: Cells) -> dict[str, np.ndarray]:
        """Return starting values for the chains of a model in identified coordinates, given the data of these cells."""
        parameters = self if cells is self.cells else ParameterBuilder(cells, self.priors)
        return parameters._starts()

    def _starts(self) -> dict[str, np.ndarray]:
        cells, priors, estimates = self.net, self.priors, self.estimates
        starts = {"mlm_mu": starting_means(estimates, cells)}
        if self.slopes:
            starts["mlm_mu"] = np.concatenate([starts["mlm_mu"], self.slopes.slopes])
        if priors.pooled:
            starts["mlm_tau"] = np.array(estimates.mean_scales)
        if not np.isnan(self.known).any():
            return starts
        if priors.pooled:
            return starts | self._pooled_variance_starts()
        variances = starting_variances(cells, self._sigma_scales(), self.known)
        return starts | {"mlm_sigma": np.sqrt(variances[np.isnan(self.known)])}

    def _from_priors(self, name, values):
        """Return numbers of the priors as a constant of the model, whose values a compiled model can change."""
        self.prior_values[name] = np.asarray(values, float)
        return changeable(values, name)

    def _identified_means(self):
        cells, priors, estimates = self.cells, self.priors, self.estimates
        sizes = [len(cells.labels[name]) for name in cells.layers]
        scales = [priors.mu_sd_of(name) for name in cells.layers]
        groups = Groups(sizes)
        if priors.pooled:
            # In its logarithm: with few contributors the posterior reaches far above its median.
            tau = pm.HalfNormal("mlm_tau", self._from_priors("tau", scales), shape=len(sizes))
            for j, name in enumerate(cells.layers):
                pm.Deterministic(variable_of("tau", name), tau[j])
            sd = groups.each(tau)
        else:
            sd = groups.each(np.array(scales))
        head = [priors.baseline_mu_sd, *(priors.mu_sd_of(name) for name in self.absent)]
        if priors.pooled:
            sd = pm.math.concatenate([self._from_priors("mu_sd", head), sd])
        else:
            sd = self._from_priors("mu_sd", np.concatenate([head, sd, self.slope_sds]))
        if priors.pooled and self.slopes:
            sd = pm.math.concatenate([sd, self._from_priors("slope_sd", self.slope_sds)])
        transform = PooledMeans(
            [cells.counts(name) for name in cells.layers],
            estimates.means,
            estimates.shrunken_means,
            estimates.mean,
            estimates.variance,
            parents_of(cells),
            {cells.layers.index(name): estimates.averages[cells.layers.index(name)] for name in self.absent},
            cells.n_observations,
        )
        if self.slopes:
            rough = self.slopes
            transform = SlopesAndMeans(transform, rough.slopes, rough.root, rough.effects, rough.shrunken)
        n_slopes = len(cells.covariates)
        z = pm.Normal(
            "mlm_mu",
            self._from_priors("mu", [priors.baseline_mu, *np.zeros(len(self.absent) + sum(sizes) + n_slopes)]),
            sd,
            default_transform=None,
            transform=transform,
        )
        # Independent normals minus their average are a zero-sum normal; the average is not in the likelihood.
        means = z[len(head) : len(head) + sum(sizes)]
        means = means - groups.each(groups.sums(means) / sizes)
        if self.absent:
            shift = pt.concatenate([z[1 : len(head)], np.zeros(1)])
            place = [self.absent.index(name) if name in self.absent else -1 for name in cells.layers]
            means = means + shift[groups.each(np.array(place))]
        return pt.concatenate([z[:1], means]), z[len(head) + sum(sizes) :] if n_slopes else None

    def _identified_variances(self):
        counts = [self.cells.counts(self.cells.layers[j])[self.free[j]] for j in self.spreading]
        transform = IdentifiedScales(
            counts,
            [self.priors.sigma_scale_of(self.cells.layers[j]) ** 2 for j in self.spreading],
            self.estimates.variance,
            self.cells.n_observations,
            self.baseline_is_free,
        )
        scales = self._sigma_scales()[np.isnan(self.known)]
        scales = self._from_priors("sigma", scales)
        return pm.Weibull("mlm_sigma", 2, scales, default_transform=None, transform=transform) ** 2

    def _pooled_variances(self):
        spreading = [self.cells.layers[j] for j in self.spreading]
        half = np.array([self.priors.sigma_scale_of(name) / np.sqrt(2) for name in spreading])
        baseline = [self.priors.sigma_scale_of(BASELINE) ** 2] if self.baseline_is_free else []
        scale = [self._from_priors("baseline", baseline)] if baseline else []
        of_layer = np.repeat(np.arange(len(spreading)), [len(self.free[j]) for j in self.spreading])
        if spreading:
            units = [self._unit_of_spread(j) for j in self.spreading]
            transform = LearnedScale(units)
            # A function of a changeable constant would be a constant that is not changeable: each has its own.
            spread = pm.Weibull(
                "mlm_spread", 2, self._from_priors("spread", half), default_transform=None, transform=transform
            )
            scale += [self._from_priors("floor", half**2), spread[of_layer] ** 2]
        counts = [self.cells.counts(name)[self.free[j]] for name, j in zip(spreading, self.spreading, strict=True)]
        transform = PooledVariances(
            counts,
            [self.estimates.variances[j][self.free[j]] for j in self.spreading],
            [self._rough_spread(j) for j in self.spreading],
            self.estimates.variance,
            self.cells.n_observations,
            self.baseline_is_free,
        )
        parts = pm.Exponential(
            "mlm_variance", scale=pm.math.concatenate(scale), default_transform=None, transform=transform
        )
        if not spreading:
            return parts
        first = int(self.baseline_is_free)
        floors, excesses = parts[first : first + len(spreading)], parts[first + len(spreading) :]
        for k, name in enumerate(spreading):
            pm.Deterministic(variable_of("floor", name), pm.math.sqrt(floors[k]))
            pm.Deterministic(variable_of("spread", name), spread[k])
        return pm.math.concatenate([parts[:first], floors[of_layer] + excesses])

    def _with_known(self, found, known):
        """Return the variances of baseline and all contributors, combined from estimated and known ones."""
        if known is None:
            return found
        return (known**2)[np.flatnonzero(np.isnan(self.known))].set(found)

    def _sigma_scales(self) -> np.ndarray:
        """Return the prior scale of every standard deviation, shape (1 + sum of m_j,); 1 where it is known."""
        scales = np.ones(self.known.size)
        for name, part in zip(self.components, self.slices, strict=True):
            if np.isnan(self.known[part]).any():
                scales[part] = self.priors.sigma_scale_of(name)
        return scales

    @property
    def _share(self) -> float:
        """The variance of each component whose spread is not known, if all of these were equal."""
        fixed = np.average(self.cells.design() @ np.nan_to_num(self.known) ** 2, weights=self.cells.n)
        left = max(self.estimates.variance - fixed, self.estimates.variance / 10)
        return left / (self.baseline_is_free + len(self.spreading))

    def _rough_spread(self, j: int) -> float:
        """Return a layer's rough mean excess, which leaves at least half of its share to its floor."""
        return min(self.estimates.variance_scales[j], self._share / 2)

    def _unit_of_spread(self, j: int) -> float:
        """Return the unit in which a layer's mean excess moves: its rough standard error, or far more."""
        counts = self.cells.counts(self.cells.layers[j])[self.free[j]]
        if len(counts) < MANY_CONTRIBUTORS:
            # A few contributors leave a posterior that reaches far up: there the coordinate has to be the logarithm.
            return 1e6 * self._share
        return scale_error(self._rough_spread(j), 2 * self.estimates.variance**2 / counts)

    def _pooled_variance_starts(self) -> dict[str, np.ndarray]:
        estimates, share = self.estimates, self._share
        floors, excesses = [], []
        for j in self.spreading:
            n, spread = self.cells.counts(self.cells.layers[j]), self._rough_spread(j)
            scale = estimates.variance_scales[j]
            # Shrunk toward zero by their standard errors, then limited to a layer's share on average.
            effect = estimates.variances[j] * scale**2 / (scale**2 + 2 * estimates.variance**2 / n)
            excess = np.maximum(spread + effect, spread / 10)
            floors.append(max(share - np.average(excess, weights=n), share / 10))
            excesses.append(excess[self.free[j]])
        parts = [[share] * self.baseline_is_free, floors, *excesses]
        starts = {"mlm_variance": np.concatenate(parts)}
        if self.spreading:
            starts["mlm_spread"] = np.sqrt([excess.mean() for excess in excesses])
        return starts
