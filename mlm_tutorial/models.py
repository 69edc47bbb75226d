"""PyMC models of a layered sum: one for every observation, one for every cell. All share names and priors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pymc as pm
from scipy.linalg import block_diag, helmert
from scipy.sparse import diags_array
from scipy.sparse.linalg import lsqr

from mlm_tutorial.cells import Cells, cell_statistics
from mlm_tutorial.distributions import NormalCells, StandardNormal
from mlm_tutorial.layers import BASELINE, TOTAL
from mlm_tutorial.rough import RoughEffects, rough_effects
from mlm_tutorial.transforms import IdentifiedScales, LinearTransform, PooledMeans, VarianceParts, matvec

__all__ = ["Priors", "cell_data", "cell_model", "observation_model"]

PARAMETRIZATIONS = ("marginal", "noncentered", "centered")
COORDINATES = ("identified", "log")

#: Dimensions above which a dense mass matrix costs more than it saves, so that coordinates must do all of its work.
MANY_DIMENSIONS = 150

#: Means above which a dense matrix that decorrelates them costs more than the rest of the model.
MANY_MEANS = 500


@dataclass(frozen=True)
class Priors:
    r"""Priors of a layered sum's parameters.

    - ``mu_baseline ~ Normal(baseline_mu, baseline_mu_sd)``
    - ``mu_<layer> ~ ZeroSumNormal(mu_sd)``, for every layer
    - ``sigma ~ Weibull(2, sigma_scale)`` for the baseline and every contributor, also called Rayleigh. The variance
      is then exponential with mean ``sigma_scale**2``: variances are what adds up in a sum.

    With `pooled`, the contributors of a layer are instead partially pooled, with scales that are learned:

    - ``mu_<layer> ~ ZeroSumNormal(mu_scale)`` with ``mu_scale ~ HalfNormal(mu_sd)``
    - ``sigma_<layer>**2 = sigma_floor**2 + excess``, with a floor that all contributors of the layer share and an
      excess of each: ``excess ~ Exponential(mean sigma_spread**2)``. Floor and spread have the prior
      ``Weibull(2, sigma_scale / sqrt(2))``, so the prior mean of a variance is what it is without pooling. A spread
      near zero pools the contributors completely; a floor of zero is the prior without pooling, but for a scale that
      is learned.

    Without pooling, each contributor brings a prior that prefers a small variance, and a layer with hundreds of them
    decides by their number how the variance that the data cannot split is shared. With pooling, a layer has one such
    prior, that of its floor, however many contributors it has.

    Parameters
    ----------
    baseline_mu : float
        Prior mean of the baseline's mean, in the units of the total.
    baseline_mu_sd : float
        Prior standard deviation of the baseline's mean.
    mu_sd : float or mapping of str to float
        Scale of the contributors' means, for all layers or for each by name.
    sigma_scale : float or mapping of str to float
        Root mean square of the prior of a standard deviation, for all components or for each by name, the baseline's
        as ``"baseline"``.
    pooled : bool
        Whether contributors are partially pooled. Of use where a layer has many of them.

    Raises
    ------
    ValueError
        If a scale is not positive and finite.
    """

    baseline_mu: float
    baseline_mu_sd: float
    mu_sd: float | Mapping[str, float]
    sigma_scale: float | Mapping[str, float]
    pooled: bool = False

    def __post_init__(self):
        if not np.isfinite(self.baseline_mu):
            raise ValueError(f"baseline_mu must be finite, got {self.baseline_mu}")
        for name in ("baseline_mu_sd", "mu_sd", "sigma_scale"):
            given = getattr(self, name)
            for value in given.values() if isinstance(given, Mapping) else [given]:
                if not (np.isfinite(value) and value > 0):
                    raise ValueError(f"{name} must be positive and finite, got {given}")

    @classmethod
    def from_cells(cls, cells: Cells, pooled: bool = False) -> "Priors":
        """Return the default priors, whose scales come from the totals.

        The baseline's mean is within five standard deviations of the totals' average, and the means of contributors
        have a scale of two and a half standard deviations. Each of the J + 1 components has the same prior mean of its
        variance: V / (J + 1), with V the variance about an additive fit of the means.

        Parameters
        ----------
        cells : Cells
        pooled : bool
            Whether contributors are partially pooled.

        Returns
        -------
        Priors
        """
        mean, variance = cells.pooled()
        sd = np.sqrt(variance)
        scale = np.sqrt(cells.residual_variance() / (len(cells.layers) + 1))
        return cls(mean, float(5 * sd), float(2.5 * sd), float(scale), pooled)

    def mu_sd_of(self, layer: str) -> float:
        """Return the scale of one layer's means."""
        return _by_name(self.mu_sd, layer, "mu_sd")

    def sigma_scale_of(self, component: str) -> float:
        """Return the scale of the standard deviations of the baseline or of one layer."""
        return _by_name(self.sigma_scale, component, "sigma_scale")


