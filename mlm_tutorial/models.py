"""PyMC models of a layered sum: one for every observation, one for every cell. All share names and priors."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pymc as pm

from mlm_tutorial.builders import ParameterBuilder
from mlm_tutorial.cells import REQUIRED, Cells, cell_statistics
from mlm_tutorial.distributions import NormalCells, RegressionCells, StandardNormal
from mlm_tutorial.identifiability import UnidentifiedWarning, warn_if_not_identified
from mlm_tutorial.layers import BASELINE, TOTAL
from mlm_tutorial.names import COVARIATE, COVARIATE_MEAN, coordinate_of, dim_of, variable_of
from mlm_tutorial.priors import Priors
from mlm_tutorial.rows import Table

__all__ = ["CellModel", "cell_model", "observation_model"]

PARAMETRIZATIONS = ("marginal", "noncentered", "centered")
COORDINATES = ("identified", "log")

#: Number of dimensions above which a dense mass matrix costs more than it saves.
MANY_DIMENSIONS = 150

#: Target acceptance rate of the step size: nutpie's default of 0.8 leaves occasional divergences.
TARGET_ACCEPT = 0.9

#: A higher target below this number of observations, where posteriors of variances drop steeply near zero.
FEW_OBSERVATIONS = 500
TARGET_ACCEPT_OF_FEW = 0.98

#: Draws of each chain. Scales that are learned from few contributors mix slowly: with 1,000 draws one random structure
#: in twenty misses a limit of the convergence check by a little. In more dimensions the draws are as many as elsewhere:
#: there, layers are large, and each draw takes long.
DRAWS = 1000
DRAWS_WHEN_POOLED = 2000


class LayeredModel(pm.Model):
    """A PyMC model with the names of its layers and the labels of their contributors.

    Made by :func:`observation_model`. It is a PyMC model like any other, with attributes that :func:`sample` reads.

    Attributes
    ----------
    cells : Cells
        The data, reduced to cells.
    priors : Priors
    written_labels : dict of str to str
        For each layer's dim the way labels are written in its coordinate, see :func:`mlm_tutorial.names.coordinate_of`.
    """

    def describe(self, cells: Cells, priors: Priors) -> None:
        """Record what the model is made of."""
        self.cells, self.priors = cells, priors
        self.written_labels = {dim_of(name): coordinate_of(cells.labels[name])[1] for name in cells.layers}


class CellModel(LayeredModel):
    """A PyMC model of cells, with starting points for chains and options for sampling.

    Made by :func:`cell_model`.

    Attributes
    ----------
    coordinates : {"identified", "log"}
    parameters : ParameterBuilder
        Makes the variables, and their starting points for other cells.
    starts : dict of str to numpy.ndarray
        Values of free variables at which chains start.
    sampler_options : dict
        Options of ``nutpie.sample`` that suit the model.
    """

    def refit(self, cells: Cells) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return data and starts of this model for other cells.

        Parameters
        ----------
        cells : Cells
            Cells of the same number, layers and labels as those of the model. Priors are not changed.

        Raises
        ------
        TypeError, ValueError
            If `cells` is not a :class:`Cells`, or does not fit the model.
        """
        _check_cells(cells)
        for what in ("layers", "labels", "absent", "covariates"):
            if getattr(cells, what) != getattr(self.cells, what):
                raise ValueError(f"the cells have other {what} than the model; make and compile a new model")
        if len(cells) != len(self.cells):
            raise ValueError(f"the model has {len(self.cells)} cells, got {len(cells)}; make and compile a new model")
        starts = self.parameters.starts(cells) if self.coordinates == "identified" else {}
        return _data(cells), starts

    @property
    def prior_values(self) -> dict[str, np.ndarray]:
        """Numbers of the priors that a compiled model can change, by name; none in log coordinates."""
        return self.parameters.prior_values

    def with_priors(self, priors: Priors) -> "CellModel":
        """Return the model of the same cells in the same coordinates with other priors.

        Parameters
        ----------
        priors : Priors
            Pooled if those of the model are, with the same known spreads.

        Raises
        ------
        TypeError, ValueError
            If `priors` are not :class:`Priors`, or differ in more than numbers.
        """
        for what in ("pooled", "known_sigma"):
            if getattr(checked_priors(priors), what) != getattr(self.priors, what):
                raise ValueError(f"the priors have other {what} than the model's; make and compile a new model")
        with warnings.catch_warnings():
            # Identification does not depend on the numbers of the priors: the warning came when this model was made.
            warnings.simplefilter("ignore", UnidentifiedWarning)
            return cell_model(self.cells, priors, self.coordinates)


