"""Priors of a layered sum's parameters, and the spreads that are known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mlm_tutorial.cells import Cells
from mlm_tutorial.known import Known, checked_known_sigma, known_vector, require_number
from mlm_tutorial.moments import components_with_free_spread

__all__ = ["Priors"]


@dataclass(frozen=True, kw_only=True)
class Priors:
    r"""Priors of a layered sum's parameters.

    With `pooled`, the contributors of a layer are similar unless the data say otherwise. How similar is learned:

    - ``mu_baseline ~ Normal(baseline_mu, baseline_mu_sd)``
    - ``mu_<layer> ~ ZeroSumNormal(tau_<layer>)`` with ``tau_<layer> ~ HalfNormal(mu_sd)``
    - ``sigma_baseline ~ Weibull(2, sigma_scale)``, also called Rayleigh. The variance is then exponential with mean
      ``sigma_scale**2``: variances are what adds up in a sum.
    - ``sigma_<layer>**2 = floor_<layer>**2 + excess``, with a floor that all contributors of the layer share and an
      excess of each: ``excess ~ Exponential(mean spread_<layer>**2)``. Floor and spread have the prior
      ``Weibull(2, sigma_scale / sqrt(2))``, so the prior mean of a variance is ``sigma_scale**2``. A spread near zero
      makes the contributors' standard deviations equal.

    Without pooling nothing is learned about a layer as a whole:

    - ``mu_<layer> ~ ZeroSumNormal(mu_sd)``
    - ``sigma_<layer> ~ Weibull(2, sigma_scale)`` for every contributor.

    Each contributor then has its own prior. Where a layer is nested in another one, or is the interaction of two, those
    priors decide how the layers share what the data identify only as a sum; and where the data cannot split a variance,
    its shares depend on the number of contributors in each layer.

    Slopes of covariates are ``slope ~ Normal(0, slope_sd)``, pooled or not.

    The means of a layer that may be absent are not centered: ``mu_<layer>`` is then such a zero-sum vector plus an
    average of its own, ``Normal(0, mu_sd)``.

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
        as ``"baseline"``. Those whose spread is known need none.
    slope_sd : float or mapping of str to float, optional
        Prior standard deviation of the slopes, for all covariates or for each by name, in units of the total by unit of
        the covariate. Needed where there are covariates.
    pooled : bool
        Whether contributors are partially pooled.
    known_sigma : mapping, optional
        Standard deviations that are known: of a component (``"baseline"`` or a layer), or of some of a layer's
        contributors, as a mapping of label to standard deviation. Zero is allowed: such contributors shift the total
        and add no spread, as in the classical model with one residual.

    Raises
    ------
    TypeError, ValueError
        If a scale is not positive and finite, or a known standard deviation is negative, infinite, or not a number.
    """

    baseline_mu: float
    baseline_mu_sd: float
    mu_sd: float | Mapping[str, float]
    sigma_scale: float | Mapping[str, float]
    pooled: bool = True
    known_sigma: Known = field(default_factory=dict)
    slope_sd: float | Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.pooled, (bool, np.bool_)):
            raise TypeError(f"pooled must be True or False, got {self.pooled!r}")
        if not np.isfinite(require_number(self.baseline_mu, "baseline_mu")):
            raise ValueError(f"baseline_mu must be finite, got {self.baseline_mu}")
        for name in ("baseline_mu_sd", "mu_sd", "sigma_scale", "slope_sd"):
            given = getattr(self, name)
            for value in given.values() if isinstance(given, Mapping) else [given]:
                if not (np.isfinite(require_number(value, name)) and value > 0):
                    raise ValueError(f"{name} must be positive and finite, got {given}")
        object.__setattr__(self, "known_sigma", checked_known_sigma(self.known_sigma))

    @classmethod
    def from_cells(cls, cells: Cells, *, pooled: bool = True, known_sigma: Known | None = None) -> "Priors":
        """Return the default priors, whose scales come from the totals.

        The baseline's mean is within five standard deviations of the totals' average, and the means of contributors
        have a scale of two and a half standard deviations. Each of the J + 1 components has the same prior mean of its
        variance: V / (J + 1), with V the variance about an additive fit of the means. Where spreads are known, the
        others share what they leave of V, a tenth of it at least. A slope has a scale with which one standard deviation
        of its covariate moves a total by two and a half of its own.

        Parameters
        ----------
        cells : Cells
        pooled : bool
            Whether contributors are partially pooled.
        known_sigma : mapping, optional
            Standard deviations that are known, see :class:`Priors`.

        Returns
        -------
        Priors

        Raises
        ------
        KeyError, ValueError
            If `known_sigma` names a component or a label that `cells` do not have, or leaves a cell without variance.
        """
        mean, variance = cells.total_moments()
        sd = np.sqrt(variance)
        known = known_vector(cells, checked_known_sigma(known_sigma))
        residual = cells.residual_variance()
        fixed = np.average(cells.design() @ np.nan_to_num(known) ** 2, weights=cells.n)
        left = max(residual - fixed, residual / 10)
        return cls(
            baseline_mu=mean,
            baseline_mu_sd=float(5 * sd),
            mu_sd=float(2.5 * sd),
            sigma_scale=float(np.sqrt(left / max(components_with_free_spread(cells, known), 1))),
            pooled=pooled,
            known_sigma=known_sigma or {},
            slope_sd={
                name: float(2.5 * sd / np.sqrt(x))
                for name, x in zip(cells.covariates, np.diag(cells.covariate_moments()[1]), strict=True)
            },
        )

    def mu_sd_of(self, layer: str) -> float:
        """Return the scale of one layer's means."""
        return _by_name(self.mu_sd, layer, "mu_sd")

    def slope_sd_of(self, covariate: str) -> float:
        """Return the scale of one slope."""
        return _by_name(self.slope_sd, covariate, "slope_sd")

    def sigma_scale_of(self, component: str) -> float:
        """Return the scale of the standard deviations of the baseline or of one layer."""
        return _by_name(self.sigma_scale, component, "sigma_scale")


def _by_name(given: float | Mapping[str, float], name: str, argument: str) -> float:
    if not isinstance(given, Mapping):
        return float(given)
    if name not in given:
        raise ValueError(f"{argument} names {', '.join(given)}; there is none for {name!r}")
    return float(given[name])