def _by_name(given: float | Mapping[str, float], name: str, argument: str) -> float:
    if not isinstance(given, Mapping):
        return float(given)
    if name not in given:
        raise ValueError(f"{argument} names {', '.join(given)}; there is none for {name!r}")
    return float(given[name])


def cell_model(cells: Cells, priors: Priors | None = None, coordinates: str = "identified") -> pm.Model:
    """Return the exact marginal model of the totals, with one likelihood term a cell.

    Contributions are integrated out: the total of an observation is normal, its mean the sum of the means and its
    variance the sum of the variances.

    Parameters
    ----------
    cells : Cells
        Sufficient statistics of the observations.
    priors : Priors, optional
        Default :meth:`Priors.from_cells`.
    coordinates : {"identified", "log"}
        Where the sampler walks: in coordinates that the data fix one by one, or in the logarithm of every standard
        deviation. The model is the same.

    Returns
    -------
    pymc.Model
        Variables ``mu_baseline``, ``sigma_baseline``, and for each layer ``mu_<layer>`` and ``sigma_<layer>`` with
        the layer as dim and its labels as coords. Observed are ``cells``, mean and centred sum of squares of each
        cell. Data are named as in :func:`cell_data`. In identified coordinates the free
        variables are the vectors ``sigma`` and ``mu_offset``, from which the named variables follow; with more than
        150 of them ``variance`` stands for ``sigma``, and with more than 500 means ``mu``, whose averages in each layer
        nothing but their prior knows, for ``mu_offset``. With pooled priors they are ``variance``, of baseline,
        floors and excesses, ``mu``, ``mu_scale`` and ``sigma_spread``; ``sigma_floor`` follows.

    Raises
    ------
    TypeError, ValueError
        If `cells` are no cells or cannot be decomposed, or `coordinates` is unknown.
    """
    if not isinstance(cells, Cells):
        raise TypeError(f"expected Cells, got {type(cells).__name__}; make them with mlm.cell_statistics")
    _require_choice(coordinates, COORDINATES, "coordinates")
    cells.require_whole()
    priors = priors or Priors.from_cells(cells)
    with pm.Model(coords=_coords(cells)) as model:
        data = {
            name: pm.Data(name, value, dims=_DATA_DIMS.get(name))
            for name, value in cell_data(cells, priors, coordinates).items()
        }
        if coordinates == "identified":
            build = _pooled_in_identified_coordinates if priors.pooled else _parameters_in_identified_coordinates
            mu, sigma = build(cells, priors)
        else:
            mu, sigma = _parameters(cells, priors)
        codes, n, statistics = (data[f"cell_{x}"] for x in ("codes", "n", "statistics"))
        mean, variance = _mean_and_variance(mu, sigma, codes, cells.layers)
        NormalCells(
            "cells",
            mu=mean,
            sigma=pm.math.sqrt(variance),
            n=n,
            observed=statistics,
            dims=("cell", "statistic"),
        )
    return model


_DATA_DIMS = {
    "cell_codes": ("cell", "layer"),
    "cell_n": ("cell",),
    "cell_statistics": ("cell", "statistic"),
}