def cell_model(cells: Cells, priors: Priors | None = None, coordinates: str = "identified") -> CellModel:
    """Return the exact marginal model of the totals, with one likelihood term per cell.

    Contributions are integrated out: the total of an observation is normal, its mean the sum of the means and its
    variance the sum of the variances.

    Parameters
    ----------
    cells : Cells
        Sufficient statistics of the observations.
    priors : Priors, optional
        Default :meth:`Priors.from_cells`, which pools the contributors of each layer.
    coordinates : {"identified", "log"}
        Coordinates of the sampler: those that the data fix one by one, or the logarithm of every standard deviation.
        The model is the same.

    Returns
    -------
    CellModel
        A PyMC model with the variables ``mu_baseline``, ``sigma_baseline``, and for each layer ``mu_<layer>`` and
        ``sigma_<layer>`` with the layer as dim and its labels as coords. Pooled models also have ``tau_<layer>``, the
        standard deviation of the contributors' means, and ``floor_<layer>`` and ``spread_<layer>``, see
        :class:`Priors`. With covariates, ``slope`` is what a total gains with a unit of each, and means are those at
        the covariates' averages over all rows. Observed is ``mlm_cells``, mean and centered sum of squares of each
        cell, then the products with covariates. Everything else that is needed has a name that begins with ``mlm_``.

    Raises
    ------
    TypeError, KeyError, ValueError
        If `cells` is not a :class:`Cells` or cannot be decomposed, `coordinates` is unknown, or `priors` names a layer
        or label that is not in the cells.

    Warns
    -----
    UnidentifiedWarning
        If the data do not fix all means of a model that is not pooled, or the contributors of two layers are the same.
    """
    _check_cells(cells)
    _require_choice(coordinates, COORDINATES, "coordinates")
    priors = Priors.from_cells(cells) if priors is None else checked_priors(priors)
    warn_if_not_identified(cells, priors.known_sigma, priors.pooled, stacklevel=3)
    parameters = ParameterBuilder(cells, priors)
    statistics = ["mean", "sum_sq", *(f"products with {name}" for name in cells.covariates)]
    coords = model_coords(cells) | {"mlm_cell": np.arange(len(cells)), "mlm_statistic": statistics}
    # Transforms keep every scale positive; checks that they do take time to compile.
    with CellModel(coords=coords, check_bounds=False) as model:
        data = {name: pm.Data(name, value, dims=_DATA_DIMS[name]) for name, value in _data(cells).items()}
        if coordinates == "identified":
            mu, variance, slopes = parameters.identified()
        else:
            mu, variance = _joined(*parameters.plain(), cells)
            slopes = parameters.plain_slopes()
        places = data["mlm_codes"]
        absent = bool(cells.absent)
        total_mean = sum_of_layers(mu, places, range(len(cells.layers)), absent)
        total_variance = sum_of_layers(variance, places, parameters.with_spread, absent)
        of_cells = {
            "sigma": pm.math.sqrt(total_variance),
            "n": data["mlm_n"],
            "observed": data["mlm_statistics"],
            "dims": ("mlm_cell", "mlm_statistic"),
        }
        if slopes is None:
            NormalCells("mlm_cells", mu=total_mean, **of_cells)
        else:
            total_mean = total_mean + (data["mlm_x_mean"] * slopes).sum(axis=1)
            RegressionCells("mlm_cells", mu=total_mean, slope=slopes, root=data["mlm_x_root"], **of_cells)
    model.describe(cells, priors)
    model.coordinates, model.parameters = coordinates, parameters
    model.starts = parameters.starts(cells) if coordinates == "identified" else {}
    model.sampler_options = sampler_options(parameters.n_free, cells.n_observations, priors.pooled)
    return model


_DATA_DIMS = {
    "mlm_codes": ("mlm_cell", "mlm_layer"),
    "mlm_n": ("mlm_cell",),
    "mlm_statistics": ("mlm_cell", "mlm_statistic"),
    "mlm_x_mean": ("mlm_cell", COVARIATE),
    "mlm_x_root": ("mlm_cell", COVARIATE, "mlm_direction"),
    COVARIATE_MEAN: (COVARIATE,),
}