def cell_data(cells: Cells, priors: Priors | None = None, coordinates: str = "identified") -> dict[str, np.ndarray]:
    """Return the data of a :func:`cell_model`, by name.

    Given to :meth:`CompiledModel.with_data`, they fit a new data set of the same shape without compiling again. Give
    the priors of the compiled model: they are not data and stay as they are.

    Parameters
    ----------
    cells, priors, coordinates
        As for :func:`cell_model`.

    Returns
    -------
    dict of str to numpy.ndarray
        ``cell_codes`` (C, J), ``cell_n`` (C,), ``cell_statistics`` (C, 2), and in identified coordinates
        ``start_<variable>`` for the free variables: a rough fit, where :func:`mlm_tutorial.sampling.sample` starts
        chains.
    """
    data = {
        "cell_codes": cells.codes,
        "cell_n": cells.n.astype(float),  # PyMC keeps integers in 32 bits, too few for large cells
        "cell_statistics": np.column_stack([cells.mean, cells.sum_sq]),
    }
    if coordinates == "identified":
        priors = priors or Priors.from_cells(cells)
        if priors.pooled:
            return data | _pooled_starts(cells)
        variances = _rough_variances(cells, _component_scales(cells, priors))
        if _has_many_dimensions(cells):
            data["start_variance"] = variances
        else:
            data["start_sigma"] = np.sqrt(variances)
        if _n_means(cells) > MANY_MEANS:
            return data | {"start_mu": _rough_means(rough_effects(cells), cells)}
        data["start_mu_offset"] = _rough_posterior_of_offsets(cells, priors)[0]
    return data


def observation_model(
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = (),
    parametrization: str = "marginal",
    priors: Priors | None = None,
) -> pm.Model:
    """Return the model of every single observation.

    Parameters
    ----------
    frame : data frame
        One row an observation; any eager or lazy table that :func:`cell_statistics` takes.
    total, layers : str, list of str
        Names of the columns with the totals, and with the contributors of each layer.
    parametrization : {"marginal", "noncentered", "centered"}
        What becomes of the contributions: integrated out; sampled as ``mu + sigma * z`` with a standard normal z for
        each; or sampled as they are. The posterior of the parameters is the same.
    priors : Priors, optional
        Default :meth:`Priors.from_cells` of the frame's cells.

    Returns
    -------
    pymc.Model
        Variables named as in :func:`cell_model`. Observed is ``total``, with dim ``observation``. Where contributions
        are sampled, ``y_<layer>`` are those of the layers, and the baseline's is what is left of the total.

    Raises
    ------
    TypeError, KeyError, ValueError
        For bad input as in :func:`cell_statistics`, or an unknown `parametrization`.
    """
    _require_choice(parametrization, PARAMETRIZATIONS, "parametrization")
    cells = cell_statistics(frame, total, layers)
    priors = priors or Priors.from_cells(cells)
    totals, codes = observations(frame, total, cells.layers, cells.labels)
    coords = _coords(cells) | {"observation": np.arange(len(totals))}
    del coords["cell"], coords["statistic"]
    with pm.Model(coords=coords) as model:
        mu, sigma = _parameters(cells, priors)
        codes = pm.Data("codes", codes, dims=("observation", "layer"))
        observed = pm.Data("totals", totals, dims="observation")
        if parametrization == "marginal":
            mean, variance = _mean_and_variance(mu, sigma, codes, cells.layers)
            sd = pm.math.sqrt(variance)
        else:
            mean, sd = mu[BASELINE], sigma[BASELINE]
            for j, name in enumerate(cells.layers):
                k = codes[:, j]
                if parametrization == "centered":
                    y = pm.Normal(f"y_{name}", mu[name][k], sigma[name][k], dims="observation")
                else:
                    z = StandardNormal(f"z_{name}", dims="observation")
                    y = pm.Deterministic(f"y_{name}", mu[name][k] + sigma[name][k] * z, dims="observation")
                mean = mean + y
        pm.Normal(TOTAL, mean, sd, observed=observed, dims="observation")
    return model


def observations(
    frame: Any, total: str, layers: Sequence[str], labels: Mapping[str, Sequence]
) -> tuple[np.ndarray, np.ndarray]:
    """Return totals, shape (n,), and positions of their contributors in `labels`, shape (n, J).

    Raises
    ------
    ValueError
        If a label is not among `labels`.
    """
    data = nw.from_native(frame).lazy().select(total, *layers).collect()
    codes = []
    for name in layers:
        position = {label: k for k, label in enumerate(labels[name])}
        column = data[name].to_list()
        unknown = [i for i, label in enumerate(column) if label not in position]
        if unknown:
            raise ValueError(
                f"column {name!r} has the label {column[unknown[0]]!r} in row {unknown[0]} (counted from 0); "
                f"known labels are {list(labels[name])}"
            )
        codes.append([position[label] for label in column])
    return data[total].cast(nw.Float64).to_numpy().astype(float), np.array(codes).T


def _require_choice(given: str, choices: Sequence[str], argument: str) -> None:
    if given not in choices:
        raise ValueError(f"unknown {argument} {given!r}; expected one of {', '.join(choices)}")


def _coords(cells: Cells) -> dict[str, list]:
    return {name: list(cells.labels[name]) for name in cells.layers} | {
        "layer": list(cells.layers),
        "cell": np.arange(len(cells)),
        "statistic": ["mean", "sum_sq"],
    }


def _parameters(cells: Cells, priors: Priors):
    """Add the parameters to the model in context; return means and standard deviations by component."""
    mu = {BASELINE: pm.Normal("mu_baseline", priors.baseline_mu, priors.baseline_mu_sd)}
    if priors.pooled:
        mu_scale = _mu_scale(cells, priors)
        for j, name in enumerate(cells.layers):
            mu[name] = pm.ZeroSumNormal(f"mu_{name}", sigma=mu_scale[j], dims=name)
        return mu, _by_component(cells, "sigma", _pooled_sigma(cells, priors))
    sigma = {BASELINE: pm.Weibull("sigma_baseline", 2, priors.sigma_scale_of(BASELINE))}
    for name in cells.layers:
        mu[name] = pm.ZeroSumNormal(f"mu_{name}", sigma=priors.mu_sd_of(name), dims=name)
        sigma[name] = pm.Weibull(f"sigma_{name}", 2, priors.sigma_scale_of(name), dims=name)
    return mu, sigma


def _parameters_in_identified_coordinates(cells: Cells, priors: Priors):
    """Add the same parameters, walked in coordinates that the data fix one by one."""
    pm.modelcontext(None).add_coord("contributor", contributor_names(cells.layers, cells.labels))
    scale = _component_scales(cells, priors)
    prior_variance = [priors.sigma_scale_of(name) ** 2 for name in cells.layers]
    if not _has_many_dimensions(cells):
        counts = [cells.counts(name) for name in cells.layers]
        transform = IdentifiedScales(counts, prior_variance, cells.residual_variance())
        all_sigma = pm.Weibull("sigma", 2, scale, dims="contributor", default_transform=None, transform=transform)
        all_mu = _decorrelated_means(cells, priors)
    else:
        rough = rough_effects(cells)
        transform = _variance_parts(cells, rough, prior_variance, floors=False)
        # The square of a Weibull(2, s) variable is exponential.
        variance = pm.Exponential(
            "variance", scale=scale**2, dims="contributor", default_transform=None, transform=transform
        )
        all_sigma = pm.math.sqrt(variance)
        if _n_means(cells) > MANY_MEANS:
            mu_scale = pm.math.stack([priors.mu_sd_of(name) for name in cells.layers])
            all_mu = _standardized_means(cells, priors, mu_scale, rough)
        else:
            all_mu = _decorrelated_means(cells, priors)
    return _by_component(cells, "mu", all_mu), _by_component(cells, "sigma", all_sigma)


def _by_component(cells: Cells, kind: str, values):
    """Name the parts of the vector of all means or all standard deviations, baseline first."""
    parts, end = {BASELINE: pm.Deterministic(f"{kind}_{BASELINE}", values[0])}, 1
    for name in cells.layers:
        part = values[end : (end := end + len(cells.labels[name]))]
        parts[name] = pm.Deterministic(f"{kind}_{name}", part, dims=name)
    return parts


def _decorrelated_means(cells: Cells, priors: Priors):
    """Add means in coordinates without correlation, were all observations' variances the same."""
    center, basis = _means_from_offsets(cells, priors)
    offset = StandardNormal(
        "mu_offset",
        shape=basis.shape[1],
        default_transform=None,
        transform=LinearTransform(*_rough_posterior_of_offsets(cells, priors)),
    )
    return center + matvec(basis, offset)


def _mu_scale(cells: Cells, priors: Priors):
    """Add how far the means of each layer's contributors are apart."""
    return pm.HalfNormal("mu_scale", [priors.mu_sd_of(x) for x in cells.layers], dims="layer")