def observation_model(
    frame: Any,
    total: str = TOTAL,
    layers: Sequence[str] = REQUIRED,
    parametrization: str = "marginal",
    priors: Priors | None = None,
    *,
    allow_absent: Sequence[str] = (),
    covariates: Sequence[str] = (),
) -> LayeredModel:
    """Return the model of every single observation.

    Parameters
    ----------
    frame : data frame
        One row per observation; any eager or lazy table that :func:`cell_statistics` takes.
    total, layers : str, list of str
        Names of the columns with the totals, and with the contributors of each layer.
    parametrization : {"marginal", "noncentered", "centered"}
        Treatment of the contributions: integrated out; sampled as ``mu + sigma * z`` with a standard normal z for
        each; or sampled directly. The posterior of the parameters is the same.
    priors : Priors, optional
        Default :meth:`Priors.from_cells` of the frame's cells, which pools the contributors of each layer.
    allow_absent, covariates : list of str
        Layers that a row may lack, and columns with numbers, as for :func:`cell_statistics`.

    Returns
    -------
    LayeredModel
        A PyMC model with variables named as in :func:`cell_model`. Observed is ``total``, with dim ``observation``.
        Where contributions are sampled, ``y_<layer>`` are those of the layers, and the baseline's is the rest of
        the total.

    Raises
    ------
    TypeError, KeyError, ValueError
        For bad input as in :func:`cell_statistics`, an unknown `parametrization`, or contributions that are to be
        sampled with a baseline that is known to have no spread.
    """
    if layers is REQUIRED:
        raise TypeError("observation_model() missing 1 required argument: 'layers'")
    _require_choice(parametrization, PARAMETRIZATIONS, "parametrization")
    cells = cell_statistics(frame, total, layers, allow_absent=allow_absent, covariates=covariates)
    priors = Priors.from_cells(cells) if priors is None else checked_priors(priors)
    warn_if_not_identified(cells, priors.known_sigma, priors.pooled, stacklevel=3)
    parameters = ParameterBuilder(cells, priors)
    if parametrization != "marginal" and parameters.known[0] == 0:
        raise ValueError(f"a {parametrization} model needs a baseline with some spread, but it is known to be 0")
    rows = Table(frame, cells.layers, total, cells.covariates).rows(cells.labels, absent=cells.absent)
    places = places_of(rows.codes, [len(cells.labels[name]) for name in cells.layers])
    with LayeredModel(coords=model_coords(cells) | {"observation": np.arange(len(rows))}) as model:
        model.describe(cells, priors)
        mu, sigma = parameters.plain()
        slopes = parameters.plain_slopes()
        codes = pm.Data("mlm_codes", places, dims=("observation", "mlm_layer"))
        observed = pm.Data("mlm_totals", rows.totals, dims="observation")
        all_mu, all_variance = _joined(mu, sigma, cells)
        if parametrization == "marginal":
            absent = bool(cells.absent)
            mean = sum_of_layers(all_mu, codes, range(len(cells.layers)), absent)
            sd = pm.math.sqrt(sum_of_layers(all_variance, codes, parameters.with_spread, absent))
        else:
            mean, sd = mu[BASELINE], sigma[BASELINE]
            for j, name in enumerate(cells.layers):
                known = parameters.known[parameters.slices[1 + j]]
                k = rows.codes[:, j]
                drawn = np.flatnonzero((k >= 0) & (known[k] != 0))
                mean = mean + _contributions(name, mu[name], sigma[name], k, drawn, parametrization)
        if slopes is not None:
            center, _ = cells.covariate_moments()
            x = pm.Data("mlm_x", rows.x - center, dims=("observation", COVARIATE))
            pm.Data(COVARIATE_MEAN, center, dims=COVARIATE)
            mean = mean + (x * slopes).sum(axis=1)
        pm.Normal(TOTAL, mean, sd, observed=observed, dims="observation")
    return model


def _contributions(name: str, mu, sigma, codes: np.ndarray, drawn: np.ndarray, parametrization: str):
    """Add the contributions of one layer: those of the rows `drawn` have a spread, a row without the layer has none."""
    y, z, k = variable_of("y", name), variable_of("z", name), codes[drawn]
    if len(drawn) == len(codes):
        if parametrization == "centered":
            return pm.Normal(y, mu[k], sigma[k], dims="observation")
        return pm.Deterministic(y, mu[k] + sigma[k] * StandardNormal(z, dims="observation"), dims="observation")
    rest = pm.math.concatenate([mu, np.zeros(1)])[codes]
    if not len(drawn):
        return pm.Deterministic(y, rest, dims="observation")
    if parametrization == "centered":
        some = pm.Normal(f"mlm_{y}", mu[k], sigma[k])
    else:
        some = mu[k] + sigma[k] * StandardNormal(z, shape=len(drawn))
    return pm.Deterministic(y, rest[drawn].set(some), dims="observation")