def _pooled_sigma(cells: Cells, priors: Priors, **transform):
    """Add the parts of pooled variances; return all standard deviations, baseline first."""
    names = contributor_names(cells.layers, cells.labels)
    pm.modelcontext(None).add_coord("variance_part", [BASELINE, *cells.layers, *names[1:]])
    half = np.array([priors.sigma_scale_of(x) for x in cells.layers]) / np.sqrt(2)
    spread = pm.Weibull("sigma_spread", 2, half, dims="layer")
    of_layer = np.repeat(np.arange(len(cells.layers)), [len(cells.labels[x]) for x in cells.layers])
    variance = pm.Exponential(
        "variance",
        scale=pm.math.concatenate([[priors.sigma_scale_of(BASELINE) ** 2], half**2, spread[of_layer] ** 2]),
        dims="variance_part",
        **transform,
    )
    floor, excess = variance[1 : 1 + len(half)], variance[1 + len(half) :]
    pm.Deterministic("sigma_floor", pm.math.sqrt(floor), dims="layer")
    return pm.math.sqrt(pm.math.concatenate([variance[:1], floor[of_layer] + excess]))


def _pooled_in_identified_coordinates(cells: Cells, priors: Priors):
    """Add the parameters of pooled priors, each contributor standardized by what its observations say."""
    pm.modelcontext(None).add_coord("contributor", contributor_names(cells.layers, cells.labels))
    rough = rough_effects(cells)
    transform = _variance_parts(cells, rough, _rough_spreads(rough), floors=True)
    all_sigma = _pooled_sigma(cells, priors, default_transform=None, transform=transform)
    all_mu = _standardized_means(cells, priors, _mu_scale(cells, priors), rough)
    return _by_component(cells, "mu", all_mu), _by_component(cells, "sigma", all_sigma)


def _variance_parts(cells: Cells, rough: RoughEffects, scales: Sequence[float], floors: bool) -> VarianceParts:
    counts = [cells.counts(name) for name in cells.layers]
    return VarianceParts(counts, rough.variances, scales, rough.variance, floors)


def _standardized_means(cells: Cells, priors: Priors, mu_scale, rough: RoughEffects):
    """Add means whose scales are given by layer, each contributor standardized by what its observations say.

    Unlike a matrix that takes out all correlation, this costs no more than the means are many.
    """
    sizes = [len(cells.labels[name]) for name in cells.layers]
    scale = pm.math.concatenate([[priors.baseline_mu_sd], mu_scale[np.repeat(np.arange(len(sizes)), sizes)]])
    all_mu = pm.Normal(
        "mu",
        np.append(priors.baseline_mu, np.zeros(sum(sizes))),
        scale,
        dims="contributor",
        default_transform=None,
        transform=PooledMeans([cells.counts(x) for x in cells.layers], rough.means, rough.mean, rough.variance),
    )
    parts, end = [all_mu[:1]], 1
    for size in sizes:
        part = all_mu[end : (end := end + size)]
        # Independent normals about their average are a zero-sum normal; their average itself is in no likelihood.
        parts.append(part - part.mean())
    return pm.math.concatenate(parts)


def _share(rough: RoughEffects) -> float:
    """Return the variance of baseline and of each layer if all had the same."""
    return rough.variance / (1 + len(rough.variances))


def _rough_spreads(rough: RoughEffects) -> list[float]:
    """Return rough mean excesses by layer, which leave at least half of a layer's share to its floor."""
    return [min(scale, _share(rough) / 2) for scale in rough.variance_scales]


def _pooled_starts(cells: Cells) -> dict[str, np.ndarray]:
    """Return where chains of a pooled model start."""
    rough = rough_effects(cells)
    share = _share(rough)
    floors, excesses = [], []
    layers = zip(cells.layers, rough.variances, rough.variance_scales, _rough_spreads(rough), strict=True)
    for name, effect, scale, spread in layers:
        # Drawn to zero by their standard errors, and then to a layer's share on average.
        effect = effect * scale**2 / (scale**2 + 2 * rough.variance**2 / cells.counts(name))
        excess = np.maximum(spread + effect, spread / 10)
        excesses.append(excess)
        floors.append(max(share - np.average(excess, weights=cells.counts(name)), share / 10))
    return {
        "start_mu_scale": np.array(rough.mean_scales),
        "start_sigma_spread": np.sqrt([excess.mean() for excess in excesses]),
        "start_variance": np.concatenate([[share], floors, *excesses]),
        "start_mu": _rough_means(rough, cells),
    }


def _rough_means(rough: RoughEffects, cells: Cells) -> np.ndarray:
    """Return the baseline's and all contributors' means to start from, each drawn to zero by its standard error."""
    baseline, means = rough.mean, []
    for name, effect, scale in zip(cells.layers, rough.means, rough.mean_scales, strict=True):
        n = cells.counts(name)
        means.append(effect * scale**2 / (scale**2 + rough.variance / n))
        baseline += means[-1].mean() - np.average(means[-1], weights=n)
    return np.concatenate([[baseline], *means])


def _n_sigmas(cells: Cells) -> int:
    return 1 + sum(len(cells.labels[name]) for name in cells.layers)


def _n_means(cells: Cells) -> int:
    """Return how many means are free, when those of each layer sum to zero."""
    return _n_sigmas(cells) - len(cells.layers)


def _has_many_dimensions(cells: Cells) -> bool:
    return _n_means(cells) + _n_sigmas(cells) > MANY_DIMENSIONS


def contributor_names(layers: Sequence[str], labels: Mapping[str, Sequence]) -> list[str]:
    """Return ``baseline``, then ``layer[label]`` for every contributor."""
    return [BASELINE, *(f"{name}[{label}]" for name in layers for label in labels[name])]


def _component_scales(cells: Cells, priors: Priors) -> np.ndarray:
    """Return the prior scale of every standard deviation, shape (1 + sum of m_j,)."""
    layers = [np.full(len(cells.labels[x]), priors.sigma_scale_of(x)) for x in cells.layers]
    return np.concatenate([[priors.sigma_scale_of(BASELINE)], *layers])


def _means_from_offsets(cells: Cells, priors: Priors) -> tuple[np.ndarray, np.ndarray]:
    """Return c and B with ``c + B z`` distributed as all means' prior where z is standard normal.

    An orthonormal basis of the vectors that sum to zero, times a scale, turns independent standard normals into a
    zero-sum normal: its density depends on the squared length alone, and an orthonormal basis keeps lengths.
    """
    blocks = [[[priors.baseline_mu_sd]]]
    for name in cells.layers:
        blocks.append(priors.mu_sd_of(name) * helmert(len(cells.labels[name])).T)
    basis = block_diag(*blocks)
    center = np.zeros(len(basis))
    center[0] = priors.baseline_mu
    return center, basis


def _rough_posterior_of_offsets(cells: Cells, priors: Priors) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and precision of the offsets' posterior if all observations had the same variance.

    Conjugate regression with standard normal priors (Gelman et al. 2013, *Bayesian Data Analysis*, section 14.8).
    """
    center, basis = _means_from_offsets(cells, priors)
    design = cells.design() @ basis
    weighted = design * (cells.n / cells.residual_variance())[:, None]
    precision = np.eye(basis.shape[1]) + design.T @ weighted
    return np.linalg.solve(precision, weighted.T @ (cells.mean - center[0])), precision


def _rough_variances(cells: Cells, prior_scale: np.ndarray) -> np.ndarray:
    """Return variances of all components to start from: equal shares, plus what the cells' spreads say.

    A ridge regression of the cells' variances on the contributors; the variance of a sample variance is 2 V^2 / n.
    Chains that start with equal variances in every contributor may be hundreds of posterior standard deviations away.
    """
    variance = cells.residual_variance()
    spread = cells.sum_sq / cells.n + (cells.mean - cells.additive_means()) ** 2
    weight = np.sqrt(cells.n / 2) / variance
    design = diags_array(weight) @ cells.design() @ diags_array(prior_scale**2)
    effect = prior_scale**2 * lsqr(design, weight * (spread - variance), damp=1.0)[0]
    share = variance / (len(cells.layers) + 1)
    return np.maximum(share + effect, share / 10)


def _mean_and_variance(mu, sigma, codes, layers):
    """Return the mean and variance of a total: sums over baseline and layers."""
    mean, variance = mu[BASELINE], sigma[BASELINE] ** 2
    for j, name in enumerate(layers):
        mean = mean + mu[name][codes[:, j]]
        variance = variance + sigma[name][codes[:, j]] ** 2
    return mean, variance