def _check_cells(cells: Any) -> None:
    if not isinstance(cells, Cells):
        raise TypeError(f"expected Cells, got {type(cells).__name__}; make them with mlm.cell_statistics")
    cells.require_decomposable()


def checked_priors(priors: Any) -> Priors:
    """Return `priors`; raise TypeError unless they are Priors."""
    if not isinstance(priors, Priors):
        raise TypeError(f"priors must be mlm.Priors, got {type(priors).__name__}")
    return priors


def _require_choice(given: str, choices: Sequence[str], argument: str) -> None:
    if given not in choices:
        raise ValueError(f"unknown {argument} {given!r}; expected one of {', '.join(choices)}")


def model_coords(cells: Cells) -> dict[str, list]:
    """Return the coordinates of a model's layers."""
    return (
        {dim_of(name): coordinate_of(cells.labels[name])[0] for name in cells.layers}
        | {"mlm_layer": list(cells.layers)}
        | _coords_of_covariates(cells)
    )


def _coords_of_covariates(cells: Cells) -> dict[str, list]:
    k = len(cells.covariates)
    return {COVARIATE: list(cells.covariates), "mlm_direction": list(range(k))} if k else {}


def _data(cells: Cells) -> dict[str, np.ndarray]:
    """Return the data of a cell model by name."""
    data = {
        "mlm_codes": places_of(cells.codes, [len(cells.labels[name]) for name in cells.layers]),
        "mlm_n": cells.n.astype(float),  # PyMC keeps integers in 32 bits, too few for large cells
        "mlm_statistics": np.column_stack([cells.mean, cells.sum_sq, cells.x_total]),
    }
    if cells.covariates:
        center, _ = cells.covariate_moments()
        data |= {"mlm_x_mean": cells.x_mean - center, "mlm_x_root": _root_of_products(cells.x_products)}
        data[COVARIATE_MEAN] = center
    return data


def _root_of_products(products: np.ndarray) -> np.ndarray:
    """Return R with R R' = S for each cell, a column for each direction in which its covariates vary, else zeros."""
    # In units of each cell's own: covariates may differ by powers of ten.
    unit = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    safe = np.where(unit > 0, unit, 1.0)
    value, vector = np.linalg.eigh(products / (safe[:, :, None] * safe[:, None, :]))
    value = np.where(value > 1e-12 * value[:, -1:], value, 0.0)
    return safe[:, :, None] * vector * np.sqrt(value)[:, None, :]


def places_of(codes: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return the positions of each row's contributors in a vector of baseline, all contributors, and a zero, (n, J)."""
    starts = np.cumsum([1, *sizes])
    return np.where(codes < 0, starts[-1], codes + starts[:-1])


def sum_of_layers(values, places, layers: Sequence[int], absent: bool):
    """Return the baseline's value plus those of each row's contributors in some layers, 0 where one is absent."""
    if absent:
        values = pm.math.concatenate([values, np.zeros(1)])
    # Layer by layer: indexing with the whole matrix takes twice as long.
    return sum((values[places[:, j]] for j in layers), values[0])


def _joined(mu, sigma, cells: Cells):
    """Return all means and all variances as vectors, baseline first."""
    names = [BASELINE, *cells.layers]
    all_mu = pm.math.concatenate([mu[BASELINE][None], *(mu[name] for name in names[1:])])
    all_sigma = pm.math.concatenate([sigma[BASELINE][None], *(sigma[name] for name in names[1:])])
    return all_mu, all_sigma**2


def sampler_options(n_dimensions: int, n_observations: float = np.inf, pooled: bool = False) -> dict:
    """Return options of ``nutpie.sample`` that suit a number of dimensions and of observations."""
    target_accept = TARGET_ACCEPT_OF_FEW if n_observations < FEW_OBSERVATIONS else TARGET_ACCEPT
    if n_dimensions > MANY_DIMENSIONS:
        return {"adaptation": "diag", "tune": 500, "draws": DRAWS, "target_accept": target_accept}
    draws = DRAWS_WHEN_POOLED if pooled else DRAWS
    return {"adaptation": "low_rank", "tune": 1000, "draws": draws, "target_accept": target_accept}
